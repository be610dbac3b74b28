import re

import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score

from skosteo.datasets.cohort import best_auc, draw_patients, fused_signal, make_cohort
from skosteo.exceptions import InputError

COLUMNS = [
    *("image", "age", "sex", "height_cm", "weight_kg", "bmi", "wbc_10e9_l", "platelets_10e9_l"),
    *("calcium_mmol_l", "glucose_mmol_l", "xray_diagnosis", "xray_description"),
]


@pytest.fixture(scope="module")
def patients():
    return draw_patients(20_000, image_signal=0.7, clinical_signal=0.5, random_state=0)


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(4, 2, random_state=5)


def simulated_views(n, signals, seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(n)
    views = [s * z + np.sqrt(1 - s * s) * rng.standard_normal(n) for s in signals]
    return z, np.column_stack(views)


@pytest.mark.parametrize("signal", [0.2, 0.5, 0.64, 0.9, 0.999])
def test_best_auc_is_what_simulation_finds(signal):
    z, views = simulated_views(400_000, [signal], seed=1)
    assert best_auc(signal) == pytest.approx(roc_auc_score(z <= -0.25, -views[:, 0]), abs=0.004)


def test_best_auc_at_its_ends():
    assert best_auc(0) == pytest.approx(0.5, abs=1e-9)
    assert best_auc(1) == 1
    assert best_auc(0.64) == pytest.approx(0.80, abs=0.002)


def test_fused_signal_is_what_regression_on_both_views_reaches():
    z, views = simulated_views(400_000, [0.7, 0.4], seed=2)
    best = LinearRegression().fit(views, z).predict(views)
    assert fused_signal(0.7, 0.4) == pytest.approx(np.corrcoef(best, z)[0, 1], abs=0.003)
    assert fused_signal(0.7, 0.0) == pytest.approx(0.7)
    assert fused_signal(0.7, 1.0) == 1


def test_label_density_and_t_score_agree(patients):
    t_score = patients["t_score"]
    assert ((t_score <= -2.5) == (patients["osteoporosis"] == 1)).all()
    assert patients["osteoporosis"].mean() == pytest.approx(0.4013, abs=0.01)  # Phi(-.25)
    # NHANES III femoral neck, young white women: mean .858, standard deviation .120 g/cm2
    np.testing.assert_allclose((patients["bmd_g_cm2"] - 0.858) / 0.120, t_score)


def test_views_carry_the_signal_that_was_asked_for(patients):
    z = (patients["t_score"] + 2.2) / 1.2
    noises = []
    for name, signal in (("image_view", 0.7), ("clinical_view", 0.5)):
        view = patients[name]
        assert view.std() == pytest.approx(1, abs=0.02)
        assert np.corrcoef(view, z)[0, 1] == pytest.approx(signal, abs=0.02)
        auc = roc_auc_score(patients["osteoporosis"], -view)
        assert auc == pytest.approx(best_auc(signal), abs=0.012)
        noises.append(view - signal * z)
    assert abs(np.corrcoef(noises)[0, 1]) < 0.02


def numbers_of(table):
    second = table["xray_description"].str.split(". ", regex=False).str[1]
    table = table[COLUMNS[1:-1]].assign(second=second)
    return pd.get_dummies(table).astype(float)


@pytest.mark.parametrize("signal", [0.0, 0.6, 1.0])
def test_the_table_knows_the_clinical_view_and_no_more(signal):
    table = draw_patients(12_000, clinical_signal=signal, missing_rate=0, random_state=3)
    x = numbers_of(table)
    x = ((x - x.mean()) / x.std()).to_numpy()
    y = table["osteoporosis"].to_numpy()
    model = LogisticRegression(C=0.1).fit(x[::2], y[::2])
    auc = roc_auc_score(y[1::2], model.decision_function(x[1::2]))
    # sexes and phrases lose a part; the sampling error is .006
    assert best_auc(signal) - 0.06 < auc < best_auc(signal) + 0.015


def test_density_falls_with_age_and_rises_with_body_mass_and_in_men(patients):
    t_score = patients["t_score"]
    assert patients["age"].corr(t_score) < -0.15
    assert patients["bmi"].corr(t_score) > 0.1
    assert t_score[patients["sex"] == "M"].mean() > t_score[patients["sex"] == "F"].mean() + 0.2
    spine = patients["xray_diagnosis"].str.contains("degenerative", na=False)
    assert t_score[spine].mean() < t_score[~spine].mean() - 0.1


def test_values_are_those_of_a_hospital(patients):
    medians = patients.median(numeric_only=True)
    for name, low, high in (
        ("age", 66, 70),
        ("height_cm", 158, 168),
        ("weight_kg", 58, 72),
        ("bmi", 23, 26),
        ("wbc_10e9_l", 6.0, 6.6),
        ("platelets_10e9_l", 215, 235),
        ("calcium_mmol_l", 2.30, 2.34),
        ("glucose_mmol_l", 5.4, 5.8),
    ):
        assert low <= medians[name] <= high, name
    assert patients["age"].between(50, 95).all()
    assert (patients["sex"] == "F").mean() == pytest.approx(0.62, abs=0.015)
    tall = patients.groupby("sex")["height_cm"].mean()
    assert tall["M"] > tall["F"] + 10
    known = patients.dropna(subset="bmi")
    bmi = known["weight_kg"] / (known["height_cm"] / 100) ** 2
    np.testing.assert_allclose(known["bmi"], bmi, atol=0.0501)
    assert set(patients["sex"]) == {"F", "M"}
    for name in ("sex", "xray_diagnosis", "xray_description"):
        assert patients[name].dtype == "str"


def test_text_never_says_the_answer(patients):
    phrases = pd.concat([patients["xray_diagnosis"], patients["xray_description"]]).dropna()
    giveaway = re.compile("osteopo|osteope|fractur|compress|densit|deminerali|DXA|T-score", re.I)
    assert [text for text in phrases.unique() if giveaway.search(text)] == []


def test_values_are_missing_at_the_rate_and_completely_at_random(patients):
    rates = patients[COLUMNS[1:]].isna().mean()
    assert (rates[["age", "sex", "height_cm"]] == 0).all()
    np.testing.assert_allclose(rates.drop(["age", "sex", "height_cm"]), 0.1, atol=0.01)
    assert (patients["bmi"].isna() == patients["weight_kg"].isna()).all()
    for name in ("bmi", "calcium_mmol_l", "xray_diagnosis"):
        gap = patients["t_score"].groupby(patients[name].isna()).mean().diff().iloc[-1]
        assert abs(gap) < 0.1
    assert not draw_patients(50, missing_rate=0, random_state=0).isna().any(axis=None)


def test_data_holds_what_an_estimator_may_see_and_the_rest_aligns(cohort):
    assert list(cohort.data) == COLUMNS
    assert list(cohort.truth) == ["bmd_g_cm2", "t_score", "image_view", "clinical_view"]
    assert set(cohort.frame) == {*COLUMNS, *cohort.truth, "patient_id", "osteoporosis"}
    for part in (cohort.data, cohort.target, cohort.groups, cohort.truth, cohort.frame):
        assert part.index.tolist() == list(range(8))
    assert (cohort.target == (cohort.truth["t_score"] <= -2.5)).all()
    assert cohort.groups.value_counts().tolist() == [2, 2, 2, 2]
    shared = cohort.frame.drop(columns="image").drop_duplicates()
    assert len(shared) == 4
    assert "SYNTHETIC" in cohort.DESCR
    assert f"{best_auc(0.6):.3f}" in cohort.DESCR


def test_films_are_the_patients_own_and_differ_from_take_to_take():
    cohort = make_cohort(2, 12, image_signal=0, random_state=1)
    films = cohort.data["image"].tolist()
    assert all(film.shape == (512, 432) and film.dtype == np.uint8 for film in films)
    assert len({film.tobytes() for film in films}) == 24
    first, again, other = np.array(films[:18]).reshape(3, 6, 512, 432).mean(axis=1)
    assert np.abs(first - other).mean() > 1.3 * np.abs(first - again).mean()


def test_the_films_follow_the_image_view_alone():
    cohort = make_cohort(30, image_signal=0.5, random_state=2)
    other = make_cohort(30, image_signal=0.5, clinical_signal=0.1, random_state=2)
    for one, two in zip(cohort.data["image"], other.data["image"], strict=True):
        np.testing.assert_array_equal(one, two)
    # Dense bone has strong edges and a strong pattern, whatever the pose and the exposure.
    lungs = np.stack(cohort.data["image"])[:, 80:320, 60:380].astype(float)
    detail = [(gaussian_filter(film, 0.7) - gaussian_filter(film, 3)).std() for film in lungs]
    assert spearmanr(detail, cohort.truth["image_view"]).statistic > 0.85
    # Beyond the view they know nothing of the density.
    z = (cohort.truth["t_score"] + 2.2) / 1.2
    assert spearmanr(detail, z - 0.5 * cohort.truth["image_view"]).pvalue > 0.05


def shown(path):
    ds = dcmread(path)
    values = apply_modality_lut(ds.pixel_array, ds)
    ends = values.min(), values.max()
    if "WindowCenter" in ds:
        values = apply_voi_lut(values, ds)
        ends = np.array([0, 2**ds.BitsStored - 1]) * ds.RescaleSlope + ds.RescaleIntercept
    film = (values - float(ends[0])) / float(ends[1] - ends[0])
    return 1 - film if ds.PhotometricInterpretation == "MONOCHROME1" else film


def test_files_hold_the_cohort_that_memory_holds(tmp_path, cohort):
    filed = make_cohort(4, 2, directory=tmp_path / "new" / "films", random_state=5)
    pd.testing.assert_frame_equal(filed.data.iloc[:, 1:], cohort.data.iloc[:, 1:])
    pd.testing.assert_frame_equal(filed.truth, cohort.truth)
    assert filed.data["image"].dtype == "str"
    assert filed.data["image"][3].endswith("patient_0002_2.dcm")
    for path, film in zip(filed.data["image"], cohort.data["image"], strict=True):
        # the film in memory is rounded to 8 bits
        assert np.abs(shown(path) - film / 255).max() < 1.5 / 255
    kinds = {
        (ds.PhotometricInterpretation, ds.BitsStored, "WindowCenter" in ds)
        for ds in map(dcmread, filed.data["image"])
    }
    assert len(kinds) > 3


def test_existing_files_are_not_overwritten(tmp_path):
    (tmp_path / "patient_0002_1.dcm").write_text("mine")
    with pytest.raises(InputError, match="holds 1 of the 2"):
        make_cohort(2, directory=tmp_path, random_state=0)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_seed_decides_and_the_global_state_is_left_alone(cohort):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = make_cohort(4, 2, random_state=np.random.RandomState(5))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    pd.testing.assert_frame_equal(again.frame, cohort.frame)
    other = draw_patients(4, random_state=6)
    assert not np.allclose(other["t_score"], cohort.truth["t_score"][::2])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"n_patients": 0}, "at least 1"),
        ({"n_patients": 2.5}, "whole number"),
        ({"images_per_patient": 0}, "images_per_patient=0"),
        ({"image_signal": 1.1}, "image_signal=1.1"),
        ({"clinical_signal": -0.1}, "from 0 to 1"),
        ({"missing_rate": float("nan")}, "missing_rate"),
        ({"missing_rate": 1}, "less than 1"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, said):
    with pytest.raises(InputError, match=re.escape(said)):
        make_cohort(**{"n_patients": 2, **parameters})
