"""One thread: the nets of the tests are too small to share, and waiting threads slow each other."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """Run code in a process that has imported skosteo and done nothing else."""
    from tests.fresh import Fresh

    forks = Fresh(tmp_path_factory.mktemp("fresh"))
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def of_values(tmp_path_factory):
    """A study of values alone; nothing of it is to be changed."""
    from tests.study.studies import study_of_values

    return study_of_values(tmp_path_factory.mktemp("values"))


@pytest.fixture(scope="session")
def of_films(tmp_path_factory):
    """A study of films and values; nothing of it is to be changed."""
    from tests.study.studies import study_of_films

    return study_of_films(tmp_path_factory.mktemp("films"))
