"""Damaged films: none crashes, hangs or fills the memory; each is read or refused."""

import sys

import pytest

from skosteo.dicom import RULES
from tests.hostile.mutants import ALL, LARGEST, SEEDS, SLOWEST, mutant, read_mutants, seed_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")

SOME = range(600)


def assert_read_or_refused(numbers, seeds_read):
    summary = read_mutants(numbers)
    assert summary.others == {}
    assert summary.seconds.max() < SLOWEST
    assert summary.peak < LARGEST
    assert {seed_of(number) for number in summary.numbers("refused")} == set(SEEDS)
    assert len({seed_of(number) for number in summary.numbers("film")}) >= seeds_read


def assert_read_or_refused_without_rules(numbers):
    """Who lifts the rule of dimensions also lifts the limit of memory."""
    assert set(read_mutants(numbers, RULES).others.values()) <= {"out of memory"}


def test_mutants_are_always_alike():
    assert mutant(17) == mutant(17) != mutant(17 + len(SEEDS))


def test_some_mutants():
    assert_read_or_refused(SOME, seeds_read=len(SEEDS) // 2)


def test_some_mutants_without_rules():
    assert_read_or_refused_without_rules(SOME[::5])


@pytest.mark.slow
def test_all_mutants():
    assert_read_or_refused(ALL, seeds_read=len(SEEDS))


@pytest.mark.slow
def test_a_fifth_of_all_mutants_without_rules():
    assert_read_or_refused_without_rules(ALL[::5])
