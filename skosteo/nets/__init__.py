"""The torch modules of the image model."""
