"""What the classifier and the regressor of a table share."""

import traceback

import numpy as np
import pandas as pd
import pytest

from skosteo.exceptions import InputError
from tests.clinical.test_classifier import cohort
from tests.small_models import small_clinical, small_clinical_regressor


def test_units_do_not_matter_because_columns_are_standardised():
    X, y = cohort()
    for make in (small_clinical, small_clinical_regressor):
        t_score = y + X[:, 0] / 10
        target = y if make is small_clinical else t_score
        metric, other = (make().fit(X * k, target)._outputs(X * k) for k in (1, 18.0))
        np.testing.assert_allclose(metric, other, atol=1e-9)


def test_rows_of_weight_zero_do_not_exist():
    X, y = cohort(100)
    rubbish = np.vstack([X, np.full((50, 4), 1e3)])
    weights = np.repeat([1, 0], [100, 50])
    # the scale, too, is learnt from the rows that count
    with_rubbish = small_clinical().fit(rubbish, np.append(y, np.ones(50, int)), weights)
    np.testing.assert_array_equal(
        with_rubbish.predict_proba(X), small_clinical().fit(X, y).predict_proba(X)
    )


class TestTextsInX:
    """Cells are patients' data: no error shows one, not even as its cause."""

    X = pd.DataFrame({"age": [61.0, 70, 80, 65] * 5, "who": ["Anna Example", "x", "y", "z"] * 5})
    y = np.tile([0, 1], 10)

    @pytest.mark.filterwarnings("ignore:X does not have valid feature names")
    @pytest.mark.parametrize("kind", [pd.DataFrame, np.array])
    def test_are_refused_without_showing_them(self, kind):
        X = kind(self.X) if kind is pd.DataFrame else self.X.to_numpy()
        fitted = small_clinical().fit(self.X[["age"]], self.y)
        named = self.X[["who"]].set_axis(["age"], axis=1)
        for call in (
            lambda: small_clinical().fit(X, self.y),
            lambda: fitted.predict_proba(named if kind is pd.DataFrame else named.to_numpy()),
            lambda: fitted.fit(self.X[["age"]], self.y, sample_weight=self.X["who"].to_numpy()),
        ):
            with pytest.raises(InputError, match="texts that are no numbers") as error:
                call()
            assert "Anna" not in "".join(traceback.format_exception(error.value))
            assert error.value.__context__ is None

    def test_are_named_by_column(self):
        with pytest.raises(InputError, match=r"in the columns \['who'\].*ClinicalPreprocessor"):
            small_clinical().fit(self.X, self.y)
