"""Published risk indices: values by hand at every edge, and a place wherever a classifier goes."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import SkipTestWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from skosteo.clinical.risk_indices import RiskIndexClassifier
from skosteo.exceptions import InputError
from tests.small_models import still_pf, write_films

INDICES = ("ost", "osta", "orai", "score")
NOTHING_ELSE = {
    "oestrogen_now": False,
    "oestrogen_ever": False,
    "black": False,
    "rheumatoid_arthritis": False,
    "fractures": 0,
}


def value(index, age, weight_kg, **items):
    """The index of one woman, who has nothing but what is given."""
    X = pd.DataFrame({"age": [age], "weight_kg": [weight_kg]} | {k: [v] for k, v in items.items()})
    others = {item: answer for item, answer in NOTHING_ELSE.items() if item not in items}
    (result,) = RiskIndexClassifier(index, columns=others).index_values(X)
    return result


def women(n=200, seed=0):
    """A table with every item, and osteoporosis that is the likelier the older and lighter."""
    rng = np.random.default_rng(seed)
    age, weight = rng.integers(50, 95, n), rng.normal(65, 12, n).round(1).clip(40)
    X = pd.DataFrame(
        {
            "age": age,
            "weight_kg": weight,
            "oestrogen_now": rng.random(n) < 0.2,
            "oestrogen_ever": rng.random(n) < 0.4,
            "black": rng.random(n) < 0.1,
            "rheumatoid_arthritis": rng.random(n) < 0.1,
            "fractures": rng.integers(0, 3, n),
        }
    )
    y = (age - weight + rng.normal(0, 10, n) > 10).astype(int)
    return X, y


@pytest.mark.parametrize(
    ("age", "weight", "osta"),
    [
        (70, 65, -1),  # -1.0 exactly
        (70, 65.5, 0),  # -0.9
        (70, 64.9, -1),  # -1.02
        (70, 60.1, -1),  # -1.98
        (70, 60, -2),
        (75, 50.5, -4),  # -4.9: truncated, not rounded
        (75, 50, -5),
        (59.9, 54.9, -1),  # 54.9 - 59.9 is -4.9999999999999964 or less in floating point
        (60.3, 55.3, -1),
        (57.6, 72.6, 3),
        (57.7, 72.6, 2),  # 2.98
        (64, 68, 0),
        (60, 64.9, 0),
        (60, 65, 1),
        (60, 60, 0),
        (50, 110.5, 12),
    ],
)
@pytest.mark.parametrize("dtype", [float, np.float32])
def test_osta_by_hand(age, weight, osta, dtype):
    assert value("osta", dtype(age), dtype(weight)) == osta
    assert value("ost", dtype(age), dtype(weight)) == osta


def test_osta_is_exact_for_every_decimal():
    """Against fractions, which know no rounding, for all ages and weights to one decimal."""
    weights = [Fraction(tenths, 10) for tenths in range(350, 1200, 7)]
    ages = [Fraction(tenths, 10) for tenths in range(450, 1000, 3)]
    pairs = [(a, w) for a in ages for w in weights]
    X = pd.DataFrame({"age": [float(a) for a, _ in pairs], "weight": [float(w) for _, w in pairs]})
    exact = [math.trunc((w - a) / 5) for a, w in pairs]
    assert RiskIndexClassifier("osta").index_values(X).tolist() == exact


@pytest.mark.parametrize(
    ("age", "by_age"),
    [
        (45, 0),
        (54, 0),
        (54.9, 0),
        (55, 5),
        (64, 5),
        (64.9, 5),
        (65, 9),
        (74, 9),
        (75, 15),
        (99, 15),
    ],
)
@pytest.mark.parametrize(
    ("weight", "by_weight"), [(45, 9), (59.9, 9), (60, 3), (69.9, 3), (70, 0), (120, 0)]
)
def test_orai_by_hand(age, by_age, weight, by_weight):
    assert value("orai", age, weight, oestrogen_now=True) == by_age + by_weight
    assert value("orai", age, weight, oestrogen_now=False) == by_age + by_weight + 2


@pytest.mark.parametrize(
    ("woman", "score"),
    [
        ({"age": 65, "weight_kg": 70}, 5 + 1 + 18 - 15),  # 154.3 lb
        ({"age": 59, "weight_kg": 70}, 5 + 1 + 15 - 15),
        ({"age": 60, "weight_kg": 70}, 5 + 1 + 18 - 15),
        ({"age": 70, "weight_kg": 63.5}, 5 + 1 + 21 - 13),  # 139.99 lb
        ({"age": 70, "weight_kg": 63.51}, 5 + 1 + 21 - 14),  # 140.02 lb
        ({"age": 65, "weight_kg": 70, "black": True}, 1 + 18 - 15),
        ({"age": 65, "weight_kg": 70, "oestrogen_ever": True}, 5 + 18 - 15),
        ({"age": 65, "weight_kg": 70, "rheumatoid_arthritis": 1}, 5 + 1 + 18 - 15 + 4),
        ({"age": 65, "weight_kg": 70, "fractures": 3}, 5 + 1 + 18 - 15 + 12),
        ({"age": 99, "weight_kg": 70}, 5 + 1 + 27 - 15),
        ({"age": 100, "weight_kg": 70}, 5 + 1 + 30 - 15),  # not 3 for the digit 1
        ({"age": 9, "weight_kg": 40}, 5 + 1 + 0 - 8),
    ],
)
def test_score_by_hand(woman, score):
    assert value("score", **woman) == score


@pytest.mark.parametrize("pounds", [80, 90, 110, 140, 150, 160, 230])
def test_full_tens_of_pounds_stay_full_on_their_way_through_kilograms(pounds):
    answers = NOTHING_ELSE | {"black": True, "oestrogen_ever": True}
    model = RiskIndexClassifier("score", columns=answers)
    for table in ({"Weight (lb)": [pounds]}, {"weight_kg": [pounds * 0.45359237]}):
        X = pd.DataFrame({"age": [70]} | table)
        assert model.index_values(X) == 21 - pounds // 10


EDGES = {  # the last woman who is not referred and the first who is, with their values
    "ost": ({"age": 60, "weight_kg": 70}, {"age": 60, "weight_kg": 69.9}, [2, 1]),
    "osta": ({"age": 70, "weight_kg": 65.1}, {"age": 70, "weight_kg": 65}, [0, -1]),
    "orai": ({"age": 64, "weight_kg": 60}, {"age": 65, "weight_kg": 70}, [8, 9]),
    "score": ({"age": 70, "weight_kg": 72.6}, {"age": 70, "weight_kg": 72.5}, [5, 6]),  # 160 lb
}


@pytest.mark.parametrize("index", INDICES)
def test_the_published_cut_offs(index):
    """OST < 2, OSTA <= -1, ORAI >= 9, SCORE >= 6."""
    spared, referred, values = EDGES[index]
    answers = NOTHING_ELSE | {"oestrogen_now": True, "oestrogen_ever": True, "black": True}
    X = pd.DataFrame([spared, referred])
    model = RiskIndexClassifier(index, columns=answers).fit(X, ["no", "yes"])
    assert model.index_values(X).tolist() == values
    assert model.decision_function(X).tolist() == [-0.5, 0.5]
    assert model.predict(X).tolist() == ["no", "yes"]


@pytest.mark.parametrize("index", INDICES)
def test_prediction_probability_and_decision_agree_and_rise_with_age_and_leanness(index):
    X, y = women()
    model = RiskIndexClassifier(index).fit(X, y)
    probability, decision = model.predict_proba(X), model.decision_function(X)
    assert set(model.predict(X)) == {0, 1}
    assert np.array_equal(model.predict(X), probability[:, 1] >= 0.5)
    assert np.array_equal(model.predict(X), decision > 0)
    assert np.abs(decision).min() == 0.5
    assert probability.sum(axis=1) == pytest.approx(1)
    assert model.index_values(X).dtype.kind == "i"
    for changed in (X.assign(age=X["age"] + 10), X.assign(weight_kg=X["weight_kg"] - 10)):
        assert (model.decision_function(changed) >= decision).all()
        assert (model.decision_function(changed) > decision).any()


@pytest.mark.parametrize(
    "names",
    [
        {"age": "Patient age", "weight_kg": "Body weight"},
        {"age": "RIDAGEYR", "weight_kg": "BMXWT"},
    ],
)
def test_columns_are_found_by_alias_in_any_order_and_among_others(names):
    X, y = women()
    renamed = X.rename(columns=names)[list(names.values())[::-1]].assign(image="film.png")
    model = RiskIndexClassifier("osta").fit(renamed, y)
    assert np.array_equal(model.index_values(renamed), RiskIndexClassifier("osta").index_values(X))
    assert model.n_features_in_ == 3
    assert model.feature_names_in_.tolist() == renamed.columns.tolist()


def test_columns_are_found_by_the_names_given():
    X, y = women()
    hospital = {
        "age": "leeftijd",
        "weight_kg": "lichaamsmassa",
        "oestrogen_ever": "hrt",
        "black": "race_black",
        "rheumatoid_arthritis": "ra",
        "fractures": "breaks",
    }
    renamed = X.rename(columns=hospital).astype({"hrt": int, "ra": "boolean", "breaks": "Int64"})
    model = RiskIndexClassifier("score", columns=hospital).fit(renamed, y)
    expected = RiskIndexClassifier("score").index_values(X)
    assert np.array_equal(model.index_values(renamed), expected)
    pounds = X.assign(mass_lb=X.pop("weight_kg") / 0.45359237).rename(
        columns={"mass_lb": "Wt (lb)"}
    )
    for columns in (None, {"weight_kg": "Wt (lb)"}):
        values = RiskIndexClassifier("score", columns=columns).index_values(pounds)
        assert np.array_equal(values, expected)


@pytest.mark.parametrize("labels", [["normal", "osteoporosis"], [False, True], [1, 2]])
def test_the_second_class_is_the_one_referred(labels):
    X, y = women()
    model = RiskIndexClassifier().fit(X, np.array(labels)[y])
    assert model.classes_.tolist() == labels
    assert np.array_equal(model.predict(X) == labels[1], model.index_values(X) <= -1)


def test_fit_learns_nothing():
    X, y = women()
    first = RiskIndexClassifier().fit(X, y)
    again = RiskIndexClassifier().fit(X[:50], 1 - y[:50], sample_weight=np.arange(50))
    assert np.array_equal(first.predict_proba(X), again.predict_proba(X))


def test_clone_and_pickle():
    X, y = women()
    model = RiskIndexClassifier("orai", columns={"oestrogen_now": False}).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "classes_")


def test_common_checks():
    with pytest.warns(SkipTestWarning, match="requires input"):  # most checks give a bare matrix
        results = check_estimator(RiskIndexClassifier())
    assert [result["status"] for result in results] == ["passed"]


def bodies(X):
    """Ages and weights of people out of any numbers."""
    first, last = np.tanh(X[:, 0].astype(float)), np.tanh(X[:, -1].astype(float))
    return pd.DataFrame({"age": 60 + 20 * first, "weight_kg": 70 - 30 * last})


def test_common_checks_that_give_a_matrix():
    model = make_pipeline(FunctionTransformer(bodies, validate=True), RiskIndexClassifier())
    of_pipelines = "a pipeline fits its steps themselves, with any classifier in it"
    with pytest.warns(SkipTestWarning, match="SCIPY_ARRAY_API"):
        results = check_estimator(
            model,
            expected_failed_checks={
                "check_estimators_overwrite_params": of_pipelines,
                "check_dont_overwrite_parameters": of_pipelines,
            },
        )
    assert len(results) >= 55
    assert sum(result["status"] == "passed" for result in results) == len(results) - 3


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(library):
    pytest.importorskip("pyarrow")
    module = pytest.importorskip(library)
    X, y = women()
    X = X[["age", "weight_kg", "oestrogen_now"]]
    other = module.from_pandas(X) if library == "polars" else module.Table.from_pandas(X)
    expected = RiskIndexClassifier("orai").fit(X, y).predict_proba(X)
    assert len(RiskIndexClassifier("orai").index_values(other)) == len(X)  # needs no fit
    model = RiskIndexClassifier("orai").fit(other, y)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    for table in (X, other, other.select(X.columns[::-1].tolist())):
        np.testing.assert_array_equal(model.predict_proba(table), expected)
        np.testing.assert_array_equal(model.index_values(table), model.index_values(X))


def test_an_array_after_a_table_is_read_by_position():
    X, y = women()
    X = X[["age", "weight_kg"]].astype(float)
    model = RiskIndexClassifier().fit(X, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but RiskIndex"):
        out = model.predict_proba(X.to_numpy())
    np.testing.assert_array_equal(out, model.predict_proba(X))
    with pytest.warns(UserWarning, match="valid"), pytest.raises(ValueError, match="1 features"):
        model.predict(X.to_numpy()[:, :1])


def test_a_sparse_matrix_gets_the_message_of_scikit_learn():
    X, y = women()
    sparse = csr_matrix(X[["age", "weight_kg"]].to_numpy(float))
    with pytest.raises(TypeError, match="Sparse data was passed"):
        RiskIndexClassifier().fit(sparse, y)
    model = RiskIndexClassifier().fit(X, y)
    with pytest.warns(UserWarning, match="valid"), pytest.raises(TypeError, match="Sparse data"):
        model.predict(sparse)


def test_cross_validation_and_search_for_the_index():
    X, y = women()
    scores = cross_validate(RiskIndexClassifier(), X, y, cv=3, scoring=["roc_auc", "accuracy"])
    assert scores["test_roc_auc"].min() > 0.7
    search = GridSearchCV(RiskIndexClassifier(), {"index": list(INDICES)}, scoring="roc_auc", cv=3)
    assert search.fit(X, y).best_params_["index"] in INDICES
    assert search.cv_results_["mean_test_score"].min() > 0.7


def test_behind_an_imputer_with_pandas_output():
    X, y = women()
    gaps = X[["age", "weight_kg"]].astype(float)
    gaps.iloc[::5, 1] = np.nan
    imputer = SimpleImputer().set_output(transform="pandas")
    model = make_pipeline(imputer, RiskIndexClassifier()).fit(gaps, y)
    assert model.predict_proba(gaps).shape == (len(X), 2)


def test_calibrated_it_predicts_the_share_of_patients():
    X, y = women(2000)
    raw = RiskIndexClassifier("ost").fit(X, y).predict_proba(X)[:, 1]
    calibrated = CalibratedClassifierCV(RiskIndexClassifier("ost"), cv=3)
    probability = cross_val_predict(calibrated, X, y, cv=3, method="predict_proba")[:, 1]
    assert abs(raw.mean() - y.mean()) > 0.05
    assert abs(probability.mean() - y.mean()) < 0.02


def test_in_a_stack():
    X, y = women()
    stack = StackingClassifier([(i, RiskIndexClassifier(i)) for i in INDICES], cv=3)
    assert stack.fit(X, y).score(X, y) > 0.7


@pytest.mark.parametrize("weighted", [False, True])
def test_as_a_branch_of_the_fusion(tmp_path, weighted):
    X, y, groups = write_films(tmp_path)
    X = X.assign(weight=70.0 - 10 * y)
    weights = {"sample_weight": np.ones(len(y))} if weighted else {}
    model = still_pf(clinical=RiskIndexClassifier("osta"))
    model.fit(X, y, groups=groups, **weights)
    assert model.predict_proba(X).shape == (len(X), 2)
    alone = RiskIndexClassifier("osta").fit(X, y).predict_proba(X)[:, 1]
    assert np.array_equal(model.branch_probabilities(X)[:, 1], alone)


def test_metadata_routing_lets_it_pass():
    X, y = women()
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(RiskIndexClassifier().set_fit_request(sample_weight=True))
        assert pipeline.fit(X, y, sample_weight=np.ones(len(y))).predict(X).shape == y.shape


AGE_AND_WEIGHT = {"age": [60.0, 70.0, 80.0], "weight_kg": [60.0, 70.0, 80.0]}


@pytest.mark.parametrize(
    ("model", "table", "message"),
    [
        ({"index": "osteo"}, {}, "index='osteo' is not known; did you mean 'ost'.*'orai'"),
        ({"columns": {"estrogen_now": "hrt"}}, {}, "'estrogen_now'.*did you mean 'oestrogen_now'"),
        ({}, {"weight_kg": [60, np.nan, None]}, "rows 2, 3 of 3: column 'weight_kg' is missing"),
        ({}, {"age": [60, 70, pd.NA]}, "row 3 of 3: column 'age' is missing"),
        (
            {},
            {"weight_kg": ["60", "70", "heavy"]},
            "row 3 of 3: column 'weight_kg' holds neither",
        ),
        ({}, {"age": [60, 70, 999]}, "row 3 of 3: column 'age' holds what"),
        (
            {},
            {"weight_kg": [60, np.inf, 0]},
            "rows 2, 3 of 3: .*cannot be.*20 to 400 kg",
        ),
        ({}, {"weight": [60, 70, 80]}, "'weight_kg', 'weight'.* all 'weight_kg'"),
        ({"index": "orai"}, {}, r"asks for 'oestrogen_now'.*\{'oestrogen_now': False\}"),
        ({"index": "orai", "columns": {"oestrogen_now": "hrt"}}, {}, "no column 'hrt'"),
        (
            {"index": "orai"},
            {"oestrogen_now": ["yes", "no", "no"]},
            r"'oestrogen_now' holds neither a number.*X\['oestrogen_now'\] == 'yes'",
        ),
        (
            {"index": "orai"},
            {"oestrogen_now": [1, 2, 2]},
            "rows .* of 3: .*cannot be.*True or False",
        ),
        (
            {"index": "score", "columns": NOTHING_ELSE | {"fractures": "breaks"}},
            {"breaks": [0, 1, 5]},
            "'breaks' holds what 'fractures' cannot be.*whole number of sites, 0 to 3",
        ),
    ],
)
def test_wrong_input_is_named(model, table, message):
    X = pd.DataFrame(AGE_AND_WEIGHT | table)
    with pytest.raises(InputError, match=message):
        RiskIndexClassifier(**model).fit(X, [0, 1, 1])


def test_no_message_holds_a_patients_value():
    for table in ({"age": [60, 70, 987]}, {"weight_kg": [60, 70, -543]}):
        with pytest.raises(InputError) as raised:
            RiskIndexClassifier().fit(pd.DataFrame(AGE_AND_WEIGHT | table), [0, 1, 1])
        assert not any(value in str(raised.value) for value in ("987", "543"))


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.array([[60, 70], [80, 50]]), [0, 1], "X is ndarray.*DataFrame.*set_output"),
        (pd.DataFrame({"age": [60, 80]}), [0, 1], "asks for 'weight_kg'"),
        (pd.DataFrame({"age": [60, 80], "weight": [60, 80]}), [1, 1], "two classes"),
        (pd.DataFrame({"age": [60, 80], "weight": [60, 80]}), [-2.6, 0.3], "t_score <= -2.5"),
        (pd.DataFrame({"age": [60, 80], "weight": [60, 80]}), [0, 1, 1], "inconsistent numbers"),
    ],
)
def test_a_wrong_table_or_target_is_named(X, y, message):
    with pytest.raises(ValueError, match=message):
        RiskIndexClassifier().fit(X, y)


def test_what_is_set_after_fit_changes_nothing_about_predict():
    X = pd.DataFrame({"age": [58, 70, 81], "weight_kg": [70.0, 65.0, 52.5]})
    model = RiskIndexClassifier("osta").fit(X, [0, 0, 1])
    expected = model.predict_proba(X)
    model.set_params(index="orai", columns={"age": 50})
    assert np.array_equal(model.predict_proba(X), expected)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), expected)
