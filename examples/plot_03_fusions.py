"""
Five ways to fuse a film with clinical values
=============================================

Film and clinical values each know something of the bone. They can be joined by their probabilities
(the paper's way), or earlier, by the features of the film; and a patient may lack one of the two.

On **synthetic** patients, in whom film and table know equally much and independently: what is best
is known.
"""

# %%
# Patients
# --------
# Half of them to learn from, half to be judged on.

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.pipeline import make_pipeline

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalPreprocessor,
    FeatureFusionClassifier,
    ProbabilityFusionClassifier,
    RadiographReader,
    RiskIndexClassifier,
)
from skosteo.datasets import make_cohort
from skosteo.datasets.cohort import best_auc, fused_signal
from skosteo.evaluation import delong_test, evaluate
from skosteo.exceptions import MissingModalityWarning
from skosteo.presets import quick_image_classifier

parser = argparse.ArgumentParser()
parser.add_argument("--report", type=Path, default=Path("report"), help="folder for the results")
args, _ = parser.parse_known_args()
args.report.mkdir(parents=True, exist_ok=True)
started = time.perf_counter()
work = tempfile.TemporaryDirectory()

N, SIGNAL, SIZE = 160, 0.7, 160
print(f"Drawing {2 * N} synthetic patients and their films ...")
cohort = make_cohort(2 * N, image_signal=SIGNAL, clinical_signal=SIGNAL, random_state=0)
X, y, patient = cohort.data[:N], cohort.target[:N], cohort.groups[:N]
X_new, y_new = cohort.data[N:], cohort.target[N:]

# %%
# Fusion of probabilities
# -----------------------
# ``memory`` keeps the fitted branches: three fusions of the same two fit them once.

image = quick_image_classifier(image_size=SIZE, cache_dir=Path(work.name, "films"), random_state=0)
clinical = make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(random_state=0))
models = {
    name: ProbabilityFusionClassifier(
        image, clinical, final_estimator=final, memory=Path(work.name, "branches"), random_state=0
    )
    for name, final in {
        "PF, net": None,
        "PF, logistic": "logistic",
        "PF, mean of logits": "mean",
    }.items()
}

# %%
# Fusion of features
# ------------------
# One net sees film and table together, behind the same image branch.

for name, strategy in {"FF": "concat", "LFF": "learned", "attention": "attention"}.items():
    models[name] = FeatureFusionClassifier(
        image, strategy=strategy, max_epochs=60, n_iter_no_change=10, random_state=0
    )

probability = pd.DataFrame(index=X_new.index)
for name, model in models.items():
    start = time.perf_counter()
    model.fit(X, y, groups=patient)
    print(f"{name} took {time.perf_counter() - start:.1f} s")
    probability[name] = model.predict_proba(X_new)[:, 1]
branches = models["PF, net"].branch_probabilities(X_new)
probability.insert(0, "image alone", branches[:, 0])
probability.insert(1, "clinical alone", branches[:, 1])

title = f"SYNTHETIC patients, {N} to learn from and {N} to be judged on"
report = evaluate(y_new, probability)
print(f"\n{title}\n\n{report}")
print(
    f"At best: {best_auc(SIGNAL):.3f} for either branch, "
    f"{best_auc(fused_signal(SIGNAL, SIGNAL)):.3f} for both.\n"
)
for name in ("PF, net", "attention"):
    gain = delong_test(y_new, probability[name], probability["image alone"])
    print(
        f"{name} over the image alone: {gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
        f", p {'< .001' if gain.pvalue < 0.001 else f'= {gain.pvalue:.3f}'}"
    )
report.frame().to_csv(args.report / "fusions.csv", index=False)
some = ["image alone", "clinical alone", "PF, net", "LFF", "attention"]
axes = evaluate(y_new, probability[some]).plot()
axes.set_title(title, fontsize=8)
axes.figure.savefig(args.report / "fusions_roc.png", dpi=150)

# %%
# A patient without a film, a patient without a table
# ---------------------------------------------------
# Both kinds of fusion answer from what is there, and say so.

one_each = X_new[:3].copy()
one_each["image"] = one_each["image"].mask(one_each.index == one_each.index[1], None)
one_each.loc[one_each.index[2], X.columns.drop("image")] = None
for name in ("PF, net", "attention"):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", MissingModalityWarning)
        answer = models[name].predict_proba(one_each)[:, 1]
    shown = models[name].branches_used(one_each).assign(probability=answer.round(3))
    print(f"\n{name}: {said[0].message}\n{shown.to_string(index=False)}")

# %%
# More than two branches
# ----------------------
# Any classifier can be one, a published index among them.

with_index = ProbabilityFusionClassifier(
    image,
    clinical,
    clinical_columns=X.columns.drop("image").tolist(),
    other_branches=[("osta", RiskIndexClassifier("osta"), ["age", "weight_kg"])],
    final_estimator="logistic",
    random_state=0,
)
known = X["weight_kg"].notna()  # an index knows no gaps
with_index.fit(X[known], y[known], groups=patient[known])
weights = pd.Series(with_index.final_estimator_[-1].coef_[0], list(with_index.branches_))
print(f"\nWeights of the log odds of three branches:\n{weights.round(2).to_string()}")

# %%
# Where the attention lies
# ------------------------
# What the clinical variables look at on the film, and what the film looks at among the variables.
# Attention says where a net looked, not that it decided by it.

attention = models["attention"].attention(X_new)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
film = RadiographReader(SIZE).transform(X_new["image"][:1])[0]
left.imshow(film, cmap="gray")
heat = left.imshow(
    attention.image[0],
    cmap="viridis",
    alpha=0.35,
    interpolation="bilinear",
    extent=(-0.5, SIZE - 0.5, SIZE - 0.5, -0.5),
)
left.set_title("One film: where the variables look", fontsize=9)
left.axis("off")
figure.colorbar(heat, ax=left, label="attention weight")
mean = attention.clinical.mean().sort_values()
right.barh(mean.index, mean)
right.axvline(1 / len(mean), color="gray", linestyle="--")
right.set_title("All patients: which variables the film looks at", fontsize=9)
right.set_xlabel("mean attention weight (dashed: all alike)")
figure.suptitle(title, fontsize=8)
figure.savefig(args.report / "fusions_attention.png", dpi=150)

print(f"\n{args.report}/ holds fusions.csv, fusions_roc.png and fusions_attention.png")
print(f"Done in {time.perf_counter() - started:.0f} s")
work.cleanup()
