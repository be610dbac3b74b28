"""`Study`, the results of `run_study`: risks, scores, tables, plots and one report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from os import PathLike
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import pandas as pd
from sklearn.model_selection import FixedThresholdClassifier

from skosteo._plotting import draws
from skosteo.clinical.flow import Flow
from skosteo.evaluation import (
    CalibrationCurve,
    Comparison,
    DecisionCurve,
    Report,
    Subgroups,
    calibration_curve,
    compare,
    decision_curve,
    evaluate,
    subgroups,
)
from skosteo.evaluation._scored import Scored
from skosteo.evaluation.leakage import LeakageReport
from skosteo.exceptions import InputError
from skosteo.study.adequacy import missing_values, sample_size
from skosteo.study.assessed import Assessed, assess
from skosteo.study.characteristics import characteristics
from skosteo.study.design import Design, Settings
from skosteo.study.final import FinalModel
from skosteo.study.fitting import ModelResult
from skosteo.study.folds import fold_scores, fold_tests, stability
from skosteo.study.imputation import missing_values_matter
from skosteo.study.inputs import RULES
from skosteo.study.models import CLINICAL, FUSIONS, TABLES, StudyModel, shown_in
from skosteo.study.published import published
from skosteo.study.usefulness import confident_errors, film_beside, per_thousand
from skosteo.validation.figures import figures_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

AS_FITTED, RECALIBRATED = "as fitted", "recalibrated"


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
    """One model judged on the patients of a study, beside others; made by `run_study`.

    Attributes
    ----------
    design : Design
        Rows, labels, patients, the test set and the folds.
    models : dict of str to StudyModel
        By name, in the order of the tables.
    results : dict of str to ModelResult
        Predictions by the key of a model.
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
        The final model.
    family : tuple of str
        Models of the prespecified comparisons: the primary one, its comparator, its parts.
    drawn : dict of str to StudyModel
        Primary model and comparator after each imputation of missing numbers.
    """

    design: Design
    models: dict[str, StudyModel]
    results: dict[str, ModelResult]
    settings: Settings
    flow: Flow
    leakage: LeakageReport
    groupings: pd.DataFrame
    digest: str
    final: FinalModel
    family: tuple[str, ...]
    drawn: dict[str, StudyModel]
    _computed: dict[tuple, Any] = field(default_factory=dict, init=False)

    @property
    def primary(self) -> str:
        """Name of the model that the study is about."""
        return self.family[0]

    @property
    def comparator(self) -> str | None:
        """Name of the model that the primary one has to beat; None where there is one model."""
        return self.family[1] if len(self.family) > 1 else None

    @property
    def titles(self) -> dict[str, str]:
        """Titles of the models by their names."""
        return {name: model.title for name, model in self.models.items()}

    @property
    def final_model_(self) -> FixedThresholdClassifier:
        """The primary model, fitted on all rows but those of the test set, to be kept and used.

        Its risks are recalibrated on out-of-fold predictions, on which its threshold is chosen too.
        A study that is given `out` saves it there as ``model.skops``, with a card: see
        `skosteo.load_model`. It answers 0 and 1, and is given the columns of its own:
        ``models[primary].part(X)``, or any table by a `skosteo.Scorer`.
        """
        return self.final.model

    # ------------------------------------------------------------ rows that are judged

    @_once
    def assessed(self, rule: str | float | None = None) -> Assessed:
        """Return risks and thresholds of the models of the prespecified comparisons.

        With a test set, of its rows; else of all rows in every repeat. `rule` is that of the study
        for None.
        """
        n_repeats = len(self.design.repeats)
        return assess(self.design, self._results(self._chosen()), self._rule(rule), n_repeats)

    @_once
    def assessed_once(self, rule: str | float | None = None) -> Assessed:
        """Return the same of all models, of the first repeat alone."""
        return assess(self.design, self._results(self.models), self._rule(rule), 1)

    def _chosen(self) -> dict[str, StudyModel]:
        return {name: self.models[name] for name in self.family}

    def _results(self, models: Mapping[str, StudyModel]) -> dict[str, ModelResult]:
        return {name: self.results[model.key] for name, model in models.items()}

    def _rule(self, rule: str | float | None) -> str | float:
        return self.settings.operating_point if rule is None else rule

    # ------------------------------------------------------------ tables of the paper

    def table(self, number: int) -> pd.DataFrame:
        """Return a table of the paper with this study's figures, as text ready for print.

        Parameters
        ----------
        number : {1, 2, 3, 4, 5}
            1: patients by outcome, and by set; 2: models, with baselines and models of one's own
            behind; 3: ablation; 4: fusions; 5: augmentation. Rates are those at each model's
            threshold. Beside stands what the paper published, if the study was asked for it.
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
        table = self.scores(names)
        if self.settings.published:
            figures = published(number).reindex(names)
            for metric in figures:
                texts = figures[metric].map("{:.3f}".format, na_action="ignore").fillna("")
                table[f"paper: {metric}"] = texts.str.removeprefix("0").to_numpy()
        return table

    def scores(
        self, names: Sequence[str], metrics: Sequence[str] | str | None = None
    ) -> pd.DataFrame:
        """Return scores of models as text, by their titles, as `evaluate` does.

        Those of the prespecified comparisons are of all repeats, others of the first. Rates have
        their counts where each row is judged once.
        """
        counts = len(self.design.repeats) == 1
        reports = (self._report(True), self._report(False))
        both = pd.concat([report.table(metrics, counts=counts) for report in reports])
        return both[~both.index.duplicated()].loc[[self.titles[name] for name in names]]

    @_once
    def _report(self, family: bool) -> Report:
        rows = self.assessed() if family else self.assessed_once()
        given = rows.judged(rows.names, self.titles)
        return evaluate(**given, prevalence=self.settings.prevalence)

    def report(self) -> Report:
        """Score the models of the prespecified comparisons, by their titles, as `evaluate` does."""
        return self._report(True)

    def names(self, number: int) -> list[str]:
        """Return the models of this study that a table of the paper shows."""
        return shown_in(number, self.models)

    @_once
    def _table_one(self) -> pd.DataFrame:
        return characteristics(self.design, self.settings)

    def distinct(self) -> list[str]:
        """Models that are not the same under another name; the prespecified ones keep theirs."""
        first: dict[str, str] = {}
        for name in (*self.family, *self.models):
            first.setdefault(self.models[name].key, name)
        return [name for name in self.models if name in first.values()]

    # ------------------------------------------------------------ the final model

    @_once
    def figures(self) -> pd.DataFrame:
        """Return every figure of the final model: a row each, as `validate` gives them."""
        rows, name = self.assessed(), self.primary
        scored = Scored.of_models(rows.y, rows.risk[name], rows.patient, rows.fold)
        curve = self.calibration()[RECALIBRATED]
        at = self.final_model_.threshold
        return figures_of(scored, at, curve, rows.positive[name].to_numpy())

    @_once
    def figures_by_patient(self) -> pd.DataFrame:
        """Return the same with one risk per patient, the mean of the films: a sensitivity analysis.

        So a patient of many films counts no more than one of a single film.
        """
        rows = self.assessed().by_patient(self.primary)
        y, risk, patient = (rows[name].to_numpy() for name in ("y", "risk", "patient"))
        curve = calibration_curve(y, risk, groups=patient)
        called = risk >= rows["threshold"].to_numpy()
        fold = None if self.design.has_test else rows["fold"].to_numpy()
        scored = Scored.of_models(y, risk, patient, fold)
        return figures_of(scored, self.final_model_.threshold, curve, called)

    @property
    def has_several_films(self) -> bool:
        """Whether some patients have several rows."""
        return int(self.design.patient.max()) + 1 < len(self.design.y)

    @_once
    def calibration(self) -> dict[str, CalibrationCurve]:
        """Return the calibration curve of the primary model as fitted, and recalibrated."""
        rows = self.assessed()
        parts = {AS_FITTED: rows.probability, RECALIBRATED: rows.risk}
        return {
            name: calibration_curve(rows.y, frame[self.primary], groups=rows.patient)
            for name, frame in parts.items()
        }

    @_once
    def comparison(self) -> Comparison:
        """Compare the primary model with the others of the prespecified comparisons."""
        if self.comparator is None:
            raise InputError("The study has one model; a comparison takes two.")
        given = self.assessed().judged(self.family, self.titles)
        return compare(**given, reference=self.titles[self.primary])

    @_once
    def differences(self) -> pd.DataFrame:
        """Compare every distinct model with the primary one, in the first repeat: exploratory."""
        names = self.distinct()
        if len(names) < 2:
            raise InputError("The study has one model; a comparison takes two.")
        given = self.assessed_once().judged(names, self.titles)
        return compare(**given, reference=self.titles[self.primary]).frame()

    @_once
    def subgroups(self) -> Subgroups:
        """Score the primary model within levels of all groupings, as `subgroups` does."""
        if self.groupings.shape[1] == 0:
            raise InputError("The study knows no subgroups; give run_study `subgroups`.")
        rows = self.assessed()
        by = self.groupings.iloc[rows.row].reset_index(drop=True)
        return subgroups(**rows.called([self.primary], self.titles), by=by)

    @_once
    def decision_curve(self) -> DecisionCurve:
        """Return the net benefit of the prespecified models, as from `decision_curve`."""
        given = self.assessed().risks(self.family, self.titles)
        return decision_curve(**given, prevalence=self.settings.prevalence)

    @cached_property
    def operating_points(self) -> pd.DataFrame:
        """What each rule for thresholds does: rates of the prespecified models, as text."""
        parts = {}
        for rule in dict.fromkeys([self.settings.operating_point, *RULES]):
            rows = self.assessed(rule)
            report = evaluate(**rows.called(self.family, self.titles))
            counts = rows.n_repeats == 1
            table = report.table(["sensitivity", "specificity", "PPV", "NPV"], counts=counts)
            table.insert(0, "mean threshold", rows.threshold.mean().to_numpy())
            parts[str(rule)] = table
        both = pd.concat(parts, names=["rule", "model"]).swaplevel()
        return both.sort_index(level="model", sort_remaining=False)

    @_once
    def stability(self) -> pd.DataFrame:
        """Return figures of the primary model by repeat; see `skosteo.study.folds`."""
        return stability(self.assessed(), self.primary)

    # ------------------------------------------------------------ what a reviewer asks

    @_once
    def per_thousand(self) -> pd.DataFrame:
        """Return what becomes of 1,000 people by the primary model, its comparator, and neither."""
        titles = {name: self.titles[name] for name in self.family[:2]}
        return per_thousand(self.assessed(), titles, self.settings.prevalence)

    @_once
    def added_value(self) -> pd.DataFrame:
        """Return whether the film adds to the comparator's risk, in all and by projection.

        Empty where no prespecified model sees a film, or there is no comparator. As text; see
        `film_beside`.
        """
        films = [n for n in ("image", self.primary) if n in self.family and n not in CLINICAL]
        if self.settings.image_column is None or self.comparator in (None, *films) or not films:
            return pd.DataFrame()
        projection = self.groupings.get("projection")
        return film_beside(self.assessed(), cast(str, self.comparator), films[0], projection)

    @_once
    def failures(self) -> pd.DataFrame:
        """Return the most confident errors of the primary model, as text."""
        titles = {name: self.titles[name] for name in self.family}
        return confident_errors(self.assessed_once(), self.primary, titles)

    @_once
    def missing_values(self) -> pd.DataFrame:
        """Return what is missing of each clinical column by outcome, as text."""
        return missing_values(self.design, self.settings)

    @_once
    def imputation(self) -> pd.DataFrame | None:
        """Return what the primary model is worth by what fills missing values; None if not asked.

        Nor where no number is missing.
        """
        if not self.drawn:
            return None
        drawn = assess(self.design, self._results(self.drawn), self._rule(None), 1)
        clinical = self.design.X[list(self.settings.clinical_columns)]
        return missing_values_matter(
            self.assessed_once(), drawn, clinical, self.primary, self.comparator,
            self.settings.imputations,
        )  # fmt: skip

    @_once
    def sample_size(self) -> pd.DataFrame:
        """Return how many patients are wanted to develop and to validate the primary model."""
        figures = self.figures().set_index("figure")["estimate"]
        columns = self.models[self.primary].columns
        if columns is None:
            columns = self.settings.clinical_columns
        return sample_size(self.design, self.settings, columns, float(figures["AUC"]))

    # ------------------------------------------------------------ folds and figures

    @_once
    def fold_scores(self) -> pd.DataFrame:
        """Return the AUC of every fold's model; see `skosteo.study.folds`."""
        return fold_scores(self.design, self.models, self.results)

    @_once
    def fold_tests(self) -> pd.DataFrame:
        """Compare the primary model with other fusions over folds; see `skosteo.study.folds`."""
        others = [name for name in self.names(4) if name != self.primary]
        if self.primary not in FUSIONS:
            others = []
        return fold_tests(self.design, self.models, self.results, self.primary, others)

    @draws
    def figure(self, which: int | str) -> "Figure":
        """Draw a figure of the paper from this study, or one that the paper lacks.

        Parameters
        ----------
        which : int or str
            2: patient flow; 3: SHAP; 4: loss curves; 5: ROC curves; 6: accuracy curves; 7:
            Grad-CAM; or "calibration", "decision_curve", "differences", "subgroups", "stability",
            "fusion".
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
        names = self.names(2) or list(self.models)
        return (
            f"{self.settings.title}\n{limits}\n{counts.to_string()}\n\n"
            f"{self.scores(names).to_string()}"
        )
