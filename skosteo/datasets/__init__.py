"""Data to try skosteo on: a synthetic cohort with a planted signal, and two real data sets."""
