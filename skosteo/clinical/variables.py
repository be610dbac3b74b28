"""The clinical variables of the paper: names, aliases, units, conversions, plausible ranges."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import pandas as pd

from skosteo._validation import guess, plain_name
from skosteo.exceptions import InputError

# mg/dL -> mmol/L: molar masses 40.078 (calcium) and 180.16 (glucose) g/mol
CALCIUM_MMOL_L = 0.2495
GLUCOSE_MMOL_L = 1 / 18.016


def _per_microlitre(*numbers: str) -> tuple[str, ...]:
    return tuple(n + volume for n in numbers for volume in ("ul", "mcl", "mm3", "cmm"))


# How units are written at the end of a column's name, without blanks, accents and punctuation.
# "giga/L", "per nanolitre" and "thousands per microlitre" are the same number as 10^9/L.
_SPELLINGS = {
    "years": ("year", "years", "yr", "yrs", "y", "岁", "周岁", "歲", "anos", "jahre", "jahren"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres", "centimetros",
           "zentimeter", "厘米", "公分"),
    "m": ("m", "meter", "meters", "metre", "metres", "metros", "米"),
    "in": ("in", "inch", "inches"),
    "kg": ("kg", "kgs", "kilogram", "kilograms", "kilogramos", "kilogramm", "公斤", "千克"),
    "lb": ("lb", "lbs", "pound", "pounds", "libras", "磅"),
    "jin": ("jin", "斤", "市斤", "catty", "catties"),
    "kg/m2": ("kgm2", "kgperm2"),
    "10^9/L": (
        "10e9l", "x10e9l", "109l", "x109l", "109perl", "gl", "gptl", "gigal", "nl", "109升",
        *_per_microlitre("k", "103", "x103", "10e3", "x10e3", "1000", "1000cells", "thousand",
                         "thousands", "tsd", "miles"),
    ),
    "10^4/uL": _per_microlitre("104", "x104", "10e4", "x10e4", "万", "萬"),
    "/uL": _per_microlitre("", "per", "cells", "cellsper"),
    "mmol/L": ("mmoll", "mmolperl", "mm", "毫摩尔升"),
    "mg/dL": ("mgdl", "mgperdl", "mg100ml"),
    "mEq/L": ("meql", "meqperl", "mvall"),
}  # fmt: skip

# What scikit-learn's ColumnTransformer puts before the names of columns that it leaves in their
# unit; behind the name of a scaler they are in none.
_STEP = re.compile(
    r"^(?:(?:simple|iterative|knn)imputer|clinicalpreprocessor|passthrough|pipeline|remainder)"
    r"(?:-\d+)?__"
)


@dataclass(frozen=True)
class Variable:
    """A clinical variable of the paper; for words, without unit and range."""

    name: str  # canonical column name, such as "calcium_mmol_l"
    unit: str = ""  # canonical unit
    plausible: tuple[float, float] | None = None  # in that unit, of a living adult
    aliases: Mapping[str, str] = field(default_factory=dict)  # other names, and the unit of each
    other_units: Mapping[str, float] = field(default_factory=dict)  # factors to the canonical unit
    imputation: str = "median"  # or "mean", as the paper imputes; the median where it is silent
    # names that need a unit behind them: alone, "Ht" is haematocrit too, and "Ca" cancer
    short: tuple[str, ...] = ()
    # what the median of 20 adults or more is within, where the plausible range tells no units apart
    usual: tuple[float, float] | None = None

    def factor(self, unit: str) -> float:
        """Factor from a unit, as `read_unit` returns it, to the canonical unit."""
        return 1.0 if unit == self.unit else self.other_units[unit]

    def range_in(self, unit: str) -> tuple[float, float]:
        """Lowest and highest plausible value in a unit; all numbers for words."""
        low, high = self.plausible or (float("-inf"), float("inf"))
        return low / self.factor(unit), high / self.factor(unit)

    def read_unit(self, text: str) -> str:
        """Return the unit that a user's spelling means ("mg/dl" -> "mg/dL")."""
        for unit in (self.unit, *self.other_units):
            if plain_name(text) in _SPELLINGS.get(unit, ()):
                return unit
        allowed = ", ".join(map(repr, filter(None, (self.unit, *self.other_units))))
        raise InputError(
            f"{text!r} is no known unit of {self.name!r}. Give one of {allowed}, or convert the "
            "values first."
            if allowed
            else f"{self.name!r} has no unit, {text!r} was given. Leave it out of the units."
        )


class Recognised(NamedTuple):
    """What a column's name says: the variable, and the unit of its values."""

    variable: Variable
    unit: str


def _named(unit: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, unit)


def _of_films(*kinds: str) -> dict[str, str]:
    films = (" ".join(words) for words in product(
        ("", "chest"), ("x-ray", "radiograph", "film", "radiography"), kinds
    ))  # fmt: skip
    return _named("", *films, *(f"CXR {kind}" for kind in kinds))


_BLOOD = "{} [{}] in Serum or Plasma"

# Plausible ranges: sources and reasons are in `skosteo.clinical.values`
VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable(
            "age", "years", (0, 122),
            _named("years", "age", "patient age", "age at examination", "age at imaging",
                   "age in years", "RIDAGEYR", "age at scan", "age at study", "age at exam"),
        ),
        Variable(
            "sex",
            aliases=_named("", "sex", "gender", "patient sex", "sex assigned at birth",
                           "administrative sex", "administrative gender", "RIAGENDR"),
        ),
        Variable(
            "height_cm", "cm", (100, 250),
            _named("cm", "height", "body height", "body height measured", "standing height",
                   "stature", "patient height", "BMXHT"),
            {"m": 100.0, "in": 2.54}, short=("Ht",),
        ),
        Variable(
            "weight_kg", "kg", (20, 400),
            _named("kg", "weight", "body weight", "body weight measured", "patient weight",
                   "BMXWT"),
            {"lb": 0.45359237, "jin": 0.5}, short=("Wt",),
        ),
        Variable(
            "bmi", "kg/m2", (8, 120),
            _named("kg/m2", "BMI", "body mass index", "body mass index (BMI)",
                   "body mass index (BMI) [Ratio]", "BMXBMI"),
        ),
        Variable(
            "wbc_10e9_l", "10^9/L", (0.02, 1000),
            _named("10^9/L", "WBC", "WBC count", "WBCs", "white blood cell count",
                   "white blood cells", "white blood cell", "white cell count", "white cells",
                   "leukocytes", "leucocytes", "leukocyte count", "leucocyte count",
                   "Leukocytes [#/volume] in Blood",
                   "Leukocytes [#/volume] in Blood by Automated count",
                   "Leukocytes [#/volume] in Blood by Manual count", "LBXWBCSI"),
            {"/uL": 0.001}, "mean",
        ),
        Variable(
            "platelets_10e9_l", "10^9/L", (1, 5000),
            _named("10^9/L", "PLT", "PLT count", "platelets", "platelet", "platelet count",
                   "blood platelet count", "blood platelets", "thrombocytes", "thrombocyte count",
                   "Platelets [#/volume] in Blood",
                   "Platelets [#/volume] in Blood by Automated count",
                   "Platelets [#/volume] in Blood by Manual count", "LBXPLTSI"),
            {"/uL": 0.001, "10^4/uL": 10.0}, usual=(50, 1000),
        ),
        Variable(
            "calcium_mmol_l", "mmol/L", (0.9, 6),
            _named("mmol/L", "calcium", "serum calcium", "serum calcium level", "calcium level",
                   "total calcium", "serum total calcium", "total serum calcium", "blood calcium",
                   "plasma calcium", "serum Ca", "plasma Ca", "total Ca", "LBDSCASI",
                   "calcium total", "serum calcium total", "Ca total", "calcium serum",
                   _BLOOD.format("Calcium", "Moles/volume"))
            | _named("mg/dL", "LBXSCA", _BLOOD.format("Calcium", "Mass/volume")),
            # of two charges
            {"mg/dL": CALCIUM_MMOL_L, "mEq/L": 0.5}, "mean", ("Ca",), (1.8, 3.0),
        ),
        Variable(
            "glucose_mmol_l", "mmol/L", (1, 55),
            _named("mmol/L", "glucose", "serum glucose", "plasma glucose", "blood glucose",
                   "glucose level", "blood glucose level", "fasting glucose",
                   "fasting blood glucose", "fasting blood glucose level",
                   "fasting plasma glucose", "fasting serum glucose", "blood sugar",
                   "fasting blood sugar", "FBG", "FPG", "FBS", "GLU", "LBDSGLSI", "LBDGLUSI",
                   _BLOOD.format("Glucose", "Moles/volume"),
                   _BLOOD.format("Fasting glucose", "Moles/volume"),
                   "Glucose [Moles/volume] in Blood", "Fasting glucose [Moles/volume] in Blood")
            | _named("mg/dL", "LBXSGL", "LBXGLU", _BLOOD.format("Glucose", "Mass/volume"),
                     _BLOOD.format("Fasting glucose", "Mass/volume"),
                     "Glucose [Mass/volume] in Blood", "Fasting glucose [Mass/volume] in Blood"),
            {"mg/dL": GLUCOSE_MMOL_L},
        ),
        Variable("xray_diagnosis", aliases=_of_films("diagnosis", "impression")),
        Variable("xray_description", aliases=_of_films("description", "findings", "report")),
    )
}  # fmt: skip


# The same in Chinese, Spanish and German, in the canonical unit where none follows
_TRANSLATED = {
    "age": "年龄, 年齡, 患者年龄, 检查年龄, 检查时年龄, edad, edad del paciente, Alter, "
        "Patientenalter, Alter bei Untersuchung",
    "sex": "性别, 性別, 患者性别, sexo, género, Geschlecht",
    "height_cm": "身高, talla, estatura, altura, Größe, Groesse, Körpergröße, Koerpergroesse",
    "weight_kg": "体重, 體重, peso, peso corporal, Gewicht, Körpergewicht, Koerpergewicht",
    "bmi": "体重指数, 體重指數, 体质指数, 体质量指数, 身体质量指数, 身體質量指數, "
        "índice de masa corporal, IMC",
    "wbc_10e9_l": "白细胞, 白细胞计数, 白细胞数, 白細胞, 白血球, 白血球計數, leucocitos, "
        "recuento de leucocitos, glóbulos blancos, Leukozyten, Leukozytenzahl",
    "platelets_10e9_l": "血小板, 血小板计数, 血小板数, 血小板計數, plaquetas, "
        "recuento de plaquetas, Thrombozyten, Thrombozytenzahl",
    "calcium_mmol_l": "血钙, 血鈣, 血清钙, 血清鈣, 总钙, 血清总钙, 钙, calcio, calcio sérico, "
        "calcio total, calcemia, Kalzium, Serumkalzium, Gesamtkalzium",
    "glucose_mmol_l": "血糖, 空腹血糖, 葡萄糖, 血葡萄糖, 空腹葡萄糖, glucosa, glucosa en ayunas, "
        "glucemia, glucemia basal, glicemia, Glukose, Blutzucker, Blutglukose, "
        "Nüchternglukose, Nüchternblutzucker",
    "xray_diagnosis": "胸片诊断, X线诊断, 胸部X线诊断, 影像诊断, 影像学诊断",
    "xray_description": "胸片描述, 胸片所见, X线所见, 影像所见, 影像描述, 影像学表现",
}  # fmt: skip


def _index() -> dict[str, Recognised]:
    """Every known name, bare and with each unit of its variable at the end."""
    known = {}
    for variable in VARIABLES.values():
        known[plain_name(variable.name)] = Recognised(variable, variable.unit)
        translated = _named(variable.unit, *_TRANSLATED[variable.name].split(", "))
        names = translated | dict(variable.aliases)
        for name, stated in names.items():
            known[plain_name(name)] = Recognised(variable, stated)
        for name in (*names, *variable.short):
            for unit in (variable.unit, *variable.other_units):
                for spelling in _SPELLINGS.get(unit, ()):
                    known[plain_name(name) + spelling] = Recognised(variable, unit)
    return known


_KNOWN = _index()


def recognise(column: object) -> Recognised | None:
    """Say which variable a column is, and in which unit, by its name alone.

    Case, blanks, brackets and punctuation do not matter; a unit at the end of the name counts. The
    whole name must be known: "urine glucose" is not glucose. English, Chinese, Spanish and German
    names are, also behind the name of an imputer of a `ColumnTransformer`.

    Parameters
    ----------
    column : str
        Name of a column. Other types are no known name.

    Returns
    -------
    Recognised or None
        ``variable`` and ``unit``: the unit that the name states, else the canonical one. None for
        an unknown name.

    Examples
    --------
    >>> found = recognise("Serum calcium (mg/dL)")
    >>> found.variable.name, found.unit
    ('calcium_mmol_l', 'mg/dL')
    >>> recognise("WBC").unit
    '10^9/L'
    >>> recognise("calcium supplement") is None
    True
    """
    if not isinstance(column, str):
        return None
    return _KNOWN.get(plain_name(_STEP.sub("", column)))


_TITLES = {
    "age": "Age", "sex": "Sex", "height_cm": "Height", "weight_kg": "Weight", "bmi": "BMI",
    "wbc_10e9_l": "White blood cells", "platelets_10e9_l": "Platelets",
    "calcium_mmol_l": "Calcium", "glucose_mmol_l": "Glucose",
    "xray_diagnosis": "X-ray diagnosis", "xray_description": "X-ray description",
}  # fmt: skip
_PRINTED_UNITS = {
    "kg/m2": "kg/m\N{SUPERSCRIPT TWO}",
    "10^9/L": "10\N{SUPERSCRIPT NINE}/L",
    "10^4/uL": "10\N{SUPERSCRIPT FOUR}/\N{MICRO SIGN}L",
    "/uL": "/\N{MICRO SIGN}L",
}


def display_name(column: object) -> str:
    """Return what a column is called in a table or figure that a clinician reads.

    Parameters
    ----------
    column : str
        Name of a column; the unit is the one that `recognise` reads from it.

    Returns
    -------
    str
        Variable and unit; of an unknown column its name, with blanks for underscores.

    Examples
    --------
    >>> [display_name(name) for name in ("age", "Serum calcium (mg/dL)", "smoking_status")]
    ['Age, years', 'Calcium, mg/dL', 'smoking status']
    """
    hit = recognise(column)
    if hit is None:
        return str(column).replace("_", " ")
    unit = _PRINTED_UNITS.get(hit.unit, hit.unit)
    return _TITLES[hit.variable.name] + (f", {unit}" if unit else "")


def is_variable(column: object, name: str) -> bool:
    """Whether a column is, by its name, the variable of a canonical name."""
    hit = recognise(column)
    return hit is not None and hit.variable.name == name


# Codes of NHANES and terms of LOINC have one unit each
_CODED = re.compile("bmx|lb[xd]|rid|.*(moles|mass|#?)volume")


def states_unit(column: str) -> bool:
    """Whether a known name says the unit of its values, rather than leaving it to custom."""
    hit, plain = recognise(column), plain_name(_STEP.sub("", column))
    if hit is None or _CODED.match(plain):
        return hit is not None
    variable, unit = hit
    bare = (name for name, stated in variable.aliases.items() if stated == variable.unit)
    bare_names = {*map(plain_name, bare), *map(plain_name, _TRANSLATED[variable.name].split(", "))}
    return unit != variable.unit or plain not in bare_names


def is_report_text(column: object) -> bool:
    """Whether a column is, by its name, text of a radiologist's report."""
    hit = recognise(column)
    return hit is not None and hit.variable.name.startswith("xray_")


def find_column(table: pd.DataFrame, name: str) -> str | None:
    """Return the column of a table that is the variable of a canonical name, or None.

    Examples
    --------
    >>> find_column(pd.DataFrame(columns=["Age", "Body height"]), "height_cm")
    'Body height'
    """
    if name not in VARIABLES:
        raise InputError(
            f"{name!r} is no clinical variable{guess(name, VARIABLES)} They are "
            f"{', '.join(map(repr, VARIABLES))}."
        )
    found = [c for c in table.columns if is_variable(c, name)]
    if len(found) > 1:
        raise InputError(f"The columns {found} are all {name!r}. Keep one, or rename the others.")
    return found[0] if found else None


def resolve_column(table: pd.DataFrame, name: str) -> str | None:
    """Return the column that a user means by a column's name, a canonical name or an alias."""
    if name in table.columns:
        return name
    hit = recognise(name)
    return find_column(table, hit.variable.name) if hit else None
