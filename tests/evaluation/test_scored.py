"""Checked rows: one reading of labels, patients, weights and models, of pandas, polars, pyarrow."""

import numpy as np
import pandas as pd
import pytest

from skosteo.evaluation import (
    age_band,
    auc_interval,
    bootstrap_interval,
    calibration_line,
    check_leakage,
    compare,
    decision_curve,
    delong_test,
    evaluate,
    mcnemar_test,
    operating_point,
    reliability,
    subgroups,
)
from skosteo.evaluation._scored import Scored
from skosteo.exceptions import InputError


@pytest.fixture(scope="module")
def frame():
    """Rows of 100 patients as a table of pandas."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(100), 2)
    y = np.tile([0, 1], 50)[patient]
    columns = {name: 0.3 + 0.3 * y + rng.uniform(0, 0.3, 200) for name in ("image", "clinical")}
    return pd.DataFrame(
        {
            "y": y,
            **columns,
            "patient": [f"P{code}" for code in patient],
            "weight": rng.integers(1, 5, 200),
            "sex": np.where(rng.random(100) < 0.5, "F", "M")[patient],
            "age": rng.integers(50, 80, 100).astype(float)[patient],
        }
    )


def of(library, frame):
    """Return a table of another library, and the way to its columns."""
    if library == "polars":
        table = pytest.importorskip("polars").from_pandas(frame)
        return table.__getitem__, table.select
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if library == "pyarrow arrays":
        return (lambda name: pa.array(frame[name])), table.select
    return table.__getitem__, table.select


def results(column, select):
    """Every function of rows, given columns and tables of one library."""
    y, image, clinical, patient = map(column, ("y", "image", "clinical", "patient"))
    models = select(["image", "clinical"])
    named = {"image": image, "clinical": clinical}
    more = {"groups": patient, "sample_weight": column("weight")}
    return [
        evaluate(y, models, groups=patient).frame(),
        evaluate(y, named).frame(),
        evaluate(y, image).frame(),
        compare(y, models, groups=patient).frame(),
        reliability(y, models, groups=patient).frame(),
        decision_curve(y, models).frame(),
        subgroups(y, models, select(["sex"]), groups=patient).frame(),
        subgroups(y, image, {"age": age_band(column("age"))}).frame(),
        pd.DataFrame(
            [
                *auc_interval(y, image, **more),
                *calibration_line(y, image, **more),
                *delong_test(y, image, clinical, **more),
                *mcnemar_test(y, y, y, groups=patient),
                *operating_point(y, image),
                *bootstrap_interval(_mean, y, image, groups=patient, n_resamples=100),
            ]
        ),
        check_leakage(select(["sex", "age", "weight"]), y, patient).frame(),
    ]


def _mean(_, score):
    return score.mean()


@pytest.mark.parametrize("library", ["polars", "pyarrow", "pyarrow arrays"])
def test_other_tables_give_what_pandas_gives(frame, library):
    expected = results(frame.__getitem__, frame.__getitem__)
    for other, own in zip(results(*of(library, frame)), expected, strict=True):
        pd.testing.assert_frame_equal(other, own)


def test_missing_values_of_polars_are_found(frame):
    pl = pytest.importorskip("polars")
    score = pl.Series([0.2, None, 0.7, 0.9])
    with pytest.raises(InputError, match="not finite in 1 of 4 rows, the first in row 2"):
        evaluate([0, 0, 1, 1], score)
    with pytest.raises(InputError, match="no label in 1 of 4 rows, the first in row 3"):
        evaluate(pl.Series([0, 1, None, 1]), [0.1, 0.2, 0.3, 0.4])
    with pytest.raises(InputError, match="groups misses the patient id of 1 of 4 rows"):
        evaluate([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], groups=pl.Series(["a", None, "b", "c"]))
    levels = subgroups(frame["y"], frame["image"], {"x": pl.Series(["a", None] * 100)}).frame()
    assert set(levels["level"]) == {"a", "not known"}


def test_a_lazy_table_is_refused(frame):
    pl = pytest.importorskip("polars")
    lazy = pl.from_pandas(frame[["image"]]).lazy()
    with pytest.raises(InputError, match="collect"):
        evaluate(frame["y"], lazy)


def test_rows_of_weight_0_and_their_patients_go():
    rows = Scored.of_scores(
        [0, 1, 1, 0], [4, 3, 2, 1], groups=list("abca"), sample_weight=[0, 2, 4, 4]
    )
    assert rows.positive.tolist() == [True, True, False]
    assert rows.patient.tolist() == [1, 2, 0]
    assert rows.weight.tolist() == [0.5, 1, 1]
    assert rows.score.tolist() == [3, 2, 1]


def test_a_part_numbers_its_patients_anew():
    rows = Scored.of_models([0, 1, 1], {"a": [0.1, 0.2, 0.3]}, ["x", "y", "z"])
    part = rows.at(np.array([False, True, True]))
    assert part.patient.tolist() == [0, 1]
    assert part.models["a"].tolist() == [0.2, 0.3]


def test_rows_are_checked_once(monkeypatch):
    """Patients are coded and labels read once, however many models and metrics there are."""
    seen = []
    check = "skosteo.evaluation._scored.check_groups"
    from skosteo._validation import check_groups

    monkeypatch.setattr(check, lambda *given: seen.append(given) or check_groups(*given))
    rng = np.random.default_rng(0)
    models = {name: rng.uniform(0.1, 0.9, 60) for name in "abc"}
    for function in (evaluate, compare, reliability):
        seen.clear()
        function(np.tile([0, 1], 30), models, groups=np.arange(60) // 2)
        assert len(seen) == 1
