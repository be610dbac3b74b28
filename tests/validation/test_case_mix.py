"""Case mix: aggregates side by side, and nobody to be known by them."""

import numpy as np
import pandas as pd
import pytest

from skosteo import validate
from skosteo.clinical import table_one
from skosteo.exceptions import InputError
from skosteo.validation.case_mix import case_mix


def test_case_mix_stands_beside_the_development_cohort(site):
    model, home, there = site
    of_home = table_one(home.data, groups=home.groups)
    found = validate(model, there.data, there.target, there.groups, development=of_home)
    mix = found.frame("case_mix")
    assert list(mix) == ["development", "this site"]
    age = mix.xs("", level="level").filter(like="age, mean", axis=0).iloc[0]
    means = [f"{cohort.data['age'].mean():.1f}" for cohort in (home, there)]
    assert [text.split()[0] for text in age] == means
    assert mix.index.is_unique
    assert set(of_home.index) <= set(mix.index)


def test_only_aggregates_stand_for_the_development_cohort(site):
    model, home, there = site
    with pytest.raises(InputError, match="never its rows"):
        validate(model, there.data, there.target, development=home.data)


def test_small_cells_and_identities_are_not_shown(site):
    model, _, there = site
    ward = ["Ward of Dr. Rare"] * 3 + ["A"] * 497
    X = there.data.assign(ward=ward, mrn=range(500))
    found = validate(model, X, there.target, there.groups, subgroups=["ward"])
    everything = " ".join(frame.to_csv() for frame in found.tables.values())
    assert "Rare" not in everything
    assert "mrn" not in everything


def test_levels_of_one_cohort_only_stand_among_those_of_their_column():
    home = pd.DataFrame({"machine": ["A"] * 20 + ["B"] * 20, "age": [60.0] * 20 + [70] * 20})
    there = home.assign(machine=["B"] * 20 + ["C"] * 20, site="x")
    people = np.arange(40)
    mix = case_mix(None, there, people, table_one(home, groups=people))
    machines = mix.xs("machine, n (%)", level="characteristic")
    assert sorted(machines.index[:3]) == ["A", "B", "C"]
    assert machines.index[-1] == "missing"
    assert machines.loc["B"].tolist() == ["20 (50.0)", "20 (50.0)"]
    assert pd.isna(machines.loc["A", "this site"])
    assert pd.isna(machines.loc["C", "development"])


def test_without_a_table_or_anything_to_describe_there_is_none():
    people = np.arange(30)
    assert case_mix(None, np.zeros((30, 1)), people, None) is None
    assert case_mix(None, pd.DataFrame({"patient_id": people}), people, None) is None
