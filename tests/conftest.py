"""One thread: the nets of the tests are too small to share, and waiting threads slow each other."""

import os
import pickle

import pytest
from filelock import FileLock

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """Run code in a process that has imported skosteo and done nothing else."""
    from tests.fresh import Fresh

    forks = Fresh(tmp_path_factory.mktemp("fresh"))
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Make a thing from a folder once in a run, whichever of its processes asks first."""
    base = tmp_path_factory.getbasetemp()
    home = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(make):
        kept, folder = home / f"{make.__name__}.pickle", home / make.__name__
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                folder.mkdir()
                kept.write_bytes(pickle.dumps(make(folder)))
        return pickle.loads(kept.read_bytes())

    return made


@pytest.fixture(scope="session")
def of_values(once):
    """A study of values alone; nothing of it is to be changed."""
    from tests.study.studies import study_of_values

    return once(study_of_values)


@pytest.fixture(scope="session")
def of_films(once):
    """A study of films and values; nothing of it is to be changed."""
    from tests.study.studies import study_of_films

    return once(study_of_films)


@pytest.fixture(scope="session")
def of_split(once):
    """A study of values with a test set; nothing of it is to be changed."""
    from tests.study.studies import study_of_split

    return once(study_of_split)
