"""Fitted models of all kinds, and the tables they were fitted on."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo import (
    FoldEnsembleClassifier,
    FusionOsteoRegressor,
    ImageOsteoRegressor,
    RecalibratedClassifier,
    RiskIndexClassifier,
)
from skosteo.presets import clinical_baseline, paper_clinical_classifier, texture_classifier
from tests.small_models import (
    lacking,
    small_clinical,
    small_clinical_regressor,
    small_embedder,
    small_feature_fusion,
    small_fusion,
    small_image,
    still_fusion,
    still_image,
    still_pf,
    write_films,
)


def unfitted(folder):
    """Models by name, each with what it is fitted on, and the labels."""
    X, y, _ = write_films(folder)
    image, still = small_image(max_epochs=1), still_image(max_epochs=1)
    net = small_clinical(
        n_members=1
    )  # the ensemble of ten is "clinical", "imputed" and in a fusion
    rng = np.random.default_rng(0)
    table = X[["age", "bmi"]]
    cohort = table.assign(
        sex=np.resize(["F", "M", "F"], 48),
        ward=np.resize(["east", "west", None], 48),
        xray_description=np.resize(
            ["heart enlarged", "lungs clear", "aorta tortuous, no cava"], 48
        ),
    )
    indexed = pd.DataFrame({"age": table["age"], "weight_kg": 2.5 * table["bmi"]})
    films = rng.integers(0, 255, (48, 24, 24)).astype(np.uint8)
    forest = clinical_baseline("random_forest", n_estimators=5, random_state=0)
    stacked = [("net", net), ("forest", forest)]
    strategies = ("concat", "learned", "attention")
    final = {"logistic": lacking(X, [0, 1, 2, 3], [4, 5, 6, 7]), "mean": X, None: X}
    models = {
        "image": (image, X[["image"]]),
        "image of paths": (image, X["image"].to_numpy()),
        "image of arrays": (image, films),
        "image of channels": (image, rng.random((48, 3, 24, 24))),
        "frozen image": (still, X[["image"]]),
        "texture": (texture_classifier(image_size=24), X[["image"]]),
        "embedded image": (make_pipeline(small_embedder(n_components=3), forest), X[["image"]]),
        "embedded image beside a table": (
            make_pipeline(
                make_column_transformer(
                    (small_embedder(), ["image"]), ("passthrough", ["age", "bmi"])
                ),
                forest,
            ),
            X,
        ),
        "embedded arrays": (make_pipeline(small_embedder(), LogisticRegression()), films),
        "clinical": (small_clinical(), table),
        "clinical of arrays": (small_clinical(), table.to_numpy()),
        "imputed": (make_pipeline(SimpleImputer(), StandardScaler(), small_clinical()), table),
        "paper's clinical": (paper_clinical_classifier(max_epochs=3, random_state=0), cohort),
        "random forest": (forest, cohort),
        **{
            name: (clinical_baseline(name, random_state=0), cohort)
            for name in ("logistic", "hist_gradient_boosting", "xgboost")
        },
        "index": (RiskIndexClassifier("osta"), indexed),
        "sigmoid": (CalibratedClassifierCV(net, cv=2), table),
        "isotonic": (CalibratedClassifierCV(net, cv=2, method="isotonic"), table),
        "stacking": (StackingClassifier(stacked, cv=2), table),
        "voting": (VotingClassifier([("net", net)], voting="soft"), table),
        "tuned threshold": (TunedThresholdClassifierCV(net, cv=2, thresholds=20), table),
        "fixed threshold": (
            FixedThresholdClassifier(FrozenEstimator(clone(net).fit(table, y)), threshold=0.2),
            table,
        ),
        "fold ensemble": (FoldEnsembleClassifier(still_pf(), cv=2), X),
        "recalibrated": (RecalibratedClassifier(net, cv=2), table),
        "recalibrated by a curve": (RecalibratedClassifier(net, "isotonic", 2), table),
        "recalibrated fusion": (RecalibratedClassifier(still_pf(), "intercept", 2), X),
        **{
            f"fusion by {kind or 'net'}": (
                small_fusion(
                    image=still, clinical=net if kind else small_clinical(), final_estimator=kind
                ),
                seen,
            )
            for kind, seen in final.items()
        },
        **{
            f"feature fusion by {name}": (
                small_feature_fusion(image=image, max_epochs=1, strategy=name),
                X,
            )
            for name in strategies
        },
        "frozen feature fusion": (still_fusion(image=still, max_epochs=1, strategy="attention"), X),
    }
    return {name: (clone(model), seen) for name, (model, seen) in models.items()}, y


def unfitted_regressors(folder):
    """Regressors by name, each with what it is fitted on, and the densities of two sites."""
    X, y, _ = write_films(folder)
    table = X[["age", "bmi"]]
    density = pd.DataFrame({"neck": y + X["age"] / 100, "spine": y - X["bmi"] / 100})
    density.iloc[::5, 1] = np.nan
    imputed = make_pipeline(SimpleImputer(), small_clinical_regressor(n_members=2))
    image = small_image(ImageOsteoRegressor, max_epochs=1)
    models = {
        "image": (image, X[["image"]]),
        "image of paths": (image, X["image"].to_numpy()),
        "clinical": (small_clinical_regressor(), table),
        "imputed": (imputed, table),
        "fusion": (FusionOsteoRegressor(image, imputed, cv=2, random_state=0), X),
    }
    return {name: (clone(model), seen) for name, (model, seen) in models.items()}, density
