"""What a fitted net is kept as: arrays, texts and numbers, from which it is built again."""

import copy
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from skosteo.exceptions import WeightsError
from tests.small_models import small_clinical, still_image

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


@pytest.fixture(scope="module")
def net():
    return small_clinical(max_epochs=2).fit(X, Y)


def restored(model, **changes):
    again = copy.copy(model)
    again.__setstate__(model.__getstate__() | changes)
    again.__dict__.pop("net_", None)
    return again


def homes(value):
    """Packages that the objects of a state come from."""
    yield type(value).__module__.partition(".")[0]
    if isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from homes(part)


def test_nothing_of_torch_skorch_or_pandas_is_in_it(net):
    assert set(homes(net.__getstate__())) <= {"builtins", "numpy", "sklearn"}
    assert np.array_equal(restored(net).predict_proba(X), net.predict_proba(X))


def test_an_optimiser_of_ones_own_stays_itself():
    class Own(torch.optim.SGD):
        pass

    model = small_clinical(max_epochs=1, optimizer=Own).fit(X, Y)
    assert restored(model).optimizer is model.__getstate__()["optimizer"] is Own


def test_weights_from_elsewhere_are_not_fetched_again():
    films = np.random.default_rng(0).integers(0, 255, (8, 24, 24)).astype(np.uint8)
    model = still_image(max_epochs=1, early_stopping=False).fit(films, Y[:8])
    model._built_from["parameters"]["branch"] = {"pretrained": True}
    kept = model.__getstate__()["_built_from"]["parameters"]
    assert kept["pretrained"] is kept["branch"]["pretrained"] is False
    assert model._built_from["parameters"]["branch"]["pretrained"] is True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w[:-1], "do not fit the net: .* should be"),
        (lambda w: np.full_like(w, np.nan), "are not finite"),
    ],
)
def test_weights_that_are_not_the_nets_are_refused(net, change, said):
    weights = net.__getstate__()["_weights"]
    name = next(name for name, weight in weights.items() if weight.ndim == 2)
    with pytest.raises(WeightsError, match=said):
        restored(net, _weights=weights | {name: change(weights[name])}).predict(X)
    with pytest.raises(WeightsError, match="not there"):
        restored(net, _weights={n: w for n, w in weights.items() if n != name}).predict(X)
    built = net.__getstate__()["_built_from"] | {"dtype": "float16"}
    with pytest.raises(WeightsError, match="'float16': allowed are"):
        restored(net, _built_from=built).predict(X)
