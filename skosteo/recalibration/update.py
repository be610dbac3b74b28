"""A fitted model at another hospital: kept, or its intercept, or its slope too, learned anew."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, f
from sklearn.frozen import FrozenEstimator
from sklearn.utils import indexable

from skosteo._validation import check_groups, encode_target, gives_probabilities, logits, to_pandas
from skosteo.evaluation._format import p_text
from skosteo.evaluation._scored import Scored, as_probability
from skosteo.evaluation.calibration import (
    ALL_ALIKE,
    curvature,
    fit_logistic,
    influences,
    log_likelihood,
    overlap,
)
from skosteo.evaluation.metrics import FEWEST_PATIENTS, patient_variance
from skosteo.exceptions import InputError
from skosteo.fusion.out_of_fold import check_prefit, predict_present
from skosteo.recalibration.classifier import RecalibratedClassifier, edge, whole
from skosteo.recalibration.sample_size import LocalPatients, how_many_local_patients
from skosteo.recalibration.threshold import with_threshold_of

_SIGNIFICANT = 0.05
_ORIGINAL, _INTERCEPT, _BOTH = "original", "intercept", "slope and intercept"


class ModelUpdate(NamedTuple):
    """What `update_model` returns, and explains."""

    model: Any
    chosen: str
    tests: pd.DataFrame
    n_patients: int
    wanted: LocalPatients
    recalibrated: RecalibratedClassifier | None = None

    def __repr__(self) -> str:
        tests = zip(self.tests["test"], self.tests["pvalue"], strict=True)
        lines = [
            f"Chosen by {self.n_patients:,} patients: {self.chosen}.",
            *(f"{test[:1].upper()}{test[1:]}: {p_text(pvalue)}." for test, pvalue in tests),
        ]
        sizes = {"an intercept": self.wanted.intercept, "a slope": self.wanted.slope}
        short = {name: size for name, size in sizes.items() if self.n_patients < size}
        if short:
            wanted = " and ".join(f"{name} ({size:,} wanted)" for name, size in short.items())
            lines.append(
                f"Too few patients for {wanted}: another sample may lead to another choice. "
                "Collect more outcomes before you rely on it."
            )
        return "\n".join(lines)


def update_model(model: Any, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> ModelUpdate:
    r"""Fit a model to another hospital, as far as that hospital's patients show that it must be.

    Its risks are kept, moved by an intercept, or by a slope and an intercept on the log odds,

    .. math:: \operatorname{logit} P(y = 1) = a + b \operatorname{logit} p,

    whichever the closed testing procedure [1]_ chooses at 5 %: slope and intercept are tested
    against the original model (:math:`a = 0, b = 1`) first. Where that is not significant, the
    model stays as it is. Else they are tested against the intercept alone (:math:`b = 1`), which is
    chosen where that is not significant. A model that is right is changed 5 times in 100; 4 to 6
    times with three or five films a patient, and 3 to 7 times with unlike numbers of them (1 or 8
    among 100 and 300 patients, 1 or 20 among 200, 1 to 5 among 100).

    Parameters
    ----------
    model : classifier
        Fitted, with ``predict_proba``; of any kind, also a `RecalibratedClassifier`. It is left as
        it is.
    X : table or array-like of n rows
        Of patients of the other hospital whom the model has not seen, sampled as they come there.
    y : array-like of shape (n,)
        Their outcome, with the labels of the model.
    groups : array-like of shape (n,), default=None
        Patient of each row; None takes every row as a patient of its own.

    Returns
    -------
    ModelUpdate
        ``model``: the model itself, or a `RecalibratedClassifier` around it. Where the model has a
        threshold of its own (see `validate`), that is in scikit-learn's `FixedThresholdClassifier`,
        which decides at the same threshold. ``chosen``: "original", "intercept" or "slope and
        intercept"; ``tests``, a DataFrame with a row per test that was made: ``test``, the
        likelihood-ratio ``statistic``, its ``df`` and ``pvalue``; ``n_patients``, how many there
        were; ``wanted``, how many `how_many_local_patients` asks for at the proportion of cases
        there; ``recalibrated``, the `RecalibratedClassifier` in ``model``, or None. Printed, it
        says if they were too few.

    Raises
    ------
    InputError
        The model is not fitted or has other classes; a class has fewer than 10 patients; all rows
        have one probability, or cases and controls do not overlap, so that there is no slope.

    Warns
    -----
    UserWarning
        The model decides by another figure than the probability of its second class: the updated
        one decides at .5.

    Notes
    -----
    Of the procedure's candidates the refit of the whole model is left out: it takes as many
    patients as the model itself did. `how_many_local_patients` says what these two take.

    Where patients have several rows, the statistic is multiplied by the ratio of the Wald statistic
    of patients to that of independent rows [2]_, and compared with F instead of chi-squared. That
    statistic takes the variance of the change towards which the rows point, as the intervals of
    `auc_interval` do, so that few patients of many films do not pass for many. With a row a patient
    it is the plain statistic.

    An update makes risks right, and with them what is decided at a given risk: a threshold of the
    model's own stays, and is the same risk. An update does not keep a sensitivity, unless findings
    are measured otherwise there. Where fewer patients are ill at the same findings, all risks fall,
    and fewer cases reach the threshold: in planted sites with half the cases sensitivity fell from
    .92 to .78 by the update that made the risks right. Choose the threshold by risk, or anew on the
    updated model, and judge it on patients that neither was learned from.

    References
    ----------
    .. [1] Vergouwe et al. 2017, doi:10.1002/sim.7179
    .. [2] Chandler and Bate 2007, doi:10.1093/biomet/asm015

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skosteo import update_model
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1200, 1))
    >>> here = rng.random(1200) < 1 / (1 + np.exp(-X[:, 0]))
    >>> there = rng.random(1200) < 1 / (1 + np.exp(2 - X[:, 0]))
    >>> update = update_model(LogisticRegression().fit(X, here), X, there)
    >>> update
    Chosen by 1,200 patients: intercept.
    Slope and intercept against original: P < .001.
    Slope and intercept against intercept: P = ...
    """
    rows, classes = predicted_rows(model, X, y, groups, fewest=FEWEST_PATIENTS)
    return update_of_rows(model, classes, rows)


def update_of_rows(model: Any, classes: NDArray, rows: Scored) -> ModelUpdate:
    """Return `update_model` of the model's probabilities for checked rows."""
    log_odds = logits(rows.score, edge(rows.score))
    alike = np.ptp(log_odds) < ALL_ALIKE
    if alike or not overlap(log_odds[rows.positive], log_odds[~rows.positive]):
        raise InputError(
            "No slope can be estimated: all rows have one probability, or those of cases and of "
            "controls do not overlap. Check that the model sees what it was fitted on, or give "
            "more patients."
        )
    tests = [_test(_ORIGINAL, log_odds, rows)]
    chosen = _ORIGINAL
    if tests[0]["pvalue"] < _SIGNIFICANT:
        tests.append(_test(_INTERCEPT, log_odds, rows))
        chosen = _BOTH if tests[1]["pvalue"] < _SIGNIFICANT else _INTERCEPT
    recalibrated = None
    if chosen != _ORIGINAL:
        frozen, method = FrozenEstimator(model), "logistic" if chosen == _BOTH else "intercept"
        updated = RecalibratedClassifier(frozen, method)
        recalibrated = updated.learn(frozen, classes, rows.score, rows.positive, rows.weight)
        model = with_threshold_of(model, recalibrated)
    wanted = how_many_local_patients(rows.score, prevalence=float(rows.positive.mean()))
    n_patients = int(rows.patient.max()) + 1
    return ModelUpdate(model, chosen, pd.DataFrame(tests), n_patients, wanted, recalibrated)


def predicted_rows(
    model: Any,
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None,
    known: NDArray[np.float64] | None = None,
    *,
    fewest: int = 1,
) -> tuple[Scored, NDArray]:
    """Check a fitted model and rows; return them with the model's probability, and its classes.

    A class of fewer patients than `fewest` is refused before anything is predicted. Nothing is,
    where the probabilities are `known`.
    """
    if not gives_probabilities(model):
        raise InputError(
            f"model is a {type(model).__name__}, which is not a classifier with predict_proba. "
            "Give a fitted one."
        )
    classes, codes = encode_target(y)
    check_prefit({"model": model}, classes)
    table, _ = indexable(to_pandas(X), codes)
    patients = check_groups(groups, len(codes))
    members = np.arange(len(codes)) if patients is None else patients
    check_enough(codes == 1, members, fewest)
    probability = predict_present(model, whole(table)) if known is None else known
    return Scored.of_scores(codes, probability, groups=patients, check=as_probability), classes


def check_enough(
    positive: NDArray[np.bool_], patient: NDArray[np.intp], fewest: int = FEWEST_PATIENTS
) -> None:
    """Refuse an update by fewer patients of a class."""
    known = fewest_patients(positive, patient)
    if known < fewest:
        raise InputError(
            f"A class has {known} of the patients; an update needs {fewest} of each at "
            "least. Keep the model as it is and collect outcomes: how_many_local_patients says how "
            "many."
        )


def fewest_patients(positive: NDArray[np.bool_], patient: NDArray[np.intp]) -> int:
    """Return how many patients the class has that has fewer."""
    return min(len(np.unique(patient[side])) for side in (positive, ~positive))


def _test(against: str, log_odds: NDArray[np.float64], rows: Scored) -> dict[str, Any]:
    """Likelihood-ratio test of slope and intercept against a simpler candidate."""
    positive, weight = rows.positive, rows.weight
    design = np.column_stack([log_odds, np.ones_like(log_odds)])
    best = fit_logistic(design, np.zeros_like(log_odds), positive, weight)
    simple, df = np.array([1.0, 0.0]), 2
    if against == _INTERCEPT:
        simple[1], df = fit_logistic(design[:, 1:], log_odds, positive, weight)[0], 1
    statistic = 2 * (
        log_likelihood(design @ best, positive, weight)
        - log_likelihood(design @ simple, positive, weight)
    )
    pvalue = float(chi2.sf(statistic, df))
    n_patients = int(rows.patient.max()) + 1
    if n_patients < len(rows.patient):
        statistic *= _by_patient((best - simple)[:df], design, design @ best, rows)
        pvalue = float(f.sf(statistic / df, df, n_patients - df))
    return {
        "test": f"{_BOTH} against {against}",
        "statistic": statistic,
        "df": df,
        "pvalue": pvalue,
    }


def _by_patient(
    change: NDArray[np.float64],
    design: NDArray[np.float64],
    fitted: NDArray[np.float64],
    rows: Scored,
) -> float:
    """Wald statistic of patients over that of rows, for a change of the first coefficients."""
    tested = slice(len(change))
    by_row = np.linalg.inv(curvature(design, fitted, rows.weight))[tested, tested]
    towards = np.linalg.solve(by_row, change)
    influence = influences(design, fitted, rows)[:, tested] @ towards
    if not influence.any():
        return 1.0
    return float(change @ towards / patient_variance(influence, rows.patient, rows.weight))
