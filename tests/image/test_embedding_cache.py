"""Embeddings: each computed once, and never taken for another's."""

import os
import threading
import time

import numpy as np
import pytest

from skosteo.exceptions import InputError
from skosteo.image import embedding_cache, film_cache
from skosteo.image.embedding_cache import embeddings
from skosteo.image.films import film_digest
from skosteo.image.reader import RadiographReader

FILMS = np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8)).astype(np.uint8)


def found(films, net, compute, folder):
    """Embeddings of an array of films."""
    digests = [film_digest(film) for film in films]
    return embeddings(digests, net, lambda rows: compute(films[rows]), folder)


class Compute:
    """Maps of each film's rows, with a count."""

    def __init__(self, seconds=0):
        self.seconds, self.passed = seconds, 0

    def __call__(self, films):
        self.passed += len(films)
        time.sleep(self.seconds)
        return np.stack([films.mean(axis=3), films.max(axis=3)], axis=2).astype(np.float32)


def test_each_film_is_computed_once_in_any_order_and_number(tmp_path):
    compute, wanted = Compute(), Compute()(FILMS)
    for rows in ([3, 1, 3], [0, 1, 2, 3, 4], range(12), [11, 5]):
        seen = found(FILMS[[*rows]], "net", compute, tmp_path)
        assert seen.dtype == np.float32
        np.testing.assert_array_equal(seen, wanted[[*rows]])
    assert compute.passed == 12


def test_other_nets_and_other_forms_of_the_same_bytes_are_other_embeddings(tmp_path):
    compute = Compute()
    for net in ("one", "two"):
        found(FILMS, net, compute, tmp_path)
    for films in (FILMS.reshape(12, 1, 4, 16), FILMS.view(np.int8)):
        np.testing.assert_array_equal(found(films, "one", compute, tmp_path), Compute()(films))
    assert compute.passed == 48


def test_those_who_come_together_share_the_work(tmp_path):
    compute, results = Compute(seconds=0.3), []

    def work():
        results.append(found(FILMS, "net", compute, tmp_path))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compute.passed == 12
    for result in results:
        np.testing.assert_array_equal(result, Compute()(FILMS))


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:20], lambda _: b""])
def test_a_damaged_entry_is_computed_again(damage, tmp_path):
    found(FILMS, "net", Compute(), tmp_path)
    entries = sorted(tmp_path.rglob("*.entry"))
    assert len(entries) == 12
    entries[5].write_bytes(damage(entries[5].read_bytes()))
    compute = Compute()
    seen = found(FILMS, "net", compute, tmp_path)
    np.testing.assert_array_equal(seen, Compute()(FILMS))
    assert compute.passed == 1


def test_an_error_in_between_leaves_no_lock(tmp_path):
    def broken(films):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found(FILMS, "net", broken, tmp_path)
    assert found(FILMS, "net", Compute(), tmp_path).shape == (12, 1, 2, 8)


def test_they_go_with_the_cache(tmp_path):
    found(FILMS, "net", Compute(), tmp_path)
    assert RadiographReader(cache_dir=tmp_path).clear_cache() > 12 * 16 * 4
    assert list(tmp_path.rglob("*.entry")) == []


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cache folder cannot be used"):
        found(FILMS, "net", Compute(), tmp_path / "file")


@pytest.mark.parametrize("error", [OSError("of the net"), NotImplementedError("of the net")])
def test_an_error_of_the_net_is_not_laid_on_the_folder(error, tmp_path):
    def broken(films):
        raise error

    with pytest.raises(type(error), match="of the net"):
        found(FILMS, "net", broken, tmp_path)


def test_a_lock_that_cannot_be_used(tmp_path):
    (tmp_path / "embeddings.lock").mkdir()
    with pytest.raises(InputError, match="cache folder cannot be used"):
        found(FILMS, "net", Compute(), tmp_path)


def test_many_films_are_computed_in_parts_that_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_cache, "_AT_A_TIME", 5)

    def interrupted(films):
        if len(list(tmp_path.rglob("*.entry"))) == 10:
            raise KeyboardInterrupt
        return Compute()(films)

    with pytest.raises(KeyboardInterrupt):
        found(FILMS, "net", interrupted, tmp_path)
    compute = Compute()
    np.testing.assert_array_equal(found(FILMS, "net", compute, tmp_path), Compute()(FILMS))
    assert compute.passed == 2


# ---------------------------------------------------------------- what others have put there


def planted(path, embedding, count=None):
    """An entry as the cache itself would write it, with another embedding."""
    content = embedding_cache._packed(np.asarray(embedding, np.float32))[:count]
    path.write_bytes(film_cache._check(path.stem, content) + content)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_computed_again(broken, tmp_path):
    found(FILMS, "net", Compute(), tmp_path)
    for path in sorted(tmp_path.rglob("*.entry"))[:3]:
        planted(path, np.full((1, 2, 8), broken))
    compute = Compute()
    np.testing.assert_array_equal(found(FILMS, "net", compute, tmp_path), Compute()(FILMS))
    assert compute.passed == 3


@pytest.mark.parametrize("count", [0, 3, 4, 9, 16, 40])
def test_an_embedding_of_another_length_is_computed_again(count, tmp_path):
    found(FILMS, "net", Compute(), tmp_path)
    planted(sorted(tmp_path.rglob("*.entry"))[4], np.ones((1, 2, 8)), count)
    np.testing.assert_array_equal(found(FILMS, "net", Compute(), tmp_path), Compute()(FILMS))


@pytest.mark.parametrize("shape", [(1, 2, 7), (16,), (1, 2, 8, 1)])
def test_embeddings_of_several_shapes(shape, tmp_path):
    found(FILMS, "net", Compute(), tmp_path)
    planted(sorted(tmp_path.rglob("*.entry"))[4], np.ones(shape))
    with pytest.raises(InputError, match="embeddings of other shapes than those of the net"):
        found(FILMS, "net", Compute(), tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX")
def test_a_pipe_is_not_waited_for(tmp_path):
    found(FILMS, "net", Compute(), tmp_path)
    path = sorted(tmp_path.rglob("*.entry"))[4]
    path.unlink()
    os.mkfifo(path)
    np.testing.assert_array_equal(found(FILMS, "net", Compute(), tmp_path), Compute()(FILMS))
