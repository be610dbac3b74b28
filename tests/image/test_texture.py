"""Texture as a transformer: what must not matter to it, and what it refuses."""

import pickle
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import RadiographReader, RadiographTexture, Scorer, load_model, save_model
from skosteo.datasets import make_cohort
from skosteo.exceptions import DicomError, InputError
from skosteo.presets import texture_classifier
from tests.image.test_texture_features import described, noise
from tests.small_models import write_films

# ---------------------------------------------------------------- what must not matter


@pytest.mark.parametrize("family", ["gabor", "lbp", "glcm", "wavelet"])
def test_exposure_is_no_texture(family):
    films = noise(3).astype(float) / 255
    before = described(films, families=[family])
    after = described(0.37 * films + 0.21, families=[family])
    np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-6)


def test_what_pads_a_film_is_no_part_of_it(tmp_path):
    films = noise(1, (64, 64))
    padded = np.pad(films, ((0, 0), (0, 9), (7, 12)))
    pd.testing.assert_frame_equal(described(films), described(padded))


@pytest.mark.filterwarnings("error")
def test_a_film_without_texture_has_none():
    films = np.full((2, 20, 20), 0.3)
    films[1, :, 4:16] = 0.1
    found = described(films, families=("lbp", "glcm", "gabor", "wavelet"))
    assert (found.iloc[0] == 0).all()
    assert np.isfinite(found.iloc[1]).all()


def test_regions_are_cropped_films():
    films = noise(2, (100, 80))
    regions = {"clavicle_left": (0.1, 0.5, 0.3, 0.4), "film": (0, 0, 1, 1)}
    found = described(films, regions=regions)
    cropped = described(films[:, 10:40, 40:72]).add_prefix("clavicle_left__")
    whole = described(films).add_prefix("film__")
    pd.testing.assert_frame_equal(found, pd.concat([cropped, whole], axis=1))


def test_paths_arrays_and_tables_agree_and_so_does_a_cache(tmp_path):
    X, _, _ = write_films(tmp_path, 6)
    texture = RadiographTexture(image_size=64).fit(X)
    found = texture.transform(X)
    pixels = RadiographReader(64).transform(X["image"])
    for films in (X["image"], X["image"].tolist(), X["image"].to_numpy(dtype=object)[:, None]):
        np.testing.assert_array_equal(texture.transform(films), found)
    for films in (pixels, pd.DataFrame({"image": list(pixels)}), pl.from_pandas(X)):
        np.testing.assert_array_equal(texture.transform(films), found)
        np.testing.assert_array_equal(clone(texture).fit_transform(films), found)
    np.testing.assert_array_equal(texture.transform(X[["image", "bmi"]]), found)
    kept = clone(texture).set_params(cache_dir=tmp_path / "cache", n_jobs=2)
    for films in (X, X.iloc[::-1]):
        np.testing.assert_array_equal(kept.fit_transform(films), texture.transform(films))
    other = clone(kept).set_params(regions={"top": (0, 0, 0.5, 1)})
    assert not np.array_equal(other.fit_transform(X), found)


def test_a_film_is_described_once_for_all_fits_of_a_folder(tmp_path, monkeypatch):
    films, params = noise(3), {"families": ["lbp"], "cache_dir": tmp_path}
    found = described(films, **params)
    monkeypatch.setattr("skosteo.image.texture._describe", None)
    pd.testing.assert_frame_equal(described(films[:2], **params), found[:2])


def test_many_films_are_read_in_parts(monkeypatch):
    films = noise(7)
    whole = described(films)
    monkeypatch.setattr("skosteo.image.texture._AT_A_TIME", 3)
    pd.testing.assert_frame_equal(described(films), whole)
    with pytest.raises(InputError, match=r"^row 5 of 7: .* blank"):
        RadiographTexture().fit_transform([*films[:4], np.ones((40, 40)), *films[:2]])


# ---------------------------------------------------------------- among scikit-learn's


def test_names_say_family_scale_and_region():
    films = noise(2)
    texture = RadiographTexture().fit(films)
    names = texture.get_feature_names_out().tolist()
    assert texture.transform(films).shape == (2, len(names)) == (2, 57)
    assert len(set(names)) == 57
    assert {
        "gabor_0.1_45deg_energy", "lbp_8_1_uniform_3", "lbp_8_2_other", "glcm_2px_contrast",
        "wavelet_haar_2_horizontal_energy", "wavelet_haar_3_approximation_energy",
    } <= set(names)  # fmt: skip
    parts = described(films, families=("wavelet", "lbp"), regions={"hilum": (0, 0, 0.5, 1)})
    assert parts.columns[0] == "hilum__wavelet_haar_1_horizontal_energy"


def test_a_table_keeps_its_index_beside_clinical_columns(tmp_path):
    X, _, _ = write_films(tmp_path, 4)
    X.index = list("abcd")
    both = make_column_transformer(
        (RadiographTexture(image_size=32), ["image"]), (StandardScaler(), ["age", "bmi"])
    ).set_output(transform="pandas")
    found = both.fit_transform(X)
    assert found.index.tolist() == list("abcd")
    assert {"radiographtexture__glcm_1px_energy", "standardscaler__age"} <= {*found}


def test_copies_describe_the_same():
    films = noise(2)
    texture = RadiographTexture(regions={"hilum": (0, 0, 0.5, 1)}).fit(films)
    found = texture.transform(films)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(texture)).transform(films), found)
    copy = clone(texture)
    assert copy.get_params() == texture.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    np.testing.assert_array_equal(copy.fit_transform(films), found)


def test_a_search_goes_over_families(tmp_path):
    X, y, _ = write_films(tmp_path, 24)
    model = texture_classifier(image_size=32, cache_dir=tmp_path / "cache")
    grid = {"radiographtexture__families": [["lbp"], ["glcm", "wavelet"]]}
    search = GridSearchCV(model, grid, cv=2, scoring="roc_auc").fit(X, y)
    assert len(search.cv_results_["mean_test_score"]) == 2


@pytest.mark.slow
@pytest.mark.slow
def test_it_finds_the_bone_of_synthetic_films(tmp_path):
    cohort = make_cohort(100, image_signal=0.9, random_state=0)
    model = texture_classifier(image_size=160, cache_dir=tmp_path)
    said = cross_val_predict(model, cohort.data, cohort.target, cv=5, method="predict_proba")
    assert roc_auc_score(cohort.target, said[:, 1]) > 0.7


@pytest.mark.parametrize("form", ["table", "paths", "arrays"])
def test_a_saved_model_says_the_same(tmp_path, form):
    X, y, _ = write_films(tmp_path, 12)
    films = {"table": X[["image"]], "paths": X["image"].to_numpy(), "arrays": noise(12)}[form]
    regions = {"upper": (0, 0, 0.5, 1)}
    model = texture_classifier(image_size=48, regions=regions, cache_dir=tmp_path / "cache")
    said = model.fit(films, y).predict_proba(films)
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert np.abs(loaded.predict_proba(films) - said).max() == 0
    assert loaded[0].cache_dir is None


def test_a_model_file_without_the_extra_says_what_is_missing(tmp_path, monkeypatch):
    films, y = noise(12), np.resize([0, 1], 12)
    save_model(texture_classifier().fit(films, y), tmp_path / "model.skops")
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ImportError, match=r"needs scikit-image, which .* 'skosteo\[texture\]'"):
        load_model(tmp_path / "model.skops")


def test_a_scorer_says_which_film_was_not_read(tmp_path):
    X, y, _ = write_films(tmp_path, 12)
    model = texture_classifier(image_size=48).fit(X, y)
    broken = X.assign(image=[*X["image"][:-1], str(tmp_path / "nowhere.png")])
    scored = Scorer(model)(broken)
    assert scored["status"].tolist() == ["scored"] * 11 + ["not scored"]
    np.testing.assert_array_equal(scored["probability"][:11], model.predict_proba(X[:11])[:, 1])


# ---------------------------------------------------------------- what is refused


FILMS = noise(2)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"families": ["gabro"]}, "'gabro'; did you mean 'gabor'"),
     ({"families": "lbp"}, "a list with at least one"),
     ({"families": []}, "a list with at least one"),
     ({"families": ["lbp", "lbp"]}, "one twice"),
     ({"regions": {}}, "without regions"),
     ({"regions": [(0, 0, 1, 1)]}, "a list without regions"),
     ({"regions": {"a": (0.5, 0, 0.6, 1)}}, "'a' .*outside the film"),
     ({"regions": {"a": (-0.1, 0, 0.6, 1)}}, "outside the film"),
     ({"regions": {"a": (0, 0, 0, 1)}}, "or empty"),
     ({"regions": {"a": (0, 0, float("nan"), 1)}}, "outside the film"),
     ({"regions": {"a": (0, 0, 1)}}, "four proportions"),
     ({"regions": {"a": "left"}}, "four proportions"),
     ({"regions": {" ": (0, 0, 1, 1)}}, "not blank"),
     ({"regions": {"a": (0, 0, 0.1, 1)}}, r"row 1 of 2: the region 'a' has 4 x 48 .* takes 16"),
     ({"image_size": 0}, "size=0"),
     ({"n_jobs": 0}, "n_jobs=0"),
     ({"ignore_rules": ["no_such_rule"]}, "no_such_rule")],
)  # fmt: skip
def test_wrong_parameters(params, message):
    with pytest.raises(InputError, match=message):
        RadiographTexture(**params).fit(FILMS).transform(FILMS)


def black(films):
    films = films.copy()
    films[1] = 0
    return films


@pytest.mark.parametrize(
    ("X", "message"),
    [(pd.DataFrame({"film": ["a.png"]}), "no column 'image'.*Name the column"),
     (pd.DataFrame({"image": []}), "no rows"),
     ([], "no rows"),
     ("film.png", "one path"),
     (np.ones((3, 4)), r"array of shape \(3, 4\)"),
     (pd.DataFrame({"image": ["a.png", None]}), "row 2 of 2: the image is missing"),
     (black(FILMS), "row 2 of 2: the film is black"),
     (np.full((1, 20, 20), np.nan), "NaN")],
)  # fmt: skip
def test_what_holds_no_films(X, message):
    with pytest.raises(ValueError, match=message):
        RadiographTexture().fit(X).transform(X)


def test_a_film_that_is_not_there_is_named_by_its_row(tmp_path):
    X, _, _ = write_films(tmp_path, 3)
    X.loc[2, "image"] = str(tmp_path / "nowhere.png")
    with pytest.raises(DicomError, match=r"^row 3 of 3: ") as raised:
        RadiographTexture().fit(X).transform(X)
    assert "nowhere" not in str(raised.value)


@pytest.mark.parametrize("library", ["skimage", "pywt"])
def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    for needs in (lambda: RadiographTexture().fit(FILMS), texture_classifier):
        with pytest.raises(ImportError, match=r"pip install 'skosteo\[texture\]'"):
            needs()


def test_a_cache_folder_that_is_none_is_refused_by_fit_or_said(tmp_path):
    (tmp_path / "file").touch()
    texture = RadiographTexture(families=["wavelet"], cache_dir=tmp_path / "file").fit(FILMS)
    with pytest.warns(UserWarning, match="goes on without it"):
        found = texture.transform(FILMS)
    np.testing.assert_array_equal(found, described(FILMS, families=["wavelet"]))


def test_it_is_silent_and_leaves_its_films_alone(capfd):
    before = FILMS.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_pipeline(RadiographTexture(), LogisticRegression(max_iter=5000)).fit(FILMS, [0, 1])
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(FILMS, before)
