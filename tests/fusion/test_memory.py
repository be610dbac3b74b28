"""A kept branch is taken for no other, and nobody else can plant one."""

import io
import os
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest
from joblib import Memory

from skosteo.exceptions import InputError
from skosteo.fusion.memory import branch_digest, open_memory, table_digest
from tests.small_models import small_image


def test_the_digest_of_a_table_is_of_its_content(tmp_path):
    film = tmp_path / "film.png"
    film.write_bytes(b"1")
    plain = pd.DataFrame({"film": [str(film)] * 3, "age": [1.0, 2.0, np.nan], "sex": list("MFM")})
    digest = table_digest(plain)
    assert table_digest(plain.copy().set_index(pd.Index([7, 8, 9]))) == digest
    sexes = [pd.CategoricalDtype(list(order)) for order in ("FM", "MF")]
    others = [
        plain.rename(columns={"age": "bmi"}),
        plain.assign(age=[1.0, 2.0, 3.0]),
        plain.assign(age=["1.0", "2.0", "nan"]),
        plain.assign(age=plain["age"].astype("f4")),
        plain.assign(film=str(tmp_path / "none.png")),
        plain[::-1],
        *[plain.astype({"sex": dtype}) for dtype in sexes],
    ]
    digests = [table_digest(other) for other in others]
    film.write_bytes(b"22")  # another film under the same name
    digests += [table_digest(plain), digest]
    assert len(set(digests)) == len(others) + 2


def exchange(file, content):
    """Another content of the same size, and with the old time of modification."""
    before = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_film_and_weights_that_were_exchanged_are_noticed(tmp_path):
    film, weights = tmp_path / "film.png", tmp_path / "weights.pth"
    film.write_bytes(b"1")
    weights.write_bytes(b"1")
    table = pd.DataFrame({"film": [str(film)]})
    branch = small_image(pretrained=weights)
    digests = [branch_digest(branch, table), branch_digest(branch, table.copy())]
    assert digests[0] == digests[1]
    exchange(film, b"2")
    digests.append(branch_digest(branch, table))
    exchange(weights, b"2")
    digests.append(branch_digest(branch, table))
    assert len(set(digests)) == 3


@pytest.mark.parametrize("kind", ["bytes", "open file", "part of an archive"])
def test_a_film_that_is_no_path_is_known_by_its_content(kind, tmp_path):
    def digest(name, content):
        with zipfile.ZipFile(tmp_path / name, "w") as files:
            files.writestr("film.png", content)
        film = {
            "bytes": content,
            "open file": io.BytesIO(content),
            "part of an archive": zipfile.Path(tmp_path / name, "film.png"),
        }[kind]
        table = pd.DataFrame({"film": [film]}, dtype=object)
        first = table_digest(table)
        read_again = getattr(film, "read", getattr(film, "read_bytes", bytes))()
        assert read_again in (content, b"")
        assert table_digest(table) == first
        return first

    assert digest("a.zip", b"1") == digest("b.zip", b"1") != digest("a.zip", b"2")


def test_the_folder_is_made_for_its_owner_alone(tmp_path):
    memory = open_memory(tmp_path / "new" / "kept")
    assert stat.S_IMODE((tmp_path / "new" / "kept").stat().st_mode) == 0o700
    twice = memory.cache(np.negative)
    assert twice(2) == twice(2) == -2
    assert open_memory(None).location is None
    assert open_memory(known := Memory(tmp_path)) is known


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path, mode):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept").chmod(mode)
    with pytest.raises(InputError, match=r"others own or may write to.*chmod 700"):
        open_memory(str(tmp_path / "kept"))
