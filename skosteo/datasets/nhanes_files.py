"""The component files of a NHANES cycle: which there are, what each brings, how they join."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from skosteo.clinical.variables import CALCIUM_MMOL_L, GLUCOSE_MMOL_L
from skosteo.datasets._home import obtain, read_checksums
from skosteo.exceptions import DatasetError

PAGE = "https://wwwn.cdc.gov/nchs/nhanes/"
URL = "https://wwwn.cdc.gov/Nchs/Data/Nhanes/Public/{year}/DataFiles/{file}"

# The cycles that measured the hip, and how each names its files
CYCLES = {
    "2005-2006": "{}_D.XPT", "2007-2008": "{}_E.XPT", "2009-2010": "{}_F.XPT",
    "2013-2014": "{}_H.XPT", "2017-2018": "{}_J.XPT", "2017-2020": "P_{}.XPT",
}  # fmt: skip


# What each file brings: our columns, each from the first of the agency's that the file has
COMPONENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "DEMO": {
        "age": ("RIDAGEYR",), "sex": ("RIAGENDR",), "race": ("RIDRETH3", "RIDRETH1"),
        "survey_weight": ("WTMEC2YR", "WTMECPRP"), "survey_stratum": ("SDMVSTRA",),
        "survey_unit": ("SDMVPSU",),
    },
    "DXXFEM": {"bmd_g_cm2": ("DXXNKBMD",)},
    "BMX": {"height_cm": ("BMXHT",), "weight_kg": ("BMXWT",), "bmi": ("BMXBMI",)},
    "CBC": {"wbc_10e9_l": ("LBXWBCSI",), "platelets_10e9_l": ("LBXPLTSI",)},
    "BIOPRO": {"calcium_mmol_l": ("LBXSCA",), "glucose_mmol_l": ("LBXSGL",)},
    "GLU": {"fasting_glucose_mmol_l": ("LBXGLU",)},
    "DXXSPN": {"spine_bmd_g_cm2": ("DXXOSBMD",)},
    "OSQ": {
        "told_osteoporosis": ("OSQ060",), "steroids_daily": ("OSQ130",),
        "hip_fracture_after_45": ("OSQ010A",), "wrist_fracture_after_45": ("OSQ010B",),
        "spine_fracture_after_45": ("OSQ010C",),
    },
}  # fmt: skip
OPTIONAL = ("GLU", "DXXSPN", "OSQ")
# The agency's own files of these were not to be had; the known checksums are of rebuilt copies.
REBUILT = ("DXXFEM", "DXXSPN")

# The agency's columns are in mg/dL
FACTORS = dict.fromkeys(("glucose_mmol_l", "fasting_glucose_mmol_l"), GLUCOSE_MMOL_L)
FACTORS["calcium_mmol_l"] = CALCIUM_MMOL_L
CODES: dict[str, dict[int, Any]] = {
    "sex": {1: "M", 2: "F"},
    "race": {
        1: "Mexican American", 2: "other Hispanic", 3: "non-Hispanic white",
        4: "non-Hispanic black", 5: "other or multiracial", 6: "non-Hispanic Asian",
        7: "other or multiracial",
    },
    # 7 refused and 9 unknown are missing
    "told_osteoporosis": {1: 1, 2: 0},
    "steroids_daily": {1: 1, 2: 0},
}  # fmt: skip


def read_cycle(folder: Path, cycle: str) -> pd.DataFrame:
    """Find the components of a cycle, check or download the known ones, and join them by person.

    A row per person of DEMO: seqn, cycle and the columns of all `COMPONENTS`; NaN where one that is
    not required is not there. The folder holds one for each cycle; names are of any case.
    """
    joined = pd.DataFrame()
    for name, file in _obtain(folder, cycle).items():
        part = _take(_read(folder / file, file), COMPONENTS[name], file)
        if joined.empty:  # DEMO, where everyone is
            joined = part
            continue
        if strangers := int((~part["seqn"].isin(joined["seqn"])).sum()):
            raise DatasetError(
                f"{file} has {strangers} of {len(part)} people whom the demographics (DEMO) of "
                "the cycle do not have. Is it of another cycle? People are numbered anew in each, "
                "in 2017-2020 (P_) too."
            )
        joined = joined.merge(part, on="seqn", how="left", validate="one_to_one")
    columns = [column for component in COMPONENTS.values() for column in component]
    joined = joined.reindex(columns=["seqn", *columns])
    joined.insert(1, "cycle", cycle)
    return joined


def _obtain(folder: Path, cycle: str) -> dict[str, str]:
    """Files of a cycle by component, as they lie on disk; those of a known checksum are checked."""
    known = read_checksums("nhanes_sha256.txt")
    # in reverse, so that of two spellings the upper case wins
    lying = {path.name.upper(): path.name for path in sorted((folder / cycle).glob("*"))[::-1]}
    files, checksums = {}, {}
    for name, component in COMPONENTS.items():
        published = CYCLES[cycle].format(name)
        digest = known.get(f"{cycle}/{published}")
        if published not in lying and not digest:
            if name not in OPTIONAL:
                label = "The label is the measured density, not what people were told (OSQ). "
                raise DatasetError(
                    f"NHANES {cycle} has no {published}, which brings {', '.join(component)}. "
                    f"{label if name == 'DXXFEM' else ''}Download it from {PAGE} into "
                    f"nhanes/{cycle}/ of the data home (data_home or SKOSTEO_DATA)."
                )
            continue
        files[name] = f"{cycle}/{lying.get(published, published)}"
        if digest:
            checksums[files[name]] = digest
    urls = {file: URL.format(year=cycle[:4], file=f"{Path(file).stem}.xpt") for file in checksums}
    rebuilt = [file for name, file in files.items() if name in REBUILT and file in checksums]
    for file in obtain(folder, checksums, urls, page=PAGE, rebuilt=rebuilt):
        warnings.warn(
            f"{file}: another checksum than the known copy; it has the columns needed and is used. "
            "Compare the counts with those in DESCR.",
            UserWarning,
            stacklevel=4,
        )
    return files


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
    if repeated := int(table["SEQN"].duplicated().sum()):
        raise DatasetError(
            f"{file} repeats a person (SEQN) in {repeated} of {len(table)} rows; it must have one "
            f"row each. Delete it and download it from {PAGE}."
        )
    numbers = table.select_dtypes("number")
    # The transport format turns an exact 0 into 5.4e-79.
    table[numbers.columns] = numbers.mask(numbers.abs() < 1e-70, 0)
    return table


def _take(table: pd.DataFrame, component: Mapping[str, tuple], file: str) -> pd.DataFrame:
    taken = {"seqn": table["SEQN"].astype(int)}
    for ours, theirs in component.items():
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
    (OSQ040), which some people know who do not know the age. Others are missing.
    """
    ages = table.filter(regex=f"^OSD030{site}")
    halves = table.filter(regex=f"^OSQ040{site}")
    late = (ages.gt(45) & ages.lt(150)).any(axis=1) | halves.eq(2).any(axis=1)
    early = ages.le(45).any(axis=1) & (ages.le(45) | ages.isna()).all(axis=1)
    never = table[f"OSQ010{site}"].eq(2)
    return late.astype(float).where(late | early | never)
