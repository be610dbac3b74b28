"""Measured bone density with clinical values: NHANES, two cycles of the United States survey."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skosteo.datasets._home import find_home, obtain, read_checksums
from skosteo.exceptions import DatasetError, InputError

FOLDER = "nhanes"
PAGE = "https://wwwn.cdc.gov/nchs/nhanes/"
URL = "https://wwwn.cdc.gov/Nchs/Data/Nhanes/Public/{year}/DataFiles/{file}.xpt"
CYCLES = ("2013-2014", "2017-2018")

# Column of the density, and mean and SD (g/cm2) of women aged 20-29 in NHANES III, the reference
# for T-scores of both sexes: Looker 1998, doi:10.1007/s001980050093.
SITES = {"femoral_neck": ("DXXNKBMD", 0.858, 0.120)}

# mg/dL -> mmol/L: molar masses 40.078 (calcium) and 180.16 (glucose) g/mol.
CALCIUM_MMOL_L = 0.2495
GLUCOSE_MMOL_L = 1 / 18.016

DESCR = """NHANES: measured bone density and clinical values of adults in the United States
================================================================================

One row per examined person with a valid density of the femoral neck by DXA. Aged 50 and over:
2,230 people in 2013-2014 and 2,286 in 2017-2018; T <= -2.5 in 150 and 153, T < -1 in 1,078 and
1,083. Train on one cycle and test on the other for a test in time.

Source: US Centers for Disease Control and Prevention, National Center for Health Statistics,
https://wwwn.cdc.gov/nchs/nhanes/ (DEMO, BMX, CBC, BIOPRO, DXXFEM; GLU for 2017-2018).
Licence: public domain (work of the US government).

``data``: age (years, 80 means 80 or more), sex ("F", "M"), height_cm, weight_kg, bmi (kg/m2),
wbc_10e9_l (400 means 400 or more), platelets_10e9_l, calcium_mmol_l, glucose_mmol_l.
``frame`` adds cycle, bmd_g_cm2, t_score, fasting_glucose_mmol_l and the survey's design.

Read before use
---------------
* Glucose is serum glucose of the biochemistry profile (LBXSGL) in every cycle, fasting or not, so
  that cycles compare. Fasting glucose (LBXGLU), measured in about half of the people of
  2017-2018 and not part of the files of 2013-2014 used here, is in ``frame`` only.
* T = (density - 0.858) / 0.120 g/cm2 for men too (WHO; women aged 20-29, NHANES III). Computed in
  floating point, a density of 0.558 comes out just above -2.5: 5 and 2 people, not counted above.
* Only scores at or below -2.5 are osteoporosis; a threshold of -1 adds osteopenia.
* The densities are of the DXXFEM files. Copies in circulation were rebuilt from the agency's
  values and differ from its own files byte by byte, so a DXXFEM file with a checksum other than
  the one known passes with a warning, and a downloaded one is not checked. All other files are.
* Estimates for the US population need survey_weight (WTMEC2YR, halved when two cycles are
  joined), survey_stratum (SDMVSTRA) and survey_unit (SDMVPSU); unweighted scores describe
  these people only.
"""


def fetch_nhanes(
    cycles: Sequence[str] = CYCLES,
    *,
    site: str = "femoral_neck",
    threshold: float = -2.5,
    min_age: float = 50,
    data_home: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Load people with measured bone density, downloading the files (18 MB) when not on disk.

    Parameters
    ----------
    cycles : sequence of str, default=("2013-2014", "2017-2018")
        Survey cycles with bone density.
    site : str, default="femoral_neck"
        Where density is measured; the femoral neck is the one with a sourced reference.
    threshold : float, default=-2.5
        T-scores at or below it are positive; -2.5 is osteoporosis.
    min_age : float, default=50
        Youngest age in years. T-scores are meant for 50 and over.
    data_home : path, default=None
        Folder that holds ``nhanes/``; None takes the environment variable ``SKOSTEO_DATA``, else
        a cache folder of the user.

    Returns
    -------
    Bunch
        data : DataFrame of shape (n, 9)
            ``age``, ``sex`` ("F", "M"), ``height_cm``, ``weight_kg``, ``bmi``, ``wbc_10e9_l``,
            ``platelets_10e9_l``, ``calcium_mmol_l``, ``glucose_mmol_l``; NaN where missing.
        target : Series of shape (n,), int
            1 where the T-score is at or below ``threshold``.
        groups : Series of shape (n,), int
            The person (SEQN); one row each.
        frame : DataFrame of shape (n, 17)
            ``data`` with ``seqn``, ``cycle``, ``bmd_g_cm2``, ``t_score``,
            ``fasting_glucose_mmol_l``, ``survey_weight``, ``survey_stratum``, ``survey_unit``.
        feature_names : list of str
            Columns of ``data``.
        DESCR : str
            Source, units and what to beware of.

    References
    ----------
    Looker et al. 1998, doi:10.1007/s001980050093

    Examples
    --------
    >>> from skosteo.datasets import fetch_nhanes
    >>> cohort = fetch_nhanes(["2013-2014"])  # doctest: +SKIP
    >>> cohort.data.shape, cohort.target.sum()  # doctest: +SKIP
    ((2230, 9), 150)
    """
    chosen = [cycles] if isinstance(cycles, str) else list(cycles)
    if not chosen or not set(chosen) <= set(CYCLES) or len(set(chosen)) < len(chosen):
        raise InputError(
            f"cycles is {cycles!r}; it takes each of {', '.join(map(repr, CYCLES))} at most once. "
            "Other cycles have no bone density of the hip or are not supported."
        )
    if site not in SITES:
        raise InputError(
            f"site is {site!r}; it takes {', '.join(map(repr, SITES))}. For another site, compute "
            "the T-score from a reference of your own."
        )
    folder = find_home(data_home) / FOLDER
    tables = []
    for cycle in chosen:
        tables.append(_read_cycle(folder, cycle, site))
    cohort = pd.concat(tables)
    measured = cohort["bmd_g_cm2"].notna() & (cohort["age"] >= min_age)
    frame = cohort[measured].reset_index(drop=True)
    names = list(frame.columns[2:11])
    return Bunch(
        data=frame[names].copy(),
        target=(frame["t_score"] <= threshold).astype(int).rename(f"t_score <= {threshold:g}"),
        groups=frame["seqn"],
        frame=frame,
        feature_names=names,
        DESCR=DESCR,
    )


def _read_cycle(folder: Path, cycle: str, site: str) -> pd.DataFrame:
    checksums = {
        name: digest
        for name, digest in read_checksums("nhanes_sha256.txt").items()
        if name.startswith(cycle)
    }
    urls = {name: URL.format(year=cycle[:4], file=Path(name).stem) for name in checksums}
    rebuilt = [name for name in checksums if "DXXFEM" in name]
    unknown = obtain(folder, checksums, urls, page=PAGE, rebuilt=rebuilt)
    density, mean, deviation = SITES[site]
    parts = {Path(name).stem[:-2]: _read(folder / name) for name in checksums}
    absent = {"SEQN", density} - set(parts["DXXFEM"])
    if absent:
        raise DatasetError(
            f"{rebuilt[0]} in {folder} has no column {', '.join(sorted(absent))}. Delete it and "
            f"fetch again, or download it from {PAGE}."
        )
    if unknown:
        warnings.warn(
            f"{unknown[0]} has another checksum than the known copy; it has the columns needed "
            "and is used. Compare the counts with those in DESCR.",
            UserWarning,
            stacklevel=3,
        )
    table = parts.pop("DEMO")
    for part in parts.values():
        table = table.merge(part, on="SEQN", how="left", validate="one_to_one")
    return _canonical(table, cycle).assign(
        bmd_g_cm2=table[density], t_score=(table[density] - mean) / deviation
    )


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_sas(path, format="xport")
    numbers = table.select_dtypes("number")
    # The transport format turns an exact 0 into 5.4e-79.
    table[numbers.columns] = numbers.mask(numbers.abs() < 1e-70, 0)
    return table


def _canonical(table: pd.DataFrame, cycle: str) -> pd.DataFrame:
    fasting = table.get("LBXGLU", np.nan)
    return pd.DataFrame(
        {
            "seqn": table["SEQN"].astype(int),
            "cycle": cycle,
            "age": table["RIDAGEYR"],
            "sex": table["RIAGENDR"].map({1: "M", 2: "F"}),
            "height_cm": table["BMXHT"],
            "weight_kg": table["BMXWT"],
            "bmi": table["BMXBMI"],
            "wbc_10e9_l": table["LBXWBCSI"],
            "platelets_10e9_l": table["LBXPLTSI"],
            "calcium_mmol_l": table["LBXSCA"] * CALCIUM_MMOL_L,
            "glucose_mmol_l": table["LBXSGL"] * GLUCOSE_MMOL_L,
            "fasting_glucose_mmol_l": fasting * GLUCOSE_MMOL_L,
            "survey_weight": table["WTMEC2YR"],
            "survey_stratum": table["SDMVSTRA"].astype(int),
            "survey_unit": table["SDMVPSU"].astype(int),
        }
    )
