"""Films that are no tensor yet, to whoever trains on them."""

import numpy as np
import pytest
import torch

from skosteo.image.film_rows import FilmRows
from skosteo.image.reader import RadiographReader
from tests.small_models import small_feature_fusion, small_image, write_films


@pytest.fixture
def table(tmp_path):
    return write_films(tmp_path, 24)


def rows_and_tensor(X, folder):
    reader = RadiographReader(8, cache_dir=folder)
    return FilmRows(reader.read(X["image"])), torch.from_numpy(
        reader.transform(X["image"])[:, None]
    )


@pytest.mark.parametrize("cached", [False, True])
def test_rows_are_those_of_the_tensor(cached, table, tmp_path):
    X, *_ = table
    rows, tensor = rows_and_tensor(X, tmp_path / "cache" if cached else None)
    assert (len(rows), rows.shape, rows.dtype) == (len(tensor), tensor.shape, tensor.dtype)
    assert rows.nbytes == tensor.nbytes
    assert (rows.device, rows.is_cuda) == (tensor.device, tensor.is_cuda)
    for index in (slice(3, 9), np.array([5, 0, 5]), torch.tensor([7, 23]), [2]):
        assert torch.equal(rows[index].to("cpu"), tensor[index])
    assert rows[4].nbytes == tensor[4].nbytes
    assert torch.equal(rows[np.array([9, 1, 4])][torch.tensor([2, 0])].to("cpu"), tensor[[4, 9]])
    rows.to("cpu")[:] = 7  # what is taken is a copy
    assert torch.equal(rows.to("cpu"), tensor)


@pytest.mark.parametrize("make", [small_image, small_feature_fusion])
def test_a_training_from_the_pool_is_that_from_memory(make, table, tmp_path):
    X, y, groups = table
    folder, order = tmp_path / "cache", np.random.default_rng(0).permutation(len(X))
    RadiographReader(24, cache_dir=folder).transform(X["image"].iloc[order])
    kept = [(path, path.stat().st_size) for path in (folder / "pool").iterdir()]
    said = []
    for cache_dir in (None, folder):
        model = make(max_epochs=2)
        name = "cache_dir" if make is small_image else "image__cache_dir"
        said.append(model.set_params(**{name: cache_dir}).fit(X, y, groups=groups).predict_proba(X))
    np.testing.assert_array_equal(*said)
    after = [(path, path.stat().st_size) for path in (folder / "pool").iterdir()]
    assert after == kept  # no selection of rows is written
