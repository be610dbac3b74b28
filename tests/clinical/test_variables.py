"""Columns are known by their whole name, in the words that papers, laboratories and surveys use."""

import pandas as pd
import pytest

from skosteo.clinical.variables import (
    VARIABLES,
    display_name,
    find_column,
    recognise,
    resolve_column,
)
from skosteo.datasets.cohort import CLINICAL
from skosteo.exceptions import InputError

KNOWN = {
    ("age", "years"): ["age", "Age", "AGE (years)", "age_yr", "Patient age", "RIDAGEYR"],
    ("sex", ""): ["sex", "Gender", "Patient's sex".replace("'s", ""), "RIAGENDR"],
    ("height_cm", "cm"): [
        "height_cm", "Height", "Body height", "body-height [cm]", "Ht (cm)", "BMXHT", "HEIGHT (CM)",
    ],
    ("height_cm", "m"): ["height_m", "Height (m)", "Body height / m", "ht (metres)"],
    ("height_cm", "in"): ["height_in", "Height (inches)"],
    ("weight_kg", "kg"): ["weight_kg", "Weight", "Body weight", "Wt (kg)", "BMXWT", "weight, kg"],
    ("weight_kg", "lb"): ["weight_lb", "Weight (lbs)", "wt_pounds"],
    ("bmi", "kg/m2"): [
        "bmi", "BMI", "Body mass index", "body_mass_index", "BMI (kg/m²)", "bmi_kg_m2", "BMXBMI",
        "Body mass index (BMI) [Ratio]", "BMI (kg/m^2)",
    ],
    ("wbc_10e9_l", "10^9/L"): [
        "wbc_10e9_l", "WBC", "White blood cell count", "white-blood-cell-count", "LBXWBCSI",
        "Leukocytes [#/volume] in Blood", "Leukocytes [#/volume] in Blood by Automated count",
        "WBC (10^9/L)", "WBC (\u00d710⁹/L)", "WBC [10*3/uL]", "WBC (K/µL)", "WBC (G/L)",
        "Leucocyte count",
    ],
    ("wbc_10e9_l", "/uL"): ["WBC /uL", "WBC (/μL)", "wbc_per_ul", "White cell count (cells/mm³)"],
    ("platelets_10e9_l", "10^9/L"): [
        "platelets_10e9_l", "PLT", "Platelets", "Platelet count", "LBXPLTSI",
        "Platelets [#/volume] in Blood", "PLT (10^3/uL)",
    ],
    ("platelets_10e9_l", "/uL"): ["platelets_ul", "PLT (/µL)"],
    ("calcium_mmol_l", "mmol/L"): [
        "calcium_mmol_l", "Serum Ca", "Ca (mmol/L)", "Calcium", "Serum calcium",
        "serum calcium level", "Total calcium (mmol/L)",
        "Calcium [Moles/volume] in Serum or Plasma",
    ],
    ("calcium_mmol_l", "mg/dL"): [
        "calcium_mg_dl", "Ca (mg/dL)", "Calcium [Mass/volume] in Serum or Plasma", "LBXSCA",
        "serum calcium, mg/dl",
    ],
    ("glucose_mmol_l", "mmol/L"): [
        "glucose_mmol_l", "FBG", "FPG", "GLU", "Fasting blood glucose", "Fasting plasma glucose",
        "Glucose [Moles/volume] in Serum or Plasma", "fasting_glucose_mmol_l", "Glucose (mM)",
    ],
    ("glucose_mmol_l", "mg/dL"): [
        "Glucose (mg/dL)", "Glucose [Mass/volume] in Serum or Plasma", "LBXSGL", "LBXGLU",
        "Fasting glucose [Mass/volume] in Serum or Plasma",
    ],
    ("xray_diagnosis", ""): ["xray_diagnosis", "Chest X-ray diagnosis", "chest_xray_diagnosis"],
    ("xray_description", ""): [
        "xray_description", "Chest X-ray description", "chest radiograph findings", "CXR report",
    ],
}  # fmt: skip

FOREIGN = {
    ("age", "years"): ["年龄", "年龄\uff08岁\uff09", "年齡", "edad", "Edad (años)", "Alter",
                       "Alter [Jahre]", "age_at_scan", "Age at scan (years)"],
    ("sex", ""): ["性别", "性別", "Sexo", "Geschlecht"],
    ("height_cm", "cm"): ["身高", "身高(cm)", "身高(厘米)", "Talla (cm)", "Größe (cm)",
                          "KÖRPERGRÖSSE", "Groesse"],
    ("height_cm", "m"): ["身高(米)", "estatura (m)"],
    ("weight_kg", "kg"): ["体重", "体重(公斤)", "體重(kg)", "Peso (kg)", "Gewicht"],
    ("weight_kg", "jin"): ["体重(斤)", "体重(市斤)", "weight (jin)"],
    ("bmi", "kg/m2"): ["体重指数", "IMC", "índice de masa corporal", "Indice de masa corporal"],
    ("wbc_10e9_l", "10^9/L"): ["白细胞", "白细胞计数(10^9/L)", "白血球", "leucocitos", "Leukozyten",
                               "Leukozyten (Tsd./µl)", "Leukozyten [/nl]", "WBC (K/mcL)",
                               "WBC (thousand/uL)", "leucocitos (miles/µL)"],
    ("platelets_10e9_l", "10^9/L"): ["血小板", "血小板计数", "plaquetas", "Thrombozyten",
                                     "Thrombozyten (Gpt/l)", "Platelets (K/mcL)", "PLT (K/µL)"],
    ("platelets_10e9_l", "10^4/uL"): ["血小板 (万/μL)", "PLT (10^4/uL)", "PLT (x10⁴/µL)"],
    ("calcium_mmol_l", "mmol/L"): ["血钙", "血清钙(mmol/L)", "血鈣", "Calcium, total", "Calcio",
                                   "Kalzium", "Calcium, Total (mmol/L)"],
    ("calcium_mmol_l", "mg/dL"): ["calcio sérico (mg/dL)", "Calcium, total (mg/dL)"],
    ("calcium_mmol_l", "mEq/L"): ["Calcium (mEq/L)", "Kalzium (mval/l)"],
    ("glucose_mmol_l", "mmol/L"): ["血糖", "空腹血糖", "葡萄糖", "Nüchternglukose", "Glukose"],
    ("glucose_mmol_l", "mg/dL"): ["glucosa (mg/dL)", "Glucemia basal (mg/dl)"],
    ("xray_description", ""): ["影像所见", "胸片描述"],
    ("calcium_mmol_l", "mmol/L", "step"): [
        "simpleimputer__calcium_mmol_l", "remainder__Serum Ca", "simpleimputer-2__血钙",
        "pipeline-1__calcium", "passthrough__calcium", "clinicalpreprocessor__calcium_mmol_l",
    ],
}  # fmt: skip

# what a search for a part of the name would take for the variable
FALSE_FRIENDS = [
    "ionised calcium", "Calcium.ionized [Moles/volume] in Blood", "urine calcium",
    "calcium supplement", "calcium intake (mg)", "coronary calcium score", "corrected calcium",
    "Calcium channel blocker", "urine glucose", "Glucose [Mass/volume] in Urine",
    "glucose 2h (OGTT)", "Glucose-6-phosphate dehydrogenase", "glucosamine", "CSF glucose",
    "age at menopause", "age group", "age_months", "stage", "dosage", "image", "marriage", "age2",
    "platelet volume", "Platelet mean volume [Entitic volume] in Blood", "platelet transfusion",
    "antiplatelet", "plateletcrit", "height loss (cm)", "vertebral height", "sitting height (cm)",
    "birth weight", "body weight change", "weight loss", "survey_weight", "WTMEC2YR",
    "bmi category", "BMI z-score", "parental BMI", "sexual history", "sex hormone", "WBC in urine",
    "Leukocytes [#/volume] in Urine", "CRP", "hematocrit", "height_ft", "weight_st", "Cancer",
    "diagnosis", "description", "knee X-ray description", "calcium (g)", "", "x0", "mg/dL", "cm",
    "glucose_flag", "calcium 1", "bmi_missing",
    # haematocrit, cancer, and what nobody can tell
    "Ht", "Ht (%)", "Wt", "CA", "Ca", "Ca 15-3", "ca_stage",
    # other languages, and behind a scaler nothing is in a unit
    "尿糖", "尿钙", "离子钙", "钙片", "平均血小板体积", "糖化血红蛋白", "出生体重", "年龄组",
    "edad ósea", "Alterung", "calcio iónico", "glucosuria", "urine__glucose",
    "standardscaler__calcium_mmol_l", "minmaxscaler__age",
]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "expected"),
    [(c, key[:2]) for key, columns in (KNOWN | FOREIGN).items() for c in columns],
)
def test_names_in_use_are_known_with_their_unit(column, expected):
    found = recognise(column)
    assert (found.variable.name, found.unit) == expected


@pytest.mark.parametrize("column", [*FALSE_FRIENDS, 3, None, ("age",)])
def test_false_friends_are_not_the_variable(column):
    assert recognise(column) is None


def test_the_variables_are_the_columns_of_a_cohort():
    assert list(VARIABLES) == CLINICAL
    for name, variable in VARIABLES.items():
        assert recognise(name) == (variable, variable.unit)


def test_the_papers_imputation():
    # Tang 2025: mean for white cells and calcium, median for BMI, platelets and glucose
    assert {n: VARIABLES[n].imputation for n in CLINICAL[4:9]} == {
        "bmi": "median", "wbc_10e9_l": "mean", "platelets_10e9_l": "median",
        "calcium_mmol_l": "mean", "glucose_mmol_l": "median",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "unit", "value", "canonical"),
    [
        # worked conversions of the usual tables: 10 mg/dL calcium = 2.5 mmol/L, 126 mg/dL glucose
        # = 7.0 mmol/L (the limit of diabetes), 5 ft 6 in = 167.6 cm, 150 lb = 68.0 kg
        ("calcium_mmol_l", "mg/dL", 10, 2.5),
        ("glucose_mmol_l", "MG/DL", 126, 7.0),
        ("height_cm", "inches", 66, 167.6),
        ("height_cm", "m", 1.65, 165),
        ("weight_kg", "lbs", 150, 68.0),
        ("wbc_10e9_l", "cells/uL", 6500, 6.5),
        ("platelets_10e9_l", "10^3/µL", 220, 220),
    ],
)
def test_units_convert_as_in_the_tables(name, unit, value, canonical):
    variable = VARIABLES[name]
    assert value * variable.factor(variable.read_unit(unit)) == pytest.approx(canonical, rel=2e-3)


def test_a_unit_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"'mg/L' is no known unit of 'calcium_mmol_l'.*'mg/dL'"):
        VARIABLES["calcium_mmol_l"].read_unit("mg/L")
    with pytest.raises(InputError, match="'sex' has no unit"):
        VARIABLES["sex"].read_unit("cm")


def test_find_column():
    table = pd.DataFrame(columns=["id", "Age", "Glucose (mg/dL)", 7])
    assert find_column(table, "age") == "Age"
    assert find_column(table, "glucose_mmol_l") == "Glucose (mg/dL)"
    assert find_column(table, "bmi") is None
    with pytest.raises(InputError, match=r"'Serum Ca', 'calcium_mg_dl'.*Keep one"):
        find_column(pd.DataFrame(columns=["Serum Ca", "calcium_mg_dl"]), "calcium_mmol_l")
    with pytest.raises(InputError, match="'calcium' is no clinical variable"):
        find_column(table, "calcium")


def test_a_columns_own_name_goes_before_an_alias():
    table = pd.DataFrame(columns=["fasting glucose", "glucose"])
    assert resolve_column(table, "glucose") == "glucose"
    assert resolve_column(table[["fasting glucose"]], "glucose") == "fasting glucose"
    assert resolve_column(table, "ward") is None
    with pytest.raises(InputError, match="are all 'glucose_mmol_l'"):
        resolve_column(table, "FBG")


def test_every_variable_has_a_name_for_print_with_the_unit_of_its_column():
    shown = {name: display_name(name) for name in VARIABLES}
    assert shown["age"] == "Age, years"
    assert shown["wbc_10e9_l"] == "White blood cells, 10⁹/L"
    assert display_name("血钙 (mg/dL)") == "Calcium, mg/dL"
    assert display_name("PLT (/uL)") == "Platelets, /µL"
    assert display_name("time_to_scan") == "time to scan"
    assert display_name(7) == "7"
    assert len(set(shown.values())) == len(VARIABLES)
