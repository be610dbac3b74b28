import pytest

from tests.datasets.agency import Agency, tables


@pytest.fixture
def agency(tmp_path, monkeypatch):
    """One cycle, complete, of known checksums."""
    made = Agency(tmp_path, monkeypatch)
    for name, table in tables().items():
        made.write(f"2013-2014/{name}_H.XPT", table)
    return made
