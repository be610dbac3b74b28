# make demo      a synthetic cohort, three models, a table and a plot   (DATA=hannover | nhanes: real people)
# make films     a folder of films of mixed quality, read: what was refused and why, a picture
# make image     the paper's image model on synthetic films: its search, its weights, its attention
# make clinical  a hospital's table to a cohort, a Table 1 and models compared (DATA=nhanes: real people)
# make fusions   probability and feature fusions beside their branches, modalities missing
# make study     the paper in one call: every table and figure, one report (DATA=hannover | nhanes)
# make test      the tests
# make docs      the documentation with its examples run: docs/_build/html/index.html
# make docs-quick  the same, with no example run: half a minute
# make check     what CI runs: lint, types, the quick documentation, tests and doctests

PYTHON ?= python3
DATA ?= synthetic
BIN := .venv/bin
SPHINX := $(BIN)/sphinx-build -q -n -W --keep-going -d docs/_build/doctrees
PAGES := docs docs/_build/html

.PHONY: demo films image clinical fusions study test docs docs-quick check lint types clean

demo: .venv/installed
	$(BIN)/python examples/quickstart.py --data $(DATA)

films: .venv/installed
	$(BIN)/python examples/plot_01_reading_films.py

image: .venv/installed
	$(BIN)/python examples/plot_02_image_model.py

clinical: .venv/installed
	$(BIN)/python examples/clinical_side.py --data $(DATA)

fusions: .venv/installed
	$(BIN)/python examples/plot_03_fusions.py

study: .venv/installed
	$(BIN)/python examples/study.py --data $(DATA)

test: .venv/installed
	$(BIN)/python -m pytest -n auto --dist loadfile

check: .venv/installed
	$(MAKE) -j 2 lint types docs-quick
	$(MAKE) test

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell *.md *.cff *.toml Makefile docs examples skosteo tests

types: .venv/installed
	$(BIN)/mypy

docs: .venv/installed
	$(SPHINX) -b html $(PAGES)
	$(SPHINX) -a -b markdown $(PAGES)

docs-quick: .venv/installed
	$(SPHINX) -D plot_gallery=0 -b html $(PAGES)
	$(SPHINX) -D plot_gallery=0 -a -b markdown $(PAGES)

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv report docs/_build docs/api docs/auto_examples
