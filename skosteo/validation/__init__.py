"""External validation: whether a model holds for the patients of another hospital."""

from skosteo.validation.external import ExternalValidation, validate

__all__ = ["ExternalValidation", "validate"]
