import numpy as np
import pytest
import torch

from skosteo.explain.coalitions import coalition_means, every_coalition
from skosteo.explain.net_coalitions import net_coalition_means
from skosteo.nets.heads import Head


@pytest.mark.parametrize("hidden", [(), (7,), (300,), (5, 4), (6, 5, 4)])
@pytest.mark.parametrize("groups", [[0, 1, 2, 3], [0, 0, 2, 1]])
@pytest.mark.parametrize("output", ["probability", "log_odds"])
def test_a_net_is_asked_of_the_same_mixtures(hidden, groups, output, monkeypatch):
    monkeypatch.setattr("skosteo.explain.net_coalitions._VALUES", 1000)  # several blocks
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(5, 4)), rng.normal(size=(23, 4))
    net = Head(4, hidden, 0.5).double().eval()
    masks, groups = every_coalition(max(groups) + 1)[0], np.array(groups)

    def function(matrix):
        with torch.no_grad():
            logits = net(torch.from_numpy(matrix))
        return (logits.sigmoid() if output == "probability" else logits).numpy()

    fast = net_coalition_means(net.layers, rows, background, groups, masks, output)
    slow = coalition_means(function, rows, background, groups, masks)
    np.testing.assert_allclose(fast, slow, atol=1e-13)
