import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.stats import spearmanr

from skosteo.datasets.phantom import draw_film

INPUTS = ("cortical", "trabecular", "attenuation")


def change(name, seed=0):
    """Change a film by one input alone, everything random being equal."""
    return draw_film(**{name: 1.0}, random_state=seed) - draw_film(
        **{name: -1.0}, random_state=seed
    )


def test_film_fills_its_range():
    for seed in range(3):
        film = draw_film(random_state=seed)
        assert (film.shape, film.dtype) == ((512, 432), np.float32)
        assert (film.min(), film.max()) == (0, 1)


def test_seed_decides_and_the_global_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one = draw_film(random_state=7)
    np.testing.assert_array_equal(one, draw_film(random_state=7))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert np.abs(one - draw_film(random_state=8)).mean() > 0.01


def test_films_of_one_patient_share_the_anatomy_and_not_the_pose():
    def films(anatomy, seeds):
        return np.array([draw_film(anatomy=anatomy, random_state=seed) for seed in seeds])

    first, again, other = films(3, range(6)), films(3, range(6, 12)), films(4, range(12, 18))
    # Averaged over poses and exposures, what differs is the patient.
    within = np.abs(first.mean(0) - again.mean(0)).mean()
    between = np.abs(first.mean(0) - other.mean(0)).mean()
    assert between > 1.3 * within
    assert np.abs(first[0] - first[1]).mean() > within


def test_it_is_a_chest_seen_from_the_front():
    mean = np.mean([draw_film(random_state=seed) for seed in range(6)], axis=0)

    def patch(row, col):
        return mean[row - 8 : row + 8, col - 8 : col + 8].mean()

    right_lung, left_lung, spine, abdomen, heart = (
        patch(*at) for at in ((230, 120), (230, 320), (330, 216), (470, 130), (340, 270))
    )
    assert max(right_lung, left_lung) + 0.3 < min(spine, abdomen, heart)
    assert heart > patch(340, 162) + 0.2  # the heart lies to the patient's left
    right_dome, left_dome = (np.argmax(mean[300:, col] > 0.5) for col in (110, 322))
    assert 10 < right_dome < left_dome - 5  # the liver lifts the right dome
    assert patch(100, 216) < patch(250, 216) - 0.1  # the windpipe darkens the upper spine
    assert patch(8, 30) < 0.1  # nothing beside the neck


def test_more_bone_is_brighter_and_only_bone_changes():
    for name in ("cortical", "attenuation"):
        difference = change(name)
        assert difference.max() > 0.05
        # the stretch to [0, 1] moves every pixel by a hair
        assert difference.min() > -0.02
        touched = np.abs(difference) > 0.01
        assert 0.1 < touched.mean() < 0.6


def test_trabecular_changes_the_pattern_and_not_the_mean():
    difference = change("trabecular")
    local_mean = uniform_filter(difference, 41)
    assert np.abs(local_mean).max() < 0.15 * np.abs(difference).max()
    spine = np.s_[300:450, 204:228]
    rough = [
        np.std(film - gaussian_filter(film, 6))
        for film in (draw_film(trabecular=t, random_state=0)[spine] for t in (-1.0, 1.0))
    ]
    assert rough[1] > 1.2 * rough[0]


def test_the_three_inputs_draw_in_different_directions():
    changes = np.array([change(name).ravel() for name in INPUTS])
    changes /= np.linalg.norm(changes, axis=1, keepdims=True)
    cosine = np.abs(changes @ changes.T - np.eye(3))
    assert cosine[1].max() < 0.1  # the pattern against the two others
    assert cosine[0, 2] < 0.85  # the edge of a bone against the whole of it


@pytest.mark.parametrize(
    "name", [INPUTS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in INPUTS[1:])]
)
def test_density_can_be_read_across_patients(name):
    rng = np.random.RandomState(0)
    planted = rng.standard_normal(40)
    energy = []
    for i, value in enumerate(planted):
        film = draw_film(**{name: value}, random_state=i)[80:320, 60:380]
        energy.append(np.log(np.std(gaussian_filter(film, 0.7) - gaussian_filter(film, 3))))
    assert spearmanr(planted, energy).statistic > 0.5
