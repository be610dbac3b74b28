"""Net benefit: the published counts of dcurves, the definition by brute force."""

import numpy as np
import pandas as pd
import pytest

from skosteo.evaluation import decision_curve, net_benefit
from skosteo.exceptions import InputError
from tests.evaluation.figures import legend_of


def test_equals_dcurves_on_its_own_data():
    """df_binary: 105 of 750 ill; at 25 % the marker calls 72 of them and 72 others."""
    y = np.repeat([1, 1, 0, 0], [72, 33, 72, 573])
    p = np.repeat([0.3, 0.2, 0.3, 0.2], [72, 33, 72, 573])
    assert net_benefit(y, p, 0.25) == pytest.approx(0.0640000, abs=1e-7)
    assert net_benefit(y, np.ones(750), 0.25) == pytest.approx(-0.1466667, abs=1e-7)
    assert net_benefit(y, np.zeros(750), 0.25) == 0
    frame = decision_curve(y, {"marker": p}, [0.25]).frame().set_index("model")["net_benefit"]
    expected = {"marker": 0.064, "treat all": -0.1466667, "treat none": 0}
    assert frame.to_dict() == pytest.approx(expected, abs=1e-7)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.3
    return y, np.clip(0.3 + 0.2 * y + 0.2 * rng.normal(size=400), 0, 1).round(2)


def test_is_its_definition_at_every_threshold(rows):
    y, p = rows
    at = np.linspace(0, 0.99, 100).round(2)
    expected = [((p >= t) & y).mean() - ((p >= t) & ~y).mean() * t / (1 - t) for t in at]
    assert net_benefit(y, p, at) == pytest.approx(np.array(expected))
    assert net_benefit(y, p, at.reshape(10, 10)).shape == (10, 10)


def test_prevalence_reweighs_the_classes_and_moves_the_risks(rows):
    y, p = rows
    # doubling the healthy rows is halving the odds of being ill, of all and of each patient
    more = np.concatenate([np.arange(400), np.flatnonzero(~y)])
    halved = p / (p + 2 * (1 - p))
    at = [0.103, 0.203, 0.503]
    assert net_benefit(y, p, at, prevalence=y[more].mean()) == pytest.approx(
        net_benefit(y[more], halved[more], at)
    )
    assert net_benefit(y, p, at, prevalence=y.mean()) == pytest.approx(net_benefit(y, p, at))


def test_a_case_control_study_tells_the_net_benefit_among_patients_as_they_come():
    """Planted: one in 20 is ill; the model was fitted, and is right, where every other one is."""
    rng = np.random.default_rng(1)
    y = rng.random(400_000) < 0.05
    finding = rng.normal(size=len(y)) + 1.5 * y
    odds = np.exp(1.5 * finding - 1.5**2 / 2)  # likelihood ratio of the finding
    at_one_half, right = odds / (1 + odds), odds / (odds + 19)
    taken = np.concatenate([np.flatnonzero(y), np.flatnonzero(~y)[: y.sum()]])
    at = np.array([0.03, 0.05, 0.1, 0.2, 0.4])
    study = net_benefit(y[taken], at_one_half[taken], at, prevalence=0.05)
    planted = net_benefit(y, right, at)
    assert study == pytest.approx(planted, abs=0.0015)
    # to treat all stays what it is, and the model is worth it at every threshold
    everyone = net_benefit(y[taken], np.ones(len(taken)), at, prevalence=0.05)
    assert everyone == pytest.approx(0.05 - 0.95 * at / (1 - at))
    assert (study > np.maximum(everyone, 0)).all()


def test_references(rows):
    y, p = rows
    frame = decision_curve(y, {"a": p, "b": 1 - p}).frame()
    assert frame["model"].drop_duplicates().tolist() == ["a", "b", "treat all", "treat none"]
    assert len(frame) == 4 * 29  # 2, 3, ..., 30 %
    assert frame["threshold"].agg(["min", "max"]).tolist() == [0.02, 0.3]
    curve = frame.pivot_table(index="threshold", columns="model", values="net_benefit")
    odds = curve.index / (1 - curve.index)
    assert curve["treat all"].to_numpy() == pytest.approx(y.mean() - (1 - y.mean()) * odds)
    assert (curve["treat none"] == 0).all()
    assert (decision_curve(y, p, [0, 0.1]).frame().tail(2)["net_benefit"] == 0).all()


def test_intervals_are_those_of_the_mean_of_what_rows_add(rows):
    y, p = rows
    curve = decision_curve(y, {"a": p, "b": p[::-1]}, [0.2])
    gain = {k: (q >= 0.2) * np.where(y, 1, -0.25) for k, q in {"a": p, "b": p[::-1]}.items()}
    gain |= {"treat all": np.where(y, 1, -0.25), "treat none": np.zeros(400)}
    frame = curve.frame().set_index("model")
    differences = curve.differences("a").set_index("model")
    assert list(differences.index) == ["b", "treat all", "treat none"]
    for name, estimate, values in (
        *((k, frame.loc[k], gain[k]) for k in ("a", "b", "treat all")),
        *((k, differences.loc[k], gain[k] - gain["a"]) for k in differences.index),
    ):
        half = 1.959964 * values.std(ddof=1) / 20
        expected = [0.2, values.mean(), values.mean() - half, values.mean() + half]
        assert estimate.to_numpy() == pytest.approx(expected), name
    assert frame.loc["treat none", ["low", "high"]].isna().all()


def test_at_a_stated_prevalence_only_the_two_rates_vary(rows):
    y, p = rows
    curve = decision_curve(y, p, [0.2], prevalence=0.05)
    model = curve.frame().iloc[0]
    odds = p / (1 - p) * (0.05 / 0.95) / (y.mean() / (1 - y.mean()))
    called = odds >= 0.25
    sensitivity, false = called[y].mean(), called[~y].mean()
    variance = 0.05**2 * sensitivity * (1 - sensitivity) / y.sum()
    variance += (0.95 * 0.25) ** 2 * false * (1 - false) / (~y).sum()
    assert model["net_benefit"] == pytest.approx(0.05 * sensitivity - 0.95 * 0.25 * false)
    assert model["high"] - model["low"] == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.003)
    assert curve.frame().set_index("model").loc["treat all", ["low", "high"]].isna().all()


def test_where_treating_all_gains_nothing_rounding_is_no_interval(rows):
    """At a threshold of the stated prevalence its net benefit is 0, whoever was sampled."""
    curve = decision_curve(*rows, [0.05, 0.15, 0.2], prevalence=0.05)
    everyone = curve.frame().set_index("model").loc["treat all"]
    assert everyone["net_benefit"].iloc[0] == pytest.approx(0, abs=1e-15)
    assert everyone[["low", "high"]].isna().all(axis=None)


def test_films_of_a_patient_that_are_alike_count_once(rows):
    y, p = rows
    once = decision_curve(y, {"a": p}, [0.1, 0.3])
    thrice = decision_curve(np.repeat(y, 3), {"a": np.repeat(p, 3)}, [0.1, 0.3],
                            groups=np.repeat(np.arange(400), 3))  # fmt: skip
    for one, three in (
        (once.frame(), thrice.frame()),
        (once.differences("treat all"), thrice.differences("treat all")),
    ):
        assert three.iloc[:, 2:].to_numpy() == pytest.approx(
            one.iloc[:, 2:].to_numpy(), abs=3e-4, nan_ok=True
        )


@pytest.mark.slow
@pytest.mark.parametrize("stated", [None, 0.05])
def test_intervals_hold_the_truth(stated):
    """Planted: 200 patients of 1 to 7 films; a case is one in 5 by chance, or by design."""
    rng = np.random.default_rng(0)

    def draw(k):
        case = rng.random(k) < 0.2 if stated is None else np.arange(k) < k // 5
        patient = np.repeat(np.arange(k), 1 + rng.poisson(0.7, k).clip(0, 6))
        finding = (1.2 * case + 0.8 * rng.normal(size=k))[patient]
        noise = rng.normal(size=(2, len(patient))) * [[0.6], [1.5]]
        weak, strong = finding + noise[1], finding + noise[0]
        risk = {k: 1 / (1 + np.exp(2 - v)) for k, v in {"weak": weak, "strong": strong}.items()}
        return {"y_true": case[patient], "y_prob": risk, "groups": patient}

    at = [0.05, 0.15, 0.3]
    many = decision_curve(**draw(400_000), thresholds=at, prevalence=stated)
    truth = [many.frame()["net_benefit"], many.differences("weak")["difference"]]
    held = [[], []]
    for _ in range(1000):
        curve = decision_curve(**draw(200), thresholds=at, prevalence=stated)
        for i, frame in enumerate((curve.frame(), curve.differences("weak"))):
            held[i].append(((frame["low"] <= truth[i]) & (truth[i] <= frame["high"]))[:6])
    coverage = np.concatenate([np.mean(held[0], axis=0), np.mean(held[1], axis=0)[:3]])
    assert (coverage > 0.91).all(), coverage
    assert (coverage < 0.975).all(), coverage


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, p: net_benefit(y, p, [0.1, 1]), "1 of 2 values that are not 0 or more"),
        (lambda y, p: net_benefit(y, p, [10, 20]), "2 of 2.*divide per cents"),
        (lambda y, p: net_benefit(y, p, "low"), "thresholds are not numeric"),
        (lambda y, p: net_benefit(y, p, []), "0 of 0"),
        (lambda y, p: net_benefit(y, p, 0.1, prevalence=1), "prevalence is 1"),
        (lambda y, p: net_benefit(y, 5 * p, 0.1), "probabilities lie within 0 and 1"),
        (lambda y, p: decision_curve(y, {"treat all": p}), "rename it"),
        (lambda y, p: decision_curve(y, pd.DataFrame({})), "names no model"),
        (lambda y, p: decision_curve(y, {"a": p}).differences("treat al"), "mean 'treat all'"),
    ],
)
def test_wrong_input_is_named(rows, call, message):
    with pytest.raises(InputError, match=message):
        call(*rows)


def test_decision_curve_shows_models_and_both_references(report):
    curve = decision_curve(report.positive, report.probability)
    ax = curve.plot()
    assert legend_of(ax) == ["image", "chance", "treat all", "treat none"]
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    expected = np.column_stack([100 * curve.thresholds, curve.net_benefit["image"]])
    assert lines["image"] == pytest.approx(expected)
    band = ax.collections[0].get_paths()[0].get_extents()
    frame = curve.frame().query("model == 'image'")
    assert band.intervaly == pytest.approx([frame["low"].min(), frame["high"].max()])
    assert ax.get_legend().get_title().get_text() == "Band: 95 % interval"
    assert ax.get_ylim()[0] < 0 < curve.net_benefit["treat all"].max() < ax.get_ylim()[1]
