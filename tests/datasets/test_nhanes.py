"""NHANES: planted tables for the rules, the real files for the counts and a known score."""

import hashlib
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

from skosteo.datasets import fetch_nhanes, nhanes_files
from skosteo.exceptions import DatasetError, InputError

needs_data = pytest.mark.skipif(
    not os.environ.get("SKOSTEO_DATA"), reason="SKOSTEO_DATA names no folder with the real data"
)
TINY = 5.397605346934028e-79  # how the transport format writes 0
SEQN = {"SEQN": [1.0, 2.0, 3.0, 4.0]}


def tables():
    """Four people in the agency's columns."""
    nothing = [np.nan] * 4
    return {
        "DEMO": {
            "RIDAGEYR": [70.0, 80.0, 49.0, 50.0],
            "RIAGENDR": [1.0, 2.0, 2.0, 2.0],
            "RIDRETH1": [4.0, 5.0, 3.0, 3.0],
            "RIDRETH3": [4.0, 6.0, 3.0, 3.0],
            "WTMEC2YR": [100.0, TINY, 3.0, 4.0],
            "SDMVSTRA": 104.0,
            "SDMVPSU": [1.0, 2.0, 1.0, 2.0],
        },
        "BMX": {"BMXHT": 170.0, "BMXWT": 70.0, "BMXBMI": 24.2},
        "CBC": {"LBXWBCSI": [400.0, 6, 6, 6], "LBXPLTSI": 250.0},
        # no blood from the last person
        "BIOPRO": {"SEQN": [1.0, 2, 3], "LBXSCA": [9.2, 10, 9], "LBXSGL": 90.08},
        "DXXFEM": {"DXXNKBMD": [0.558, 0.738, 0.4, np.nan]},
        "DXXSPN": {"DXXOSBMD": [0.9, np.nan, 1.0, 1.0]},
        "GLU": {"SEQN": [2.0], "LBXGLU": [90.08]},
        "OSQ": {
            "OSQ060": [1.0, 9.0, 2.0, 2.0],
            "OSQ130": [2.0, 1.0, 2.0, 2.0],
            "OSQ010A": [1.0, 2.0, 2.0, 2.0],
            "OSQ010B": [1.0, 9.0, 2.0, 2.0],
            "OSQ010C": [2.0, 2.0, 2.0, 2.0],
            "OSD030AA": [40.0, *nothing[1:]],
            "OSD030AB": [46.0, *nothing[1:]],
            "OSD030BA": [12.0, *nothing[1:]],
            "OSQ040BA": [1.0, *nothing[1:]],
        },
    }


class Agency:
    """A data home whose transport files are planted tables; no test goes online."""

    def __init__(self, home, monkeypatch):
        self.home, self.content, self.sums, self.asked = home, {}, {}, []

        def read_sas(path, format):
            return self.content[Path(path).read_text()].copy()

        def retrieve(url, *args, **kwargs):
            self.asked.append(url)
            raise ConnectionError

        monkeypatch.setattr(nhanes_files, "read_checksums", lambda _: self.sums)
        monkeypatch.setattr(pd, "read_sas", read_sas)
        monkeypatch.setattr("pooch.retrieve", retrieve)

    def path(self, file):
        return self.home / "nhanes" / file

    def write(self, file, table, known=True):
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
        self.content[file] = pd.DataFrame({**SEQN, **table} if isinstance(table, dict) else table)
        if known:
            self.sums[file] = hashlib.sha256(file.encode()).hexdigest()

    def fetch(self, cycles="2013-2014", **options):
        return fetch_nhanes(cycles, data_home=self.home, **options)


@pytest.fixture
def agency(tmp_path, monkeypatch):
    """One cycle, complete, of known checksums."""
    made = Agency(tmp_path, monkeypatch)
    for name, table in tables().items():
        made.write(f"2013-2014/{name}_H.XPT", table)
    return made


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


@pytest.mark.parametrize(
    ("age", "half", "after_45"),
    [
        (45, 1, 0),
        (46, 1, 1),
        (80, 2, 1),
        (99999, 2, 1),
        (99999, 1, np.nan),
        (np.nan, np.nan, np.nan),
    ],
)
def test_a_fracture_after_45(agency, age, half, after_45):
    table = tables()["OSQ"] | {"OSD030CA": [age] * 4, "OSQ040CA": [half] * 4, "OSQ010C": [1.0] * 4}
    agency.write("2013-2014/OSQ_H.XPT", table)
    told = agency.fetch().frame["spine_fracture_after_45"].tolist()
    np.testing.assert_equal(told, [after_45, after_45])


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


def test_files_in_lower_case_are_found(agency):
    for path in agency.path("2013-2014").iterdir():
        path.rename(path.with_name(path.name.lower()))
    cohort = agency.fetch()
    assert len(cohort.data) == 2
    assert not agency.asked


def test_a_cycle_of_the_users_own_joins_without_known_checksums(agency):
    """An older cycle: other names, no RIDRETH3, columns in lower case."""
    older = tables()
    del older["DEMO"]["RIDRETH3"]
    older["OSQ"] = {name.lower(): values for name, values in older["OSQ"].items()}
    for name, table in older.items():
        agency.write(f"2005-2006/{name}_D.XPT", table, known=False)
    cohort = agency.fetch("2005-2006")
    assert cohort.frame["race"].tolist() == ["non-Hispanic black", "other or multiracial"]
    assert cohort.frame["told_osteoporosis"].iloc[0] == 1
    assert not agency.asked


@pytest.mark.parametrize(
    ("component", "gone"),
    [
        ("GLU", ["fasting_glucose_mmol_l"]),
        ("DXXSPN", ["spine_bmd_g_cm2"]),
        ("OSQ", ["told_osteoporosis", "steroids_daily", "spine_fracture_after_45"]),
    ],
)
def test_a_missing_file_of_frame_only_leaves_its_columns_empty(agency, component, gone):
    whole = agency.fetch()
    agency.path(f"2013-2014/{component}_H.XPT").unlink()
    del agency.sums[f"2013-2014/{component}_H.XPT"]
    cohort = agency.fetch()
    assert list(cohort.frame) == list(whole.frame)
    assert cohort.frame[gone].isna().all(axis=None)
    pd.testing.assert_frame_equal(cohort.data, whole.data)
    assert not agency.asked


def test_two_cycles_are_joined(agency):
    for name, table in tables().items():
        table["SEQN"] = [n + 10 for n in table.get("SEQN", SEQN["SEQN"])]
        agency.write(f"2007-2008/{name}_E.XPT", table, known=False)
    cohort = agency.fetch(["2013-2014", "2007-2008"])
    assert cohort.groups.tolist() == [1, 2, 11, 12]
    assert cohort.frame["cycle"].tolist() == ["2013-2014"] * 2 + ["2007-2008"] * 2
    assert not agency.asked


@pytest.mark.parametrize(
    ("component", "says"),
    [
        ("DEMO", "age, sex"),
        ("DXXFEM", "measured"),
        ("BMX", "height_cm, weight_kg, bmi"),
        ("CBC", "wbc_10e9_l, platelets_10e9_l"),
        ("BIOPRO", "calcium_mmol_l, glucose_mmol_l"),
    ],
)
def test_a_required_file_that_is_missing_is_an_error(agency, component, says):
    for name, table in tables().items():
        if name != component:
            agency.write(f"2009-2010/{name}_F.XPT", table, known=False)
    with pytest.raises(DatasetError, match=f"no {component}_F.XPT.*{says}"):
        agency.fetch("2009-2010")
    assert not agency.asked


def test_2017_2020_without_density_says_that_self_report_is_no_label(agency):
    agency.write("2017-2020/P_OSQ.XPT", tables()["OSQ"])
    agency.sums["2017-2020/P_DEMO.XPT"] = "0" * 64
    with pytest.raises(DatasetError, match=r"P_DXXFEM.XPT.*not what people were told \(OSQ\)"):
        agency.fetch("2017-2020")
    assert not agency.asked  # not even for the demographics


def test_2017_2020_with_density_has_its_own_names_and_weights(agency):
    table = tables()
    table["DEMO"]["WTMECPRP"] = table["DEMO"].pop("WTMEC2YR")
    for name in table:
        agency.write(f"2017-2020/P_{name}.XPT", table[name], known=False)
    assert agency.fetch("2017-2020").frame["survey_weight"].tolist() == [100, 0]
    with pytest.raises(InputError, match="both sides"):
        agency.fetch(["2017-2018", "2017-2020"])


@pytest.mark.parametrize("name", ["DXXFEM", "CBC", "OSQ"])
def test_offline_a_known_file_that_is_missing_is_an_error(agency, name):
    agency.path(f"2013-2014/{name}_H.XPT").unlink()
    with pytest.raises(DatasetError, match=rf"download of 2013-2014/{name}_H\.XPT failed"):
        agency.fetch()
    folder = "https://wwwn.cdc.gov/Nchs/Data/Nhanes/Public/2013/DataFiles"
    assert agency.asked == [f"{folder}/{name}_H.xpt"]


def test_another_copy_of_the_density_passes_with_a_warning(agency):
    path = agency.path("2013-2014/DXXFEM_H.XPT")
    path.write_text("the agency's own")
    agency.content["the agency's own"] = agency.content["2013-2014/DXXFEM_H.XPT"]
    with pytest.warns(UserWarning, match=r"DXXFEM_H.XPT: another checksum") as caught:
        cohort = agency.fetch()
    assert caught[0].filename == __file__
    assert cohort.groups.tolist() == [1, 2]
    agency.content["the agency's own"] = pd.DataFrame(SEQN)
    with (
        pytest.warns(UserWarning, match="another checksum"),
        pytest.raises(DatasetError, match="has no column DXXNKBMD"),
    ):
        agency.fetch()


@pytest.mark.parametrize("name", ["CBC", "OSQ"])
def test_another_copy_of_any_other_known_file_is_refused(agency, name):
    agency.path(f"2013-2014/{name}_H.XPT").write_text("other")
    with pytest.raises(DatasetError, match=rf"{name}_H\.XPT.* is not the published file"):
        agency.fetch()


@pytest.mark.parametrize("name", ["DEMO", "BMX", "DXXFEM", "OSQ"])
def test_a_person_twice_in_a_component_is_an_error(agency, name):
    file = f"2013-2014/{name}_H.XPT"
    table = agency.content[file]
    agency.content[file] = pd.concat([table, table.iloc[[0]]])
    with pytest.raises(DatasetError, match=rf"{name}_H.XPT repeats a person .* in 1 of 5 rows"):
        agency.fetch()


def test_people_of_another_cycle_are_an_error(agency):
    table = {"SEQN": [1.0, 7.0, 8.0], "LBXWBCSI": 6.0, "LBXPLTSI": 250.0}
    agency.write("2013-2014/CBC_H.XPT", table)
    with pytest.raises(DatasetError, match=r"CBC_H.XPT has 2 of 3 people .* another cycle"):
        agency.fetch()


def test_a_web_page_under_the_name_of_a_file_is_an_error(tmp_path):
    folder = tmp_path / "nhanes" / "2005-2006"
    folder.mkdir(parents=True)
    for name in ("DEMO", "DXXFEM", "BMX", "CBC", "BIOPRO"):
        (folder / f"{name}_D.XPT").write_text("<html>Page not found</html>" * 100)
    with pytest.raises(DatasetError, match=r"DEMO_D.XPT is not a SAS transport file"):
        fetch_nhanes("2005-2006", data_home=tmp_path)


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
