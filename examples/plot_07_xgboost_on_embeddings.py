"""
XGBoost on what a network sees
==============================

What a frozen ImageNet network makes of a film is a row of numbers. `RadiographEmbedder` puts it
into columns, so that the learners you know, XGBoost or a logistic regression, take films and
clinical values side by side, in pipelines and searches like any other.

On **synthetic** patients.
"""

# %%
# Films become columns, beside the clinical ones
# ----------------------------------------------
# The network has learned nothing from these patients, so no fold sees another. With ``cache_dir``
# each film passes it once for each way of pooling, whatever the folds and other candidates.

import tempfile

import matplotlib.pyplot as plt
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from skosteo import ClinicalPreprocessor, RadiographEmbedder
from skosteo.datasets import make_cohort
from skosteo.evaluation import evaluate

cohort = make_cohort(120, image_signal=0.7, clinical_signal=0.6, random_state=3)
X, y, patient = cohort.data, cohort.target, cohort.groups
clinical = list(X.columns.drop("image"))
work = tempfile.TemporaryDirectory()
embedder = RadiographEmbedder("efficientnet_lite0", image_size=160, cache_dir=work.name)
films = make_pipeline(embedder, StandardScaler(), PCA(20, random_state=0))
both = make_column_transformer((films, ["image"]), (ClinicalPreprocessor(), clinical))
trees = XGBClassifier(n_estimators=100, max_depth=2, learning_rate=0.1, random_state=0)
models = {
    "logistic regression, film": make_pipeline(films, LogisticRegression(C=0.01)),
    "XGBoost, film": make_pipeline(films, trees),
    "XGBoost, film and table": make_pipeline(both, trees),
    "logistic regression, film and table": make_pipeline(
        both, StandardScaler(), LogisticRegression(C=0.1)
    ),
}
folds = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, patient))
risk = {
    name: cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
    for name, model in models.items()
}
report = evaluate(y, risk, groups=patient)
print(report)
axes = report.plot()
axes.set_title("SYNTHETIC patients, out-of-fold predictions", fontsize=9)

# %%
# Search over network and learner at once
# ---------------------------------------

model = make_pipeline(both, StandardScaler(), LogisticRegression())
grid = {
    "columntransformer__pipeline__radiographembedder__pooling": ["max", "mean"],
    "logisticregression__C": [0.01, 0.1],
}
search = GridSearchCV(model, grid, cv=folds, scoring="roc_auc").fit(X, y)
print(f"best of {len(search.cv_results_['params'])}: AUC {search.best_score_:.3f} (the best of a")
print("search flatters itself: judge it by an outer cross-validation)")
for name, value in search.best_params_.items():
    print(f"  {name}: {value}")
plt.show()
work.cleanup()
