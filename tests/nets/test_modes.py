import pytest
from torch import nn

from skosteo.nets.modes import evaluating


@pytest.mark.parametrize("fails", [False, True])
def test_each_part_gets_its_own_mode_back(fails):
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()).eval())
    before = [part.training for part in net.modules()]
    try:
        with evaluating(net):
            assert not any(part.training for part in net.modules())
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert [part.training for part in net.modules()] == before == [True, True, False, False]
