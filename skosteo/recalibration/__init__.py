"""Risks put right: for the patients a model was made for, and for those of another hospital."""

from skosteo.recalibration.classifier import RecalibratedClassifier
from skosteo.recalibration.sample_size import LocalPatients, how_many_local_patients
from skosteo.recalibration.update import ModelUpdate, update_model

__all__ = [
    "LocalPatients",
    "ModelUpdate",
    "RecalibratedClassifier",
    "how_many_local_patients",
    "update_model",
]
