"""Whole recipes: functions that return a configured image model or clinical baseline.

The clinical ones are pipelines from a hospital's table to a probability and fit the clinical place
of a fusion. Only `paper_clinical_classifier` weighs its classes, as the paper does; that makes its
probabilities those of a cohort with as many patients as healthy. All others leave them as they
are: their probabilities are meant as they stand, and where few are ill, `predict` seldom says so.
Then choose another threshold (scikit-learn's ``TunedThresholdClassifierCV``), or give
``class_weight="balanced"``, and for XGBoost ``scale_pos_weight``.
"""

from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo.clinical import ClinicalPreprocessor
from skosteo.clinical.classifier import ClinicalOsteoClassifier
from skosteo.image.classifier import ImageOsteoClassifier


def paper_image_classifier(**changes: Any) -> ImageOsteoClassifier:
    """Return the image model as the paper trains it: a GPU's work.

    ResNet50 with ImageNet weights, both branches and equation 1; Adam at 1e-5, falling by 1 % an
    epoch to a tenth; batches of 32, dropout of .25, class weights, the paper's augmentation; early
    stopping on a fifth of the films, with the weights of the best epoch.

    Parameters
    ----------
    **changes
        Parameters of `ImageOsteoClassifier` that are to be others.

    Returns
    -------
    ImageOsteoClassifier

    Notes
    -----
    Where the paper is silent this is the recipe of Schilcher et al., whose head, clinical net and
    fusions it names: stem and first stage frozen, a patience of 100 epochs.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Schilcher J et al. Comput Biol Med 2024. doi:10.1016/j.compbiomed.2023.107704

    Examples
    --------
    >>> from skosteo.presets import paper_image_classifier
    >>> model = paper_image_classifier(device="cuda", random_state=0)
    >>> model.augmentation, model.freeze_backbone, model.lr
    ('paper', 'stem', 1e-05)
    """
    recipe: dict[str, Any] = {
        "backbone": "resnet50",
        "pretrained": True,
        "wavelet": True,
        "soft_attention": True,
        "gradient_fusion": "running",
        "hidden_layer_sizes": (1024, 512, 256),
        "dropout": 0.25,
        "freeze_backbone": "stem",
        "augmentation": "paper",
        "lr": 1e-5,
        "batch_size": 32,
        "max_epochs": 1000,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 100,
        "class_weight": "balanced",
    }
    return ImageOsteoClassifier(**recipe | changes)


def quick_image_classifier(**changes: Any) -> ImageOsteoClassifier:
    """Return an image model for a workstation without GPU and without internet: minutes of work.

    EfficientNet-Lite0, whose ImageNet weights come from an installed package, frozen, and a small
    head. Give `cache_dir`: each film then passes the backbone once for all folds and candidates.

    Parameters
    ----------
    **changes
        Parameters of `ImageOsteoClassifier` that are to be others.

    Returns
    -------
    ImageOsteoClassifier

    Examples
    --------
    >>> from skosteo.presets import quick_image_classifier
    >>> model = quick_image_classifier(cache_dir="cache", random_state=0)
    >>> model.backbone, model.freeze_backbone
    ('efficientnet_lite0', True)
    """
    recipe: dict[str, Any] = {
        "backbone": "efficientnet_lite0",
        "pretrained": True,
        "wavelet": False,
        "soft_attention": False,
        "hidden_layer_sizes": (64,),
        "freeze_backbone": True,
        "augmentation": None,
        "lr": 1e-3,
        "max_epochs": 30,
        "n_iter_no_change": 10,
    }
    return ImageOsteoClassifier(**recipe | changes)


def paper_clinical_classifier(**changes: Any) -> Pipeline:
    """Return the clinical model of the paper, from the table on: a net of one hidden layer.

    50 neurons, dropout of .25, Adam at 1e-3, batches of 32, class weights; early stopping on a
    fifth of the rows, with the weights of the best epoch.

    Parameters
    ----------
    **changes
        Parameters of `ClinicalOsteoClassifier` that are to be others.

    Returns
    -------
    Pipeline
        `ClinicalPreprocessor`, then `ClinicalOsteoClassifier`.

    Notes
    -----
    The patience of 100 epochs is that of Schilcher et al., whose net the paper uses; 1,000 epochs
    are seldom reached.

    References
    ----------
    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738

    Schilcher J et al. Comput Biol Med 2024. doi:10.1016/j.compbiomed.2023.107704

    Examples
    --------
    >>> from skosteo.presets import paper_clinical_classifier
    >>> model = paper_clinical_classifier(random_state=0)
    >>> model[-1].hidden_layer_sizes, model[-1].class_weight
    ((50,), 'balanced')
    """
    recipe: dict[str, Any] = {
        "hidden_layer_sizes": (50,),
        "dropout": 0.25,
        "lr": 1e-3,
        "batch_size": 32,
        "max_epochs": 1000,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 100,
        "class_weight": "balanced",
    }
    return make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(**recipe | changes))


def age_sex_bmi_classifier(**changes: Any) -> Pipeline:
    """Return logistic regression on age, sex and body mass index: the bar to clear.

    A chest film shows age and sex, so an image model that does not beat this one has shown nothing
    of bone.

    Parameters
    ----------
    **changes
        Parameters of scikit-learn's ``LogisticRegression`` that are to be others.

    Returns
    -------
    Pipeline
        `ClinicalPreprocessor` of the three columns, ``StandardScaler``, ``LogisticRegression``.
        Other columns of X are not looked at.

    Examples
    --------
    >>> from skosteo.presets import age_sex_bmi_classifier
    >>> age_sex_bmi_classifier()[0].columns
    ['age', 'sex', 'bmi']
    """
    return make_pipeline(
        ClinicalPreprocessor(columns=["age", "sex", "bmi"]),
        StandardScaler(),
        LogisticRegression(**{"max_iter": 1000} | changes),
    )


def logistic_classifier(**changes: Any) -> Pipeline:
    """Return logistic regression on all clinical columns.

    Parameters
    ----------
    **changes
        Parameters of scikit-learn's ``LogisticRegression`` that are to be others.

    Returns
    -------
    Pipeline
        `ClinicalPreprocessor`, ``StandardScaler``, ``LogisticRegression``.

    Examples
    --------
    >>> from skosteo.presets import logistic_classifier
    >>> logistic_classifier(class_weight="balanced")[-1]
    LogisticRegression(class_weight='balanced', max_iter=1000)
    """
    return make_pipeline(
        ClinicalPreprocessor(),
        StandardScaler(),
        LogisticRegression(**{"max_iter": 1000} | changes),
    )


def random_forest_classifier(**changes: Any) -> Pipeline:
    """Return a random forest on all clinical columns, for probabilities rather than votes.

    500 trees whose leaves hold at least 20 rows: with scikit-learn's leaves of one row a forest
    tells many patients that their risk is exactly 0.

    Parameters
    ----------
    **changes
        Parameters of scikit-learn's ``RandomForestClassifier`` that are to be others.

    Returns
    -------
    Pipeline
        `ClinicalPreprocessor`, ``RandomForestClassifier``.

    Examples
    --------
    >>> from skosteo.presets import random_forest_classifier
    >>> random_forest_classifier(n_jobs=2, random_state=0)[-1].min_samples_leaf
    20
    """
    recipe: dict[str, Any] = {"n_estimators": 500, "min_samples_leaf": 20}
    return make_pipeline(ClinicalPreprocessor(), RandomForestClassifier(**recipe | changes))


def hist_gradient_boosting_classifier(**changes: Any) -> Pipeline:
    """Return scikit-learn's gradient boosting on all clinical columns, gaps left as they are.

    100 trees of 4 leaves at a learning rate of .05: a clinical cohort is small, and the defaults,
    31 leaves at .1, learn one of 2,000 by heart.

    Parameters
    ----------
    **changes
        Parameters of scikit-learn's ``HistGradientBoostingClassifier`` that are to be others.

    Returns
    -------
    Pipeline
        `ClinicalPreprocessor`, ``HistGradientBoostingClassifier``.

    Examples
    --------
    >>> from skosteo.presets import hist_gradient_boosting_classifier
    >>> hist_gradient_boosting_classifier(random_state=0)[0].imputation
    'keep'
    """
    recipe: dict[str, Any] = {"learning_rate": 0.05, "max_iter": 100, "max_leaf_nodes": 4}
    return make_pipeline(
        ClinicalPreprocessor(imputation="keep"), HistGradientBoostingClassifier(**recipe | changes)
    )


def xgboost_classifier(**changes: Any) -> Pipeline:
    """Return XGBoost on all clinical columns, gaps left as they are.

    100 trees of two levels at a learning rate of .05, on one thread: more are slower on a few
    thousand rows, and get in each other's way in a cross-validation with ``n_jobs``.

    Parameters
    ----------
    **changes
        Parameters of ``xgboost.XGBClassifier`` that are to be others.

    Returns
    -------
    Pipeline
        `ClinicalPreprocessor`, ``XGBClassifier``.

    Raises
    ------
    ImportError
        xgboost is not installed.

    Examples
    --------
    >>> from skosteo.presets import xgboost_classifier
    >>> xgboost_classifier(random_state=0)[-1].max_depth
    2
    """
    try:
        from xgboost import XGBClassifier
    except ImportError:
        raise ImportError(
            "xgboost_classifier needs xgboost, which is not installed. Run "
            "`pip install 'skosteo[xgboost]'`, or use hist_gradient_boosting_classifier."
        ) from None
    recipe: dict[str, Any] = {
        "n_estimators": 100,
        "learning_rate": 0.05,
        "max_depth": 2,
        "n_jobs": 1,
    }
    return make_pipeline(ClinicalPreprocessor(imputation="keep"), XGBClassifier(**recipe | changes))
