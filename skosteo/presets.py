"""Whole recipes for the image model: functions that return a configured estimator."""

from typing import Any

from skosteo.image_classifier import ImageOsteoClassifier


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
