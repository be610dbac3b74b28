"""A digital chest phantom: one postero-anterior film, drawn from formulas, its bone set by hand.

Everything is laid out in centimetres on the body: x to the patient's left (the film's right), y
towards the feet, the origin in mid-chest. Path lengths of soft tissue, air and bone add up along
the beam, as Beer and Lambert have it, and the film shows the log exposure through a sigmoid curve.
"""

from functools import cache

import numpy as np
from numpy.random import Generator, RandomState
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter
from scipy.special import expit
from sklearn.utils import check_random_state

Image = NDArray[np.float32]
Box = tuple[float, float, float, float]  # left, right, top, bottom in cm

SHAPE = (512, 432)
PIXEL_CM = 0.081

# Attenuation per cm at the 120 kV of a chest film; air and bone over the soft tissue they replace.
MU_SOFT, MU_AIR, MU_BONE, MU_CORTEX = 0.17, -0.125, 0.17, 0.36
WALL_CM = 0.11  # cortex of an average rib
TEXTURE = 0.22  # relative standard deviation of the trabecular pattern

# One standard deviation of an input multiplies its quantity by exp(step), which stays positive.
CORTICAL_STEP, TRABECULAR_STEP, ATTENUATION_STEP = 0.30, 0.40, 0.22

# Borders of heart and great vessels: height, and distance from the midline, in cm.
_LEFT_BORDER = (
    (-22, -15, -11, -8.6, -7.2, -5.8, -4.8, -3.0, -1.2, 0.6, 3.0, 5.5, 8.0, 10.0, 12.0, 22),
    (2.6, 2.2, 2.0, 2.7, 3.5, 3.3, 2.7, 3.2, 3.4, 3.5, 5.0, 6.9, 8.1, 8.3, 7.3, 2.0),
)
_RIGHT_BORDER = (
    (-22, -15, -11, -6.0, -3.0, -0.5, 2.0, 5.0, 7.5, 9.5, 11.5, 22),
    (2.6, 2.3, 2.3, 2.5, 2.6, 2.8, 3.5, 4.3, 4.4, 4.0, 3.2, 2.0),
)


def draw_film(
    *,
    cortical: float = 0.0,
    trabecular: float = 0.0,
    attenuation: float = 0.0,
    anatomy: int | None = None,
    random_state: int | RandomState | None = None,
) -> Image:
    """Draw one postero-anterior chest film whose bone density is set by hand.

    A picture to learn from, not a model of the X-ray tube: one energy, no scatter, no breasts, and
    effects of density that are larger than in clinical films.

    Parameters
    ----------
    cortical : float, default=0.0
        Thickness of the cortex (edges of ribs, clavicles and humeri, end plates and pedicles of
        the vertebrae), in standard deviations; larger is denser.
    trabecular : float, default=0.0
        Contrast of the trabecular pattern, of mean zero, within the bones, in standard deviations.
    attenuation : float, default=0.0
        Mean attenuation of the bones over soft tissue, in standard deviations.
    anatomy : int, default=None
        Seed of the patient's anatomy, equal for films of one patient; None draws another patient.
    random_state : int, RandomState or None, default=None
        Source of pose, exposure, blur and noise.

    Returns
    -------
    ndarray of float32, shape (512, 432)
        Brightness from 0 to 1, bone bright, the patient's left on the right; a pixel has .81 mm.

    Examples
    --------
    >>> film = draw_film(cortical=-1.0, random_state=0)
    >>> film.shape, float(film.min()), float(film.max())
    ((512, 432), 0.0, 1.0)
    """
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    take = np.random.default_rng([seed, 1])
    chest = _Chest(seed if anatomy is None else anatomy)
    film = _Film(take)
    air = chest.air(film)
    tau = MU_SOFT * chest.soft_tissue(film) + MU_AIR * air
    tau += chest.vessels(film) * np.clip(air / 7, 0, 1)
    solid, rim = chest.bones(film, WALL_CM * float(np.exp(CORTICAL_STEP * cortical)))
    grain = float(np.exp(TRABECULAR_STEP * trabecular)) * TEXTURE * chest.grain()
    tau += MU_BONE * solid * (float(np.exp(ATTENUATION_STEP * attenuation)) + grain)
    tau += MU_CORTEX * rim
    _lay_marker(tau, take)
    return _expose(tau, take)


def _lay_marker(tau: Image, rng: Generator) -> None:
    """Lay a lead letter L beside the left shoulder, in place."""
    top, left = rng.integers((12, SHAPE[1] - 48), (40, SHAPE[1] - 20))
    tau[top : top + 24, left : left + 5] = 9
    tau[top + 20 : top + 24, left : left + 15] = 9


def _expose(tau: Image, rng: Generator) -> Image:
    """Blur, quantum noise and characteristic curve: from attenuation to film."""
    tau = gaussian_filter(tau, rng.uniform(0.5, 0.8), truncate=2.5)
    photons = rng.uniform(15_000, 60_000)
    grain = rng.standard_normal(SHAPE, dtype=np.float32)
    tau += np.exp(0.5 * tau) * grain * float(photons**-0.5)
    centre, gain = rng.normal(2.5, 0.08), 1.3 * np.exp(rng.normal(0, 0.05))
    film = expit(float(gain) * (tau - float(centre)))
    # From the blackest pixel to the lead: a file without a window is shown over this range.
    film -= film.min()
    return film / film.max()


@cache
def _grain_tile() -> Image:
    """Band-passed noise of unit variance and wavelengths of some 4 to 12 mm, from a fixed seed."""
    white = np.random.default_rng(70738).standard_normal((1024, 1024), dtype=np.float32)
    # The trabeculae along the load are the last to go: the pattern runs down the spine.
    band = gaussian_filter(white, (1.7, 1.0)) - gaussian_filter(white, (4.0, 2.5))
    return band / band.std()


@cache
def _film_grid() -> tuple[Image, Image]:
    rows, cols = (PIXEL_CM * (np.arange(n, dtype=np.float32) - (n - 1) / 2) for n in SHAPE)
    return rows[:, None], cols[None, :]


class _Film:
    """Where each pixel lies on the body, under a small turn, shift and change of distance."""

    def __init__(self, rng: Generator) -> None:
        angle, zoom = rng.normal(0, 0.02), np.exp(rng.normal(0, 0.03))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self.turn = (zoom * turn).astype(np.float32)
        self.shift = rng.normal(0, 0.5, 2).astype(np.float32)
        rows, cols = _film_grid()
        self.x = self.turn[0, 0] * cols + self.turn[0, 1] * rows + self.shift[0]
        self.y = self.turn[1, 0] * cols + self.turn[1, 1] * rows + self.shift[1]

    def window(self, box: Box) -> tuple[slice, slice]:
        """Rows and columns of the part of the film that holds a box on the body."""
        left, right, top, bottom = box
        rows, columns = self.y[:, [0, -1]], self.x[[0, -1]]
        down = np.searchsorted(rows.max(axis=1), top), np.searchsorted(rows.min(axis=1), bottom)
        across = np.searchsorted(columns.max(axis=0), left), np.searchsorted(columns.min(0), right)
        return slice(*down), slice(*across)

    def stamp(self, points: NDArray[np.float64], weight: NDArray[np.float64]) -> Image:
        """Sum the weights of body points (2, n) that fall on each pixel."""
        cols, rows = np.linalg.solve(self.turn, points - self.shift[:, None]) / PIXEL_CM
        rows = np.rint(rows + (SHAPE[0] - 1) / 2).astype(int)
        cols = np.rint(cols + (SHAPE[1] - 1) / 2).astype(int)
        on = (rows >= 0) & (rows < SHAPE[0]) & (cols >= 0) & (cols < SHAPE[1])
        flat = np.bincount(rows[on] * SHAPE[1] + cols[on], weight[on], SHAPE[0] * SHAPE[1])
        return flat.reshape(SHAPE).astype(np.float32)


def _side(side: int, near: float, far: float) -> tuple[float, float]:
    """Limits, left to right, of a part from near to far of the midline."""
    return (near, far) if side > 0 else (-far, -near)


def _root(value: Image) -> Image:
    return np.sqrt(np.maximum(value, 0))


def _edge(distance: Image, width: float) -> Image:
    """0 outside, 1 from `width` cm inside on."""
    return np.clip(distance / width, 0, 1)


def _line(distance: Image, width: float) -> Image:
    """Draw a thin sheet seen edge on: 1 at no distance, 0 from `width` cm on."""
    return np.maximum(1 - np.abs(distance) / width, 0)


def _tube(distance: Image, radius: float | Image, wall: float) -> tuple[Image, Image]:
    """Path lengths through a rod and through its wall, at a distance from its axis, in cm."""
    square = distance * distance
    solid = 2 * _root(radius * radius - square)
    inner = np.maximum(radius - wall, 0)
    return solid, solid - 2 * _root(inner * inner - square)


def _profile(heights: Image, knots: tuple[tuple[float, ...], tuple[float, ...]]) -> Image:
    """Smooth curve through knots, looked up on a grid of .5 mm."""
    table = PchipInterpolator(*knots)(np.arange(-22, 22, 0.05)).astype(np.float32)
    return table[np.clip((heights + 22) * 20, 0, table.size - 1).astype(np.int32)]


class _Chest:
    """One patient's anatomy; what varies between patients is drawn here."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 2])
        self.seed = seed
        draw = rng.standard_normal(12).tolist()
        self.size = draw[0]
        self.width = 12.9 + 0.35 * draw[1]
        self.heart = 1 + 0.07 * draw[2]
        self.dome = 10.6 + 0.7 * draw[3]
        self.pitch = 2.25 + 0.05 * draw[4]
        self.slope = 0.07 + 0.02 * draw[5]
        self.scoliosis = 0.2 * draw[6]
        self.clavicles = (3.4 + 0.4 * draw[7], 3.4 + 0.4 * draw[8])
        self.shoulder = 0.4 * draw[9]
        self.n_ribs = int(rng.integers(10, 13))

    def cage(self, heights: Image) -> Image:
        """Half-width of the lungs."""
        s = _edge(5 - heights, 22)
        return self.width * _root(1 - s * s) ** np.float32(0.8)

    def soft_tissue(self, film: _Film) -> Image:
        far = np.abs(film.x)
        shoulder = film.y + 21.0 - 0.4 * np.maximum(far - 5.0, 0) + 0.3 * self.size
        arm = np.clip((-2 - film.y) / 9, 0, 1)
        flank = 16.8 + 0.5 * self.size + 7 * arm * arm - far
        depth = (21.0 + 0.8 * self.size) * (1 - (far / 30) ** 2)
        thick = depth * (1 - np.exp(-np.maximum(np.minimum(shoulder, flank), 0) / 1.1))
        return thick * (0.8 + 0.2 * _edge(film.y + 16, 22.0))

    def air(self, film: _Film) -> Image:
        x, y = film.x, film.y
        far = np.abs(x)
        depth = 15 * _root(_edge(self.cage(y) - far, 5.5) * _edge(y + 17.2, 10.0))
        # The right dome stands higher; towards the side both fall off into a sharp angle.
        s = (far - 5.2) / 8
        floor = self.dome - 0.1 + 0.7 * np.sign(x) + s * (2.7 * s + 1.5 * np.abs(s))
        lungs = depth * np.maximum(_edge(floor - y, 0.25), 0.2 * _edge(floor + 3 - y, 3.0))
        lungs *= 1 - self.mediastinum(film)
        w = film.window((-3.5, 3.5, -22, -3))
        windpipe, _ = _tube(x[w] + 0.1, 0.85, 0)
        lungs[w] += 3.6 * windpipe * _edge(-5.5 - y[w], 1.0)
        for side, drop in ((-1, 1.0), (1, 0.7)):
            bronchus, _ = _tube((side * x[w] - (y[w] + 6.2) / drop) * 0.7, 0.6, 0)
            lungs[w] += 1.8 * bronchus * _edge(y[w] + 6.3, 0.5) * _edge(-3.2 - y[w], 1.5)
        top = self.dome + 1.6
        w = film.window((1, 10, top, top + 2.2))
        bubble = 1 - ((x[w] - 5.6) / 3.0) ** 2 - ((y[w] - top - 1.7) / 1.6) ** 2
        lungs[w] += 5 * _root(bubble) * (y[w] < top + 2.0)  # the patient stands: a fluid level
        return lungs

    def mediastinum(self, film: _Film) -> Image:
        """Proportion of the lungs' air that heart and great vessels take, 0 to 1."""
        swell = 1 + (self.heart - 1) * _edge(film.y, 4.0)
        left, right = (_profile(film.y, border) for border in (_LEFT_BORDER, _RIGHT_BORDER))
        inside = np.where(film.x > 0, left, right) * swell - np.abs(film.x)
        # Lung in front of and behind the heart still shows through it.
        return _edge(inside, 0.35) * (0.72 + 0.22 * _edge(inside, 3.0))

    def vessels(self, film: _Film) -> Image:
        """Arteries and veins that fork and taper from the hila outwards."""
        rng = np.random.default_rng([self.seed, 3])
        layers: list[list[NDArray[np.float64]]] = [[], [], []]
        t = np.linspace(0, 1, 32)
        for side, x0, y0 in ((-1, -3.0, -0.6), (1, 3.4, -1.6)):
            n = 14
            start = np.array([[x0], [y0]]) + rng.normal(0, [[0.35], [1.3]], (2, n))
            heading = np.linspace(-1.3, 1.4, n) + rng.normal(0, 0.25, n)
            length, radius = rng.uniform(1.6, 4.4, n), rng.uniform(0.22, 0.48, n)
            for depth in range(5):
                bend = heading[:, None] + rng.normal(0, 0.5, (heading.size, 1)) * t
                step = length[:, None] / t.size
                way = np.stack([side * np.cos(bend), np.sin(bend)]) * step
                path = start[:, :, None] + np.cumsum(way, axis=2)
                thick = np.pi * (radius[:, None] * (1 - 0.3 * t)) ** 2 * step / PIXEL_CM**2
                layers[min(depth // 2, 2)].append(np.vstack([path.reshape(2, -1), thick.ravel()]))
                fork = rng.uniform(0.1, 0.6, (2, heading.size)) * [[-1], [1]]
                heading = (bend[:, -1] + fork).ravel()
                start = np.tile(path[:, :, -1], 2)
                length = np.tile(length, 2) * rng.uniform(0.5, 0.95, heading.size)
                radius = np.tile(radius, 2) * 0.76
        shadow = np.zeros(SHAPE, dtype=np.float32)
        for points, blur in zip(layers, (3.2, 1.7, 1.0), strict=True):
            *places, weight = np.hstack(points)
            shadow += gaussian_filter(film.stamp(np.array(places), weight), blur, truncate=2.5)
        return 2.2 * MU_SOFT * shadow

    def grain(self) -> Image:
        top, left = np.random.default_rng([self.seed, 4]).integers(0, 500, 2)
        return _grain_tile()[top : top + SHAPE[0], left : left + SHAPE[1]]

    def bones(self, film: _Film, wall: float) -> tuple[Image, Image]:
        """Path lengths through whole bones and through their cortex alone, in cm."""
        bone = np.zeros((2, *SHAPE), dtype=np.float32)
        self.spine(film, wall, bone)
        for rib in range(self.n_ribs):
            self.rib(film, wall, bone, rib)
        for side, rise in zip((-1, 1), self.clavicles, strict=True):
            self.clavicle(film, wall, bone, side, rise)
            self.shoulder_blade(film, wall, bone, side)
            self.humerus(film, wall, bone, side)
        return bone[0], bone[1]

    def rib(self, film: _Film, wall: float, bone: Image, rib: int) -> None:
        """Draw a ring tilted forwards and down: from the front, an ellipse."""
        top = float(self.plate(rib + 0.35))
        drop = 1.5 + 0.45 * min(rib, 8)
        at = np.array(top + drop + 1, dtype=np.float32)
        reach = max(float(self.cage(at)) + 0.35, 4.6)
        w = film.window((-reach - 1, reach + 1, top - 1, top + 2 * drop + 2))
        far = np.abs(film.x[w])
        u = far / reach
        v = (film.y[w] - self.slope * far - top - drop) / drop
        gradient = np.sqrt((u / reach) ** 2 + (v / drop) ** 2)
        distance = (u * u + v * v - 1) / (2 * gradient + 1e-3)
        # At the side of the chest the rib turns forwards, along the beam, which crosses more of it.
        along = np.sqrt(1 + 36 * u * u / (reach**2 * np.maximum(1 - u * u, 0) + drop**2))
        back = _edge(far - 1.7, 0.4)
        front = _edge(u - 0.4, 0.3) * (0.45 if rib < 7 else 0.0)
        weight = np.minimum(along, 1.5) * (front + (back - front) * _edge(0.6 - v, 1.2))
        bone[:, *w] += np.stack(_tube(distance, 0.5, wall)) * weight

    def plate(self, level: float) -> float:
        """Height of the upper end plate of the vertebra at this level, counted from T1 = 0."""
        return -17.5 + self.pitch * (np.exp(0.018 * level) - 1) / 0.018

    def spine(self, film: _Film, wall: float, bone: Image) -> None:
        w = film.window((-4.2, 4.2, -22, 22))
        v = film.y[w]
        far = np.abs(film.x[w] - self.scoliosis * np.sin(v / 7))
        height = self.pitch + 0.018 * (v + 17.5)  # of vertebra and disc, growing downwards
        level = np.log(height / self.pitch) / 0.018
        f = level - np.floor(level)
        plate = np.minimum(f, 0.8 - f) * height
        waist = 1 - 0.1 * np.sin(np.pi * np.clip(f / 0.8, 0, 1))
        side = (1.3 + 0.022 * (v + 17)) * waist - far
        bone[0, *w] += _edge(side, 0.4) * (0.6 + 1.2 * _edge(plate + 0.1, 0.3))
        sheets = np.maximum(_line(plate, wall) * _edge(side, 0.15), _line(side, wall) * (plate > 0))
        bone[1, *w] += 1.3 * sheets
        # Pedicles seen end on, spinous process in the midline, transverse processes to the sides.
        pedicle = np.hypot((side - 0.42) / 0.3, (f - 0.3) * height / 0.5) - 1
        spinous = np.hypot(far / 0.2, (f - 0.65) * height / 0.6) - 1
        bone[1, *w] += 0.7 * (_line(pedicle, 3 * wall) + _line(spinous, 3 * wall))
        ends = _edge(-side, 0.2) * _edge(side + 1.3, 0.4)
        bone[:, *w] += np.stack(_tube((f - 0.3) * height + 0.15 * side, 0.35, wall)) * (0.8 * ends)

    def clavicle(self, film: _Film, wall: float, bone: Image, side: int, rise: float) -> None:
        w = film.window((*_side(side, 1.2, 15.5), -19, -10))
        t = (side * film.x[w] - 1.5) / 13
        line = -12.4 - rise * t - 0.35 * np.sin(6.3 * t)
        incline = (rise + 0.35 * 6.3 * np.cos(6.3 * t)) / 13
        thick = 0.6 + 0.25 * np.clip(1 - 4 * t, 0, 1)
        tube = _tube((film.y[w] - line) / np.hypot(incline, 1), thick, 1.2 * wall)
        bone[:, *w] += np.stack(tube) * (_edge(t, 0.04) * _edge(1 - t, 0.04))

    def shoulder_blade(self, film: _Film, wall: float, bone: Image, side: int) -> None:
        w = film.window((*_side(side, 9, 18), -15, 4))
        far, v = side * film.x[w], film.y[w] - self.shoulder
        t = (v + 13) / 15
        medial = far - (11.0 + 1.9 * t * t)
        lateral = 16.2 - 3.2 * t - far
        blade = np.minimum(np.minimum(medial, lateral), v + 13.2 - 0.35 * (far - 10))
        bone[0, *w] += 0.4 * _edge(blade, 0.5)
        borders = np.maximum(_line(medial - 0.1, 1.5 * wall) * (lateral > 0), 0)
        borders = borders + 1.5 * _line(lateral - 0.3, 3 * wall) * (medial > 0)
        bone[1, *w] += 0.6 * borders * _edge(v + 12, 3.0) * _edge(2 - v, 0.5)
        # The scapula's own spine rises towards the acromion.
        ridge = (v + 12.6 + 0.35 * (far - 11)) * 0.94
        bone[:, *w] += np.stack(_tube(ridge, 0.4, wall)) * (0.7 * _edge(far - 11, 1.0))

    def humerus(self, film: _Film, wall: float, bone: Image, side: int) -> None:
        w = film.window((*_side(side, 13.5, 22), -17, 0))
        far, v = side * film.x[w] - 17.0, film.y[w] + 12.2 - self.shoulder
        head = np.stack(_tube(np.hypot(far, v), 2.3, 1.3 * wall))
        shaft = np.stack(_tube(far - 0.5 - 0.12 * v, 1.3, 2 * wall)) * (v > 0)
        bone[:, *w] += 0.7 * np.maximum(head, shaft)
