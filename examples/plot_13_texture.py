"""
Is it the network, or just texture?
===================================

Before a deep network is believed, it has to beat what has been known for decades: Gabor filters,
local binary patterns, co-occurrence of grey levels, wavelets. `RadiographTexture` puts them into
columns with names, for any learner.

On **synthetic** patients, whose films show the bone in their texture.
"""

# %%
# Named numbers
# -------------

import tempfile

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skosteo import RadiographTexture
from skosteo.datasets import make_cohort
from skosteo.evaluation import delong_test, evaluate
from skosteo.presets import quick_image_classifier, texture_classifier

cohort = make_cohort(160, image_signal=0.8, random_state=8)
X, y, patient = cohort.data, cohort.target, cohort.groups
work = tempfile.TemporaryDirectory()
texture = RadiographTexture(image_size=160, cache_dir=work.name).set_output(transform="pandas")
columns = texture.fit_transform(X)
print(f"{columns.shape[1]} features of each film, such as")
print(columns.iloc[:3, [0, 12, 30, 45]].round(3).to_string())

# %%
# Which of them go with the disease?
# ----------------------------------
# Rank correlations with the outcome: a look at the data, not a test.

strength = columns.corrwith(pd.Series(y, columns.index), method="spearman")
top = strength.reindex(strength.abs().sort_values().index[-10:])
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.barh(top.index, top, color="#1b3a5c")
axes.axvline(0, color="gray", lw=1)
axes.set_xlabel("Spearman correlation with osteoporosis")
axes.set_title("SYNTHETIC films", fontsize=9)

# %%
# Texture against the network, in the same folds
# ----------------------------------------------

folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, patient))
models = {
    "texture": texture_classifier(image_size=160, cache_dir=work.name),
    "network": quick_image_classifier(image_size=160, cache_dir=work.name, random_state=0),
}
risk = {
    name: cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
    for name, model in models.items()
}
print(evaluate(y, risk, groups=patient))
gain = delong_test(y, risk["network"], risk["texture"], groups=patient)
print(f"network less texture: {gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")
plt.show()
work.cleanup()
