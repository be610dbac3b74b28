"""What a study's folder holds: its rows with their risks, and its tables as they were written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from skosteo.study.models import TITLES  # names alone
from tests.study import by_hand, by_hand_fits

METRICS = ["AUC", "accuracy", "sensitivity", "specificity"]
LIMITS = ["estimate", "low", "high"]


@dataclass(eq=False)
class Judged:
    """The rows of a file of probabilities."""

    frame: pd.DataFrame
    patients: np.ndarray | None  # of each row of the study

    def __post_init__(self):
        self.y = self.frame["target"].to_numpy()
        self.row, self.repeat = (self.frame[name].to_numpy() for name in ("row", "repeat"))
        self.patient = self.row if self.patients is None else np.asarray(self.patients)[self.row]
        names = [name for name in self.frame if name.endswith(": as fitted")]
        self.names = [name.removesuffix(": as fitted") for name in names]

    def of(self, name: str, what: str = "risk") -> np.ndarray:
        return self.frame[f"{name}: {what}"].to_numpy()

    def positive(self, name: str) -> np.ndarray:
        return self.of(name) >= self.of(name, "threshold")

    def at(self, rows: np.ndarray, *, folds: bool = False) -> "Judged":
        frame = self.frame if folds else self.frame.drop(columns="fold", errors="ignore")
        return Judged(frame[rows].reset_index(drop=True), self.patients)

    @property
    def has_folds(self) -> bool:
        return "fold" in self.frame

    @property
    def folds(self) -> np.ndarray:
        return self.frame["fold"].to_numpy()

    def auc(self, name: str) -> tuple:
        if self.has_folds:
            return by_hand.fold_auc(self.y, self.of(name), self.patient, self.folds)
        return by_hand.auc(self.y, self.of(name), self.patient)

    def others(self, fold: int) -> np.ndarray:
        """Rows of the same repeat that a fold's risks are learned from."""
        return (self.repeat == self.repeat[self.folds == fold][0]) & (self.folds != fold)

    def learned(self, name: str, rule: str | float, rows: np.ndarray) -> tuple:
        """What recalibrates, and the threshold by a rule, both learned from some of the rows."""
        y, fitted = self.y[rows], self.of(name, "as fitted")[rows]
        put_right = by_hand_fits.recalibration(fitted, y)
        return put_right, by_hand_fits.threshold(y, put_right(fitted), rule)

    def scores(self, name: str, positive: np.ndarray, prevalence: float | None) -> pd.DataFrame:
        """Every metric with limits, count, total and patients."""
        y, risk, patient = self.y, self.of(name), self.patient
        tn, fp, fn, tp = confusion_matrix(y, positive).ravel()
        n = by_hand.known(patient)
        lines = [("AUC", *self.auc(name), tp + fn, tn + fp, n)]
        subsets = {"accuracy": y >= 0, "sensitivity": y == 1, "specificity": y == 0}
        for metric, rows in (subsets | {"PPV": positive, "NPV": ~positive}).items():
            right = (positive == y)[rows]
            people = by_hand.known(patient[rows])
            lines.append(
                (metric, *by_hand.rate(right, patient[rows]), right.sum(), len(right), people)
            )
        either = by_hand.known(patient[(y == 1) | positive])
        lines.append(("F1", *by_hand.f1(y, positive, patient), 2 * tp, 2 * tp + fp + fn, either))
        others = {"Brier": by_hand.brier, "average precision": by_hand.average_precision}
        lines += [(m, *how(y, risk, patient), tp + fn, tn + fp, n) for m, how in others.items()]
        if prevalence is not None:
            sides = [(positive[y == c], patient[y == c]) for c in (1, 0)]
            (case, of_case), (control, of_control) = sides
            both = {
                "PPV": by_hand.at_prevalence(case, control, (of_case, of_control), prevalence),
                "NPV": by_hand.at_prevalence(
                    ~control, ~case, (of_control, of_case), 1 - prevalence
                ),
            }
            where = f"at {100 * prevalence:g} %"
            lines += [(f"{m} {where}", *v, tp + fn, tn + fp, n) for m, v in both.items()]
        columns = ["metric", *LIMITS, "count", "total", "patients"]
        return pd.DataFrame(lines, columns=columns).set_index("metric")


class Folder:
    """A study's folder, with the rows that its files of probabilities hold."""

    def __init__(self, folder: Path, patients: np.ndarray | None, groupings: pd.DataFrame | None):
        self.tables = Path(folder, "tables")
        self.settings = json.loads(Path(folder, "settings.json").read_text("utf-8"))["study"]
        self.prevalence, self.rule = (self.settings[x] for x in ("prevalence", "operating_point"))
        self.groupings = groupings
        self.once = Judged(self.read("probabilities"), patients)
        repeats = self.read("probabilities_repeats")
        self.repeated = repeats is not None
        self.all = Judged(repeats, patients) if self.repeated else self.once
        titles = {TITLES.get(name, name): name for name in self.once.names}
        shown = dict.fromkeys(self.read("scores")["model"])
        self.titles = titles  # names by their titles
        self.family = [titles[title] for title in shown]
        self.primary = self.family[0]
        developed = self.read("probabilities_out_of_fold")  # beside a test set
        self.developed = None if developed is None else Judged(developed.assign(repeat=1), patients)
        self.scores = cache(self._scores)

    def learned(self, rows: Judged, name: str, rule: str | float) -> Iterator[tuple]:
        """Yield some rows, what recalibrates them, and their threshold, until all rows had it."""
        if self.developed is not None:
            every = np.ones(len(self.developed.y), dtype=bool)
            yield np.ones(len(rows.y), dtype=bool), *self.developed.learned(name, rule, every)
            return
        for fold in np.unique(rows.folds):
            yield rows.folds == fold, *rows.learned(name, rule, rows.others(fold))

    def thresholds(self, rows: Judged, name: str, rule: str | float) -> np.ndarray:
        """Threshold of each row by a rule."""
        found = np.empty(len(rows.y))
        for here, _, at in self.learned(rows, name, rule):
            found[here] = at
        return found

    def read(self, name: str, dtype: type | None = None) -> pd.DataFrame | None:
        """Read a table as it was written, without what keeps a text from being a formula."""
        path = self.tables / f"{name}.csv"
        if not path.exists():
            return None
        frame = pd.read_csv(path, dtype=dtype)
        frame.columns = [name.removeprefix("'") for name in frame]
        texts = frame.select_dtypes(["object", "string"])
        return frame.assign(
            **{c: texts[c].str.replace(r"^'(?=[-+=@])", "", regex=True) for c in texts}
        )

    def levels(self) -> pd.DataFrame:
        """Levels of the groupings as tables name them, of each row of the study."""

        def said(value):
            if pd.isna(value):
                return "not known"
            return f"{value:g}" if isinstance(value, float) else str(value)

        return self.groupings.astype(object).map(said)

    def title(self, name: str) -> str:
        return TITLES.get(name, name)

    def judged(self, name: str) -> Judged:
        """Rows that tables show a model's scores of."""
        return self.all if name in self.family else self.once

    def _scores(self, name: str) -> pd.DataFrame:
        rows = self.judged(name)
        return rows.scores(name, rows.positive(name), self.prevalence)

    def printed(self, scores: pd.DataFrame, metric: str) -> list[float]:
        """Numbers of a printed figure; rates with counts where each row is judged once."""
        line, rows = scores.loc[metric], self.once
        counts = []
        if metric != "AUC" and not self.repeated and line["total"]:
            counts = [line["count"], line["total"]]
            if by_hand.known(rows.patient) < len(rows.y):
                counts.append(line["patients"])
        limits = line[LIMITS].tolist()
        return counts + (limits if not np.isnan(limits[1]) else limits[:1])
