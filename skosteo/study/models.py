"""Models of a study: those of the paper's Tables 2 to 5, and baselines."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pickle import PicklingError
from typing import Any, NamedTuple

import joblib
import pandas as pd
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline

from skosteo import presets
from skosteo._extras import require
from skosteo._validation import gives_probabilities, guess
from skosteo.clinical.preprocessor import ClinicalPreprocessor
from skosteo.clinical.risk_indices import RiskIndexClassifier
from skosteo.clinical.variables import find_column, is_report_text
from skosteo.evaluation.decision_curve import TREAT_ALL, TREAT_NONE
from skosteo.exceptions import InputError
from skosteo.fusion.probability import ProbabilityFusionClassifier
from skosteo.study.design import Settings

Choice = str | tuple[str, Any]

TITLES = {
    "cnn": "CNN",
    "inception_v3": "Inception v3",
    "vgg16": "VGG16",
    "image": "Image model",
    "clinical": "Clinical parameter model",
    "multimodal": "Multimodal model (PF)",
    "backbone": "Backbone",
    "backbone_wt": "Backbone + WT",
    "backbone_sa": "Backbone + SA",
    "backbone_wt_sa": "Backbone + WT + SA",
    "feature_fusion": "Feature fusion (FF)",
    "learned_fusion": "Learned feature fusion (LFF)",
    "attention_fusion": "Cross-attention fusion",
    "ensemble": "Ensemble",
    "no_augmentation": "Without augmentation",
    "augmentation": "With augmentation",
    "report_text": "Report text alone",
    "without_text": "Clinical without text",
    "age_sex_bmi": "Logistic: age, sex, BMI",
    "osta": "OSTA",
    "logistic": "Logistic: all clinical columns",
    "random_forest": "Random forest",
    "hist_gradient_boosting": "Gradient boosting",
    "xgboost": "XGBoost",
    "texture": "Texture (logistic)",
}
TABLES = {
    2: ("cnn", "inception_v3", "vgg16", "image", "clinical", "multimodal"),
    3: ("backbone", "backbone_wt", "backbone_sa", "backbone_wt_sa"),
    4: ("feature_fusion", "learned_fusion", "attention_fusion", "multimodal", "ensemble"),
    5: ("no_augmentation", "augmentation"),
}
BASELINES = ("age_sex_bmi", "osta", "logistic", "random_forest", "hist_gradient_boosting")
# Those too that are studied where they are asked for
ALL_BASELINES = (*BASELINES, "xgboost", "texture")
FUSIONS = ("multimodal", "feature_fusion", "learned_fusion", "attention_fusion", "ensemble")
# What text is worth, and what the rest: with each model that sees report text
TEXT_CONTROLS = ("report_text", "without_text")
CLINICAL = ("clinical", *TEXT_CONTROLS, *BASELINES, "xgboost")
# Those that see every clinical column
_SEE_ALL = {"clinical", "logistic", "random_forest", "hist_gradient_boosting", "xgboost", *FUSIONS}

# What a row changes in the image model of its preset
_NO_BRANCH = {"wavelet": False, "soft_attention": False}
_IMAGE_ROWS: dict[str, dict[str, Any]] = {
    "cnn": {"backbone": "cnn", "pretrained": False, "freeze_backbone": False} | _NO_BRANCH,
    "inception_v3": {"backbone": "inception_v3"} | _NO_BRANCH,
    "vgg16": {"backbone": "vgg16"} | _NO_BRANCH,
    "image": {},
    "backbone": _NO_BRANCH,
    "backbone_wt": {"wavelet": True, "soft_attention": False},
    "backbone_sa": {"wavelet": False, "soft_attention": True},
    "backbone_wt_sa": {"wavelet": True, "soft_attention": True},
    "no_augmentation": {"augmentation": None},
    "augmentation": {},
}


def _clinical_net(**changes: Any) -> Pipeline:
    from skosteo.clinical.classifier import ClinicalOsteoClassifier

    return make_pipeline(ClinicalPreprocessor(), ClinicalOsteoClassifier(**changes))


class _Preset(NamedTuple):
    image: Callable[..., Any]
    clinical: Callable[..., Pipeline]
    changes: dict[str, dict[str, Any]]  # by row, beside _IMAGE_ROWS
    batch_size: int
    default: tuple[str, ...]


PRESETS = {
    "quick": _Preset(
        presets.quick_image_classifier,
        _clinical_net,
        {"augmentation": {"augmentation": "chest"}},
        16,  # so that 40 patients are enough for folds within folds
        (
            *("image", "clinical", "multimodal"),
            *("backbone", "backbone_wt", "backbone_sa", "backbone_wt_sa"),
            *("feature_fusion", "learned_fusion", *BASELINES),
        ),
    ),
    "paper": _Preset(
        presets.paper_image_classifier,
        presets.paper_clinical_classifier,
        {},
        32,
        # the ensemble is studied where it is asked for
        tuple(dict.fromkeys([*TABLES[2], *TABLES[3], *FUSIONS[:-1], *TABLES[5], *BASELINES])),
    ),
}


@dataclass(frozen=True)
class StudyModel:
    """A model of a study."""

    name: str  # as it is chosen
    title: str  # as tables show it
    estimator: Any  # not fitted
    columns: tuple[str, ...] | None  # columns that it sees; None: all
    # Equal for the package's models that are the same, whatever their names: they are trained once.
    # A change in the code of a model of one's own does not change it.
    key: str
    own: bool = False  # whether it is a model of one's own

    def part(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the columns that the model sees."""
        return X if self.columns is None else X[list(self.columns)]


def make_models(
    models: Iterable[Choice] | Mapping[str, Any] | None,
    X: pd.DataFrame,
    settings: Settings,
    *,
    device: str,
    cache_dir: Any,
    ignore_rules: tuple[str, ...],
) -> dict[str, StudyModel]:
    """Make the models that were chosen, ready to be fitted, by name and in the order of the choice.

    `models`, `device`, `cache_dir` and `ignore_rules` are those of `run_study`; of the table `X`
    only the columns matter.
    """
    if settings.preset not in PRESETS:
        raise InputError(
            f"preset={settings.preset!r}: allowed are {', '.join(map(repr, PRESETS))}."
        )
    preset = PRESETS[settings.preset]
    recipe = _Recipe(
        preset, X[list(settings.clinical_columns)], settings, device, cache_dir, ignore_rules
    )
    if models is None:
        choices: list[Choice] = [name for name in preset.default if recipe.allows(name)]
    elif isinstance(models, str) or not isinstance(models, Iterable):
        raise InputError(
            f"models={models!r}: give a list of names and of (name, classifier), such as ['image']."
        )
    else:
        choices = list(models.items() if isinstance(models, Mapping) else models)
        if not choices:
            raise InputError("models is empty; give names, or None for those of the preset.")
    made: dict[str, StudyModel] = {}
    for choice in choices:
        model = recipe.known(choice) if isinstance(choice, str) else recipe.own(choice)
        if model.name in made:
            raise InputError(f"models names {model.name!r} twice; give each its own name.")
        made[model.name] = model
    if any(model.own or sees_all_clinical(model) for model in made.values()):
        more = [name for name in TEXT_CONTROLS if name not in made and recipe.allows(name)]
        made |= {name: recipe.known(name) for name in more}
    if not made:
        raise InputError(
            "No model is left to study: there is neither an image column nor a clinical one. Name "
            "them by image_column and clinical_columns."
        )
    return made


def shown_in(number: int, models: Mapping[str, StudyModel]) -> list[str]:
    """Models that a table of the paper shows; behind those of Table 2 baselines and one's own."""
    paper = [name for name in TABLES[number] if name in models]
    if number != 2:
        return paper
    own = [name for name in models if name not in TITLES]
    return paper + [name for name in ALL_BASELINES if name in models] + own


def primary_of(models: Mapping[str, StudyModel], asked: str | None = None) -> str:
    """Model that the study is about: the one asked for, or the fusion, or what takes its place.

    That is the image model, the clinical one, or the first that a table shows; the model of age,
    sex and BMI, which it has to beat, only where it is alone.
    """
    order = ["multimodal", "image", "clinical", *shown_in(2, models), *shown_in(4, models), *models]
    return _chosen(models, asked, sorted(order, key=lambda n: n == "age_sex_bmi"), "primary")


def comparator_of(
    models: Mapping[str, StudyModel], primary: str, asked: str | None = None
) -> str | None:
    """Model that the primary one has to beat: the one asked for, or that of age, sex and BMI.

    Where that is not in the study, or is the primary one, the clinical model takes its place, or
    the first that differs; None where the study has one model.
    """
    key = models[primary].key
    others = {name: model for name, model in models.items() if model.key != key}
    if asked is not None and asked in models and asked not in others:
        raise InputError(
            f"comparator={asked!r} is the primary model itself. Allowed are "
            f"{', '.join(others) or 'none'}. Name one of them, or leave comparator out."
        )
    if not others and asked is None:
        return None
    order = ("age_sex_bmi", "clinical", *shown_in(2, others), *others)
    return _chosen(others, asked, order, "comparator")


def _chosen(
    models: Mapping[str, StudyModel], asked: str | None, order: Iterable[str], parameter: str
) -> str:
    if asked is not None and asked not in models:
        raise InputError(
            f"{parameter}={asked!r} is none of this study's models. Allowed are "
            f"{', '.join(models) or 'none'}. Name it in models, with the columns that it needs, or "
            "choose another."
        )
    return asked or next(name for name in order if name in models)


def family_of(
    models: Mapping[str, StudyModel], primary: str, comparator: str | None
) -> tuple[str, ...]:
    """Models that are compared as prespecified: primary, comparator, and the parts of a fusion."""
    parts = ("image", "clinical") if primary in FUSIONS else ()
    found: dict[str, str] = {}
    for name in (primary, comparator, *parts):
        if name is not None and name in models:
            found.setdefault(models[name].key, name)
    return tuple(found.values())


def sees_all_clinical(model: StudyModel) -> bool:
    """Whether one of the package's models sees every clinical column, free text too."""
    return not model.own and model.name in _SEE_ALL


def masks_text(model: StudyModel) -> bool:
    """Whether terms that name the diagnosis are taken from report text before a model sees it."""
    inside = model.estimator.get_params(deep=True).values()
    steps = [step for step in inside if isinstance(step, ClinicalPreprocessor)]
    return not model.own or any(step.masked_terms for step in steps)


class _Recipe(NamedTuple):
    preset: _Preset
    clinical: pd.DataFrame  # the clinical columns of the table
    settings: Settings
    device: str
    cache_dir: Any
    ignore_rules: tuple[str, ...]

    def allows(self, name: str) -> bool:
        """Whether the columns suffice for a model."""
        if name == "osta":
            return len(self._osta_columns()) == 2
        if name == "age_sex_bmi":
            return self._has("age", "sex") and (self._has("bmi") or self._has("height_cm"))
        if name in TEXT_CONTROLS:
            return 0 < len(self._texts()) < len(self.clinical.columns)
        values = len(self.settings.clinical_columns) > 0
        if name in CLINICAL:
            return values
        return self.settings.image_column is not None and (values or name not in FUSIONS)

    def known(self, name: str) -> StudyModel:
        if name not in TITLES:
            raise InputError(
                f"models names {name!r}, which is not known{guess(name, TITLES)} Known are "
                f"{', '.join(TITLES)}; for one of your own give (name, classifier)."
            )
        if not self.allows(name):
            raise InputError(
                f"models names {name!r}, and the columns do not suffice for it: image_column is "
                f"{self.settings.image_column!r} and clinical_columns are {list(self.clinical)}."
            )
        if name not in ALL_BASELINES:
            of_text = name in TEXT_CONTROLS
            instead = f"name models that need no net: {', '.join(ALL_BASELINES)}"
            instead = "leave the columns of report text out" if of_text else instead
            require("nets", f"The model {name!r}", instead)
        columns = None
        if name == "osta":
            columns = tuple(self._osta_columns())
        elif name == "report_text":
            columns = tuple(self._texts())
        elif name == "without_text":
            columns = tuple(c for c in self.settings.clinical_columns if c not in self._texts())
        elif name in CLINICAL:
            columns = self.settings.clinical_columns
        return _model(name, TITLES[name], self._estimator(name), columns)

    def own(self, choice: Any) -> StudyModel:
        if not isinstance(choice, tuple) or len(choice) != 2 or not isinstance(choice[0], str):
            raise InputError(
                f"models holds {type(choice).__name__} {choice!r}; give names, and models of your "
                "own as (name, classifier)."
            )
        name, estimator = choice
        taken = {*TITLES, *TITLES.values(), TREAT_ALL, TREAT_NONE}
        if name in taken or not name.strip():
            raise InputError(
                f"models gives a classifier the name {name!r}, which is blank or means another "
                "model already. Choose another name."
            )
        if not gives_probabilities(estimator):
            raise InputError(
                f"The model {name!r} is a {type(estimator).__name__} without predict_proba, or no "
                "classifier; AUC and calibration need probabilities. For an SVC, put it into "
                "CalibratedClassifierCV."
            )
        return _model(name, name, clone(estimator), None, own=True)

    def _estimator(self, name: str) -> Any:
        if name in _IMAGE_ROWS:
            return self._image(**_IMAGE_ROWS[name] | self.preset.changes.get(name, {}))
        if name in ("clinical", *TEXT_CONTROLS):
            return self._clinical()
        seed, columns = self.settings.seed, list(self.settings.clinical_columns)
        shared: dict[str, Any] = {"clinical_columns": columns, "random_state": seed}
        if name == "multimodal":
            return ProbabilityFusionClassifier(
                self._image(), self._clinical(), image_column=self.settings.image_column, **shared
            )
        if name == "ensemble":
            model = presets.ensemble_classifier(self._image(), clinical_columns=columns)
            return model.set_params(pf__clinical=self._clinical())
        if name in FUSIONS:
            from skosteo.fusion.feature import FeatureFusionClassifier

            strategy = {"feature_fusion": "concat", "learned_fusion": "learned"}
            return FeatureFusionClassifier(
                self._image(),
                strategy=strategy.get(name, "attention"),
                batch_size=self.preset.batch_size,
                device=self.device,
                **shared,
            )
        if name == "osta":
            filled = SimpleImputer().set_output(transform="pandas")
            return make_pipeline(filled, RiskIndexClassifier("osta"))
        if name == "texture":
            return presets.texture_classifier(
                image_column=self.settings.image_column,
                cache_dir=self.cache_dir,
                ignore_rules=self.ignore_rules,
            )
        return presets.clinical_baseline(name, random_state=seed)

    def _image(self, **changes: Any) -> Any:
        given = {
            "image_column": self.settings.image_column,
            "cache_dir": self.cache_dir,
            "ignore_rules": self.ignore_rules,
            "device": self.device,
            "batch_size": self.preset.batch_size,
            "random_state": self.settings.seed,
        }
        return self.preset.image(**given | changes)

    def _clinical(self) -> Any:
        return self.preset.clinical(
            batch_size=self.preset.batch_size, random_state=self.settings.seed
        )

    def _has(self, *names: str) -> bool:
        return all(find_column(self.clinical, name) is not None for name in names)

    def _texts(self) -> list[str]:
        return [name for name in self.settings.clinical_columns if is_report_text(name)]

    def _osta_columns(self) -> list[str]:
        found = (find_column(self.clinical, name) for name in ("age", "weight_kg"))
        return [column for column in found if column is not None]


def _model(
    name: str, title: str, estimator: Any, columns: tuple[str, ...] | None, own: bool = False
) -> StudyModel:
    # what a model of one's own does is not all in its parameters, so it shares no fit
    key = _key(name if own else "", estimator, columns)
    return StudyModel(name, title, estimator, columns, key, own)


def _key(name: str, estimator: Any, columns: tuple[str, ...] | None) -> str:
    """Stand for what a model learns, but not for where it computes and what it says meanwhile."""
    aside = ("device", "cache_dir", "memory", "verbose", "n_jobs", "steps", "estimators")
    settled = [(name, _kind(estimator))]
    # in the order of the parameters, which is that of steps and members, each with its own
    for parameter, value in estimator.get_params(deep=True).items():
        last = parameter.split("__")[-1]
        if last not in aside:
            settled.append((parameter, _kind(value) if hasattr(value, "get_params") else value))
    try:
        return joblib.hash((settled, columns))
    except (PicklingError, TypeError, AttributeError):
        raise InputError(
            f"The model {name!r} holds what cannot be stored, such as a lambda or an open file. "
            "Define functions by `def` at the top of a module."
        ) from None


def _kind(estimator: Any) -> str:
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"
