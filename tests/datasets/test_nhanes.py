"""NHANES: planted tables for the rules, the real files for the counts and a known score."""

import os
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

from skosteo.datasets import fetch_nhanes
from skosteo.exceptions import InputError
from tests.datasets.agency import SEQN, tables

needs_data = pytest.mark.skipif(
    not os.environ.get("SKOSTEO_DATA"), reason="SKOSTEO_DATA names no folder with the real data"
)


def test_units_codes_and_rows(agency):
    cohort = agency.fetch()
    assert cohort.groups.tolist() == [1, 2]  # 49 years old; no density
    assert cohort.data["sex"].tolist() == ["M", "F"]
    assert cohort.data["calcium_mmol_l"].tolist() == pytest.approx([2.2954, 2.495])
    assert cohort.data["glucose_mmol_l"].tolist() == pytest.approx([5.0, 5.0])
    assert cohort.data["wbc_10e9_l"].tolist() == [400, 6]
    assert cohort.frame["survey_weight"].tolist() == [100, 0]
    assert cohort.frame["race"].tolist() == ["non-Hispanic black", "non-Hispanic Asian"]
    assert cohort.frame["spine_bmd_g_cm2"].tolist() == pytest.approx([0.9, np.nan], nan_ok=True)
    assert cohort.frame["fasting_glucose_mmol_l"].iloc[1] == pytest.approx(5.0)
    assert cohort.feature_names == list(cohort.data)
    assert not agency.asked


def test_self_report_stays_out_of_data(agency):
    cohort = agency.fetch(min_age=0)
    frame = cohort.frame
    told = ["told_osteoporosis", "steroids_daily", "hip_fracture_after_45"]
    told += ["wrist_fracture_after_45", "spine_fracture_after_45"]
    answers = frame[told].iloc[:2].to_numpy().tolist()
    # an unknown answer is missing; a hip at 40 and at 46; a wrist at 12, and one unknown
    assert answers[0] == [1, 0, 1, 0, 0]
    np.testing.assert_equal(answers[1], [np.nan, 1, 0, np.nan, 0])
    given_away = {*told, "t_score", "bmd_g_cm2", "spine_bmd_g_cm2", "race"}
    assert given_away <= set(frame)
    assert given_away.isdisjoint(cohort.data)


def test_a_score_on_the_limit_is_osteoporosis_and_no_low_bone_mass(agency):
    """.558 and .738 g/cm2 are T = -2.5 and -1: at or below the one, not below the other."""
    cohort = agency.fetch()
    assert cohort.frame["t_score"].tolist() == [-2.5, -1]
    assert cohort.target.tolist() == [1, 0]
    assert cohort.target.name == "osteoporosis (T <= -2.5)"
    low = agency.fetch(label="low_bone_mass").target
    assert low.tolist() == [1, 0]
    assert low.name == "low bone mass (T < -1)"
    with pytest.raises(InputError, match="low_bone_mass"):
        agency.fetch(label="osteopenia")


def test_the_youngest_age_is_the_callers(agency):
    assert agency.fetch(min_age=40).groups.tolist() == [1, 2, 3]


def test_two_cycles_are_joined(agency):
    for name, table in tables().items():
        table["SEQN"] = [n + 10 for n in table.get("SEQN", SEQN["SEQN"])]
        agency.write(f"2007-2008/{name}_E.XPT", table, known=False)
    cohort = agency.fetch(["2013-2014", "2007-2008"])
    assert cohort.groups.tolist() == [1, 2, 11, 12]
    assert cohort.frame["cycle"].tolist() == ["2013-2014"] * 2 + ["2007-2008"] * 2
    assert not agency.asked


def test_2017_2020_with_density_has_its_own_names_and_weights(agency):
    table = tables()
    table["DEMO"]["WTMECPRP"] = table["DEMO"].pop("WTMEC2YR")
    for name in table:
        agency.write(f"2017-2020/P_{name}.XPT", table[name], known=False)
    assert agency.fetch("2017-2020").frame["survey_weight"].tolist() == [100, 0]
    with pytest.raises(InputError, match="both sides"):
        agency.fetch(["2017-2018", "2017-2020"])


@pytest.mark.parametrize("cycles", [["2011-2012"], [], "2015-2016", ["2013-2014"] * 2])
def test_cycles_without_density_are_refused(cycles):
    with pytest.raises(InputError, match=r"'2005-2006', .*did not measure the hip"):
        fetch_nhanes(cycles)


def test_a_slip_in_a_cycle_is_guessed():
    with pytest.raises(InputError, match="did you mean '2013-2014'"):
        fetch_nhanes("2013-14")


@needs_data
def test_real_counts():
    cohort = fetch_nhanes()
    cycle = cohort.frame["cycle"]
    assert cycle.value_counts().to_dict() == {"2013-2014": 2230, "2017-2018": 2286}
    # whole thousandths of a g/cm2, counted without a T-score: T <= -2.5 and T < -1
    thousandths = (cohort.frame["bmd_g_cm2"] * 1000).round().astype(int)
    low = fetch_nhanes(label="low_bone_mass").target
    for target, counted in ((cohort.target, thousandths <= 558), (low, thousandths < 738)):
        assert target.astype(bool).equals(counted)
    assert cohort.target.groupby(cycle).sum().tolist() == [155, 155]
    assert low.groupby(cycle).sum().tolist() == [1078, 1083]
    assert cohort.groups.is_unique


@needs_data
def test_real_fractures_agree_with_the_agency_coding():
    """Whoever broke a hip at 50 or over by the agency's own recoding, broke it after 45."""
    cohort = fetch_nhanes("2013-2014", min_age=0)
    path = Path(os.environ["SKOSTEO_DATA"], "nhanes", "2013-2014", "OSQ_H.XPT")
    agency = pd.read_sas(path, format="xport").set_index("SEQN").reindex(cohort.groups)
    for site, bone in (("A", "hip"), ("B", "wrist"), ("C", "spine")):
        told = cohort.frame[f"{bone}_fracture_after_45"].to_numpy()
        assert (told[(agency[f"OSQ040{site}A"] == 2).to_numpy()] == 1).all()
        assert (told[(agency[f"OSQ010{site}"] == 2).to_numpy()] == 0).all()
        assert (told[(agency[f"OSD030{site}A"].between(46, 49)).to_numpy()] == 1).all()


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
    """That analysis left the people of exactly .558 g/cm2 out of the positive ones."""
    cohort = fetch_nhanes()
    target = (cohort.frame["bmd_g_cm2"] < 0.5575).astype(int)
    columns = make_column_transformer(
        (OneHotEncoder(drop="if_binary"), ["sex"]),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["age", "bmi"]),
    )
    model = make_pipeline(columns, LogisticRegression(C=1e6))
    fitted = cohort.frame["cycle"] == train
    model.fit(cohort.data[fitted], target[fitted])
    p = model.predict_proba(cohort.data[~fitted])[:, 1]
    assert roc_auc_score(target[~fitted], p) == pytest.approx(auc, abs=0.001)


@needs_data
def test_the_hospital_pc_has_no_internet(monkeypatch):
    monkeypatch.setattr("pooch.retrieve", lambda *args, **kwargs: pytest.fail("goes online"))
    frame = fetch_nhanes().frame
    assert frame.shape == (4516, 24)
    lacks = frame.groupby("cycle")[["fasting_glucose_mmol_l", "told_osteoporosis"]].count() == 0
    assert lacks.to_numpy().tolist() == [[True, False], [False, True]]
