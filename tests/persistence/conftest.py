"""The films by which a model is asked whether it has changed are drawn once, not for each file."""

from functools import cache

import pytest

from skosteo.persistence import examples


@pytest.fixture(autouse=True, scope="session")
def films_drawn_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examples, "_films", cache(examples._films))
        yield
