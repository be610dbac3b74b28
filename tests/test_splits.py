"""No patient on both sides of a split, ever."""

import numpy as np
import pytest

from skosteo.splits import fold_splitter, member_folds, validation_split


def random_cohort(seed):
    rng = np.random.default_rng(seed)
    n_patients = rng.integers(12, 60)
    groups = np.repeat(np.arange(n_patients), rng.integers(1, 6, n_patients))
    disease = np.resize([0, 1], n_patients)
    rng.shuffle(disease)
    order = rng.permutation(len(groups))
    return disease[groups][order], groups[order]


@pytest.mark.parametrize(
    "seeds", [range(100), pytest.param(range(100, 1000), marks=pytest.mark.slow)], ids=len
)
def test_no_patient_is_on_both_sides_in_1000_random_cohorts(seeds):
    for seed in seeds:
        y, groups = random_cohort(seed)
        train, valid = validation_split(y, groups, 0.2, seed)
        assert not set(groups[train]) & set(groups[valid])
        assert sorted([*train, *valid]) == list(range(len(y)))


def test_validation_split_is_stratified_shuffled_and_seeded():
    y = np.repeat([0, 1], [400, 100])
    _, valid = validation_split(y, None, 0.2, seed=0)
    assert (len(valid), y[valid].sum()) == (100, 20)
    assert not np.array_equal(valid, validation_split(y, None, 0.2, seed=1)[1])
    assert np.array_equal(valid, validation_split(y, None, 0.2, seed=0)[1])
    # a shuffle leaves no long run of neighbours
    assert np.diff(valid).max() < 100 < np.ptp(valid)


def test_grouped_share_follows_the_fraction():
    y, groups = np.resize([0, 1], 1000), np.arange(1000) // 2
    for fraction in (0.1, 0.2, 0.25, 0.5):
        _, valid = validation_split(y, groups, fraction, seed=0)
        assert len(valid) / 1000 == pytest.approx(fraction, abs=0.02)


@pytest.mark.parametrize("groups", [None, np.zeros(40, dtype=int)])
def test_there_is_no_split_where_a_side_would_miss_a_class(groups):
    assert validation_split(np.array([1] + [0] * 39), groups, 0.2, seed=0) is None


def test_a_number_of_folds_may_come_from_numpy():
    y, groups = random_cohort(7)
    for train, test in fold_splitter(np.int64(3), groups, 0).split(y, y, groups):
        assert not set(groups[train]) & set(groups[test])


def test_folds_are_grouped_when_patients_are_known():
    y, groups = random_cohort(7)
    for train, test in fold_splitter(3, groups, 0).split(y, y, groups):
        assert not set(groups[train]) & set(groups[test])
    assert fold_splitter(4, None, 0).get_n_splits() == 4


def test_folds_of_members_keep_patients_whole_and_are_fewer_where_cases_are():
    y, groups = np.array([0, 1, 0, 0] * 10), np.arange(40) // 2
    folds = member_folds(y, groups, 5, seed=0)
    assert set(folds) == set(range(5))
    assert all(len(set(folds[groups == patient])) == 1 for patient in set(groups))
    assert set(member_folds(np.array([1, 1, 1] + [0] * 20), None, 10, seed=0)) == {0, 1, 2}
    assert member_folds(np.array([1] + [0] * 20), None, 10, seed=0) is None
    assert member_folds(y, np.zeros(40, int), 10, seed=0) is None
