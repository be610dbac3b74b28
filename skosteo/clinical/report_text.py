"""Terms that give the label away, in names of columns and in report text, and text as numbers."""

import re
from collections.abc import Sequence
from typing import Self
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skosteo.clinical.variables import recognise
from skosteo.exceptions import InputError

# The rest of a Latin word. Not \w, which would run on into Chinese text and take it away too.
_W = r"[a-záéíóúüñ]*"
# A measured value, as it follows "T-score" or "BMD"; minus may be a dash
_NUMBER = r"(?:(?:\s|[:=<>≤≥~≈为為是约約]|is|was|of|de)*[-\u2212\u2013+]?\s?\d+(?:[.,]\d+)?)?"
# A vertebra, thoracic (T8, Th8, Spanish D8) or lumbar
_LEVEL = r"(?<![a-z\d])(?:th?|d|l)\d{1,2}(?![a-z\d])"


def _word(pattern: str) -> str:
    # Word ends by Latin letters: Chinese ones touch "DXA" and "T值" without a blank
    return rf"(?<![a-z])(?:{pattern})(?![a-z])"


# A report that names the diagnosis, the test for it, its fracture or its drug would give the answer
# away: English, Spanish, Chinese (simplified and traditional)
GIVEAWAY_TERMS = (
    # the diagnosis
    # with the usual slips of the keyboard; osteopetrosis and osteoprotegerin are something else
    rf"osteo[\s-]?p(?:or[oós]|eros|ros[ie]|a?eni|éni){_W}",
    r"骨[质質]?疏[松鬆]|骨[质質]稀疏|骨小[梁樑]稀[疏少]|骨鬆|骨[质質]?[减減]少",
    r"骨量(?:[减減]少|[减減]低|下降|低下|偏低|[丢丟]失|流失)|低骨量",
    # the loss of bone
    rf"(?:bone|bony|skeletal|mineral)[\s-]+(?:mineral[\s-]+)?(?:densit{_W}|mass|loss|thinning)",
    rf"(?:loss|densit{_W}|rarefaction|thinning)\s+of\s+(?:the\s+)?bones?",
    rf"(?:de|under|hypo)[\s-]?minerali[sz]{_W}|(?:des|hipo)mineraliz{_W}",
    r"densidad\s+(?:mineral\s+)?[oó]sea|masa\s+[oó]sea",
    r"p[eé]rdida\s+(?:de\s+)?(?:masa\s+)?(?:[oó]sea|hueso)",
    r"骨密度?|骨[矿礦]物?[质質]?(?:密度|含量)|骨[质質](?:密度|[丢丟]失|流失|[脱脫][钙鈣])"
    r"|骨皮[质質][变變]薄",
    # its test, with the value
    rf"(?<![a-z])[tz][\s_-]*(?:scores?(?![a-z])|values?(?![a-z])|值|[评評]分|分[数數值]){_NUMBER}",
    r"(?<![a-z])[tz]\s*[=:<≤]\s*[-\u2212\u2013]\s?\d+(?:[.,]\d+)?",
    rf"(?:puntuaci[oó]n|puntaje|[ií]ndice|valor)\s+[tz](?![a-z]){_NUMBER}",
    _word("a?bmd|dxa|dexa|qct|qus|frax") + rf"值?{_NUMBER}",
    r"\d+(?:[.,]\d+)?\s*g\s*/\s*cm\s*\^?[2²]",
    rf"densitom[eé]tr{_W}|absorptiometr{_W}|absorciometr{_W}|[双雙]能\s*x",
    # its fracture, and the repair
    rf"(?:compression|insufficiency|fragility|wedge)[\s-]+(?:fracture|deformit){_W}",
    rf"(?:vertebral|spinal|spine)\s+(?:body\s+)?(?:collaps|compress|wedg|fractur|deformit){_W}",
    rf"vertebra{_W}\s+(?:body\s+)?height\s+loss|loss\s+of\s+vertebral\s+(?:body\s+)?height",
    rf"(?:wedging|compression|collapse|height|fractures?)\s+of\s+(?:the\s+)?(?:\w+\s+){{0,2}}"
    rf"vertebra{_W}",
    rf"(?:wedging|compression|collapse|loss\s+of\s+height|fractures?)\s+(?:of|at|in)\s+(?:the\s+)?"
    rf"{_LEVEL}(?!\s+(?:ribs?|transverse|spinous|nerve))",
    rf"{_LEVEL}\s+(?:(?:vertebra{_W}|body|burst|compression|wedge|endplate)\s+){{0,3}}"
    rf"(?:fractur{_W}|compression|wedging|collapse)",
    rf"(?:compressed|collapsed|wedged|biconcave|codfish)\s+vertebra{_W}|v[eé]rtebra\s+plana",
    rf"(?:low|minimal|minor)[\s-]+(?:trauma|energy|impact)[\s-]+fractur{_W}",
    r"fracturas?(?![a-z]).{0,20}?(?:compresi[oó]n|aplastamiento|fragilidad|acuñamiento)",
    rf"(?:aplastamiento|acuñamiento|hundimiento|colapso|compresi[oó]n|fractura){_W}\s+"
    rf"(?:del?\s+(?:l[ao]s?\s+)?)?(?:(?:cuerpos?\s+)?v[eé]rtebra{_W}|{_LEVEL})",
    rf"(?:vertebr|k[yi]ph)o[\s-]?plast{_W}|cifoplast{_W}",
    r"[压壓][缩縮]性?(?:骨折|改[变變]|[变變]形)|楔形(?:改[变變]|[变變]形?)|脆性骨折",
    r"椎[体體](?:[压壓][缩縮]|楔形|塌陷|[变變]扁|成形)",
    # its drugs: class, substance, brand
    rf"bis?(?:phosph|fosf)onat{_W}|(?:alen|rise|iban|zole|pami|eti|clo)dr[oó]n{_W}",
    rf"(?<![a-z])(?:denosumab|romosozumab|(?:teri|abalo)paratid|(?:ral|bazed)oxifen){_W}",
    # not procalcitonin, which is measured in pneumonia
    rf"(?<![a-z])calciton{_W}|降[钙鈣]素(?!原)",
    r"strontium\s+ranelate|ranelato\s+de\s+estroncio|雷[奈尼]酸[锶鍶]",
    _word(
        "prolia|xgeva|fosamax|fosavance|actonel|boniva|bonviva|aclasta|reclast|zometa|binosto"
        "|atelvia|evista|forteo|forsteo|evenity|tymlos|miacalcin|protelos|conbriza"
    ),
    r"[双雙二][膦磷]酸[盐鹽]?|(?:阿[仑侖]|唑[来來]|利塞|伊班|帕米|依替|氯屈)[膦磷]酸[钠鈉]?",
    r"地[舒诺諾][单單]抗|狄[诺諾]塞[麦麥]|[罗羅]莫[佐索]?[单單]抗|特立帕[肽胜]|雷洛昔芬",
    r"福善美|普[罗羅]力|保骼[丽麗]|密固[达達]|[复復]泰[奥奧]|骨[稳穩](?!定)|益[稳穩]挺",
)

_TEXT_COMPONENTS = 8
# The most frequent ones: thousands of numbers and names in long reports help nobody
_MAX_N_GRAMS = 20_000


def compile_terms(terms: Sequence[str]) -> list[re.Pattern[str]]:
    """Compile the terms to mask; InputError for one that is no regular expression."""
    if isinstance(terms, str):
        raise InputError(
            "masked_terms is one text; give a sequence of regular expressions, or () for none."
        )
    patterns = []
    for number, term in enumerate(terms, 1):
        try:
            patterns.append(re.compile(term, re.IGNORECASE))
        except (re.error, TypeError) as error:
            raise InputError(
                f"masked_terms, number {number} of {len(terms)}: not a regular expression "
                f"({error}). Escape what is meant literally with re.escape."
            ) from error
    return patterns


# Where a T-score is measured, as columns name it
_SITE = r"(?:lumbar|spine|hip|neck|femur|femoral|fn|ls|l ?\d(?: ?l? ?\d)?)"

# Read after every separator has become a blank. Densities of lipoproteins, urine and soft tissue
# are none of bone, and total protein is no total hip.
_LEAKING_NAMES = compile_terms(
    (
        r"osteop[oe]|bmd|(?<![a-z])(?:bmc|de?xa)(?![a-z])|骨[质質]量|[tz]值",
        r"bone ?(?:mineral|mass|densit|drug)|zoledron",
        r"^(?!.*(?:lipo|urin|lung|pulmon|breast|mammo|nodul|capill)).*densi(?:t|dad)",
        rf"(?<![a-z])[tz] ?(?:score|value|{_SITE})",
        rf"(?<![a-z])[tz] ?total(?: ?(?:score|value|left|right|{_SITE}))*$",
        rf"(?<![a-z])(?:{_SITE}|total) [tz]$",
        r"(?<![a-z])m?g cm ?2(?!\d)",
        *GIVEAWAY_TERMS,
    )
)


def is_label_leaking_name(column: object) -> bool:
    """Whether a column's name promises the label: density, T-score, the diagnosis or its drugs.

    Names of clinical variables never do.
    """
    if not isinstance(column, str) or recognise(column):
        return False
    name = re.sub(r"[\W_]+", " ", normalize("NFKC", column)).strip()
    return any(pattern.search(name) for pattern in _LEAKING_NAMES)


def names_diagnosis(texts: pd.Series, patterns: Sequence[re.Pattern[str]]) -> bool:
    """Whether one of the texts holds one of the terms."""
    different = [normalize("NFKC", str(text)) for text in texts.dropna().unique()]
    return any(pattern.search(text) for pattern in patterns for text in different)


class ReportText:
    """One column of report text to the leading components of its character n-grams."""

    def __init__(self, column: str, patterns: Sequence[re.Pattern[str]], *, keep: bool) -> None:
        self.column, self.patterns, self.keep = column, patterns, keep

    def fit(self, texts: pd.Series) -> Self:
        """Learn the weighted n-grams and count what is masked."""
        self.n_rows_: dict[str, int] = {}
        codes, different = pd.factorize(_plain(texts))
        n_rows, masked = np.bincount(codes), list(different)
        for pattern in self.patterns:
            pairs = [pattern.subn(" ", text) for text in masked]
            self.n_rows_[pattern.pattern] = int(n_rows[[n > 0 for _, n in pairs]].sum())
            masked = [text.strip() for text, _ in pairs]
        if not any(masked):
            raise InputError(
                f"Column {self.column!r} holds no text in the {len(texts)} rows to learn from, "
                "once terms that name the diagnosis are removed. Leave it out."
            )
        vectorizer = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=_MAX_N_GRAMS
        )
        n_grams = vectorizer.fit_transform(np.array(masked, dtype=object)[codes])
        # the n-grams stay sparse: thousands of columns for eight numbers
        svd = TruncatedSVD(min(_TEXT_COMPONENTS, *n_grams.shape), random_state=0)
        svd.set_output(transform="default").fit(n_grams)  # an array, whatever the user's tables are
        self.components_ = make_pipeline(vectorizer, svd)
        self.names_ = [f"{self.column}_{i}" for i in range(svd.n_components)]
        return self

    def transform(self, texts: pd.Series) -> NDArray[np.float64]:
        """Texts (n,) to components (n, 8 at most); NaN without a text if these are kept."""
        codes, different = pd.factorize(_plain(texts))
        masked = list(different)
        for pattern in self.patterns:
            masked = [pattern.sub(" ", text).strip() for text in masked]
        components = self.components_.transform(masked)
        if self.keep:
            components[different == ""] = np.nan
        return components[codes]


# Full-width letters and digits of Chinese keyboards are the plain ones
def _plain(texts: pd.Series) -> NDArray[np.object_]:
    filled = texts.astype(object).where(texts.notna(), "")
    return np.array([normalize("NFKC", str(text)).strip() for text in filled], dtype=object)
