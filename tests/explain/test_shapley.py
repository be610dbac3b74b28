# ruff: noqa: PD011 (values are no pandas here)
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from skosteo import ClinicalOsteoClassifier, ClinicalPreprocessor, ProbabilityFusionClassifier
from skosteo.datasets import make_cohort
from skosteo.exceptions import InputError
from skosteo.explain import ShapValues, shap_values
from skosteo.explain.shapley import count_features
from skosteo.presets import clinical_baseline, paper_clinical_classifier
from tests.small_models import small_clinical, small_fusion, small_image, still_image


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(90, random_state=0)


@pytest.fixture(scope="module")
def table(cohort):
    return cohort.data.drop(columns="image"), cohort.target


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 9))
    y = (X[:, 0] - X[:, 1] * X[:, 2] > 0).astype(int)
    return ClinicalOsteoClassifier(n_members=3, max_epochs=20, random_state=0).fit(X, y), X


@pytest.mark.parametrize("kind", ["Kernel", pytest.param("Exact", marks=pytest.mark.slow)])
def test_a_net_gets_the_values_of_shap(net, kind):
    shap = pytest.importorskip("shap")
    model, X = net
    rows, background = X[:4], X[50:70]

    def function(matrix):
        return model.predict_proba(matrix)[:, 1]

    found = shap_values(model, rows, background)
    if kind == "Kernel":
        # shap's default drops small values
        explainer = shap.KernelExplainer(function, background)
        expected = explainer.shap_values(rows, silent=True, l1_reg=False)
    else:
        masker = shap.maskers.Independent(background, len(background))
        expected = shap.ExactExplainer(function, masker)(rows, interactions=False).values
    assert np.abs(found.values - expected).max() < 1e-9
    assert found.base == pytest.approx(function(background).mean(), abs=1e-12)


@pytest.mark.parametrize("output", ["probability", "log_odds"])
@pytest.mark.parametrize(
    "model",
    [
        paper_clinical_classifier(max_epochs=5, random_state=0),
        clinical_baseline("age_sex_bmi"),
        make_pipeline(
            ClinicalPreprocessor(columns=["age", "bmi"]), StandardScaler(), small_clinical()
        ),
        GridSearchCV(clinical_baseline("age_sex_bmi"), {"logisticregression__C": [0.1, 1]}, cv=2),
        clinical_baseline("random_forest", n_estimators=10, random_state=0),
        clinical_baseline("hist_gradient_boosting", max_iter=10),
        clinical_baseline("xgboost", n_estimators=10),
    ],
    ids=["paper", "logistic", "scaled net", "search", "forest", "boosting", "xgboost"],
)
def test_values_and_base_add_up_to_what_the_model_says(model, output, table):
    X, y = table
    model.fit(X[:60], y[:60])
    if output == "log_odds" and "forest" in str(model).lower():
        with pytest.raises(InputError, match="output='probability'"):
            shap_values(model, X[60:], X[:60], output=output)
        return
    found = shap_values(model, X[60:65], X[:10], output=output)
    p = model.predict_proba(X[60:65])[:, 1].astype(float)
    said = p if output == "probability" else np.log(p / (1 - p))
    tolerance = 1e-10 if found.method == "exact" else 1e-5
    assert np.abs(found.output - said).max() < tolerance
    assert found.unit == output.replace("_", " ")
    assert set(found.feature_names) <= set(X.columns)


def test_a_linear_model_has_the_values_of_the_textbook():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 3)), columns=["age", "bmi", "calcium"])
    model = LogisticRegression().fit(X, X["age"] + rng.normal(size=80) > 0)
    found = shap_values(model, X[:10], X[10:], output="log_odds")
    expected = model.coef_ * (X[:10] - X[10:].mean()).to_numpy()
    np.testing.assert_allclose(found.values, expected, atol=1e-10)


def test_a_model_that_ignores_a_column_gives_it_nothing(table):
    X, y = table
    model = make_pipeline(ClinicalPreprocessor(columns=["age", "sex"]), small_clinical())
    found = shap_values(model.fit(X, y), X)
    assert found.feature_names == ("age", "sex")


@pytest.mark.parametrize("model", [XGBClassifier(n_estimators=5), small_clinical()])
def test_a_bare_model_fitted_on_names_is_asked_by_names(model):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "bmi"])
    model.fit(X, (X["age"] > 0).astype(int))
    found = shap_values(model, X[["bmi", "age"]], output="log_odds")
    assert found.importance().index[0] == "age"


def test_of_a_fusion_the_film_is_one_feature(cohort):
    model = ProbabilityFusionClassifier(
        still_image(),
        clinical_baseline("age_sex_bmi"),
        cv=2,
        final_estimator="logistic",
        random_state=0,
    ).fit(cohort.data, cohort.target)
    found = shap_values(model, cohort.data[:6], cohort.data[6:30])
    assert found.feature_names == ("age", "sex", "bmi", "image")
    said = model.predict_proba(cohort.data[:6])[:, 1]
    assert np.abs(found.output - said).max() < 1e-10
    np.testing.assert_array_equal(
        found.data[:, 3].astype(float), model.branch_probabilities(cohort.data[:6])[:, 0]
    )
    # and the clinical branch can be had alone
    assert shap_values(model.clinical_, cohort.data[:6], cohort.data).values.shape == (6, 3)


def test_an_estimate_says_that_it_is_one_and_is_near(net):
    model, X = net
    exact = shap_values(model, X[:5], X[50:80])
    near = shap_values(model, X[:5], X[50:80], n_permutations=50, random_state=0)
    assert near.method == "estimate from 50 permutations"
    assert np.abs(near.values - exact.values).max() < 0.02
    assert np.abs(near.output - exact.output).max() < 1e-12
    again = shap_values(model, X[:5], X[50:80], n_permutations=50, random_state=0)
    np.testing.assert_array_equal(near.values, again.values)


def test_more_features_than_can_be_enumerated_are_told_what_to_do():
    X = np.random.default_rng(0).normal(size=(40, 13))
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    with pytest.raises(InputError, match=r"13 features.*n_permutations"):
        shap_values(model, X)
    assert shap_values(model, X, n_permutations=2, random_state=0).values.shape == (40, 13)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"output": "logit"}, "output='logit'"),
        ({"n_permutations": 0}, "n_permutations=0"),
        ({"n_permutations": 2.5}, "n_permutations=2.5"),
        ({"n_permutations": "a"}, "n_permutations='a'"),
        ({"X": "abc"}, r"X is of type str and shape \(\)"),
        ({"X": np.empty((0, 9)), "background": np.zeros((3, 9))}, r"X .* shape \(0, 9\)"),
        ({"background": np.empty((0, 9))}, r"background is .* shape \(0, 9\)"),
        ({"background": 5}, "background is of type int"),
        ({"background": pd.DataFrame(np.zeros((3, 9)))}, "as they were given to fit"),
    ],
)
def test_what_does_not_fit_is_refused(net, arguments, said):
    model, X = net
    with pytest.raises(InputError, match=said):
        shap_values(model, **{"X": X[:5], **arguments})


def test_a_background_without_the_columns_is_refused():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["age", "bmi"])
    model = LogisticRegression().fit(X, X["age"] > 0)
    with pytest.raises(InputError, match=r"background lacks the columns \['bmi'\]"):
        shap_values(model, X, X[["age"]])


@pytest.mark.parametrize("n_permutations", [None, 3])
@pytest.mark.parametrize("hidden", [(50,), ()])
def test_a_net_is_left_in_the_mode_that_it_was_in(net, hidden, n_permutations):
    X = net[1]
    model = ClinicalOsteoClassifier(hidden, max_epochs=2, random_state=0).fit(X, X[:, 0] > 0)
    for mode in (True, False):
        model.net_.module_.train(mode)
        found = shap_values(model, X[:3], X[:9], n_permutations=n_permutations)
        assert {part.training for part in model.net_.module_.modules()} == {mode}
    np.testing.assert_allclose(found.output, model.predict_proba(X[:3])[:, 1])


def test_all_nets_of_a_fusion_are_left_in_their_modes_and_are_explained_without_dropout(cohort):
    model = small_fusion(
        image=small_image(max_epochs=1), clinical=small_clinical(), clinical_columns=["age"]
    )
    X = cohort.data[:40].fillna({"age": 70})
    model.fit(X, cohort.target[:40])
    nets = [model.image_, model.clinical_, *model.final_estimators_.values()]
    said = model.predict_proba(X[:3])[:, 1]
    for net in nets:
        net.net_.module_.train()
    found = shap_values(model, X[:3], X[:9])
    assert all(part.training for net in nets for part in net.net_.module_.modules())
    np.testing.assert_allclose(found.output, said)


def test_a_foreign_pipeline_gets_exact_values():
    """Of the table that the user knows, whatever the pipeline makes of its columns."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 3)), columns=["age", "bmi", "calcium"])
    X = X.assign(sex=pd.Categorical(rng.choice(["F", "M"], 80)))
    y = X["age"] + rng.normal(size=80) > 0
    words = make_column_transformer((OneHotEncoder(), ["sex"]), remainder=StandardScaler())
    model = make_pipeline(words, LogisticRegression()).fit(X, y)
    found = shap_values(model, X[:10], X[10:], output="log_odds")
    # a linear model's are those of the textbook; the columns of a category are one feature
    of_columns = model[-1].coef_ * (model[0].transform(X[:10]) - model[0].transform(X[10:]).mean(0))
    expected = np.column_stack([of_columns[:, 2:], of_columns[:, :2].sum(1)])
    np.testing.assert_allclose(found.values, expected, atol=1e-10)
    assert found.feature_names == ("age", "bmi", "calcium", "sex")
    assert found.method == "exact"


def test_a_foreign_pipeline_of_trees_gets_the_values_of_shap(table):
    shap = pytest.importorskip("shap")
    X, y = table
    X = X[["age", "bmi", "wbc_10e9_l"]]
    model = make_pipeline(SimpleImputer(), RandomForestClassifier(10, random_state=0)).fit(X, y)
    rows, background = X[:3], X[20:30]
    found = shap_values(model, rows, background)

    def function(matrix):
        return model.predict_proba(pd.DataFrame(matrix, columns=X.columns))[:, 1]

    explainer = shap.KernelExplainer(function, background.to_numpy())  # of all 8 coalitions
    expected = explainer.shap_values(rows.to_numpy(), silent=True, l1_reg=False)
    assert np.abs(found.values - expected).max() < 1e-6


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_are_taken(library, table):
    module = pytest.importorskip(library)
    X, y = table
    X = X[["age", "sex"]]
    model = make_pipeline(ClinicalPreprocessor(), LogisticRegression()).fit(X, y)
    other = module.from_pandas(X) if library == "polars" else module.Table.from_pandas(X)
    rows, background = (other[:9], other) if library == "polars" else (other.slice(0, 9), other)
    expected = shap_values(model, X[:9], X)
    found = shap_values(model, rows, background)
    np.testing.assert_array_equal(found.values, expected.values)
    pd.testing.assert_frame_equal(found.frame(), expected.frame())
    assert count_features(model, rows, background) == 2


def test_features_are_counted_before_they_are_explained(table):
    """Height and weight make a body mass index, which is one more feature than columns."""
    X, y = table
    columns = ["age", "height_cm", "weight_kg"]
    model = make_pipeline(ClinicalPreprocessor(), LogisticRegression())
    model.fit(X[columns], y)
    n = count_features(model, X[columns])
    assert n == len(shap_values(model, X[columns]).feature_names) == 4


def test_one_row_is_no_background_of_its_own(net):
    with pytest.raises(InputError, match="background="):
        shap_values(net[0], net[1][:1])


def test_models_of_films_are_sent_to_grad_cam():
    with pytest.raises(InputError, match="grad_cam"):
        shap_values(small_image(), np.zeros((4, 24, 24)), np.zeros((4, 24, 24)))


def test_a_gap_is_refused_by_a_net_that_takes_none(net):
    model, X = net
    X = np.where(np.eye(len(X), 9) > 0, np.nan, X)
    with pytest.raises(ValueError, match="NaN"):
        shap_values(model, X)


def test_values_come_back_from_plain_arrays_and_from_pickle(tmp_path):
    found = ShapValues(
        [[0.1, -0.2], [0.0, 0.3]], 0.4, [[81, "M"], [np.nan, "F"]], ["age", "sex"], "log odds"
    )
    np.savez(tmp_path / "values.npz", **found.to_arrays())
    with np.load(tmp_path / "values.npz", allow_pickle=False) as stored:
        back = ShapValues.from_arrays(dict(stored))
    for other in (back, pickle.loads(pickle.dumps(found))):
        pd.testing.assert_frame_equal(other.frame(), found.frame())
        assert (other.base, other.unit, other.method) == (0.4, "log odds", "exact")


def test_arrays_that_do_not_fit_each_other_are_refused():
    with pytest.raises(InputError, match="feature_names"):
        ShapValues([[0.1, 0.2]], 0.0, [[1, 2]], ["age"])


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.normal(69, 9, 60), np.where(rng.random(60) < 0.5, "F", "M")])
    data = data.astype(object)
    data[:, 0] = data[:, 0].astype(float)
    data[0, 0] = np.nan
    return ShapValues(rng.normal(size=(60, 2)) * [0.2, 0.1], 0.4, data, ["cost_in_$", "sex"])


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.mark.parametrize("kind", ["dot", "bar"])
def test_the_most_important_feature_is_on_top_and_the_unit_is_named(drawn, kind):
    ax = drawn.plot(kind)
    ax.figure.canvas.draw()
    assert names(ax) == ["sex", "cost_in_$"]
    assert "probability" in ax.get_xlabel()


def test_every_row_is_a_dot_and_gaps_are_rings(drawn):
    ax = drawn.plot()
    rings, dots = ([c for c in ax.collections if len(c.get_facecolors()) == n] for n in (0, 59))
    assert sum(len(c.get_offsets()) for c in ax.collections) == 120
    assert sum(len(c.get_offsets()) for c in rings) == 1
    # dark is high, in grey print too
    shades = dots[0].get_facecolors()[:, :3] @ [0.299, 0.587, 0.114]
    values = drawn.data[1:, 0].astype(float)
    assert np.corrcoef(values, shades)[0, 1] < -0.9


def test_a_variable_of_two_words_has_a_colour_for_each_which_the_legend_names(drawn):
    ax = drawn.plot()
    legend = ax.get_legend()
    said = dict(
        zip((text.get_text() for text in legend.get_texts()), legend.legend_handles, strict=True)
    )
    assert set(said) == {"sex: F", "sex: M"}
    for word, handle in ((name[-1], handle) for name, handle in said.items()):
        of_word = [c for c in ax.collections if len(c.get_offsets())
                   and np.array_equal(c.get_facecolor()[:1], handle.get_facecolor())]  # fmt: skip
        found = np.concatenate([c.get_offsets()[:, 0] for c in of_word])
        np.testing.assert_allclose(found, drawn.values[drawn.data[:, 1] == word, 1])


def test_words_of_more_than_two_kinds_and_missing_ones_are_rings():
    data = [["a"], ["b"], ["c"], ["a"]]
    ax = ShapValues(np.zeros((4, 1)), 0.4, data, ["ward"]).plot()
    assert sum(len(c.get_offsets()) for c in ax.collections if not len(c.get_facecolors())) == 4
    assert ax.get_legend() is None


def test_what_is_stored_says_which_of_two_words_a_row_has(drawn):
    second = drawn.to_arrays()["second"]
    np.testing.assert_array_equal(second[:, 1], drawn.data[:, 1] == "M")
    assert np.isnan(second[:, 0]).all()


def test_bars_are_the_mean_absolute_values(drawn):
    widths = [bar.get_width() for bar in drawn.plot("bar").patches]
    np.testing.assert_allclose(sorted(widths), np.sort(np.abs(drawn.values).mean(axis=0)))


def test_another_kind_is_refused(drawn):
    with pytest.raises(InputError, match="allowed are"):
        drawn.plot("violin")


@pytest.mark.parametrize("kind", ["dot", "bar"])
def test_it_draws_where_it_is_told(drawn, kind):
    _, ax = plt.subplots()
    assert drawn.plot(kind, ax=ax) is ax


@pytest.mark.parametrize("kind", ["dot", "bar"])
@pytest.mark.parametrize("name", ["$x_{2$", "\N{CIRCLED LATIN CAPITAL LETTER A}"])
def test_any_name_can_be_drawn(name, kind, monkeypatch):
    """Also of signs that the usual font lacks, as Chinese ones; here of matplotlib's own font."""
    monkeypatch.setattr("skosteo._plotting._MORE_FONTS", ("STIXGeneral",))
    ax = ShapValues([[0.1, 0.2]], 0.5, [[1, 2]], [name, "b"]).plot(kind)
    ax.figure.canvas.draw()
    assert any(name in text.get_text() for text in ax.findobj(plt.Text))
