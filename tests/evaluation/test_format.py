"""Figures are written as medical journals write them."""

import numpy as np
import pytest

from skosteo.evaluation._format import (
    interval_text,
    number_text,
    p_number_text,
    p_text,
    proportion_text,
    signed_text,
)

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (proportion_text(0.8123), ".812"),
        (proportion_text(0.9996), "1.000"),
        (proportion_text(0.05, 2), ".05"),
        (interval_text(0.8, 0.75, 1), ".800 [.750, 1.000]"),
        (interval_text(0.8, np.nan, np.nan), ".800 [\N{EM DASH}]"),
        (interval_text(np.nan, 0, 1), "not estimable"),
        (number_text(1.024, 0.88, 1.16), "1.02 [0.88, 1.16]"),
        (number_text(-0.001, -0.25, 0.2), "0.00 [-0.25, 0.20]"),
        (number_text(0.9, np.nan, np.nan), "0.90 [\N{EM DASH}]"),
        (number_text(np.nan, np.nan, np.nan), "not estimable"),
        (signed_text(-0.02, -0.1, 0.06), f"{MINUS}.020 [{MINUS}.100, +.060]"),
        (signed_text(1, np.nan, np.nan), "+1.000 [\N{EM DASH}]"),
        (p_text(0.0409), "P = .041"),
        (p_text(0.0998), "P = .10"),
        (p_text(1), "P = 1.00"),
        (p_text(1e-9), "P < .001"),
        (p_text(np.nan), "P not estimable"),
        (p_number_text(0.5), ".50"),
        (p_number_text(0.0001), "< .001"),
    ],
)
def test_as_in_print(text, expected):
    assert text == expected
