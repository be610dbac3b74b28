"""Density regressors on people with measured density, and on films whose density is planted.

SKOSTEO_DATA=... python -m tests.benchmarks.density --out report/density

NHANES: femoral neck and lumbar spine, each cycle in turn the training set, by age, sex, body size
and blood values. For each site RMSE, r, Bland-Altman bias and limits (predicted less measured),
coverage of the 90 % interval, the AUC of P(T <= -2.5) and its mean beside the proportion found; of
least squares and gradient boosting the interval is that of their training residuals. The bars: r
within .005 of least squares or above, coverage of .88 to .92, AUC within .01 of the classifier.
The spine's T-scores are by 1.047 +- .110 g/cm2, women of 30 years on the same maker's scanners.

Synthetic: r of films, table and both, beside what is attainable, from a score on a cohort that no
model has seen. SYNTHETIC, no clinical result. 5 minutes on one core.
"""

import argparse
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalOsteoRegressor,
    ClinicalPreprocessor,
    FusionOsteoRegressor,
    ImageOsteoRegressor,
    presets,
)
from skosteo.clinical import t_score
from skosteo.datasets import fetch_nhanes, make_cohort
from skosteo.datasets.cohort import fused_signal
from tests.benchmarks.nhanes import markdown

SPINE = (1.047, 0.110)
HALF = norm.ppf(0.95)


def scores(name, t, mean, std, p=None):
    """A row of the table: of means and standard deviations, or of probabilities alone."""
    positive = t <= -2.5
    row = {"model": name}
    if mean is not None:
        error = mean - t
        p = norm.cdf((-2.5 - mean) / std)
        row |= {
            "RMSE": np.sqrt(np.mean(error**2)),
            "r": np.corrcoef(mean, t)[0, 1],
            "bias": error.mean(),
            "lower limit": error.mean() - 1.96 * error.std(ddof=1),
            "upper limit": error.mean() + 1.96 * error.std(ddof=1),
            "coverage": np.mean(np.abs(error) <= HALF * std),
        }
    row |= {"AUC": roc_auc_score(positive, p), "mean P": p.mean(), "found": positive.mean()}
    return row


def nhanes(seed, cycles):
    """A row per site, direction and model."""
    people = fetch_nhanes()
    data, frame = people.data, people.frame
    sites = pd.DataFrame(
        {"neck": frame["t_score"], "spine": t_score(frame["spine_bmd_g_cm2"], SPINE)}
    )
    rows = []
    for first, second in (cycles, cycles[::-1]):
        fit, test = ((frame["cycle"] == cycle).to_numpy() for cycle in (first, second))
        started = time.perf_counter()
        net = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoRegressor(random_state=seed))
        mean, std = net.fit(data[fit], sites[fit]).predict(data[test], return_std=True)
        print(
            f"{first} to {second}: both sites in {time.perf_counter() - started:.1f} s", flush=True
        )
        for j, site in enumerate(sites):
            measured = sites[site].notna().to_numpy()
            seen, new = fit & measured, test & measured
            t, rows_of = sites.loc[new, site].to_numpy(), measured[test]
            found = [scores("density net, both sites", t, mean[rows_of, j], std[rows_of, j])]
            for name, model in (
                ("density net, one site", ClinicalOsteoRegressor(random_state=seed)),
                ("least squares", LinearRegression()),
                ("HistGradientBoosting", HistGradientBoostingRegressor(random_state=seed)),
            ):
                model = make_pipeline(ClinicalPreprocessor(), model)
                model.fit(data[seen], sites.loc[seen, site])
                if "net" in name:
                    found.append(scores(name, t, *model.predict(data[new], return_std=True)))
                    continue
                left = (sites.loc[seen, site] - model.predict(data[seen])).std()
                found.append(scores(name, t, model.predict(data[new]), left))
            net = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=seed))
            net.fit(data[seen], (sites.loc[seen, site] <= -2.5).astype(int))
            p = net.predict_proba(data[new])[:, 1]
            found.append(scores("classifier", t, None, None, p))
            rows += [{"site": site, "trained on": first, "n": len(t), **row} for row in found]
    return pd.DataFrame(rows)


def synthetic(n, seed, folder):
    """r of each modality, and of both, beside what the planted signals allow."""
    train, test = (make_cohort(n, random_state=seed + i) for i in (0, 1))
    params = presets.quick_image_classifier(cache_dir=folder, random_state=seed).get_params()
    del params["class_weight"]
    image = ImageOsteoRegressor(**params)
    clinical = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoRegressor(random_state=seed))
    fusion = FusionOsteoRegressor(image, clinical, random_state=seed)
    t, t_new = train.truth["t_score"], test.truth["t_score"].to_numpy()
    fusion.fit(train.data, t, groups=train.groups)
    columns = fusion.columns_["clinical"]
    rows = []
    for name, model, seen, signal in (
        ("films", fusion.image_, test.data[["image"]], 0.6),
        ("table", fusion.clinical_, test.data[columns], 0.6),
        ("both", fusion, test.data, fused_signal(0.6, 0.6)),
    ):
        row = scores(name, t_new, *model.predict(seen, return_std=True))
        rows.append(row | {"r attainable": signal})
    return pd.DataFrame(rows)


def show(numbers):
    return numbers.map(lambda v: f"{v:.3f}" if isinstance(v, float) else str(v)).replace("nan", "-")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("report/density"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patients", type=int, default=600, help="synthetic ones, 0 for none")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tables = {"nhanes": nhanes(args.seed, ("2013-2014", "2017-2018"))}
    if args.patients:
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tables["synthetic"] = synthetic(args.patients, args.seed, folder)
    for name, numbers in tables.items():
        numbers.to_csv(args.out / f"{name}.csv", index=False)
        print(f"\n{name}\n\n{markdown(show(numbers))}", flush=True)


if __name__ == "__main__":
    main()
