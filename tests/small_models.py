"""Small estimators and tables that several tests share."""

import numpy as np
import pandas as pd

from skosteo import (
    ClinicalOsteoClassifier,
    ClinicalOsteoRegressor,
    FeatureFusionClassifier,
    ImageOsteoClassifier,
    ProbabilityFusionClassifier,
    RadiographEmbedder,
)


def small_image(kind=ImageOsteoClassifier, **changes):
    params = {
        "backbone": "cnn",
        "pretrained": False,
        "image_size": 24,
        "hidden_layer_sizes": (16,),
        "augmentation": None,
        "lr": 1e-3,
        "batch_size": 8,
        "max_epochs": 3,
        "random_state": 0,
    }
    return kind(**params | changes)


def small_embedder(**changes):
    params = {"backbone": "cnn", "pretrained": False, "image_size": 24, "random_state": 0}
    return RadiographEmbedder(**params | changes)


def small_clinical(**changes):
    params = {"batch_size": 8, "max_epochs": 5, "lr": 1e-2, "random_state": 0}
    return ClinicalOsteoClassifier(**params | changes)


def small_clinical_regressor(**changes):
    params = {"batch_size": 8, "max_epochs": 5, "lr": 1e-2, "random_state": 0}
    return ClinicalOsteoRegressor(**params | changes)


def small_fusion(**changes):
    params = {
        "image": small_image(),
        "clinical": small_clinical(),
        "final_estimator": small_clinical(hidden_layer_sizes=(32,)),
        "cv": 2,
        "random_state": 0,
    }
    return ProbabilityFusionClassifier(**params | changes)


def small_feature_fusion(**changes):
    params = {
        "image": small_image(),
        "batch_size": 8,
        "max_epochs": 3,
        "lr": 1e-3,
        "random_state": 0,
    }
    return FeatureFusionClassifier(**params | changes)


def still_image(**changes):
    """Nothing but the head can learn: no fit of the image branch, no pass through the backbone."""
    return small_image(
        **{"freeze_backbone": True, "wavelet": False, "soft_attention": False} | changes
    )


def still_fusion(**changes):
    return small_feature_fusion(**{"image": still_image()} | changes)


def still_pf(**changes):
    """A fusion of probabilities with few and small nets, where the fusion is not the point."""
    params = {"clinical": small_clinical(n_members=1), "final_estimator": "logistic"}
    return small_fusion(**{"image": still_image()} | params | changes)


def write_film(path, seed, shape=(80, 64), form="PNG"):
    """Write a film of noise that is like no other seed's."""
    from PIL import Image

    film = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(film).save(path, form)
    return str(path)


def write_films(folder, n=48, seed=0):
    """PNG files, brighter in the upper half where y is 1, and a table that refers to them."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    y = np.resize([0, 1], n)
    films = rng.integers(0, 120, (n, 80, 64)).astype(np.uint8)
    films[y == 1, :40] += 90
    paths = [str(folder / f"film_{i}.png") for i in range(n)]
    for path, film in zip(paths, films, strict=True):
        Image.fromarray(film).save(path)
    table = pd.DataFrame(
        {"age": rng.normal(65 + 6 * y, 8), "bmi": rng.normal(25 - y, 3), "image": paths}
    )
    return table, y, np.arange(n) // 2


def lacking(X, film=(), table=()):
    """The rows of `write_films`, some without a film and some without clinical values."""
    X = X.copy()
    X.loc[X.index[list(film)], "image"] = None
    X.loc[X.index[list(table)], ["age", "bmi"]] = np.nan
    return X
