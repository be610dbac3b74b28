"""A synthetic cohort whose signal is planted: what films and table can know is set and known."""

import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.utils import Bunch, check_random_state

from ..exceptions import InputError
from .dicom_writer import write_radiograph
from .phantom import draw_film

CLINICAL = [
    "age",
    "sex",
    "height_cm",
    "weight_kg",
    "bmi",
    "wbc_10e9_l",
    "platelets_10e9_l",
    "calcium_mmol_l",
    "glucose_mmol_l",
    "xray_diagnosis",
    "xray_description",
]
TRUTH = ["bmd_g_cm2", "t_score", "image_view", "clinical_view"]

# Patients referred for DXA: T-scores of -2.2 +- 1.2, so that 40 % have osteoporosis, T <= -2.5.
T_MEAN, T_SD, T_CUT = -2.2, 1.2, -2.5

# Weights of the clinical signal's components, dense bone positive; age and sex lead, then the
# report and body mass, and the blood values trail.
_WEIGHTS = {
    "age": -0.58,
    "sex": 0.40,
    "bmi": 0.40,
    "diagnosis": 0.34,
    "description": 0.30,
    "height": 0.20,
    "wbc": -0.16,
    "platelets": -0.14,
    "glucose": 0.14,
    "calcium": 0.10,
}

_DIAGNOSES = (  # share of patients from the lowest density upwards
    (0.30, "degenerative change of the thoracic spine"),
    (0.18, "aortic atherosclerosis"),
    (0.14, "chronic bronchitis"),
    (0.08, "pulmonary emphysema"),
    (0.30, "no acute cardiopulmonary abnormality"),
)
_LUNGS = (
    "The lungs are clear.",
    "Lung markings are slightly increased.",
    "No focal consolidation or effusion.",
    "Fibrotic strands in both upper zones.",
)
_SPINE_LOW = (
    "Increased thoracic kyphosis.",
    "Marginal osteophytes of the thoracic vertebrae.",
    "Degenerative change of the spine.",
)
_SPINE_HIGH = (
    "The bony thorax is unremarkable.",
    "Thoracic spine in normal alignment.",
    "Clavicles and ribs are intact.",
)
_AORTA = ("Calcification of the aortic arch.", "The aorta is tortuous.")
_HEART = ("Heart size within normal limits.", "The heart is borderline enlarged.")

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

    Parameters
    ----------
    signal : float
        Correlation s of the view with the density, 0 to 1.

    Returns
    -------
    float
        From .5 to 1. Signals of .4, .57, .6 and .8 give .70, .80, .81 and .92.

    Examples
    --------
    >>> round(best_auc(0.57), 2)
    0.8
    """
    _check_share("signal", signal)
    if signal == 1:
        return 1.0
    cut = (T_CUT - T_MEAN) / T_SD
    view = np.linspace(-9, 9, 4001)
    ill = norm.cdf((cut - signal * view) / np.sqrt(1 - signal**2))
    density = norm.pdf(view) * (view[1] - view[0])
    ill_density, well_density = density * ill / norm.cdf(cut), density * (1 - ill) / norm.sf(cut)
    below = np.cumsum(ill_density) - ill_density / 2
    return float(below @ well_density)


def fused_signal(*signals: float) -> float:
    r"""Return the correlation with the density of the best combination of independent views.

    Views whose noises are independent add their precisions:
    :math:`\rho^2 = q / (1 + q)` with :math:`q = \sum_i s_i^2 / (1 - s_i^2)`.

    Parameters
    ----------
    *signals : float
        Correlation of each view with the density, 0 to 1.

    Returns
    -------
    float
        At least the largest of them, at most 1.

    Examples
    --------
    >>> round(fused_signal(0.6, 0.6), 3)
    0.728
    """
    for signal in signals:
        _check_share("signal", signal)
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
        the AUC that it allows: .81 for .6.
    clinical_signal : float, default=0.6
        The same for what the table is drawn from. `fused_signal` combines the two.
    missing_rate : float, default=0.1
        Share, below 1, of patients without each of: body weight (and BMI with it), each blood
        value, each report text; completely at random. Age, sex and height are never missing.
    directory : str or path-like, default=None
        Where to write the films as DICOM files of mixed encodings, ``patient_0001_1.dcm`` and so
        on; created if need be. None keeps them in memory.
    random_state : int, RandomState or None, default=None
        The same int gives the same cohort.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : DataFrame, one row per film: "image" (path, or a uint8 array of 512 x 432, bone
        bright) and the clinical columns: all that an estimator may see.
        ``target`` : Series of int, 1 for osteoporosis (T-score of -2.5 or less).
        ``groups`` : Series of str, the patient.
        ``truth`` : DataFrame with the density, the T-score and the two views.
        ``frame`` : DataFrame of all the above. ``DESCR`` : str.

    Raises
    ------
    InputError
        A parameter is out of range, or a file would be overwritten.

    Notes
    -----
    Cohorts of a few patients may hold one class only.

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
    patients = draw_patients(
        n_patients,
        image_signal=image_signal,
        clinical_signal=clinical_signal,
        missing_rate=missing_rate,
        random_state=rng,
    )
    anatomy = rng.randint(2**31 - 1, size=n_patients)
    frame = patients.loc[patients.index.repeat(images_per_patient)]
    seeds = rng.randint(2**31 - 1, size=len(frame))
    films = zip(frame["image_view"], anatomy.repeat(images_per_patient), seeds, strict=True)
    names = [f"{patient}_{i + 1}.dcm" for patient in patients["patient_id"]
             for i in range(images_per_patient)]
    paths = None if directory is None else _free_paths(Path(directory), names)
    images: list[Any] = []
    for row, (view, body, seed) in enumerate(films):
        film = draw_film(
            cortical=view, trabecular=view, attenuation=view, anatomy=int(body), random_state=seed
        )
        if paths is None:
            images.append(np.rint(film * 255).astype(np.uint8))
        else:
            _write(paths[row], film, seed)
            images.append(str(paths[row]))
    frame = frame.reset_index(drop=True)
    dtype = object if paths is None else "str"
    frame.insert(1, "image", pd.Series(images, dtype=dtype))
    return Bunch(
        frame=frame,
        data=frame[["image", *CLINICAL]],
        target=frame["osteoporosis"],
        groups=frame["patient_id"],
        truth=frame[TRUTH],
        DESCR=...,
    )
