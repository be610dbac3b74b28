"""The columns of a table that are wanted, found by name, their numbers read, their units one."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._validation import guess
from skosteo.clinical.answers import names_answer
from skosteo.clinical.columns import check_cells, is_numbers, read_numbers, read_words
from skosteo.clinical.values import body_mass_index, declared_units, warn_of_values
from skosteo.clinical.variables import recognise, resolve_column
from skosteo.exceptions import InputError

# Functions between a warning and the line of the user; scikit-learn wraps transform, not fit
_LEVEL_OF_FIT, _LEVEL_OF_TRANSFORM = 5, 6


class TableReader:
    """Read the wanted columns of a table, as `fit` has found them to be.

    Parameters
    ----------
    columns, text_columns, units, infinities
        As in `skosteo.ClinicalPreprocessor`.

    Attributes
    ----------
    sources : dict of str to str
        Column of the table by column put out, in order; "bmi" for one that the table lacks.
    numbers, categories, texts : list of str
        Columns put out, by kind.
    bmi_from : list of str
        Columns of height and weight; empty where the body mass index is not computed.
    """

    def __init__(
        self,
        columns: Sequence[str] | None,
        text_columns: Sequence[str],
        units: Mapping[str, str] | None,
        infinities: str,
    ) -> None:
        if infinities not in ("error", "clip"):
            raise InputError(f"infinities={infinities!r}: allowed are 'error' and 'clip'.")
        self.columns, self.text_columns = columns, text_columns
        self.units, self.infinities = units, infinities
        self.sources: dict[str, str] = {}
        self.bmi_from: list[str] = []
        self._bmi: list[str] = []
        self._added = False
        self._limits: dict[str, tuple[float, float]] = {}

    def fit(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Find the columns, their kinds, units and limits, and read them."""
        self._declared = declared_units(table, self.units)
        wanted = self._choose(table)
        for column in wanted:
            name = self._declared[column].variable.name if column in self._declared else column
            if name in self.sources:
                raise InputError(
                    f"{self.sources[name]!r} and {column!r} would both come out as {name!r}. Keep "
                    "one of them."
                )
            self.sources[name] = column
        kinds = {name: self._kind(table, column) for name, column in self.sources.items()}
        self.numbers, self.categories, self.texts = (
            [name for name in self.sources if kinds[name] == kind]
            for kind in ("number", "category", "text")
        )
        read = self._read(table, fitting=True)
        if self._added and self.columns is None and read["bmi"].isna().all():
            # nobody asked for it, and a height in metres gives none
            del self.sources["bmi"], read["bmi"]
            self.numbers.remove("bmi")
            self.bmi_from, self._bmi, self._added = [], [], False
        empty = [self.sources[name] for name in read if read[name].isna().all()]
        if empty:
            raise InputError(
                f"The columns {empty} hold no value in the {len(table)} rows to learn from. "
                "Leave them out."
            )
        return read

    def read(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Read the columns that `fit` has found; InputError where one is missing."""
        needed = [c for c in self.sources.values() if not (self._added and c == "bmi")]
        needed += [c for c in self.bmi_from if self._added and c not in needed]
        missing = [c for c in needed if c not in table.columns]
        if missing:
            raise InputError(
                f"X misses the columns {missing}{guess(missing[0], table.columns)} It has "
                f"{table.columns.tolist()}. Give the columns of fit."
            )
        return self._read(table, fitting=False)

    def _choose(self, table: pd.DataFrame) -> list[str]:
        """Columns to put out; "bmi" among them where it is to be computed."""
        for name, value in (("columns", self.columns), ("text_columns", self.text_columns)):
            if isinstance(value, str):
                raise InputError(f"{name}={value!r}: give a list of names, such as [{value!r}].")
        wanted = list(table.columns) if self.columns is None else []
        answers = [c for c in wanted if names_answer(c)]
        if answers:
            raise InputError(
                f"The columns {answers} look by their names as if they gave the answer away: bone "
                "density, T-score, the diagnosis or its treatment. Leave them out; if they are "
                "meant, name all columns to use in columns=."
            )
        for name in self.columns or []:
            column = resolve_column(table, name)
            if column is None and _is(name, "bmi"):
                column = "bmi"
            if column is None:
                raise InputError(
                    f"columns names {name!r}, which X does not have{guess(name, table.columns)} "
                    f"Its columns are {table.columns.tolist()}."
                )
            if column in wanted:
                raise InputError(f"columns names {column!r} twice. Name it once.")
            wanted.append(column)
        if not wanted:
            raise InputError("columns is empty. Name at least one, or give None for all.")
        heights, weights = (
            [c for c in table.columns if _is(c, name)] for name in ("height_cm", "weight_kg")
        )
        computable = len(heights) == len(weights) == 1
        if self.columns is None and computable and not any(_is(c, "bmi") for c in wanted):
            wanted.append("bmi")
        self._added = "bmi" in wanted and "bmi" not in table.columns
        if self._added and not computable:
            raise InputError(
                "columns names the body mass index; X has neither it nor one height and one weight "
                f"to compute it from. Its columns are {table.columns.tolist()}."
            )
        self._bmi = [c for c in wanted if _is(c, "bmi")]
        self.bmi_from = [*heights, *weights] if self._bmi and computable else []
        return wanted

    def _kind(self, table: pd.DataFrame, column: str) -> str:
        is_text = column in self.text_columns or any(
            hit and _is(column, hit.variable.name) for hit in map(recognise, self.text_columns)
        )
        if is_text:
            return "text"
        if column not in table.columns:  # the body mass index, to be computed
            return "number"
        check_cells(table[column], column)
        if is_numbers(table[column], column):
            return "number"
        return "category"

    def _read(self, table: pd.DataFrame, *, fitting: bool) -> dict[str, pd.Series]:
        sources = dict.fromkeys([*(self.sources[name] for name in self.numbers), *self.bmi_from])
        if self._added:
            sources.pop("bmi")
        # height and weight that only fill gaps may be missing after fit
        numbers = {c: read_numbers(table[c], c) for c in sources if c in table.columns}
        for column, values in numbers.items():
            numbers[column] = self._limited(column, values, fitting=fitting)
        stated = {c: hit.unit for c, hit in self._declared.items() if c in numbers}
        as_stated = pd.DataFrame(numbers, index=table.index)
        level = _LEVEL_OF_FIT if fitting else _LEVEL_OF_TRANSFORM
        warn_of_values(as_stated, stated, stacklevel=level)
        bmi = self._compute_bmi(numbers, len(table))
        read = {}
        for name, source in self.sources.items():
            if name not in self.numbers:
                read[name] = read_words(table[source])
                continue
            values = numbers.get(source, np.full(len(table), np.nan))
            if source in self._declared:
                values = self._canonical(values, source)
            values = np.where(np.isnan(values), bmi, values) if source in self._bmi else values
            read[name] = pd.Series(values, index=table.index)
        return read

    def _limited(
        self, column: str, values: NDArray[np.float64], *, fitting: bool
    ) -> NDArray[np.float64]:
        """Values without infinity: refused, or the limits of `fit` in its place."""
        if self.infinities == "error":
            if np.isinf(values).any():
                raise InputError(
                    f"The columns {[column]} hold infinity. Where it marks a detection limit, put "
                    "the limit itself there, or set infinities='clip'."
                )
            return values
        if fitting:
            finite = values[np.isfinite(values)]
            if len(finite):
                self._limits[column] = (finite.min(), finite.max())
            elif np.isinf(values).any():
                raise InputError(
                    f"Column {column!r} holds infinity and no number in {len(values)} rows, so "
                    "that there is no limit to learn. Leave it out."
                )
        low, high = self._limits.get(column, (np.nan, np.nan))
        return np.where(values == np.inf, high, np.where(values == -np.inf, low, values))

    def _compute_bmi(self, numbers: dict[str, NDArray], n_rows: int) -> NDArray[np.float64]:
        if not self.bmi_from or not set(self.bmi_from) <= set(numbers):
            return np.full(n_rows, np.nan)
        height, weight = (self._canonical(numbers[column], column) for column in self.bmi_from)
        return body_mass_index(height, weight)

    def _canonical(self, values: NDArray, column: str) -> NDArray[np.float64]:
        hit = self._declared.get(column) or recognise(column)
        return values * hit.variable.factor(hit.unit) if hit else values


def _is(column: object, name: str) -> bool:
    hit = recognise(column)
    return hit is not None and hit.variable.name == name
