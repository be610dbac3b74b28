"""Random views stay within their preset, differ per film, and are off in prediction."""

import pytest
import torch

from skosteo.exceptions import InputError
from skosteo.nets.augmentation import Augmentation


def blob(row, column, side=101, n=64):
    """Films with one bright disc, as offsets from the centre in pixels."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    disc = ((y - side // 2 - row) ** 2 + (x - side // 2 - column) ** 2 < 25).float()
    return disc.expand(n, 1, side, side).clone()


def centres(films):
    side = films.shape[-1]
    axis = torch.arange(side) - side // 2
    mass = (films - films.amin(dim=(1, 2, 3), keepdim=True)).pow(4)
    total = mass.sum(dim=(1, 2, 3))
    rows = (mass.sum(dim=(1, 3)) * axis).sum(1) / total
    columns = (mass.sum(dim=(1, 2)) * axis).sum(1) / total
    return rows, columns


def test_prediction_sees_films_unchanged():
    films = torch.rand(4, 1, 20, 30)
    assert Augmentation("paper").eval()(films) is films


@pytest.mark.parametrize("preset", ["chest", "paper"])
def test_each_film_has_a_draw_of_its_own(preset):
    torch.manual_seed(0)
    films = Augmentation(preset).train()(torch.rand(1, 1, 40, 40).expand(8, 1, 40, 40))
    assert len({film.sum().item() for film in films}) == 8
    assert films.min() >= 0
    assert films.max() <= 1


def test_chest_keeps_the_head_up_and_the_paper_does_not():
    torch.manual_seed(0)
    head = blob(row=-30, column=0)
    assert (centres(Augmentation("chest").train()(head))[0] < -10).all()
    assert (centres(Augmentation("paper").train()(head))[0] > 10).any()


def test_left_and_right_are_flipped_for_about_half_of_the_films():
    torch.manual_seed(0)
    columns = centres(Augmentation("chest").train()(blob(row=0, column=30, n=400)))[1]
    assert 0.4 < (columns < 0).float().mean() < 0.6


def test_shift_zoom_and_rotation_stay_within_their_bounds():
    torch.manual_seed(0)
    rows, columns = centres(Augmentation("chest").train()(blob(row=-30, column=0, n=500)))
    # at most: 10 % of 101 pixels of shift, 10 % of zoom, and 30 sin(10 degrees) sideways
    assert columns.abs().max() <= 1.12 * (10.1 + 30 * 0.174 + 1)
    assert columns.abs().max() > 8
    assert rows.min() >= -1.12 * (30 + 10.1 + 1)
    assert rows.max() <= -(30 * 0.98 - 10.1) / 1.1 + 1


def test_rotation_keeps_shapes_on_films_that_are_not_square():
    torch.manual_seed(0)
    films = torch.zeros(50, 1, 60, 180)
    films[:, :, 25:35, 85:95] = 1
    views = Augmentation("paper").train()(films)
    # an area under rotation and zoom: 100 pixels, +-10 % a side
    area = (views - views.amin(dim=(1, 2, 3), keepdim=True)).gt(0.2).flatten(1).sum(1)
    assert area.min() >= 75
    assert area.max() <= 150


def test_the_seed_decides():
    films, draws = torch.rand(3, 1, 30, 30), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(Augmentation("chest").train()(films))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_unknown_preset_names_the_known():
    with pytest.raises(InputError, match=r"\['chest', 'paper'\]"):
        Augmentation("strong")
