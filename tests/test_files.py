import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skosteo._files import UNFINISHED, atomic_writer, scratch_folder, write_atomic, write_csv


def test_writes_and_replaces(tmp_path):
    target = tmp_path / "entry"
    write_atomic(target, b"one")
    write_atomic(str(target), b"two")
    assert target.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["entry"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "entry"
    write_atomic(target, b"old")

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["entry"]


def test_the_file_is_whole_before_it_takes_its_name(tmp_path, monkeypatch):
    seen = []
    replace = os.replace

    def watch(source, target):
        with open(source, "rb") as stream:
            seen.append((os.path.dirname(source), stream.read()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write_atomic(tmp_path / "entry", b"film")
    assert seen == [(str(tmp_path), b"film")]


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "no" / "entry", b"film")


def test_a_stream_is_written_part_by_part(tmp_path):
    target = tmp_path / "entry"
    write_atomic(target, b"old")
    with atomic_writer(target) as stream:
        for part in (b"fi", b"l", b"m"):
            stream.write(part)
            assert target.read_bytes() == b"old"
        names = set(os.listdir(tmp_path)) - {"entry"}
        assert [name.startswith(UNFINISHED) for name in names] == [True]
    assert target.read_bytes() == b"film"
    assert os.listdir(tmp_path) == ["entry"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(error, tmp_path):
    target = tmp_path / "entry"
    write_atomic(target, b"old")

    def write():
        with atomic_writer(target) as stream:
            stream.write(b"fi")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["entry"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_owner_may_read(tmp_path):
    write_atomic(tmp_path / "entry", b"film")
    assert (tmp_path / "entry").stat().st_mode & 0o077 == 0


FORMULAS = [
    "=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1+1", '=HYPERLINK("x")', "-x",
    "\uff1d1+1", "\uff201", "=cmd|' /C calc'!A0", "-", "+",
]  # fmt: skip
TEXTS = ["fused", "a=b", "1-2", ".951 [.93, .97]", "-.3", "+4", "-1e-05", "-12.5%", "", "男"]


def starts_formula(cell):
    """Read as a spreadsheet does: blanks go, then the first sign decides, unless it is a number."""
    cell = cell.strip()
    try:
        float(cell)
    except ValueError:
        return cell[:1] in "=+-@\uff1d\uff0b\uff0d\uff20" and cell != ""
    return False


def read_cells(path):
    with open(path, encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize("where", ["cell", "heading", "index", "index name", "levels", "category"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(formula, where, tmp_path):
    frame = pd.DataFrame({"model": ["fused", "image"], "auc": [0.9, 0.8]})
    if where == "cell":
        frame.loc[0, "model"] = formula
    elif where == "heading":
        frame = frame.rename(columns={"model": formula})
    elif where == "index":
        frame.index = [formula, "b"]
    elif where == "index name":
        frame.index.name = formula
    elif where == "levels":
        frame.index = pd.MultiIndex.from_tuples([(formula, "a"), ("b", formula)])
    else:
        frame["model"] = pd.Categorical([formula, "b"])
    write_csv(tmp_path / "a.csv", frame)
    cells = [cell for row in read_cells(tmp_path / "a.csv") for cell in row]
    assert not any(map(starts_formula, cells))
    assert f"'{formula}" in cells  # and nothing is lost


@pytest.mark.parametrize("mark", [";", "; ", ';"', ";;", "\t", "x;y;", "\n"])
@pytest.mark.parametrize("formula", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "＝1+1"])  # noqa: RUF001
def test_no_part_behind_a_semicolon_is_a_formula(mark, formula, tmp_path):
    """What a spreadsheet that parts at semicolons, or at tabs, makes of the lines."""
    write_csv(tmp_path / "a.csv", pd.DataFrame({"a": [f"ward{mark}{formula}"], "b": [1]}), False)
    text = (tmp_path / "a.csv").read_text("utf-8-sig")
    for cell in re.split(r"[;\t\r\n]", text):
        assert not re.match(r'[\s"]*[=+@＝-]', cell), cell  # noqa: RUF001
    assert formula in text


@pytest.mark.parametrize("cell", ["+" + "1" * 100_000, "\t" * 16_000, "; " * 16_000 + "x"])
def test_a_long_cell_takes_no_time(cell, tmp_path):
    start = time.perf_counter()
    write_csv(tmp_path / "a.csv", pd.DataFrame({"a": [cell + "x"]}), False)
    assert time.perf_counter() - start < 1  # 13 s where every start is tried


def test_other_texts_and_numbers_stay(tmp_path):
    numbers = [-0.3, -4.0, np.nan, 1e-9, np.inf, 2.0, 3.0, 4.0, -5.0, 6.5]
    frame = pd.DataFrame({"text": TEXTS, "number": numbers, -1: range(10)})
    write_csv(tmp_path / "a.csv", frame, index=False)
    assert read_cells(tmp_path / "a.csv")[0] == ["text", "number", "-1"]
    back = pd.read_csv(tmp_path / "a.csv", dtype={"text": str}, keep_default_na=False)
    assert back["text"].tolist() == TEXTS
    back = pd.read_csv(tmp_path / "a.csv")
    assert back["number"].tolist() == pytest.approx(numbers, nan_ok=True)
    assert back["-1"].tolist() == list(range(10))


def test_a_full_disk_and_a_missing_folder_leave_the_old_table(tmp_path, monkeypatch):
    frame = pd.DataFrame({"a": [1]})
    write_csv(tmp_path / "a.csv", frame)
    old = (tmp_path / "a.csv").read_bytes()
    with pytest.raises(FileNotFoundError):
        write_csv(tmp_path / "no" / "a.csv", frame)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_csv(tmp_path / "a.csv", frame + 1)
    assert (tmp_path / "a.csv").read_bytes() == old
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_folder_that_a_killed_process_left_is_cleared_and_one_in_use_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = "from skosteo._files import scratch_folder\nwith scratch_folder() as f:"
    code += "\n    open(f + '/film', 'w').close(); print(f, flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    left = Path(process.stdout.readline().strip())
    mine = tmp_path / "skosteo-scratch-of-my-own"
    mine.mkdir()
    for folder in (left, mine):
        os.utime(folder, (0, 0))
    with scratch_folder():
        assert (left / "film").exists()
    process.kill()
    process.communicate()
    with scratch_folder() as folder:
        assert not left.exists()
        assert mine.exists()
        Path(folder, "film").touch()
    assert list(tmp_path.iterdir()) == [mine]
