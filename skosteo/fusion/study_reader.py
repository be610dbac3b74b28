"""Reader of studies for a feature fusion: radiographs and clinical values as tensors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.preprocessing import StandardScaler
from torch import from_numpy

from skosteo._validation import to_pandas
from skosteo.exceptions import InputError
from skosteo.fusion.columns import (
    Part,
    check_present,
    finds_by_variable,
    renumbering,
    resolve_columns,
    split_columns,
)
from skosteo.image.classifier import ImageOsteoClassifier
from skosteo.training.data import Inputs
from skosteo.training.net_estimator import Plan


class StudyReader:
    """Read the tensors that a `skosteo.nets.feature_fusion.FeatureFusionNet` takes.

    Parameters
    ----------
    image : ImageOsteoClassifier
        Reads the radiographs.
    clinical : transformer
        From the clinical columns to numbers.
    clinical_columns : sequence of str or None
        None: all but the image column.
    needs_all : bool
        Whether each row must have a radiograph and each number of the clinical side.
    fit_image : bool
        Whether `image` is to learn from the radiographs, before it reads them.

    Attributes
    ----------
    columns : dict of str to list of str
        Columns of each side; empty for an array.
    scaler : StandardScaler
        Of the numbers that there are.
    variables : tuple of int
        For each number, which variable it belongs to.
    variable_names : list of str
        Names of these.
    """

    def __init__(
        self,
        image: ImageOsteoClassifier,
        clinical: Any,
        clinical_columns: Sequence[str] | None,
        *,
        needs_all: bool,
        fit_image: bool,
    ) -> None:
        self.image, self.clinical, self.clinical_columns = image, clinical, clinical_columns
        self.needs_all, self.fit_image = needs_all, fit_image

    def fit_read(self, X: Any, plan: Plan) -> Inputs:
        """Learn what X looks like, and read it.

        Parameters
        ----------
        X : DataFrame or ndarray of n rows
            Checked.
        plan : Plan
            Of the fit. The image branch sees the rows of ``train_on`` only: those of early stopping
            must be as new to its features as patients to come.

        Returns
        -------
        dict of str to Tensor
            As `read`.
        """
        self.columns = resolve_columns(X, self.image.image_column, self.clinical_columns, {})
        parts = split_columns(X, self.columns)
        has_film = parts["image"].present
        if not has_film.any():
            raise InputError(
                f"None of {len(has_film)} rows has a film to learn from. Give some, or fit the "
                "clinical side alone."
            )
        self._check_modalities(parts)
        self.clinical.fit(parts["clinical"].table, plan.y)
        if self.fit_image:
            rows = np.intersect1d(np.flatnonzero(has_film), plan.train_on)
            patients = None if plan.groups is None else plan.groups[rows]
            with renumbering(rows, len(plan.y)):
                part = parts["image"].take(rows)
                self.image.fit(part, plan.y[rows], plan.weights[rows], patients)
        films = self._read_films(parts["image"], reset=not self.fit_image)
        film = films[:1].to("cpu")
        self._film_shape, self._film_dtype = tuple(film.shape[1:]), str(film.dtype)
        numbers = self._read_numbers(parts["clinical"])
        self.scaler = StandardScaler().set_output(transform="default").fit(numbers)
        self.variables, self.variable_names = self._group_columns(numbers.shape[1])
        return self._tensors(parts, films, numbers)

    def read(self, X: Any) -> Inputs:
        """Read X as `fit_read` has learnt to.

        Returns
        -------
        dict of str to Tensor
            films : (n, c, h, w), 0 where there is none; table : (n, d) of float32, standardised,
            NaN where a value is missing; has_film : (n,) of bool.
        """
        parts = self.parts(X)
        self._check_modalities(parts)
        films = self._read_films(parts["image"], reset=False)
        return self._tensors(parts, films, self._read_numbers(parts["clinical"]))

    def parts(self, X: Any) -> dict[str, Part]:
        """Return what each side sees of X, after `fit_read`."""
        by_variable = {"clinical"} if finds_by_variable(self.clinical) else ()
        return split_columns(X, self.columns, by_variable)

    def _check_modalities(self, parts: dict[str, Part]) -> None:
        """Refuse or report the rows that lack a side."""
        if not self.needs_all:
            check_present(parts, "The other side answers.")
            return
        for name, (_, present) in parts.items():
            if not present.all():
                raise InputError(
                    f"nothing is there in the {name} columns. Leave such rows out, or use "
                    "strategy='attention' or ProbabilityFusionClassifier, which answer from what "
                    "is there."
                ).at_rows(np.flatnonzero(~present), len(present))

    def _read_films(self, part: Part, *, reset: bool) -> Any:
        rows = np.flatnonzero(part.present)
        if len(rows) == 0:
            dtype = torch.uint8 if self._film_dtype == "torch.uint8" else torch.float32
            return torch.zeros(1, dtype=dtype).expand(len(part.present), *self._film_shape)
        with renumbering(rows, len(part.present)):
            films = self.image.read_films(part.take(rows), reset=reset)
        if len(rows) == len(part.present):
            return films
        films = films.to("cpu")
        every = films.new_zeros(len(part.present), *films.shape[1:])
        every[from_numpy(rows)] = films
        return every

    def _read_numbers(self, part: Part) -> NDArray[np.float64]:
        numbers = to_pandas(self.clinical.transform(part.table))
        if issparse(numbers):
            raise InputError(
                f"clinical={type(self.clinical).__name__} gives a sparse matrix. Set its "
                "sparse_output=False, or the like."
            )
        if isinstance(numbers, pd.DataFrame):
            return numbers.to_numpy(np.float64, na_value=np.nan)
        return np.asarray(numbers, dtype=np.float64)

    def _group_columns(self, n_columns: int) -> tuple[tuple[int, ...], list[str]]:
        """For each column of the numbers its variable, and the names of the variables."""
        sources = getattr(self.clinical, "source_columns_", None)
        if sources is None:
            sources = [f"x{i}" for i in range(n_columns)]
        variables, names = pd.factorize(np.asarray(sources, dtype=object))
        return tuple(variables.tolist()), list(names)

    def _tensors(self, parts: dict[str, Part], films: Any, numbers: NDArray[np.float64]) -> Inputs:
        table = np.array(self.scaler.transform(numbers), dtype=np.float32)
        table[~parts["clinical"].present] = np.nan  # whatever a transformer has filled in
        if self.needs_all and np.isnan(table).any():
            raise InputError(
                "clinical= leaves values missing, which only strategy='attention' takes. Set it, "
                "or fill them, as ClinicalPreprocessor() does."
            )
        has_film = from_numpy(parts["image"].present)
        return {"films": films, "table": from_numpy(table), "has_film": has_film}
