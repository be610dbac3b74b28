"""No file can run code, fill memory or be taken for a model that it is not."""

import json
import re

import numpy as np
import pytest

from skosteo import save_model
from tests.persistence.hostile import hostile_files
from tests.small_models import small_clinical

LIMIT = 64 * 2**20
# peak memory counts from what is there once a good model is loaded
LOADER = """
import json, resource, sys, warnings
from pathlib import Path
from skosteo import load_model
warnings.simplefilter("ignore")
load_model(argv[0])
told, peak = {}, lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for path in sorted(Path(argv[1]).iterdir(), key=lambda path: path.stat().st_size):
    start = peak()
    try:
        load_model(path)
        told[path.stem] = "loaded", "", 0
    except Exception as error:
        told[path.stem] = type(error).__name__, str(error), peak() - start
told[""] = "", sorted({"antigravity", "skosteo.commands"} & set(sys.modules)), peak() - before
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory, fresh):
    """What a process says to all hostile files, and what they should make it say."""
    folder = tmp_path_factory.mktemp("hostile")
    X = np.random.default_rng(0).normal(size=(40, 2))
    net = small_clinical(n_members=1, hidden_layer_sizes=(50,))
    save_model(net.fit(X, X[:, 0] > 0), folder / "good.skops")
    mark = folder / "mark"
    files = hostile_files((folder / "good.skops").read_bytes(), str(mark))
    (folder / "files").mkdir()
    for name, (data, _) in files.items():
        (folder / "files" / f"{name}.skops").write_bytes(data)
    found = json.loads(fresh.run(LOADER, folder / "good.skops", folder / "files"))
    assert not mark.exists()
    return found, {name: said for name, (_, said) in files.items()}


def test_each_is_refused_with_the_reason(told):
    found, expected = told
    assert len(expected) >= 50
    for name, said in expected.items():
        kind, message, _ = found[name]
        assert kind == "ModelFileError", (name, found[name])
        assert said is None or re.search(said, message), (name, message)


def test_none_of_their_modules_is_imported(told):
    assert told[0][""][1] == []


def test_memory_stays_small(told):
    """Above that of a process that has loaded a good model."""
    assert told[0][""][2] < LIMIT
