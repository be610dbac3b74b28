"""The API reference lists what is public, all of it, once."""

import inspect
from importlib import import_module

import pytest

import skosteo
from tests.docs.reference import NAMES, public

MODULES = [
    module
    for module in (*skosteo._MODULES, "dicom", "persistence", "recalibration", "validation")
    if module not in ("exceptions", "presets")
]


def listed():
    return {id(public(name)) for name in NAMES}


def test_every_name_of_the_package_is_listed():
    for name in set(skosteo.__all__) - {"__version__", *skosteo._MODULES}:
        assert f"skosteo.{name}" in NAMES


@pytest.mark.parametrize("module", MODULES)
def test_every_name_of_a_public_module_is_listed(module):
    module = import_module(f"skosteo.{module}")
    for name in module.__all__:
        assert id(getattr(module, name)) in listed(), name


@pytest.mark.parametrize(
    ("module", "kind"), [("exceptions", inspect.isclass), ("presets", inspect.isfunction)]
)
def test_what_a_module_without_such_a_list_defines_is_listed(module, kind):
    module = import_module(f"skosteo.{module}")
    for name, thing in vars(module).items():
        if kind(thing) and thing.__module__ == module.__name__ and not name.startswith("_"):
            assert id(thing) in listed(), name


def test_no_name_is_listed_twice_and_each_is_there():
    assert len(listed()) == len(NAMES) == len(set(NAMES))
