"""`Study`: the results of `run_study`, as tables, plots and one report."""

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.clinical import table_one
from skosteo.clinical.flow import Flow
from skosteo.evaluation.comparison import Comparison, compare
from skosteo.evaluation.decision_curve import DecisionCurve, decision_curve
from skosteo.evaluation.operating_point import operating_point
from skosteo.evaluation.reliability import Reliability, reliability
from skosteo.evaluation.report import Report, evaluate
from skosteo.evaluation.subgroups import Subgroups, subgroups
from skosteo.exceptions import InputError
from skosteo.study.about import About
from skosteo.study.design import Design
from skosteo.study.folds import fold_scores, fold_tests
from skosteo.study.models import BASELINES, TABLES, TITLES, StudyModel
from skosteo.study.published import published
from skosteo.study.store import FoldResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skosteo.evaluation.leakage import LeakageReport

PARTS = ("test", "validation")
# by name, what `operating_point` is asked for
RULES: dict[str, dict[str, float]] = {
    "Youden's index": {},
    "sensitivity .90": {"sensitivity": 0.9},
    "specificity .90": {"specificity": 0.9},
}


class Study:
    """Models compared on the same patients, as the paper does; made by `run_study`.

    Attributes
    ----------
    design : Design
        Rows, labels, patients, the test part and the folds.
    models : dict of str to StudyModel
        By name, in the order of the tables.
    results : dict of str to list of FoldResult
        By the key of a model, fold by fold.
    about : About
        What was asked for.
    flow : Flow
        Rows left out and why, the paper's Figure 2.
    leakage : LeakageReport
        What `check_leakage` found.
    groupings : DataFrame of n rows
        Columns of subgroups.
    """

    def __init__(
        self,
        design: Design,
        models: dict[str, StudyModel],
        results: dict[str, list[FoldResult]],
        about: About,
        flow: Flow,
        leakage: "LeakageReport",
        groupings: pd.DataFrame,
    ) -> None:
        self.design = design
        self.models = models
        self.results = results
        self.about = about
        self.flow = flow
        self.leakage = leakage
        self.groupings = groupings

    def rows(self, part: str = "test") -> NDArray[np.intp]:
        """Return the positions of the rows of a part, "test" or "validation"."""
        if part not in PARTS:
            raise InputError(f"part={part!r}: allowed are {', '.join(map(repr, PARTS))}.")
        return self.design.test if part == "test" else self.design.development

    def probability(self, part: str = "test") -> pd.DataFrame:
        """Return the probability of the positive class by model.

        Parameters
        ----------
        part : {"test", "validation"}, default="test"
            "test": mean of the models of all folds, none of which saw these patients.
            "validation": of each other row, by the one model that has not seen its patient.

        Returns
        -------
        DataFrame
            A column per model; the index is the position of the row.
        """
        rows = self.rows(part)
        said = {name: self._said(model, part) for name, model in self.models.items()}
        return pd.DataFrame(said, index=rows)

    def _said(self, model: StudyModel, part: str) -> NDArray[np.float64]:
        results = self.results[model.key]
        if part == "test":
            return np.mean([result.test for result in results], axis=0)
        said = np.full(len(self.design.y), np.nan)
        for (_, validation), result in zip(self.design.folds, results, strict=True):
            said[validation] = result.validation
        return said[self.rows(part)]

    def report(
        self,
        part: str = "test",
        *,
        names: Sequence[str] | None = None,
        rule: str | None = None,
    ) -> Report:
        """Score the models on a part: counts, rates and AUC with intervals.

        Parameters
        ----------
        part : {"test", "validation"}, default="test"
            See `probability`.
        names : sequence of str, default=None
            Models; None: all.
        rule : str, default=None
            Of `RULES`: thresholds chosen on the validation rows of each model, for the test part.
            They are found on probabilities of single folds' models and used on the mean over the
            folds, which is less extreme. None: .5.

        Returns
        -------
        Report
            As from `evaluate`; models by their titles.
        """
        rows = self.rows(part)
        chosen = list(self.models) if names is None else list(names)
        absent = [name for name in chosen if name not in self.models]
        if absent:
            raise InputError(f"names has {absent}: allowed are {', '.join(self.models)}.")
        if rule not in (None, *RULES):
            raise InputError(f"rule={rule!r}: allowed are {', '.join(map(repr, RULES))}, or None.")
        thresholds: float | dict[str, float] = 0.5
        if rule is not None:
            if part != "test":
                raise InputError(f"rule={rule!r} was chosen on validation rows: part='test' only.")
            points = self.operating_points["threshold"]
            thresholds = {self.models[name].title: float(points[name, rule]) for name in chosen}
            without = [title for title, threshold in thresholds.items() if np.isnan(threshold)]
            if without:
                raise InputError(f"No threshold of {without} does what rule={rule!r} asks.")
        return evaluate(
            self.design.y[rows],
            self._titled(self.probability(part)[chosen]),
            groups=self.design.patient[rows],
            threshold=thresholds,
            prevalence=self.about.prevalence,
        )

    @cached_property
    def operating_points(self) -> pd.DataFrame:
        """Thresholds chosen on validation rows: index model and rule, column threshold.

        NaN where no threshold does what is asked, as for a model that says 0 or 1 only.
        """
        y, said = self.design.y[self.rows("validation")], self.probability("validation")
        points = {}
        for name in self.models:
            for rule, asked in RULES.items():
                try:
                    points[name, rule] = operating_point(y, said[name], **asked).threshold
                except InputError:
                    points[name, rule] = np.nan
        index = pd.MultiIndex.from_tuples(points, names=["model", "rule"])
        return pd.DataFrame({"threshold": list(points.values())}, index=index)

    def table(self, number: int, part: str = "test") -> pd.DataFrame:
        """Return a table of the paper with this study's figures.

        Parameters
        ----------
        number : {1, 2, 3, 4, 5}
            1: patients by split (fold 1); 2: models, with baselines and models of one's own
            behind; 3: ablation; 4: fusions; 5: augmentation.
        part : {"test", "validation"}, default="test"
            See `probability`; Table 1 has both.

        Returns
        -------
        DataFrame
            Text ready for print. Where the study was asked for what the paper published, that
            stands in columns of its own.

        Raises
        ------
        InputError
            There is no such table, or none of its models is in the study.
        """
        if number == 1:
            return self._table_one()
        if number not in TABLES:
            raise InputError(f"table({number!r}): allowed are 1 to 5.")
        names = self.names(number)
        if not names:
            raise InputError(
                f"Table {number} shows {', '.join(TABLES[number])}, and none of these is in this "
                "study. Name some of them in `models`."
            )
        table = self.report(part, names=names).table()
        if self.about.published and part == "test":
            said = published(number).reindex(names)
            for metric in said:
                texts = said[metric].map("{:.3f}".format, na_action="ignore").fillna("")
                table[f"paper: {metric}"] = texts.str.removeprefix("0").to_numpy()
        return table

    def names(self, number: int) -> list[str]:
        """Return the models of this study that a table shows."""
        paper = [name for name in TABLES[number] if name in self.models]
        if number != 2 or not self.models:
            return paper
        own = [name for name in self.models if name not in TITLES]
        baselines = [name for name in (*BASELINES, "xgboost") if name in self.models]
        return paper + baselines + own

    def _table_one(self) -> pd.DataFrame:
        design, about = self.design, self.about
        train, validation = design.folds[0]
        split = pd.Series("test", index=design.X.index)
        split.iloc[train], split.iloc[validation] = "train", "validation"
        shown = design.X[list(about.clinical_columns)].copy()
        outcome = about.outcome if about.outcome not in shown else f"{about.outcome} (outcome)"
        shown[outcome] = np.where(design.y == 1, "yes", "no")
        return table_one(shown, by=split)

    @property
    def reference(self) -> str:
        """Model that all others are compared with: the fusion, or the first of Table 2."""
        return "multimodal" if "multimodal" in self.models else next(iter(self.distinct()))

    def distinct(self) -> list[str]:
        """Models of Tables 2 and 4 that are not the same under another name."""
        shown = [*self.names(2), *self.names(4)] or list(self.models)
        first: dict[str, str] = {}
        for name in shown:
            first.setdefault(self.models[name].key, name)
        return list(first.values())

    def comparison(self, part: str = "test") -> Comparison:
        """Compare every model of Tables 2 and 4 with the reference, on the same rows.

        Parameters
        ----------
        part : {"test", "validation"}, default="test"
            See `probability`.

        Returns
        -------
        Comparison
            As from `compare`, with Holm's correction.

        Raises
        ------
        InputError
            The study has one model only.
        """
        rows, names = self.rows(part), self.distinct()
        if len(names) < 2:
            raise InputError("The study has one model; a comparison takes two.")
        return compare(
            self.design.y[rows],
            self._titled(self.probability(part)[names]),
            reference=self.models[self.reference].title,
            groups=self.design.patient[rows],
        )

    def fold_scores(self) -> pd.DataFrame:
        """Return AUC and accuracy of every fold's model; see `skosteo.study.folds`."""
        return fold_scores(self.design, self.models, self.results)

    def fold_tests(self) -> pd.DataFrame:
        """Compare the reference with other fusions over the folds; see `skosteo.study.folds`."""
        others = [name for name in self.names(4) if name != self.reference]
        return fold_tests(self.design, self.models, self.results, self.reference, others)

    def subgroups(self, part: str = "validation") -> Subgroups:
        """Score the main models within levels of sex, age band and other groupings.

        Parameters
        ----------
        part : {"test", "validation"}, default="validation"
            See `probability`; the validation rows are the more.

        Returns
        -------
        Subgroups
            As from `subgroups`.

        Raises
        ------
        InputError
            The study knows no grouping.
        """
        if self.groupings.shape[1] == 0:
            raise InputError("The study knows no subgroups; give run_study `subgroups`.")
        rows = self.rows(part)
        return subgroups(
            self.design.y[rows],
            self._of_main(part),
            self.groupings.iloc[rows].reset_index(drop=True),
            groups=self.design.patient[rows],
        )

    def calibration(self, part: str = "validation") -> Reliability:
        """Return how the main models are calibrated, as from `reliability`."""
        rows = self.rows(part)
        return reliability(
            self.design.y[rows], self._of_main(part), groups=self.design.patient[rows]
        )

    def decision_curve(self, part: str = "validation") -> DecisionCurve:
        """Return the net benefit of the main models, as from `decision_curve`."""
        return decision_curve(
            self.design.y[self.rows(part)], self._of_main(part), prevalence=self.about.prevalence
        )

    def _of_main(self, part: str) -> pd.DataFrame:
        return self._titled(self.probability(part)[self.main()])

    def main(self) -> list[str]:
        """Image, clinical and multimodal model and the bar to clear, or else the first three."""
        wanted = ("image", "clinical", "multimodal", "age_sex_bmi")
        chosen = [str(name) for name in wanted if name in self.models]
        return chosen or self.distinct()[:3]

    def figure(self, which: int | str) -> "Figure":
        """Draw a figure of the paper from this study, or one that the paper lacks.

        Parameters
        ----------
        which : int or str
            2: patient flow; 3: SHAP; 4: loss curves; 5: ROC curves; 6: accuracy curves; 7:
            Grad-CAM; or "calibration", "decision_curve", "comparison", "subgroups", "fusion".

        Returns
        -------
        Figure
            Of matplotlib.

        Raises
        ------
        InputError
            There is no such figure, or nothing in this study to draw it from.
        """
        from skosteo.study.figures import draw

        return draw(self, which)

    def save(self, out: str | PathLike) -> None:
        """Write ``report.html``, and every table and figure beside it.

        Parameters
        ----------
        out : path
            Folder; it is made if needed, and files of an earlier report of this study replaced.

        Raises
        ------
        OSError
            The folder cannot be written to or is full. Each file is whole or not there, and
            ``report.html`` comes last.
        """
        from skosteo.study.saving import save

        save(self, out)

    def _titled(self, probability: pd.DataFrame) -> pd.DataFrame:
        return probability.rename(columns={name: m.title for name, m in self.models.items()})

    def __repr__(self) -> str:
        counts = self.design.counts()
        limits = "".join(f"{limit}\n" for limit in self.about.limits)
        names: Any = self.names(2) or None
        return f"{self.about.title}\n{limits}\n{counts.to_string()}\n\n{self.report(names=names)}"
