"""The results: tables, thresholds and comparisons, on the rows that they belong to."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import compare, evaluate
from skosteo.exceptions import InputError
from skosteo.study import results, run_study
from skosteo.study.design import RULES
from skosteo.study.report.content import not_shown
from tests.study.cohorts import Says, patients
from tests.study.report.pages import changed, page_of


def with_labels(study, y):
    """The same study as if the labels had been these."""
    turned = changed(study)
    turned.design = replace(study.design, y=y)
    return turned


def test_thresholds_do_not_look_at_the_test_rows(of_values):
    study = of_values.study
    y = study.design.y.copy()
    y[study.design.test] = 1 - y[study.design.test]
    turned = with_labels(study, y)
    pd.testing.assert_frame_equal(turned.operating_points, study.operating_points)
    assert turned.table(2)["AUC"].tolist() != study.table(2)["AUC"].tolist()


def test_a_threshold_does_what_it_was_chosen_for(of_values):
    study = of_values.study
    y = study.design.y[study.design.development]
    said = study.probability("validation")
    for name in study.models:
        points = study.operating_points["threshold"]
        sensitive = said[name] >= points[name, "sensitivity .90"]
        specific = said[name] >= points[name, "specificity .90"]
        assert sensitive[y == 1].mean() >= 0.9
        assert (~specific)[y == 0].mean() >= 0.9
        youden = [
            (said[name] >= t)[y == 1].mean() + (said[name] < t)[y == 0].mean()
            for t in [points[name, "Youden's index"], *np.linspace(0, 1, 200)]
        ]
        assert youden[0] == pytest.approx(max(youden))


def test_a_report_by_a_rule_uses_its_thresholds(of_values):
    study = of_values.study
    points = study.operating_points["threshold"]
    for rule in RULES:
        counts = study.report(rule=rule).counts
        for name, model in study.models.items():
            positive = study.probability()[name] >= points[name, rule]
            assert counts.loc[model.title, ["tp", "fp"]].sum() == positive.sum()


def test_table_2_is_what_evaluate_says_of_the_test_rows(of_values):
    study, design = of_values.study, of_values.study.design
    expected = evaluate(
        design.y[design.test], study.probability()["logistic"], groups=design.patient[design.test]
    ).table()
    title = study.models["logistic"].title
    assert study.table(2).loc[title].tolist() == expected.iloc[0].tolist()


def test_table_2_has_the_papers_models_first_and_ones_own_last(of_values, of_films):
    assert of_values.study.names(2) == ["age_sex_bmi", "osta", "logistic", "hunch"]
    assert of_films.study.names(2) == ["image", "clinical", "multimodal", "age_sex_bmi"]
    assert of_films.study.names(3) == ["backbone", "backbone_wt"]
    assert of_films.study.table(3).index.tolist() == ["Backbone", "Backbone + WT"]


def test_table_1_counts_every_row(of_values):
    table = of_values.study.table(1)
    counts = of_values.study.design.counts()["rows"]
    text = table.to_string()
    for part in counts.index[:3]:
        assert str(counts[part]) in text
    assert "osteoporosis" in text


def test_predictive_values_are_of_the_prevalence_that_was_given(of_values):
    study = of_values.study
    frame = study.report(names=["logistic"]).frame().set_index("metric")["estimate"]
    sensitivity, specificity = frame["sensitivity"], frame["specificity"]
    ppv = 0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity))
    assert frame["PPV at 10 %"] == pytest.approx(ppv)


def test_the_comparison_is_with_the_fusion_or_the_first(of_values, of_films):
    assert of_films.study.reference == "multimodal"
    study, design = of_values.study, of_values.study.design
    assert study.reference == "age_sex_bmi"
    titled = study.probability().rename(columns={n: m.title for n, m in study.models.items()})
    expected = compare(
        design.y[design.test], titled, reference="Logistic: age, sex, BMI",
        groups=design.patient[design.test],
    )  # fmt: skip
    pd.testing.assert_frame_equal(study.comparison().frame(), expected.frame())


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
    for part in ("test", "validation"):
        assert roc_auc_score(study.design.y[study.rows(part)], study.probability(part)["p"]) == 1


def test_one_model_only():
    X, y, groups = patients(60)
    study = run_study(
        X, y, groups=groups, image_column=None, n_folds=2, verbose=0, models=["age_sex_bmi"]
    )
    with pytest.raises(InputError, match="a comparison takes two"):
        study.comparison()
    assert study.fold_tests().empty
    assert "Every model less" not in page_of(study)


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
        X, y, groups=groups, out=out, image_column=None, n_folds=2, verbose=0,
        models=["age_sex_bmi"], subgroups=X[[*told, "smoker"]],
    )  # fmt: skip
    kinds = ("*.html", "*.csv", "*.svg", "*.json")
    whole = " ".join(path.read_text("utf-8") for kind in kinds for path in out.rglob(kind))
    for word in ("Jane", "Doe", "Alice", "Bob", "1947-02", "02.1947", "pipe"):
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
    train, validation = design.folds[0]
    rows = {"train": train, "validation": validation, "test": design.test}
    few = 0
    for name in ("smoker", "hand", "sex"):
        part = table.loc[f"{name}, n (%)"].drop("missing")
        for split, some in rows.items():
            counts = design.X[name].iloc[some].value_counts().reindex(part.index)
            hidden = part[split] == "suppressed"
            assert hidden[(counts > 0) & (counts < 10)].all()
            assert hidden.sum() != 1
            assert hidden.sum() == 0 or counts[hidden].sum() >= 10 or hidden[counts > 0].all()
            for level in part.index[~hidden]:
                assert part.loc[level, split].startswith(f"{counts[level]} (")
            few += hidden.sum()
    assert few > 4
    assert "suppressed" not in set(table.loc["outcome, n (%)"].to_numpy().ravel())


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda s: s.table(6), r"table\(6\): allowed are 1 to 5"),
     (lambda s: s.table("2"), "allowed are 1 to 5"),
     (lambda s: s.table(3), "Table 3 shows backbone, .* Name some of them in `models`"),
     (lambda s: s.probability("train"), "part='train': allowed are 'test', 'validation'"),
     (lambda s: s.table(2, "all"), "part='all'"),
     (lambda s: s.report(names=["logistik"]), "logistik.*allowed|allowed.*logistic"),
     (lambda s: s.report(rule="youden"), "youden.*allowed|allowed.*Youden"),
     (lambda s: s.figure(1), r"figure\(1\): allowed are 2, 3, .*'fusion'"),
     (lambda s: s.figure("roc"), r"figure\('roc'\): allowed"),
     (lambda s: s.figure(7), "needs an image model for Grad-CAM")],
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

    def counted(function):
        def call(*args, **kwargs):
            calls.append(function.__name__)
            return function(*args, **kwargs)

        return call

    names = ["evaluate", "compare", "subgroups", "reliability", "decision_curve", "fold_scores"]
    for name in names:
        monkeypatch.setattr(results, name, counted(getattr(results, name)))
    page = page_of(study)
    # of all models on the test part, and on the validation part; of each rule
    assert calls.count("evaluate") == 2 + len(RULES)
    assert all(calls.count(name) <= 1 for name in names[1:])
    n = len(calls)
    assert page_of(study) == page
    for part in ("test", "validation"):
        study.report(part)
    assert len(calls) == n


def test_a_frame_that_is_changed_changes_no_result(of_values):
    study = of_values.study
    for get in (lambda: study.table(1), study.fold_scores, study.fold_tests, study.probability):
        frame, before = get(), get()
        frame["mine"] = 1
        pd.testing.assert_frame_equal(get(), before)
