"""Rubin's rules: the values of R's mice, and intervals that hold a planted mean."""

import numpy as np
import pytest

from skosteo.evaluation import pool_estimates
from skosteo.exceptions import InputError

ESTIMATES, VARIANCES = [1.21, 1.05, 1.34, 1.12, 1.27], [0.041, 0.038, 0.052, 0.044, 0.047]


@pytest.mark.parametrize(
    ("df_complete", "expected"),
    [  # of mice 3.15 by tests/reference/pooling.R
        (None, [1.198, 0.705643944306, 1.69035605569, 56.7728999552, 0.290014279076]),
        (90, [1.198, 0.696064569631, 1.69993543037, 30.236504353, 0.309638030526]),
    ],
)
def test_equals_mice(df_complete, expected):
    assert pool_estimates(ESTIMATES, VARIANCES, df_complete) == pytest.approx(expected, rel=1e-9)


def test_where_nothing_is_missing_it_is_the_estimate_with_its_own_interval():
    pooled = pool_estimates([0.8] * 3, [0.01] * 3)
    assert pooled[:3] == pytest.approx((0.8, 0.8 - 0.195996, 0.8 + 0.195996), abs=1e-6)
    assert pooled.degrees_of_freedom > 1e9
    assert pooled.missing_information == pytest.approx(0)
    assert pool_estimates([0.8] * 3, [0.01] * 3, 30).degrees_of_freedom == pytest.approx(
        30 * 31 / 33
    )


def test_intervals_hold_a_planted_mean():
    """40 numbers, half of them missing at random, each imputed from its posterior 20 times."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        known = rng.normal(size=20)
        spread = np.sqrt(19 * known.var(ddof=1) / rng.chisquare(19, 20))
        centre = known.mean() + spread * rng.normal(size=20) / np.sqrt(20)
        imputed = centre[:, None] + spread[:, None] * rng.normal(size=(20, 20))
        full = np.concatenate([np.tile(known, (20, 1)), imputed], axis=1)
        pooled = pool_estimates(full.mean(axis=1), full.var(axis=1, ddof=1) / 40, 39)
        held += pooled.low <= 0 <= pooled.high
    assert 930 <= held <= 970


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0]), "1 and 1 numbers; give one of each for 2"),
        (([1.0, 2.0], [1.0]), "2 and 1 numbers"),
        (([1.0, 2.0], [1.0, 0.0]), "variances has 1 of 2 that are not above 0"),
        (([1.0, 2.0], [1.0, 1.0], 0), "df_complete is 0"),
        (([1.0, np.nan], [1.0, 1.0]), "1 that are not finite.*leave out"),
        ((["a", "b"], [1.0, 1.0]), "estimates are not numeric"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        pool_estimates(*arguments)
