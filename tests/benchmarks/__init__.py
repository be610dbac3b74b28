"""Figures that take minutes: run each with `python -m tests.benchmarks.<name>`, never in pytest."""
