"""Whole models to a file and back, in this process and in others."""

import copy
import io
import json
import os
import pickle
import sys
import warnings
from itertools import cycle
from pathlib import Path
from zipfile import ZipFile

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skosteo import (
    ClinicalOsteoClassifier,
    RecalibratedClassifier,
    load_model,
    read_card,
    save_model,
)
from skosteo.exceptions import InputError, ModelChangedWarning, ModelFileError
from skosteo.persistence.archive import read_archive, write_archive
from skosteo.presets import clinical_baseline
from tests.persistence.hostile import members_of
from tests.persistence.models import unfitted, unfitted_regressors
from tests.small_models import small_clinical, small_image, write_films

pytestmark = pytest.mark.filterwarnings(
    "ignore::skosteo.exceptions.MissingModalityWarning", "ignore::skosteo.exceptions.ValuesWarning"
)
HERE = Path(__file__).parent
LOADER = """
import pickle, warnings
from skosteo import load_model
warnings.simplefilter("ignore")
inputs = pickle.load(open(argv[0], "rb"))
answers = {name: load_model(path).predict_proba(X) for name, (path, X) in inputs.items()}
pickle.dump(answers, open(argv[1], "wb"))
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    models, y = unfitted(tmp_path_factory.mktemp("films"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: (model.fit(X, y), X[::5]) for name, (model, X) in models.items()}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.normal(65, 8, 60), "bmi": rng.normal(25, 3, 60)})
    return X, (X["age"] + rng.normal(0, 5, 60) > 65).astype(int)


@pytest.fixture(scope="module")
def net(table):
    return small_clinical().fit(*table)


def test_every_model_answers_the_same_in_another_process(fitted, tmp_path, fresh):
    inputs = {}
    for i, (name, (model, X)) in enumerate(fitted.items()):
        save_model(model, tmp_path / f"{i}.skops")
        inputs[name] = str(tmp_path / f"{i}.skops"), X
    (tmp_path / "inputs").write_bytes(pickle.dumps(inputs))
    fresh.run(LOADER, tmp_path / "inputs", tmp_path / "answers")
    answers = pickle.loads((tmp_path / "answers").read_bytes())
    for name, (model, X) in fitted.items():
        assert np.array_equal(answers[name], model.predict_proba(X)), name


def test_every_regressor_answers_the_same_from_its_file_and_as_a_copy(tmp_path):
    models, y = unfitted_regressors(tmp_path)
    for name, (model, X) in models.items():
        save_model(model.fit(X, y), tmp_path / "model.skops")
        for again in (load_model(tmp_path / "model.skops"), copy.deepcopy(model)):
            answers = zip(
                again.predict(X, return_std=True), model.predict(X, return_std=True), strict=True
            )
            assert all(np.array_equal(*pair) for pair in answers), name
            last = again[-1] if isinstance(again, Pipeline) else again
            assert last.sites_ == ["neck", "spine"]


def by_joblib(model):
    stream = io.BytesIO()
    joblib.dump(model, stream)
    return joblib.load(stream)


def test_every_model_answers_the_same_after_pickle_and_joblib_cloudpickle_or_copy(fitted):
    ways = cycle([
        by_joblib,
        lambda model: pickle.loads(cloudpickle.dumps(model)),
        lambda model: copy.deepcopy(copy.deepcopy(model)),
    ])  # fmt: skip
    for way, (name, (model, X)) in zip(ways, fitted.items(), strict=False):
        expected = model.predict_proba(X)
        for copied in (pickle.loads(pickle.dumps(model)), way(model)):
            assert np.array_equal(copied.predict_proba(X), expected), name


def test_a_loaded_model_can_be_fitted_saved_and_shown_again(fitted, tmp_path):
    model, X = fitted["feature fusion by attention"]
    save_model(model, tmp_path / "a.skops")
    loaded = load_model(tmp_path / "a.skops")
    save_model(loaded, tmp_path / "b.skops")
    again = load_model(tmp_path / "b.skops")
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert str(loaded.get_params()) == str(model.get_params())
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    assert np.array_equal(loaded.attention(X).image, model.attention(X).image)
    many = pd.concat([X] * 5, ignore_index=True)
    y = np.arange(len(many)) % 2
    fitted_again = [clone(one).fit(many, y).predict_proba(X) for one in (loaded, model)]
    assert np.array_equal(*fitted_again)


def test_a_tuned_threshold_decides_as_it_did(table, tmp_path):
    X, y = table
    words = np.where(y == 1, "ill", "well")
    scoring = "balanced_accuracy"
    model = TunedThresholdClassifierCV(LogisticRegression(), scoring=scoring, thresholds=20)
    model.fit(X, words)
    save_model(make_pipeline(StandardScaler(), clone(model)).fit(X, words), tmp_path / "a.skops")
    save_model(model, tmp_path / "b.skops")
    loaded = load_model(tmp_path / "b.skops")
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert loaded.scoring == scoring
    assert set(load_model(tmp_path / "a.skops").predict(X)) == {"ill", "well"}
    model = TunedThresholdClassifierCV(
        LogisticRegression(), scoring=make_scorer(f1_score), thresholds=20
    )
    with pytest.raises(InputError, match="scoring that is no word"):
        save_model(model.fit(X, y), tmp_path / "c.skops")


def test_a_model_that_cannot_decide_is_not_saved(table, tmp_path, monkeypatch):
    model = LogisticRegression().fit(*table)
    monkeypatch.setattr(LogisticRegression, "predict", lambda self, X: self.lost)
    with pytest.raises(InputError, match="does not answer its own examples"):
        save_model(model, tmp_path / "a.skops")


def with_columns(n=200):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.normal(67, 9, n), "sex": rng.choice(["F", "M"], n)})
    return X, (X["age"] + rng.normal(0, 9, n) > 67).astype(int), np.arange(n) // 2


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(
            make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough"),
            LogisticRegression(),
        ),
        make_pipeline(
            make_column_transformer((OneHotEncoder(), [1]), (StandardScaler(), slice(0, 1))),
            LogisticRegression(),
        ),
        HistGradientBoostingClassifier(max_iter=3, categorical_features=[1]),
    ],
)
def test_transformers_of_columns_travel(model, tmp_path):
    X, y, _ = with_columns()
    model.fit(X, y)
    save_model(model, tmp_path / "a.skops")
    loaded = load_model(tmp_path / "a.skops")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "model",
    [
        RecalibratedClassifier(LogisticRegression(), cv=StratifiedGroupKFold(3)),
        CalibratedClassifierCV(LogisticRegression(), cv=StratifiedKFold(3)),
        TunedThresholdClassifierCV(LogisticRegression(), cv=StratifiedKFold(3), thresholds=20),
        StackingClassifier(
            [("a", LogisticRegression())], cv=[(np.arange(100), np.arange(100, 200)),
                                               (np.arange(100, 200), np.arange(100))],
        ),
    ],
)  # fmt: skip
def test_folds_stay_at_home(model, tmp_path):
    X, y, patients = with_columns()
    takes = {"groups": patients} if isinstance(model, RecalibratedClassifier) else {}
    model.fit(X[["age"]], y, **takes)
    save_model(model, tmp_path / "a.skops")
    loaded = load_model(tmp_path / "a.skops")
    assert loaded.cv is None
    assert np.array_equal(loaded.predict_proba(X[["age"]]), model.predict_proba(X[["age"]]))
    assert loaded.fit(X[["age"]], y).predict(X[["age"]]).mean() == pytest.approx(0.5, abs=0.2)


def test_of_a_search_what_it_found_is_asked_for(table, tmp_path):
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}).fit(*table)
    with pytest.raises(InputError, match=r"save_model\(search\.best_estimator_, path\)"):
        save_model(search, tmp_path / "a.skops")
    save_model(search.best_estimator_, tmp_path / "a.skops")


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (Path("card.md"), "give the Markdown text itself"),
        (b"text", "card is a bytes"),
        ("a\udc80", "half a character"),
        ("\N{BONE}" * 2_200_000, r"card has 8,800,000 bytes; a file takes 8,388,608"),
    ],
)
def test_a_card_that_could_not_be_read_again_is_refused(card, said, net, tmp_path):
    with pytest.raises(InputError, match=said):
        save_model(net, tmp_path / "model.skops", card=card)
    assert not list(tmp_path.iterdir())


def test_equal_fits_make_equal_files(table, tmp_path):
    for name in ("a", "b"):
        model = clinical_baseline("random_forest", n_estimators=3, random_state=0).fit(*table)
        save_model(model, tmp_path / f"{name}.skops")
    assert (tmp_path / "a.skops").read_bytes() == (tmp_path / "b.skops").read_bytes()


def test_a_file_of_release_0_1_answers_as_it_did():
    """Made by make_release_0_1.py of this folder."""
    model = load_model(HERE / "release_0_1.skops")
    expected = json.loads((HERE / "release_0_1.json").read_text())
    X = pd.DataFrame(expected["X"])
    assert np.abs(model.predict_proba(X)[:, 1] - expected["probabilities"]).max() < 1e-6
    assert "synthetic" in read_card(HERE / "release_0_1.skops")


def test_the_card_travels_in_the_file(net, tmp_path):
    save_model(net, tmp_path / "a.skops", card="# Für Ärzte\n")
    save_model(net, tmp_path / "b.skops")
    assert read_card(tmp_path / "a.skops") == "# Für Ärzte\n"
    assert read_card(tmp_path / "b.skops") is None


@pytest.mark.parametrize("make", [small_clinical, small_image])
def test_the_file_is_little_larger_than_the_weights(make, table, tmp_path):
    X = table[0] if make is small_clinical else np.random.default_rng(0).random((60, 24, 24))
    model = make().fit(X, table[1])
    save_model(model, tmp_path / "model.skops")
    weights = sum(w.nbytes for w in model.__getstate__()["_weights"].values())
    assert (tmp_path / "model.skops").stat().st_size < 1.01 * weights + 25_000


def test_a_backbone_that_nets_share_is_in_the_file_once(table, tmp_path):
    X, y = np.random.default_rng(0).random((60, 24, 24)), table[1]
    frozen = {"freeze_backbone": True, "wavelet": False, "soft_attention": False}
    nets = [(str(lr), small_image(lr=lr, **frozen)) for lr in (1e-4, 1e-3, 1e-2)]
    together = VotingClassifier(nets, voting="soft").fit(X, y)
    save_model(together.estimators_[0], tmp_path / "one.skops")
    save_model(together, tmp_path / "three.skops")
    one, three = (Path(tmp_path, name).stat().st_size for name in ("one.skops", "three.skops"))
    assert three < 1.2 * one
    loaded = load_model(tmp_path / "three.skops")
    assert (loaded.predict_proba(X) == together.predict_proba(X)).all()
    with torch.no_grad():  # each has its own again
        next(loaded.estimators_[0].net_.module_.backbone.parameters()).zero_()
    for changed, net, saved in zip(
        (1, 0, 0), loaded.estimators_, together.estimators_, strict=True
    ):
        assert (net.predict_proba(X) != saved.predict_proba(X)).any() == changed


class TestChanged:
    """A model that answers otherwise than when it was saved says so."""

    @pytest.fixture
    def moved(self, net, tmp_path, monkeypatch):
        save_model(net, tmp_path / "model.skops")

        def load(by):
            plain = ClinicalOsteoClassifier.decision_function
            monkeypatch.setattr(
                ClinicalOsteoClassifier, "decision_function", lambda self, X: plain(self, X) + by
            )
            return load_model(tmp_path / "model.skops")

        return load

    def test_much_is_an_error(self, moved):
        with pytest.raises(ModelFileError, match=r"moved by 0\.0\d.* Install the versions"):
            moved(0.1)

    def test_little_is_a_warning(self, moved):
        with pytest.warns(ModelChangedWarning, match=r"moved by \d\.?\d?e-05"):
            assert moved(1e-4) is not None

    @pytest.mark.parametrize("by", [1e-8, 2e-5])  # of the log odds, at most a quarter of risk
    def test_what_single_precision_cannot_hold_is_silent(self, moved, by):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            moved(by)

    def test_not_answering_is_an_error(self, moved):
        with pytest.raises(ModelFileError, match="moved by nan"):
            moved(np.nan)


class TestRefused:
    """What cannot be saved."""

    def test_no_suffix(self, net, tmp_path):
        with pytest.raises(InputError, match=r"ends in '.pkl'. Let it end in .skops"):
            save_model(net, tmp_path / "model.pkl")

    def test_no_classifier(self, table, tmp_path):
        with pytest.raises(InputError, match="StandardScaler is no classifier"):
            save_model(StandardScaler().fit(table[0]), tmp_path / "model.skops")

    def test_not_fitted(self, tmp_path):
        with pytest.raises(InputError, match="ClinicalOsteoClassifier is not fitted"):
            save_model(small_clinical(), tmp_path / "model.skops")

    def test_training_rows(self, table, tmp_path):
        with pytest.raises(InputError, match="KNeighborsClassifier keeps the rows"):
            save_model(KNeighborsClassifier().fit(*table), tmp_path / "model.skops")
        assert not list(tmp_path.iterdir())

    def test_a_class_that_nobody_else_has(self, table, tmp_path):
        class Own(ClinicalOsteoClassifier):
            pass

        model = Own(max_epochs=1, batch_size=32, random_state=0).fit(*table)
        with pytest.raises(InputError, match=r"cannot be saved.*Own"):
            save_model(model, tmp_path / "model.skops")
        assert not list(tmp_path.iterdir())

    def test_no_inputs_can_be_made(self, table, tmp_path):
        class Shy(ClinicalOsteoClassifier):
            def predict_proba(self, X):
                if len(X) != 3:
                    raise ValueError
                return super().predict_proba(X)

        model = Shy(max_epochs=1, batch_size=32, random_state=0).fit(*table)
        with pytest.raises(InputError, match=r"No synthetic rows.*\(ValueError\). Give examples="):
            save_model(model, tmp_path / "model.skops")


def test_rows_that_a_user_has_made_up(net, tmp_path):
    made_up = pd.DataFrame({"age": [60, 70], "bmi": [20.0, 30.0]})
    save_model(net, tmp_path / "model.skops", examples=made_up)
    assert load_model(tmp_path / "model.skops").predict(made_up).shape == (2,)
    with pytest.raises(InputError, match="such as paths"):
        save_model(net, tmp_path / "b.skops", examples=made_up.assign(film="/ward/jane_doe.dcm"))


def test_a_missing_file_a_folder_and_a_pipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read in (load_model, read_card):
        with pytest.raises(FileNotFoundError) as caught:
            read("none.skops")
        assert f"no model file '{tmp_path / 'none.skops'}'. Check its name" in str(caught.value)
    os.mkfifo(tmp_path / "pipe.skops")
    for path in (tmp_path, tmp_path / "pipe.skops"):
        with pytest.raises(ModelFileError, match="folder or device"):
            load_model(path)


def test_weights_of_true_and_false_stay_two(table, tmp_path):
    X, y = table[0], table[1].astype(bool)
    model = small_clinical(class_weight={False: 1, True: 3}).fit(X, y)
    save_model(model, tmp_path / "model.skops")
    again = clone(load_model(tmp_path / "model.skops")).fit(X, y)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_model_of_xgboost_where_it_is_not_installed(table, tmp_path, monkeypatch):
    save_model(clinical_baseline("xgboost").fit(*table), tmp_path / "model.skops")
    for module in ("xgboost", "xgboost.sklearn", "xgboost.core"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"needs xgboost, which .* 'skosteo\[xgboost\]'"):
        load_model(tmp_path / "model.skops")


def test_a_net_of_a_gpu_computes_on_the_cpu_where_there_is_none(net, table, tmp_path, monkeypatch):
    model = copy.deepcopy(net)
    model.device = "cuda"
    save_model(model, tmp_path / "model.skops")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    loaded = load_model(tmp_path / "model.skops")
    assert loaded.device == "cuda"
    with pytest.warns(UserWarning, match="no GPU here: it computes on the CPU"):
        assert np.array_equal(loaded.predict_proba(table[0]), net.predict_proba(table[0]))


def test_an_error_of_an_unfitted_net():
    assert not hasattr(small_clinical(), "net_")
    with pytest.raises(NotFittedError):
        pickle.loads(pickle.dumps(small_clinical())).predict_proba([[1, 2]])


@pytest.mark.parametrize("size", [10**5, 0, -24])
def test_films_of_a_size_that_fills_memory_are_refused(size, tmp_path):
    X, y, _ = write_films(tmp_path, 16)
    save_model(small_image(max_epochs=1).fit(X[["image"]], y), tmp_path / "model.skops")
    members = members_of((tmp_path / "model.skops").read_bytes())
    said, wanted = b'"content":"24"', f'"content":"{size}"'.encode()
    members["schema.json"] = members["schema.json"].replace(said, wanted)
    (tmp_path / "model.skops").write_bytes(write_archive(members, {}))
    with pytest.raises(ModelFileError, match="more than 2048 pixels a side"):
        load_model(tmp_path / "model.skops")


def test_one_flipped_bit_is_refused_or_changes_nothing(net, table, tmp_path):
    path = tmp_path / "model.skops"
    save_model(net, path)
    whole, expected = path.read_bytes(), net.predict_proba(table[0])
    rng, n_refused = np.random.default_rng(0), 0
    for place in rng.integers(0, len(whole), 40):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            answers = load_model(path).predict_proba(table[0])
        except ModelFileError:
            n_refused += 1
        else:
            assert np.array_equal(answers, expected)
    assert n_refused > 30


KILLED = """
import os, random, resource, signal, time
from pathlib import Path
import numpy as np, torch
from skosteo import load_model, save_model
from tests.small_models import small_clinical
torch.set_num_threads(1)
path, n = Path(argv[0]) / "model.skops", int(argv[1])
X = np.random.default_rng(0).normal(size=(40, 2))
models = [small_clinical(random_state=i).fit(X, X[:, 0] > 0) for i in range(2)]
files = []
for model in models:
    save_model(model, path)
    files.append(path.read_bytes())

def save_for_ever():
    while True:
        for model in models:
            save_model(model, path)

def save_on_a_full_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        save_model(models[0], path)
    except OSError:
        os._exit(3)
    os._exit(0)

def child(job):
    pid = os.fork()
    if not pid:
        job()
    return pid

for i in range(n):
    pid = child(save_for_ever)
    time.sleep(random.Random(i).uniform(0.01, 0.15))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert path.read_bytes() in files, i
    load_model(path)
for left in path.parent.glob(".writing-*"):
    left.unlink()
before = path.read_bytes()
assert os.waitstatus_to_exitcode(os.waitpid(child(save_on_a_full_disk), 0)[1]) == 3
assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1
"""


@pytest.mark.parametrize("n", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_or_a_full_disk_leaves_the_old_file_or_the_new(n, tmp_path, fresh):
    fresh.run(KILLED, tmp_path, n)


def test_pillow_and_the_rest_are_named_in_the_manifest(net, tmp_path):
    save_model(net, tmp_path / "model.skops")
    with ZipFile(tmp_path / "model.skops") as file:
        manifest = json.loads(file.read("manifest.json"))
    assert manifest["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert set(manifest["sha256"]) == set(file.namelist()) - {"manifest.json"}


def test_a_file_written_again_by_hand_is_read(net, tmp_path):
    """Digests guard against accidents, not against forgers: a reader needs no key."""
    save_model(net, tmp_path / "model.skops")
    with read_archive(io.BytesIO((tmp_path / "model.skops").read_bytes())) as file:
        members = {name: file.read(name) for name in file.namelist() if name != "manifest.json"}
    (tmp_path / "b.skops").write_bytes(write_archive(members, {}))
    assert load_model(tmp_path / "b.skops") is not None
