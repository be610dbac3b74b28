"""Recompute the figures of a study's folder from its files of probabilities, by other code.

    python -m tests.study.recompute FOLDER [--patients FILE] [--groupings FILE]

Numbers agree within one part in a million, texts within half of their last digit.
Labels, probabilities as fitted, risks and thresholds are read; `tests.study.by_hand` does the rest.
Without patients every row is one, and the rows of several repeats cluster.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t, ttest_rel
from sklearn.metrics import roc_auc_score

from tests.study import by_hand, by_hand_fits
from tests.study.checked import TOLERANCE, Checked
from tests.study.saved import LIMITS, METRICS, Folder, Judged

# ---------------------------------------------------------------- one function a file


def risks(study: Folder, checked: Checked, name: str) -> None:
    """Recalibrate on out-of-fold predictions, and choose the threshold there by the rule.

    Those are of the other folds, or of the development rows beside a test set.
    """
    for rows in (study.once, study.all) if study.repeated else (study.once,):
        for model in rows.names:
            fitted, risk = rows.of(model, "as fitted"), rows.of(model)
            for here, put_right, at in study.learned(rows, model, study.rule):
                where = f"{model}, row {rows.row[here][0]}"
                for found, expected in zip(risk[here], put_right(fitted[here]), strict=True):
                    checked.number(name, where, found, expected)
                checked.number("thresholds", where, rows.of(model, "threshold")[here][0], at)


def figures(study: Folder, checked: Checked, name: str) -> None:
    rows, model = study.all, study.primary
    y, risk, patient, positive = rows.y, rows.of(model), rows.patient, rows.positive(model)
    at = rows.of(model, "threshold")[0]
    if len(set(rows.of(model, "threshold"))) > 1:  # that of the final model, of all predictions
        fitted = rows.of(model, "as fitted")
        at = by_hand_fits.threshold(y, by_hand_fits.recalibration(fitted, y)(fitted), study.rule)
    slope = by_hand_fits.line(y, risk, patient)
    bent = by_hand_fits.curve(y, risk, patient)
    treat = np.where(y == 1, 1.0, -at / (1 - at))
    of_all = {
        "prevalence": by_hand.rate(y == 1, patient),
        "mean risk": by_hand.mean(risk, patient),
        "observed / expected": by_hand_fits.observed_expected(y, risk, patient),
        "calibration slope": slope[:3],
        "calibration intercept": slope[3:],
        "ICI": (np.nan if bent is None else bent[1], *by_hand.NOWHERE),
        "ICI by chance": (np.nan if bent is None else bent[2], *by_hand.NOWHERE),
        "AUC": rows.auc(model),
        "net benefit": by_hand.mean(treat * positive, patient),
        "net benefit of treating all": by_hand.mean(treat, patient),
        "net benefit less that of treating all": by_hand.mean(treat * positive - treat, patient),
    }
    sizes = (y.sum(), len(y), by_hand.known(patient))
    expected = pd.DataFrame(
        [(figure, *interval, *sizes) for figure, interval in of_all.items()],
        columns=["figure", *LIMITS, "count", "total", "patients"],
    )
    rates = study.scores(model).loc[["sensitivity", "specificity", "PPV", "NPV"]]
    both = pd.concat([expected, rates.rename_axis("figure").reset_index()])
    checked.frame(name, study.read(name), both, ["figure"])


def scores(study: Folder, checked: Checked, name: str) -> None:
    parts = {study.title(model): study.scores(model) for model in study.family}
    expected = pd.concat(parts, names=["model"]).reset_index()
    checked.frame(name, study.read(name), expected, ["model", "metric"])


def _differences(rows: Judged, study: Folder, models: Sequence[str]) -> pd.DataFrame:
    lines, base, y = [], study.primary, rows.y
    for model in models:
        pair = (study.title(model), study.title(base))
        how, given = "DeLong", (y, rows.of(model), rows.of(base), rows.patient)
        if rows.has_folds:
            how, test = "corrected resampled t", by_hand.fold_test(*given, rows.folds)
        else:
            test = by_hand.delong(*given)
        lines.append((*pair, "AUC", *test, how))
        right = [rows.positive(one) == y for one in (model, base)]
        for metric, side in zip(METRICS[1:], (y >= 0, y == 1, y == 0), strict=True):
            *test, exact = by_hand.mcnemar(*(r[side] for r in right), rows.patient[side])
            lines.append((*pair, metric, *test, "McNemar, exact" if exact else "McNemar, mid-p"))
    keys = ["model_a", "model_b", "metric"]
    columns = [*keys, "difference", "low", "high", "statistic", "pvalue", "test"]
    frame = pd.DataFrame(lines, columns=columns)
    frame["pvalue_holm"] = frame.groupby("metric")["pvalue"].transform(by_hand.holm)
    return frame


def comparison(study: Folder, checked: Checked, name: str) -> None:
    """Models of the prespecified comparisons in all repeats, or all models in the first."""
    found = study.read(name)
    named = [study.titles[title] for title in dict.fromkeys(found["model_a"])]
    expected = _differences(study.all if name == "comparison" else study.once, study, named)
    checked.frame(name, found, expected, ["model_a", "model_b", "metric"])


def calibration(study: Folder, checked: Checked, name: str) -> None:
    found, rows = study.read(name), study.all
    for risks_, what in (("as fitted", "as fitted"), ("recalibrated", "risk")):
        bent = by_hand_fits.curve(rows.y, rows.of(study.primary, what), rows.patient)
        part = found[found["risks"] == risks_].drop(columns="risks").reset_index(drop=True)
        expected = part[:0] if bent is None else bent[0]
        checked.frame(
            name, *(x.rename_axis(risks_).reset_index() for x in (part, expected)), [risks_]
        )


def decision_curve(study: Folder, checked: Checked, name: str) -> None:
    found, rows, lines = study.read(name), study.all, []
    models = {study.title(model): rows.of(model) for model in study.family}
    models["treat all"] = np.ones(len(rows.y))
    for at in sorted(set(found["threshold"])):
        for title, risk in models.items():
            benefit = by_hand.net_benefit(rows.y, risk, at, rows.patient, study.prevalence)
            lines.append((title, at, *benefit))
        lines.append(("treat none", at, 0.0, *by_hand.NOWHERE))
    expected = pd.DataFrame(lines, columns=["model", "threshold", "net_benefit", "low", "high"])
    checked.frame(name, found, expected, ["model", "threshold"])


def subgroups(study: Folder, checked: Checked, name: str) -> None:
    found, rows, lines = study.read(name), study.all, []
    if study.groupings is None:
        checked.skipped[name] = f"groupings, for {len(found)} lines"
        return
    levels = study.levels().iloc[rows.row]
    sizes = ["rows", "patients", "events"]
    for (variable, level), part in found.groupby(["variable", "level"], sort=False):
        shown_levels = set(found.loc[found["variable"] == variable, "level"])
        if shown_levels != set(levels[variable]):
            checked.differ.append(f"{name}: {variable} has the levels {set(levels[variable])}")
        inside = rows.at(levels[variable].to_numpy() == level)
        fewest = min(by_hand.known(inside.patient[inside.y == code]) for code in (0, 1))
        hidden = bool(part["suppressed"].all())
        if fewest < 10 and not hidden:
            checked.differ.append(f"{name}: {variable} {level}: {fewest} patients of a class")
        if not hidden:
            shown = inside.scores(study.primary, inside.positive(study.primary), None)
        for metric in ("AUC", "sensitivity", "specificity"):
            line = dict.fromkeys([*sizes, *LIMITS, "count", "total"], np.nan)
            if not hidden:
                line |= shown.loc[metric].to_dict()
                n = (len(inside.y), by_hand.known(inside.patient), inside.y.sum())
                line |= dict(zip(sizes, n, strict=True))
            lines.append({"variable": variable, "level": level, "metric": metric, **line})
    checked.frame(name, found, pd.DataFrame(lines), ["variable", "level", "metric"])


def operating_points(study: Folder, checked: Checked, name: str) -> None:
    found, rows = study.read(name), study.all
    for _, line in found.iterrows():
        model, rule = study.titles[line["model"]], line["rule"]
        own = rule == str(study.rule)
        at = rows.of(model, "threshold") if own else study.thresholds(rows, model, rule)
        where, shown = (line["model"], rule), rows.scores(model, rows.of(model) >= at, None)
        checked.number(name, where, line["mean threshold"], at.mean())
        for metric in ("sensitivity", "specificity", "PPV", "NPV"):
            checked.text(name, (*where, metric), line[metric], study.printed(shown, metric))


def per_thousand(study: Folder, checked: Checked, name: str) -> None:
    rows, lines = study.all, {}
    cases = 1000 * (rows.y.mean() if study.prevalence is None else study.prevalence)
    for model in study.family[:2]:
        shown = study.scores(model)["estimate"]
        hit = cases * shown["sensitivity"]
        sent = hit + (1000 - cases) * (1 - shown["specificity"])
        lines[study.title(model)] = (sent, hit, cases - hit, sent / hit if hit else np.nan)
    lines["Refer everyone"] = (1000, cases, 0, 1000 / cases)
    found = study.read(name)
    expected = pd.DataFrame.from_dict(lines, orient="index", columns=[*found][1:])
    checked.frame(
        name, found, expected.rename_axis(found.columns[0]).reset_index(), [found.columns[0]]
    )


def stability(study: Folder, checked: Checked, name: str) -> None:
    lines = []
    for repeat in np.unique(study.all.repeat):
        rows = study.all.at(study.all.repeat == repeat, folds=True)
        risk = rows.of(study.primary)
        shown = rows.scores(study.primary, rows.positive(study.primary), None)["estimate"]
        slope = by_hand_fits.line(rows.y, risk, rows.patient)[0]
        rates = shown["sensitivity"], shown["specificity"]
        lines.append((repeat, shown["AUC"], slope, *rates, risk.mean()))
    found = study.read(name)
    checked.frame(name, found, pd.DataFrame(lines, columns=list(found)), ["repeat"])


def fold_scores(study: Folder, checked: Checked, name: str) -> None:
    """AUC by fold, numbered through the repeats in the files of probabilities."""
    found = study.read(name)
    n_folds = found["fold"].max()
    for line in found.itertuples():
        rows = study.developed or (study.once if line.repeat == 1 else study.all)
        if line.model not in rows.names:  # the same as one that is, by another name
            continue
        here = rows.folds == (line.repeat - 1) * n_folds + line.fold
        area = roc_auc_score(rows.y[here], rows.of(line.model, "as fitted")[here])
        checked.number(name, (line.repeat, line.fold, line.model), line.AUC, area)


def printed_scores(study: Folder, checked: Checked, name: str) -> None:
    """Tables of the paper, and that of discrimination, with its differences."""
    found = study.read(name, str)
    found = found.set_index(found.columns[0])
    tests = study.read("comparison")
    for title, line in found.iterrows():
        for metric in [m for m in METRICS if m in found]:
            shown = study.printed(study.scores(study.titles[title]), metric)
            checked.text(name, (title, metric), line[metric], shown)
        if "difference in AUC" not in found:
            continue
        expected: Any = "primary model" if title == study.title(study.primary) else "exploratory"
        if study.titles[title] in study.family[1:]:
            test = tests[(tests["model_a"] == title) & (tests["metric"] == "AUC")].iloc[0]
            less_other = -test[["difference", "high", "low"]]
            expected = [*less_other, max(test["pvalue_holm"], 0.001)]
        checked.text(name, title, line["difference in AUC"], expected)


def failures(study: Folder, checked: Checked, name: str) -> None:
    """Three controls of the highest risk, three cases of the lowest, with all risks."""
    found, rows = study.read(name, str), study.once
    risk = pd.Series(rows.of(study.primary)).sort_values(kind="stable")
    controls = [i for i in risk.index[::-1] if rows.y[i] == 0][:3]
    chosen = [*controls, *[i for i in risk.index if rows.y[i] == 1][:3]]
    for (_, line), i in zip(found.iterrows(), chosen, strict=True):
        checked.number(name, "row", line["row"], rows.row[i])
        checked.text(name, "outcome", line["outcome"], "yes" if rows.y[i] else "no")
        for model in study.family:
            checked.text(name, model, line[study.title(model)], [rows.of(model)[i]])


def parts(study: Folder, checked: Checked, name: str) -> None:
    """Rows and patients of those that models are judged on."""
    found, y, patient = study.read(name).set_index("Unnamed: 0"), study.once.y, study.once.patient
    people = by_hand.known(patient), by_hand.known(patient[y == 1])
    judged = "test" if "test" in found.index else "all"
    sizes = dict(zip(found, (len(y), people[0], y.sum(), people[1]), strict=True))
    for column, size in sizes.items():
        checked.number(name, column, found.loc[judged, column], size)


def sample_size(study: Folder, checked: Checked, name: str) -> None:
    """Criteria by integrals, of the patients of `parts` and the AUC of `figures`."""
    area = study.scores(study.primary).loc["AUC", "estimate"]
    found = study.read(name)
    if area <= 0.5 or area == 1:
        checked.frame(name, found, found[:0], [])
        return
    found = found.set_index("Unnamed: 0")
    counts = study.read("parts").set_index("Unnamed: 0")
    for criterion, line in found.iterrows():
        part, _, which = criterion.partition(": ")
        known = {"development": "development", "validation": "test"}[part.partition(",")[0]]
        here = counts.loc[known if known in counts.index else "all"]
        people, events = here["patients"], here["positive patients"]
        parameters = [int(number) for number in re.findall(r"\d+", part)]
        cases = events / people
        if part == "validation" and study.prevalence is not None:
            cases = study.prevalence
        n = np.ceil(by_hand_fits.patients_for(which, cases, area, *parameters))
        sizes = (n, np.ceil(cases * n), people, events)
        for column, size in zip(found, sizes, strict=False):
            checked.number(name, (criterion, column), line[column], size)
        checked.text(name, criterion, line["met"], "yes" if people >= n else "no")


def fold_tests(study: Folder, checked: Checked, name: str) -> None:
    """Paired t tests of the file's AUC by fold; the correction is for shared training rows."""
    found, areas = study.read(name).set_index("model"), study.read("fold_scores")
    areas = areas[areas["repeat"] == 1].pivot_table("AUC", "fold", "model")
    counts, k = study.read("parts").set_index("Unnamed: 0")["rows"], len(areas)
    rows = counts.get("development", counts["all"])
    sizes = round(rows / k), round(rows - rows / k)
    for title, line in found.iterrows():
        one, other = areas[study.primary], areas[study.titles[title]]
        plain = ttest_rel(one, other)
        corrected = plain.statistic / np.sqrt(1 + k * sizes[0] / sizes[1])
        p = 2 * t.sf(abs(corrected), k - 1)
        expected = ((one - other).mean(), plain.statistic, plain.pvalue, corrected, p)
        for column, number in zip(found, expected, strict=True):
            checked.number(name, (title, column), line[column], number)


def added_value(study: Folder, checked: Checked, name: str) -> None:
    """Whether the film adds to the comparator's risk, in all patients and by projection."""
    found = study.read(name, str).set_index("Unnamed: 0")
    film = "image" if "image" in study.family else study.primary
    for part, line in found.iterrows():
        rows = study.all
        if part != "all patients":
            if study.groupings is None:
                checked.skipped[f"{name}, {part}"] = "groupings"
                continue
            rows = rows.at((study.groupings["projection"] == part).to_numpy()[rows.row])
        y, base, patient = rows.y, rows.of(study.family[1]), rows.patient
        ratio, p, both = by_hand_fits.added_value(y, base, rows.of(film), patient)
        gain = area = [np.nan]
        if not np.isnan(both).any():
            gain, area = by_hand.delong(y, both, base, patient)[:3], [roc_auc_score(y, both)]
        expected = ([roc_auc_score(y, base)], area, gain, ratio, [max(p, 0.001)])
        for column, numbers in zip(found, expected, strict=True):
            checked.text(name, (part, column), line[column], numbers)


def imputation(study: Folder, checked: Checked, name: str) -> None:
    """The first line, of the models as they are in the first repeat; others have no risks."""
    found, rows = study.read(name, str), study.once
    checked.skipped[name] = f"values and imputed values, for {len(found) - 1} lines"
    one = (rows.y, rows.of(study.primary))
    line = {"AUC": by_hand.auc(*one, rows.patient)}
    if "difference" in found:
        line["difference"] = by_hand.delong(*one, rows.of(study.family[1]), rows.patient)[:3]
    for column, numbers in line.items():
        checked.text(name, column, found[column].iloc[0], numbers)


FILES: dict[str, Callable[[Folder, Checked, str], None]] = {
    "probabilities": risks,
    "figures": figures,
    "scores": scores,
    "comparison": comparison,
    "differences": comparison,
    "calibration": calibration,
    "decision_curve": decision_curve,
    "subgroups": subgroups,
    "operating_points": operating_points,
    "per_thousand": per_thousand,
    "stability": stability,
    "fold_scores": fold_scores,
    "discrimination": printed_scores,
    **{f"table_{number}": printed_scores for number in (2, 3, 4, 5)},
    "failures": failures,
    "parts": parts,
    "sample_size": sample_size,
    "fold_tests": fold_tests,
    "added_value": added_value,
    "imputation": imputation,
}


def recompute(
    folder: str | Path, patients: Any = None, groupings: pd.DataFrame | None = None
) -> Checked:
    """Recompute what a study's folder says; `patients` and `groupings` are of the study's rows."""
    study, checked = Folder(Path(folder), patients, groupings), Checked()
    for name, check in FILES.items():
        if (study.tables / f"{name}.csv").exists():
            check(study, checked, name)
    return checked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=Path, help="a text file, the patient of each row a line")
    parser.add_argument("--groupings", type=Path, help="a CSV file, a column a grouping")
    given = parser.parse_args()
    patients = None if given.patients is None else pd.read_csv(given.patients, header=None)[0]
    groupings = None if given.groupings is None else pd.read_csv(given.groupings)
    checked = recompute(given.folder, patients, groupings)
    said = [f"{file:>20} {count:6,}" for file, count in checked.compared.items()]
    said += [f"left out: {file}, which takes {what}" for file, what in checked.skipped.items()]
    rows = checked.compared.pop("probabilities", 0)
    total = f"{checked.compared.total():,} figures and {rows:,} risks of rows compared"
    said += [
        *checked.differ,
        f"{total}, within {TOLERANCE:g} of each; {len(checked.differ)} differ.",
    ]
    sys.stdout.write("\n".join(said) + "\n")
    return int(bool(checked.differ))


if __name__ == "__main__":
    sys.exit(main())
