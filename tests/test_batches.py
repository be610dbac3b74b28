"""Batches: every row once an epoch."""

import torch

from skosteo.batches import Batches, Rows


def rows(n):
    return Rows(torch.arange(n * 3.0).view(n, 3), torch.arange(n * 2.0).view(n, 2))


def test_no_row_is_lost_and_no_row_is_alone_in_a_batch():
    for n, sizes in ((33, [8, 8, 8, 9]), (40, [8] * 5), (35, [8, 8, 8, 8, 3]), (1, [1])):
        batches = list(Batches(rows(n), 8, "cpu", shuffled_by=torch.Generator()))
        assert [len(x) for x, _ in batches] == sizes
        seen = torch.cat([x for x, _ in batches])
        assert torch.equal(seen.sort(0).values, rows(n).x.sort(0).values)


def test_rows_stay_in_order_without_shuffling_and_a_row_may_be_alone():
    batches = list(Batches(rows(9), 4, "cpu"))
    assert [len(x) for x, _ in batches] == [4, 4, 1]
    assert torch.equal(torch.cat([x for x, _ in batches]), rows(9).x)
    assert torch.equal(torch.cat([target for _, target in batches]), rows(9).target)


def test_epochs_are_shuffled_anew_and_alike_for_the_same_seed():
    def epochs():
        batches = Batches(rows(40), 8, "cpu", torch.Generator().manual_seed(3))
        return [torch.cat([x for x, _ in batches]) for _ in range(2)]

    first, second = epochs()
    assert not torch.equal(first, second)
    assert torch.equal(first.sort(0).values, second.sort(0).values)
    assert all(map(torch.equal, epochs(), [first, second]))
