"""The report: counts first, and every rate from its counts."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    roc_auc_score,
)

from skosteo.evaluation import auc_interval, evaluate
from skosteo.exceptions import InputError
from tests.evaluation.figures import legend_of


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [150, 90])
    strong = np.clip(0.5 * y + rng.normal(0.25, 0.25, 240), 0, 1)
    return y, {"strong": strong, "weak": rng.random(240)}


def test_planted_counts_and_text():
    # 30 positives of which 24 are found, 70 negatives of which 63 are spared
    y = np.repeat([1, 1, 0, 0], [24, 6, 63, 7])
    p = np.repeat([0.9, 0.2, 0.2, 0.9], [24, 6, 63, 7])
    report = evaluate(y, p)
    assert report.counts.loc["model"].to_dict() == {"tp": 24, "fp": 7, "tn": 63, "fn": 6}
    text = report.table().loc["model"]
    for metric, count, total in (
        ("accuracy", 87, 100),
        ("sensitivity", 24, 30),
        ("specificity", 63, 70),
    ):
        low, high = binomtest(count, total).proportion_ci(method="wilson")
        share, low, high = (f"{x:.3f}"[1:] for x in (count / total, low, high))
        assert text[metric] == f"{count}/{total} = {share} [{low}, {high}]"
    # area under one step: sensitivity and specificity averaged
    assert text["AUC"].startswith(f"{(0.8 + 0.9) / 2:.3f}"[1:] + " [")


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 1])
def test_frame_agrees_with_scikit_learn(cohort, threshold):
    y, models = cohort
    report = evaluate(y, models, threshold=threshold)
    frame = report.frame()
    columns = ["model", "metric", "estimate", "low", "high", "count", "total", "patients"]
    assert list(frame) == columns
    for name, p in models.items():
        tn, fp, fn, tp = confusion_matrix(y, p >= threshold).ravel()
        assert report.counts.loc[name].tolist() == [tp, fp, tn, fn]
        part = frame[frame["model"] == name].set_index("metric")
        assert part.loc["AUC", "estimate"] == pytest.approx(roc_auc_score(y, p))
        assert part.loc["AUC", ["low", "high"]].tolist() == list(auc_interval(y, p)[1:])
        assert part.loc["Brier", "estimate"] == pytest.approx(brier_score_loss(y, p))
        ap = average_precision_score(y, p)
        assert part.loc["average precision", "estimate"] == pytest.approx(ap)
        assert part.loc["F1", "estimate"] == pytest.approx(f1_score(y, p >= threshold))
        for metric, (count, total) in {"PPV": (tp, tp + fp), "NPV": (tn, tn + fn)}.items():
            assert part.loc[metric, ["count", "total"]].tolist() == [count, total]
        shares = part.drop(["AUC", "Brier", "average precision"])
        known = shares[shares["total"] > 0]
        assert known["estimate"].tolist() == pytest.approx(
            (known["count"] / known["total"]).tolist()
        )
        assert shares.loc[shares["total"] == 0, ["estimate", "low", "high"]].isna().all(axis=None)
        rates = part.loc[["accuracy", "sensitivity", "specificity"]]
        assert rates["count"].tolist() == [tp + tn, tp, tn]
        assert rates["total"].tolist() == [240, 90, 150]
    assert pd.api.types.is_integer_dtype(frame["count"])
    known = frame.dropna()
    assert (known["low"] <= known["estimate"]).all()
    assert (known["estimate"] <= known["high"]).all()


def test_a_probability_at_the_threshold_is_positive():
    assert evaluate([0, 1], [0.4, 0.5]).counts.loc["model", "tp"] == 1


def test_films_counted_twice_narrow_no_interval(cohort):
    y, models = cohort
    once = evaluate(y, models, groups=np.arange(240)).frame()
    two = {name: np.repeat(p, 2) for name, p in models.items()}
    twice = evaluate(np.repeat(y, 2), two, groups=np.repeat(np.arange(240), 2)).frame()
    assert twice["estimate"].tolist() == pytest.approx(once["estimate"].tolist())
    width = (twice["high"] - twice["low"]) / (once["high"] - once["low"])
    assert width.between(1 - 1e-9, 1.02).all()
    naive = evaluate(np.repeat(y, 2), two).frame()
    assert ((naive["high"] - naive["low"]) < (once["high"] - once["low"])).all()


def test_models_by_mapping_frame_and_predict_proba_are_one(cohort):
    y, models = cohort
    expected = evaluate(y, models).frame()
    both = {name: np.column_stack([1 - p, p]) for name, p in models.items()}
    pd.testing.assert_frame_equal(evaluate(y, both).frame(), expected)
    shuffled_index = pd.DataFrame(models, index=np.arange(240)[::-1])
    pd.testing.assert_frame_equal(evaluate(pd.Series(y), shuffled_index).frame(), expected)
    words = np.array(["normal", "osteoporosis"])[y]
    pd.testing.assert_frame_equal(evaluate(words, models).frame(), expected)


def test_repr_says_what_was_counted_and_how(cohort):
    y, models = cohort
    text = repr(evaluate(y, models, groups=np.arange(240) // 3))
    most = "90 rows positive, of 30 patients, at most 3 % of them from one patient"
    for part in ("240 rows of 80 patients", most, "DeLong", "Wilson", "clustered"):
        assert part in text
    assert "strong" in text.splitlines()[1]
    text = repr(evaluate(y, models))
    assert "240 rows, each taken as one patient; 90 rows positive" in text
    assert "clustered" not in text
    text = repr(evaluate(y, models, groups=np.arange(240)))
    assert "240 rows of 240 patients; 90 rows positive" in text
    assert "taken as" not in text
    assert "clustered" not in text


@pytest.fixture
def skewed():
    """Eight cases of whom one has 22 of 31 films, and 30 controls of 2 films each."""
    group = np.repeat(np.arange(38), [22, 3, *[1] * 6, *[2] * 30])
    y = group < 8
    noise = np.random.default_rng(0).normal(size=(2, len(y)))
    return y, np.clip(0.3 + 0.3 * y + 0.2 * noise, 0, 1), group


def test_few_patients_have_figures_without_intervals(skewed):
    y, (p, _), group = skewed
    report = evaluate(y, p, groups=group, prevalence=0.1)
    frame = report.frame().set_index("metric")
    assert frame["estimate"].notna().all()
    without = ["AUC", "sensitivity", "average precision", "PPV at 10 %", "NPV at 10 %"]
    assert frame.loc[without, ["low", "high"]].isna().all(axis=None)
    assert frame.loc["specificity", ["low", "high"]].notna().all()
    assert frame.loc[["sensitivity", "specificity", "accuracy"], "patients"].tolist() == [8, 30, 38]
    text = report.table().loc["model"]
    hits, total = frame.loc["sensitivity", ["count", "total"]]
    assert text["sensitivity"].startswith(f"{hits}/{total} of 8 patients = .")
    assert text["sensitivity"].endswith("[\N{EM DASH}]")
    assert "31 rows positive, of 8 patients, at most 71 % of them from one patient" in report.note
    assert "no interval where fewer than 10 patients" in report.note
    alone = evaluate(y, p).frame()  # Wilson's and DeLong's hold for few rows of as many patients
    assert alone[["low", "high"]].notna().all(axis=None)


def test_table_has_the_papers_four_others_by_name_or_all(cohort):
    y, models = cohort
    report = evaluate(y, models, prevalence=0.05)
    four = ["AUC", "accuracy", "sensitivity", "specificity"]
    assert report.table().columns.tolist() == four
    named = report.table(metrics=["NPV", "PPV at 5 %"])
    assert named.columns.tolist() == ["NPV", "PPV at 5 %"]
    more = ["PPV", "NPV", "F1", "Brier", "average precision", "PPV at 5 %", "NPV at 5 %"]
    assert report.table(metrics="all").columns.tolist() == four + more
    assert report.table(metrics="F1").columns.tolist() == ["F1"]
    assert report.frame()["metric"].drop_duplicates().tolist() == four + more
    with pytest.raises(InputError, match=r"metrics names \['PPV at 5 %'\].*prevalence=0.1"):
        evaluate(y, models).table(metrics=["AUC", "PPV at 5 %"])


def test_predictive_values_at_the_prevalence_of_the_rows_are_those_of_the_rows(cohort):
    y, models = cohort
    figures = evaluate(y, models, prevalence=90 / 240).frame().set_index(["model", "metric"])
    for name in models:
        part = figures.loc[name]
        for value in ("PPV", "NPV"):
            expected = part.loc[value, "estimate"]
            assert part.loc[f"{value} at 37.5 %", "estimate"] == pytest.approx(expected)


def test_each_model_may_have_its_own_threshold(cohort):
    y, models = cohort
    report = evaluate(y, models, threshold={"weak": 0.3, "strong": 0.6})
    for name, threshold in {"weak": 0.3, "strong": 0.6}.items():
        alone = evaluate(y, models[name], threshold=threshold)
        assert report.counts.loc[name].tolist() == alone.counts.loc["model"].tolist()
    assert report.thresholds == {"strong": 0.6, "weak": 0.3}
    assert "threshold 0.6, 0.3." in repr(report)


def test_each_row_may_have_its_own_threshold(cohort):
    """Folds that learn their thresholds apart, put together, count what they count apart."""
    y, models = cohort
    fold = np.arange(len(y)) % 3
    at = np.array([0.3, 0.45, 0.6])
    report = evaluate(y, models, threshold={"strong": at[fold], "weak": 0.5})
    parts = [
        evaluate(y[fold == f], models["strong"][fold == f], threshold=at[f]).counts.loc["model"]
        for f in range(3)
    ]
    assert report.counts.loc["strong"].tolist() == sum(parts).tolist()
    weak = evaluate(y, models["weak"]).counts.loc["model"]
    assert report.counts.loc["weak"].tolist() == weak.tolist()
    assert "; thresholds of each row." in repr(report)
    ax = report.plot()
    assert "dot: thresholds of each row" in ax.get_legend().get_title().get_text()
    plt.close("all")


def test_rows_of_one_threshold_are_scored_as_by_that_threshold(cohort):
    y, models = cohort
    rows = evaluate(y, models, threshold=pd.Series(np.full(len(y), 0.4))).frame()
    pd.testing.assert_frame_equal(rows, evaluate(y, models, threshold=0.4).frame())


def test_a_model_that_calls_nobody_positive_and_a_class_of_one():
    report = evaluate([0] * 9 + [1], np.linspace(0, 0.4, 10), prevalence=0.1)
    text = report.table(metrics="all").loc["model"]
    assert text["PPV"] == text["PPV at 10 %"] == "not estimable"
    assert text["average precision"] == "1.000 [\N{EM DASH}]"  # of one positive row, no interval
    assert text["sensitivity"].startswith("0/1 = .000 [")


def test_a_hundred_thousand_rows_of_patients():
    rng = np.random.default_rng(1)
    y = rng.random(100_000) < 0.1
    p = np.clip(0.3 + 0.3 * y + 0.2 * rng.normal(size=100_000), 0, 1)
    frame = evaluate(y, p, groups=np.arange(100_000) // 3, prevalence=0.02).frame()
    assert (frame["high"] - frame["low"]).max() < 0.04


@pytest.mark.parametrize(
    ("y_prob", "more", "message"),
    [
        ([10, 20, 90], {}, r"10 to 90.*divide by 100"),
        ([-2.0, 0.1, 3.0], {}, "decision_function"),
        ({"image": [0.1, 0.2]}, {}, r"Model 'image': y_prob has shape \(2,\) for 3 labels"),
        ({}, {}, "no model"),
        (pd.DataFrame([[0.1, 0.2]] * 3, columns=["a", "a"]), {}, "two columns of the same name"),
        ([0.1, 0.2, 0.9], {"threshold": 50}, "threshold is 50.*per cent"),
        ([0.1, 0.2, 0.9], {"threshold": float("nan")}, "threshold is nan"),
        ([0.1, 0.2, 0.9], {"groups": [1, 2]}, "one patient id per row"),
        ([0.1, 0.2, 0.9], {"threshold": {"a": 0.5}}, r"lacks \['model'\] and names \['a'\]"),
        ([0.1, 0.2, 0.9], {"threshold": {"model": 7}}, "threshold is 7.*per cent"),
        ([0.1, 0.2, 0.9], {"threshold": "half"}, "threshold is 'half'"),
        ([0.1, 0.2, 0.9], {"threshold": None}, "threshold is None"),
        ([0.1, 0.2, 0.9], {"threshold": [0.1, 0.2]}, r"shape \(2,\) for 3 rows; give one"),
        ([0.1, 0.2, 0.9], {"threshold": [0.1, np.nan, 0.2]}, "missing, or .* in 1 of 3.* row 2"),
        ([0.1, 0.2, 0.9], {"threshold": {"model": [10, 20, 0.3]}}, "in 2 of 3.*row 1.*per cents"),
        ([0.1, 0.2, 0.9], {"threshold": ["a", "b", "c"]}, "threshold is not numeric"),
        ([0.1, 0.2, 0.9], {"prevalence": 10}, "prevalence is 10.*above 0.*per cent"),
        ([0.1, 0.2, 0.9], {"prevalence": 0}, "prevalence is 0"),
        ({1: [0.1, 0.2, 0.9], "1": [0.1, 0.2, 0.9]}, {}, "same name as text"),
    ],
)
def test_wrong_input_is_named(y_prob, more, message):
    with pytest.raises(InputError, match=message):
        evaluate([0, 0, 1], y_prob, **more)


def test_figure_shows_what_the_table_says(report):
    ax = report.plot()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [f"{name}  {auc}" for name, auc in report.table()["AUC"].items()]
    assert "0.4" in ax.get_legend().get_title().get_text()
    assert ax.get_aspect() == 1
    curves = [line for line in ax.lines if line.get_label() in legend]
    points = [line.get_xydata()[0] for line in ax.lines if len(line.get_xydata()) == 1]
    frame = report.frame().set_index(["model", "metric"])["estimate"]
    for name, curve, point in zip(["image", "chance"], curves, points, strict=True):
        x, y = curve.get_data()
        assert np.trapezoid(y, x) == pytest.approx(frame[name, "AUC"])
        assert point == pytest.approx((1 - frame[name, "specificity"], frame[name, "sensitivity"]))


def test_ten_models_are_told_apart():
    y = np.repeat([0, 1], 20)
    rng = np.random.default_rng(0)
    ax = evaluate(y, {f"model {i}": rng.random(40) for i in range(10)}).plot()
    curves = [line for line in ax.lines if line.get_label().startswith("model")]
    assert len({(line.get_color(), line.get_linestyle()) for line in curves}) == 10
    plt.close("all")


def test_two_models_differ_without_colour(report):
    ax = report.plot()
    styles = {line.get_linestyle() for line in ax.lines if line.get_label() in legend_of(ax)}
    assert len(styles) == 2


def test_each_models_own_threshold_is_said():
    models = {"a": [0.1, 0.6, 0.4, 0.9], "b": [0.2, 0.3, 0.4, 0.7]}
    ax = evaluate([0, 0, 1, 1], models, threshold={"a": 0.5, "b": 0.35}).plot()
    assert "each model's threshold" in ax.get_legend().get_title().get_text()
    plt.close("all")


def test_draws_on_given_axes_and_saves(report, tmp_path):
    figure, ax = plt.subplots()
    assert report.plot(ax) is ax
    figure.savefig(tmp_path / "roc.png")
    assert (tmp_path / "roc.png").stat().st_size > 5_000
