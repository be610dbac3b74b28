"""What is shipped: a wheel that needs nothing beside it, and a source that can be tested."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "_build", "api", "auto_examples")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the archive of the source and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    source.mkdir()
    for item in ROOT.iterdir():
        if item.is_file():
            shutil.copy(item, source)
        elif item.name in {"docs", "examples", "skosteo", "tests"}:
            shutil.copytree(item, source / item.name, ignore=NOT_SOURCE)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def package_files():
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / "skosteo").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_package_and_no_other(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = wheel.read(about).decode()
        entry_points = wheel.read(about.replace("METADATA", "entry_points.txt")).decode()
    assert {name for name in names if ".dist-info/" not in name} == package_files()
    assert "skosteo/py.typed" in names
    assert about.replace("METADATA", "licenses/LICENSE") in names
    assert "skosteo = skosteo.commands:main" in entry_points
    for line in ("License-Expression: BSD-3-Clause", "Classifier: Typing :: Typed"):
        assert f"\n{line}\n" in metadata


def test_the_source_archive_has_what_the_tests_and_the_documentation_need(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert package_files() < names
    for file in ("LICENSE", "CITATION.cff", "Makefile", "constraints.txt", "setup.cfg"):
        assert file in names
    for file in ("docs/conf.py", "examples/quickstart.py", "tests/conftest.py"):
        assert file in names
    assert "docs/_static/mathjax/LICENSE" in names
    assert "tests/persistence/release_0_1.skops" in names


def test_the_wheel_runs_without_the_source_beside_it(built, tmp_path):
    """The command answers, and every template and list of the package is found."""
    with zipfile.ZipFile(built[1]) as wheel:
        wheel.extractall(tmp_path / "site")
    code = (
        "import skosteo; from skosteo.commands import main;"
        f"assert skosteo.__file__.startswith({str(tmp_path)!r}); main(['--help'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert run.stdout.startswith("usage: skosteo"), run.stderr
