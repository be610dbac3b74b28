"""The map of packages in the documentation shows the code as it is."""

import runpy
from pathlib import Path

from tests.test_layers import LEVEL

HOUSE = Path(__file__).parents[2] / "docs/drawings/house.py"


def test_every_room_has_a_place_and_every_arrow_goes_down(tmp_path):
    house = runpy.run_path(str(HOUSE))
    placed = {*house["ACROSS"], *house["SHARED"]}
    assert placed == LEVEL.keys(), "give the new room a place in docs/drawings/house.py"
    arrows = house["arrows"]()
    assert ("study", "evaluation") in arrows
    assert ("fusion", "image") in house["reduced"](arrows)
    assert ("study", "evaluation") not in house["reduced"](arrows)  # other arrows imply it
    house["draw"](tmp_path / "house.svg")
    drawn = (tmp_path / "house.svg").read_text()
    assert all(f"<!-- {room} -->" in drawn for room in placed)
