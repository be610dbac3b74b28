"""An extra that is not installed: which of its libraries, and what to do."""

import pickle
import sys
import tomllib
from pathlib import Path

import pytest

from skosteo import _extras
from skosteo._extras import extra_of, is_installed, require
from skosteo.exceptions import MissingExtraError


def test_what_is_there_is_not_asked_for():
    assert is_installed("nets")
    require("nets", "A net")


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        (
            ["timm"],
            "A net needs timm, which is not installed: pip install 'skosteo[nets]', or z",
        ),
        (["skorch", "timm"], "A net needs skorch and timm, which are not installed: "),
        (["torch", "skorch", "timm"], "A net needs torch, skorch and timm, which are not "),
    ],
)
def test_the_message_names_what_is_not_there(monkeypatch, absent, says):
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
    assert not is_installed("nets")
    with pytest.raises(MissingExtraError) as raised:
        require("nets", "A net", "z")
    assert str(pickle.loads(pickle.dumps(raised.value))).startswith(says)


def test_a_module_is_of_the_extra_that_brings_its_library():
    assert [extra_of(name) for name in ("torch.nn", "xgboost.core", "pyarrow")] == [
        "nets", "xgboost", None
    ]  # fmt: skip


def test_the_line_of_the_readme_brings_the_figures():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert "skosteo[plots]" in project["optional-dependencies"]["nets"]


def test_the_extras_are_those_of_pyproject_and_the_core_has_none_of_them():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    for extra, libraries in _extras._LIBRARIES.items():
        named = {line.partition(">=")[0] for line in project["optional-dependencies"][extra]}
        wanted = {name for name in named if not name.startswith("skosteo[")}  # another extra
        assert wanted == set(libraries.values())
        assert not wanted & {line.partition(">=")[0] for line in project["dependencies"]}
