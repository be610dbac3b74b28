"""Tables scored by a fitted model: a film that cannot be read is a row that says so, no end."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skosteo._validation import (
    check_image_column,
    check_table,
    gives_probabilities,
    missing_cells,
    named_columns,
)
from skosteo.exceptions import InputError, ModelFileError, SkosteoError
from skosteo.fusion.columns import gaps_told, renumbering
from skosteo.image.film_estimator import FilmEstimator
from skosteo.persistence import load_model
from skosteo.persistence.content import parts
from skosteo.persistence.model_file import no_model_file
from skosteo.recalibration.threshold import decides_by_risk, threshold_of

COLUMNS = ("probability", "predicted", "answered_by", "status", "rule", "reason")
SCORED, PARTLY, NOT = "scored", "scored in part", "not scored"
_AT_A_TIME = 4  # models of files that a process keeps
_LOADING = Lock()


@lru_cache(maxsize=_AT_A_TIME)
def _loaded(path: str, digest: str) -> Any:
    """Load the model that a scorer was made for, and no other that has taken its place."""
    _check_same(path, digest)
    model = load_model(path)
    _check_same(path, digest)
    return model


def _check_same(path: str, digest: str) -> None:
    if _digest(path) != digest:
        raise ModelFileError(
            "The model's file is not the one that the scorer was made for. Put that one back, or "
            "make a new scorer and score all rows by it."
        )


def _digest(path: str) -> str:
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{no_model_file(path)} It has to lie there wherever rows are scored, until the last "
            "one is."
        )
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _refusals_in_words(table: pd.DataFrame, model: Any) -> Iterator[None]:
    """Say without a cell of a patient's what scikit-learn's estimators refuse with one."""
    try:
        yield
    except SkosteoError:
        raise
    except ValueError:
        absent = [name for name in getattr(model, "feature_names_in_", ()) if name not in table]
        came = "The model takes numbers without missing values alone, and finds others."
        if absent:
            came = f"The table has no columns {absent}, which the model needs."
        raise InputError(f"{came} Look at the columns, or put an imputer into the model.") from None


class Scorer:
    """Score tables by a fitted model, row by row.

    Parameters
    ----------
    model : path, or classifier
        A file of `save_model`, which is loaded at the first table, once in a process; or a fitted
        classifier with ``predict_proba``.
    keep : list of str, default=()
        Columns of the tables to come that the scores begin with, such as the number of a study:
        engines that compute on many machines keep neither index nor order.
    image_column : str, default=None
        Column of the films in the tables to come; None: the name that it had in `fit`.
    n_jobs : int, default=None
        Films read at a time, as in `RadiographReader`.

    Raises
    ------
    FileNotFoundError
        The model's file is not there. What it holds is looked at with the first table.

    Notes
    -----
    Every film is decoded once. One that is refused or cannot be read is taken as missing: a fusion
    that can answer without it does so, and the row says which branches did. So a scorer gives what
    ``model.predict_proba`` gives, where that does not end in an error.

    It can be pickled: of a path nothing but the SHA-256 of its file is carried, and each process
    loads the model itself; where the file is another by then, that is an error. So joblib, Ray,
    Dask and Spark can score parts of a table, each on its own. The columns of the scores and their
    types are always the same, those of no rows too: ``scorer(table[:0])`` shows them.

    Examples
    --------
    >>> import pandas as pd
    >>> from skosteo import RiskIndexClassifier, Scorer
    >>> table = pd.DataFrame({"age": [50, 80], "weight_kg": [90, 48]})
    >>> scorer = Scorer(RiskIndexClassifier("osta").fit(table, [0, 1]))
    >>> scorer(table)[["predicted", "status"]]
       predicted  status
    0          0  scored
    1          1  scored
    """

    def __init__(
        self,
        model: Any,
        *,
        keep: Sequence[str] = (),
        image_column: str | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self._digest: str | None = None
        if isinstance(model, str | os.PathLike):
            model = os.path.abspath(model)  # processes elsewhere have other working folders
            self._digest = _digest(model)
        self._given, self._keep = model, keep
        self._image_column, self._n_jobs = image_column, n_jobs

    def __call__(self, X: Any) -> pd.DataFrame:
        """Score a table.

        Parameters
        ----------
        X : DataFrame of n rows
            The columns of `fit`, and any others, in any order.

        Returns
        -------
        DataFrame of n rows, with the index of X
            The columns of ``keep``; ``probability`` of the positive class, NaN where nothing
            answers; ``predicted``, the class at the model's threshold, missing there (a nullable
            type of pandas); ``answered_by``, the branches, joined by "+"; ``status``: "scored",
            "scored in part" (without a branch) or "not scored"; ``rule`` that refused the film,
            and ``reason`` why it was not read, or "".

        Raises
        ------
        InputError
            A column is missing, or holds what the model cannot take.
        ModelFileError
            The model's file is none, or another than when the scorer was made.
        FileNotFoundError
            The model's file is not there any more.
        """
        X = check_table(X)
        kept = self._kept(X)
        table, unread = self.read(X)
        used, answers = self.answering(table, unread)
        found = used.to_numpy(bool)
        probability = np.full(len(X), np.nan)
        positive = np.zeros(len(X), dtype=bool)
        if answers.any():
            renumbered = renumbering(np.flatnonzero(answers), len(X))
            with _refusals_in_words(table, self.model), gaps_told(), renumbered:
                probability[answers] = self.model.predict_proba(table[answers])[:, 1]
                positive[answers] = self._decided(table[answers], probability[answers])
        classes = pd.array(
            np.asarray(self.model.classes_).tolist()
        )  # of a type that may be missing
        status = np.where(found.all(axis=1), SCORED, PARTLY)
        names = [" + ".join(used.columns[row]) for row in found]
        predicted = classes.take(np.where(answers, positive, -1), allow_fill=True)
        texts = np.where(answers, names, ""), np.where(answers, status, NOT), *unread.to_numpy().T
        found_by_column = (probability, predicted, *(pd.array(text, dtype="str") for text in texts))
        return kept.assign(**dict(zip(COLUMNS, found_by_column, strict=True)))

    def _kept(self, X: pd.DataFrame) -> pd.DataFrame:
        """Columns of a table that the scores begin with."""
        names = named_columns(X, self._keep, "keep")
        taken = [name for name in names if name in COLUMNS]
        if taken:
            raise InputError(
                f"keep names {taken}, which are columns of the scores. Rename them in the table."
            )
        return X[[*dict.fromkeys(names)]]

    def _decided(self, table: pd.DataFrame, probability: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each row is positive, as the model's own ``predict`` says."""
        if decides_by_risk(self.model):
            return probability >= threshold_of(self.model, None)[0]
        return self.model.predict(table) == self.model.classes_[1]

    @cached_property
    def model(self) -> Any:
        """The fitted model."""
        if self._digest is None:
            model = self._given
            check_is_fitted(model)
        else:
            with _LOADING:
                model = _loaded(self._given, self._digest)
        if not gives_probabilities(model):
            raise InputError(
                f"{type(model).__name__} is no classifier with predict_proba, whose probabilities "
                "a Scorer gives. Of a regressor call predict or probability_below."
            )
        return model

    @property
    def image_column(self) -> str | None:
        """Column of the films in the tables to come; None where the model reads none by name."""
        net = self._image_net
        return None if net is None else self._image_column or str(net._column)

    def __getstate__(self) -> dict[str, Any]:
        names = ("_given", "_digest", "_keep", "_image_column", "_n_jobs")
        return {name: vars(self)[name] for name in names}

    @cached_property
    def _image_net(self) -> FilmEstimator | None:
        """The part whose column of films is read here; None where the model reads no films."""
        nets = [
            part
            for part in parts(self.model)
            if isinstance(part, FilmEstimator) and hasattr(part, "reader_")
        ]
        if any(net._column is None for net in nets):
            raise InputError(
                "The model was fitted on films or pixels by themselves, not on a table. Fit it on "
                "a table with a column of films, X[['image']], or call its predict_proba."
            )
        read = {(n._column, n.reader_.size, tuple(n.reader_.ignore_rules)) for n in nets}
        if len(read) > 1:
            raise InputError(
                f"The model reads films in {len(read)} ways, of several columns, sizes or rules. "
                "Score its parts one by one."
            )
        return nets[0] if nets else None

    @cached_property
    def _fusion(self) -> Any:
        """The fusion in the model that says who answers, or None; several alike say the same."""
        fusions = [p for p in parts(self.model) if hasattr(type(p), "branches_used")]
        found = [fusion for fusion in fusions if hasattr(fusion, "classes_")]
        alike = {(type(p), getattr(p, "strategy_", None), str(p.columns_)) for p in found}
        return found[0] if len(alike) == 1 else None

    @property
    def _needs_all(self) -> bool:
        return (
            self._fusion is None or getattr(self._fusion, "strategy_", "attention") != "attention"
        )

    def _named(self, X: pd.DataFrame) -> pd.DataFrame:
        """Name the column of films as in `fit`, and leave out what `fit` has not seen."""
        net, asked = self._image_net, self._image_column
        if net is None and asked is not None:
            raise InputError("The model reads no column of films: leave image_column out.")
        if net is not None and asked not in (None, net._column):
            check_image_column(X, asked, "Name the column of the films by image_column.")
            X = X.drop(columns=net._column, errors="ignore").rename(columns={asked: net._column})
        known = getattr(self.model, "feature_names_in_", ())
        return X[[*known]] if len(known) and set(known) <= set(X.columns) else X

    def read(self, X: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read the films of a table: what the model is to see of it, and why films are missing.

        Films are pixels there, None where they were not read. All of them are in memory.
        """
        check_table(X)
        X = self._named(X)
        unread = pd.DataFrame({"rule": "", "reason": ""}, index=range(len(X)), dtype=object)
        net = self._image_net
        if net is None or not len(X):
            return X, unread
        column = str(net._column)
        check_image_column(X, column, "Name the column of the films by image_column.")
        reader = clone(net.reader_).set_params(errors="report", cache_dir=None, n_jobs=self._n_jobs)
        pixels = reader.transform(X[column])
        report = reader.report_.set_index("position")
        unread.loc[report.index, "rule"] = report["rule"].fillna("")
        unread.loc[report.index, "reason"] = report["reason"]
        films = [film if film.any() else None for film in pixels]
        return X.assign(**{column: pd.Series(films, X.index, dtype=object)}), unread

    def answering(
        self, table: pd.DataFrame, unread: pd.DataFrame
    ) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
        """Which branches find anything in each row of `read`, (n, k); which rows are answered."""
        if self._fusion is not None:
            used = self._fusion.branches_used(table).reset_index(drop=True)
        else:
            name = "model" if self._image_net is None else "image"
            known = [n for n in getattr(self.model, "feature_names_in_", ()) if n in table]
            present = (unread["reason"] == "").to_numpy()
            if self._image_net is None and known:
                present = ~np.all([missing_cells(table[name]) for name in known], axis=0)
            used = pd.DataFrame({name: present})
        found = used.to_numpy(bool)
        return used, np.asarray(found.all(axis=1) if self._needs_all else found.any(axis=1))
