"""Columns that give the label away are found by what they hold; honest ones are not."""

import numpy as np
import pandas as pd
import pytest

from skosteo.evaluation.leakage import check_leakage
from skosteo.exceptions import InputError
from tests.evaluation.test_leakage import kinds, table


def planted(y, kind, rng):
    """Return a column that gives y away."""
    y, n = y.to_numpy(), len(y)
    return {
        "label": y,
        "words": np.where(y == 1, "yes", "no"),
        "flag": y == 0,
        "code": np.where(y == 1, 3, rng.choice([1, 7], n)),
        "score": y + rng.normal(0, 0.05, n),
        "falling": -10 * y + rng.uniform(0, 9, n),
        "with gaps": np.where(rng.random(n) < 0.3, np.nan, y + rng.normal(0, 0.05, n)),
        "gaps": np.where(y == 1, rng.normal(size=n), np.nan),
        "no gaps": np.where(y == 1, np.nan, 1.0),
        "id": np.argsort(np.argsort(y, kind="stable"), kind="stable"),
        "word id": [f"S{i:05d}" for i in np.argsort(np.argsort(y, kind="stable"))],
        "category": pd.Categorical(np.where(y == 1, "III", rng.choice(["I", "II"], n))),
    }[kind]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "kind",
    ["label", "words", "flag", "code", "score", "falling", "with gaps", "gaps", "no gaps", "id",
     "word id", "category"],
)  # fmt: skip
def test_a_column_that_tells_the_classes_apart(kind, seed):
    X, y, patient = table(seed=seed)
    leak = planted(y, kind, np.random.default_rng(seed))
    report = check_leakage(X.assign(ward=leak), y, patient)
    assert not report.ok
    assert {column for _, column in kinds(report, "leak")} == {"ward"}
    assert set(report.frame()["column"]) == {"ward"}
    with pytest.raises(InputError, match=r"'ward'.*Leave 'ward' out"):
        report.raise_if_leaking()


@pytest.mark.parametrize("name", ["t_score", "BMD_hip", "alendronate", "骨密度"])
def test_a_column_whose_name_promises_the_answer(name):
    X, y, patient = table()
    X = X.assign(**{name: np.random.default_rng(0).normal(size=len(X))})
    assert kinds(check_leakage(X, y, patient)) == {("column's name", name)}


@pytest.mark.parametrize(("column", "severity"), [("notes", "suspect"), ("xray_diagnosis", "note")])
def test_report_text_that_names_the_diagnosis(column, severity):
    X, y, patient = table()
    X = X.assign(**{column: ["clear lungs", "known osteoporosis", None] * 50})
    row = check_leakage(X, y, patient).frame().iloc[0]
    assert (row["kind"], row["severity"], row["n_rows"]) == ("column's text", severity, 50)
    assert row["rows"][:3] == [1, 4, 7]


@pytest.mark.parametrize(("of_cases", "leaks"), [(0.7, True), (0.35, False)])
def test_text_that_names_the_diagnosis_in_one_class_mostly_is_a_leak(of_cases, leaks):
    """What is removed may still be told by what it goes with."""
    X, y, patient = table(400)
    rng = np.random.default_rng(0)
    named = rng.random(400) < np.where(y == 1, of_cases, 0.3)
    X = X.assign(xray_diagnosis=np.where(named, "Aorta wide. Osteopenia.", "Aorta wide."))
    report = check_leakage(X, y, patient)
    row = report.frame().iloc[0]
    assert (row["kind"], row["severity"]) == ("column's text", "leak" if leaks else "note")
    assert row["n_rows"] == named.sum()
    if leaks:
        assert f"{named[y == 1].mean():.0%} of the cases" in row["finding"]
        with pytest.raises(InputError, match="'xray_diagnosis' names the diagnosis"):
            report.raise_if_leaking()
        many = pd.concat([X[y == 1].iloc[:5], X[y == 0].iloc[:5]]).loc[lambda t: [*t.index] * 30]
        assert check_leakage(many, y[many.index], patient[many.index]).ok  # of ten patients


def test_an_id_whose_order_goes_with_the_classes():
    """Cases were collected first, mostly: no value is a leak, but the number of the row is one."""
    X, y, patient = table(300)
    rng = np.random.default_rng(0)
    order = np.argsort(np.argsort(-y.to_numpy() + rng.normal(0, 0.7, 300)))
    report = check_leakage(X.assign(study_number=order), y, patient)
    assert kinds(report) == {("column's order", "study_number")}
    assert check_leakage(X.assign(study_number=rng.permutation(300)), y, patient).ok


@pytest.mark.parametrize(
    ("values", "words"), [(np.nan, "no value"), (3, "constant"), ("a", "const")]
)
def test_columns_without_information_are_noted(values, words):
    X, y, patient = table()
    report = check_leakage(X.assign(ward=values), y, patient)
    assert report.ok
    assert kinds(report, "note") == {("no information", "ward")}
    assert words in repr(report)


def test_too_few_patients_are_not_judged():
    X = pd.DataFrame({"a": [1.0, 2, 3, 4, 5, 6]})
    assert check_leakage(X, [0, 0, 0, 1, 1, 1], list("abcdef")).ok
    # many rows of few patients are as few
    many = pd.concat([X] * 20)
    assert check_leakage(many, [0, 0, 0, 1, 1, 1] * 20, list("abcdef") * 20).ok


@pytest.mark.parametrize("kind", ["datetime64[s]", "datetime64[ns, UTC]", "timedelta64[s]"])
def test_times_are_judged_as_numbers_are(kind):
    X, y, patient = table()
    days = pd.Series(np.random.default_rng(0).permutation(10_000)[:150], index=X.index)
    days = days.astype("timedelta64[s]") if "delta" in kind else pd.to_datetime(days, unit="D")
    clean = days if "delta" in kind or "UTC" not in kind else days.dt.tz_localize("UTC")
    assert check_leakage(X.assign(visit=clean), y, patient).frame().empty
    later = clean + pd.Timedelta(20_000, "D") * y.astype(int)
    later.iloc[3] = pd.NaT
    assert kinds(check_leakage(X.assign(visit=later), y, patient)) == {("column's values", "visit")}


def test_a_birthday_may_go_with_the_disease_as_age_does():
    X, y, patient = table(600)
    rng = np.random.default_rng(0)
    birthday = pd.Timestamp("2026-01-01") - pd.to_timedelta(
        X["age"].fillna(65) * 365 + rng.permutation(600) / 1000, "D"
    )
    assert check_leakage(X.assign(birthday=birthday), y, patient).ok
