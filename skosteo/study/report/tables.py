"""The tables of a report as text, ready for print; nothing is scored here but what is shown."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from skosteo.clinical.variables import display_name, is_variable
from skosteo.evaluation import calibration_line
from skosteo.evaluation._format import (
    NO_INTERVAL,
    interval_text,
    number_text,
    p_number_text,
    p_text,
    proportion_text,
    signed_text,
)
from skosteo.exceptions import InputError
from skosteo.study.characteristics import EVERYONE
from skosteo.validation.figures import printed

_SEXES = {"F": "female", "M": "male"}
MINUS = "\N{MINUS SIGN}"
_MOST_EMPTY = 0.3  # proportion missing from which on a column is named, as the paper's limit


def decimal(number: float, digits: int = 2) -> str:
    """Return a number that is no proportion, with a true minus; a dash for what is none."""
    if not np.isfinite(number):
        return NO_INTERVAL
    return f"{round(number, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def characteristics(study: Any) -> pd.DataFrame:
    """Return Table 1 with what is missing in a column of its own."""
    table = study.table(1)
    levels = table.index.get_level_values(1)
    missing = table.loc[levels == "missing", EVERYONE].droplevel(1)
    table = table[levels != "missing"]
    names = table.index.get_level_values(0)
    first = ~names.duplicated()
    table["missing"] = np.where(first, missing.reindex(names).fillna("0"), "")
    table.loc[names == "n", "missing"] = ""
    sex = names.str.startswith(display_name("sex"))
    words = table.index.get_level_values(1).map(lambda level: _SEXES.get(level, level))
    table.index = pd.MultiIndex.from_arrays(
        [names, np.where(sex, words, table.index.get_level_values(1))], names=table.index.names
    )
    return table


def not_shown(study: Any) -> list[str]:
    """Name the clinical columns without a line in Table 1, and how much of them is missing."""
    shown = set(study.table(1).index.get_level_values(0).str.rsplit(",", n=1).str[0])
    missing = study.design.X.isna()
    return [
        f"{display_name(column)} (missing in {missing[column].sum():,} of {len(missing):,})"
        for column in study.settings.clinical_columns
        if display_name(column) not in shown
    ]


def nearly_empty(study: Any) -> list[str]:
    """Name the clinical columns that are missing in more than 30 % of the rows."""
    missing = study.design.X[list(study.settings.clinical_columns)].isna().mean()
    return [
        f"{display_name(column)} ({100 * proportion:.0f} %)"
        for column, proportion in missing.items()
        if proportion > _MOST_EMPTY
    ]


def main_models(study: Any) -> list[str]:
    """Models of the table of discrimination: those of the comparisons first, then Table 2."""
    others = [name for name in study.distinct() if name in study.names(2)]
    return [*study.family, *(name for name in others if name not in study.family)]


def from_other(row: Any) -> tuple[float, float, float]:
    """Difference of the primary model from another, with its limits, of a row that has it reversed.

    `compare` gives such rows, with the primary model as reference. Impossible limits are cut.
    """
    limits = np.clip([-row["difference"], -row["high"], -row["low"]], -1, 1)
    difference, low, high = limits.tolist()
    return difference, low, high


def discrimination(study: Any) -> pd.DataFrame:
    """Return AUC, how far the primary model's is from it, and rates by the common rule."""
    names = main_models(study)
    table = study.scores(names)[["AUC", "sensitivity", "specificity", "accuracy"]]
    differences = dict.fromkeys(table.index, "exploratory")
    if study.comparator is not None:
        for row in study.comparison().frame().query("metric == 'AUC'").to_dict("records"):
            text = signed_text(*from_other(row))
            p = row["pvalue_holm"]
            differences[row["model_a"]] = text if np.isnan(p) else f"{text}, {p_text(p)}"
    differences[study.titles[study.primary]] = "primary model"
    table.insert(1, "difference in AUC", pd.Series(differences))
    return table.rename_axis("model")


def no_information_rate(study: Any) -> str:
    """Accuracy of calling nobody, or everybody, a case."""
    cases = study.assessed().y.mean()
    return proportion_text(max(cases, 1 - cases))


def calibration(study: Any) -> pd.DataFrame:
    """Return measures of calibration of the primary model, as fitted and recalibrated."""
    rows, lines = study.assessed(), {}
    risks = (rows.probability, rows.risk)
    for (name, curve), frame in zip(study.calibration().items(), risks, strict=True):
        risk = frame[study.primary]
        with warnings.catch_warnings():  # of risks of exactly 0 or 1, which the note tells
            warnings.simplefilter("ignore", UserWarning)
            line = calibration_line(rows.y, risk, groups=rows.patient)
        lines[name] = {
            "mean risk": proportion_text(risk.mean()),
            "observed / expected": number_text(*curve.observed_expected),
            "slope": number_text(*line[:3]),
            "intercept": number_text(*line[3:]),
            "ICI": proportion_text(curve.ici),
            "ICI by chance": proportion_text(curve.ici_by_chance),
        }
    table = pd.DataFrame.from_dict(lines, orient="index").replace("nan", NO_INTERVAL)
    return table.map(lambda text: text.replace("-", MINUS)).rename_axis("risks")


def per_thousand(study: Any) -> pd.DataFrame:
    """Return what becomes of 1,000 people by each strategy, in whole people."""
    table = study.per_thousand()
    shown = table.drop(columns="referrals per case found").round().astype(int)
    each = table["referrals per case found"].map(lambda number: decimal(number, 1))
    return shown.assign(**{"referrals per case found": each}).rename_axis("strategy")


def operating_points(study: Any) -> pd.DataFrame:
    """Return thresholds by every rule, and what they do."""
    table = study.operating_points.copy()
    table["mean threshold"] = table["mean threshold"].map(proportion_text)
    return table


def further_measures(study: Any) -> pd.DataFrame:
    """Return the measures that the table of discrimination lacks."""
    names = main_models(study)
    table = study.scores(names, "all")
    shown = ["AUC", "accuracy", "sensitivity", "specificity", "PPV", "NPV"]
    return table.drop(columns=shown, errors="ignore").rename_axis("model")


def by_patient(study: Any) -> pd.DataFrame:
    """Return the figures of the primary model by row, and with one risk per patient."""
    counts = len(study.design.repeats) == 1
    by = {"each row": study.figures(), "one risk per patient": study.figures_by_patient()}
    both = pd.DataFrame({name: printed(found, counts=counts) for name, found in by.items()})
    return both.drop(index="mean risk").rename_axis("figure")


def stability(study: Any) -> pd.DataFrame:
    """Return figures of the primary model by repeat of the cross-validation."""
    table = study.stability().set_index("repeat")
    slope = table["calibration slope"].map(decimal)
    rates = table.drop(columns="calibration slope").map(proportion_text)
    rates.insert(1, "calibration slope", slope)
    return rates


def sample_size(study: Any) -> pd.DataFrame:
    """Return what each criterion for the number of patients asks for, and what is here."""
    return study.sample_size().rename_axis("criterion")


def fold_scores(study: Any) -> pd.DataFrame:
    """Return mean, standard deviation and range of the AUC over folds, and seconds, by model."""
    scores = study.fold_scores()
    by = scores.groupby("model", sort=False)
    table = by["AUC"].agg(["count", "mean", "std", "min", "max"])
    table.columns = pd.Index(["folds", "mean AUC", "SD", "lowest", "highest"])
    for column in list(table)[1:]:
        table[column] = table[column].map(proportion_text)
    table["seconds a fit"] = by["seconds"].mean().map(lambda seconds: decimal(seconds, 1))
    return table.rename(index=study.titles)


def fold_tests(study: Any) -> pd.DataFrame:
    """Return the paired t tests over the folds."""
    tests = study.fold_tests().set_index("model")
    for name in ("P", "P corrected"):
        tests[name] = tests[name].map(p_number_text)
    for name in ("t", "t corrected"):
        tests[name] = tests[name].map(decimal)
    difference = [signed_text(number, np.nan, np.nan) for number in tests["difference"]]
    tests["difference"] = [text.partition(" [")[0] for text in difference]
    return tests


# ---------------------------------------------------------------- subgroups


def in_words(variable: str, level: str) -> str:
    """Return a level as a reader says it: F and M of sex."""
    return _SEXES.get(level, level) if is_variable(variable, "sex") else level


def levels_shown(study: Any) -> pd.DataFrame:
    """Return figures of the subgroups with enough patients; empty where there are none."""
    frame = _levels(study, "frame")
    return frame[~frame["suppressed"].astype(bool)]


def levels_suppressed(study: Any) -> str:
    """Name the variables with levels of too few patients, and count these."""
    frame = _levels(study, "frame")
    hidden = frame[frame["suppressed"].astype(bool)].drop_duplicates(["variable", "level"])
    n = hidden.groupby("variable", sort=False).size()
    return ", ".join(f"{name} ({count})" for name, count in n.items())


def subgroups(study: Any) -> pd.DataFrame:
    """Return sensitivity and specificity by level, and how far they are from the largest level."""
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in levels_shown(study).query("metric != 'AUC'").to_dict("records"):
        line = lines.setdefault((row["variable"], row["level"]), {"patients": row["patients"]})
        line[row["metric"]] = interval_text(row["estimate"], row["low"], row["high"])
        line[f"difference in {row['metric']}"] = "reference"
    for row in _levels(study, "differences").query("metric != 'AUC'").to_dict("records"):
        text = signed_text(row["difference"], row["low"], row["high"])
        lines[row["variable"], row["level"]][f"difference in {row['metric']}"] = text
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.index = pd.MultiIndex.from_tuples(lines, names=["grouping", "level"])
    return table


def _levels(study: Any, what: str) -> pd.DataFrame:
    """Frame or differences of the subgroups, variables and levels as a reader says them."""
    if study.groupings.shape[1] == 0:
        return pd.DataFrame(columns=["variable", "level", "metric", "suppressed"])
    frame: pd.DataFrame = getattr(study.subgroups(), what)()
    levels = zip(frame["variable"], frame["level"], strict=True)
    frame["level"] = [in_words(*level) for level in levels]
    frame["variable"] = frame["variable"].map(display_name)
    return frame


def tables_of_the_paper(study: Any) -> list[tuple[int, str]]:
    """Return numbers and titles of the paper's tables that this study has a use for."""
    titles = {
        2: "Models",
        3: "Ablation of the image model: wavelet transform (WT) and soft attention (SA)",
        4: "Fusion strategies",
        5: "Image model with and without augmentation",
    }
    least = {2: 1 if study.settings.published else len(study.models) + 1}
    return [
        (number, title)
        for number, title in titles.items()
        if len(study.names(number)) >= least.get(number, 2)
    ]


def has_test_of_folds(study: Any) -> bool:
    """Whether a paired t test over folds compares something."""
    try:
        return len(study.fold_tests()) > 0
    except InputError:
        return False
