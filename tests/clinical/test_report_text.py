"""Names and texts that give the label away, in three languages, go; all else stays."""

import os
import re
from unicodedata import normalize

import numpy as np
import pandas as pd
import pytest

from skosteo import ClinicalPreprocessor
from skosteo.clinical import GIVEAWAY_TERMS, select_cohort
from skosteo.clinical.report_text import (
    ReportText,
    compile_terms,
    is_label_leaking_name,
    names_diagnosis,
)
from skosteo.datasets import fetch_hannover_cxr, fetch_nhanes
from skosteo.datasets.cohort import CLINICAL, TRUTH
from skosteo.exceptions import InputError

needs_data = pytest.mark.skipif("SKOSTEO_DATA" not in os.environ, reason="needs SKOSTEO_DATA")

PATTERNS = compile_terms(GIVEAWAY_TERMS)

GIVEAWAYS = """
osteoporosis | Osteopenia | OSTEOPOROTIC | osteopaenia | osteo-porosis | osteoporótica
osteoporosis grave | osteopénico | osteoporótico | senile osteoporosis | 骨质疏松 | 骨質疏鬆
骨质疏松症 | 骨量减少 | 骨量減少 | 骨量低下 | 低骨量 | 骨質減少 | 骨鬆 | 骨质稀疏 | 骨質稀疏
骨小梁稀疏 | 骨密度减低 | 骨密度 | 骨质丢失 | 骨质脱钙 | 骨質脫鈣 | 骨矿含量 | 骨礦物質密度
bone loss | bone mineral density | low bone density | bone mass | skeletal density | bone thinning
bony demineralization | demineralisation | under-mineralised | loss of bone | density of the bones
densidad ósea | densidad mineral osea | masa ósea | pérdida ósea | perdida de masa osea
desmineralización | pérdida de hueso | T-score | T score -2.9 | t-scores | T_score: -3.1 | Z-score
T-score of \u22122.6 | T值 | T值-2.7 | T值为-3.1 | T = -2.8 | T: -3,1 | T评分 | T值\uff1a-2.5
puntuación T | índice T -2,7 | T value | DXA | DEXA | BMD | BMD 0.612 g/cm2 | BMD=0,58 g/cm²
行DXA检查 | BMD值0.61 | aBMD | QCT | FRAX | densitometry | densitometría | absorptiometry
双能X线 | 雙能X光 | 0.55 g/cm^2 | compression fracture | compression deformity | wedge deformity
fragility fracture | wedge fracture | insufficiency fractures | vertebral collapse
vertebral fracture | vertebral body compression | vertebral wedging
loss of vertebral body height | vertebral height loss | codfish vertebrae
wedging of the T8 vertebra | compression of the lower thoracic vertebrae | collapsed vertebra
vertebroplasty | kyphoplasty | fractura por aplastamiento | aplastamiento vertebral
fractura vertebral | fractura por compresion | colapso vertebral | acuñamiento de vértebras
fractura por fragilidad | vertebroplastia | cifoplastia | aplastamiento de los cuerpos vertebrales
压缩性骨折 | 壓縮性骨折 | 压缩骨折 | 椎体压缩 | 椎體壓縮 | 楔形变 | 楔形改變 | 脆性骨折
椎体成形术 | 椎體塌陷 | bisphosphonate | biphosphonates | alendronate | alendronic acid
risedronate | ibandronate | zoledronic acid | zoledronate | pamidronate | denosumab | Prolia
Fosamax | Aclasta | Forteo | teriparatide | romosozumab | abaloparatide | raloxifene
bazedoxifene | strontium ranelate | calcitonin | Evenity | bifosfonatos | bisfosfonato
alendronato | ácido zoledrónico | risedronato | ácido ibandrónico | teriparatida | raloxifeno
calcitonina | ranelato de estroncio | 双膦酸盐 | 雙磷酸鹽 | 二膦酸盐 | 阿仑膦酸钠 | 阿侖膦酸鈉
唑来膦酸 | 唑來膦酸 | 利塞膦酸钠 | 伊班膦酸 | 地舒单抗 | 地诺单抗 | 地舒單抗 | 狄诺塞麦 | 特立帕肽
罗莫佐单抗 | 雷洛昔芬 | 降钙素 | 雷奈酸锶 | 福善美 | 普罗力 | 保骼麗 | 密固达 | 复泰奥
osteoporsis | osteoprosis | osteoperosis | compression of T8 | anterior wedging of T11
loss of height of T8 | L1 burst fracture | Th12 compression fracture | T11 wedging
fracture of the T12 vertebra | fracture of T12 | vertebra plana | low-trauma fracture
low energy fracture | acuñamiento D8 | acuñamiento de D8 | hundimiento vertebral | fractura de L1
骨皮质变薄 | 骨皮質變薄
"""
STAYS = """
fracture of the rib | old rib fractures | clavicle fracture | healed fracture of the humerus
aortic calcification | calcification of the aortic arch | coronary calcification
increased density in the right lower lobe | nodular density | a mass in the left lung | rib mass
compressive atelectasis | collapse of the left lower lobe | wedge-shaped opacity | lung collapse
degenerative change of the thoracic spine | increased thoracic kyphosis | scoliosis | osteophytes
marginal osteophytes of the thoracic vertebrae | osteoarthritis | osteolytic lesion
osteochondroma | the bony thorax is unremarkable | bone island | bone metastases
vertebral bodies are aligned | procalcitonin raised | T12 level | T4 vertebra | T wave
PICC tip at T6 | T: 36.5 C | loss of volume | calcium deposit | CT recommended | tortuous aorta
height of the diaphragm | dexamethasone | fractura costal | fractura de clavícula
calcificación aórtica | atelectasia por compresión | aumento de densidad pulmonar
osteofitos marginales | cifosis dorsal | artrosis | 肋骨骨折 | 锁骨骨折 | 鎖骨骨折 | 主动脉钙化
主動脈鈣化 | 骨质增生 | 骨質增生 | 骨质破坏 | 胸椎退行性变 | 肺密度增高 | 双肺清晰 | 雙肺清晰
降钙素原升高 | 降鈣素原 | 双侧胸腔积液 | 膦 | 压缩性肺不张 | 骨稳定
T5 rib fracture | fracture of the T5 transverse process | nodule at the height of T8 | D2 | L1 node
collapse of LLL | osteopetrosis | osteoprotegerin | compression of the trachea
high-energy fracture | hundimiento costal | 肾皮质变薄
"""


def terms(text):
    return [term.strip() for line in text.strip().splitlines() for term in line.split("|")]


def masked(text):
    text = normalize("NFKC", text)
    for pattern in PATTERNS:
        text = pattern.sub(" ", text)
    return text


@pytest.mark.parametrize("term", terms(GIVEAWAYS))
def test_terms_that_give_the_answer_away_are_masked(term):
    assert masked(term) != normalize("NFKC", term)
    # wherever it stands, and touching Chinese text, with nothing of the rest of it lost
    for before, after in (("Clear lungs. ", ", see above."), ("双肺清晰", "主动脉钙化")):
        rest = masked(f"{before}{term}{after}")
        assert rest.startswith(before.strip())
        assert rest.endswith(after)
        assert names_diagnosis(pd.Series([before + term + after]), PATTERNS)


@pytest.mark.parametrize("term", terms(STAYS))
def test_other_findings_stay(term):
    assert masked(term) == term
    assert masked(term.upper()) == term.upper()


@pytest.mark.parametrize(
    "text",
    [
        "T-score -2.9",
        "BMD 0.612 g/cm2",
        "T值为-3.1",
        "T_score: \u22123.1",
        "\uff34值\uff1a-2.5",
        "índice T -2,7",
        "BMD值0.61",
    ],
)
def test_the_measured_value_goes_with_its_name(text):
    assert not re.search(r"\d", masked(f"{text}. Clear lungs.").replace("cm2", ""))


def test_letters_with_loose_accents_are_the_same():
    assert masked("osteoporo\u0301tica") != "osteoporo\u0301tica"
    step = ReportText("report", PATTERNS, keep=False)
    step.fit(pd.Series(["cifosis osteoporo\u0301tica", "cifosis", "aorta"] * 3))
    assert sum(step.n_rows_.values()) == 3


def fit(texts, patterns=PATTERNS, *, keep=False):
    return ReportText("report", patterns, keep=keep).fit(pd.Series(texts, dtype=object))


def test_masked_terms_change_nothing_and_unmasked_ones_do():
    plain = ["clear lungs", "aortic calcification", "kyphosis"] * 5
    marked = [f"{text} osteoporosis" if i % 2 else text for i, text in enumerate(plain)]
    series, marked_series = pd.Series(plain), pd.Series(marked)
    np.testing.assert_allclose(
        fit(marked).transform(marked_series), fit(plain).transform(series), atol=1e-12
    )
    open_ = fit(marked, patterns=[])
    assert np.abs(open_.transform(marked_series) - open_.transform(series)).max() > 0.1


def test_rows_with_a_term_are_counted_not_occurrences():
    step = fit(["osteoporosis and osteoporosis", "clear", "Fosamax", None])
    counts = {term: n for term, n in step.n_rows_.items() if n}
    assert sorted(counts.values()) == [1, 1]


class Counting:
    """A pattern that counts the texts it is given."""

    pattern = "counting"

    def __init__(self):
        self.n_texts = 0

    def subn(self, new, text):
        self.n_texts += 1
        return text, int(text == "aorta")

    def sub(self, new, text):
        return self.subn(new, text)[0]


def test_the_same_text_is_masked_once():
    counting = Counting()
    texts = ["clear lungs", "aorta", None] * 1000
    step = fit(texts, patterns=[counting])
    assert step.n_rows_ == {"counting": 1000}
    assert step.transform(pd.Series(texts)).shape[0] == 3000
    assert counting.n_texts == 6


def test_a_text_weighs_as_often_as_it_occurs():
    once, thrice = (
        fit(["clear", "aorta", "arch"]),
        fit(["clear", "aorta", "aorta", "aorta", "arch"]),
    )
    vectors = [step.components_[0] for step in (once, thrice)]
    weights = [v.idf_[v.vocabulary_["ao"]] - v.idf_[v.vocabulary_["cl"]] for v in vectors]
    assert weights[0] == pytest.approx(0)
    assert weights[1] < 0


def test_the_number_of_n_grams_is_bounded(monkeypatch):
    monkeypatch.setattr("skosteo.clinical.report_text._MAX_N_GRAMS", 30)
    step = fit([f"{number} {number % 7} of {number**2}" for number in range(200)])
    assert len(step.components_[0].vocabulary_) == 30


def test_no_text_is_zeros_or_a_gap_as_asked():
    texts = pd.Series(["clear lungs", "aorta tortuous", None, " ", pd.NA, "osteoporosis"])
    filled = fit(texts).transform(texts)
    assert (filled[2:] == 0).all()
    kept = fit(texts, keep=True).transform(texts)
    assert np.isnan(kept).all(axis=1).tolist() == [False, False, True, True, True, False]
    np.testing.assert_array_equal(kept[:2], filled[:2])


def test_a_row_does_not_depend_on_its_neighbours():
    texts = pd.Series(["clear lungs", "aorta tortuous", "kyphosis of the spine"] * 4)
    step = fit(texts)
    alone = np.vstack([step.transform(texts.iloc[[i]]) for i in range(3)])
    np.testing.assert_allclose(alone, step.transform(texts)[:3], atol=1e-12)


def test_hostile_text_is_masked_in_time():
    for text in (
        "T-score" + " " * 20_000 + "x",
        "bone " * 5_000,
        "fractura " * 3_000,
        "a" * 50_000,
    ):
        masked(text)


@pytest.mark.parametrize(
    ("patterns", "match"),
    [
        ("osteoporosis", "one text; give a sequence"),
        (["fine", "(open"], "number 2 of 2: not a regular expression.*re.escape"),
        ([3], "number 1 of 1: not a regular expression"),
    ],
)
def test_terms_that_cannot_be_used(patterns, match):
    with pytest.raises(InputError, match=match):
        compile_terms(patterns)


def test_text_of_nothing_but_masked_terms_is_refused():
    with pytest.raises(InputError, match="'report' holds no text in the 3 rows"):
        fit(["osteoporosis", "osteopenia", None])


LEAKING_NAMES = [
    "alendronate", "zoledronic_acid", "denosumab", "bisphosphonate", "bone_drugs", "lumbar_T",
    "FN_T", "T_FN", "frax_major", "compression_fracture", "阿仑膦酸钠", "density_hip", "BMC",
    "T-score hip", "t_total", "t_total_hip", "T_L1-L4", "L1-L4_T", "hip (g/cm²)", "dxa_report",
    "BMD_hip", "own_osteoporosis", "T值", "lumbar.T", "z_spine", "tscore",
]  # fmt: skip
OTHER_NAMES = [
    "t_total_protein", "total_protein", "T4", "bone_pain", "weight_total", "dexamethasone",
    "osteophytes", "high_density_lipoprotein", "urine_density", "lung_density", "procalcitonin",
    "vitamin_d", "neck_circumference", "hip_fracture", "femur_length", "troponin_t", "t_cells",
    "left_hip_pain", "steroids_daily", "patient_id", "temperature", 7, *CLINICAL,
]  # fmt: skip


@pytest.mark.parametrize("name", LEAKING_NAMES)
def test_answers_go_from_a_cohort_and_are_refused_by_the_preprocessor(name):
    table = pd.DataFrame({"age": [61.0, 70.0], "main": [-3.0, 0.0], name: [1.0, 2.0]})
    cohort = select_cohort(table, t_score="main")
    assert cohort.data.columns.tolist() == ["age"]
    assert list(cohort.removed) == [name]
    with pytest.raises(InputError, match=r"gave the answer away.*columns=") as error:
        ClinicalPreprocessor().fit(table.drop(columns="main"))
    assert repr([name]) in str(error.value)
    # who names it means it
    assert ClinicalPreprocessor(columns=["age", name]).fit_transform(table).shape == (2, 2)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_are_none(name):
    assert not is_label_leaking_name(name)


def test_only_what_hides_the_truth_in_a_synthetic_cohort():
    assert [c for c in TRUTH if is_label_leaking_name(c)] == ["bmd_g_cm2", "t_score"]


@needs_data
def test_the_tables_for_models_have_none():
    nhanes, hannover = fetch_nhanes(), fetch_hannover_cxr()
    assert not any(map(is_label_leaking_name, [*nhanes.data, *hannover.data]))
    assert {"bmd_g_cm2", "told_osteoporosis"} <= set(filter(is_label_leaking_name, nhanes.frame))
