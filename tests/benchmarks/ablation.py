"""What the paper's block adds to a backbone: the rows of its Table 3, on planted signals.

Synthetic films show a signal in one quantity of the bone alone, or none; the real films of Hannover
have ICU stay as their target, which is not osteoporosis.

python -m tests.benchmarks.ablation
python -m tests.benchmarks.ablation --cohorts trabecular --rows backbone +WT --seeds 8 --real 0
"""

import argparse
import tempfile
import time

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from skosteo import ImageOsteoClassifier
from skosteo.datasets import fetch_hannover_cxr
from skosteo.datasets.cohort import T_CUT, T_MEAN, T_SD, best_auc
from skosteo.datasets.phantom import draw_film
from skosteo.dicom import Radiograph
from skosteo.evaluation import auc_interval

ROWS = {
    "backbone": {"wavelet": False, "soft_attention": False},
    "+WT": {"soft_attention": False},
    "+SA": {"wavelet": False},
    "+WT+SA": {},
    "fixed": {"gradient_fusion": "fixed"},
}
PLANTED = ["cortical", "trabecular", "attenuation"]
COHORTS = [*PLANTED, "none"]
SIGNAL = 0.85  # correlation of the density with what is planted
SIZE = 160


def model(row, seed, folder):
    return ImageOsteoClassifier(
        backbone="efficientnet_lite0", freeze_backbone=True, augmentation=None, image_size=SIZE,
        hidden_layer_sizes=(64,), lr=1e-3, max_epochs=100, n_iter_no_change=5,
        cache_dir=folder, random_state=seed, **ROWS[row],
    )  # fmt: skip


def draw_patients(seed, n):
    """Films of n patients, and what is planted in them: independent of each other."""
    rng = np.random.default_rng(seed)
    planted = pd.DataFrame(rng.standard_normal((n, len(PLANTED))), columns=PLANTED)
    values, seeds = planted.to_dict("records"), rng.integers(2**31 - 1, size=n).tolist()
    films = [draw_film(**v, random_state=s) for v, s in zip(values, seeds, strict=True)]
    return np.stack([Radiograph(film).to_uint8(SIZE) for film in films]), planted


def label(planted, cohort, seed):
    """Disease of each patient, by a density that one planted quantity follows, or none does."""
    # 1 +: to numpy the seed [s, 0] is the seed s, which drew what is planted
    rng = np.random.default_rng([seed, 1 + COHORTS.index(cohort)])
    density = rng.standard_normal(len(planted))
    if cohort != "none":
        density = SIGNAL * planted[cohort].to_numpy() + np.sqrt(1 - SIGNAL**2) * density
    return (density <= (T_CUT - T_MEAN) / T_SD).astype(int)


def branch_weight(row, models):
    if row not in ("+WT+SA", "fixed"):
        return ""
    return f"g_wavelet {np.mean([fitted.gradient_weights_[0] for fitted in models]):.2f}"


def synthetic_seed(seed, cohorts, rows, n, folder):
    """Fit each row on n patients, and score it on n others."""
    films, planted = draw_patients(seed, 2 * n)
    for cohort in cohorts:
        y = label(planted, cohort, seed)
        for row in rows:
            start = time.perf_counter()
            fitted = model(row, seed, folder).fit(films[:n], y[:n])
            auc = roc_auc_score(y[n:], fitted.predict_proba(films[n:])[:, 1])
            seconds = time.perf_counter() - start
            told = f"{auc:.3f} {seconds:5.1f} s {fitted.n_iter_:2} epochs"
            print(f"synthetic {cohort:11} {seed:2} {row:8} {told} {branch_weight(row, [fitted])}",
                  flush=True)  # fmt: skip
            yield {"cohort": cohort, "seed": seed, "row": row, "auc": auc}


def t_interval(values):
    """Mean over seeds with its 95 % interval, as text."""
    values = values.dropna()
    half = t.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values))
    return f"{values.mean():.3f} [{values.mean() - half:.3f}, {values.mean() + half:.3f}]"


def synthetic_table(results, cohorts, rows):
    table = []
    for cohort in cohorts:
        aucs = results[results["cohort"] == cohort].set_index(["row", "seed"])["auc"]
        best = best_auc(0 if cohort == "none" else SIGNAL)
        for row in rows:
            told = {"cohort": f"synthetic {cohort}", "row": row, "seeds": len(aucs[row])}
            told |= {"AUC": t_interval(aucs[row]), "best possible": f"{best:.3f}"}
            if "backbone" in rows and row != "backbone":
                told["gain over backbone"] = t_interval(aucs[row] - aucs["backbone"])
            table.append(told)
    return pd.DataFrame(table).fillna("")


def real_seed(seed, rows, folder):
    """Score out-of-fold probabilities of each row, and the projection alone."""
    cohort = fetch_hannover_cxr()
    X, y, groups = cohort.data, cohort.target, cohort.groups

    def told(row, probability, rest=""):
        auc, low, high = auc_interval(y, probability, groups=groups)
        print(f"ICU stay {seed} {row:16} {auc:.3f} {rest}", flush=True)
        return {"seed": seed, "row": row, "auc": auc, "told": f"{auc:.3f} [{low:.3f}, {high:.3f}]"}

    yield told("projection alone", (cohort.frame["projection"] == "ap").astype(float))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for row in rows:
        start, probability, models = time.perf_counter(), np.zeros(len(y)), []
        for train, test in folds.split(X, y, groups):
            fitted = model(row, seed, folder)
            fitted.fit(X.iloc[train], y.iloc[train], groups=groups.iloc[train])
            probability[test] = fitted.predict_proba(X.iloc[test])[:, 1]
            models.append(fitted)
        seconds = time.perf_counter() - start
        yield told(row, probability, f"{seconds:5.1f} s {branch_weight(row, models)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", nargs="+", choices=COHORTS, default=COHORTS)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=5, help="of the synthetic cohorts, >= 2")
    parser.add_argument("--null-seeds", type=int, default=20, help="of the backbone on no signal")
    parser.add_argument("--patients", type=int, default=240, help="to train, and as many to test")
    parser.add_argument("--real", type=int, default=3, help="seeds on the Hannover films, or 0")
    args = parser.parse_args()
    synthetic, real = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.seeds):
            synthetic += synthetic_seed(seed, args.cohorts, args.rows, args.patients, folder)
        if "none" in args.cohorts and "backbone" in args.rows:
            for seed in range(args.seeds, args.null_seeds):
                synthetic += synthetic_seed(seed, ["none"], ["backbone"], args.patients, folder)
        for seed in range(args.real):
            real += real_seed(seed, args.rows, folder)
    print(f"\nSYNTHETIC, {args.patients} patients to train and {args.patients} to test, mean AUC "
          "over seeds with its 95 % t interval")  # fmt: skip
    results = pd.DataFrame(synthetic)
    print(synthetic_table(results, args.cohorts, args.rows).to_string(index=False))
    if real:
        print("\nREAL films, ICU stay, not osteoporosis: AUC of out-of-fold probabilities, 95 % "
              "interval by patient, a column per seed")  # fmt: skip
        results = pd.DataFrame(real)
        table = pd.DataFrame({s: r.set_index("row")["told"] for s, r in results.groupby("seed")})
        table["mean of seeds"] = results.groupby("row")["auc"].mean().round(3)
        print(table.loc[["projection alone", *args.rows]].to_string())


if __name__ == "__main__":
    main()
