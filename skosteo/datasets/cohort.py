"""A synthetic cohort whose signal is planted: what films and table can know is set and known."""

import os
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.utils import Bunch, check_random_state

from skosteo.datasets.dicom_writer import write_radiograph
from skosteo.datasets.phantom import draw_film
from skosteo.exceptions import InputError

CLINICAL = [
    "age", "sex", "height_cm", "weight_kg", "bmi", "wbc_10e9_l", "platelets_10e9_l",
    "calcium_mmol_l", "glucose_mmol_l", "xray_diagnosis", "xray_description",
]  # fmt: skip
TRUTH = ["bmd_g_cm2", "t_score", "image_view", "clinical_view"]

# Patients referred for DXA: T-scores of -2.2 +- 1.2, so that 40 % have osteoporosis, T <= -2.5.
T_MEAN, T_SD, T_CUT = -2.2, 1.2, -2.5

# Weights of the clinical signal's components, dense bone positive; age and sex lead, then the
# report and body mass, and the blood values trail.
_WEIGHTS = {
    "age": -0.58, "sex": 0.50, "bmi": 0.40, "diagnosis": 0.34, "description": 0.30, "height": 0.20,
    "wbc": -0.16, "platelets": -0.14, "glucose": 0.14, "calcium": 0.10,
}  # fmt: skip

_DIAGNOSES = {  # with the proportion of patients, from the lowest density upwards
    "degenerative change of the thoracic spine": 0.30,
    "aortic atherosclerosis": 0.18,
    "chronic bronchitis": 0.14,
    "pulmonary emphysema": 0.08,
    "no acute cardiopulmonary abnormality": 0.30,
}
_ANY = ["The lungs are clear.", "Lung markings are slightly increased.", "No pleural effusion."]
_ANY += ["Heart size within normal limits.", "The heart is borderline enlarged."]
_LOW = ["Increased thoracic kyphosis.", "Marginal osteophytes of the thoracic vertebrae."]
_MIDDLE = ["Calcification of the aortic arch.", "The aorta is tortuous."]
_HIGH = ["The bony thorax is unremarkable.", "The thoracic spine is in normal alignment."]

_DESCR = """\
SYNTHETIC cohort: no row, film or value comes from a person. Never report results on it as clinical.

Patients: {n_patients}; films of each: {images_per_patient}.
Each patient has a standardised bone density z ~ N(0, 1); T-score = -2.2 + 1.2 z (a referral
population), femoral-neck density = .858 + .120 T g/cm2 (NHANES III), osteoporosis: T <= -2.5, 40 %.
The films show m = s z + sqrt(1 - s^2) noise with s = image_signal = {image_signal:g}: cortex,
trabecular pattern and attenuation of all bones follow m. The table is drawn from
c = s z + sqrt(1 - s^2) noise with s = clinical_signal = {clinical_signal:g}, spread over age, sex,
body size, blood values and report text. The two noises are independent.
No model can pass, on average over cohorts, the AUC of m: {image_auc:.3f}, of c: {clinical_auc:.3f},
of both: {fused_auc:.3f}. A little of c is lost where it becomes a sex, a phrase or a missing value
(rate {missing_rate:g}, completely at random). Pose, exposure, noise and anatomy know nothing.
"""


def best_auc(signal: float) -> float:
    r"""Return the area under the ROC curve that no model of a view can pass.

    With :math:`z \sim N(0, 1)`, a view :math:`v = s z + \sqrt{1 - s^2}\,\epsilon` and disease
    where :math:`z \le k`, the best score is :math:`-v`, and

    .. math:: \mathrm{AUC} = \int F_1(v)\, f_0(v)\, dv, \qquad
              f_1(v) = \varphi(v)\, \Phi\!\Big(\frac{k - s v}{\sqrt{1 - s^2}}\Big) / \Phi(k),

    where 1 are the diseased and 0 the others, and :math:`k = -.25` for a T-score of -2.5.

    The signal is the correlation s of the view with the density, 0 to 1: .4, .5, .6, .7, .8 and .9
    allow .68, .73, .78, .83, .88 and .94; for .80 it takes .64.

    Examples
    --------
    >>> round(best_auc(0.64), 2)
    0.8
    """
    _check_proportion("signal", signal)
    if signal == 1:
        return 1.0
    cut = (T_CUT - T_MEAN) / T_SD
    view = np.linspace(-9, 9, 4001)
    case = norm.cdf((cut - signal * view) / np.sqrt(1 - signal**2))
    density = norm.pdf(view) * (view[1] - view[0])
    case_density = density * case / norm.cdf(cut)
    below = np.cumsum(case_density) - case_density / 2
    return float(below @ (density * (1 - case) / norm.sf(cut)))


def fused_signal(*signals: float) -> float:
    r"""Return the correlation with the density of the best combination of independent views.

    Views whose noises are independent add their precisions:
    :math:`\rho^2 = q / (1 + q)` with :math:`q = \sum_i s_i^2 / (1 - s_i^2)`.

    Examples
    --------
    >>> round(fused_signal(0.6, 0.6), 3)
    0.728
    """
    for signal in signals:
        _check_proportion("signal", signal)
    if 1 in signals:
        return 1.0
    precision = sum(s * s / (1 - s * s) for s in signals)
    return float(np.sqrt(precision / (1 + precision)))


def make_cohort(
    n_patients: int,
    images_per_patient: int = 1,
    *,
    image_signal: float = 0.6,
    clinical_signal: float = 0.6,
    missing_rate: float = 0.1,
    directory: str | os.PathLike[str] | None = None,
    random_state: int | RandomState | None = None,
) -> Bunch:
    """Draw a synthetic cohort of chest films with clinical values and known bone density.

    Parameters
    ----------
    n_patients : int
        Number of patients, at least 1.
    images_per_patient : int, default=1
        Films of each patient, one row each; they share anatomy and clinical values, and differ in
        pose, exposure and noise.
    image_signal : float, default=0.6
        Correlation, 0 to 1, of what the films show with the patient's density. `best_auc` gives
        the AUC that it allows: .78 for .6, .80 for .64.
    clinical_signal : float, default=0.6
        The same for what the table is drawn from. `fused_signal` combines the two.
    missing_rate : float, default=0.1
        Proportion, below 1, of patients without each of: body weight (and BMI with it), each blood
        value, each report text; completely at random. Age, sex and height are never missing.
    directory : str or path-like, default=None
        Where to write the films as DICOM files of mixed encodings, ``patient_0001_1.dcm`` and so
        on; created if need be, never overwritten. None keeps them in memory.
    random_state : int, RandomState or None, default=None
        The same int gives the same cohort.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : DataFrame, one row per film: "image" (path, or a uint8 array of 512 x 432, bone
        bright) and the clinical columns: all that an estimator may see.
        ``target`` : Series of int, 1 for osteoporosis (T-score of -2.5 or less); of few patients
        perhaps one class only.
        ``groups`` : Series of str, the patient.
        ``truth`` : DataFrame with the density, the T-score and the two views.
        ``frame`` : DataFrame of all the above. ``DESCR`` : str.

    References
    ----------
    Looker AC et al. Updated data on proximal femur bone mineral levels of US adults. Osteoporos
    Int 1998;8:468-489. doi:10.1007/s001980050093

    Examples
    --------
    >>> cohort = make_cohort(3, images_per_patient=2, random_state=0)
    >>> cohort.data.shape, cohort.data["image"][0].shape
    ((6, 12), (512, 432))
    >>> cohort.groups.tolist()[:3]
    ['patient_0001', 'patient_0001', 'patient_0002']
    """
    _check_count("images_per_patient", images_per_patient)
    rng = check_random_state(random_state)
    planted = {"image_signal": image_signal, "clinical_signal": clinical_signal}
    planted["missing_rate"] = missing_rate
    patients = draw_patients(n_patients, **planted, random_state=rng)
    anatomy = rng.randint(2**31 - 1, size=n_patients).repeat(images_per_patient)
    frame = patients.loc[patients.index.repeat(images_per_patient)].reset_index(drop=True)
    seeds = rng.randint(2**31 - 1, size=len(frame))
    films = (
        draw_film(cortical=v, trabecular=v, attenuation=v, anatomy=body, random_state=seed)
        for v, body, seed in zip(frame["image_view"], anatomy.tolist(), seeds.tolist(), strict=True)
    )
    if directory is None:
        images = pd.Series([np.rint(film * 255).astype(np.uint8) for film in films], dtype=object)
    else:
        images = pd.Series(_write_films(Path(directory), frame["patient_id"], films, seeds))
    frame.insert(1, "image", images)
    return Bunch(
        frame=frame,
        data=frame[["image", *CLINICAL]],
        target=frame["osteoporosis"],
        groups=frame["patient_id"],
        truth=frame[TRUTH],
        DESCR=_DESCR.format(
            n_patients=n_patients,
            images_per_patient=images_per_patient,
            image_auc=best_auc(image_signal),
            clinical_auc=best_auc(clinical_signal),
            fused_auc=best_auc(fused_signal(image_signal, clinical_signal)),
            **planted,
        ),
    )


def draw_patients(
    n_patients: int,
    *,
    image_signal: float = 0.6,
    clinical_signal: float = 0.6,
    missing_rate: float = 0.1,
    random_state: int | RandomState | None = None,
) -> pd.DataFrame:
    """Draw the table of `make_cohort` without its films: one row per patient.

    With the weights w scaled to length 1 and standard normal g, the table is drawn from
    u = c w + (I - w w') g: standard normal, independent components whose readout w'u is exactly c.

    Parameters
    ----------
    n_patients : int
        Number of patients, at least 1.
    image_signal, clinical_signal, missing_rate : float, default=0.6, 0.6 and 0.1
        As in `make_cohort`.
    random_state : int, RandomState or None, default=None
        The same int gives the same patients.

    Returns
    -------
    DataFrame of shape (n_patients, 17)
        "patient_id", the clinical columns, "osteoporosis" (1: a T-score of -2.5 or less), and what
        no estimator may see: density, T-score and the two views.

    Examples
    --------
    >>> from skosteo.datasets import draw_patients
    >>> draw_patients(20, random_state=0).shape
    (20, 17)
    """
    _check_count("n_patients", n_patients)
    _check_proportion("image_signal", image_signal)
    _check_proportion("clinical_signal", clinical_signal)
    _check_proportion("missing_rate", missing_rate)
    if missing_rate == 1:
        raise InputError("missing_rate=1 would leave no clinical value; give less than 1")
    rng = check_random_state(random_state)
    z, image_noise, clinical_noise = rng.standard_normal((3, n_patients))
    image_view = image_signal * z + np.sqrt(1 - image_signal**2) * image_noise
    clinical_view = clinical_signal * z + np.sqrt(1 - clinical_signal**2) * clinical_noise
    table = _clinical_table(clinical_view, rng)
    for name in CLINICAL[3:]:  # completely at random; without a weight there is no BMI
        if name != "bmi":
            gone = rng.uniform(size=n_patients) < missing_rate
            table.loc[gone, ["weight_kg", "bmi"] if name == "weight_kg" else name] = np.nan
    t_score = T_MEAN + T_SD * z
    table.insert(0, "patient_id", [f"patient_{i + 1:04d}" for i in range(n_patients)])
    return table.assign(
        osteoporosis=(t_score <= T_CUT).astype(int),
        bmd_g_cm2=0.858 + 0.120 * t_score,
        t_score=t_score,
        image_view=image_view,
        clinical_view=clinical_view,
    )


def _clinical_table(view: NDArray[np.float64], rng: RandomState) -> pd.DataFrame:
    """Turn the clinical view into what a hospital prints."""
    weights = np.array(list(_WEIGHTS.values()))
    weights /= np.linalg.norm(weights)
    noise = rng.standard_normal((len(view), len(weights)))
    parts = noise + np.outer(view - noise @ weights, weights)
    u = dict(zip(_WEIGHTS, parts.T, strict=True))
    female = u["sex"] < norm.ppf(0.62)
    height = np.rint(np.where(female, 158, 171) + 6.2 * u["height"]).astype(int)
    weight = np.round(24.3 * np.exp(0.15 * u["bmi"]) * (height / 100) ** 2, 1)
    limits = norm.ppf(np.cumsum(list(_DIAGNOSES.values()))[:-1])
    table = {
        "age": np.clip(np.rint(68 + 9 * u["age"]), 50, 95).astype(int),
        "sex": np.where(female, "F", "M"),
        "height_cm": height,
        "weight_kg": weight,
        "bmi": np.round(weight / (height / 100) ** 2, 1),
        "wbc_10e9_l": np.round(6.3 * np.exp(0.27 * u["wbc"]), 2),
        "platelets_10e9_l": np.rint(np.maximum(225 + 55 * u["platelets"], 30)),
        "calcium_mmol_l": np.round(2.32 + 0.09 * u["calcium"], 2),
        # skewed to the right, as in any population with diabetes
        "glucose_mmol_l": np.round(3.6 + 2.0 * np.exp(0.45 * u["glucose"]), 1),
        "xray_diagnosis": np.array(list(_DIAGNOSES))[np.searchsorted(limits, u["diagnosis"])],
        "xray_description": _descriptions(u["description"], rng),
    }
    return pd.DataFrame(table)[CLINICAL]


def _descriptions(density: NDArray[np.float64], rng: RandomState) -> list[str]:
    """Two sentences each: one of lungs or heart by chance, one of spine or aorta by density.

    Ageing spine and calcified aorta go with low density; words that name the answer never occur.
    """
    seen = density + rng.normal(0, 0.5, len(density))
    level = np.searchsorted([-0.4, 0.2], seen)
    first = np.array(_ANY)[rng.randint(len(_ANY), size=len(density))]
    second = np.array([_LOW, _MIDDLE, _HIGH])[level, rng.randint(2, size=len(density))]
    return [f"{a} {b}" for a, b in zip(first, second, strict=True)]


def _write_films(
    folder: Path, patients: pd.Series, films: Iterable[NDArray[np.float32]], seeds: NDArray
) -> list[str]:
    """Write each film in an encoding drawn at random, as machines of several makers would."""
    numbers = patients.groupby(patients).cumcount() + 1
    paths = [folder / f"{name}_{i}.dcm" for name, i in zip(patients, numbers, strict=True)]
    taken = sum(path.exists() for path in paths)
    if taken:
        raise InputError(
            f"the directory already holds {taken} of the {len(paths)} files to be written; give "
            "an empty or new directory"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, patient, film, seed in zip(paths, patients, films, seeds.tolist(), strict=True):
        rng = np.random.default_rng([seed, 5])
        write_radiograph(
            path,
            film,
            patient_id=patient,
            photometric=str(rng.choice(["MONOCHROME1", "MONOCHROME2"])),
            bits=int(rng.choice([10, 12, 14, 16])),
            window=bool(rng.random() < 0.7),
            rescale=(0.5, -100.0) if rng.random() < 0.25 else (1.0, 0.0),
        )
    return [str(path) for path in paths]


def _check_proportion(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{name}={value!r}; give a number from 0 to 1")


def _check_count(name: str, value: int) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise InputError(f"{name}={value!r}; give a whole number of at least 1")
