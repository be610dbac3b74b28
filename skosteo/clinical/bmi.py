"""Body mass index, computed from height and weight where a table lacks it or misses values."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.clinical.values import within
from skosteo.clinical.variables import VARIABLES, Recognised, is_variable
from skosteo.exceptions import InputError


class BodyMassIndex:
    """The step between reading numbers and imputing them.

    ``columns`` of body mass index are put out: those ``wanted``, and with ``add`` a new one where
    it can be computed. ``sources`` are the one height and the one weight of the table it comes from
    (of two, either could be meant); empty where nothing is computed. ``is_new`` says whether the
    table has no such column.
    """

    def __init__(self, table: pd.DataFrame, wanted: Sequence[str], *, add: bool) -> None:
        heights, weights = (
            [c for c in table.columns if is_variable(c, name)]
            for name in ("height_cm", "weight_kg")
        )
        computable = len(heights) == len(weights) == 1
        self.columns = [c for c in wanted if is_variable(c, "bmi")]
        if add and computable and not self.columns:
            self.columns = ["bmi"]
        self.is_new = "bmi" in self.columns and "bmi" not in table.columns
        if self.is_new and not computable:
            raise InputError(
                "columns names the body mass index; X has neither it nor one height and one weight "
                f"to compute it from. Its columns are {table.columns.tolist()}."
            )
        self.sources = [*heights, *weights] if self.columns and computable else []

    def fill(
        self, numbers: dict[str, NDArray[np.float64]], stated: dict[str, Recognised], n_rows: int
    ) -> None:
        """Put what is computed where a value is missing, in place; ``stated`` has the units."""
        bmi = np.full(n_rows, np.nan)
        # those that only fill missing values may be absent themselves after `fit`
        if self.sources and set(self.sources) <= set(numbers):
            bmi = body_mass_index(
                *(numbers[c] * stated[c].variable.factor(stated[c].unit) for c in self.sources)
            )
        for column in self.columns:
            values = numbers.get(column, bmi)
            numbers[column] = np.where(np.isnan(values), bmi, values)


def body_mass_index(height_cm: NDArray, weight_kg: NDArray) -> NDArray[np.float64]:
    """Weight / height^2 in kg/m2, NaN where height, weight or the result is not plausible."""
    height = np.where(within(height_cm, VARIABLES["height_cm"], "cm"), height_cm, np.nan)
    weight = np.where(within(weight_kg, VARIABLES["weight_kg"], "kg"), weight_kg, np.nan)
    bmi = weight / (height / 100) ** 2
    return np.where(within(bmi, VARIABLES["bmi"], "kg/m2"), bmi, np.nan)
