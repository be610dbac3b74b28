"""Tensors of radiographs and clinical values, as the net of a feature fusion takes them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from skosteo import ClinicalPreprocessor
from skosteo.exceptions import InputError, MissingModalityWarning
from skosteo.fusion.study_reader import StudyReader
from skosteo.training.net_classifier import Plan
from tests.small_models import small_image

N = 12
FILMS = np.random.default_rng(0).integers(1, 255, (N, 24, 24)).astype(np.uint8)
X = pd.DataFrame({
    "age": np.linspace(50, 80, N), "sex": np.resize(["F", "M", "M"], N), "image": list(FILMS),
})  # fmt: skip
PLAN = Plan(
    rows=np.arange(N), n_rows=N, y=np.resize(["ill", "well"], N), codes=np.resize([0, 1], N),
    weights=np.ones(N), groups=None, train_on=np.arange(8), valid_on=np.arange(8, N), seed=0,
)  # fmt: skip


def reader(clinical=None, columns=None, needs_all=False, fit_image=False):
    clinical = ClinicalPreprocessor("keep") if clinical is None else clinical
    image = small_image(max_epochs=1, batch_size=4, early_stopping=False)
    return StudyReader(image, clinical, columns, needs_all=needs_all, fit_image=fit_image)


def test_what_is_read():
    learnt = reader()
    inputs = learnt.fit_read(X, PLAN)
    assert learnt.columns == {"image": ["image"], "clinical": ["age", "sex"]}
    assert learnt.variable_names == ["age", "sex"]
    assert learnt.variables == (0, 1, 1)  # two columns of one variable
    films = inputs["films"].to("cpu")
    assert films.shape == (N, 1, 24, 24)
    assert inputs["table"].dtype == torch.float32
    np.testing.assert_allclose(inputs["table"].mean(dim=0), 0, atol=1e-6)
    assert inputs["has_film"].all()
    again = learnt.read(X)
    assert torch.equal(again["films"].to("cpu"), films)
    assert torch.equal(again["table"], inputs["table"])


def test_rows_without_a_side():
    learnt = reader()
    whole = learnt.fit_read(X, PLAN)
    some = X.copy()
    some.loc[2, "image"] = None
    some.loc[5, ["age", "sex"]] = None
    with pytest.warns(MissingModalityWarning, match="1 of 12 rows.*'image', 1 of 12.*'clinical'"):
        inputs = learnt.read(some)
    assert np.flatnonzero(~inputs["has_film"].numpy()).tolist() == [2]
    assert not inputs["films"][2].any()
    assert torch.equal(inputs["films"][3], whole["films"].to("cpu")[3])
    assert np.flatnonzero(inputs["table"].isnan().all(dim=1).numpy()).tolist() == [5]
    with pytest.warns(MissingModalityWarning):
        assert learnt.read(some.iloc[[2]])["films"].shape == (1, 1, 24, 24)


def test_where_all_is_needed_what_lacks_is_named():
    learnt = reader(needs_all=True)
    learnt.fit_read(X, PLAN)
    with pytest.raises(InputError, match="row 3 of 12: nothing is there in the image columns"):
        learnt.read(X.assign(image=X["image"].where(X.index != 2, None)))
    with pytest.raises(InputError, match="leaves values missing"):
        learnt.read(X.assign(age=X["age"].where(X.index != 2)))


def test_the_image_branch_learns_from_the_training_rows_that_have_a_film(monkeypatch):
    seen = []
    learnt = reader(fit_image=True)
    fit = learnt.image.fit
    monkeypatch.setattr(
        learnt.image, "fit", lambda part, *args: seen.append(part) or fit(part, *args)
    )
    with pytest.warns(MissingModalityWarning):
        learnt.fit_read(X.assign(image=X["image"].where(X.index != 2, None)), PLAN)
    assert [part.index.tolist() for part in seen] == [[0, 1, 3, 4, 5, 6, 7]]
    assert hasattr(learnt.image, "net_")


def test_numbers_of_any_transformer():
    numbers = [
        SimpleImputer(),
        SimpleImputer().set_output(transform="pandas"),
        FunctionTransformer(lambda part: part.astype("Float64")),
    ]
    tables = [reader(c, ["age"]).fit_read(X, PLAN)["table"].numpy() for c in numbers]
    np.testing.assert_array_equal(tables[0], tables[1])
    np.testing.assert_array_equal(tables[0], tables[2])
    with pytest.raises(InputError, match=r"OneHotEncoder gives a sparse matrix.*sparse_output"):
        reader(OneHotEncoder(), ["sex"]).fit_read(X, PLAN)
