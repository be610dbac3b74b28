"""Tables of the report: the study's figures, as a reader sees them."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skosteo.study.report import tables
from skosteo.study.report.abstract import abstract
from tests.study.report.pages import changed


def test_discrimination_names_the_primary_model_first_and_tests_the_prespecified_ones(of_films):
    study = of_films.study
    table = tables.discrimination(study)
    assert list(table.index) == [study.titles[name] for name in study.family]
    assert table["difference in AUC"].iloc[0] == "primary model"
    assert table["difference in AUC"].iloc[1:].str.contains(r"P [=<] ").all()


def test_a_difference_is_of_the_primary_model_less_the_other_everywhere(of_films):
    study = of_films.study
    rows, title = study.assessed(), study.titles[study.comparator]
    folds = [rows.fold == fold for fold in np.unique(rows.fold)]
    areas = [
        np.mean([roc_auc_score(rows.y[here], rows.risk[name][here]) for here in folds])
        for name in study.family[:2]
    ]
    text = tables.discrimination(study).loc[title, "difference in AUC"]
    assert f"Difference {text} by Holm" in dict(abstract(study))["Discrimination"]
    number = float(text.split(" [")[0].replace("\N{MINUS SIGN}", "-"))
    assert number == pytest.approx(areas[0] - areas[1], abs=0.0006)
    assert number != 0


def test_no_limit_of_a_difference_is_beyond_1():
    row = {"difference": -0.1, "low": -1.27, "high": 1.01}
    assert tables.from_other(row) == (0.1, -1, 1)


def test_other_models_are_exploratory(of_values):
    table = tables.discrimination(of_values.study)
    for title in ("Logistic: all clinical columns", "hunch"):
        assert table.loc[title, "difference in AUC"] == "exploratory"


def test_the_no_information_rate_is_that_of_the_more_frequent_answer(of_values):
    assert tables.no_information_rate(of_values.study) == ".667"


def test_missing_values_are_a_column_of_table_1(of_values):
    study = of_values.study
    X = study.design.X.copy()
    X.loc[:29, "bmi"] = np.nan
    other = changed(study, fields={"design": replace(study.design, X=X)})
    table = tables.characteristics(other)
    assert "missing" not in table.index.get_level_values(1)
    [bmi] = [row for row in table.index if row[0].startswith("BMI")]
    assert table.loc[bmi, "missing"].startswith("30")
    assert {"female", "male"} <= set(table.index.get_level_values(1))
    assert tables.nearly_empty(other) == []
    X.loc[:49, "bmi"] = np.nan
    other = changed(study, fields={"design": replace(study.design, X=X)})
    [said] = tables.nearly_empty(other)
    assert said.startswith("BMI")
    assert "(33 %)" in said


def test_calibration_before_and_after(of_values):
    study = of_values.study
    table = tables.calibration(study)
    rows = study.assessed()
    for name, frame in (("as fitted", rows.probability), ("recalibrated", rows.risk)):
        mean = f"{frame[study.primary].mean():.3f}".removeprefix("0")
        assert table.loc[name, "mean risk"] == mean
        ratio = rows.y.mean() / frame[study.primary].mean()
        assert table.loc[name, "observed / expected"].startswith(f"{ratio:.2f} [")


def test_a_thousand_people_add_up(of_values):
    table = tables.per_thousand(of_values.study)
    assert (table["cases found"] + table["cases missed"] - 100).abs().max() <= 1  # prevalence .1
    assert table.loc["Refer everyone", "referred"] == 1000


def test_levels_with_too_few_patients_are_a_sentence(of_values):
    study = of_values.study
    shown = set(tables.subgroups(study).index.get_level_values("level"))
    assert {"female", "male"} <= shown
    assert re.fullmatch(r"Age, years \(\d\)", tables.levels_suppressed(study))
    none = changed(study, fields={"groupings": study.groupings[[]]})
    assert tables.levels_shown(none).empty
    assert tables.levels_suppressed(none) == ""


def test_differences_of_subgroups_are_from_the_level_with_most_patients(of_values):
    table = tables.subgroups(of_values.study)
    assert table.loc[("Sex", "female"), "difference in sensitivity"] == "reference"
    figures = of_values.study.subgroups().frame().query("metric == 'sensitivity'")
    by = figures.set_index("level")["estimate"]
    said = table.loc[("Sex", "male"), "difference in sensitivity"]
    difference = f"{by['M'] - by['F']:+.3f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}")
    assert said.startswith(difference)


@pytest.mark.parametrize("name", ["operating_points", "further_measures", "stability",
                                  "fold_scores", "per_thousand", "calibration"])  # fmt: skip
def test_numbers_have_one_format(name, of_values):
    """No proportion with a leading 0, no hyphen for a minus."""
    table = getattr(tables, name)(of_values.study)
    for column in table:
        free = re.search("slope|intercept|expected|second|referrals", str(column))
        for cell in table[column].astype(str):
            assert "-" not in cell
            assert free or not re.search(r"(?<!\d)0\.\d", cell), (column, cell)


def test_tables_of_the_paper_that_compare_something(of_values, of_films):
    assert tables.tables_of_the_paper(of_values.study) == []  # nothing published beside
    assert [number for number, _ in tables.tables_of_the_paper(of_films.study)] == [2, 3]


def test_patients_as_the_unit_are_shown_where_they_have_several_films(of_values):
    study = of_values.study
    assert not study.has_several_films  # so the annex has no such part
    table = tables.by_patient(study)
    # of one row each, both ways say the same
    assert table["each row"].tolist() == table["one risk per patient"].tolist()
