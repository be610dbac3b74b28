"""Real chest X-rays with clinical values: the COVID-19 Image Repository of Hannover."""

import os

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skosteo.datasets._home import find_home, obtain, read_checksums

FOLDER = "hannover_cxr"
PAGE = "https://github.com/ml-workgroup/covid-19-image-repository"
# The commit that the checksums belong to; a download of any other version fails them.
URL = "https://raw.githubusercontent.com/ml-workgroup/covid-19-image-repository/ad7ab09/"

# Published name of each laboratory value -> name here, with the unit from the readme. What the
# table calls factor XII is factor XIII in the readme's list of features.
LABS = {
    "ldh": "ldh_u_l", "crp": "crp_mg_l", "d-dimer": "d_dimer_mg_l",
    "factor_xii": "factor_xiii_percent", "neutrophils": "neutrophils_10e9_l",
    "lymphocytes": "lymphocytes_10e9_l", "po2": "po2_mmhg", "pco2": "pco2_mmhg",
}  # fmt: skip
# The table has -inf and inf beyond detection limits that it does not state. Constants, so that no
# row's value depends on the rows beside it: nothing lies below 0, and of the laboratory values only
# D-dimer has inf; in its place stands the next whole number above the largest printed, 33.5.
BELOW_LIMIT, D_DIMER_ABOVE_LIMIT = 0.0, 34.0

DESCR = """COVID-19 Image Repository, Hannover Medical School: chest X-rays and clinical values
===================================================================================

243 chest X-rays (8-bit PNG) of 71 patients with COVID-19, 3.4 images a patient, with sex and
laboratory values. Target: intensive-care (ICU) stay, a property of the patient: 29 of 71.

Source: Institute for Diagnostic and Interventional Radiology, Hannover Medical School, Germany;
https://github.com/ml-workgroup/covid-19-image-repository at commit ad7ab09.
Licence: Creative Commons Attribution 3.0 Unported (CC BY 3.0). Any publication must attribute
the authors: Winther HB et al., COVID-19 Image Repository, doi:10.6084/m9.figshare.12275009.

Read before use
---------------
* This is not osteoporosis. The set shows that code runs on real films, not how well it screens.
* ICU stay is confounded with the projection: 179 of 194 AP films (taken lying, at the bedside) but
  7 of 49 PA films (taken standing) are of ICU patients, so a model that reads nothing but the
  projection scores high. Projection and modality are therefore in ``frame`` and not in ``data``.
* Films were also taken during and after the stay: the target is no forecast.
* Split by patient (``groups``), never by image. Some films are repeats of the same day.
* Age, height and weight are redacted by the publisher.
* Offsets are days relative to the film, positive after it; admission offsets are noisy (the
  publisher's FAQ). Laboratory values are given in steps, to protect identity.
* ``data`` holds only what was known at imaging: a laboratory value with a positive offset, measured
  after the film, is missing there. ``frame`` keeps it.
* Beyond a detection limit ``frame`` has -inf or inf as published; ``data`` has 0 for -inf and, for
  D-dimer, 34 mg/L (just above the largest printed value, 33.5) for inf.
"""


def fetch_hannover_cxr(data_home: str | os.PathLike[str] | None = None) -> Bunch:
    """Load the Hannover chest X-rays, downloading them (51 MB) when they are not on disk.

    Parameters
    ----------
    data_home : path, default=None
        Folder that holds ``hannover_cxr/``; None takes the environment variable
        ``SKOSTEO_DATA``, else a cache folder of the user.

    Returns
    -------
    Bunch
        data : DataFrame of shape (243, 10)
            ``image`` (path), ``sex`` ("F", "M") and 8 laboratory values with their unit in the
            name, missing where not measured by the time of the film.
        target : Series of shape (243,), int
            1 where the patient had an intensive-care stay.
        groups : Series of shape (243,)
            Patient of each image; split by it.
        frame : DataFrame of shape (243, 29)
            The table as published, with ``image`` added.
        feature_names : list of str
            Columns of ``data``.
        DESCR : str
            Source, licence, how to cite, and what to beware of.

    Notes
    -----
    Not osteoporosis, and confounded with the projection: read ``DESCR`` before showing a score.
    Every file is checked against its SHA-256. The licence, CC BY 3.0, asks for attribution.

    References
    ----------
    Winther et al. 2020, doi:10.6084/m9.figshare.12275009

    Examples
    --------
    >>> cohort = fetch_hannover_cxr()  # doctest: +SKIP
    >>> cohort.data.shape, cohort.groups.nunique()  # doctest: +SKIP
    ((243, 10), 71)
    """
    folder = find_home(data_home) / FOLDER
    checksums = read_checksums("hannover_sha256.txt")
    obtain(folder, checksums, {name: URL + name for name in checksums}, page=PAGE)
    frame = pd.read_csv(folder / "data.csv", dtype={"patient_id": str, "image_id": str})
    frame["image"] = [str(folder / "png" / f"{name}.png") for name in frame["image_id"]]
    data = frame[["image"]].assign(sex=frame["sex"].map({"f": "F", "m": "M"}))
    for published, name in LABS.items():
        value = frame[f"{published}_val"].replace(-np.inf, BELOW_LIMIT)
        if published == "d-dimer":
            value = value.replace(np.inf, D_DIMER_ABOVE_LIMIT)
        data[name] = value.where(frame[f"{published}_offset"] <= 0)  # known at imaging
    stay = frame["icu_admission_offset"].notna().groupby(frame["patient_id"]).transform("any")
    return Bunch(
        data=data,
        target=stay.astype(int).rename("icu_stay"),
        groups=frame["patient_id"],
        frame=frame,
        feature_names=list(data),
        DESCR=DESCR,
    )
