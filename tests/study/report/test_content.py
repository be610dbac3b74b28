"""What the report says, and in which order."""

import re
from dataclasses import replace
from functools import cache

import pandas as pd
import pytest
from sklearn.base import clone

from skosteo import _plotting
from skosteo.study.report.checklists import CLAIM, TRIPOD_AI
from skosteo.study.report.content import checklist, moved_text, render_page
from skosteo.study.report.figures import available
from tests.study.report.pages import Reader, captions, changed, page_of

page = cache(page_of)  # drawn once for each study


@cache
def body(study):
    """Text of the page before its annex."""
    return Reader(page(study).split('<section class="annex"')[0].split("</style>")[1]).text


def test_the_first_page_is_limits_abstract_and_lights(of_values):
    html = page(of_values.study)
    order = [html.index(words) for words in (
        "<h1>", "Read this first", 'id="abstract"', 'class="lights"', "Contents", "<main"
    )]  # fmt: skip
    assert order == sorted(order)
    assert re.search(r"<li>(.*?)</li>", html)[1] == "SYNTHETIC patients."
    assert len(re.findall(r'class="light (green|amber|red)"', html)) == 4
    assert len(re.findall(r"<b>[\w ]+: (Good|Caution|Problem)\.</b>", html)) == 4


def test_sections_are_in_the_order_of_a_paper(of_films):
    names = [a["id"] for a in Reader(page(of_films.study)).all("h2") if "id" in a]
    assert names == [
        "limits", "abstract", "contents", "participants", "methods", "discrimination",
        "calibration", "parts", "subgroups", "explanation", "annex",
    ]  # fmt: skip


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_every_figure_stands_once_with_words_for_those_who_cannot_see_it(ran, request):
    study = request.getfixturevalue(ran).study
    html = page(study)
    found, images = captions(html, "Figure"), Reader(html).all("img")
    assert len(images) == len(found) == len(available(study))
    assert len(set(found.values())) == len(found)
    assert all(len(image["alt"]) > 15 for image in images)


@pytest.mark.parametrize("ran", ["of_values", "of_films", "of_split"])
def test_the_page_before_the_annex_is_short(ran, request):
    assert len(body(request.getfixturevalue(ran).study).split()) < 2200


def test_the_annex_is_closed_and_prints_where_it_is_open(of_films):
    html = page(of_films.study)
    parts = Reader(html).all("details")
    assert len(parts) >= 6
    assert not any("open" in part for part in parts)
    assert "details:not([open])" in html


@pytest.mark.parametrize(
    ("words", "here", "absent"),
    [
        ("radiograph", ["of_films"], ["of_values", "of_split"]),
        ("EfficientNet-Lite0", ["of_films"], ["of_values", "of_split"]),
        ("binary cross-entropy", ["of_films"], ["of_values", "of_split"]),
        ("repeats of 3-fold cross-validation", ["of_values"], ["of_split"]),
        ("A test set, drawn by patient", ["of_split"], ["of_values", "of_films"]),
        ("interval, clustered by patient", ["of_values"], ["of_split"]),
        ("Nadeau and Bengio", ["of_values", "of_films"], ["of_split"]),
        ("DeLong's paired test", ["of_split"], ["of_values"]),
        ("for a prevalence of 10 %", ["of_values"], ["of_split", "of_films"]),
        ("DICOM", [], ["of_values", "of_films"]),
        ("Gradient boosting", [], ["of_values", "of_films", "of_split"]),
        ("Missing numbers", [], ["of_values", "of_films", "of_split"]),
    ],
)
def test_methods_say_what_is_so_and_no_more(words, here, absent, request):
    def methods(ran):
        html = page(request.getfixturevalue(ran).study)
        return Reader(html.split('<h2 id="methods">')[1].split("</section>")[0]).text

    assert all(words in methods(ran) for ran in here)
    assert not any(words in methods(ran) for ran in absent)


def test_methods_name_no_sex_and_no_category_where_there_is_none(of_values):
    study = of_values.study
    html = page(changed(study, clinical_columns=("age", "bmi")))
    text = Reader(html.split('<h2 id="methods">')[1].split("</section>")[0]).text
    assert "balanced for outcome." in text
    assert "Categories" not in text
    assert "balanced for outcome and sex." in page(study)


def test_models_whose_classes_are_weighted_are_named(of_films, of_values):
    text = Reader(page(of_films.study)).text
    assert "Classes were weighted in Clinical parameter model and Multimodal model (PF)." in text
    assert "Classes were weighted" not in page(of_values.study)


def test_the_two_p_values_of_a_film_are_told_apart(of_films, of_values, monkeypatch):
    words = "whether the radiograph tells anything that the comparator does not"
    assert words not in Reader(page(of_values.study)).text
    said = {"odds ratio per SD": ["1.50 [1.02, 2.20]"], "P, one-sided": [".041"]}
    added = pd.DataFrame(said, index=["all patients"])
    monkeypatch.setattr("skosteo.study.results.film_beside", lambda *_: added)
    text = Reader(page(changed(of_films.study))).text
    assert words in text
    assert "of the risks of all folds together; those under Discrimination are means of" in text
    assert "was tested, one-sided, by the coefficient" in text
    assert "was tested, one-sided" not in page(of_values.study)


def test_where_a_prevalence_is_stated_risks_there_are_told_from_those_here(of_values, of_split):
    text = Reader(page(of_values.study)).text
    assert text.count(moved_text(of_values.study)) == 2  # Methods, and the decision curve
    assert "Thresholds are risks at that prevalence, not among these patients" in text
    assert "All other risks and thresholds are those of these patients." in text
    assert "at that prevalence" not in Reader(page(of_split.study)).text


def test_the_size_says_what_it_was_reckoned_for(of_values, of_split):
    text = Reader(page(of_values.study)).text
    assert "33.3 % with the outcome in development, 10 %, the stated prevalence, in valid" in text
    assert "8 for a column of report text. Neural networks and forests have more" in text
    assert "intervals .2 wide of observed / expected, .2 of the slope and .1 of the AUC" in text
    assert "the stated prevalence" not in Reader(page(of_split.study)).text


def test_subgroups_are_judged_at_thresholds_that_differ_between_folds(of_values):
    assert "by subgroup, at the threshold of each fold." in page(of_values.study)
    fixed = page(changed(of_values.study, operating_point=0.2))
    assert "by subgroup, at the same threshold." in fixed


@pytest.mark.parametrize("ran", ["of_values", "of_films", "of_split"])
@pytest.mark.parametrize(
    "words",
    ["test part", "validation rows", "share of", "whoever ran", " less other", "suppressed:",
     "1 findings", "(1 patients)", "are right", "put right", "not equal"],
)  # fmt: skip
def test_the_words_are_those_of_the_field(ran, words, request):
    assert words not in body(request.getfixturevalue(ran).study)


def test_one_model_is_named_as_such(of_values):
    study = of_values.study
    one = {"age_sex_bmi": study.models["age_sex_bmi"]}
    html = page(changed(study, fields={"models": one, "family": ("age_sex_bmi",)}))
    assert "The study has one model." in html
    assert (
        "comparator" not in Reader(html.split('<h2 id="methods">')[1].split("</section>")[0]).text
    )


def test_what_could_not_be_explained_is_said(of_values):
    study = of_values.study
    fit = replace(study.final.fit, notes=("grad_cam: no film",))
    html = page(changed(study, fields={"final": replace(study.final, fit=fit)}))
    assert "Not explained: grad_cam: no film" in html


@pytest.mark.parametrize("freeze_backbone", [True, "stem", False])
def test_a_map_behind_a_frozen_backbone_is_said_not_to_be_relied_on(of_films, freeze_backbone):
    model = of_films.study.models["multimodal"]
    other = clone(model.estimator).set_params(image__freeze_backbone=freeze_backbone)
    models = of_films.study.models | {"multimodal": replace(model, estimator=other)}
    html = render_page(replace(of_films.study, models=models), {7: (b"", "image/png")})
    assert ("is not to be relied on" in html) == (freeze_backbone is True)


def test_chinese_names_without_a_font_are_said_to_be_boxes(of_values, monkeypatch):
    study = changed(of_values.study, outcome="骨质疏松")
    monkeypatch.setattr(_plotting, "_more_fonts", list)
    assert "the figures show boxes instead" in page_of(study)
    assert "the figures show boxes" not in page_of(of_values.study)
    monkeypatch.setattr(_plotting, "_more_fonts", lambda: ["Noto Sans CJK SC"])
    assert "the figures show boxes" not in page_of(study)


# ---------------------------------------------------------------- checklists


def answers(study):
    return checklist(study).set_index(["checklist", "item"])


def test_no_sentence_of_a_checklist_has_a_blank_before_its_stop(of_split, of_values):
    for made in (of_split, of_values):
        assert not checklist(made.study)["text"].str.contains(r"\s[.,;](?!\d)").any()


@pytest.mark.parametrize("drawn", [True, False])
def test_a_checklist_claims_no_more_than_happened(of_split, drawn):
    """No external test for one that was given, no Grad-CAM without films."""
    items = answers(changed(of_split.study, drawn_test=drawn))
    assert items.loc[(CLAIM, "33"), "status"] == "for the author"
    assert (items.loc[(CLAIM, "32"), "status"] == "yes") == drawn
    assert items.loc[(CLAIM, "31"), "text"] == ""  # nothing was explained
    assert items.loc[(CLAIM, "24"), "text"] == ""  # no net, no initial weights
    assert "cross-entropy" not in items.loc[(TRIPOD_AI, "12c"), "text"]
    assert "radiograph" not in items.loc[(TRIPOD_AI, "27a"), "text"].lower()


def test_the_size_is_judged_and_never_only_counted(of_values, of_split):
    for ran in (of_values, of_split):
        said = answers(ran.study).loc[(TRIPOD_AI, "10")]
        assert said["status"] == "partly"
        assert re.search(r"Riley et al., \d of \d criteria are met", said["text"])
        assert said["where"] == "annex-sample-size"
    assert answers(of_values.study).loc[(CLAIM, "21"), "text"] == ""  # there is no test set


def test_clusters_are_answered_where_there_are_several_hospitals(of_values):
    """Counted; and performance by hospital is claimed only where it is shown."""
    study = of_values.study
    assert (answers(study).loc[[(TRIPOD_AI, "12d"), (TRIPOD_AI, "23b")], "text"] == "").all()
    hospital = pd.Series(["north", "south", "south"] * 50)
    design = replace(study.design, X=study.design.X.assign(hospital=hospital))
    counted = changed(study, fields={"design": design}, site="hospital")
    said = answers(counted).loc[(TRIPOD_AI, "23b")]
    assert (said["status"], said["text"]) == ("partly", "Patients of 2 hospitals.")
    fields = {"design": design, "groupings": study.groupings.assign(hospital=hospital)}
    said = answers(changed(study, fields=fields, site="hospital")).loc[(TRIPOD_AI, "12d"), "text"]
    assert "Patients of 2 hospitals; AUC, sensitivity and specificity of each" in said


def test_each_answer_links_to_a_part_of_the_page(of_films):
    html = page(of_films.study)
    ids = {a["id"] for _, a in Reader(html).tags if "id" in a}
    where = set(checklist(of_films.study)["where"]) - {""}
    assert where <= ids
    assert all(f'href="#{place}"' in html for place in where)
