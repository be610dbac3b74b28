"""Operating points: brute force over every threshold, ties, what cannot be reached."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_curve

from skosteo.evaluation import evaluate, operating_point
from skosteo.exceptions import InputError


@pytest.fixture(params=[1, 8], ids=["ties", "no ties"])
def rows(request):
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.3
    return y, np.clip(0.35 + 0.2 * y + 0.2 * rng.normal(size=300), 0.01, 0.99).round(request.param)


def rates(y, p, threshold):
    tn, fp, fn, tp = confusion_matrix(y, p >= threshold).ravel()
    return tp / (tp + fn), tn / (tn + fp)


def every(y, p):
    return np.array([rates(y, p, threshold) for threshold in [*np.unique(p), 1]])


def test_facts_are_those_of_the_threshold(rows):
    y, p = rows
    for rule in ({}, {"sensitivity": 0.9}, {"specificity": 0.8}):
        point = operating_point(y, p, **rule)
        assert (point.sensitivity, point.specificity) == pytest.approx(rates(y, p, point.threshold))
        counts = evaluate(y, p, threshold=point.threshold).counts.loc["model"]
        assert [point.tp, point.fp, point.tn, point.fn] == counts.tolist()


def test_youden_is_the_greatest_there_is(rows):
    y, p = rows
    point = operating_point(y, p)
    assert point.sensitivity + point.specificity == pytest.approx(every(y, p).sum(axis=1).max())
    false_alarms, found, _ = roc_curve(y, p)
    assert point.sensitivity + point.specificity - 1 == pytest.approx((found - false_alarms).max())


@pytest.mark.parametrize("target", [0.5, 0.8, 0.9, 0.95, 1])
def test_targets_are_reached_at_the_least_price(rows, target):
    y, p = rows
    both = every(y, p)
    point = operating_point(y, p, sensitivity=target)
    assert point.sensitivity >= target
    assert point.specificity == pytest.approx(both[both[:, 0] >= target, 1].max())
    point = operating_point(y, p, specificity=target)
    assert point.specificity >= target
    assert point.sensitivity == pytest.approx(both[both[:, 1] >= target, 0].max())


def test_the_threshold_lies_between_two_probabilities():
    point = operating_point([0, 0, 1, 1], [0.1, 0.3, 0.5, 0.9])
    assert point[:3] == pytest.approx((0.4, 1, 1))
    # rounding what was saved does not move a row across
    assert operating_point([0, 1], [1 / 3, 2 / 3]).threshold == pytest.approx(0.5)
    near = np.nextafter(0.5, 1)
    assert operating_point([0, 1], [0.5, near]).threshold == near


def test_of_equal_youden_indices_the_one_that_finds_more():
    y, p = [1, 0, 1, 0], [0.2, 0.4, 0.6, 0.8]
    assert operating_point(y, p).sensitivity == 1


def test_all_positive_and_nobody_positive_are_points_too():
    y, p = [1, 0, 0, 0], [0.1, 0.5, 0.6, 0.9]
    assert operating_point(y, p, sensitivity=1)[:3] == (0.05, 1, 0)
    assert operating_point(y, p, specificity=1)[1:3] == (0, 1)
    constant = operating_point([0, 1], [0.3, 0.3])
    assert (constant.sensitivity, constant.specificity) == (1, 0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"sensitivity": 0.9, "specificity": 0.9}, "not both"),
        ({"sensitivity": 90}, "sensitivity is 90.*per cent"),
        ({"specificity": -0.1}, "specificity is -0.1"),
        ({"sensitivity": 0}, "sensitivity is 0, which every threshold has"),
        ({"specificity": 0.9}, "2 of 4 negative rows have probability 1"),
        ({"specificity": "high"}, "specificity is 'high'"),
    ],
)
def test_wrong_input_is_named(rule, message):
    with pytest.raises(InputError, match=message):
        operating_point([0, 0, 0, 0, 1], [0.1, 0.2, 1, 1, 0.7], **rule)
