"""Docstrings of all that is public are whole, as numpydoc judges them."""

import inspect

import pytest
from numpydoc.validate import validate

from tests.docs.reference import NAMES, public

# Checks of numpydoc that are not ours, and why
OFF = {
    "ES01",  # a long summary: the first sentence is often enough
    "SA01",  # "See Also": names in the text are links already
    "SS05",  # takes a plural in the first place for a verb
    "RT04",  # the description of a Bunch begins with the name of its first field
}
# Results and errors are made by functions, which have the example; their attributes are documented
OFF_MADE = OFF | {"PR01", "EX01"}
# What methods take and return is scikit-learn's, or said in their sentence
OFF_METHODS = OFF | {"PR01", "RT01", "EX01"}


def own_methods(thing):
    """Names of the public methods and properties that skosteo has written."""
    for name in filter(lambda name: not name.startswith("_"), dir(thing)):
        method = inspect.getattr_static(thing, name)
        function = getattr(method, "fget", None) or getattr(thing, name)
        if (getattr(function, "__module__", "") or "").startswith("skosteo."):
            yield name


def documented(name):
    """Yield names whose docstrings are checked, each with the checks that are off."""
    thing = public(name)
    if inspect.isroutine(thing):
        yield name, OFF
    if inspect.isclass(thing):
        made_by_users = hasattr(thing, "get_params") or name == "skosteo.Scorer"
        yield name, OFF if made_by_users else OFF_MADE
        yield from ((f"{name}.{method}", OFF_METHODS) for method in own_methods(thing))


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_whole(name):
    found = {
        one: wrong
        for one, off in documented(name)
        if (wrong := [what for code, what in validate(one)["errors"] if code not in off])
    }
    assert not found
