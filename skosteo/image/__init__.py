"""The image side: a column of radiographs -> pixels -> the paper's image model."""
