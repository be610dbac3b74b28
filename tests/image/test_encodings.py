"""How far a probability depends on how its film was stored."""

import numpy as np
import pandas as pd
import pytest

from skosteo.datasets import make_cohort
from skosteo.presets import quick_image_classifier
from tests.dicom.test_encodings import LOSSY, every, written
from tests.films import covering


@pytest.mark.slow
def test_lossless_films_of_12_bits_give_one_probability_and_others_nearly(tmp_path):
    cohort = make_cohort(120, directory=tmp_path, random_state=0)
    model = quick_image_classifier(random_state=0).fit(cohort.data[["image"]], cohort.target)
    encodings = list(covering(every()))
    films = pd.DataFrame({"image": [written(encoding) for encoding in encodings]})
    probability = model.predict_proba(films)[:, 1]
    fine = np.array([e.syntax not in LOSSY and e.bits[0] >= 12 for e in encodings])
    error = np.abs(probability - np.median(probability[fine]))
    assert fine.sum() > 50
    assert error[fine].max() < 0.005
    assert error[~fine].max() < 0.02
