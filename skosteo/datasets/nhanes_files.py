"""The component files of a NHANES cycle: which there are, what each brings, how they join."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from skosteo.clinical.variables import CALCIUM_MMOL_L, GLUCOSE_MMOL_L
from skosteo.datasets._home import obtain, read_checksums
from skosteo.exceptions import DatasetError

PAGE = "https://wwwn.cdc.gov/nchs/nhanes/"
URL = "https://wwwn.cdc.gov/Nchs/Data/Nhanes/Public/{year}/DataFiles/{file}"

# The cycles that measured the hip, and how each names its files.
CYCLES = {
    "2005-2006": "{}_D",
    "2007-2008": "{}_E",
    "2009-2010": "{}_F",
    "2013-2014": "{}_H",
    "2017-2018": "{}_J",
    "2017-2020": "P_{}",
}


class Component(NamedTuple):
    """What a file brings: our columns, each from the first of the agency's that the file has."""

    columns: Mapping[str, tuple[str, ...]]
    required: bool = False

    @property
    def brings(self) -> str:
        """Our columns, in words."""
        return ", ".join(self.columns)


COMPONENTS = {
    "DEMO": Component(
        {
            "age": ("RIDAGEYR",),
            "sex": ("RIAGENDR",),
            "race": ("RIDRETH3", "RIDRETH1"),
            "survey_weight": ("WTMEC2YR", "WTMECPRP"),
            "survey_stratum": ("SDMVSTRA",),
            "survey_unit": ("SDMVPSU",),
        },
        required=True,
    ),
    "DXXFEM": Component({"bmd_g_cm2": ("DXXNKBMD",)}, required=True),
    "BMX": Component({"height_cm": ("BMXHT",), "weight_kg": ("BMXWT",), "bmi": ("BMXBMI",)}),
    "CBC": Component({"wbc_10e9_l": ("LBXWBCSI",), "platelets_10e9_l": ("LBXPLTSI",)}),
    "BIOPRO": Component({"calcium_mmol_l": ("LBXSCA",), "glucose_mmol_l": ("LBXSGL",)}),
    "GLU": Component({"fasting_glucose_mmol_l": ("LBXGLU",)}),
    "DXXSPN": Component({"spine_bmd_g_cm2": ("DXXOSBMD",)}),
    "OSQ": Component(
        {
            "told_osteoporosis": ("OSQ060",),
            "steroids_daily": ("OSQ130",),
            "hip_fracture_after_45": ("OSQ010A",),
            "wrist_fracture_after_45": ("OSQ010B",),
            "spine_fracture_after_45": ("OSQ010C",),
        }
    ),
}
# The agency's own files of these were not to be had; the known checksums are of rebuilt copies.
REBUILT = ("DXXFEM", "DXXSPN")

# The agency's columns are in mg/dL
FACTORS = {
    "calcium_mmol_l": CALCIUM_MMOL_L,
    "glucose_mmol_l": GLUCOSE_MMOL_L,
    "fasting_glucose_mmol_l": GLUCOSE_MMOL_L,
}
CODES: dict[str, dict[int, Any]] = {
    "sex": {1: "M", 2: "F"},
    "race": {
        1: "Mexican American",
        2: "other Hispanic",
        3: "non-Hispanic white",
        4: "non-Hispanic black",
        5: "other or multiracial",
        6: "non-Hispanic Asian",
        7: "other or multiracial",
    },
    # 7 refused and 9 unknown become gaps
    "told_osteoporosis": {1: 1, 2: 0},
    "steroids_daily": {1: 1, 2: 0},
}


def find_components(folder: Path, cycles: Sequence[str]) -> pd.DataFrame:
    """Find the components of some cycles, check them, and download what is known and missing.

    Parameters
    ----------
    folder : Path
        Folder that holds a folder for each cycle; the case of the files' names is free.
    cycles : sequence of str
        Names of cycles, keys of `CYCLES`.

    Returns
    -------
    DataFrame
        A row per cycle and component: cycle, component, file (as it lies on disk), state and
        brings. State is "checked" (the published file by its checksum), "other copy" (a density
        file with another checksum than the known one), "unchecked" (no checksum is known) or
        "missing".

    Raises
    ------
    DatasetError
        A required file is missing and not to be had, or a file is not the published one.
    """
    known = read_checksums("nhanes_sha256.txt")
    listed = []
    for cycle in cycles:
        # in reverse, so that of two spellings the upper case wins
        lying = {path.name.upper(): path.name for path in sorted((folder / cycle).glob("*"))[::-1]}
        for name, component in COMPONENTS.items():
            published = CYCLES[cycle].format(name) + ".XPT"
            digest = known.get(f"{cycle}/{published}")
            if component.required and published not in lying and not digest:
                raise DatasetError(_not_there(published, cycle, component))
            file = f"{cycle}/{lying.get(published, published)}"
            listed.append((cycle, name, file, published in lying, digest))
    rows = []
    refused = False  # one failed download is enough: offline, each would wait for its timeout
    for cycle, name, file, found, digest in listed:
        state = "unchecked" if found else "missing"
        if digest and (found or COMPONENTS[name].required or not refused):
            try:
                state = _obtain(folder, file, digest, lenient=name in REBUILT)
            except DatasetError:
                if found or COMPONENTS[name].required:
                    raise
                refused = True
        rows.append((cycle, name, file, state, COMPONENTS[name].brings))
    return pd.DataFrame(rows, columns=["cycle", "component", "file", "state", "brings"])


def _obtain(folder: Path, file: str, digest: str, *, lenient: bool) -> str:
    url = URL.format(year=file[:4], file=Path(file).stem + ".xpt")
    rebuilt = [file] if lenient else []
    unknown = obtain(folder, {file: digest}, {file: url}, page=PAGE, rebuilt=rebuilt)
    return "other copy" if unknown else "checked"


def _not_there(published: str, cycle: str, component: Component) -> str:
    label = ""
    if "DXXFEM" in published:
        label = (
            "No row has a label without it: the label is the measured density, not what people "
            "were told (OSQ). "
        )
    return (
        f"NHANES {cycle} has no {published}, which brings {component.brings}. {label}Download it "
        f"from {PAGE} into nhanes/{cycle}/ of the data home (data_home or SKOSTEO_DATA)."
    )


def join_components(folder: Path, files: pd.DataFrame) -> pd.DataFrame:
    """Read the components of one cycle and join them on the person.

    Parameters
    ----------
    folder : Path
        As in `find_components`.
    files : DataFrame
        The rows of `find_components` for one cycle; missing files are passed over.

    Returns
    -------
    DataFrame
        A row per person of DEMO: seqn and the columns that the components bring.

    Raises
    ------
    DatasetError
        A file cannot be read, lacks a column, repeats a person or has people of another cycle.
    """
    joined = pd.DataFrame()
    there = files.loc[files["state"] != "missing", ["component", "file"]].astype(str)
    for name, file in there.to_numpy().tolist():
        part = _take(_read(folder / file, file), COMPONENTS[name], file)
        if joined.empty:  # DEMO, where everyone is
            joined = part
            continue
        strangers = int((~part["seqn"].isin(joined["seqn"])).sum())
        if strangers:
            raise DatasetError(
                f"{file} has {strangers} of {len(part)} people whom the demographics (DEMO) of "
                "the cycle do not have. Is it of another cycle? People are numbered anew in each, "
                "in 2017-2020 (P_) too."
            )
        joined = joined.merge(part, on="seqn", how="left", validate="one_to_one")
    return joined


def _read(path: Path, file: str) -> pd.DataFrame:
    try:
        table = pd.read_sas(path, format="xport")
    except ValueError as error:
        raise DatasetError(
            f"{file} is not a SAS transport file. Sites answer a wrong address with a web page: "
            f"delete it and download it from {PAGE}."
        ) from error
    table.columns = table.columns.str.upper()
    if "SEQN" not in table:
        raise DatasetError(f"{file} has no column SEQN, on which the components join.")
    repeated = int(table["SEQN"].duplicated().sum())
    if repeated:
        raise DatasetError(
            f"{file} repeats a person (SEQN) in {repeated} of {len(table)} rows; it must have one "
            f"row each. Delete it and download it from {PAGE}."
        )
    numbers = table.select_dtypes("number")
    # The transport format turns an exact 0 into 5.4e-79.
    table[numbers.columns] = numbers.mask(numbers.abs() < 1e-70, 0)
    return table


def _take(table: pd.DataFrame, component: Component, file: str) -> pd.DataFrame:
    taken = {"seqn": table["SEQN"].astype(int)}
    for ours, theirs in component.columns.items():
        present = [name for name in theirs if name in table]
        if not present:
            raise DatasetError(
                f"{file} has no column {' or '.join(theirs)}, from which {ours} comes. Delete it "
                f"and download it from {PAGE}."
            )
        values = table[present[0]]
        if ours.endswith("_after_45"):
            values = _broken_after_45(table, present[0][-1])
        elif ours in CODES:
            values = values.map(CODES[ours])
        taken[ours] = values * FACTORS[ours] if ours in FACTORS else values
    return pd.DataFrame(taken)


def _broken_after_45(table: pd.DataFrame, site: str) -> pd.Series:
    """1 where a bone (A hip, B wrist, C spine) broke after the age of 45, 0 where it did not.

    A fracture has an age (OSD030; 99999 unknown) and whether it was under 50 (1) or later (2)
    (OSQ040), which some people know who do not know the age. Others are gaps.
    """
    ages = table.filter(regex=f"^OSD030{site}")
    halves = table.filter(regex=f"^OSQ040{site}")
    late = (ages.gt(45) & ages.lt(150)).any(axis=1) | halves.eq(2).any(axis=1)
    early = ages.le(45).any(axis=1) & (ages.le(45) | ages.isna()).all(axis=1)
    never = table[f"OSQ010{site}"].eq(2)
    return late.astype(float).where(late | early | never)
