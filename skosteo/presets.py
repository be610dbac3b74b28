"""Whole recipes: functions that return a configured image or clinical model, or an ensemble.

The clinical ones are pipelines from a hospital's table to a probability and fit the clinical place
of a fusion. The two of the paper weigh their classes alike, as the paper does, which makes their
probabilities those of a cohort with as many cases as controls. The baselines leave them as they
are: their probabilities are meant as they stand, and where cases are few, `predict` seldom names
one. Then choose another threshold (scikit-learn's ``TunedThresholdClassifierCV``), or give
``class_weight="balanced"``, and for XGBoost ``scale_pos_weight``.
"""

from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from joblib import Memory
from sklearn import config_context
from sklearn.base import ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skosteo._extras import is_installed, require
from skosteo._validation import guess
from skosteo.clinical import ClinicalPreprocessor
from skosteo.exceptions import InputError

if TYPE_CHECKING:
    from skosteo.image.classifier import ImageOsteoClassifier


def paper_image_classifier(**changes: Any) -> "ImageOsteoClassifier":
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
        Not fitted yet.

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
    require("nets", "paper_image_classifier")
    from skosteo.image.classifier import ImageOsteoClassifier

    return ImageOsteoClassifier(**recipe | changes)


def quick_image_classifier(**changes: Any) -> "ImageOsteoClassifier":
    """Return an image model for a workstation without GPU and without internet: minutes of work.

    EfficientNet-Lite0, whose ImageNet weights come from an installed package, frozen, and a head of
    64 neurons, at a learning rate of 1e-3 for at most 30 epochs, with a patience of 10. It has
    neither branch, and so no ``attention_map``, and no augmentation. Give `cache_dir`: each film
    then passes the backbone once for all folds and candidates.

    Parameters
    ----------
    **changes
        Parameters of `ImageOsteoClassifier` that are to be others.

    Returns
    -------
    ImageOsteoClassifier
        Not fitted yet.

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
    require("nets", "quick_image_classifier")
    from skosteo.image.classifier import ImageOsteoClassifier

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
        "n_members": 1,
        "lr": 1e-3,
        "batch_size": 32,
        "max_epochs": 1000,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_iter_no_change": 100,
        "class_weight": "balanced",
    }
    require("nets", "paper_clinical_classifier")
    from skosteo.clinical.classifier import ClinicalOsteoClassifier

    return make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(**recipe | changes))


def texture_classifier(**changes: Any) -> Pipeline:
    """Return logistic regression on the texture of films: what an image model has to beat.

    Some 35 ms a film on a CPU, without internet. Give `cache_dir`: each film is then described once
    for all folds and candidates. Classes are not weighed, so that probabilities are risks.

    Parameters
    ----------
    **changes
        Parameters of `RadiographTexture` that are to be others.

    Returns
    -------
    Pipeline
        `RadiographTexture`, a ``StandardScaler`` and ``LogisticRegression`` with an L2 penalty of
        C = .1, because its 57 columns go together and films are few; ``logisticregression__C`` is
        to be searched where they are many.

    Raises
    ------
    ImportError
        scikit-image or PyWavelets is not installed.

    Examples
    --------
    >>> from skosteo.presets import texture_classifier
    >>> model = texture_classifier(cache_dir="cache", families=["lbp", "glcm"])
    >>> model[0].families, model[-1].C
    (['lbp', 'glcm'], 0.1)
    """
    from skosteo.image.texture import RadiographTexture
    from skosteo.image.texture_features import check_installed

    check_installed()
    return make_pipeline(
        RadiographTexture(**changes), StandardScaler(), LogisticRegression(C=0.1, **_LOGISTIC)
    )


class _Baseline(NamedTuple):
    preprocessor: dict[str, Any]
    scaled: bool
    classifier: type[ClassifierMixin] | None  # None: XGBoost's, imported when asked for
    recipe: dict[str, Any]


_LOGISTIC = {"max_iter": 1000}
_BASELINES = {
    "age_sex_bmi": _Baseline(
        {"columns": ["age", "sex", "bmi"]}, True, LogisticRegression, _LOGISTIC
    ),
    "logistic": _Baseline({}, True, LogisticRegression, _LOGISTIC),
    # with scikit-learn's leaves of one row a forest tells many patients that their risk is 0
    "random_forest": _Baseline(
        {}, False, RandomForestClassifier, {"n_estimators": 500, "min_samples_leaf": 20}
    ),
    # a clinical cohort is small: the defaults, 31 leaves at .1, learn one of 2,000 by heart
    "hist_gradient_boosting": _Baseline(
        {"imputation": "keep"},
        False,
        HistGradientBoostingClassifier,
        {"learning_rate": 0.05, "max_iter": 100, "max_leaf_nodes": 4},
    ),
    # more threads are slower on a few thousand rows, and in each other's way under n_jobs
    "xgboost": _Baseline(
        {"imputation": "keep"},
        False,
        None,
        {"n_estimators": 100, "learning_rate": 0.05, "max_depth": 2, "n_jobs": 1},
    ),
}


def clinical_baseline(name: str, **changes: Any) -> Pipeline:
    """Return one of the clinical baselines, from the table on.

    ======================== ====================================================================
    name                     model
    ======================== ====================================================================
    "age_sex_bmi"            logistic regression on age, sex and body mass index: the bar to
                             clear. A chest film shows age and sex, so an image model that does
                             not beat this one has shown nothing of bone.
    "logistic"               logistic regression on all clinical columns
    "random_forest"          500 trees whose leaves hold 20 rows or more
    "hist_gradient_boosting" scikit-learn's gradient boosting, 100 trees of 4 leaves, learning
                             rate .05; missing values are left as they are
    "xgboost"                XGBoost, 100 trees of two levels, learning rate .05, on one thread;
                             missing values are left as they are
    ======================== ====================================================================

    Parameters
    ----------
    name : str
        One of the names above.
    **changes
        Parameters of the classifier that are to be others, such as ``random_state``.

    Returns
    -------
    Pipeline
        `ClinicalPreprocessor`, a ``StandardScaler`` before logistic regression, the classifier.

    Raises
    ------
    InputError
        There is no baseline of this name.
    ImportError
        "xgboost" is asked for and not installed.

    Examples
    --------
    >>> from skosteo.presets import clinical_baseline
    >>> clinical_baseline("logistic", class_weight="balanced")[-1]
    LogisticRegression(class_weight='balanced', max_iter=1000)
    >>> clinical_baseline("age_sex_bmi")[0].columns
    ['age', 'sex', 'bmi']
    """
    if name not in _BASELINES:
        raise InputError(
            f"There is no baseline {name!r}{guess(name, _BASELINES)} There are "
            f"{', '.join(map(repr, _BASELINES))}."
        )
    baseline = _BASELINES[name]
    classifier = baseline.classifier or _xgboost()
    scaler = [StandardScaler()] if baseline.scaled else []
    return make_pipeline(
        ClinicalPreprocessor(**baseline.preprocessor),
        *scaler,
        classifier(**baseline.recipe | changes),
    )


def clinical_baselines(random_state: int | None = None) -> dict[str, Pipeline]:
    """Return all clinical baselines by name; "xgboost" is among them where it is installed.

    Parameters
    ----------
    random_state : int, default=None
        Seed of all of them.

    Returns
    -------
    dict of str to Pipeline
        See `clinical_baseline`.

    Examples
    --------
    >>> from skosteo.presets import clinical_baselines
    >>> list(clinical_baselines(random_state=0))[:3]
    ['age_sex_bmi', 'logistic', 'random_forest']
    """
    names = [name for name in _BASELINES if name != "xgboost" or is_installed("xgboost")]
    return {name: clinical_baseline(name, random_state=random_state) for name in names}


def ensemble_classifier(
    image: "ImageOsteoClassifier | None" = None,
    *,
    clinical_columns: list[str] | None = None,
    memory: str | PathLike | Memory | None = None,
    **changes: Any,
) -> VotingClassifier:
    """Return a vote of six models of a table with films: the mean of their probabilities.

    =========================== =================================================================
    name                        member
    =========================== =================================================================
    "pf"                        `ProbabilityFusionClassifier`
    "ff", "lff", "attention"    `FeatureFusionClassifier`: "concat", "learned" and "attention"
    "logistic",                 the clinical baselines of these names: see `clinical_baseline`
    "hist_gradient_boosting"
    =========================== =================================================================

    Parameters
    ----------
    image : ImageOsteoClassifier, default=None
        Image model inside the four fusions; None: `quick_image_classifier`. Its ``image_column``,
        ``batch_size``, ``device`` and ``random_state`` are those of the other members too.
    clinical_columns : list of str, default=None
        Clinical columns of all members; None: all but the image column.
    memory : path or joblib.Memory, default=None
        Where the fitted branches of "pf" are kept: see `ProbabilityFusionClassifier`.
    **changes
        Parameters of the image model that are to be others, such as ``cache_dir``, with which each
        film passes a frozen backbone once for all members, and ``random_state``.

    Returns
    -------
    VotingClassifier
        Not fitted. ``set_params(pf__final_estimator="logistic")`` changes a member,
        ``set_params(ff="drop", lff="drop")`` leaves out the two that refuse rows without a film or
        without clinical values: the others then answer such rows.

    Notes
    -----
    The mean is of probabilities, which are risks in all members and stay risks in the mean; a mean
    of log odds would follow the one that is surest. It learns nothing, so that it needs no
    out-of-fold predictions and no patient can leak by them.

    `VotingClassifier` takes ``groups`` and ``sample_weight`` with scikit-learn's metadata routing:
    after ``sklearn.set_config(enable_metadata_routing=True)``, which is needed as soon as patients
    have several films, each member gets both.

    Examples
    --------
    >>> from skosteo.presets import ensemble_classifier
    >>> model = ensemble_classifier(cache_dir="cache", memory="kept", random_state=0)
    >>> list(model.named_estimators)
    ['pf', 'ff', 'lff', 'attention', 'logistic', 'hist_gradient_boosting']
    """
    require("nets", "ensemble_classifier")
    from skosteo.fusion.feature import FeatureFusionClassifier
    from skosteo.fusion.out_of_fold import request_metadata
    from skosteo.fusion.probability import ProbabilityFusionClassifier

    image = (quick_image_classifier() if image is None else clone(image)).set_params(**changes)
    column, seed = image.image_column, image.random_state
    shared: dict[str, Any] = {"clinical_columns": clinical_columns, "random_state": seed}
    net = shared | {"batch_size": image.batch_size, "device": image.device}
    strategies = {"ff": "concat", "lff": "learned", "attention": "attention"}
    members = {
        "pf": ProbabilityFusionClassifier(image, image_column=column, memory=memory, **shared),
        **{
            name: FeatureFusionClassifier(image, strategy=s, **net)
            for name, s in strategies.items()
        },
    }
    for name in ("logistic", "hist_gradient_boosting"):
        members[name] = baseline = clinical_baseline(name, random_state=seed)
        if clinical_columns is None:
            others = ColumnTransformer([("image", "drop", [column])], remainder=baseline[0])
            baseline.steps[0] = ("others", others)
        else:
            baseline[0].set_params(columns=clinical_columns)
    model = VotingClassifier([*members.items()], voting="soft")
    with config_context(enable_metadata_routing=True):
        request_metadata(model, ["sample_weight"])
    return model


def _xgboost() -> type[ClassifierMixin]:
    require("xgboost", "The baseline 'xgboost'", "take 'hist_gradient_boosting'")
    from xgboost import XGBClassifier

    return XGBClassifier
