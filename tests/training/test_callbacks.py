"""What happens at the end of each epoch: stopping, refusing, noting, showing, telling others."""

import numpy as np
import pytest
import torch
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from torch import nn

from skosteo.exceptions import TrainingError
from skosteo.nets.heads import Head
from skosteo.training.callbacks import EarlyStopping
from tests.small_models import small_clinical
from tests.training.test_fit import fit, rows

Y = np.arange(80) % 2
X = np.random.default_rng(0).normal(size=(80, 3)) + Y[:, None]


class Drifting(nn.Module):
    """A net that gets better, then worse: its validation loss is lowest after epoch 3."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.register_buffer("epoch", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.epoch += 1
        return (x[:, 0].sign() * (3 - (self.epoch - 3).abs())) + 0 * self.unused


def test_early_stopping_restores_the_best_epoch_and_stops_after_patience():
    net, history = fit(
        rows(8), rows(8, seed=1), make=Drifting, given={}, max_epochs=50, n_iter_no_change=4
    )
    assert history["valid_loss"].idxmin() == 2
    assert len(history) == 3 + 4
    assert net.module_.epoch == 3


def test_a_loss_that_is_not_finite_raises_with_the_epoch():
    bad = rows()
    bad.X["x"][3, 1] = float("nan")
    with pytest.raises(TrainingError, match=r"nan.*epoch 1.*Lower lr"):
        fit(bad)


class Noting(Head):
    """Wants the target in training, and has something to note."""

    wants_target = True

    def forward(self, x, target=None):
        assert (target is not None) == self.training
        if target is not None:
            assert target.shape == (len(x), 2)
            self.seen = getattr(self, "seen", 0) + len(target)
        return super().forward(x)

    def facts(self):
        return {"seen": self.seen}


def test_the_target_is_shown_in_training_only_and_facts_are_noted():
    _, history = fit(rows(40), rows(10, seed=1), make=Noting)
    assert list(history)[-1] == "seen"
    assert history["seen"].tolist() == [40, 80, 120, 160, 200]


def test_the_bar_names_the_training_and_its_losses_and_goes_away(capsys):
    _, history = fit(valid=rows(seed=1), verbose=1, name="chest films")
    shown = capsys.readouterr().err
    last = history.iloc[-1]
    assert "chest films:" in shown
    assert "/5 " in shown
    assert f"train_loss={last['train_loss']:.3f}, valid_loss={last['valid_loss']:.3f}" in shown
    assert shown.endswith("\r")  # the line is free again


def test_the_bar_goes_away_where_training_fails(capsys):
    bad = rows()
    bad.X["x"][0] = float("nan")
    with pytest.raises(TrainingError):
        fit(bad, verbose=1)
    assert capsys.readouterr().err.endswith("\r")


def test_the_scoring_monitor_sees_every_epoch():
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = small_clinical(max_epochs=4, early_stopping=False, dropout=0.0)
    model.set_callbacks(monitor).fit(X, Y)
    log = monitor.get_logs(select="most_recent").data_as_pandas
    epochs = log[log["task_name"] == "epoch"]["neg_log_loss"]
    assert len(epochs) == 4
    assert epochs.is_monotonic_increasing
    # the loss by epoch, as scikit-learn computes it from the net of that moment
    assert epochs.iloc[-1] == pytest.approx(-log_loss(Y, model.predict_proba(X)), abs=1e-12)


def test_the_progress_bar_of_a_search_shows_epochs(capsys):
    search = GridSearchCV(small_clinical(max_epochs=3), {"dropout": [0.0, 0.1]}, cv=2)
    search.set_callbacks(ProgressBar()).fit(X, Y)
    assert "ClinicalOsteoClassifier" in capsys.readouterr().out


class StopAfterTwo:
    """A callback of scikit-learn that ends the fit after two epochs."""

    def setup(self, estimator, context):
        self.epochs = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **told):
        pass

    def on_fit_task_end(self, estimator, context, **told):
        if context.task_name != "epoch":
            return False
        self.epochs += 1
        return self.epochs == 2


def test_a_callback_of_scikit_learn_ends_the_training():
    model = small_clinical(max_epochs=9, early_stopping=False).set_callbacks(StopAfterTwo())
    two = small_clinical(max_epochs=2, early_stopping=False).fit(X, Y)
    stopped = model.fit(X, Y)
    assert stopped.n_iter_ == 2
    assert np.array_equal(stopped.predict_proba(X), two.predict_proba(X))


class Epochs:
    """A net, as far as early stopping looks at it, whose validation losses are given."""

    def __init__(self, losses):
        self.losses, self.batch_size, self.module_ = losses, 10, torch.nn.Linear(1, 1)

    def best_of(self, stopping):
        for epoch in range(1, len(self.losses) + 1):
            self.history = _History(self.losses[:epoch])
            stopping.on_epoch_end(self, dataset_train=range(40), dataset_valid=range(50))
        return stopping.best_epoch


class _History(list):
    def __getitem__(self, key):
        return super().__getitem__(key[0])


@pytest.mark.parametrize(
    ("settings", "best"),
    [
        ({}, 5),
        # 4 steps an epoch, so that the first three do not count
        ({"min_steps": 12}, 5),
        ({"min_steps": 24}, 6),
        # .02 of a loss is 1 over 50 rows, which each epoch since the best has to gain
        ({"min_gain": 0.9}, 4),
        ({"min_gain": 2.6}, 2),
    ],
)
def test_the_best_epoch(settings, best):
    losses = [0.69, 0.60, 0.56, 0.52, 0.51, 0.53]
    assert Epochs(losses).best_of(EarlyStopping(10, **settings)) == best
