"""Text as numbers: what reports say counts, but neither their words nor their length are kept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skosteo import ClinicalPreprocessor
from skosteo.clinical.text_components import ReportText
from skosteo.exceptions import InputError

FINDINGS = {
    "English": """Clear lungs | Heart size is normal | Calcified aortic arch | Mild cardiomegaly
        No pleural effusion | Small left effusion | Old rib fractures | Scoliosis of the spine
        Central line in place | Linear atelectasis at the base | Tortuous aorta | Kyphosis""",
    "Spanish": """Pulmones sin alteraciones | Silueta cardiaca normal | Aorta elongada
        Cifosis dorsal | Cardiomegalia leve | Sin derrame pleural | Derrame izquierdo
        Fracturas costales antiguas | Escoliosis dorsal | Cateter central | Atelectasia basal
        Cambios degenerativos""",
    "Chinese": """双肺纹理清晰 | 心影不大 | 主动脉钙化 | 心影增大 | 双侧肋膈角锐利 | 左侧胸腔积液
        陈旧性肋骨骨折 | 脊柱侧弯 | 右肺门增大 | 两肺底索条影 | 主动脉迂曲 | 胸椎退行性变""",
}
TERMS = {
    "English": ["Diffuse osteopenia", "M81.0", "OP, moderate", "Osteo  porosis, more so low"],
    "Spanish": ["Osteopenia difusa", "Aplastamiento, conocido", "Pérdida de altura", "Prolia"],
    "Chinese": ["胸椎骨质疏松", "骨 质 疏 松\uff0c以胸椎为著", "脱钙", "胸12椎体压缩", "骨松"],
}  # fmt: skip


def null_reports(language, comma, n=1500):
    """Findings by chance, with a giveaway somewhere among those of the cases."""
    rng = np.random.default_rng(0)
    findings = [f.strip() for line in FINDINGS[language].splitlines() for f in line.split("|")]
    stop = {"Chinese": "\uff0c。"}.get(language, [", ", ". "])[0 if comma else 1]
    y = rng.permutation(np.resize([0, 1], n))
    texts = []
    for case in y:
        said = list(rng.choice(findings, rng.integers(1, 7)))
        if case:
            said.insert(rng.integers(len(said) + 1), rng.choice(TERMS[language]))
        texts.append(stop.join(said))
    return pd.DataFrame({"xray_description": texts}), y


@pytest.mark.parametrize(
    ("language", "comma"),
    [
        ("English", True),
        ("Spanish", False),
        ("Chinese", False),
        pytest.param("English", False, marks=pytest.mark.slow),
        pytest.param("Spanish", True, marks=pytest.mark.slow),
        pytest.param("Chinese", True, marks=pytest.mark.slow),
    ],
)
def test_null_text_with_giveaways_tells_nothing(language, comma):
    X, y = null_reports(language, comma)
    learners = LogisticRegression(), RandomForestClassifier(50, random_state=0)
    p = np.empty((len(learners), len(y)))
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(X, y):
        step = ClinicalPreprocessor().fit(X.iloc[train])
        seen, new = step.transform(X.iloc[train]), step.transform(X.iloc[test])
        for i, learner in enumerate(learners):
            p[i, test] = learner.fit(seen, y[train]).predict_proba(new)[:, 1]
    assert all(0.45 < roc_auc_score(y, said) < 0.55 for said in p)
    raw = make_pipeline(ClinicalPreprocessor(masked_terms=()), LogisticRegression())
    said = raw.fit(X.iloc[train], y[train]).predict_proba(X.iloc[test])[:, 1]
    assert roc_auc_score(y[test], said) > 0.6  # it is there to be found


def test_findings_tell_what_they_tell():
    X, _ = null_reports("English", comma=False)
    y = X["xray_description"].str.contains("Kyphosis").to_numpy()
    model = make_pipeline(ClinicalPreprocessor(), LogisticRegression())
    p = cross_val_predict(model, X, y, cv=5, method="predict_proba")[:, 1]
    assert roc_auc_score(y, p) > 0.65


def fit(texts, *, keep=False):
    return ReportText("report", keep=keep).fit(pd.Series(texts, dtype=object))


PLAIN = ["clear lungs", "aorta tortuous", "kyphosis of the spine"] * 4


@pytest.mark.parametrize(
    "written",
    [
        "CLEAR LUNGS",
        "clear lungs!!!",
        "clear   lungs",
        "clear (lungs) 1234",
        "clear lungs clear lungs",
    ],
)
def test_case_punctuation_numbers_and_length_tell_nothing(written):
    step = fit(PLAIN)
    np.testing.assert_array_equal(
        step.transform(pd.Series([written])), step.transform(pd.Series(["clear lungs"]))
    )


def test_no_text_is_zeros_or_a_gap_as_asked():
    texts = pd.Series([*PLAIN, np.nan, "words never heard"], dtype=object)
    filled = fit(PLAIN).transform(texts)
    assert (filled[-2:] == 0).all()
    assert (np.abs(filled[:3]).max(axis=1) == 1).all()
    kept = fit(PLAIN, keep=True).transform(texts)
    assert np.isnan(kept).all(axis=1).tolist() == [False] * 12 + [True, False]


def test_a_text_that_was_removed_whole_is_a_missing_one():
    X = pd.DataFrame({"xray_description": [*PLAIN, None, "Osteoporosis."]})
    for options in ({}, {"imputation": "keep"}, {"missing_flags": True}):
        out = ClinicalPreprocessor(**options).fit_transform(X)
        np.testing.assert_array_equal(out[-1], out[-2])


def test_a_row_does_not_depend_on_its_neighbours():
    texts, step = pd.Series(PLAIN), fit(PLAIN)
    alone = np.vstack([step.transform(texts.iloc[[i]]) for i in range(3)])
    np.testing.assert_array_equal(alone, step.transform(texts)[:3])


def test_words_of_few_rows_are_not_learnt():
    names = [f"seen by {name} " for name in ("garcia", "miller", "wang")]
    texts = ["clear lungs", "aorta tortuous"] * 100
    step = fit([f"{names[i]}{text}" if i < 3 else text for i, text in enumerate(texts)])
    assert len(step.words_) == len(fit(texts).words_)


@pytest.mark.parametrize(
    ("texts", "match"),
    [([np.nan] * 3, "no text in the 3 rows"), (["one", "two", "three"], "no word that is in two")],
)
def test_nothing_to_learn_from_is_refused(texts, match):
    with pytest.raises(InputError, match=match):
        fit(texts)
