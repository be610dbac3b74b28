"""Component files of a cycle: found, checked, read and joined, from planted tables."""

import numpy as np
import pandas as pd
import pytest

from skosteo.datasets import fetch_nhanes
from skosteo.exceptions import DatasetError
from tests.datasets.agency import SEQN, tables


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
        cohort = fetch_nhanes("2013-2014", data_home=agency.home)
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
