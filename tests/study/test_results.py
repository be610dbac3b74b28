"""The results: tables, thresholds and comparisons, on the rows that they belong to."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import compare, evaluate
from skosteo.evaluation.calibration import at_prevalence
from skosteo.exceptions import InputError
from skosteo.study import results, run_study
from skosteo.study.inputs import RULES
from skosteo.study.report.tables import not_shown
from tests.study.cohorts import Says, patients
from tests.study.report.pages import changed, page_of


def test_table_2_is_what_evaluate_says_of_the_rows_judged(of_split):
    study, design = of_split.study, of_split.study.design
    rows = study.assessed_once()
    expected = evaluate(
        design.y[design.test], rows.risk["logistic"], groups=design.patient[design.test],
        threshold=rows.threshold["logistic"].iloc[0],
    ).table()  # fmt: skip
    title = study.titles["logistic"]
    assert study.table(2).loc[title].tolist() == expected.iloc[0].tolist()


def test_prespecified_models_have_scores_of_all_repeats_and_no_counts(of_values):
    study = of_values.study
    table, rows = study.table(2), study.assessed()
    for name in study.family:
        areas = [
            roc_auc_score(rows.y[here], rows.risk[name][here])
            for here in (rows.fold == fold for fold in range(6))
        ]
        text = table.loc[study.titles[name], "AUC"]
        assert text.startswith(f"{np.mean(areas):.3f} [".removeprefix("0"))
    assert not table.map(lambda cell: "/" in cell).any(axis=None)  # of 300 rows of 150 patients


def test_all_figures_of_the_report_are_of_one_model_on_the_same_rows(of_values):
    study = of_values.study
    name, rows = study.primary, study.assessed()
    figures = study.figures().set_index("figure")["estimate"]
    frame = study.report().frame().set_index(["model", "metric"])["estimate"][study.titles[name]]
    for figure in ("AUC", "sensitivity", "specificity"):
        assert figures[figure] == pytest.approx(frame[figure])
    after = study.calibration()["recalibrated"].observed_expected[0]
    assert figures["observed / expected"] == pytest.approx(after)
    curve = study.decision_curve().frame()
    here = curve[(curve["model"] == study.titles[name]) & np.isclose(curve["threshold"], 0.2)]
    risk = at_prevalence(rows.risk[name].to_numpy(), 0.1, rows.y.mean())
    found, called = risk[rows.y == 1] >= 0.2, risk[rows.y == 0] >= 0.2
    assert here["net_benefit"].item() == pytest.approx(
        0.1 * found.mean() - 0.9 * called.mean() * 0.2 / 0.8
    )


def test_table_2_has_the_papers_models_first_and_ones_own_last(of_values, of_films):
    assert of_values.study.names(2) == ["age_sex_bmi", "osta", "logistic", "hunch"]
    assert of_films.study.names(2) == ["image", "clinical", "multimodal", "age_sex_bmi"]
    assert of_films.study.names(3) == ["backbone", "backbone_wt"]
    assert of_films.study.table(3).index.tolist() == ["Backbone", "Backbone + WT"]


def test_table_1_counts_every_row(of_values):
    table = of_values.study.table(1)
    assert table.loc[("n", "")].tolist()[:3] == ["50", "100", "150"]
    assert table.columns[:3].tolist() == ["osteoporosis", "no osteoporosis", "all"]


def test_table_1_of_a_test_set_has_both_parts(of_split):
    study, table = of_split.study, of_split.study.table(1)
    assert table.columns[:4].tolist() == [
        "development: osteoporosis", "development: no osteoporosis", "test: osteoporosis",
        "test: no osteoporosis",
    ]  # fmt: skip
    counts = [int(n) for n in table.loc[("n", "")].tolist()[:4]]
    tested = study.design.y[study.design.test]
    assert counts[2:] == [tested.sum(), (1 - tested).sum()]
    assert sum(counts) == 150


def test_predictive_values_are_of_the_prevalence_that_was_given(of_values):
    study = of_values.study
    frame = study.report().frame().query("model == 'OSTA'").set_index("metric")["estimate"]
    sensitivity, specificity = frame["sensitivity"], frame["specificity"]
    ppv = 0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity))
    assert frame["PPV at 10 %"] == pytest.approx(ppv)


def test_primary_and_comparator_are_named_before_anything_is_fitted(of_values, of_films):
    assert of_films.study.family == ("multimodal", "age_sex_bmi", "image", "clinical")
    assert of_values.study.family == ("age_sex_bmi", "osta")
    study, rows = of_values.study, of_values.study.assessed()
    expected = compare(
        rows.y, rows.risk.rename(columns=study.titles), reference="Logistic: age, sex, BMI",
        groups=rows.patient,
        threshold={study.titles[name]: rows.threshold[name] for name in study.family},
        folds=rows.fold,
    )  # fmt: skip
    pd.testing.assert_frame_equal(study.comparison().frame(), expected.frame())


@pytest.mark.parametrize(
    ("asked", "message"),
    [({"primary": "xgboost"}, "primary='xgboost' is none of this study's models. Allowed are age_"),
     ({"comparator": "image"}, "comparator='image' is none of .* Allowed are age_sex_bmi. Name"),
     ({"comparator": "logistic"}, "is the primary model itself. Allowed are age_sex_bmi. Name"),
     ({"operating_point": "sensitivity .95"}, "allowed are 'sensitivity .90', .*or a risk"),
     ({"operating_point": 5}, "proportion, above 0 and below 1. Is it in per cent"),
     ({"internal_validation": "bootstrap"}, "allowed are 'auto', 'repeated_cv', 'split'"),
     ({"n_repeats": 0}, "n_repeats=0: allowed is a whole number from 1"),
     ({"imputations": 4}, "imputations=4: allowed are 0, .* from 5, .*; 20 are usual"),
     ({"prevalence": 1.0}, "prevalence is 1.0")],
)  # fmt: skip
def test_what_the_study_cannot_be_about_is_refused_before_any_fit(asked, message, monkeypatch):
    def fitted(*_, **__):
        raise AssertionError("something was fitted")

    monkeypatch.setattr("skosteo.study.run.fit_models", fitted)
    X, y, groups = patients(90)
    with pytest.raises(InputError, match=message):
        run_study(
            X, y, groups=groups, image_column=None, n_folds=2, verbose=0,
            models=["age_sex_bmi", "logistic"], **asked,
        )  # fmt: skip


def test_another_primary_model_and_comparator_may_be_asked_for():
    X, y, groups = patients(90)
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=2, n_repeats=1, verbose=0,
        models=["age_sex_bmi", "logistic", "osta"], primary="osta", comparator="logistic",
    )  # fmt: skip
    assert study.family == ("osta", "logistic")
    assert study.final.title == "OSTA"


def test_a_planted_answer_is_found_if_nobody_looks_for_leaks(monkeypatch):
    X, y, groups = patients(90)
    X["p"] = 0.1 + 0.8 * y
    params = {
        "groups": groups, "image_column": None, "n_folds": 2, "verbose": 0,
        "models": [("p", Says("p"))],
    }  # fmt: skip
    with pytest.raises(InputError, match="'p' alone tells the classes apart"):
        run_study(X, y, **params)
    monkeypatch.setattr("skosteo.study.run.check_no_leak", lambda *_, **__: None)
    study = run_study(X, y, **params)
    assert study.figures().set_index("figure").loc["AUC", "estimate"] == 1


def test_one_model_only():
    X, y, groups = patients(60)
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=2, verbose=0, models=["age_sex_bmi"]
    )
    for compared in (study.comparison, study.differences):
        with pytest.raises(InputError, match="a comparison takes two"):
            compared()
    assert study.fold_tests().empty
    assert study.added_value().empty
    assert "Logistic: age, sex, BMI" in page_of(study)


def test_small_subgroups_are_not_shown():
    X, y, groups = patients(150)
    rare = np.where(np.arange(150) < 6, "rare", np.where(np.arange(150) % 2, "one", "other"))
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=2, verbose=0, models=["age_sex_bmi"],
        subgroups=pd.DataFrame({"device": rare}),
    )  # fmt: skip
    frame = study.subgroups().frame()
    device = frame[frame["variable"] == "device"].groupby("level")["count"]
    shown = device.count() > 0
    assert "rare" not in shown
    assert not shown["other levels"]
    assert (~shown).sum() > 1  # the counts of one alone would follow from the total
    assert {"sex", "age", "device"} == set(study.groupings)


NAMES = [f"Jane{i} Doe" for i in range(12)]


def test_no_level_that_may_be_a_person_is_told(tmp_path):
    """Names of 12 persons, each of some rows, in a clinical column and in a grouping."""
    X, y, groups = patients(180)
    groups = groups % 60
    X["ward"] = np.array(NAMES)[groups % 12]  # of five patients each
    X["reader"] = np.where(groups % 2, "Dr. Alice Moor", "Moor, Bob")
    X["operator"] = np.where(groups % 2, "Alice Moor", "Bob Moor")
    X["visit"] = np.where(groups % 2, "1947-02-13", "13.02.1947")
    X["smoker"] = np.where(groups < 4, "pipe", np.where(groups % 2, "never", "Current Smoker"))
    X["name"] = X["operator"]
    out = tmp_path / "out"
    told = {"ward", "reader", "operator", "visit", "name"}
    study = run_study(
        X, y, groups=groups, out=out, image_column=None, n_folds=2, n_repeats=2,
        verbose=0, models=["age_sex_bmi"], subgroups=X[[*told, "smoker"]],
    )  # fmt: skip
    kinds = ("*.html", "*.csv", "*.svg", "*.json")
    whole = " ".join(path.read_text("utf-8") for kind in kinds for path in out.rglob(kind))
    whole = re.sub('base64,[^"]*', "", whole)  # of pictures, whose letters are chance
    for word in ("Jane", " Doe", "Alice", "Bob", "1947-02", "02.1947", "pipe"):
        assert word not in whole
    assert "never" in whole
    assert "Current Smoker" in whole
    shown = set(study.table(1).index.get_level_values(0).str.split(",").str[0])
    assert not told & shown  # nothing is left of these columns
    assert {"ward (missing in 0 of 180)", "operator (missing in 0 of 180)"} <= set(not_shown(study))


def test_no_count_of_few_patients_is_told_or_follows():
    X, y, groups = patients(150)
    rng = np.random.default_rng(0)
    X["smoker"] = np.where(np.arange(150) % 7 == 0, "yes", "no")
    X["hand"] = rng.choice(["left", "right", "both"], 150, p=[0.1, 0.7, 0.2])
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=4, verbose=0, models=["age_sex_bmi"]
    )
    table = study.table(1)
    design = study.design
    rows = {"outcome": np.flatnonzero(design.y == 1), "no outcome": np.flatnonzero(design.y == 0)}
    few = 0
    for name, heading in (("smoker", "smoker"), ("hand", "hand"), ("sex", "Sex")):
        part = table.loc[f"{heading}, n (%)"].drop("missing")
        # nor does it follow from the column of all
        hidden = (part[list(rows)] == "suppressed").any(axis=1)
        assert (part.loc[hidden, "all"] == "suppressed").all()
        for split, some in rows.items():
            counts = design.X[name].iloc[some].value_counts().reindex(part.index)
            hidden = part[split] == "suppressed"
            assert hidden[(counts > 0) & (counts < 10)].all()
            assert hidden.sum() != 1
            assert hidden.sum() == 0 or counts[hidden].sum() >= 10 or hidden[counts > 0].all()
            for level in part.index[~hidden]:
                assert part.loc[level, split].startswith(f"{counts[level]} (")
            few += hidden.sum()
    assert few > 1


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda s: s.table(6), r"table\(6\): allowed are 1 to 5"),
     (lambda s: s.table("2"), "allowed are 1 to 5"),
     (lambda s: s.table(3), "Table 3 shows backbone, .* Name some of them in `models`"),
     (lambda s: s.figure(1), r"figure\(1\): allowed are 2, 3, .*'fusion'"),
     (lambda s: s.figure("roc"), r"figure\('roc'\): allowed"),
     (lambda s: s.figure(7), "is no image model and no fusion")],
)  # fmt: skip
def test_what_is_not_there_is_said(call, message, of_values):
    with pytest.raises(InputError, match=message):
        call(of_values.study)


def test_printed_it_says_title_limits_counts_and_scores(of_values):
    text = repr(of_values.study)
    assert text.index("SYNTHETIC patients.") < text.index("AUC")
    assert "Logistic: age, sex, BMI" in text
    assert len(max(text.splitlines(), key=len)) < 200


def test_results_are_computed_once(of_values, monkeypatch):
    study, calls = changed(of_values.study), []

    def counted(name):
        function = getattr(results, name)

        def call(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        return call

    names = ["evaluate", "compare", "subgroups", "decision_curve", "fold_scores", "figures_of"]
    for name in names:
        monkeypatch.setattr(results, name, counted(name))
    page = page_of(study)
    n = len(calls)
    # of prespecified models, of all, and of each rule
    assert calls.count("evaluate") == 2 + len(RULES)
    assert all(calls.count(name) <= 1 for name in names if name not in ("evaluate", "compare"))
    assert page_of(study) == page
    assert len(calls) == n


def test_a_frame_that_is_changed_changes_no_result(of_values):
    study = of_values.study
    for get in (lambda: study.table(1), study.fold_scores, study.fold_tests, study.figures):
        frame, before = get(), get()
        frame["mine"] = 1
        pd.testing.assert_frame_equal(get(), before)


def test_where_no_model_sees_a_film_nothing_is_said_of_what_films_add(of_films, monkeypatch):
    monkeypatch.setattr("skosteo.study.results.film_beside", lambda *_: pd.DataFrame([1]))
    for family, is_asked in (
        (("image", "age_sex_bmi"), True),
        (("clinical", "age_sex_bmi"), False),
    ):
        study = changed(of_films.study, fields={"family": family})
        assert study.added_value().empty != is_asked
