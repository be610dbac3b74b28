"""What the report says, and in which order."""

from dataclasses import replace

import numpy as np
import pytest

from skosteo.study.content import limits, make_page
from skosteo.study.page import Figure, Table, Text
from skosteo.study.study import Study


def changed(study, *, results=None, **about):
    return Study(
        study.design, study.models, results or study.results, replace(study.about, **about),
        study.flow, study.leakage, study.groupings,
    )  # fmt: skip


def page_of(study):
    from skosteo.study.figures import available

    return make_page(study, dict.fromkeys(available(study), (b"x", "image/png")))


def blocks(page, kind):
    return [b for section in page.sections for b in section.blocks if isinstance(b, kind)]


@pytest.mark.parametrize(
    ("about", "words", "stands"),
    [({}, "SYNTHETIC patients.", True),
     ({}, "The test part is small", True),
     ({}, "no external validation", True),
     ({"drawn_test": False}, "no external validation", False),
     ({"preset": "quick"}, "small ones of the preset", False),  # there are no films
     ({"image_column": "image"}, "small ones of the preset", True),
     ({"image_column": "image", "preset": "paper"}, "small ones of the preset", False),
     ({}, "not a medical device", True)],
)  # fmt: skip
def test_what_a_reader_must_know_first(about, words, stands, of_values):
    assert (words in " ".join(limits(changed(of_values.study, **about)))) == stands


def test_the_users_own_limits_come_first(of_values):
    assert limits(of_values.study)[0] == "SYNTHETIC patients."
    assert page_of(of_values.study).limits[0] == "SYNTHETIC patients."


def test_the_small_test_part_is_counted_in_patients(of_values):
    design = of_values.study.design
    n = [len(np.unique(design.patient[design.test][design.y[design.test] == c])) for c in (1, 0)]
    said = " ".join(limits(of_values.study))
    assert f"{n[0]} patients with the outcome and {n[1]} without" in said


def test_facts_name_rows_split_seed_and_versions(of_values):
    facts = dict(page_of(of_values.study).facts)
    assert facts["Rows"] == "150 of 150 patients"
    assert facts["Outcome"] == "osteoporosis: 1 in 50 rows (positive), 0 in 100"
    assert facts["Split"].startswith(f"{len(of_values.study.design.test)} rows for the test, drawn")
    assert facts["Seed"].startswith("0")
    assert "scikit-learn 1." in facts["Versions"]


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_every_figure_stands_once_with_words_for_those_who_cannot_see_it(ran, request):
    from skosteo.study.figures import available

    study = request.getfixturevalue(ran).study
    figures = blocks(page_of(study), Figure)
    assert len(figures) == len(available(study))
    assert len({figure.caption for figure in figures}) == len(figures)
    assert all(len(figure.alt) > 15 for figure in figures)


def test_tables_of_one_model_are_left_out(of_values, of_films):
    captions = " ".join(table.caption for table in blocks(page_of(of_values.study), Table))
    assert "Ablation" not in captions
    captions = " ".join(table.caption for table in blocks(page_of(of_films.study), Table))
    assert "Ablation" in captions
    assert "with and without augmentation" not in captions


def test_thresholds_are_said_to_be_of_the_validation_rows(of_values):
    table = next(
        t for t in blocks(page_of(of_values.study), Table) if t.caption.startswith("Thresholds")
    )
    assert "chosen on the validation rows" in table.caption
    assert len(table.frame) == 3 * len(of_values.study.models)


def test_what_could_not_be_explained_is_said(of_values):
    study = of_values.study
    results = {
        key: [replace(found[0], notes=("grad_cam: no film",)), *found[1:]]
        for key, found in study.results.items()
    }
    texts = " ".join(text.text for text in blocks(page_of(changed(study, results=results)), Text))
    assert "Not explained: grad_cam: no film" in texts
