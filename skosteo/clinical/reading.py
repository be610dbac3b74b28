"""Read the wanted columns of a table: found by name, numbers in one unit, words without blanks."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo._validation import guess, refuse_cells
from skosteo.clinical.bmi import BodyMassIndex
from skosteo.clinical.columns import as_word, check_cells, is_numbers, read_numbers, read_words
from skosteo.clinical.giveaways import is_of_relatives
from skosteo.clinical.report_text import is_label_leaking_name
from skosteo.clinical.values import declared_units, warn_of_values
from skosteo.clinical.variables import (
    VARIABLES,
    Recognised,
    find_column,
    is_variable,
    recognise,
    resolve_column,
    states_unit,
)
from skosteo.exceptions import InputError, ValuesWarning

Values = NDArray[np.float64]
# Functions between a warning and the line of the user; scikit-learn wraps transform, not fit
_LEVEL_OF_FIT, _LEVEL_OF_TRANSFORM = 5, 6

# RIAGENDR, by the survey's codebook
_NHANES_SEX = {"1": "M", "2": "F"}

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
        absent: str,
    ) -> None:
        if infinities not in ("error", "clip"):
            raise InputError(f"infinities={infinities!r}: allowed are 'error' and 'clip'.")
        if absent not in ("error", "impute"):
            raise InputError(f"absent={absent!r}: allowed are 'error' and 'impute'.")
        for name, value in (("columns", columns), ("text_columns", text_columns)):
            if isinstance(value, str):
                raise InputError(f"{name}={value!r}: give a list of names, such as [{value!r}].")
            refuse_cells(value, name)
        self.columns, self.text_columns = columns, text_columns
        self.units, self.infinities, self.absent = units, infinities, absent
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
        columns = [*self.sources.values(), *self.bmi.sources]
        places = {c: c for c in columns if c in table.columns}
        read = self._read(table, places, fitting=True)
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
        """Read the columns that `fit` has found, under their names or others of the variable."""
        places, needed = self._places(table)
        if missing := [c for c in needed if c not in places]:
            if self.absent == "error" or len(missing) == len(needed):
                raise InputError(
                    f"X misses the columns {missing}{guess(missing[0], table.columns)} It has "
                    f"{table.columns.tolist()}. Give the columns of fit, or absent='impute'."
                )
            warnings.warn(
                f"X misses the columns {missing}: all {len(table)} rows are taken as missing these "
                "values, and get what fit learnt to put there.",
                ValuesWarning,
                stacklevel=4,
            )
        return self._read(table, places, fitting=False)

    def finds_all(self, table: pd.DataFrame) -> bool:
        """Whether a table has all columns that `fit` has found."""
        places, needed = self._places(table)
        return all(column in places for column in needed)

    def _places(self, table: pd.DataFrame) -> tuple[dict[str, str], list[str]]:
        """Say where a table has the columns of `fit`, and which of these it needs."""
        columns = dict.fromkeys([*self.sources.values(), *self.bmi.sources])
        if self.bmi.is_new:
            del columns["bmi"]
        places = {c: place for c in columns if (place := self._place(table, c, columns))}
        return places, [*columns] if self.bmi.is_new else [*self.sources.values()]

    def __getstate__(self) -> dict[str, Any]:
        """Everything as plain values: a declared unit as the names of variable and unit."""
        declared = {c: (hit.variable.name, hit.unit) for c, hit in self._declared.items()}
        return vars(self) | {"_declared": declared}

    def __setstate__(self, state: dict[str, Any]) -> None:
        declared = {
            c: Recognised(VARIABLES[name], u) for c, (name, u) in state["_declared"].items()
        }
        vars(self).update(state | {"_declared": declared})

    def _place(self, table: pd.DataFrame, column: str, columns: Collection[str]) -> str | None:
        """Where a table has a column of `fit`: under its name, or as the one of its variable."""
        if column in table.columns:
            return column
        hit = recognise(column)
        if hit is None or sum(is_variable(c, hit.variable.name) for c in columns) > 1:
            return None  # of two columns of one variable, either could be meant
        return find_column(table, hit.variable.name)

    def _choose(self, table: pd.DataFrame) -> list[str]:
        """Columns to put out; "bmi" among them where it is named and not there."""
        if self.columns is None:
            leaking = [c for c in table if is_label_leaking_name(c) and not is_of_relatives(c)]
            if leaking:
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

    def _read(
        self, table: pd.DataFrame, places: Mapping[str, str], *, fitting: bool
    ) -> dict[str, pd.Series]:
        """Read a table that has the columns of `fit` at ``places``; others are all missing."""
        numeric = {self.sources[name] for name in self.numbers} | set(self.bmi.sources)
        units = {c: self._unit(c, place) for c, place in places.items() if c in numeric}
        raw = {c: read_numbers(table[places[c]], places[c]) for c in units}
        warn_of_values(
            pd.DataFrame({places[c]: values for c, values in raw.items()}, index=table.index),
            {places[c]: hit.unit for c, hit in units.items() if hit},
            stacklevel=_LEVEL_OF_FIT if fitting else _LEVEL_OF_TRANSFORM,
        )
        numbers = {}
        for c, hit in units.items():
            values = raw[c]
            if hit and (own := self._unit(c, c)):  # in the unit of fit
                values = values * (hit.variable.factor(hit.unit) / own.variable.factor(own.unit))
            numbers[c] = self._limited(c, values, fitting=fitting)
        known = {c: recognise(c) for c in self.bmi.sources}
        stated = {c: hit for c, hit in known.items() if hit} | self._declared
        self.bmi.fill(numbers, stated, len(table))
        return {name: self._column(name, table, places, numbers) for name in self.sources}

    def _column(
        self,
        name: str,
        table: pd.DataFrame,
        places: Mapping[str, str],
        numbers: Mapping[str, Values],
    ) -> pd.Series:
        """Return what is put out under a name: numbers in its unit, or words."""
        source = self.sources[name]
        if name in self.numbers:
            hit = self._declared.get(source)
            factor = hit.variable.factor(hit.unit) if hit else 1
            values = numbers.get(source, np.full(len(table), np.nan))
            return pd.Series(values * factor, index=table.index)
        if source not in places:
            return pd.Series(None, index=table.index, dtype=object)
        words = read_words(table[places[source]])
        if places[source].upper() != "RIAGENDR":
            return words
        return words.astype(object).map(lambda code: _NHANES_SEX.get(as_word(code), code))

    def _unit(self, column: str, place: str) -> Recognised | None:
        """Say the unit of the values at a place: declared for it, or stated by its name."""
        stated = recognise(place)
        if place != column and stated and states_unit(place):
            return stated
        return self._declared.get(column, stated)

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
