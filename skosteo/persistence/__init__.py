"""Models that can be kept and given away: one file, which runs no code and holds no row."""

from skosteo.persistence.model_file import load_model, read_card, save_model

__all__ = ["load_model", "read_card", "save_model"]
