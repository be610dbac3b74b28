"""Read the wanted columns of a table: found by name, numbers in one unit, words without blanks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._validation import guess
from skosteo.clinical.bmi import BodyMassIndex
from skosteo.clinical.columns import check_cells, is_numbers, read_numbers, read_words
from skosteo.clinical.report_text import is_label_leaking_name
from skosteo.clinical.values import declared_units, warn_of_values
from skosteo.clinical.variables import is_variable, recognise, resolve_column
from skosteo.exceptions import InputError

Values = NDArray[np.float64]
# Functions between a warning and the line of the user; scikit-learn wraps transform, not fit
_LEVEL_OF_FIT, _LEVEL_OF_TRANSFORM = 5, 6

# Variables that are report text
REPORT_TEXTS = ("xray_diagnosis", "xray_description")


def kind_of(table: pd.DataFrame, column: str, text_columns: Sequence[str]) -> str:
    """Say whether a column is a "number", a "category" or report "text"."""
    if column not in table.columns:  # the body mass index, to be computed
        return "number"
    hits = map(recognise, text_columns)
    meant = any(hit and is_variable(column, hit.variable.name) for hit in hits)
    if meant or column in text_columns:
        return "text"
    check_cells(table[column], column)
    return "number" if is_numbers(table[column], column) else "category"


class TableReader:
    """Read the wanted columns of a table, as `fit` has found them to be.

    Takes parameters of `skosteo.ClinicalPreprocessor`. ``sources`` has the column of the table by
    the column put out, in order ("bmi" for one that the table lacks); ``numbers``, ``categories``
    and ``texts`` are the columns put out, by kind.
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
        for name, value in (("columns", columns), ("text_columns", text_columns)):
            if isinstance(value, str):
                raise InputError(f"{name}={value!r}: give a list of names, such as [{value!r}].")
        self.columns, self.text_columns = columns, text_columns
        self.units, self.infinities = units, infinities
        self.sources: dict[str, str] = {}
        self._limits: dict[str, tuple[float, float]] = {}

    def fit(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Find the columns, their kinds, units and limits, and read them."""
        self._declared = declared_units(table, self.units)
        wanted = self._choose(table)
        self.bmi = BodyMassIndex(table, wanted, add=self.columns is None)
        names = {column: hit.variable.name for column, hit in self._declared.items()}
        for column in dict.fromkeys([*wanted, *self.bmi.columns]):
            name = names.get(column, column)
            if name in self.sources:
                raise InputError(
                    f"{self.sources[name]!r} and {column!r} would both come out as {name!r}. Keep "
                    "one of them."
                )
            self.sources[name] = column
        kinds = {
            name: kind_of(table, column, self.text_columns) for name, column in self.sources.items()
        }
        self.numbers, self.categories, self.texts = (
            [name for name in self.sources if kinds[name] == kind]
            for kind in ("number", "category", "text")
        )
        read = self._read(table, fitting=True)
        if self.bmi.is_new and self.columns is None and read["bmi"].isna().all():
            # nobody asked for it, and a height in metres gives none
            del self.sources["bmi"], read["bmi"]
            self.numbers.remove("bmi")
            self.bmi = BodyMassIndex(table, [], add=False)
        if empty := [self.sources[name] for name in read if read[name].isna().all()]:
            raise InputError(
                f"The columns {empty} hold no value in the {len(table)} rows to learn from. "
                "Leave them out."
            )
        return read

    def read(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Read the columns that `fit` has found; InputError where one is missing."""
        needed = dict.fromkeys(self.sources.values())
        if self.bmi.is_new:
            needed = {c: None for c in (*needed, *self.bmi.sources) if c != "bmi"}
        if missing := [c for c in needed if c not in table.columns]:
            raise InputError(
                f"X misses the columns {missing}{guess(missing[0], table.columns)} It has "
                f"{table.columns.tolist()}. Give the columns of fit."
            )
        return self._read(table, fitting=False)

    def _choose(self, table: pd.DataFrame) -> list[str]:
        """Columns to put out; "bmi" among them where it is named and not there."""
        if self.columns is None:
            if leaking := [c for c in table.columns if is_label_leaking_name(c)]:
                raise InputError(
                    f"The columns {leaking} look by their names as if they gave the answer away: "
                    "bone density, T-score, the diagnosis or its treatment. Leave them out; if "
                    "they are meant, name all columns to use in columns=."
                )
            return list(table.columns)
        wanted: list[str] = []
        for name in self.columns:
            column = resolve_column(table, name)
            if column is None and is_variable(name, "bmi"):
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
        return wanted

    def _read(self, table: pd.DataFrame, *, fitting: bool) -> dict[str, pd.Series]:
        sources = dict.fromkeys([*(self.sources[name] for name in self.numbers), *self.bmi.sources])
        if self.bmi.is_new:
            del sources["bmi"]
        numbers = {
            c: self._limited(c, read_numbers(table[c], c), fitting=fitting)
            for c in sources
            if c in table.columns
        }
        warn_of_values(
            pd.DataFrame(numbers, index=table.index),
            {c: hit.unit for c, hit in self._declared.items() if c in numbers},
            stacklevel=_LEVEL_OF_FIT if fitting else _LEVEL_OF_TRANSFORM,
        )
        known = {c: recognise(c) for c in self.bmi.sources}
        stated = {c: hit for c, hit in known.items() if hit} | self._declared
        self.bmi.fill(numbers, stated, len(table))
        read = {}
        for name, source in self.sources.items():
            if name not in self.numbers:
                read[name] = read_words(table[source])
                continue
            hit = self._declared.get(source)
            factor = hit.variable.factor(hit.unit) if hit else 1
            read[name] = pd.Series(numbers[source] * factor, index=table.index)
        return read

    def _limited(self, column: str, values: Values, *, fitting: bool) -> Values:
        """Refuse infinite values, or put the limits of `fit` in their place."""
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
