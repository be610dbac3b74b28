"""Fusion of image and clinical models, by their probabilities or by their features."""
