"""Fold by fold: each row judged by a model that has not seen it, and no fit done twice."""

import os
import signal
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier

from skosteo.exceptions import InputError
from skosteo.study import fitting, run_study
from tests.study.cohorts import Counts, Fails, Remembers, Says, Warns, fits_in, patients

pytestmark = pytest.mark.usefixtures("no_report")
N_FOLDS, N_MODELS = 4, 4
X, Y, GROUPS = patients(120, rows_each=2)


def counted(out, folder, seconds=0.0, n_models=N_MODELS, **changes):
    """A study whose fits leave a file each in a folder."""
    own = [(f"m{i}", Counts(str(folder), float(seconds), i / 50)) for i in range(int(n_models))]
    params = {
        "image_column": None, "n_folds": N_FOLDS, "n_repeats": 1, "verbose": 0, "models": own,
    } | changes  # fmt: skip
    return run_study(X, Y, groups=GROUPS, out=out, **params)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "fits"
    made.mkdir()
    return made


# ---------------------------------------------------------------- honest probabilities


def test_every_row_is_judged_by_the_model_that_has_not_seen_it(of_values):
    study = of_values.study
    model = study.models[study.primary]
    X, y = model.part(study.design.X), study.design.y
    judged = study.assessed()
    for repeat, folds in enumerate(study.design.repeats):
        for train, validation in folds:
            fitted = clone(model.estimator).fit(X.iloc[train], y[train])
            expected = fitted.predict_proba(X.iloc[validation])[:, 1]
            here = (judged.repeat == repeat) & np.isin(judged.row, validation)
            said = judged.probability[study.primary].to_numpy()[here]
            np.testing.assert_array_equal(said, expected)


def test_test_rows_are_judged_by_models_of_all_other_rows(of_split):
    study = of_split.study
    assert study.design.has_test
    for name, model in study.models.items():
        X, rows = model.part(study.design.X), study.design.development
        fitted = clone(model.estimator).fit(X.iloc[rows], study.design.y[rows])
        expected = fitted.predict_proba(X.iloc[study.design.test])[:, 1]
        judged = study.assessed_once()
        np.testing.assert_array_equal(judged.row, study.design.test)
        np.testing.assert_allclose(judged.probability[name], expected, atol=1e-12)


def test_a_model_that_learns_patients_by_heart_gains_nothing():
    """Labels are chance, and the rows of a patient share a number that names it."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(300), 3)
    y = rng.permutation(np.resize([0, 1], 300))[groups]
    table = pd.DataFrame({"noise": rng.permutation(300)[groups] + rng.normal(0, 0.01, 900)})
    study = run_study(
        table, y, groups=groups, image_column=None, n_folds=3, n_repeats=1, verbose=0,
        models=[("by heart", Remembers()), ("chance", DummyClassifier(strategy="prior"))],
    )  # fmt: skip
    low, high = auc_of(study)
    assert low < 0.5 < high
    # the same without patients: it recognises them, so that the test above can fail
    leaking = run_study(
        table, y, image_column=None, n_folds=3, n_repeats=1, verbose=0,
        models=[("by heart", Remembers()), ("chance", DummyClassifier(strategy="prior"))],
    )  # fmt: skip
    assert auc_of(leaking)[0] > 0.8


def auc_of(study):
    """Limits of the AUC of the primary model."""
    figures = study.figures().set_index("figure")
    return figures.loc["AUC", ["low", "high"]].tolist()


def test_labels_of_chance_are_predicted_by_chance():
    inside = 0
    for seed in range(10):
        table, _, groups = patients(120, seed)
        y = np.random.default_rng(100 + seed).permutation(np.resize([0, 1], 120))
        study = run_study(
            table, y, groups=groups, image_column=None, models=["logistic"], n_folds=2,
            n_repeats=2, verbose=0,
        )  # fmt: skip
        low, high = auc_of(study)
        inside += low <= 0.5 <= high
    assert inside >= 8  # of intervals of 95 %


def test_a_model_that_says_no_probability_is_named():
    with pytest.raises(
        InputError, match="gives no probability, a number from 0 to 1, for 120 of 120 rows"
    ) as caught:
        run_study(
            X, Y, groups=GROUPS, image_column=None, n_folds=2, verbose=0,
            models=["age_sex_bmi", ("broken", Fails())],
        )  # fmt: skip
    assert caught.value.__notes__ == ["Model 'broken', fold 1-1."]


# ---------------------------------------------------------------- nothing twice


# The final model is one fit more, in every call: of foreign parts, it is kept in no file. One that
# is kept is fitted once: see test_final.


def test_the_same_call_again_fits_nothing(tmp_path, folder):
    first = counted(tmp_path / "out", folder)
    assert fits_in(folder) == N_FOLDS * N_MODELS + 1
    again = counted(tmp_path / "out", folder)
    assert fits_in(folder) == N_FOLDS * N_MODELS + 2
    same(first, again)


def same(one, other):
    pd.testing.assert_frame_equal(one.assessed_once().risk, other.assessed_once().risk)


def test_models_that_are_the_same_are_fitted_once(of_films):
    study = of_films.study
    image, backbone = study.models["image"], study.models["backbone"]
    assert image.key == backbone.key  # of the preset "quick"
    assert len(study.results) == len(study.models) - 1
    said = study.assessed_once().probability
    assert said["image"].equals(said["backbone"])


def test_only_models_of_the_prespecified_comparisons_are_fitted_in_every_repeat(tmp_path, folder):
    study = counted(tmp_path / "out", folder, n_repeats=3)
    assert len(study.family) == 2
    assert fits_in(folder) == N_FOLDS * (2 * 3 + N_MODELS - 2) + 1
    assert study.assessed().n_repeats == 3
    assert study.assessed_once().n_repeats == 1


def test_another_model_beside_is_the_only_one_fitted(tmp_path, folder):
    counted(tmp_path / "out", folder, n_models=2)
    counted(tmp_path / "out", folder, n_models=3)
    assert fits_in(folder) == 3 * N_FOLDS + 2


def test_a_damaged_entry_is_fitted_again(tmp_path, folder):
    first = counted(tmp_path / "out", folder)
    entries = sorted((tmp_path / "out" / "work").glob("*.npz"))
    entries[0].write_bytes(entries[0].read_bytes()[:100])
    entries[1].write_bytes(b"garbage")
    entries[2].write_bytes(b"")
    entries[3].unlink()
    with pytest.warns(UserWarning, match="is damaged"):
        again = counted(tmp_path / "out", folder)
    assert fits_in(folder) == N_FOLDS * N_MODELS + 4 + 2
    same(first, again)


def test_what_was_finished_before_an_error_stays(tmp_path, folder):
    broken = [("ok", Counts(str(folder))), ("broken", Fails())]
    with pytest.raises(InputError):
        counted(tmp_path / "out", folder, models=broken)
    counted(tmp_path / "out", folder, models=broken[:1])
    assert fits_in(folder) == N_FOLDS + 1  # the first fold's was there


@pytest.mark.parametrize("changed", ["values", "labels", "patients", "seed", "folds", "test"])
def test_other_data_do_not_take_the_results_of_these(changed, tmp_path, folder):
    counted(tmp_path / "out", folder)
    before = fits_in(folder)
    table, y, groups, params = X.copy(), Y.copy(), GROUPS, {}
    if changed == "values":
        table.loc[0, "bmi"] += 0.1
    elif changed == "labels":
        y[:2] = 1 - y[:2]
    elif changed == "patients":
        groups = np.where(groups == 1, 0, groups)
    else:
        tested = (GROUPS % 5) == 0
        params = {"seed": {"random_state": 1}, "folds": {"n_folds": 3}, "test": {"test": tested}}
        params = params[changed]
    with pytest.raises(InputError, match="out holds the study of other rows"):
        run_study(
            table, y, groups=groups, out=tmp_path / "out", image_column=None,
            **{"n_folds": N_FOLDS, "n_repeats": 1, "verbose": 0, "models": [("m", Says("bmi"))]}
            | params,
        )  # fmt: skip
    assert fits_in(folder) == before


# ---------------------------------------------------------------- killed


def wait_for(condition, process, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_killed_study_goes_on_where_it_was(tmp_path, folder, fresh):
    out, work = tmp_path / "out", tmp_path / "out" / "work"
    call = "from tests.study.test_fitting import counted; counted(*argv)"
    fresh.start(call, out, folder, 0.1)
    wait_for(lambda: fits_in(folder) >= 7, fresh)
    os.kill(fresh.pid, signal.SIGKILL)
    assert fresh.wait() == -signal.SIGKILL
    finished = len(list(work.glob("*.npz")))
    begun = fits_in(folder)
    assert begun < N_FOLDS * N_MODELS
    assert begun - 1 <= finished <= begun
    assert not (out / "report.html").exists()
    study = counted(out, folder, 0.1)
    assert fits_in(folder) == begun + N_FOLDS * N_MODELS - finished + 1
    undisturbed = counted(tmp_path / "whole", folder, 0.0)
    same(study, undisturbed)
    for number in (1, 2):
        pd.testing.assert_frame_equal(study.table(number), undisturbed.table(number))


@pytest.mark.filterwarnings("always")
def test_warnings_of_a_worker_are_held_for_the_process_that_asked():
    with fitting._warnings_for(os.getpid() + 1) as told:
        warnings.warn("of a fit", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in told] == ["of a fit"]
    with pytest.warns(UserWarning, match="of a fit"), fitting._warnings_for(os.getpid()) as told:
        warnings.warn("of a fit", UserWarning, stacklevel=1)
    assert told == []


@pytest.mark.slow
def test_warnings_of_workers_reach_the_process_that_asked():
    own = [("quiet", DummyClassifier(strategy="prior")), ("warns", Warns())]
    with pytest.warns(UserWarning, match="fitted in") as told:
        run_study(
            X, Y, groups=GROUPS, image_column=None, n_folds=2, n_repeats=1, n_jobs=2, verbose=0,
            models=own, primary="quiet",
        )  # fmt: skip
    processes = {str(w.message).split()[-1] for w in told if "fitted in" in str(w.message)}
    assert processes
    assert str(os.getpid()) not in processes


@pytest.mark.slow  # workers that import torch take 10 s to start
def test_several_fits_at_a_time_give_the_same(tmp_path, folder):
    one = counted(None, folder)
    several = counted(tmp_path / "out", folder, n_jobs=2)
    same(one, several)
