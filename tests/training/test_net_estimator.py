"""What every estimator of a net does: skorch inside, scikit-learn outside."""

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score, learning_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)

import skosteo
from skosteo import ClinicalOsteoClassifier
from skosteo.exceptions import InputError, TrainingError
from tests.small_models import small_clinical, small_image

ROOT = Path(skosteo.__file__).parents[1]
rng = np.random.default_rng(0)
Y = np.arange(80) % 2
X = rng.normal(size=(80, 3)) + Y[:, None]
FILMS = (rng.integers(0, 120, (80, 24, 24)) + 60 * Y[:, None, None]).astype(np.uint8)
KINDS = {"clinical": (small_clinical, X), "image": (small_image, FILMS)}


@pytest.fixture(scope="module")
def models():
    return {kind: (make().fit(data, Y), data) for kind, (make, data) in KINDS.items()}


@pytest.fixture(params=KINDS)
def fitted(request, models):
    return models[request.param]


# ---------------------------------------------------------------- net_ is a skorch net


def test_the_net_says_what_the_estimator_says(fitted):
    model, data = fitted
    inputs, p = model.net_inputs(data), model.predict_proba(data)
    np.testing.assert_allclose(model.net_.predict_proba(inputs), p, atol=1e-6)
    logits = model.net_.forward(inputs).numpy()
    np.testing.assert_allclose(logits, model.decision_function(data), atol=1e-5)
    assert np.array_equal(model.classes_[model.net_.predict(inputs)], model.predict(data))


def test_the_history_of_the_net_is_that_of_the_estimator(fitted):
    model, _ = fitted
    for column in ("train_loss", "valid_loss"):
        assert model.net_.history[:, column] == model.history_[column].tolist()


def test_parameters_of_the_net_are_saved_and_loaded(fitted, tmp_path):
    model, data = fitted
    inputs = model.net_inputs(data)
    expected = model.net_.predict_proba(inputs)
    model.net_.save_params(f_params=tmp_path / "net.pt")
    other = clone(model.net_).initialize()
    assert not np.allclose(other.predict_proba(inputs), expected, atol=1e-3)
    other.load_params(f_params=tmp_path / "net.pt")
    assert np.array_equal(other.predict_proba(inputs), expected)


def test_a_trained_net_holds_no_rows_and_no_moments(fitted):
    model, _ = fitted
    assert (
        len(pickle.dumps(model))
        < 3 * sum(p.numel() * p.element_size() for p in model.net_.module_.parameters())
        + len(pickle.dumps(model.reader_ if hasattr(model, "reader_") else 0))
        + 30_000
    )


class Recording(Callback):
    def __init__(self):
        self.events = []

    def on_batch_begin(self, net, **kwargs):
        self.events.append("batch begins")

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.events.append("gradient")

    def on_batch_end(self, net, **kwargs):
        self.events.append("batch ends")

    def on_epoch_end(self, net, **kwargs):
        self.events.append("epoch ends")


def test_events_of_batches_and_gradients_fire():
    recording = Recording()
    small_clinical(n_members=1, callbacks=[recording], max_epochs=2, batch_size=32).fit(X, Y)
    epoch = ["batch begins", "gradient", "batch ends"] * 2 + ["batch begins", "batch ends"]
    assert recording.events == 2 * [*epoch, "epoch ends"]


def test_a_callback_that_only_listens_changes_nothing():
    quiet = small_clinical().fit(X, Y)
    heard = small_clinical(callbacks=[Recording()]).fit(X, Y)
    np.testing.assert_allclose(heard.predict_proba(X), quiet.predict_proba(X), atol=1e-12)
    columns = ["epoch", "train_loss", "valid_loss", "valid_accuracy", "lr"]
    np.testing.assert_allclose(heard.history_[columns], quiet.history_[columns], atol=1e-12)


def test_epoch_scoring_notes_the_score_of_the_early_stopping_rows():
    scoring = EpochScoring("roc_auc", name="valid_auc", lower_is_better=False)
    model = small_clinical(callbacks=[scoring]).fit(X, Y)
    assert model.history_["valid_auc"].between(0.5, 1).all()
    assert model.net_.history[:, "valid_auc"] == model.history_["valid_auc"].tolist()


def test_gradients_are_clipped():
    free = small_clinical(max_epochs=1, early_stopping=False).fit(X, Y)
    clip = GradientNormClipping(gradient_clip_value=1e-12)
    # of plain gradient descent, whose steps are as long as the gradient
    params = {"optimizer": torch.optim.SGD, "max_epochs": 1, "early_stopping": False}
    still = small_clinical(callbacks=[clip], **params).fit(X, Y)
    untrained = clone(still.net_).initialize()
    for name, weight in still.net_.module_.state_dict().items():
        torch.testing.assert_close(weight, untrained.module_.state_dict()[name])
    assert not np.allclose(free.predict_proba(X), still.predict_proba(X))


def test_a_checkpoint_keeps_the_weights_of_the_best_epoch(tmp_path):
    keep = Checkpoint(dirname=str(tmp_path), monitor="valid_loss_best")
    model = small_clinical(callbacks=[keep], max_epochs=10).fit(X, Y)
    other = clone(model.net_).initialize()
    other.load_params(checkpoint=keep)
    inputs = model.net_inputs(X)
    assert np.array_equal(other.predict_proba(inputs), model.net_.predict_proba(inputs))


def test_skorchs_early_stopping_ends_the_training_and_ctrl_c_raises():
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=10, sink=lambda text: None)
    assert small_clinical(callbacks=[stop], max_epochs=50).fit(X, Y).n_iter_ < 5

    class Interrupted(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_clinical(callbacks=[Interrupted]).fit(X, Y)


def test_a_search_is_pruned_by_a_callback():
    """As optuna's pruning does: an exception of its own, raised at the end of an epoch."""

    class TrialPruned(Exception):
        pass

    class Pruning(Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1, "epoch"] == 2:
                raise TrialPruned

    model = small_clinical(callbacks=[Pruning()])
    with pytest.raises(TrialPruned):
        model.fit(X, Y)
    assert not hasattr(model, "net_")


def test_a_schedule_of_ones_own_takes_the_place_of_ours():
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    model = small_clinical(callbacks=[schedule], max_epochs=3, lr=0.4).fit(X, Y)
    np.testing.assert_allclose(model.history_["lr"], [0.4, 0.2, 0.1])


def test_optimiser_and_its_parameters_and_those_of_the_module():
    model = small_clinical(
        n_members=1,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.5,
        module__hidden_layer_sizes=(7,),
    )
    net = clone(model).fit(X, Y).net_
    assert isinstance(net.optimizer_, torch.optim.SGD)
    assert net.optimizer_.param_groups[0]["momentum"] == 0.5
    assert net.module_.layers[0].out_features == 7
    strong = clone(model).set_params(optimizer__weight_decay=10.0).fit(X, Y)
    weak = clone(model).set_params(optimizer__weight_decay=0.0).fit(X, Y)
    size = [float(m.net_.module_.layers[0].weight.detach().square().sum()) for m in (strong, weak)]
    assert size[0] < size[1] / 2


def test_groups_of_parameters_and_an_optimiser_that_knows_no_closure():
    class Plain(torch.optim.SGD):
        def step(self):
            return super().step()

    groups = [("layers.0.*", {"lr": 0.0})]
    model = small_clinical(optimizer=Plain, optimizer__param_groups=groups).fit(X, Y)
    untrained = clone(model.net_).initialize().module_.layers[0].weight
    assert torch.equal(model.net_.module_.layers[0].weight, untrained)
    assert model.history_["train_loss"].iloc[-1] < model.history_["train_loss"].iloc[0]


def test_an_optimiser_that_steps_by_a_closure():
    model = small_clinical(optimizer=torch.optim.LBFGS, lr=0.1, batch_size=64).fit(X, Y)
    assert model.history_["train_loss"].iloc[-1] < model.history_["train_loss"].iloc[0]


def test_the_net_can_be_trained_on(fitted):
    model, data = fitted
    net = pickle.loads(pickle.dumps(model)).net_
    trained = net.forward(model.net_inputs(data))
    torch.manual_seed(0)
    net.partial_fit(model.net_inputs(data), Y.astype(str(next(net.module_.parameters()).dtype)[6:]))
    assert len(net.history) == 2 * model.n_iter_
    assert not torch.equal(net.forward(model.net_inputs(data)), trained)
    if isinstance(model, ClinicalOsteoClassifier):  # batch norm's net may leap before it settles
        assert max(net.history[model.n_iter_ :, "train_loss"]) < net.history[0, "train_loss"]


def test_parameters_of_skorch_are_searched():
    grid = {"optimizer__weight_decay": [0.0, 1.0], "module__dropout": [0.1]}
    search = GridSearchCV(small_clinical(n_members=1), grid, cv=2, scoring="roc_auc").fit(X, Y)
    assert search.best_estimator_.get_params()["optimizer__weight_decay"] in (0.0, 1.0)
    assert search.best_estimator_.net_.module_.layers[2].p == 0.1


def test_a_parameter_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match=r"no parameter 'max_epoch'; did you mean 'max_epochs'\?"):
        small_clinical(max_epoch=3)
    with pytest.raises(ValueError, match="Invalid parameter 'max_epoch'"):
        small_clinical().set_params(max_epoch=3)


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 0), ("lr", float("nan")), ("lr", "fast"), ("lr", 1e-300),
        ("batch_size", 0), ("batch_size", 2.5),
        ("max_epochs", 0),
        ("dropout", 1.0), ("dropout", -0.1),
        ("validation_fraction", 0.6), ("validation_fraction", 0.0),
        ("n_iter_no_change", 0),
        ("class_weight", "even"), ("class_weight", {0: 0, 1: 1}),
        ("class_weight", {0: 1e-12, 1: 1}),
        ("device", "tpu"),
        ("hidden_layer_sizes", (0,)), ("hidden_layer_sizes", 50),
        ("optimizer", "adam"), ("callbacks", Recording()), ("callbacks", [3]),
        ("optimizer__momemtum", 0.9), ("module__dropuot", 0.1),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused_by_its_name(name, value):
    with pytest.raises(InputError, match=name):
        small_clinical().set_params(**{name: value}).fit(X, Y)


def test_a_step_that_is_far_too_large_raises():
    with pytest.raises(TrainingError, match=r"Lower lr \(it is 1000\)"):
        small_clinical(lr=1000).fit(X, Y)


def test_columns_that_are_alike_in_all_rows_are_said():
    with pytest.warns(UserWarning, match="All 80 rows that the net is given are alike"):
        p = small_clinical().fit(np.ones((80, 3)), Y).predict_proba(np.ones((2, 3)))[:, 1]
    assert p[0] == p[1]


def test_a_batch_larger_than_the_data_is_clipped_with_a_warning():
    with pytest.warns(UserWarning, match="batch_size=1000 is more than the 80 rows"):
        clipped = small_clinical(batch_size=1000).fit(X, Y)
    assert clipped.net_.batch_size == 80


@pytest.mark.filterwarnings("ignore:batch_size=|The rows by class")
@pytest.mark.parametrize("n", [60, 80])
def test_a_learning_curve_at_defaults(n):
    model = ClinicalOsteoClassifier(max_epochs=2, random_state=0)
    _, train, test = learning_curve(model, X[:n], Y[:n], cv=2, shuffle=True, random_state=0)
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()


def test_what_is_set_after_fit_changes_nothing_about_predict(fitted):
    model, data = fitted
    expected = model.predict_proba(data)
    changed = pickle.loads(pickle.dumps(model))
    changed.set_params(dropout=0.9, batch_size=1, hidden_layer_sizes=(2,), class_weight="balanced")
    if "image_size" in changed.get_params():
        changed.set_params(image_size=10, wavelet=False, freeze_backbone=True, image_column=None)
    assert np.array_equal(changed.predict_proba(data), expected)


# ---------------------------------------------------------------- reproducible


def test_threads_beside_each_other_train_the_models_they_would_alone():
    def fit(seed):
        return small_clinical(random_state=seed, dropout=0.5).fit(X, Y).predict_proba(X)

    alone = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, range(4)))
    assert all(map(np.array_equal, alone, together))


def test_threads_give_the_same_scores():
    """As other processes do, which `test_composition` asks."""
    scores = cross_val_score(small_clinical(), X, Y, cv=2, scoring="neg_log_loss")
    with parallel_config(backend="threading", n_jobs=2):
        again = cross_val_score(small_clinical(), X, Y, cv=2, scoring="neg_log_loss")
    np.testing.assert_allclose(again, scores, atol=1e-9)


def test_a_vote_in_threads():
    members = [(str(seed), small_clinical(random_state=seed)) for seed in range(2)]
    vote = VotingClassifier(members, voting="soft")
    expected = vote.fit(X, Y).predict_proba(X)
    with parallel_config(backend="threading", n_jobs=2):
        assert np.array_equal(clone(vote).fit(X, Y).predict_proba(X), expected)


def test_the_global_generators_are_untouched_and_do_not_matter(fitted):
    model, data = fitted
    state, numpy_state = torch.get_rng_state(), repr(np.random.mtrand._rand.get_state())
    again = clone(model).fit(data, Y)
    assert torch.equal(torch.get_rng_state(), state)
    assert repr(np.random.mtrand._rand.get_state()) == numpy_state
    assert np.array_equal(again.predict_proba(data), model.predict_proba(data))


def test_another_default_type_of_torch_changes_nothing(fitted):
    model, data = fitted
    torch.set_default_dtype(torch.float64)
    try:
        other = clone(model).fit(data, Y).predict_proba(data)
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.array_equal(other, model.predict_proba(data))


FORKED = """
import os
import numpy as np
import torch
torch.set_num_threads(2)
from tests.training.test_net_estimator import FILMS, X, Y, small_image
model = small_image(max_epochs=1).fit(FILMS, Y)
expected = model.predict_proba(FILMS)
child = os.fork()
if child == 0:
    os._exit(0 if np.allclose(model.predict_proba(FILMS), expected, atol=1e-5) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="there is no fork here")
def test_a_process_forked_after_a_fit_predicts(fresh):
    assert fresh.run(FORKED) == "0\n"


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_any_output_that_scikit_learn_is_set_to(output):
    pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    expected = make_pipeline(StandardScaler(), small_clinical()).fit(X, Y).predict_proba(X)
    with config_context(transform_output=output):
        model = make_pipeline(StandardScaler(), small_clinical()).fit(X, Y)
        np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-9)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(library):
    table = pd.DataFrame(X, columns=["age", "bmi", "calcium"])
    module = pytest.importorskip(library)
    pytest.importorskip("pyarrow")
    other = module.from_pandas(table) if library == "polars" else module.Table.from_pandas(table)
    model = small_clinical().fit(table, Y)
    assert np.array_equal(model.predict_proba(other), model.predict_proba(table))
    again = small_clinical().fit(other, Y)
    assert again.feature_names_in_.tolist() == ["age", "bmi", "calcium"]
    assert np.array_equal(again.predict_proba(table), model.predict_proba(table))


def test_an_array_is_read_by_position_with_the_usual_warning():
    films = pd.DataFrame({"age": X[:, 0], "image": list(FILMS)})
    model = small_image(max_epochs=1).fit(films, Y)
    with pytest.warns(UserWarning, match="does not have valid feature names, but ImageOsteo"):
        by_position = model.predict_proba(films.to_numpy())
    assert np.array_equal(by_position, model.predict_proba(films))


def test_a_sparse_matrix_gets_scikit_learns_message(fitted):
    from scipy.sparse import csr_array

    model, _ = fitted
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense data is required"):
        clone(model).fit(csr_array(X), Y)


def test_a_pickle_names_nothing_of_pyarrow(models):
    assert b"pyarrow" not in pickle.dumps(models)


@pytest.mark.slow
def test_a_pickle_opens_where_pyarrow_is_not_installed(models, tmp_path):
    (tmp_path / "models.pickle").write_bytes(pickle.dumps(models))
    code = """
import pickle, sys

class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent)
with open(sys.argv[1], "rb") as stream:
    models = pickle.load(stream)
for model, data in models.values():
    model.history_, model.predict_proba(data)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "models.pickle")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)


def test_a_fit_in_another_thread_is_no_other():
    found = []
    thread = threading.Thread(target=lambda: found.append(small_image(max_epochs=1).fit(FILMS, Y)))
    thread.start()
    thread.join()
    expected = small_image(max_epochs=1).fit(FILMS, Y).predict_proba(FILMS)
    np.testing.assert_allclose(found[0].predict_proba(FILMS), expected, atol=1e-5)
