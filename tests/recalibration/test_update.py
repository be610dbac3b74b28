"""Updates at another hospital: what is chosen, its statistics, and how often a right one goes."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from skosteo import RecalibratedClassifier, how_many_local_patients, update_model
from skosteo.evaluation._format import p_text
from tests.recalibration.planted import Says, patients
from tests.small_models import small_image, write_films

SAYS = Says().fit(None, [0, 1])
LINES = {"original": (1, 0), "intercept": (1, -1), "slope and intercept": (0.5, -1)}


@pytest.mark.parametrize("chosen", LINES)
def test_the_planted_change_is_chosen_and_undone(chosen):
    X, y, risk, _ = patients(np.random.default_rng(0), 3000, *LINES[chosen])
    update = update_model(SAYS, X, y)
    assert update.chosen == chosen
    assert (update.model is SAYS) == (chosen == "original")
    assert len(update.tests) == 1 + (chosen != "original")
    p = update.model.predict_proba(X)[:, 1]
    assert np.abs(p - risk).mean() < 0.02
    assert np.array_equal(np.argsort(p), np.argsort(X[:, 0]))
    if chosen != "original":
        method = "intercept" if chosen == "intercept" else "logistic"
        same = RecalibratedClassifier(SAYS, method, cv="prefit").fit(X, y)
        np.testing.assert_allclose(same.predict_proba(X)[:, 1], p)


@pytest.mark.parametrize(
    ("n", "few", "enough"),
    [(90, ["for an intercept (", "and a slope ("], []),
     (600, ["for a slope ("], ["an intercept ("]),
     (3000, [], ["Too few patients"])],
)  # fmt: skip
def test_an_update_says_what_it_was_chosen_by_and_if_the_patients_were_too_few(n, few, enough):
    X, y, _, _ = patients(np.random.default_rng(0), n, 0.5, -1)
    update = update_model(SAYS, np.repeat(X, 2, axis=0), np.repeat(y, 2), np.repeat(range(n), 2))
    said = str(update)
    assert said.startswith(
        f"Chosen by {n:,} patients: {update.chosen}.\nSlope and intercept against"
    )
    assert f"original: {p_text(update.tests['pvalue'][0])}." in said
    assert all(words in said for words in few)
    assert not any(words in said for words in enough)
    assert ("Collect more outcomes" in said) == bool(few)
    wanted = how_many_local_patients(X[:, 0], prevalence=y.mean())
    assert (wanted.slope > n) == (f"a slope ({wanted.slope} wanted)" in said)
    assert (wanted.intercept > n) == (f"an intercept ({wanted.intercept} wanted)" in said)


def test_statistics_are_likelihood_ratios():
    X, y, _, _ = patients(np.random.default_rng(1), 500, 0.7, -0.8)
    tests = update_model(SAYS, X, y).tests
    log_odds = logit(X)
    line = LogisticRegression(C=np.inf, tol=1e-10).fit(log_odds, y)
    shift = brentq(lambda c: (expit(c + log_odds[:, 0]) - y).sum(), -9, 9)
    by_intercept = log_loss(y, expit(shift + log_odds[:, 0]), normalize=False)
    best = log_loss(y, line.predict_proba(log_odds), normalize=False)
    original = log_loss(y, X[:, 0], normalize=False)
    expected = [2 * (original - best), 2 * (by_intercept - best)]
    np.testing.assert_allclose(tests["statistic"], expected, rtol=1e-4)
    np.testing.assert_allclose(tests["pvalue"], chi2.sf(expected, [2, 1]), rtol=1e-3)
    assert tests["df"].tolist() == [2, 1]
    assert tests["test"].str.startswith("slope and intercept against ").all()


def test_a_film_that_is_there_twice_proves_nothing():
    X, y, _, group = patients(np.random.default_rng(2), 1000, 0.8, -0.2)
    once, ignored, known = (
        update_model(SAYS, np.repeat(X, k, axis=0), np.repeat(y, k), groups).tests["statistic"][0]
        for k, groups in ((1, None), (3, None), (3, np.repeat(group, 3)))
    )
    assert ignored == pytest.approx(3 * once)
    assert known == pytest.approx(once, rel=0.15)
    alone = update_model(SAYS, X, y, [f"patient {i}" for i in group]).tests["statistic"][0]
    assert alone == once


def changed(simulations, n, films):
    """How often a right model is changed."""
    rng = np.random.default_rng(3)
    n_changed = 0
    for _ in range(simulations):
        X, y, _, group = patients(rng, n, films=films, alike=0.7)
        n_changed += update_model(SAYS, X, y, group).chosen != "original"
    return n_changed / simulations


@pytest.mark.parametrize("films", [1, 3])
def test_a_right_model_is_seldom_changed(films):
    assert changed(300, 200, films) < 0.09


def changed_of_uneven(simulations, n, films):
    """How often a right model is changed, where patients have unlike numbers of the same film."""
    rng = np.random.default_rng(6)
    n_changed = 0
    for _ in range(simulations):
        X, y, _, group = patients(rng, n)
        times = rng.choice(films, n)
        X, y, group = (np.repeat(each, times, axis=0) for each in (X, y, group))
        n_changed += update_model(SAYS, X, y, group).chosen != "original"
    return n_changed / simulations


def test_a_right_model_is_seldom_changed_by_patients_of_many_films():
    assert changed_of_uneven(300, 100, [1, 1, 1, 8]) < 0.09  # .13 by patients of equal size


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:No slope can be learned")
@pytest.mark.parametrize(
    ("n", "films"),
    [
        *((100, [1, 1, 1, 8]), (300, [1, 1, 1, 8]), (100, [1, 2, 3, 5])),
        (200, [1] * 9 + [20]),
    ],
)
def test_a_right_model_is_changed_3_to_8_times_in_100_by_uneven_patients(n, films):
    assert 0.025 <= changed_of_uneven(4000, n, films) <= 0.08


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "films", "least"), [(200, 1, 0.045), (100, 3, 0.035), (200, 3, 0.035), (500, 5, 0.035)]
)
def test_a_right_model_is_changed_5_times_in_100(n, films, least):
    assert least <= changed(10_000, n, films) <= 0.065


def test_a_net_that_looks_at_films(tmp_path):
    X, y, groups = write_films(tmp_path)
    model = small_image().fit(X, y)
    there = np.arange(len(y)) % 4 > 0  # the outcome there: hardly what the film shows
    update = update_model(model, X, np.where(np.arange(len(y)) % 3, y, there).astype(int), groups)
    assert update.model.predict_proba(X).shape == (48, 2)


def test_a_reversed_model_tells_nothing_and_it_is_said():
    X, y, _, _ = patients(np.random.default_rng(4), 400)
    with pytest.warns(UserWarning, match="controls have the higher probabilities"):
        update = update_model(SAYS, X, 1 - y)
    assert update.chosen == "slope and intercept"
    np.testing.assert_allclose(update.model.predict_proba(X)[:, 1], 1 - y.mean())


def test_certainties_take_part():
    X, y, _, _ = patients(np.random.default_rng(5), 400, intercept=-2)
    update = update_model(SAYS, X.round(1), y)
    assert update.model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": Says}, "not a classifier with predict_proba"),
        ({"model": LogisticRegression()}, "not fitted"),
        ({"y": np.repeat(["a", "b"], 20)}, r"model= was fitted on the classes \[0, 1\]"),
        ({"y": np.ones(40)}, "y has 1 class in 40 rows"),
        ({"y": np.r_[np.ones(8), np.zeros(32)]}, "A class has 8 of the patients; an update needs"),
        ({"groups": np.arange(40) // 5}, "A class has 4 of the patients"),
        ({"groups": np.arange(39)}, r"groups has shape \(39,\), but there are 40 rows"),
        ({"X": np.full((40, 1), 0.3)}, "all rows have one probability"),
        ({"X": 0.3 + 1e-13 * (np.arange(40) % 3)[:, None]}, "all rows have one probability"),
        ({"X": np.repeat([0.2, 0.6], 20)[:, None]}, "do not overlap"),
        ({"X": np.full((39, 1), 0.3)}, "inconsistent numbers of samples"),
    ],
)
def test_wrong_input_is_named(change, message):
    rows = {"model": SAYS, "X": np.linspace(0.1, 0.9, 40)[:, None], "y": np.repeat([0, 1], 20)}
    with pytest.raises(ValueError, match=message):
        update_model(**rows | change)
