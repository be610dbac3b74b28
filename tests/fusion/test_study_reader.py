"""What a feature fusion reads of its studies: films, standardised numbers, and what is missing."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from skosteo import ClinicalPreprocessor
from skosteo.exceptions import InputError, MissingModalityWarning
from skosteo.fusion.study_reader import StudyReader
from skosteo.training.net_estimator import Plan
from tests.small_models import lacking, small_feature_fusion, small_image, still_fusion, still_image

STRATEGIES = ["concat", "learned", "attention"]


def fusion(**changes):
    return still_fusion(max_epochs=1, **changes)


@pytest.mark.parametrize("clinical", [None, SimpleImputer()])
def test_a_transformer_that_fills_gaps_makes_no_table_where_there_is_none(study, clinical):
    """The warning says that the film answers; so it does, whatever the transformer fills in."""
    X, y, _ = study
    model = fusion(strategy="attention", clinical=clinical).fit(X, y)
    taken = []
    model.net_.module_.fusion.register_forward_pre_hook(lambda _, args: taken.append(args[1]))
    with pytest.warns(MissingModalityWarning):
        model.predict_proba(lacking(X, table=[2]))
    assert taken[0].isnan().all(dim=1).nonzero().tolist() == [[2]]


def test_a_gap_reaches_the_net_as_missing_and_not_as_a_number(study):
    X, y, _ = study
    X = X.assign(sex=np.where(np.arange(48) % 3, "F", "M"))
    X.loc[4, "age"], X.loc[9, "sex"] = np.nan, None
    model = fusion(strategy="attention").fit(X, y)
    taken = []
    model.net_.module_.fusion.register_forward_pre_hook(lambda _, args: taken.append(args[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict_proba(X)
    table = taken[0].numpy()
    # standardised by what is there
    np.testing.assert_allclose(np.nanmean(table, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(table, axis=0), 1, atol=1e-5)
    assert np.argwhere(np.isnan(table)).tolist() == [[4, 0], [9, 2], [9, 3]]


@pytest.mark.parametrize("image", [small_image(), still_image()], ids=["learns", "still"])
def test_there_must_be_films_to_fit_on(study, image):
    X, y, _ = study
    model = small_feature_fusion(image=image, strategy="attention")
    with pytest.raises(InputError, match="None of 48 rows has a film"):
        model.fit(lacking(X, film=range(48)), y)


def test_the_table_is_standardised_by_the_rows_of_fit(study):
    X, y, _ = study
    model = fusion().fit(X.iloc[:30], y[:30])
    np.testing.assert_allclose(model.scaler_.mean_, X[["age", "bmi"]][:30].mean())
    np.testing.assert_allclose(model.scaler_.scale_, X[["age", "bmi"]][:30].std(ddof=0))


@pytest.mark.parametrize("strategy", ["concat", "learned"])
def test_gaps_are_filled_by_the_default_and_refused_where_a_transformer_leaves_them(
    study, strategy
):
    X, y, _ = study
    gaps = X.assign(age=X["age"].where(np.arange(48) % 5 > 0))
    assert np.isfinite(fusion(strategy=strategy).fit(gaps, y).predict_proba(gaps)).all()
    leaves = still_fusion(
        max_epochs=1, strategy=strategy, clinical=ClinicalPreprocessor(imputation="keep")
    )
    with pytest.raises(InputError, match=r"leaves values missing.*'attention'.*fill"):
        leaves.fit(gaps, y)
    with pytest.raises(InputError, match="leaves values missing"):
        leaves.fit(X, y).predict(gaps)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_any_transformer_makes_the_numbers(study, strategy, output):
    X, y, _ = study
    X = X.assign(sex=np.where(np.arange(48) % 3, "F", "M"))
    clinical = make_column_transformer(
        (SimpleImputer(), ["age", "bmi"]), (OneHotEncoder(sparse_output=False), ["sex"])
    ).set_output(transform=output)
    model = fusion(strategy=strategy, clinical=clinical).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    if strategy == "attention":
        assert model.attention(X).clinical.shape == (48, 4)


# ---------------------------------------------------------------- the reader alone


def reader(clinical=None, **changes):
    clinical = ClinicalPreprocessor(imputation="keep") if clinical is None else clinical
    settings = {"clinical_columns": None, "needs_all": False, "fit_image": False}
    return StudyReader(still_image(), clinical, **settings | changes)


def plan(n):
    y = np.resize([0, 1], n)
    rows = np.arange(n)
    return Plan(rows, n, y, y, np.ones(n), None, rows, None, 0)


def studies(n=12):
    rng = np.random.default_rng(0)
    films = list(rng.integers(0, 256, (n, 24, 24)).astype(np.uint8))
    sex = np.resize(["F", "M", "F"], n)
    return pd.DataFrame({"age": rng.normal(65, 8, n), "sex": sex, "image": films})


def test_tensors_of_films_and_of_standardised_numbers():
    X = studies()
    X["image"], X["age"] = X["image"].where(X.index != 4, None), X["age"].mask(X.index == 7)
    read = reader()
    with pytest.warns(MissingModalityWarning, match="1 of 12 rows hold nothing .* 'image'"):
        found = read.fit_read(X, plan(12))
    age = X["age"].to_numpy()
    standardised = (age - np.nanmean(age)) / np.nanstd(age)
    np.testing.assert_allclose(found["table"][:, 0], standardised, rtol=1e-5)
    assert found["table"].dtype is torch.float32
    assert found["has_film"].tolist() == [i != 4 for i in range(12)]
    assert not found["films"][4].any()
    alone = still_image().read_films(X[["image"]].drop(index=4), reset=True)
    assert torch.equal(found["films"][found["has_film"]], alone.to("cpu"))
    # sex is one variable of two columns
    assert read.variables == (0, 1, 1)
    assert read.variable_names == ["age", "sex"]
    assert read.columns == {"image": ["image"], "clinical": ["age", "sex"]}


def test_new_studies_are_read_by_what_those_of_fit_were_like():
    X = studies()
    read = reader()
    whole = read.fit_read(X, plan(12))
    some = read.read(X.iloc[[9, 2]])
    for name in some:
        assert torch.equal(some[name].to("cpu"), whole[name].to("cpu")[[9, 2]]), name
    with pytest.warns(MissingModalityWarning, match="2 of 2"):
        none = read.read(X.iloc[[9, 2]].assign(image=None))
    assert none["films"].shape == some["films"].shape
    assert not none["films"].any()
    assert torch.equal(none["table"], some["table"])


def test_a_sparse_matrix_of_a_transformer_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"OneHotEncoder gives a sparse matrix.*sparse_output"):
        reader(OneHotEncoder(), clinical_columns=["sex"]).fit_read(studies(), plan(12))
