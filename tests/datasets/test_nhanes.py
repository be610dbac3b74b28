"""NHANES: planted tables for the rules, the real files for the counts and a known score."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skosteo.datasets import fetch_nhanes, nhanes
from skosteo.exceptions import DatasetError, InputError

needs_data = pytest.mark.skipif(
    not os.environ.get("SKOSTEO_DATA"), reason="SKOSTEO_DATA names no folder with the real data"
)
TINY = 5.397605346934028e-79  # how the transport format writes 0


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """One cycle of four people, as tables instead of transport files."""
    seqn = {"SEQN": [1.0, 2.0, 3.0, 4.0]}
    tables = {
        "DEMO": pd.DataFrame(
            {
                **seqn,
                "RIDAGEYR": [70.0, 80.0, 49.0, 50.0],
                "RIAGENDR": [1.0, 2.0, 2.0, 2.0],
                "WTMEC2YR": [100.0, TINY, 3.0, 4.0],
                "SDMVSTRA": 104.0,
                "SDMVPSU": [1.0, 2.0, 1.0, 2.0],
            }
        ),
        "BMX": pd.DataFrame({**seqn, "BMXHT": 170.0, "BMXWT": 70.0, "BMXBMI": 24.2}),
        "CBC": pd.DataFrame({**seqn, "LBXWBCSI": [400.0, 6, 6, 6], "LBXPLTSI": 250.0}),
        # no blood from the last person
        "BIOPRO": pd.DataFrame({"SEQN": [1.0, 2, 3], "LBXSCA": [9.2, 10, 9], "LBXSGL": 90.08}),
        "DXXFEM": pd.DataFrame({**seqn, "DXXNKBMD": [0.5, 0.858, 0.4, np.nan]}),
    }
    folder = tmp_path / "nhanes" / "2013-2014"
    folder.mkdir(parents=True)
    sums = {}
    for name in tables:
        (folder / f"{name}_H.XPT").write_bytes(name.encode())
        sums[f"2013-2014/{name}_H.XPT"] = hashlib.sha256(name.encode()).hexdigest()

    def read_sas(path, format):
        return tables[Path(path).stem[:-2]].copy()

    monkeypatch.setattr(nhanes, "read_checksums", lambda _: sums)
    monkeypatch.setattr(pd, "read_sas", read_sas)
    return tmp_path, tables


def test_units_codes_and_rows(planted):
    home, _ = planted
    cohort = fetch_nhanes(["2013-2014"], data_home=home)
    assert cohort.groups.tolist() == [1, 2]  # 49 years old; no density
    assert cohort.data["sex"].tolist() == ["M", "F"]
    assert cohort.data["calcium_mmol_l"].tolist() == pytest.approx([2.2954, 2.495])
    assert cohort.data["glucose_mmol_l"].tolist() == pytest.approx([5.0, 5.0])
    assert cohort.data["wbc_10e9_l"].tolist() == [400, 6]
    assert cohort.frame["survey_weight"].tolist() == [100, 0]
    assert cohort.frame["t_score"].tolist() == pytest.approx([-2.98333, 0], abs=1e-5)
    assert cohort.target.tolist() == [1, 0]
    assert cohort.feature_names == list(cohort.data)


def test_threshold_and_age_are_the_callers(planted):
    home, _ = planted
    cohort = fetch_nhanes("2013-2014", threshold=0.5, min_age=40, data_home=home)
    assert cohort.groups.tolist() == [1, 2, 3]
    assert cohort.target.tolist() == [1, 1, 1]
    assert cohort.target.name == "t_score <= 0.5"


def test_another_copy_of_the_density_passes_with_a_warning(planted):
    home, tables = planted
    (home / "nhanes" / "2013-2014" / "DXXFEM_H.XPT").write_bytes(b"the agency's own")
    with pytest.warns(UserWarning, match=r"DXXFEM_H.XPT has another checksum") as caught:
        fetch_nhanes("2013-2014", data_home=home)
    assert caught[0].filename == __file__
    tables["DXXFEM"] = tables["DXXFEM"].drop(columns="DXXNKBMD")
    with pytest.raises(DatasetError, match="has no column DXXNKBMD"):
        fetch_nhanes("2013-2014", data_home=home)


def test_another_copy_of_any_other_file_is_refused(planted):
    home, _ = planted
    (home / "nhanes" / "2013-2014" / "CBC_H.XPT").write_bytes(b"other")
    with pytest.raises(DatasetError, match=r"CBC_H\.XPT"):
        fetch_nhanes("2013-2014", data_home=home)


@pytest.mark.parametrize("cycles", [["2017-2020"], [], "2015-2016", ["2013-2014"] * 2])
def test_cycles_without_density_are_refused(cycles):
    with pytest.raises(InputError, match="'2013-2014', '2017-2018'"):
        fetch_nhanes(cycles)


def test_sites_without_a_reference_are_refused():
    with pytest.raises(InputError, match="'spine'; it takes 'femoral_neck'"):
        fetch_nhanes(site="spine")


@needs_data
def test_real_counts():
    cohort = fetch_nhanes()
    cycle = cohort.frame["cycle"]
    assert cycle.value_counts().to_dict() == {"2013-2014": 2230, "2017-2018": 2286}
    assert cohort.target.groupby(cycle).sum().tolist() == [150, 153]
    assert (cohort.frame["t_score"] < -1).groupby(cycle).sum().tolist() == [1078, 1083]
    assert cohort.groups.is_unique
    at_cut = cohort.frame["bmd_g_cm2"].round(6).eq(0.558).groupby(cycle).sum()
    assert at_cut.tolist() == [5, 2]  # as DESCR says


@needs_data
def test_real_units_agree_with_the_agency_conversions():
    """BIOPRO has calcium and glucose in mmol/L too, rounded by the agency."""
    cohort = fetch_nhanes("2013-2014")
    path = Path(os.environ["SKOSTEO_DATA"], "nhanes", "2013-2014", "BIOPRO_H.XPT")
    agency = pd.read_sas(path, format="xport").set_index("SEQN").reindex(cohort.groups)
    for ours, theirs in (("calcium_mmol_l", "LBDSCASI"), ("glucose_mmol_l", "LBDSGLSI")):
        difference = (cohort.data[ours].to_numpy() - agency[theirs].to_numpy()) / agency[theirs]
        assert difference.abs().max() < 0.003


@needs_data
@pytest.mark.parametrize(("train", "auc"), [("2013-2014", 0.830), ("2017-2018", 0.803)])
def test_age_sex_and_bmi_score_as_an_independent_analysis(train, auc):
    cohort = fetch_nhanes()
    columns = make_column_transformer(
        (OneHotEncoder(drop="if_binary"), ["sex"]),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["age", "bmi"]),
    )
    model = make_pipeline(columns, LogisticRegression(C=1e6))
    fitted = cohort.frame["cycle"] == train
    model.fit(cohort.data[fitted], cohort.target[fitted])
    p = model.predict_proba(cohort.data[~fitted])[:, 1]
    assert roc_auc_score(cohort.target[~fitted], p) == pytest.approx(auc, abs=0.003)


@needs_data
def test_real_files_with_one_missing_and_no_internet(tmp_path, monkeypatch):
    source = Path(os.environ["SKOSTEO_DATA"], "nhanes", "2013-2014")
    target = tmp_path / "nhanes" / "2013-2014"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("CBC*"))

    def retrieve(url, *args, **kwargs):
        assert url == "https://wwwn.cdc.gov/Nchs/Data/Nhanes/Public/2013/DataFiles/CBC_H.xpt"
        raise ConnectionError

    monkeypatch.setattr("pooch.retrieve", retrieve)
    with pytest.raises(DatasetError, match=r"1 of 5 files.*2013-2014/CBC_H.XPT"):
        fetch_nhanes("2013-2014", data_home=tmp_path)
