"""Batches: every row once an epoch."""

import pytest
import torch

from skosteo.training.data import Batches, Rows, Studies


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
