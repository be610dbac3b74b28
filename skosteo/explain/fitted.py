"""What every explanation needs to know of a fitted model, without torch where there is no net."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pandas as pd


def is_a(model: Any, name: str) -> bool:
    """Whether a model is of the class of skosteo with this name; the class is not imported."""
    return any(
        kind.__name__ == name and kind.__module__.startswith("skosteo.")
        for kind in type(model).__mro__
    )


@contextmanager
def nets_in_evaluation(model: Any) -> Iterator[None]:
    """Put all nets inside of a fitted model in evaluation mode, and each back into its own."""
    with ExitStack() as stack:
        for module in _modules(model):
            from skosteo.nets.modes import evaluating  # there is a net, so torch is loaded

            stack.enter_context(evaluating(module))
        yield


def _modules(model: Any) -> list[Any]:
    """Torch modules of the nets in a model: a pipeline, a search, a fusion, an ensemble."""
    found: list[Any] = []
    parts, seen = [model], set()
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if hasattr(part, "module_"):
            found.append(part.module_)
        elif isinstance(part, Mapping):
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
        elif hasattr(part, "predict_proba"):
            parts += getattr(part, "__dict__", {}).values()
    return found


def thinned(X: Any, most: int) -> Any:
    """Return at most so many rows of X, evenly spread."""
    n = len(X)
    chosen = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    return X.iloc[chosen] if isinstance(X, pd.DataFrame) else np.asarray(X)[chosen]
