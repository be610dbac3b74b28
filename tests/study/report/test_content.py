"""What the report says, and in which order."""

import re
from copy import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone

from skosteo.evaluation import reliability
from skosteo.study.report.content import calibration_table, limits, operating_table, render_page
from skosteo.study.report.figures import available
from tests.study.report.pages import Reader, captions, changed, page_of


@pytest.mark.parametrize(
    ("settings", "words", "stands"),
    [({}, "SYNTHETIC patients.", True),
     ({}, "The test part is small", True),
     ({}, "no external validation", True),
     ({"drawn_test": False}, "no external validation", False),
     ({"preset": "quick"}, "small ones of the preset", False),  # there are no radiographs
     ({"image_column": "image"}, "small ones of the preset", True),
     ({"image_column": "image", "preset": "paper"}, "small ones of the preset", False),
     ({}, "not a medical device", True)],
)  # fmt: skip
def test_what_a_reader_must_know_first(settings, words, stands, of_values):
    assert (words in " ".join(limits(changed(of_values.study, **settings)))) == stands


def test_the_users_own_limits_come_first(of_values):
    assert limits(of_values.study)[0] == "SYNTHETIC patients."
    html = page_of(of_values.study)
    first = re.search(r"<li>(.*?)</li>", html)
    assert first[1] == "SYNTHETIC patients."
    assert html.index("Read this first") < first.start() < html.index("Contents")


def test_the_small_test_part_is_counted_in_patients(of_values):
    design = of_values.study.design
    n = [len(np.unique(design.patient[design.test][design.y[design.test] == c])) for c in (1, 0)]
    said = " ".join(limits(of_values.study))
    assert f"{n[0]} patients with the outcome and {n[1]} without" in said


def test_facts_name_rows_split_seed_and_versions(of_values):
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page_of(of_values.study)))
    assert facts["Rows"] == "150 of 150 patients"
    assert facts["Outcome"] == "osteoporosis: 1 in 50 rows (positive), 0 in 100"
    assert facts["Split"].startswith(f"{len(of_values.study.design.test)} rows for the test, drawn")
    assert facts["Seed"].startswith("0")
    assert facts["Models"] == "4, of which 4 differ"
    assert re.fullmatch(r"\d+\.\d minutes of fits", facts["Time"])
    assert "scikit-learn 1." in facts["Versions"]


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_every_figure_stands_once_with_words_for_those_who_cannot_see_it(ran, request):
    study = request.getfixturevalue(ran).study
    html = page_of(study)
    found, images = captions(html, "Figure"), Reader(html).all("img")
    assert len(images) == len(found) == len(available(study))
    assert len(set(found.values())) == len(found)
    assert all(len(image["alt"]) > 15 for image in images)


def test_tables_of_one_model_are_left_out(of_values, of_films):
    said = " ".join(captions(page_of(of_values.study), "Table").values())
    assert "Ablation" not in said
    said = " ".join(captions(page_of(of_films.study), "Table").values())
    assert "Ablation" in said
    assert "with and without augmentation" not in said


def test_thresholds_are_said_to_be_of_the_validation_rows(of_values):
    study = of_values.study
    said = [c for c in captions(page_of(study), "Table").values() if c.startswith("Thresholds")]
    assert len(said) == 1
    assert "chosen on the validation rows" in said[0]
    assert len(operating_table(study, list(study.models))) == 3 * len(study.models)


def test_thresholds_that_no_rule_finds_are_a_dash(of_values):
    study = changed(of_values.study)
    study.operating_points.loc[("osta", "sensitivity .90"), "threshold"] = np.nan
    table = operating_table(study, list(study.models))
    lacking = table.loc[(study.models["osta"].title, "sensitivity .90")]
    assert lacking.isna().all()
    assert table.drop(index=lacking.name).notna().all(axis=None)


def test_what_could_not_be_explained_is_said(of_values):
    study = of_values.study
    results = {
        key: [replace(found[0], notes=("grad_cam: no film",)), *found[1:]]
        for key, found in study.results.items()
    }
    assert "Not explained: grad_cam: no film" in page_of(changed(study, results=results))


def test_a_prevalence_that_was_stated_is_that_of_net_benefit(of_values):
    study = of_values.study
    assert "10.0%, that where the model is to be used" in page_of(study)
    observed = study.design.y[study.rows("validation")].mean()
    assert f"{observed:.1%}, that of these rows" in page_of(changed(study, prevalence=None))


def test_values_that_look_wrong_are_said_in_the_report(of_values):
    study = copy(of_values.study)
    assert not [sentence for sentence in limits(study) if "Column" in sentence]
    X = study.design.X.copy()
    X["bmi"] *= 10
    X.loc[:2, "age"] = 690
    study.design = replace(study.design, X=X)
    said = limits(study)
    [bmi] = [sentence for sentence in said if "'bmi'" in sentence]
    [age] = [sentence for sentence in said if "'age'" in sentence]
    assert "lie outside the plausible range in kg/m2" in bmi
    assert f"{len(X)} of {len(X)}" in bmi
    assert "some values" in age
    assert "3" not in age


def test_probabilities_of_0_and_1_are_counted_beside_the_line():
    y, p = np.tile([0, 1, 0, 1, 1], 20), np.tile([0, 0.4, 0.5, 0.6, 0.3], 20)
    curves = reliability(y, {"forest": p, "net": np.clip(p, 0.1, 0.9)})
    table = calibration_table(SimpleNamespace(calibration=lambda: curves))
    assert table["probabilities of 0 or 1, moved inside"].to_dict() == {"forest": 20, "net": 0}
    without = reliability(y, {"net": np.clip(p, 0.1, 0.9)})
    table = calibration_table(SimpleNamespace(calibration=lambda: without))
    assert list(table) == ["slope", "intercept"]


@pytest.mark.parametrize("freeze_backbone", [True, "stem", False])
def test_a_map_behind_a_frozen_backbone_is_said_not_to_be_relied_on(of_films, freeze_backbone):
    model = of_films.study.models["multimodal"]
    changed = clone(model.estimator).set_params(image__freeze_backbone=freeze_backbone)
    models = of_films.study.models | {"multimodal": replace(model, estimator=changed)}
    page = render_page(replace(of_films.study, models=models), {7: (b"", "image/png")})
    assert ("is not to be relied on" in page) == (freeze_backbone is True)
