"""The folder of a validation: one inert page, tables beside it, nothing of others replaced."""

import re

import numpy as np
import pandas as pd
import pytest

from skosteo import validate
from skosteo.clinical import table_one
from skosteo.exceptions import InputError
from tests.recalibration.planted import Says, patients
from tests.study.report.pages import Reader

SAYS = Says().fit(None, [0, 1])


@pytest.fixture(scope="module")
def found(site):
    model, home, there = site
    development = table_one(home.data, groups=home.groups)
    return validate(model, there.data, there.target, there.groups, development=development)


@pytest.fixture(scope="module")
def saved(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation") / "new" / "external"
    found.save(folder)
    return folder


@pytest.fixture(scope="module")
def page(saved):
    return Reader((saved / "validation.html").read_text("utf-8"))


def test_the_page_and_a_table_each(saved, found):
    names = {path.name for path in saved.iterdir() if not path.name.startswith(".")}
    assert names == {"validation.html", *(f"{name}.csv" for name in found.tables)}
    figures = pd.read_csv(saved / "figures.csv")
    pd.testing.assert_frame_equal(figures, found.frame(), check_dtype=False)


def test_the_page_is_one_inert_file(page):
    assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    sources = [a[name] for _, a in page.tags for name in ("src", "href") if name in a]
    assert all(re.match("#|data:", source) for source in sources)
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none'")
    (image,) = page.all("img")
    assert image["alt"]


def test_the_page_begins_with_what_was_found(page, found):
    for sentence in found.summary():
        assert sentence in page.text
    assert page.text.index(found.summary()[0]) < page.text.index("Table 1.")
    for said in ("does not restore a sensitivity", "not a medical device", "development"):
        assert said in page.text


def test_texts_of_a_user_stay_text(site, tmp_path):
    model, _, there = site
    attack = "<script>alert(1)</script>"
    ward = pd.DataFrame({attack: np.repeat(["=1+1", "<b>"], 250)})
    y = there.target.rename(attack)
    validate(model, there.data, y, subgroups=ward).save(tmp_path)
    page = Reader((tmp_path / "validation.html").read_text("utf-8"))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(attack) >= 2  # the outcome, the column
    assert ",'=1+1," in (tmp_path / "subgroups.csv").read_text("utf-8")


def test_a_poor_site_is_said_to_be_one(tmp_path):
    y = np.repeat([0, 1], [40, 20])
    validate(SAYS, np.full((60, 1), 0.3), y, threshold=0.5).save(tmp_path)
    text = Reader((tmp_path / "validation.html").read_text("utf-8")).text
    for said in (
        "20 patients with the outcome and 40 without",
        "Nobody reaches the threshold",
        "not estimable: all risks are the same",
        "This was not judged: No slope",
        "Neither sex nor age is known",
    ):
        assert said in text, said


def test_what_an_update_cannot_do_is_said(tmp_path):
    X, y, _, _ = patients(np.random.default_rng(0), 400, intercept=-1.5)
    validate(SAYS, X, 1 - y).save(tmp_path / "turned")
    text = Reader((tmp_path / "turned" / "validation.html").read_text("utf-8")).text
    assert "Its slope is 0: every patient would get the same risk" in text
    few = np.r_[np.flatnonzero(y == 1)[:11], np.flatnonzero(y == 0)[:150]]
    validate(SAYS, X[few], y[few]).save(tmp_path / "few")
    text = Reader((tmp_path / "few" / "validation.html").read_text("utf-8")).text
    assert "It was not judged on other patients: Updates are judged in 10 folds" in text
    assert "Tests of the update, on all patients" in text


def test_a_later_validation_replaces_an_earlier_one(found, tmp_path):
    found.save(tmp_path)
    X, y, _, _ = patients(np.random.default_rng(0), 200)
    validate(SAYS, X, y).save(tmp_path)
    assert not (tmp_path / "case_mix.csv").exists()
    assert "Says" in (tmp_path / "validation.html").read_text("utf-8")


def test_files_of_others_are_not_replaced(found, tmp_path):
    mine = tmp_path / "figures.csv"
    mine.write_text("mine")
    with pytest.raises(InputError, match="1 files, folders or links"):
        found.save(tmp_path)
    assert mine.read_text() == "mine"
    mine.unlink()
    found.save(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="nothing of yours is replaced"):
        found.save(tmp_path)
    with pytest.raises(InputError, match="is a file or a link"):
        found.save(mine)


def test_a_link_is_not_followed(found, tmp_path):
    out = tmp_path / "out"
    found.save(out)
    (out / "figures.csv").unlink()
    target = tmp_path / "target"
    target.write_text("mine")
    (out / "figures.csv").symlink_to(target)
    with pytest.raises(InputError, match="links"):
        found.save(out)
    assert target.read_text() == "mine"
