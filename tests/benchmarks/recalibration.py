"""What recalibration brings on people with measured density, and updates at planted sites.

SKOSTEO_DATA=... python -m tests.benchmarks.recalibration

First, models trained on one cycle of NHANES and tested on the other, as they are and recalibrated
on out-of-fold probabilities: mean risk beside the observed proportion, slope, AUC, net benefit at a
risk of 10 %. Then a logistic regression and planted sites, 200 runs each: whether
`update_model` with 200 local patients restores calibration, and a sensitivity of .90 (within .03)
at the threshold that was chosen for it at development; and whether a threshold chosen anew on the
same patients does. 3 minutes on one core.
"""

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from skosteo import RecalibratedClassifier, how_many_local_patients, presets, update_model
from skosteo.datasets import fetch_nhanes
from skosteo.evaluation import calibration_line, net_benefit, operating_point

RUNS, LOCAL, TEST = 200, 200, 20_000


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
        frame = pd.DataFrame(found)
        near = frame[["before", "after", "chosen anew"]].sub(0.9).abs() <= 0.03
        needed = how_many_local_patients(model.predict_proba(new), prevalence=y_new.mean())
        rows.append(
            {
                "site": name,
                "cases, %": 100 * y_new.mean(),
                "sensitivity before": frame["before"].mean(),
                "after": frame["after"].mean(),
                "within .03 before, %": 100 * near["before"].mean(),
                "within .03 after, %": 100 * near["after"].mean(),
                "threshold anew, %": 100 * near["chosen anew"].mean(),
                "error of risk before": frame["error before"].mean(),
                "error of risk after": frame["error after"].mean(),
                **{f"{k}, %": 100 * (frame["chosen"] == k).mean() for k in KINDS},
                "patients needed": max(needed.intercept, needed.slope),
            }
        )
    return pd.DataFrame(rows)


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
        "error before": calibration_error(y_new, p[0]),
        "error after": calibration_error(y_new, p[1]),
        "chosen": update.chosen,
    }


def calibration_error(y, p):
    """Mean distance of the risks from those of the best line through the site's patients."""
    log_odds = logit(p)[:, None]
    best = LogisticRegression(C=np.inf).fit(log_odds, y).predict_proba(log_odds)[:, 1]
    return np.abs(p - best).mean()


def main():
    pd.set_option("display.width", 250, "display.max_columns", 30)
    print(nhanes().round(3).to_string(index=False), flush=True)
    print()
    print(sites().round(3).T.to_string(), flush=True)


if __name__ == "__main__":
    main()
