"""`validate`: a fitted model judged on the patients of another hospital, in one call."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._plotting import draws
from skosteo._validation import named_columns, to_pandas
from skosteo.clinical.flow import Flow, check_flow
from skosteo.evaluation import CalibrationCurve, DecisionCurve, Subgroups, decision_curve
from skosteo.evaluation import subgroups as by_subgroup
from skosteo.evaluation._scored import Scored
from skosteo.evaluation.calibration_curve import curve_of_rows
from skosteo.evaluation.groupings import printable_groupings, sex_and_age
from skosteo.evaluation.subgroups import level_codes
from skosteo.exceptions import InputError
from skosteo.recalibration.threshold import name_of, threshold_of
from skosteo.recalibration.update import (
    ModelUpdate,
    check_enough,
    predicted_rows,
    update_of_rows,
)
from skosteo.validation.case_mix import case_mix, check_development
from skosteo.validation.figures import (
    AFTER,
    AS_IT_CAME,
    UPDATED,
    figures_of,
    held_out_update,
)
from skosteo.validation.summary import summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GRID = np.arange(1, 100) / 100


def validate(
    model: Any,
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    subgroups: Sequence[str] | pd.DataFrame = (),
    threshold: float | None = None,
    development: pd.DataFrame | None = None,
    flow: Flow | None = None,
) -> "ExternalValidation":
    """Validate a fitted model on patients of another hospital.

    Parameters
    ----------
    model : classifier
        Fitted, of two classes, with ``predict_proba``; it is left as it is.
    X : table or array-like of n rows
        What the model takes, of patients whom it has not seen, sampled as they come there.
    y : array-like of shape (n,)
        Their outcome, with the labels of the model.
    groups : array-like of shape (n,), default=None
        Patient of each row. Give it whenever a patient has several rows; None takes every row as a
        patient of its own.
    subgroups : sequence of str, or DataFrame of n rows, default=()
        Further columns of X, or columns of another table, to split by; sex and age (in bands) come
        by themselves where X has them.
    threshold : float, default=None
        Risk from which a patient counts as positive. None takes the model's own, where it is
        scikit-learn's `FixedThresholdClassifier` or `TunedThresholdClassifierCV` (also frozen, last
        in a pipeline, or what a search found), and .5 for all else.
    development : DataFrame, default=None
        The patients that the model was made from, as `skosteo.clinical.table_one` with ``groups``
        describes them, to stand beside those here.
    flow : Flow, default=None
        Rows that were left out before, such as those of films that cannot be read.

    Returns
    -------
    ExternalValidation
        With ``frame()``, ``plot()`` and ``save()``.

    Raises
    ------
    InputError
        y has one class, or others than the model; the model is not fitted, gives no probability
        for a row or one outside 0 to 1; a parameter is wrong. What the model itself raises, of a
        missing column or a film that cannot be read, is passed on.

    Notes
    -----
    Intervals are those of `evaluate`, `calibration_line` and `calibration_curve`, clustered by
    patient; that of net benefit is the normal one of a mean. What these patients cannot tell is
    NaN, and "not estimable" in print. At least 100 patients with the outcome and 100 without are
    wanted [1]_; `skosteo.evaluation.validation_sample_size` says how many narrow intervals need.

    What an update would bring is judged on patients that it was not learned from: in ten folds by
    patient `update_model` learns from nine and its risks are taken for the tenth. **An update makes
    risks right; it does not restore a sensitivity.** Where fewer patients are ill at the same
    findings, all risks fall, and fewer cases reach the threshold: sensitivity and specificity are
    therefore given before and after. Observed / expected is near 1 after it almost by
    construction, since the other folds have as many cases; its interval says how far off it may be.
    The order of patients, and so the AUC, stays.

    References
    ----------
    .. [1] Collins et al. 2016, doi:10.1002/sim.6787
    .. [2] Steyerberg and Vergouwe 2014, doi:10.1093/eurheartj/ehu207

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skosteo import validate
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1500, 1))
    >>> home = rng.random(1500) < 1 / (1 + np.exp(1 - X[:, 0]))
    >>> there = rng.random(1500) < 1 / (1 + np.exp(2 - X[:, 0]))
    >>> found = validate(LogisticRegression().fit(X, home), X, there, threshold=0.3)
    >>> found.update.chosen
    'intercept'
    >>> observed_expected = found.frame("update")[["model", "figure", "estimate"]].iloc[2:4]
    >>> observed_expected.round(2)
                   model               figure  estimate
    2         as it came  observed / expected      0.49
    3  updated, held out  observed / expected      1.00
    """
    return judge(
        model, X, y, groups, None,
        subgroups=subgroups, threshold=threshold, development=development, flow=flow,
    )  # fmt: skip


def judge(
    model: Any,
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None,
    known: NDArray[np.float64] | None,
    *,
    subgroups: Sequence[str] | pd.DataFrame = (),
    threshold: float | None = None,
    development: pd.DataFrame | None = None,
    flow: Flow | None = None,
) -> "ExternalValidation":
    """`validate` by the model's probabilities (n,) where these are known; for developers."""
    _check_labels(y)
    check_development(development)
    table = to_pandas(X)
    at, source = threshold_of(model, threshold)
    stated, named = _groupings(table, subgroups)  # refused before anything is predicted
    rows, classes = predicted_rows(model, table, y, groups, known)
    check_flow(flow, len(rows.positive))
    curve = curve_of_rows(rows)
    return ExternalValidation(
        model=name_of(model),
        outcome=_outcome(y, classes[1]),
        rows=rows,
        grouped=groups is not None,
        threshold=at,
        threshold_source=source,
        figures=figures_of(rows, at, curve),
        calibration=curve,
        case_mix=case_mix(model, table, rows.patient, development),
        subgroups=_by_subgroup(rows, printable_groupings(stated, named, rows.patient), at),
        flow=flow,
        **_updated(model, classes, rows),
    )


@dataclass(frozen=True, repr=False, eq=False)
class ExternalValidation:
    """A model judged at another hospital; made by `validate`.

    Attributes
    ----------
    model, outcome : str
        Kind of the model, and name of y.
    threshold : float
        Risk from which a patient counts as positive; ``threshold_source`` says whose it is.
    figures : DataFrame
        A row per figure, see `frame`.
    calibration : CalibrationCurve
        The flexible curve.
    case_mix : DataFrame or None
        Patients here beside the development cohort.
    subgroups : Subgroups or None
        Scores by sex, age and what was named.
    update : ModelUpdate or None
        `update_model` on all rows: the updated model, what was chosen and the tests. It decides at
        a threshold of the model's own, not at one that was stated to `validate`.
    after : ndarray of shape (n,), or None
        Risk of each row after an update by other patients; None where nine tenths of them are too
        few for one.
    chosen : Counter
        What the ten updates by nine folds chose.
    no_update : str
        Why there is no update, or none that is judged; empty where there is one.
    flow : Flow or None
        Rows left out before.
    """

    model: str
    outcome: str
    rows: Scored
    grouped: bool
    threshold: float
    threshold_source: str
    figures: pd.DataFrame
    calibration: CalibrationCurve
    case_mix: pd.DataFrame | None
    subgroups: Subgroups | None
    update: ModelUpdate | None
    after: NDArray[np.float64] | None
    chosen: Counter[str]
    no_update: str
    flow: Flow | None

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name; none holds anything of a single patient."""
        found = {
            "figures": self.figures,
            "calibration_curve": self.calibration.frame(),
            "decision_curve": self.decision_curve().frame(),
            "case_mix": self.case_mix,
            "subgroups": None if self.subgroups is None else self.subgroups.frame(),
            "update": None if self.after is None else self._update_frame(self.after),
            "update_tests": None if self.update is None else self.update.tests,
            "flow": None if self.flow is None else self.flow.frame(),
        }
        return {name: frame for name, frame in found.items() if frame is not None}

    def frame(self, which: str = "figures") -> pd.DataFrame:
        """Return one of ``tables``.

        "figures" has a row per figure: figure, estimate, low, high, count, total and patients; a
        rate is count / total, of all else they are the rows with the outcome and all rows. "update"
        has the same for the model as it came and as updated by other patients.
        """
        tables = self.tables
        if which not in tables:
            raise InputError(f"frame({which!r}): allowed here are {', '.join(map(repr, tables))}.")
        return tables[which].copy()

    def decision_curve(self) -> DecisionCurve:
        """Net benefit over thresholds, the model's own among them, before and after an update."""
        risks = {AS_IT_CAME: self.rows.score}
        if self.after is not None:
            risks[AFTER] = self.after
        at = np.union1d(_GRID, [self.threshold] if self.threshold < 1 else [])
        return decision_curve(self.rows.positive, risks, at, groups=self.rows.patient)

    def _update_frame(self, after: NDArray[np.float64]) -> pd.DataFrame:
        rows = Scored(self.rows.positive, self.rows.patient, self.rows.weight, {AFTER: after})
        updated = figures_of(rows, self.threshold, curve_of_rows(rows))
        both = pd.concat({AS_IT_CAME: self.figures, AFTER: updated}, names=["model"])
        both = both.reset_index("model")
        parts = [both[both["figure"] == name] for name in UPDATED]
        return pd.concat(parts, ignore_index=True)

    def summary(self) -> list[str]:
        """Say in a few sentences what was found."""
        return summary(self)

    @draws
    def plot(self) -> "Figure":
        """Draw the calibration curve and the decision curve side by side."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 5), layout="constrained")
        self.calibration.plot(left)
        self.decision_curve().plot(right)
        right.axvline(100 * self.threshold, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
        reach = max(3 * self.rows.positive.mean(), 1.3 * self.threshold)
        right.set_xlim(0, 100 * min(reach, 1))
        for ax, letter in ((left, "A"), (right, "B")):
            ax.set_title(letter, loc="left", fontweight="bold")
        return figure

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``validation.html`` and a CSV file per table into a folder.

        Parameters
        ----------
        folder : str or path-like
            One that does not exist, is empty, or holds what an earlier validation wrote, which is
            replaced.

        Raises
        ------
        InputError
            The folder holds anything else.
        MissingExtraError
            matplotlib is not installed, which draws the page's curves.
        """
        from skosteo.validation.page import save

        save(self, folder)

    def __repr__(self) -> str:
        return "\n".join([f"External validation of {self.model}", *self.summary()])


def _check_labels(y: ArrayLike) -> None:
    known = pd.Series(np.ravel(np.asarray(to_pandas(y), dtype=object))).dropna()
    if len(known.unique()) == 1:
        raise InputError(
            f"y has one class in all {len(known)} rows. A validation needs patients with the "
            "outcome and patients without; wait for more, or check how y was made."
        )


def _outcome(y: ArrayLike, positive: Any) -> str:
    """Name of what is predicted, and the label that means it where that is a word."""
    name = str(getattr(to_pandas(y), "name", None) or "the outcome")
    return f"{name}: {positive}" if isinstance(positive, str) else name


def _groupings(
    X: Any, subgroups: Sequence[str] | pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sex and age band of the rows, and the columns that were named."""
    table = X.reset_index(drop=True) if isinstance(X, pd.DataFrame) else pd.DataFrame()
    named = to_pandas(subgroups)
    if not isinstance(named, pd.DataFrame):
        names = named_columns(table, named, "subgroups")
        named = pd.DataFrame({name: table[name] for name in names}, index=range(len(X)))
    if len(named) != len(X):
        raise InputError(f"subgroups has {len(named)} rows, and X has {len(X)}.")
    for name in named:
        level_codes(named[name], f"The grouping {name!r}")
    return pd.DataFrame(sex_and_age(table), index=range(len(X))), named.reset_index(drop=True)


def _by_subgroup(rows: Scored, by: pd.DataFrame, threshold: float) -> Subgroups | None:
    if by.empty:
        return None
    return by_subgroup(rows.positive, rows.score, by, groups=rows.patient, threshold=threshold)


def _updated(model: Any, classes: NDArray, rows: Scored) -> dict[str, Any]:
    """Return the update by all rows, and the risks held out; or why there is neither or one."""
    found: dict[str, Any] = {"update": None, "after": None, "chosen": Counter(), "no_update": ""}
    with warnings.catch_warnings():  # the figures say it
        warnings.filterwarnings("ignore", "No slope can be learned", UserWarning)
        try:
            check_enough(rows.positive, rows.patient)
            found["update"] = update_of_rows(model, classes, rows)
            found["after"], chosen = held_out_update(classes, rows)
        except InputError as error:
            return found | {"no_update": str(error)}
    return found | {"chosen": Counter(chosen)}
