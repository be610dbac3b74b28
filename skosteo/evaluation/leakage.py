"""Leakage checks: patients or films on both sides of a split, columns that give the label away."""

import warnings
from collections.abc import Iterable, Sequence, Sized
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from skosteo._validation import check_groups, split_numbers, to_pandas
from skosteo.clinical.variables import find_column
from skosteo.evaluation._scored import as_positive
from skosteo.evaluation.film_copies import find_copies
from skosteo.evaluation.leaking_columns import Finding, column_findings, count_of
from skosteo.exceptions import InputError

_SHOWN = 10  # rows listed in a finding


class LeakageReport:
    """What `check_leakage` has found; ``ok`` where nothing is more than a note."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        order = ("leak", "suspect", "note")
        self._findings = sorted(findings, key=lambda finding: order.index(finding.severity))
        self.ok = all(finding.severity == "note" for finding in findings)

    def frame(self) -> pd.DataFrame:
        """Return one row per finding, the worst first.

        ``kind``; ``severity``: "leak" (scores will be too good), "suspect" (look at it) or "note";
        ``column`` of the table, "" if none; ``n_rows`` concerned; ``rows``: the positions of the
        first ten, from 0 as `iloc` counts; ``finding`` and ``remedy`` in words.
        """
        table = pd.DataFrame(self._findings, columns=Finding._fields)
        rows = [[] if f.rows is None else f.rows.tolist() for f in self._findings]
        table["rows"] = pd.Series([some[:_SHOWN] for some in rows], dtype=object)
        table.insert(3, "n_rows", [len(some) for some in rows])
        return table

    def raise_if_leaking(self, *, aside: Sequence[str] = ()) -> None:
        """Raise an InputError that lists the findings of severity "leak", if there are any.

        Those of the kinds in `aside` are let pass.
        """
        leaks = [
            f"{f.finding} {f.remedy}"
            for f in self._findings
            if f.severity == "leak" and f.kind not in aside
        ]
        if leaks:
            raise InputError("The data leak: " + " ".join(leaks))

    def __repr__(self) -> str:
        if not self._findings:
            return "No leakage found."
        return "\n".join(f"{f.severity}: {f.finding} {f.remedy}" for f in self._findings)


def check_leakage(
    X: pd.DataFrame,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    splits: Any = None,
    image_column: str | None = "image",
    site: str | None = None,
    films: NDArray[np.uint8] | None = None,
) -> LeakageReport:
    """Look for what makes scores too good: repeated patients and films, columns that leak.

    Parameters
    ----------
    X : DataFrame of shape (n, n_columns)
        One row per film or study.
    y : array-like of shape (n,)
        Labels of two classes; the greater one is positive.
    groups : array-like of shape (n,), default=None
        Patient of each row.
    splits : cross-validator, list of (train, test) or one (train, test), default=None
        Positions of rows, or what makes them. None checks the table alone.
    image_column : str or None, default="image"
        Column of the films; None, or a column that X does not have, for a table without films.
    site : str, default=None
        Column of the hospital; it is no predictor here.
    films : ndarray of uint8, shape (n, height, width), default=None
        The films, if they are decoded already, black where one could not be read. None reads
        `image_column` with `RadiographReader`.

    Returns
    -------
    LeakageReport
        With ``frame()``, ``ok`` and ``raise_if_leaking()``; it prints in words.

    Notes
    -----
    Looked for are: a row, a patient or a film on both sides of a split; a film that is in twice,
    as it is or as a near copy (brightened, compressed, up to 3 % cut off), and whether patient or
    label differ; an id that several sites use; columns whose name, text, values, missing values or
    numbering give the label away; columns without information. Text that names the diagnosis is a
    leak where the proportions of cases and of controls with such a text differ by 20 percentage
    points and three standard errors or more. A column is judged by its values
    where ten patients of each class have one: by the area under its ROC curve (.99 or more either
    way), a category by the proportion of positive rows among the other patients of its level.

    What is not looked for: leakage by time, statistics learnt from test rows, one person under two
    ids.

    Examples
    --------
    >>> X = pd.DataFrame({"age": [61, 70, 58] * 8, "t_score": [-3.0, -1.0, -0.5, -2.8] * 6})
    >>> report = check_leakage(X, [1, 0, 0, 1] * 6, splits=([*range(20)], [20, 21, 22, 23]))
    >>> report.frame()[["kind", "severity", "column"]]
                  kind severity   column
    0  column's values     leak  t_score
    1    column's name  suspect  t_score
    2      patient ids     note
    """
    X, y = to_pandas(X), to_pandas(y)
    if not isinstance(X, pd.DataFrame) or X.empty or not X.columns.is_unique:
        raise InputError(
            "X has to be a DataFrame with rows, and with columns of different names: leakage is "
            "told by column."
        )
    positive = as_positive(y)
    if len(positive) != len(X):
        raise InputError(f"y has {len(positive)} labels for {len(X)} rows. Give one per row.")
    codes = check_groups(groups, len(X))
    sides = _sides(splits, X, y, groups)
    if site is not None and site not in list(X.columns):  # a list cannot be looked up in an index
        raise InputError(f"X has no column {site!r} (site). Name the column of the hospital.")
    findings = _across_splits("row", np.arange(len(X)), sides)
    if codes is None:
        words = "No patient ids were given, so patients on both sides of a split cannot be found."
        remedy = "Give groups, one id per row, if a patient may have several rows."
        findings.append(Finding("patient ids", "note", "", None, words, remedy))
    else:
        findings += _across_splits("patient", codes, sides)
        findings += _across_sites(X, codes, site)
    pixels = _films(X, image_column, films)
    if pixels is not None:
        findings += _of_films(pixels, codes, positive, sides)
    patient = np.arange(len(X)) if codes is None else codes
    for column in X.columns:
        if column not in (image_column, site):
            findings += column_findings(X[column], positive, patient)
    return LeakageReport(findings)


def _sides(splits: Any, X: pd.DataFrame, y: Any, groups: Any) -> list[tuple[NDArray, NDArray]]:
    """Positions of training and test rows, of each split."""
    if splits is None:
        return []
    kind = type(splits).__name__
    if hasattr(splits, "split") and not isinstance(splits, str):
        with warnings.catch_warnings():  # that groups are ignored, which the report will say
            warnings.simplefilter("ignore", UserWarning)
            splits = list(splits.split(X, y, groups))
    splits = list(splits) if isinstance(splits, Iterable) else [splits]
    if not all(isinstance(pair, Sized) and not isinstance(pair, str) for pair in splits):
        raise InputError(
            f"splits is of type {kind}, but no cross-validator, such as StratifiedGroupKFold(5), "
            "and no list of pairs of positions of rows, (train, test). Give one of both."
        )
    if len(splits) == 2 and all(np.ndim(side[0]) == 0 for side in splits if len(side)):
        splits = [tuple(splits)]
    sides = []
    for number, pair in enumerate(splits, 1):
        if len(pair) != 2:
            raise InputError(
                f"Split {number} of {len(splits)} has {len(pair)} parts; it is a pair of positions "
                "of rows, (train, test)."
            )
        train, test = (_positions(side, len(X), number) for side in pair)
        sides.append((train, test))
    return sides


def _positions(side: ArrayLike, n: int, number: int) -> NDArray[np.intp]:
    rows = np.asarray(side)
    if rows.dtype == bool and rows.shape == (n,):
        return np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not ((rows >= 0) & (rows < n)).all():
        raise InputError(
            f"Split {number} is no list of positions from 0 to {n - 1}. Give positions as a "
            "cross-validator does, not labels of the index."
        )
    return rows


def _across_splits(what: str, codes: NDArray, sides: Iterable[tuple]) -> list[Finding]:
    """Find codes of rows, patients or films that are on both sides of a split."""
    sides = list(sides)
    both = [np.intersect1d(codes[train], codes[test]) for train, test in sides]
    leaking = sum(len(shared) > 0 for shared in both)
    if not leaking:
        return []
    shared = np.unique(np.concatenate(both))
    remedy = {
        "row": "Make splits whose parts share no row.",
        "patient": "Split by patient, as StratifiedGroupKFold does with groups.",
    }.get(what, "Keep one row of each film, or give its rows one patient id, then split by it.")
    words = f"{count_of(len(shared), what)} on both sides of a split, in {leaking} of "
    words += f"{count_of(len(sides), 'split')}."
    rows = np.flatnonzero(np.isin(codes, shared))
    return [Finding(f"{what} on both sides", "leak", "", rows, words, remedy)]


def _across_sites(X: pd.DataFrame, patient: NDArray, site: str | None) -> list[Finding]:
    """Find ids that several sites use: one person who moved, or two of the same number."""
    if site is None:
        return []
    table = pd.DataFrame({"patient": patient, "site": X[site].to_numpy()})
    by_patient = table.groupby("patient")
    shared = by_patient["site"].transform("nunique").to_numpy() > 1
    if not shared.any():
        return []
    differs = np.zeros(len(X), dtype=bool)
    # nobody changes sex or loses 10 cm between two films; an age may be years later
    for name, tolerance in (("sex", 0), ("height_cm", 10), ("age", 15)):
        column = find_column(X, name)
        if column is None:
            continue
        values = X[column]
        if tolerance == 0:
            values = pd.Series(pd.factorize(values)[0], index=X.index).replace(-1, np.nan)
        numbers = split_numbers(values)[0]
        per_patient = table.assign(value=numbers).groupby("patient")["value"]
        spread = per_patient.transform("max") - per_patient.transform("min")
        differs |= spread.to_numpy() > tolerance
    n_ids, n_differ = len(set(patient[shared])), len(set(patient[shared & differs]))
    severity, rows = "suspect" if n_differ else "note", np.flatnonzero(shared)
    words = f"{count_of(n_ids, 'patient id')} at several sites, {n_differ} of them with another "
    words += "sex, height or age there."
    remedy = "If each site numbers its own patients, join site and id into one."
    return [Finding("ids across sites", severity, site, rows, words, remedy)]


def _films(X: pd.DataFrame, column: str | None, films: Any) -> NDArray[np.uint8] | None:
    if films is not None:
        if not isinstance(films, np.ndarray):
            raise InputError(
                f"films is a {type(films).__name__}; it is an array of uint8 of shape (n, height, "
                "width), as from RadiographReader."
            )
        if films.ndim != 3 or len(films) != len(X) or films.dtype != np.uint8:
            raise InputError(
                f"films has shape {films.shape} and type {films.dtype} for {len(X)} rows; it is "
                "uint8 of shape (n, height, width), one film per row, as from RadiographReader."
            )
        return films
    if column is None or column not in list(X.columns):
        return None
    from skosteo.image.reader import RadiographReader  # heavy, and not needed for a table alone

    return RadiographReader(errors="report").transform(X[column])


def _of_films(
    films: NDArray[np.uint8],
    patient: NDArray | None,
    positive: NDArray[np.bool_],
    sides: list[tuple[NDArray, NDArray]],
) -> list[Finding]:
    unread = ~films.any(axis=(1, 2))
    findings = []
    if unread.any():
        words = f"{count_of(int(unread.sum()), 'film')} of {len(films)} missing or not readable, "
        words += "and not compared."
        remedy, rows = "RadiographReader(errors='report') says why.", np.flatnonzero(unread)
        findings.append(Finding("films unread", "note", "", rows, words, remedy))
    copies = find_copies(films)
    findings += _copies("identical film", copies.identical, patient, positive, sides)
    # what differs in pixels: one row of each set of identical ones
    first = np.sort(np.unique(copies.identical, return_index=True)[1])
    repeated = np.bincount(copies.same[first], minlength=copies.same.max() + 1) > 1
    near = np.where(
        repeated[copies.same], copies.same, copies.same.max() + 1 + np.arange(len(films))
    )
    return findings + _copies("near-identical film", near, patient, positive, sides)


def _copies(
    what: str,
    codes: NDArray,
    patient: NDArray | None,
    positive: NDArray[np.bool_],
    sides: list[tuple[NDArray, NDArray]],
) -> list[Finding]:
    """Say what sets of equal films have in common."""
    table = pd.DataFrame({"film": codes, "label": positive})
    table["patient"] = np.arange(len(codes)) if patient is None else patient
    sets = table.groupby("film")
    twice = sets["film"].transform("size").to_numpy() > 1
    if not twice.any():
        return []
    labels = twice & (sets["label"].transform("nunique").to_numpy() > 1)
    people = twice & (sets["patient"].transform("nunique").to_numpy() > 1)
    n = len(set(codes[twice]))
    parts = [f"{count_of(n, what)} in the table more than once"]
    if patient is not None:
        parts.append(f"{len(set(codes[people]))} under several patients")
    parts.append(f"{len(set(codes[labels]))} with both labels")
    bad = labels.any() or (patient is not None and people.any())
    severity, words = "suspect" if bad or patient is None else "note", ", ".join(parts) + "."
    remedy = "Look at them, and keep one row of each film."
    found = Finding(what, severity, "", np.flatnonzero(twice), words, remedy)
    return [*_across_splits(what, codes, sides), found]
