"""Synthetic inputs of a model: by its answers to them it knows when it has changed.

They are made of what the model says of its columns, and of chest films that are drawn; no patient's
row is among them.
"""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from skosteo._validation import is_missing, to_pandas
from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.columns import Category
from skosteo.clinical.density_regressor import DensityRegressor
from skosteo.clinical.text_components import ReportText
from skosteo.clinical.variables import recognise
from skosteo.datasets.phantom import draw_film
from skosteo.exceptions import InputError
from skosteo.image.film_estimator import FilmEstimator
from skosteo.persistence.content import parts

_N_ROWS, _WITHOUT_FILM, _WITHOUT_VALUES = 6, 4, 5
_TEXTS = ("heart enlarged, lungs clear", "no finding", "aorta tortuous, lungs clear")
# no cell of a file may be a path, which a model of films would open
_HARMLESS = re.compile(r"[\w .,()+-]{0,200}")

# A column by name: numbers, words, or films (n, h, w), which are 0 where there is none. An array
# has one column, "array"; a column of films without a name is "films"
Examples = Mapping[str, Any]


def make_examples(model: Any) -> dict[str, Any]:
    """Make inputs of six rows that a model answers, or of four where it needs all values.

    Raises
    ------
    InputError
        The model answers none that can be made.
    """
    names = getattr(model, "feature_names_in_", None)
    whole = _without_names(model) if names is None else _table(model, list(map(str, names)))
    reasons = {"it has no n_features_in_"} if not whole else set()
    for n_rows in (_N_ROWS, _WITHOUT_FILM) if whole else ():
        examples = {name: column[:n_rows] for name, column in whole.items()}
        try:
            answers = answer(model, examples)
        except Exception as error:  # whatever a foreign step says to inputs that it cannot take
            reasons.add(type(error).__name__)
        else:
            if np.isfinite(answers).all():
                return examples
    raise InputError(
        f"No synthetic rows could be made that the model answers ({', '.join(sorted(reasons))}). "
        "Give examples=, a table of a few rows as in fit that you have made up, none a patient's."
    )


def as_examples(X: Any) -> dict[str, Any]:
    """Return a table or array that a user has made up, films in it as arrays.

    Raises
    ------
    InputError
        It holds words that may be paths, or neither numbers, words nor films.
    """
    X = to_pandas(X)
    columns: dict[str, Any] = {} if isinstance(X, pd.DataFrame) else {"array": np.asarray(X)}
    for name, column in X.items() if isinstance(X, pd.DataFrame) else ():
        cells = column.tolist()
        if pd.api.types.is_numeric_dtype(column):
            columns[str(name)] = column.to_numpy(np.float64, na_value=np.nan)
        elif any(isinstance(cell, np.ndarray) for cell in cells):
            columns[str(name)] = np.stack(cells)
        else:
            columns[str(name)] = [None if is_missing(cell) else str(cell) for cell in cells]
    check_examples(columns)
    return columns


def check_examples(examples: Examples) -> None:
    """Refuse words that may be paths, and what is neither numbers, words nor films."""
    for column in examples.values():
        if isinstance(column, np.ndarray) and column.dtype.kind in "biuf":
            continue
        if not isinstance(column, list):
            raise InputError("Examples are numbers, words, and films as arrays of numbers.")
        if not all(c is None or (isinstance(c, str) and _HARMLESS.fullmatch(c)) for c in column):
            raise InputError(
                "Examples hold words of other signs than letters, digits, blanks and .,()+-, such "
                "as paths. Give films as arrays, and plain words."
            )


def is_density_regressor(model: Any) -> bool:
    """Whether a model is a regressor of skosteo, or a pipeline that ends in one."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return isinstance(model, DensityRegressor)


def answer(model: Any, examples: Examples) -> NDArray[np.float64]:
    """Answer each example: the probability of the second class, (n,), or means and spreads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are made up, and modalities that miss
        if is_density_regressor(model):
            return np.stack(model.predict(_as_input(examples), return_std=True))
        return np.asarray(model.predict_proba(_as_input(examples)), dtype=np.float64)[:, 1]


def decide(model: Any, examples: Examples) -> NDArray:
    """Return what the model's own ``predict`` says of each example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(model.predict(_as_input(examples)))


def _as_input(examples: Examples) -> Any:
    """Return examples as a model takes them: an array, a column of films or a table."""
    if "array" in examples:
        return examples["array"]
    if "films" in examples:
        return _as_films(examples["films"]).to_numpy()
    films = {name for name, column in examples.items() if getattr(column, "ndim", 1) > 1}
    return pd.DataFrame({n: _as_films(c) if n in films else c for n, c in examples.items()})


def _as_films(stack: NDArray) -> pd.Series:
    return pd.Series([film if film.any() else None for film in stack], dtype=object)


def _films() -> NDArray[np.uint8]:
    """Draw small chest films (n, 64, 54), black where a row is to have none."""
    films = np.zeros((_N_ROWS, 64, 54), dtype=np.uint8)
    for row in set(range(_N_ROWS)) - {_WITHOUT_FILM}:
        film = draw_film(anatomy=row, random_state=row)
        films[row] = 255 * film.reshape(64, 8, 54, 8).mean(axis=(1, 3))
    return films


def _table(model: Any, names: list[str]) -> dict[str, Any]:
    """Make a column for each name, of what the parts of the model say of it."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for name in names:
        hit = recognise(name)
        columns[name] = np.arange(_N_ROWS) % 2 * 1.0  # a flag, where nothing is known of it
        if hit is not None and hit.variable.plausible is not None:
            low, high = hit.variable.range_in(hit.unit)
            columns[name] = low + (high - low) * rng.uniform(0.4, 0.7, _N_ROWS)
    for part in parts(model):
        found = _of_part(part, names, rng)
        films = {name for name, column in columns.items() if getattr(column, "ndim", 1) > 1}
        columns |= {name: column for name, column in found.items() if name not in films}
    for name in columns:
        if isinstance(columns[name], np.ndarray) and columns[name].ndim == 1:
            columns[name][_WITHOUT_VALUES] = np.nan
        elif isinstance(columns[name], list):
            columns[name][_WITHOUT_VALUES] = None
    return columns


def _of_part(part: Any, names: list[str], rng: np.random.Generator) -> dict[str, Any]:
    """Columns that a part of a model knows: films, numbers and their spread, words, texts."""
    if isinstance(part, FilmEstimator):
        column = getattr(part, "_column", None)
        return {column: _films()} if column in names else {}
    if isinstance(part, ClinicalPreprocessor) and hasattr(part, "columns_"):
        sources = part._reader.sources
        known = {sources[name]: _of_step(step, rng) for name, step in part.columns_.items()}
        return {name: c for name, c in known.items() if name in names and c is not None}
    state = getattr(part, "__dict__", {})  # not what a frozen model says of another
    own = [str(name) for name in state.get("feature_names_in_", ())]
    scaler = state.get("scaler_", part)
    mean, scale = getattr(scaler, "mean_", None), getattr(scaler, "scale_", None)
    if mean is not None and scale is not None and len(own) == len(mean):
        drawn = mean + scale * rng.normal(size=(_N_ROWS, len(own)))
        return {name: drawn[:, i].copy() for i, name in enumerate(own) if name in names}
    levels = getattr(part, "categories_", ())
    if len(own) and len(own) == len(levels):
        words = {name: _words(list(known)) for name, known in zip(own, levels, strict=True)}
        return {name: column for name, column in words.items() if name in names and column}
    return {}


def _of_step(step: Any, rng: np.random.Generator) -> Any:
    if isinstance(step, Category):
        return _words(step.words_) or _words(["other"])
    if isinstance(step, ReportText):
        return _cycled(_TEXTS)
    value = step.value_
    return value * rng.uniform(0.9, 1.1, _N_ROWS) if np.isfinite(value) and value else None


def _words(levels: list[Any]) -> list[str | None]:
    return _cycled([w for w in levels if isinstance(w, str) and _HARMLESS.fullmatch(w)])


def _cycled(words: Any) -> list[str | None]:
    return [words[row % len(words)] for row in range(_N_ROWS)] if words else []


def _without_names(model: Any) -> dict[str, Any]:
    """Make an array, where the model was not given a table."""
    rng = np.random.default_rng(0)
    for part in parts(model):
        if isinstance(part, FilmEstimator) and hasattr(part, "reader_"):
            return _films_or_pixels(part, rng)
    k = getattr(model, "n_features_in_", None)
    if k is None:
        return {}
    array = rng.normal(size=(_N_ROWS, k))
    for part in parts(model):
        scaler = getattr(part, "scaler_", part)
        mean, scale = getattr(scaler, "mean_", None), getattr(scaler, "scale_", None)
        if mean is not None and scale is not None and len(mean) == k:
            return {"array": mean + scale * array}
    return {"array": array}


def _films_or_pixels(part: Any, rng: np.random.Generator) -> dict[str, Any]:
    if part._film_shape is None:
        return {"films": _films()}
    if not hasattr(part, "pixel_range_"):  # as an estimator of a net has
        return {"array": rng.random((_N_ROWS, *part._film_shape))}
    channels, height, width = part._film_shape
    low, high = part.pixel_range_
    coarse = rng.uniform(0.1, 1, (_N_ROWS, -(-height // 8), -(-width // 8)))
    films = np.kron(coarse, np.ones((8, 8)))[:, :height, :width] * (high - low) + low
    films = films.astype(part._pixel_dtype)
    if part.n_features_in_ == width and height == 1:
        films = films[:, 0]
    elif part.n_features_in_ == channels != height:
        films = np.repeat(films[:, None], channels, axis=1)
    return {"array": films}
