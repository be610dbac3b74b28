"""What every classifier of a net does beyond `test_net_estimator`: classes and their weights."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback

from skosteo import ClinicalOsteoClassifier
from skosteo.exceptions import InputError
from tests.clinical.test_classifier import cohort
from tests.small_models import small_clinical
from tests.training.test_net_estimator import KINDS, X, Y


def test_balanced_class_weights_follow_the_paper():
    y = np.repeat([0, 1], [525, 659])
    X = np.random.default_rng(0).normal(size=(1184, 2))
    seen = []

    class Noting(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            seen.extend(zip(X.y.tolist(), X.X["sample_weight"].tolist(), strict=True))

    model = small_clinical(
        class_weight="balanced", early_stopping=False, max_epochs=1, callbacks=[Noting]
    )
    model.fit(X, y)
    (_, controls), (_, cases) = sorted(set(seen))
    assert (controls, cases) == pytest.approx((1.128, 0.898), abs=5e-4)


def test_class_weights_move_the_operating_point():
    X, y = cohort()
    cautious, bold = (
        small_clinical(class_weight=w).fit(X, y).predict(X).mean()
        for w in ({0: 1, 1: 20}, {0: 20, 1: 1})
    )
    assert cautious > 0.8 > 0.2 > bold


def test_sample_weights_that_no_net_learns_from_are_refused():
    with pytest.raises(InputError, match=r"class 0 a weight of 1e-12 on average.*mean of about 1"):
        small_clinical().fit(X, Y, np.full(80, 1e-12))


def test_too_few_rows_for_early_stopping_are_said():
    few = [0, 1, 2, 4, 6]  # one case
    with pytest.warns(UserWarning, match=r"\{0: 4, 1: 1\}.*All 5 epochs") as caught:
        model = small_clinical(batch_size=2).fit(X[few], Y[few])
    assert model.n_iter_ == 5
    assert caught[0].filename == __file__


def test_probabilities_are_risks_by_default():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 1))
    risk = 1 / (1 + np.exp(3.5 - 0.5 * x[:, 0]))
    y = (rng.random(2000) < risk).astype(int)
    plain = ClinicalOsteoClassifier(n_members=2, max_epochs=30, random_state=0).fit(x, y)
    balanced = clone(plain).set_params(class_weight="balanced").fit(x, y)
    assert plain.predict_proba(x)[:, 1].mean() == pytest.approx(y.mean(), abs=0.01)
    assert balanced.predict_proba(x)[:, 1].mean() > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_all_kinds_agree(kind):
    make, data = KINDS[kind]
    model = make().fit(data, Y)
    p, log_odds = model.predict_proba(data), model.decision_function(data)
    np.testing.assert_allclose(np.log(p), model.predict_log_proba(data), atol=1e-9)
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-log_odds)), atol=1e-12)
    assert roc_auc_score(Y, p[:, 1]) == roc_auc_score(Y, log_odds)
