import numpy as np
import pytest
import torch

from skosteo.exceptions import InputError
from skosteo.nets.gaussian import mixture
from skosteo.nets.head_ensemble import HeadEnsemble
from skosteo.nets.heads import Head

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))


def ensemble(sizes=(5,), dropout=0.0, n_members=3):
    """One whose members differ, as after training."""
    net = HeadEnsemble(4, sizes, dropout, n_members)
    drawn = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in net.parameters():
            part.copy_(torch.randn(part.shape, generator=drawn))
    return net


def test_one_member_is_the_head_of_the_paper():
    net, head = HeadEnsemble(4, (5,), 0.25).eval(), Head(4, (5,), 0.25).eval()
    head.load_state_dict(net.state_dict())
    assert torch.equal(net(X), head(X))


@pytest.mark.parametrize("sizes", [(), (5,), (6, 5)])
def test_it_begins_at_the_log_odds_that_it_is_given(sizes):
    net = HeadEnsemble(4, sizes, 0.25, n_members=3)
    net.start_at(-1.5)
    assert net(X).shape == (12, 3)
    assert torch.all(net(X) == -1.5)


def test_members_are_logistic_regressions_beside_heads():
    net = ensemble((6, 5)).eval()
    first, behind = net.layers
    answers = []
    for k in range(3):
        hidden = torch.relu(X @ first.weight[6 * k : 6 * k + 6].T + first.bias[6 * k : 6 * k + 6])
        hidden = torch.relu(hidden @ behind.weights[0][k] + behind.biases[0][k])
        linear = X @ first.weight[18 + k] + first.bias[18 + k]
        answers.append(hidden @ behind.weights[1][k, :, 0] + linear)
    mean = torch.stack(answers).mean(dim=0).detach()
    np.testing.assert_allclose(net(X).detach(), mean, rtol=1e-4, atol=1e-4)


def test_a_member_neither_learns_from_its_fold_nor_is_asked_of_another():
    net, fold = ensemble(), torch.arange(12) % 3
    members = net.layers(X).detach()
    # in evaluation the member of the fold answers, in training the two others
    torch.testing.assert_close(net.eval()(X, fold), members[torch.arange(12), fold])
    others = net.train()(X, fold)
    assert others.shape == (12, 2)
    torch.testing.assert_close(others.sum(1), members.sum(1) - members[torch.arange(12), fold])
    others[fold == 1].sum().backward()
    behind = net.layers[1]
    assert torch.all(behind.weights[0].grad[1] == 0)
    assert behind.weights[0].grad[0].any()


def test_a_member_beyond_the_folds_learns_from_all_rows():
    net = ensemble()
    assert net(X, torch.arange(12) % 2).shape == (12, 2)


def test_dropout_is_of_hidden_neurons_alone():
    net = ensemble(dropout=0.5).train()
    assert not torch.equal(net(X), net(X))
    linear = ensemble((), dropout=0.5).train()
    assert torch.equal(linear(X), linear(X))


@pytest.mark.parametrize(("sizes", "dropout"), [((0,), 0.1), ((5,), 1.0)])
def test_what_is_no_head_is_refused(sizes, dropout):
    with pytest.raises(InputError, match=r"allowed is a"):
        HeadEnsemble(4, sizes, dropout, n_members=3)


def test_of_densities_each_member_gives_means_and_spreads_and_the_answer_is_their_mixture():
    net = HeadEnsemble(4, (6, 5), 0.0, n_members=3, n_outputs=4)
    assert torch.all(net(X) == 0)
    drawn = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in net.parameters():
            part.copy_(torch.randn(part.shape, generator=drawn))
    first, behind = net.layers
    answers = []
    for k in range(3):
        hidden = torch.relu(X @ first.weight[6 * k : 6 * k + 6].T + first.bias[6 * k : 6 * k + 6])
        hidden = torch.relu(hidden @ behind.weights[0][k] + behind.biases[0][k])
        rows = slice(18 + 4 * k, 22 + 4 * k)
        linear = X @ first.weight[rows].T + first.bias[rows]
        answers.append(hidden @ behind.weights[1][k] + linear)
    expected = torch.stack(answers, dim=1)
    torch.testing.assert_close(net(X), expected)
    fold = torch.arange(12) % 3
    others = (fold == 0).long()  # the first member that may learn from the row
    torch.testing.assert_close(net(X, fold)[:, 0], expected[torch.arange(12), others])
    torch.testing.assert_close(net.eval()(X, fold), expected[torch.arange(12), fold])
    torch.testing.assert_close(net(X), mixture(expected))
