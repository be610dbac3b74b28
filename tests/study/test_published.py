"""The paper's figures, typed here once more from its Tables 2 to 5."""

import numpy as np
import pytest

from skosteo.study.models import TABLES
from skosteo.study.published import published

# AUC, accuracy, sensitivity, specificity (doi:10.2196/70738)
PAPER = {
    2: {"cnn": (0.832, 77.91, 83.54, 69.75), "inception_v3": (0.909, 80.74, 77.66, 84.96),
        "vgg16": (0.916, 85.54, 85.26, 85.92), "image": (0.951, 89.32, 89.82, 88.64),
        "clinical": (0.884, 80.81, 78.29, 84.46), "multimodal": (0.975, 92.36, 91.23, 93.92)},
    3: {"backbone": (0.930, 86.35, 86.97, 80.90), "backbone_wt": (0.950, 87.70, 89.18, 85.99),
        "backbone_sa": (0.941, 89.19, 90.18, 87.97),
        "backbone_wt_sa": (0.951, 89.32, 89.82, 88.64)},
    4: {"feature_fusion": (0.969, 91.49, 90.99, 92.16),
        "learned_fusion": (0.957, 89.32, 89.94, 88.48), "multimodal": (0.975, 92.36, 91.23, 93.92)},
    5: {"no_augmentation": (0.934, 84.32, 92.28, 73.44),
        "augmentation": (0.951, 89.32, 89.82, 88.64)},
}  # fmt: skip
CASES = [(number, name) for number, models in PAPER.items() for name in models]


@pytest.mark.parametrize(("number", "name"), CASES)
def test_every_figure_is_the_papers(number, name):
    auc, *rates = PAPER[number][name]
    found = published(number).loc[name]
    assert list(found.index) == ["AUC", "accuracy", "sensitivity", "specificity"]
    np.testing.assert_allclose(found, [auc, *(rate / 100 for rate in rates)])
    assert set(published(number).index) == set(PAPER[number]) <= set(TABLES[number])


def test_only_where_it_is_asked_for(of_values, of_films):
    assert not [name for name in of_values.study.table(2) if "paper" in name]
    html = (of_values.out / "report.html").read_text("utf-8")
    assert "paper: AUC" not in html
    table = of_films.study.table(2)
    assert table.loc["Image model", "paper: AUC"] == ".951"
    assert table.loc["Multimodal model (PF)", "paper: sensitivity"] == ".912"
    assert table.loc["Logistic: age, sex, BMI", "paper: AUC"] == ""  # which the paper lacks
    assert table.loc["Image model", "AUC"] != ".951"
    html = (of_films.out / "report.html").read_text("utf-8")
    assert "paper: AUC" in html
    assert "as published" in html
