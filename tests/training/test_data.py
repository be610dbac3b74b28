"""Batches: every row once an epoch."""

import pytest
import torch
from skorch.dataset import Dataset

from skosteo.training.data import Batches, move, number_of_bytes, take


def rows(n):
    return Dataset({"x": torch.arange(n * 3.0).view(n, 3)}, torch.arange(float(n)))


def whole(batches):
    return torch.cat([x["x"] for x, _ in batches])


def test_no_row_is_lost_and_no_row_is_alone_in_a_batch():
    for n, sizes in ((33, [8, 8, 8, 9]), (40, [8] * 5), (35, [8, 8, 8, 8, 3]), (1, [1])):
        batches = list(Batches(rows(n), 8, shuffle=True))
        assert [len(y) for _, y in batches] == sizes
        assert torch.equal(whole(batches).sort(0).values, rows(n).X["x"].sort(0).values)


def test_rows_stay_in_order_without_shuffling_and_a_row_may_be_alone():
    batches = list(Batches(rows(9), 4))
    assert [len(y) for _, y in batches] == [4, 4, 1]
    assert torch.equal(whole(batches), rows(9).X["x"])
    assert torch.equal(torch.cat([y for _, y in batches]), rows(9).y)


def test_epochs_are_shuffled_anew_and_alike_for_the_same_seed():
    def epochs():
        batches = Batches(rows(40), 8, shuffle=True, generator=torch.Generator().manual_seed(3))
        return [whole(batches) for _ in range(2)]

    first, second = epochs()
    assert not torch.equal(first, second)
    assert torch.equal(first.sort(0).values, second.sort(0).values)
    assert all(map(torch.equal, epochs(), [first, second]))


def test_a_tensor_or_an_array_without_labels_is_taken_as_skorch_gives_it():
    for x in (torch.ones(5, 2), torch.ones(5, 2).numpy()):
        (first, y), (second, _) = Batches(Dataset(x), 3)
        assert torch.equal(torch.cat([first, second]), torch.ones(5, 2))
        assert y.shape == (3,)


@pytest.mark.parametrize("index", [slice(2, 5), torch.tensor([4, 0, 0]), [1, 3]], ids=str)
def test_rows_of_inputs_are_those_of_each_part(index):
    inputs = {"films": torch.rand(7, 1, 2, 2), "table": torch.rand(7, 2)}
    taken = take(inputs, index)
    assert all(torch.equal(taken[name], part[index]) for name, part in inputs.items())
    assert all(torch.equal(move(inputs, "cpu")[name], part) for name, part in inputs.items())
    assert number_of_bytes(inputs) == 7 * (4 + 2) * 4


def test_film_table_and_label_of_a_patient_stay_together_in_batches():
    films = torch.arange(33, dtype=torch.uint8).view(33, 1, 1, 1).expand(33, 1, 2, 2)
    inputs = {"films": films.contiguous(), "table": torch.arange(66.0).view(33, 2)}
    seen = []
    generator = torch.Generator().manual_seed(0)
    for x, y in Batches(Dataset(inputs, torch.arange(33.0)), 8, shuffle=True, generator=generator):
        numbers = x["films"][:, 0, 0, 0].long()
        assert torch.equal(x["table"], inputs["table"][numbers])
        assert torch.equal(y, numbers.float())
        seen += numbers.tolist()
    assert sorted(seen) == list(range(33))
    assert seen != sorted(seen)
