"""Hannover films: planted tables for the rules, the real set for the counts."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest

from skosteo.datasets import fetch_hannover_cxr, hannover

needs_data = pytest.mark.skipif(
    not os.environ.get("SKOSTEO_DATA"), reason="SKOSTEO_DATA names no folder with the real data"
)

LABS = ("crp", "d-dimer", "factor_xii", "ldh", "lymphocytes", "neutrophils", "pco2", "po2")


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Three films of two patients; writes the table given as changes and fetches it."""
    folder = tmp_path / "hannover_cxr"
    (folder / "png").mkdir(parents=True)
    table = pd.DataFrame(
        {
            "patient_id": ["00012345", "00012345", "b"],  # leading zeros are part of an id
            "image_id": ["x1", "x2", "x3"],
            "sex": ["f", "f", "m"],
            "icu_admission_offset": [np.nan, 3.0, np.nan],
            "modality": "CR",
            "projection": "ap",
        }
    )
    for lab in LABS:
        table[f"{lab}_offset"], table[f"{lab}_val"] = 0.0, 1.0
    for name in table["image_id"]:
        (folder / "png" / f"{name}.png").write_bytes(name.encode())

    def fetch(**changes):
        table.assign(**changes).to_csv(folder / "data.csv", index=False)
        files = [p for p in folder.rglob("*") if p.is_file()]
        sums = {
            str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
        }
        monkeypatch.setattr(hannover, "read_checksums", lambda _: sums)
        return fetch_hannover_cxr(tmp_path)

    return fetch


def test_icu_stay_belongs_to_the_patient(planted):
    cohort = planted()
    assert cohort.target.tolist() == [1, 1, 0]
    assert cohort.groups.tolist() == ["00012345", "00012345", "b"]
    assert cohort.data["sex"].tolist() == ["F", "F", "M"]


def test_values_measured_after_the_film_are_unknown_at_imaging(planted):
    cohort = planted(ldh_offset=[-2, 0, 1], ldh_val=[210, 220, 230])
    assert cohort.data["ldh_u_l"].tolist()[:2] == [210, 220]
    assert np.isnan(cohort.data["ldh_u_l"][2])
    assert cohort.frame["ldh_val"].tolist() == [210, 220, 230]


def test_detection_limits_become_constants_in_data_only(planted):
    cohort = planted(**{"d-dimer_val": [-np.inf, np.inf, 2.0], "crp_val": [-np.inf, 7.0, np.nan]})
    assert cohort.data["d_dimer_mg_l"].tolist() == [0, 34, 2]
    assert cohort.data["crp_mg_l"].tolist()[:2] == [0, 7]
    assert np.isnan(cohort.data["crp_mg_l"][2])
    assert cohort.frame["d-dimer_val"].tolist() == [-np.inf, np.inf, 2]


def test_factor_xiii_is_named_so(planted):
    cohort = planted(factor_xii_val=[70.0, 80.0, 90.0])
    assert cohort.data["factor_xiii_percent"].tolist() == [70, 80, 90]


def test_nothing_that_gives_the_answer_away_is_in_data(planted):
    cohort = planted()
    assert set(cohort.data) == {"image", "sex", *hannover.LABS.values()}
    assert list(cohort.data) == cohort.feature_names
    assert {"projection", "modality", "icu_admission_offset"} <= set(cohort.frame)


@needs_data
def test_real_counts():
    cohort = fetch_hannover_cxr()
    assert cohort.data.shape == (243, 10)
    assert cohort.groups.nunique() == 71
    assert cohort.target.groupby(cohort.groups).nunique().eq(1).all()
    assert cohort.target.groupby(cohort.groups).first().sum() == 29
    assert not np.isinf(cohort.data.select_dtypes("number")).to_numpy().any()
    assert all(os.path.isfile(path) for path in cohort.data["image"])
    # the readme's reference intervals fit the units in the names
    low, high = cohort.data["neutrophils_10e9_l"].quantile([0.1, 0.9])
    assert 1.5 < low < high < 15


@needs_data
def test_confounding_is_as_described():
    cohort = fetch_hannover_cxr()
    by = cohort.target.groupby(cohort.frame["projection"]).agg(["sum", "size"])
    assert by.loc["ap"].tolist() == [179, 194]
    assert by.loc["pa"].tolist() == [7, 49]
    for part in ("179 of 194", "7 of 49", "29 of 71", "CC BY 3.0", "10.6084/m9.figshare.12275009"):
        assert part in cohort.DESCR
