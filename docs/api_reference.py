"""Every public name of skosteo, in the order of the API reference.

The pages are generated from this list (``_ext/api_pages.py``); a test compares it with the code.
A name stands here once, by its shortest address.
"""

from typing import NamedTuple


class Section(NamedTuple):
    """A heading of the reference, what is under it in a sentence, and its names."""

    title: str
    about: str
    names: tuple[str, ...]


SECTIONS = [
    Section(
        "Estimators",
        "Models of one kind of data, and what wraps a model. All keep scikit-learn's contract.",
        (
            "skosteo.ImageOsteoClassifier",
            "skosteo.ClinicalOsteoClassifier",
            "skosteo.ImageOsteoRegressor",
            "skosteo.ClinicalOsteoRegressor",
            "skosteo.FusionOsteoRegressor",
            "skosteo.RiskIndexClassifier",
            "skosteo.RecalibratedClassifier",
            "skosteo.FoldEnsembleClassifier",
        ),
    ),
    Section(
        "Films",
        "From a file to pixels, and from films to columns for any learner.",
        (
            "skosteo.read_radiograph",
            "skosteo.Radiograph",
            "skosteo.RadiographReader",
            "skosteo.RadiographEmbedder",
            "skosteo.RadiographTexture",
            "skosteo.dicom.RULES",
            "skosteo.dicom.read_facts",
            "skosteo.dicom.check_ignore_rules",
        ),
    ),
    Section(
        "Clinical values",
        "From a hospital's table to a cohort, and to the numbers that a model takes.",
        (
            "skosteo.ClinicalPreprocessor",
            "skosteo.clinical.select_cohort",
            "skosteo.clinical.Cohort",
            "skosteo.clinical.Flow",
            "skosteo.clinical.table_one",
            "skosteo.clinical.check_values",
            "skosteo.clinical.recognise",
            "skosteo.clinical.label",
            "skosteo.clinical.t_score",
            "skosteo.clinical.GIVEAWAY_TERMS",
        ),
    ),
    Section(
        "Fusions",
        "Film and clinical values in one model.",
        ("skosteo.ProbabilityFusionClassifier", "skosteo.FeatureFusionClassifier"),
    ),
    Section(
        "Evaluation",
        "Scores with 95 % confidence intervals, comparisons, calibration, use and leakage. Pure "
        "functions of labels and probabilities; the results have ``frame()``, and ``plot()`` "
        "where there is something to draw.",
        tuple(
            f"skosteo.evaluation.{name}"
            for name in (
                "evaluate",
                "Report",
                "auc_interval",
                "bootstrap_interval",
                "BootstrapInterval",
                "compare",
                "Comparison",
                "delong_test",
                "DelongTest",
                "mcnemar_test",
                "McnemarTest",
                "paired_t_test",
                "PairedTTest",
                "holm",
                "added_value",
                "AddedValue",
                "calibration_line",
                "CalibrationLine",
                "calibration_curve",
                "CalibrationCurve",
                "reliability",
                "Reliability",
                "operating_point",
                "OperatingPoint",
                "decision_curve",
                "DecisionCurve",
                "net_benefit",
                "subgroups",
                "Subgroups",
                "age_band",
                "check_leakage",
                "LeakageReport",
                "pool_estimates",
                "PooledEstimate",
                "development_sample_size",
                "validation_sample_size",
            )
        ),
    ),
    Section(
        "Explanation",
        "Why a model says what it says.",
        (
            "skosteo.explain.shap_values",
            "skosteo.explain.ShapValues",
            "skosteo.explain.grad_cam",
            "skosteo.explain.GradCam",
            "skosteo.explain.explain_fusion",
            "skosteo.explain.FusionView",
        ),
    ),
    Section(
        "Presets",
        "Whole recipes in a line: the paper's, quick ones, and baselines to beat.",
        (
            "skosteo.presets.paper_image_classifier",
            "skosteo.presets.quick_image_classifier",
            "skosteo.presets.paper_clinical_classifier",
            "skosteo.presets.texture_classifier",
            "skosteo.presets.clinical_baseline",
            "skosteo.presets.clinical_baselines",
            "skosteo.presets.ensemble_classifier",
        ),
    ),
    Section(
        "The study",
        "The paper in one call.",
        ("skosteo.study.run_study", "skosteo.study.Study"),
    ),
    Section(
        "Saving and scoring",
        "A model to one file and back, and tables scored by it.",
        (
            "skosteo.save_model",
            "skosteo.load_model",
            "skosteo.read_card",
            "skosteo.Scorer",
        ),
    ),
    Section(
        "Validation and update elsewhere",
        "A model judged at another hospital, and put right there.",
        (
            "skosteo.validate",
            "skosteo.validation.ExternalValidation",
            "skosteo.update_model",
            "skosteo.recalibration.ModelUpdate",
            "skosteo.how_many_local_patients",
            "skosteo.recalibration.LocalPatients",
        ),
    ),
    Section(
        "Data sets",
        "A synthetic cohort, and two of real people.",
        (
            "skosteo.datasets.make_cohort",
            "skosteo.datasets.draw_patients",
            "skosteo.datasets.CLINICAL",
            "skosteo.datasets.fetch_hannover_cxr",
            "skosteo.datasets.fetch_nhanes",
        ),
    ),
    Section(
        "Exceptions and warnings",
        "What skosteo raises: each says what came, what is allowed and what to do.",
        tuple(
            f"skosteo.exceptions.{name}"
            for name in (
                "SkosteoError",
                "InputError",
                "DicomError",
                "MissingExtraError",
                "MissingFileError",
                "TrainingError",
                "WeightsError",
                "ModelFileError",
                "DatasetError",
                "ValuesWarning",
                "LeakageWarning",
                "MissingModalityWarning",
                "InSampleWarning",
                "ModelChangedWarning",
            )
        ),
    ),
]
NAMES = [name for section in SECTIONS for name in section.names]
# What has no docstring of its own
CONSTANTS = {
    "skosteo.dicom.RULES": (
        "Rules by which films are refused; ``ignore_rules`` lifts them by name."
    ),
    "skosteo.datasets.CLINICAL": (
        "Names of the clinical columns of a synthetic cohort: all that an estimator may see beside "
        "the films."
    ),
    "skosteo.clinical.GIVEAWAY_TERMS": (
        "Regular expressions of terms in report text that name the diagnosis, or a drug for it, in "
        "English, Spanish and Chinese."
    ),
}
