import pytest

from tests.fusion.spies import Spy
from tests.small_models import write_films


@pytest.fixture(autouse=True)
def empty_log():
    Spy.log.clear()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Rows with films as files, their labels and patients."""
    return write_films(tmp_path_factory.mktemp("films"))
