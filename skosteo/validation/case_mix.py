"""The patients of a site beside those a model was made from: aggregates, small cells suppressed."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.clinical import table_one
from skosteo.clinical.columns import is_in_words, is_numbers
from skosteo.clinical.identifiers import names_patient
from skosteo.exceptions import InputError

HERE, DEVELOPMENT = "this site", "development"
_INDEX = ["characteristic", "level"]


def check_development(development: Any) -> None:
    """Refuse a description of the development cohort that is not `table_one`'s."""
    if development is None:
        return
    if not isinstance(development, pd.DataFrame) or [*development.index.names] != _INDEX:
        raise InputError(
            "development is no table of aggregates. Give what "
            "skosteo.clinical.table_one(X, groups=...) makes of the development cohort, never its "
            "rows."
        )


def case_mix(
    model: Any, X: Any, patient: NDArray[np.intp], development: pd.DataFrame | None
) -> pd.DataFrame | None:
    """Describe what the model sees of the patients here, beside the development cohort's.

    None where the rows are no table, or hold nothing that can be described.
    """
    if not isinstance(X, pd.DataFrame):
        return development
    seen = getattr(model, "feature_names_in_", X.columns)
    columns = [name for name in seen if name in X and not names_patient(name)]
    if not columns:
        return development
    bands = [name for name in columns if is_numbers(X[name], str(name)) and is_in_words(X[name])]
    here = table_one(X[columns].astype(dict.fromkeys(bands, "category")), groups=patient).set_axis(
        [HERE], axis=1
    )
    if development is None:
        return here
    there = development.add_prefix(f"{DEVELOPMENT}: ")
    if there.shape[1] == 1:
        there.columns = [DEVELOPMENT]
    first = [*dict.fromkeys(name for name, _ in [*here.index, *there.index])]
    order = sorted(
        dict.fromkeys([*here.index, *there.index]),
        key=lambda row: (first.index(row[0]), row[1] == "missing"),
    )
    both = pd.concat([there.astype(object), here.astype(object)], axis=1)
    return both.reindex(pd.MultiIndex.from_tuples(order, names=_INDEX))
