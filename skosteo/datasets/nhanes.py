"""Measured bone density with clinical values: NHANES, the survey of the United States."""

import os
from collections.abc import Sequence

import pandas as pd
from sklearn.utils import Bunch

from skosteo._validation import guess
from skosteo.clinical.labels import Kind, check_kind, t_score
from skosteo.clinical.labels import label as label_of
from skosteo.datasets._home import find_home
from skosteo.datasets.nhanes_files import CYCLES, read_cycle
from skosteo.exceptions import InputError

# What a model may see; everything else is in ``frame`` only
DATA = [
    "age", "sex", "height_cm", "weight_kg", "bmi", "wbc_10e9_l", "platelets_10e9_l",
    "calcium_mmol_l", "glucose_mmol_l",
]  # fmt: skip

DESCR = """NHANES: measured bone density and clinical values of adults in the United States
================================================================================

One row per examined person with a valid density of the femoral neck by DXA. Aged 50 and over:
2,230 people in 2013-2014 and 2,286 in 2017-2018; T <= -2.5 in 155 and 155, T < -1 in 1,078 and
1,083. Train on one cycle and test on the other for a test in time.

Source: US Centers for Disease Control and Prevention, National Center for Health Statistics,
https://wwwn.cdc.gov/nchs/nhanes/
Licence: public domain (work of the US government).

``data``: age (years, 80 means 80 or more; 85 in 2005-2006), sex ("F", "M"), height_cm, weight_kg,
bmi (kg/m2), wbc_10e9_l (400 means 400 or more), platelets_10e9_l, calcium_mmol_l, glucose_mmol_l.
``frame`` adds cycle, t_score, the densities, the survey's design, race, fasting glucose and what
people say of themselves: told of osteoporosis (OSQ060), prednisone or cortisone nearly every day
for a month or longer (OSQ130), a hip, wrist or spine broken after the age of 45 (OSQ010, OSD030,
OSQ040), by whatever fall.

Read before use
---------------
* Never give a model the columns that only ``frame`` has: the other density and the diagnosis told
  give the answer away, and what people remember of fractures follows from knowing it.
* Glucose is serum glucose of the biochemistry profile (LBXSGL) in every cycle, fasting or not, so
  that cycles compare. Fasting glucose (LBXGLU), measured in about half of the people by design,
  is in ``frame`` only.
* T = (density - 0.858) / 0.120 g/cm2 for men too (WHO; women aged 20-29, NHANES III), rounded to
  6 decimals, so that a density of 0.558 is T = -2.5: see `skosteo.clinical.t_score`.
* T <= -2.5 is osteoporosis; T < -1 is low bone mass, osteopenia and osteoporosis together.
* Hips were measured from the age of 8 in 2005-2010, of 40 in 2013-2014, of 50 from 2017 on; no
  hips in 2011-2012 and 2015-2016.
* 2017-2020 (to March 2020, files P_...) has the people of 2017-2018 again under new numbers: take
  one of the two. Its survey weights are WTMECPRP.
* Files of 2013-2014 and 2017-2018 are checked by their checksum, those of other cycles are taken
  as they are. The known densities (DXXFEM, DXXSPN) were rebuilt from the agency's values and
  differ from its own files byte by byte, so one with another checksum passes, with a warning, and
  a downloaded one is not checked.
* Columns of ``frame`` whose file is not there are NaN: fasting glucose (GLU) of 2013-2014 and
  what people say of themselves (OSQ) of 2017-2018 were not to be had.
* Estimates for the US population need survey_weight (WTMEC2YR, halved when two cycles are
  joined), survey_stratum (SDMVSTRA) and survey_unit (SDMVPSU); unweighted scores describe
  these people only.
"""


def fetch_nhanes(
    cycles: Sequence[str] = ("2013-2014", "2017-2018"),
    *,
    label: Kind = "osteoporosis",
    min_age: float = 50,
    data_home: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Load people with measured bone density, from a survey's component files joined by person.

    Parameters
    ----------
    cycles : sequence of str, default=("2013-2014", "2017-2018")
        Survey cycles: "2005-2006", "2007-2008", "2009-2010", "2013-2014", "2017-2018", "2017-2020".
        Those of the default are checked, and downloaded (18 MB) when not on disk; for others put
        the agency's files into ``nhanes/2005-2006/`` and so on yourself: DEMO_D.XPT, DXXFEM, BMX,
        CBC and BIOPRO, and GLU, DXXSPN and OSQ if you have them.
    label : {"osteoporosis", "low_bone_mass"}, default="osteoporosis"
        What is positive: T <= -2.5, or T < -1.
    min_age : float, default=50
        Youngest age in years. T-scores are meant for 50 and over.
    data_home : path, default=None
        Folder that holds ``nhanes/``; None takes the environment variable ``SKOSTEO_DATA``, else
        a cache folder of the user.

    Returns
    -------
    Bunch
        data : DataFrame of shape (n, 9)
            Age, sex, body size and blood values, by the names of `make_cohort`; NaN where missing.
        target : Series of shape (n,), int
            1 where the label holds; named after its meaning.
        groups : Series of shape (n,), int
            The person (SEQN); one row each.
        frame : DataFrame of shape (n, 24)
            ``data`` with ``seqn``, ``cycle``, ``bmd_g_cm2``, ``t_score``, the survey's design,
            ``race``, ``spine_bmd_g_cm2``, ``fasting_glucose_mmol_l`` and self-report.
        feature_names : list of str
            Columns of ``data``.
        DESCR : str
            Source, units and what to beware of.

    Raises
    ------
    DatasetError
        A file that is needed is missing, or a file is damaged or not the published one. A density
        file with another checksum than the known copy gives a warning.

    References
    ----------
    Looker et al. 1998, doi:10.1007/s001980050093

    Examples
    --------
    >>> cohort = fetch_nhanes(["2013-2014"])  # doctest: +SKIP
    >>> cohort.data.shape, cohort.target.sum()  # doctest: +SKIP
    ((2230, 9), 155)
    """
    chosen = [cycles] if isinstance(cycles, str) else list(cycles)
    _check_cycles(chosen)
    check_kind(label)
    folder = find_home(data_home) / "nhanes"
    tables = []
    for cycle in chosen:  # no comprehension, which warnings would count as a caller
        tables.append(read_cycle(folder, cycle))
    people = pd.concat(tables, ignore_index=True)
    people = people[people["bmd_g_cm2"].notna() & (people["age"] >= min_age)]
    people = people.assign(t_score=t_score(people["bmd_g_cm2"]))
    people = people.astype({"survey_stratum": int, "survey_unit": int})
    first = ["seqn", "cycle", *DATA, "bmd_g_cm2", "t_score"]
    frame = people[first + [name for name in people if name not in first]].reset_index(drop=True)
    return Bunch(
        data=frame[DATA].copy(),
        target=label_of(frame["t_score"], label),
        groups=frame["seqn"],
        frame=frame,
        feature_names=list(DATA),
        DESCR=DESCR,
    )


def _check_cycles(cycles: list[str]) -> None:
    strange = [cycle for cycle in cycles if cycle not in CYCLES]
    if strange or not cycles or len(set(cycles)) < len(cycles):
        hint = guess(strange[0], CYCLES) if strange else "."
        raise InputError(
            f"cycles is {cycles!r}{hint} It takes each of {', '.join(map(repr, CYCLES))} at most "
            "once. The others did not measure the hip."
        )
    if {"2017-2018", "2017-2020"} <= set(cycles):
        raise InputError(
            "cycles has '2017-2018' and '2017-2020', which has the people of 2017-2018 again under "
            "new numbers: they would be on both sides of a split. Take one of the two."
        )
