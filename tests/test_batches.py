"""Batches: every row once an epoch."""

import pytest
import torch

from skosteo import batches, distributed
from skosteo.batches import Batches, Rows, Studies


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


@pytest.mark.parametrize("n_processes", [2, 3, 4, 8])
@pytest.mark.parametrize("n", [24, 25, 26, 27, 29])  # a last batch of 8, 9, 2, 3 and 5 rows
def test_shares_of_processes_make_up_the_batch(n_processes, n, monkeypatch):
    """The mean over processes, of the mean over each one's rows, weighs every row alike."""
    for module in (batches, distributed):
        monkeypatch.setattr(module, "n_processes", lambda: n_processes)
    taken = []
    for rank in range(n_processes):
        monkeypatch.setattr(distributed.dist, "get_rank", lambda rank=rank: rank)
        data = Rows(torch.arange(n), torch.ones(n, 2))
        own = Batches(data, 8, "cpu", torch.Generator().manual_seed(0))
        taken.append(list(own))
    for batch, size in zip(zip(*taken, strict=True), own.sizes, strict=True):
        weight = torch.zeros(n)
        for x, target in batch:
            weight.index_add_(0, x, target[:, 1] / len(x) / n_processes)
        wanted = torch.where(weight > 0, 1 / size, 0)
        assert (weight > 0).sum() == size
        torch.testing.assert_close(weight, wanted)


def studies(n):
    films = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous()
    table = torch.arange(n * 2.0).view(n, 2)
    table[0, 1] = torch.nan
    return Studies(films, table, torch.arange(n) % 3 > 0)


def equal(one, other):
    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("index", [slice(2, 5), torch.tensor([4, 0, 0]), [1, 3], 2], ids=str)
def test_studies_are_indexed_as_each_part_is(index):
    whole = studies(7)
    assert equal(whole[index].tensors, [part[index] for part in whole.tensors])


def test_studies_are_split_like_a_tensor():
    whole = studies(7)
    parts, wanted = list(whole.split(3)), whole.table.split(3)
    assert [len(part) for part in parts] == [3, 3, 1]
    assert equal([part.table for part in parts], wanted)
    assert equal(
        [torch.cat(tensors) for tensors in zip(*(p.tensors for p in parts), strict=True)],
        whole.tensors,
    )


def test_studies_count_all_their_parts():
    whole = studies(7)
    assert len(whole) == 7
    assert whole.numel() == 7 * (4 + 2 + 1)
    assert whole.nbytes == 7 * (4 * 1 + 2 * 4 + 1)
    assert (whole.dtype, whole.device.type, whole.is_cuda) == (torch.float32, "cpu", False)
    assert equal(whole.to("cpu").tensors, whole.tensors)


def test_bytes_of_studies_tell_any_difference():
    whole = studies(7)
    assert batches.as_bytes(whole) == batches.as_bytes(studies(7))
    assert len(batches.as_bytes(whole)) == whole.nbytes
    for part in range(3):
        changed = [t.clone() for t in whole.tensors]
        changed[part][3] = ~changed[part][3] if part == 2 else changed[part][3] + 1
        assert batches.as_bytes(Studies(*changed)) != batches.as_bytes(whole)


def test_film_table_and_label_of_a_patient_stay_together_in_batches():
    whole = studies(33)
    target = torch.arange(66.0).view(33, 2)
    seen = []
    for x, labels in Batches(Rows(whole, target), 8, "cpu", torch.Generator().manual_seed(0)):
        rows = x.films[:, 0, 0, 0].long()
        assert equal(x.tensors, whole[rows].tensors)
        assert torch.equal(labels, target[rows])
        seen += rows.tolist()
    assert sorted(seen) == list(range(33))
    assert seen != sorted(seen)
