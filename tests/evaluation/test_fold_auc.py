"""AUC over folds, against scikit-learn's mean and the corrected t test of one repeat."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skosteo.evaluation import compare, evaluate, paired_t_test
from skosteo.exceptions import InputError

K, N = 5, 200


def rows(seed=0, repeats=1):
    """One or more repeats of five folds of 200 patients, and two models' probabilities."""
    rng = np.random.default_rng(seed)
    y = np.tile(np.repeat([0, 1], [120, 80]), repeats)
    fold = np.concatenate(
        [r * K + rng.permuted(np.tile(np.arange(K), N // K).reshape(5, -1), axis=1).ravel()
         for r in range(repeats)]
    )  # fmt: skip
    one, other = (np.clip(0.4 + 0.2 * y + rng.normal(0, s, len(y)), 0, 1) for s in (0.25, 0.4))
    return y, {"one": one, "other": other}, fold, np.tile(np.arange(N), repeats)


def areas(y, p, fold):
    return np.array([roc_auc_score(y[fold == f], p[fold == f]) for f in np.unique(fold)])


def test_the_auc_is_the_mean_of_the_folds():
    y, models, fold, _ = rows()
    report = evaluate(y, models, folds=fold).frame().set_index(["model", "metric"])
    for name, p in models.items():
        line = report.loc[(name, "AUC")]
        assert line["estimate"] == pytest.approx(areas(y, p, fold).mean(), rel=1e-12)
        assert line["low"] < line["estimate"] < line["high"]


def test_what_differs_between_folds_alone_does_not_count():
    """A fold whose risks are all higher changes the pooled AUC, not the order within folds."""
    y, models, fold, _ = rows()
    p = 0.5 * models["one"]
    moved = p + np.where(fold == 0, 0.5, 0)
    one, other = (evaluate(y, {"m": q}, folds=fold).frame().iloc[0] for q in (p, moved))
    assert one["estimate"] == pytest.approx(other["estimate"], abs=1e-12)
    assert roc_auc_score(y, moved) < roc_auc_score(y, p) - 0.02


def test_one_repeat_is_the_corrected_paired_t_test():
    y, models, fold, _ = rows()
    expected = paired_t_test(
        areas(y, models["one"], fold), areas(y, models["other"], fold), N - N // K, N // K
    )
    line = compare(y, models, reference="other", folds=fold).frame().iloc[0]
    for name in ("difference", "low", "high", "statistic", "pvalue"):
        assert line[name] == pytest.approx(getattr(expected, name), rel=1e-9)
    assert line["test"] == "corrected resampled t"


def test_repeats_make_no_patients():
    """Ten repeats of the same folds leave the standard error as it is."""
    y, models, fold, patient = rows()
    once = compare(y, models, reference="other", folds=fold, groups=patient).frame().iloc[0]
    ten = np.repeat(np.arange(10), N)
    many = compare(
        np.tile(y, 10), {name: np.tile(p, 10) for name, p in models.items()},
        reference="other", folds=np.tile(fold, 10) + K * ten, groups=np.tile(patient, 10),
    ).frame().iloc[0]  # fmt: skip
    error, of_many = (line["difference"] / line["statistic"] for line in (once, many))
    # but for the divisor of the standard deviation: of 5 folds 4, of 50 then 49
    assert of_many == pytest.approx(error * np.sqrt(4 / 5 * 50 / 49), rel=1e-9)


def test_models_of_one_order_differ_by_nothing():
    y, models, fold, _ = rows()
    line = compare(y, {"a": models["one"], "b": models["one"] / 2}, folds=fold).frame().iloc[0]
    assert (line["difference"], line["pvalue"]) == (0, 1)
    assert np.isnan([line["low"], line["high"]]).all()


def test_perfect_folds_have_an_interval():
    y, _, fold, _ = rows()
    line = evaluate(y, y.astype(float), folds=fold).frame().iloc[0]
    assert (line["estimate"], line["high"]) == (1, 1)
    assert 0.9 < line["low"] < 1


def test_few_patients_have_none():
    y, fold = np.tile([0, 0, 1], 9), np.repeat([0, 1, 2], 9)
    p = np.random.default_rng(0).random(27)
    line = evaluate(y, p, folds=fold).frame().iloc[0]
    assert np.isnan(line[["low", "high"]].to_numpy(float)).all()


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (lambda y, fold: y, "2 folds, 2 with one class alone"),
        (lambda y, fold: np.zeros(len(y)), "1 fold, where 2 or more are needed"),
        (lambda y, fold: fold[:-1], r"shape \(199,\) for 200 rows"),
        (lambda y, fold: np.where(fold == 0, np.nan, fold), "without missing values"),
        (lambda y, fold: [([0, 1], [2]), ([0, 2, 3], [1])], "one label for each row"),
    ],
)
def test_folds_that_cannot_be(folds, message):
    y, models, fold, _ = rows()
    with pytest.raises(InputError, match=message):
        evaluate(y, models, folds=folds(y, fold))
    with pytest.raises(InputError, match=message):
        compare(y, models, folds=folds(y, fold))


def test_folds_of_repeats_with_one_name_and_patients_on_both_sides_are_refused():
    y, models, fold, patient = rows(repeats=3)
    with pytest.raises(InputError, match="names of their own"):
        compare(y, models, groups=patient, folds=fold % K)
    y, models, fold, patient = rows()
    with pytest.raises(InputError, match="split by patient"):
        compare(y, models, groups=patient // 2, folds=fold)


def test_what_is_printed_says_how():
    y, models, fold, patient = rows(repeats=2)
    said = repr(evaluate(y, models, folds=fold, groups=patient))
    assert "AUC (mean of 10 folds) Nadeau-Bengio" in said
    assert "corrected resampled t test" in repr(compare(y, models, folds=fold, groups=patient))
