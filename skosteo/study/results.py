"""`Study`, the results of `run_study`: probabilities, scores, tables, plots and one report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from os import PathLike
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import FixedThresholdClassifier

from skosteo.clinical import table_one
from skosteo.clinical.flow import Flow
from skosteo.evaluation import (
    Comparison,
    DecisionCurve,
    Reliability,
    Report,
    Subgroups,
    compare,
    decision_curve,
    evaluate,
    operating_point,
    reliability,
    subgroups,
)
from skosteo.evaluation.leakage import LeakageReport
from skosteo.exceptions import InputError
from skosteo.study.design import PARTS, RULES, Design, Settings
from skosteo.study.final import FinalModel
from skosteo.study.folds import fold_scores, fold_tests
from skosteo.study.models import TABLES, StudyModel, published, reference_of, shown_in
from skosteo.study.store import FoldResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")


def _once(method: Callable[P, R]) -> Callable[P, R]:
    """Compute what a method returns on the first call with its arguments; frames are copied."""

    @wraps(method)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        study: Any = args[0]
        key = (method.__name__, *args[1:], *sorted(kwargs.items()))
        if key not in study._computed:
            study._computed[key] = method(*args, **kwargs)
        found = study._computed[key]
        return cast(R, found.copy() if isinstance(found, pd.DataFrame) else found)

    return computed


@dataclass(eq=False, repr=False)
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
    settings : Settings
        What was asked for.
    flow : Flow
        Rows left out and why, the paper's Figure 2.
    leakage : LeakageReport
        What `check_leakage` found.
    groupings : DataFrame of n rows
        Columns of subgroups.
    digest : str
        Stands for rows, splits and versions; a folder of another study is not written to.
    final : FinalModel
        The final model, and what it does on the test part.
    """

    design: Design
    models: dict[str, StudyModel]
    results: dict[str, list[FoldResult]]
    settings: Settings
    flow: Flow
    leakage: LeakageReport
    groupings: pd.DataFrame
    digest: str
    final: FinalModel
    _computed: dict[tuple, Any] = field(default_factory=dict, init=False)

    def rows(self, part: str = "test") -> NDArray[np.intp]:
        """Return the positions of the rows of a part, "test" or "validation"."""
        if part not in PARTS:
            raise InputError(f"part={part!r}: allowed are {', '.join(map(repr, PARTS))}.")
        return self.design.test if part == "test" else self.design.development

    def probability(self, part: str = "test") -> pd.DataFrame:
        """Return the probability of the positive class: a column per model, by position of the row.

        Parameters
        ----------
        part : {"test", "validation"}, default="test"
            "test": mean of the models of all folds, none of which saw these patients.
            "validation": of each other row, by the one model that has not seen its patient.
        """
        rows = self.rows(part)
        y_prob = {name: self._predicted(model, part) for name, model in self.models.items()}
        return pd.DataFrame(y_prob, index=rows)

    def _predicted(self, model: StudyModel, part: str) -> NDArray[np.float64]:
        results = self.results[model.key]
        if part == "test":
            return np.mean([result.test for result in results], axis=0)
        y_prob = np.full(len(self.design.y), np.nan)
        for (_, validation), result in zip(self.design.folds, results, strict=True):
            y_prob[validation] = result.validation
        return y_prob[self.rows(part)]

    def report(
        self, part: str = "test", *, names: Sequence[str] | None = None, rule: str | None = None
    ) -> Report:
        """Score the models, by their titles, on a part as `evaluate` does.

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
        """
        self.rows(part)
        chosen = tuple(self.models if names is None else names)
        absent = [name for name in chosen if name not in self.models]
        if absent:
            raise InputError(f"names has {absent}: allowed are {', '.join(self.models)}.")
        if rule not in (None, *RULES):
            raise InputError(f"rule={rule!r}: allowed are {', '.join(map(repr, RULES))}, or None.")
        if rule is not None and part != "test":
            raise InputError(f"rule={rule!r} was chosen on validation rows: part='test' only.")
        return self._report(part, chosen, rule)

    @_once
    def _report(self, part: str, names: tuple[str, ...], rule: str | None) -> Report:
        thresholds: float | dict[str, float] = 0.5
        if rule is not None:
            points = self.operating_points["threshold"]
            thresholds = {self.models[name].title: float(points[name, rule]) for name in names}
            without = [title for title, threshold in thresholds.items() if np.isnan(threshold)]
            if without:
                raise InputError(f"No threshold of {without} does what rule={rule!r} asks.")
        return evaluate(
            **self._scored(part, names), threshold=thresholds, prevalence=self.settings.prevalence
        )

    def _scored(self, part: str, names: Sequence[str]) -> dict[str, Any]:
        """Labels, probabilities by the models' titles, and patients of a part."""
        rows, titles = self.rows(part), {name: self.models[name].title for name in names}
        y_prob = self.probability(part)[list(names)].rename(columns=titles)
        patient = self.design.patient[rows]
        return {"y_true": self.design.y[rows], "y_prob": y_prob, "groups": patient}

    @cached_property
    def operating_points(self) -> pd.DataFrame:
        """Thresholds chosen on validation rows: index model and rule, column threshold.

        NaN where no threshold does what is asked, as for a model that says 0 or 1 only.
        """
        y, y_prob = self.design.y[self.rows("validation")], self.probability("validation")
        points = {}
        for name in self.models:
            for rule, asked in RULES.items():
                try:
                    points[name, rule] = operating_point(y, y_prob[name], **asked).threshold
                except InputError:
                    points[name, rule] = np.nan
        index = pd.MultiIndex.from_tuples(points, names=["model", "rule"])
        return pd.DataFrame({"threshold": list(points.values())}, index=index)

    def table(self, number: int, part: str = "test") -> pd.DataFrame:
        """Return a table of the paper with this study's figures, as text ready for print.

        Parameters
        ----------
        number : {1, 2, 3, 4, 5}
            1: patients by split (fold 1); 2: models, with baselines and models of one's own
            behind; 3: ablation; 4: fusions; 5: augmentation.
        part : {"test", "validation"}, default="test"
            See `probability`; Table 1 has both. Beside the test part stands what the paper
            published, if the study was asked for it.
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
        if self.settings.published and part == "test":
            figures = published(number).reindex(names)
            for metric in figures:
                texts = figures[metric].map("{:.3f}".format, na_action="ignore").fillna("")
                table[f"paper: {metric}"] = texts.str.removeprefix("0").to_numpy()
        return table

    def names(self, number: int) -> list[str]:
        """Return the models of this study that a table shows."""
        return shown_in(number, self.models)

    @_once
    def _table_one(self) -> pd.DataFrame:
        design, settings = self.design, self.settings
        train, validation = design.folds[0]
        split = pd.Series("test", index=design.X.index)
        split.iloc[train], split.iloc[validation] = "train", "validation"
        outcome = settings.outcome
        outcome += " (outcome)" if outcome in settings.clinical_columns else ""
        # what the report counts elsewhere too is not suppressed
        answer = pd.DataFrame({outcome: np.where(design.y == 1, "yes", "no")})
        table = table_one(answer, by=split)
        if settings.clinical_columns:
            shown = design.X[list(settings.clinical_columns)]
            described = table_one(shown, by=split, groups=design.patient)
            table = pd.concat([described, table.drop(index="n", level=0)])
        return table

    @property
    def reference(self) -> str:
        """Model that all others are compared with: the fusion, the image or the clinical model."""
        return reference_of(self.models)

    @property
    def final_model_(self) -> FixedThresholdClassifier:
        """The reference model, fitted on all rows but those of the test, to be kept and used.

        Its risks are put right on out-of-fold predictions, on which its threshold is chosen too,
        for a sensitivity of .90. ``final`` says what it does on the test part; a study that is
        given `out` saves it there as ``model.skops``, with a card: see `skosteo.load_model`. It
        answers 0 and 1, and is given the columns of its own: ``models[reference].part(X)``, or any
        table by a `skosteo.Scorer`.
        """
        return self.final.model

    def distinct(self) -> list[str]:
        """Models of Tables 2 and 4 that are not the same under another name."""
        shown = [*self.names(2), *self.names(4)] or list(self.models)
        first: dict[str, str] = {}
        for name in shown:
            first.setdefault(self.models[name].key, name)
        return list(first.values())

    @_once
    def comparison(self, part: str = "test") -> Comparison:
        """Compare every model of Tables 2 and 4 with the reference on a part, as `compare` does."""
        names = self.distinct()
        if len(names) < 2:
            raise InputError("The study has one model; a comparison takes two.")
        return compare(**self._scored(part, names), reference=self.models[self.reference].title)

    @_once
    def fold_scores(self) -> pd.DataFrame:
        """Return AUC and accuracy of every fold's model; see `skosteo.study.folds`."""
        return fold_scores(self.design, self.models, self.results)

    @_once
    def fold_tests(self) -> pd.DataFrame:
        """Compare the reference with other fusions over the folds; see `skosteo.study.folds`."""
        others = [name for name in self.names(4) if name != self.reference]
        return fold_tests(self.design, self.models, self.results, self.reference, others)

    @_once
    def subgroups(self, part: str = "validation") -> Subgroups:
        """Score the main models within levels of all groupings, as `subgroups` does."""
        if self.groupings.shape[1] == 0:
            raise InputError("The study knows no subgroups; give run_study `subgroups`.")
        by = self.groupings.iloc[self.rows(part)].reset_index(drop=True)
        return subgroups(**self._scored(part, self.main()), by=by)

    @_once
    def calibration(self, part: str = "validation") -> Reliability:
        """Return how the main models are calibrated, as from `reliability`."""
        return reliability(**self._scored(part, self.main()))

    @_once
    def decision_curve(self, part: str = "validation") -> DecisionCurve:
        """Return the net benefit of the main models, as from `decision_curve`."""
        scored = self._scored(part, self.main())
        del scored["groups"]
        return decision_curve(**scored, prevalence=self.settings.prevalence)

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
        """
        from skosteo.study.report.figures import draw

        return draw(self, which)

    def save(self, out: str | PathLike) -> None:
        """Write ``report.html``, and every table and figure beside it, into a folder.

        It is made if needed. Files of an earlier report of this study are replaced, by the
        manifest in ``work/study.json``; a folder that holds anything else is an InputError. Each
        file is whole or not there, and ``report.html`` comes last: a full disk is an OSError.
        """
        from skosteo.study.report.saving import save

        save(self, out)

    def __repr__(self) -> str:
        counts = self.design.counts()
        limits = "".join(f"{limit}\n" for limit in self.settings.limits)
        names = self.names(2) or None
        return (
            f"{self.settings.title}\n{limits}\n{counts.to_string()}\n\n{self.report(names=names)}"
        )
