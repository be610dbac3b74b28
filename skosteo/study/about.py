"""What a study says of itself: its limits, its recipe, and where it departs from the paper."""

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from skosteo.clinical.variables import recognise
from skosteo.study.models import CLINICAL, FUSIONS, TITLES

PAPER = "Tang et al., JMIR Med Inform 2025;13:e70738, doi:10.2196/70738"

_LIBRARIES = ("skosteo", "scikit-learn", "torch", "skorch", "timm", "numpy", "pandas", "scipy")


@dataclass(frozen=True)
class About:
    """What was asked for, in words and numbers.

    Attributes
    ----------
    title, outcome : str
        Heading of the report, and the name of what is predicted.
    limits : tuple of str
        What a reader must know first, in the words of whoever ran the study.
    preset : str
        "quick" or "paper".
    seed, n_folds : int
        Seed of every draw, and folds.
    drawn_test : bool
        Whether the test part was drawn from the same rows.
    image_column : str or None
        Column of the films.
    clinical_columns : tuple of str
        Columns of the clinical models.
    prevalence : float or None
        For which predictive values are stated too.
    published : bool
        Whether the paper's figures stand beside.
    """

    title: str
    outcome: str
    limits: tuple[str, ...]
    preset: str
    seed: int
    n_folds: int
    drawn_test: bool
    image_column: str | None
    clinical_columns: tuple[str, ...]
    prevalence: float | None
    published: bool


def versions() -> dict[str, str]:
    """Return the versions that decide the result."""
    found = {name: version(name) for name in _LIBRARIES}
    return {"Python": platform.python_version()} | found


def departures(about: About, names: Iterable[str]) -> list[str]:
    """Return where a study of these models departs from the paper.

    Parameters
    ----------
    about : About
        Its preset matters.
    names : iterable of str
        Models of the study.

    Returns
    -------
    list of str
    """
    chosen = set(names)
    said = [
        "The paper keeps one fixed test fold and rotates five others between training and "
        "validation; so does this study. Here no model sees a fold's validation rows: early "
        "stopping uses a part of the training rows, so that the validation rows give honest "
        "scores and thresholds.",
        "Probabilities of the test part are the mean of those of the models of all folds; the "
        "paper does not say how it joins them. Every rate comes from counts; the paper's do not "
        "fit its 300 test patients.",
    ]
    if not about.drawn_test:
        said.append("The test part was named by whoever ran the study, and not drawn.")
    if chosen & (set(TITLES) - set(CLINICAL)):
        said += _of_films(about.preset)
    known = [recognise(column) for column in about.clinical_columns]
    text = any(column and column.variable.name.startswith("xray") for column in known)
    if text and ("clinical" in chosen or chosen & set(FUSIONS)):
        said.append(
            "Report text is encoded as components of character n-grams, without terms that name "
            "the diagnosis or its drugs; the paper does not say how it encodes its text, which may "
            "have named them."
        )
    if "multimodal" in chosen:
        said.append(
            "The fusion learns from out-of-fold probabilities; the paper's learns from what its "
            "branches say of their own training patients."
        )
    if chosen & {"feature_fusion", "learned_fusion"}:
        said.append("Feature fusions have the neurons of Schilcher et al.; the paper gives none.")
    if "attention_fusion" in chosen:
        said.append("Cross-attention between film and values is the paper's future work.")
    said.append(
        "AUC is compared by DeLong's test, rates by McNemar's, both paired; the paper names a test "
        "for its Table 4 only."
    )
    return said


def _of_films(preset: str) -> list[str]:
    if preset == "quick":
        return [
            "The image model is the small one for a workstation: EfficientNet-Lite0 with frozen "
            "ImageNet weights and a head of 64 neurons instead of a trained ResNet50 with 1024, "
            "512 and 256, at a learning rate of 1e-3, for 30 epochs at most, with a patience of "
            "10. It has neither wavelet branch nor soft attention, which are for the paper's Table "
            "3 only; films are augmented in 'With augmentation' only. Batches hold 16 rows; the "
            "clinical net has a patience of 20 epochs, 200 at most."
        ]
    return [
        "Equation 1 needs a label, which a prediction has not: its weights are measured in "
        "training, remembered as a running mean, and kept between .1 and .9.",
        "The clinical net and the fusion learn at a rate of 1e-3: at the image model's 1e-5 so "
        "small a net hardly moves.",
        "Rotation by 90 degrees is read as uniform within 90 degrees each way; stem and first "
        "stage of the backbone are frozen, as Schilcher et al. do.",
        "A conventional CNN is four blocks of convolution, batch norm, ReLU and pooling.",
    ]
