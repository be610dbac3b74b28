"""The report: counts first, and every rate from its counts."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, roc_auc_score

from skosteo.evaluation import auc_interval, evaluate
from skosteo.exceptions import InputError


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
    assert list(frame) == ["model", "metric", "estimate", "low", "high", "count", "total"]
    for name, p in models.items():
        tn, fp, fn, tp = confusion_matrix(y, p >= threshold).ravel()
        assert report.counts.loc[name].tolist() == [tp, fp, tn, fn]
        part = frame[frame["model"] == name].set_index("metric")
        assert part.loc["AUC", "estimate"] == pytest.approx(roc_auc_score(y, p))
        assert part.loc["AUC", ["low", "high"]].tolist() == list(auc_interval(y, p)[1:])
        rates = part.drop("AUC")
        assert (rates["estimate"] == rates["count"] / rates["total"]).all()
        assert rates["count"].tolist() == [tp + tn, tp, tn]
        assert rates["total"].tolist() == [240, 90, 150]
    assert pd.api.types.is_integer_dtype(frame["count"])
    assert (frame["low"] <= frame["estimate"]).all()
    assert (frame["estimate"] <= frame["high"]).all()


def test_a_probability_at_the_threshold_is_positive():
    assert evaluate([0, 1], [0.4, 0.5]).counts.loc["model", "tp"] == 1


def test_films_counted_twice_leave_every_interval(cohort):
    y, models = cohort
    once = evaluate(y, models, groups=np.arange(240)).frame()
    two = {name: np.repeat(p, 2) for name, p in models.items()}
    twice = evaluate(np.repeat(y, 2), two, groups=np.repeat(np.arange(240), 2)).frame()
    same = ["estimate", "low", "high"]
    pd.testing.assert_frame_equal(twice[same], once[same])
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
    for part in ("240 rows of 80 patients", "90 rows positive", "DeLong", "Wilson", "clustered"):
        assert part in text
    assert "strong" in text.splitlines()[1]
    text = repr(evaluate(y, models))
    assert "240 rows, each taken as one patient" in text
    assert "clustered" not in text


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
    ],
)
def test_wrong_input_is_named(y_prob, more, message):
    with pytest.raises(InputError, match=message):
        evaluate([0, 0, 1], y_prob, **more)
