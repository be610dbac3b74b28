"""What recalibration brings on people with measured density, and updates at planted sites.

SKOSTEO_DATA=... python -m tests.benchmarks.recalibration [nhanes] [sites] [films]

First, models trained on one cycle of NHANES and tested on the other, as they are and recalibrated
on out-of-fold probabilities: mean risk beside the observed proportion, slope, AUC, net benefit at a
risk of 10 %. Then a logistic regression and planted sites, 200 runs each: whether
`update_model` with 200 local patients restores calibration, and a sensitivity of .90 (within .03)
at the threshold that was chosen for it at development; and whether a threshold chosen anew on the
same patients does. 3 minutes on one core.

Last the same of an image net, trained on SYNTHETIC films of 500 patients, at sites whose films are
exposed otherwise. Its threshold is chosen on out-of-fold probabilities. Each site shows the same
1,200 patients; a run draws the 200 among them, and the others are the judges. 3 minutes.
"""

import sys
import tempfile

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from skosteo import RecalibratedClassifier, how_many_local_patients, presets, update_model
from skosteo.datasets import fetch_nhanes, make_cohort
from skosteo.evaluation import calibration_line, net_benefit, operating_point
from tests.study.cohorts import Says

RUNS, LOCAL, TEST = 200, 200, 20_000
HOME, POOL = 500, 1_200  # patients with films


def nhanes():
    people = fetch_nhanes()
    cycle = people.frame["cycle"]
    models = {
        "paper's net, balanced": presets.paper_clinical_classifier(random_state=0),
        "logistic, balanced": presets.clinical_baseline("logistic", class_weight="balanced"),
        "logistic": presets.clinical_baseline("logistic"),
        "random forest": presets.clinical_baseline("random_forest", random_state=0),
    }
    rows = []
    for train, test in (("2013-2014", "2017-2018"), ("2017-2018", "2013-2014")):
        X, y = people.data[cycle == train], people.target[cycle == train]
        new, observed = people.data[cycle == test], people.target[cycle == test]
        for name, model in models.items():
            recalibrated = RecalibratedClassifier(clone(model)).fit(X, y)
            isotonic = RecalibratedClassifier(clone(model), "isotonic").fit(X, y)
            versions = {
                "as it is": recalibrated.estimator_,
                "recalibrated": recalibrated,
                "isotonic": isotonic,
            }
            for version, fitted in versions.items():
                p = fitted.predict_proba(new)[:, 1]
                rows.append(
                    {
                        "direction": f"{train[:4]} to {test[:4]}",
                        "model": name,
                        "version": version,
                        "mean risk, %": 100 * p.mean(),
                        "observed, %": 100 * observed.mean(),
                        "slope": calibration_line(observed, p.clip(1e-4, 1 - 1e-4)).slope,
                        "AUC": roc_auc_score(observed, p),
                        "net benefit at 10 %": net_benefit(observed, p, 0.1),
                    }
                )
    return pd.DataFrame(rows)


def people(rng, n, years=0.0, log_odds=0.0):
    """Age, body mass index and a laboratory value, and the outcome that they make more likely."""
    z = rng.normal(size=(n, 3))
    z[:, 0] += years / 10
    y = rng.random(n) < expit(-1.6 + log_odds + z @ [1.2, -0.8, 0.5])
    return z, y.astype(int)


def as_often(rng, n, prevalence):
    """As many cases as are asked for, who look like the cases at home."""
    X, y = people(rng, 10 * n)
    cases = rng.random(n) < prevalence
    drawn = [rng.choice(np.flatnonzero(y == one), n) for one in (0, 1)]
    return X[np.where(cases, drawn[1], drawn[0])], cases.astype(int)


def dimmed(rng, n):
    """Findings are measured as half of what they are, and all a little higher."""
    X, y = people(rng, n)
    return 0.5 * X + 0.4, y


SITES = {
    "as at home": people,
    "prevalence 12 %, cases alike": lambda rng, n: as_often(rng, n, 0.12),
    "risk lower at the same findings": lambda rng, n: people(rng, n, log_odds=-1),
    "10 years older": lambda rng, n: people(rng, n, years=10),
    "measured otherwise (as exposure does)": dimmed,
}


def sites():
    rng = np.random.default_rng(0)
    home = people(rng, 5000)
    model = LogisticRegression().fit(*home)
    calibration = people(rng, 5000)
    threshold = operating_point(
        calibration[1], model.predict_proba(calibration[0]), sensitivity=0.9
    ).threshold
    rows = []
    for name, draw in SITES.items():
        new, y_new = draw(rng, TEST)
        found = [one_update(model, threshold, draw(rng, LOCAL), new, y_new) for _ in range(RUNS)]
        needed = how_many_local_patients(model.predict_proba(new), prevalence=y_new.mean())
        needed = {"patients needed": max(needed.intercept, needed.slope)}
        rows.append({"site": name, "cases, %": 100 * y_new.mean()} | summary(found) | needed)
    return pd.DataFrame(rows)


def under_exposed(film, rng):
    """Three fifths of the contrast, and noise of .06 of the range, more where it is denser."""
    noise = 0.06 * np.exp(film - 0.5) * rng.standard_normal(film.shape)
    return np.clip(0.2 + 0.6 * film + noise, 0, 1)


def stretched(film, rng):
    """The same in a file without a window: shown over the range of its own values."""
    film = under_exposed(film, rng)
    return (film - film.min()) / np.ptp(film)


EXPOSURES = {
    "exposed as at home": lambda film, rng: film,
    "under-exposed": under_exposed,
    "under-exposed, no window in the file": stretched,
    "another response curve, gamma 1.6": lambda film, rng: film**1.6,
}


def films():
    home = make_cohort(HOME, image_signal=0.9, random_state=0)
    with tempfile.TemporaryDirectory() as cache:
        model = presets.quick_image_classifier(image_size=128, cache_dir=cache, random_state=0)
        X, y = home.data[["image"]], home.target
        out_of_fold = cross_val_predict(model, X, y, cv=5, method="predict_proba")
        model.fit(X, y).set_params(cache_dir=None)
    threshold = operating_point(y, out_of_fold, sensitivity=0.9).threshold
    print(
        f"image net at home: AUC {roc_auc_score(y, out_of_fold[:, 1]):.3f}, out of fold", flush=True
    )
    pool = make_cohort(POOL, image_signal=0.9, random_state=1)
    y = pool.target.to_numpy()
    rows = []
    for name, expose in EXPOSURES.items():
        rng = np.random.default_rng(2)
        shown = [np.float32(expose(film / np.float32(255), rng)) for film in pool.data["image"]]
        p = model.predict_proba(pd.DataFrame({"image": pd.Series(shown, dtype=object)}))[:, 1]
        known, found = pd.DataFrame({"p": p}), []
        said = Says().fit(known, y)
        for _ in range(RUNS):
            order = rng.permutation(POOL)
            local, rest = order[:LOCAL], order[LOCAL:]
            here = known.iloc[local], y[local]
            found.append(one_update(said, threshold, here, known.iloc[rest], y[rest]))
        rows.append({"site": name, "AUC": roc_auc_score(y, p)} | summary(found))
    return pd.DataFrame(rows)


def summary(found):
    """How often sensitivity is held, and what an update does to the risks, over all runs."""
    frame = pd.DataFrame(found)
    near = frame[["before", "after", "chosen anew"]].sub(0.9).abs() <= 0.03
    means = ("error of risk", "observed / expected", "slope")
    return {
        "sensitivity before": frame["before"].mean(),
        "after": frame["after"].mean(),
        "chosen anew": frame["chosen anew"].mean(),
        "within .03 before, %": 100 * near["before"].mean(),
        "within .03 after, %": 100 * near["after"].mean(),
        "threshold anew, %": 100 * near["chosen anew"].mean(),
        **{f"{m} {when}": frame[f"{m} {when}"].mean() for m in means for when in TIMES},
        **{f"{k}, %": 100 * (frame["chosen"] == k).mean() for k in KINDS},
    }


TIMES = ("before", "after")
KINDS = ("original", "intercept", "slope and intercept")


def one_update(model, threshold, local, new, y_new):
    """Sensitivities on the site's other patients, and how far mean risk is from the observed."""
    update = update_model(model, *local)
    p = [m.predict_proba(new)[:, 1] for m in (model, update.model)]
    local_p = update.model.predict_proba(local[0])
    anew = operating_point(local[1], local_p, sensitivity=0.9).threshold
    cases = y_new == 1
    return {
        "before": (p[0][cases] >= threshold).mean(),
        "after": (p[1][cases] >= threshold).mean(),
        "chosen anew": (p[1][cases] >= anew).mean(),
        **calibration(y_new, p[0], "before"),
        **calibration(y_new, p[1], "after"),
        "chosen": update.chosen,
    }


def calibration(y, p, when):
    """Slope, and mean distance of the risks from those of the best line through the patients."""
    log_odds = logit(p)[:, None]
    line = LogisticRegression(C=np.inf).fit(log_odds, y)
    return {
        f"error of risk {when}": np.abs(p - line.predict_proba(log_odds)[:, 1]).mean(),
        f"observed / expected {when}": y.mean() / p.mean(),
        f"slope {when}": line.coef_[0, 0],
    }


def main():
    pd.set_option("display.width", 250, "display.max_columns", 30)
    for part in (nhanes, sites, films):
        if part.__name__ in sys.argv[1:] or not sys.argv[1:]:
            table = part().round(3)
            print((table if part is nhanes else table.T).to_string(), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
