"""Terms that give the label away, in names of columns and in report text, and text without them."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skosteo.clinical.variables import recognise
from skosteo.exceptions import InputError

# The rest of a Latin word, bounded so that no text takes long. Not \w, which would run on into
# Chinese text.
_W = r"[a-záéíóúüñäöß]{0,20}"
# A vertebra, thoracic (T8, Th8, Spanish D8, German BWK 8) or lumbar
_LEVEL = r"(?<![a-z\d])(?:(?:th?|d|l)[ -]?|[bl]wk ?)\d{1,2}(?![a-z\d])"
# Words between a fracture and its vertebra, none of another bone
_OTHER = "rib|cost|claví?c|scap|escáp|hum[eé]r|stern|estern|transvers|spinous|espinos|nerv|hip|cade"
_BETWEEN = rf"(?:(?!and |y |und |{_OTHER})[\w'/()-]{{1,20}} ){{0,6}}?"
_NOT_OF_OTHER = rf"(?! (?:{_OTHER}))"
# The same in Chinese; a rib is 肋
_ZH = r"[^肋锁鎖,.;。]{0,12}?"


def _word(pattern: str) -> str:
    # Word ends by Latin letters: Chinese ones touch "DXA" and "T值" without a blank
    return rf"(?<![a-z])(?:{pattern})(?![a-z])"


def _slips(word: str) -> str:
    """Spell a word with one letter wrong, missing, too many or exchanged with the next."""
    wrong = {rf"{word[:i]}[a-z]?{word[i + 1 :]}" for i in range(len(word))}
    more = {rf"{word[:i]}[a-z]{word[i:]}" for i in range(1, len(word) + 1)}
    turned = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    return "|".join(sorted(wrong | more | turned))


# A report that names the diagnosis, the test for it, its fracture or its drug would give the answer
# away: English, Spanish, Chinese (simplified and traditional), German. What a radiologist finds
# beside it stays, though it goes with age or with the disease: kyphosis, scoliosis, degenerative
# change, osteophytes, calcified vessels, and fractures of ribs and limbs.
# They are sought in one sentence at a time, in which blanks are single.
# English, Spanish and German, at the start of a word
_LATIN = (
    # the diagnosis, misspelt
    r"(?<![a-z])(?!osteogen|osteop)(?:"
    + _slips("osteop")
    + r")(?:oro(?:s[ie]|ti)|or[oó]ti|[ea]?[eé]ni[ace])"
    + _W,
    r"ostéop[oé]",
    r"(?<![a-z\d])m8[0-2](?:[.,]?\d{1,3})?(?![a-z\d])|(?<!\d)733[.,]0\d?(?!\d)",
    # the loss of bone
    rf"(?:bone|bony|osseous|skeletal|mineral)[ -](?:mineral[ -])?"
    rf"(?:densit|mass|loss|thinning|minerali[sz]ation|fragility|protecti|sparing|strength){_W}",
    rf"(?:loss|densit{_W}|rarefaction|thinning|minerali[sz]ation) of (?:the )?"
    rf"(?:bon|cort|oss|skelet|vertebra|ribs?(?![a-z])){_W}",
    rf"(?:de|under|hypo)[ -]?minerali[sz]{_W}|(?:des|hipo)mineraliz{_W}|d?e[sn]t?calcific[aó]{_W}",
    rf"(?:bone|bony|skeletal|oss|vertebra|ribs?|cort)[a-z]{{0,6}} (?:[a-z]{{1,12}} ){{0,3}}?"
    rf"(?:radiolucen|hyperlucen|thinn){_W}|(?:radiolucen|hyperlucen|thinn){_W} "
    rf"(?:[a-z]{{1,12}} ){{0,3}}?(?:bones?|ribs?|vertebra{_W}|cort(?:ex|ices|ical){_W})(?![a-z])",
    rf"(?:cortical|trabecular|bone|bony) (?:bone )?(?:thin|rarefact|attenuat){_W}|thin cort{_W}"
    r"|porotic|(?:fragile|brittle|washed[ -]out|picture[ -]fram[a-z]{1,3}) bones?",
    rf"densidad (?:[a-zéó]{{1,12}} ){{0,2}}?(?:[oó]sea|de (?:los )?huesos?)|masa [oó]sea"
    rf"|(?:rarefacci[oó]n|fragilidad|descalcificaci[oó]n|protecci[oó]n|calidad|hipodensidad"
    rf"|radiotransparencia|transparencia) [oó]sea|adelgaza{_W} (?:de (?:las? )?)?cortical{_W}"
    rf"|cortical{_W} (?:adelgaza|fina){_W}|(?:costilla|hueso|v[eé]rtebra)s? "
    rf"(?:[a-zéó]{{1,12}} )?(?:radiol[uú]cid|radiotransparent|adelgaza){_W}",
    r"p[eé]rdida (?:de )?(?:(?:la )?masa )?(?:[oó]sea|hueso)",
    rf"knochen(?:dichte|schwund|masse|abbau){_W}|kalksalz{_W}|entkalk{_W}|kalkarm{_W}",
    # its test
    r"(?<![a-z])[tz][ _-]?(?:scores?(?![a-z])|values?(?![a-z]))",
    r"(?<![a-z])[tz] ?[=:<≤] ?[-\u2212\u2013] ?\d",
    r"(?:puntuaci[oó]n|puntaje|[ií]ndice|valor) [tz](?![a-z])",
    _word("a?bmd|dxa|dexa|qct|qus|frax|dmo"),
    r"\dg ?/ ?cm ?\^?[2²]|\d g ?/ ?cm ?\^?[2²]",
    # its fracture, and the repair
    rf"(?:compression|insufficiency|fragility|wedge)[ -](?:fracture|deformit){_W}",
    rf"(?:vertebra{_W}|spinal|spine|{_LEVEL}) {_BETWEEN}"
    rf"(?:collaps|compress|wedg|fractur|deformit|height los|los[st] (?:of )?height){_W}",
    rf"(?:wedging|compression|collapse|compressed|collapsed|wedged|fractur{_W}|deformit{_W}) "
    rf"{_BETWEEN}(?:vertebra{_W}|spinal|spine|{_LEVEL}){_NOT_OF_OTHER}",
    r"los[st] (?:of )?(?:[a-z]{1,12} )?(?:body )?height|height loss|(?:reduced|decreased) height",
    r"(?:biconcave|cod ?fish|fish)[ -]vertebra|v[eé]rtebra plana|(?:biconcave|flattened) vertebra"
    r"|endplate (?:compress|depress|fractur)",
    rf"(?:low|minimal|minor)[ -](?:trauma|energy|impact)[ -]fractur{_W}",
    rf"aplasta{_W}|acuña{_W}|p[eé]rdida de (?:la )?altura|hundimiento(?! (?:del? )?(?:las? )?cost)",
    r"fracturas? (?:[a-zéó]{1,12} ){0,4}?(?:compresi[oó]n|fragilidad|insuficiencia)",
    rf"(?:fractura|colapso|compresi[oó]n|deformidad){_W} {_BETWEEN}(?:v[eé]rtebra|{_LEVEL})",
    rf"(?:v[eé]rtebra|cuerpo|{_LEVEL}){_W} {_BETWEEN}(?:fractura|colaps|en cuña){_W}",
    rf"(?:vertebr|k[yi]ph)o[ -]?plast{_W}|cifoplast{_W}",
    rf"(?:wirbel|[bl]wk|deckplatten){_W}(?: \w{{1,12}}){{0,3}} ?(?:fraktur|einbruch|sinter|impress)"
    r"|wirbel(?:k[oö]rper)?(?:fraktur|einbruch|sinter)|sinterung|keilwirbel|fischwirbel",
    # its drugs: class, substance, brand
    rf"(?:alen|rise|iban|zole|pami|eti|clo)dr[oó]n{_W}",
    rf"(?<![a-z])(?:denosumab|romosozumab|(?:teri|abalo)parati?d|(?:ral|bazed)oxifen){_W}",
    rf"ant[ií][ -]?r{{1,2}}es+or[bpt]{_W}|osteo[ -]?anabol{_W}",
    rf"(?<![a-z])calciton{_W}",
    r"strontium ranelate|ranelato de estroncio",
    _word(
        "prolia|xgeva|fosamax|fosavance|actonel|boniva|bonviva|aclasta|reclast|zometa|binosto"
        "|atelvia|evista|forteo|forsteo|evenity|tymlos|miacalcin|protelos|conbriza"
    ),
)
# The same, within a word too; osteophyte, osteopetrosis and the like are others
_WITHIN = (
    r"osteo[ -]{0,3}o?p(?!h|etr|at|áti|rot|rog|la|lá|oik|oiq|ont|oy)[a-zéó]{2}" + _W,
    rf"densitom[eé]tr{_W}|absorptiometr{_W}|absorciometr{_W}|bis?(?:phosph|fosf)onat{_W}",
)
_CHINESE = (
    # the diagnosis and the loss of bone
    r"骨[质質]?[^骨,.;。]{0,6}?疏[松鬆]|[质質]疏[松鬆]|骨[质質]稀疏|骨[松鬆](?![质質])|骨[质質]?[减減]少",
    r"骨小[梁樑][^骨,.;。]{0,4}?(?:稀|[减減]少|[变變][细細])",
    r"骨量(?:[减減]少|[减減]低|下降|低下|偏低|[丢丟]失|流失)|低骨量",
    r"骨密度?|骨[矿礦]物?[质質]?(?:密度|含量)?|骨[质質]?(?:密度|[丢丟]失|流失)|[脱脫][钙鈣]|骨[钙鈣]"
    r"|(?<![肾腎])皮[质質][^肋,.;。]{0,3}?(?:[变變]薄|菲薄)|(?:骨|肋)[^,.;。]{0,6}?透[亮光x]",
    # its test
    r"(?<![a-z])[tz][ _-]?(?:值|[评評]分|分[数數值])|[双雙]能 ?x",
    # its fracture
    r"[压壓][缩縮]性?(?:骨折|改[变變]|[变變]形|[变變]扁)|楔形(?:改[变變]|[变變]形?)|脆性骨折",
    rf"(?:椎(?![间間])|脊柱|{_LEVEL}){_ZH}(?:[压壓][缩縮]|楔|塌陷|[变變](?:扁|矮)|骨折|成形|[双雙]凹"
    r"|高度[^,.;。]{0,4}?(?:[变變降减減]?低|[减減]小|[丢丟]失|[变變]))",
    # its drugs; not procalcitonin, which is measured in pneumonia
    r"抗骨[吸质質]|降[钙鈣]素(?!原)|雷[奈尼]酸[锶鍶]",
    r"[双雙二][膦磷]酸[盐鹽]?|(?:阿[仑侖]|唑[来來]|利塞|伊班|帕米|依替|氯屈)[膦磷]酸[钠鈉]?",
    r"地[舒诺諾][单單]抗|狄[诺諾]塞[麦麥]|[罗羅]莫[佐索]?[单單]抗|特立帕[肽胜]|雷洛昔芬",
    r"福善美|普[罗羅]力|保骼[丽麗]|密固[达達]|[复復]泰[奥奧]|骨[稳穩](?!定)|益[稳穩]挺",
)
# In capitals, and not of an operation
_OP = (
    r"(?<![a-z])(?<!post[ -])(?<!pre[ -])(?<!peri[ -])(?<!nach )(?<!vor )(?<!n\. )(?<!s/p )"
    r"(?<!-)(?-i:OP)(?![a-z-]|[ -](?:note|date|site|day|room))"
)
_BEGINNING = {rf"(?<![a-z])(?:{term})": term for term in _LATIN}
_NAMES_AND_TEXT = (*_BEGINNING, *_WITHIN, *_CHINESE)
GIVEAWAY_TERMS = (*_NAMES_AND_TEXT, _OP)


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
        *_NAMES_AND_TEXT,
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
    return bool(rows_with_terms(texts, patterns).any())


def rows_with_terms(texts: pd.Series, patterns: Sequence[re.Pattern[str]]) -> NDArray[np.bool_]:
    """Whether each text (n,) holds one of the terms."""
    codes, different = _different(texts)
    finder = _Finder(patterns)
    found = [any(map(finder.spans, sentences(text))) for text in different]
    return np.array(found, dtype=bool)[codes]


def without_terms(
    texts: pd.Series, patterns: Sequence[re.Pattern[str]]
) -> tuple[pd.Series, dict[str, int]]:
    """Texts without the clauses that hold a term, and in how many rows each term was found.

    With a clause goes what only describes it ("osteopenia, more so in the lumbar spine"). A text of
    which nothing is left is missing, as is one without a letter.
    """
    codes, different = _different(texts)
    finder, n_rows = _Finder(patterns), np.bincount(codes)
    left: list[object] = []
    counts = dict.fromkeys((pattern.pattern for pattern in patterns), 0)
    for text, n in zip(different, n_rows, strict=True):
        parts = sentences(text)
        telling = [part for part in parts if finder.spans(part)]
        for term in {term for part in telling for term in finder.terms(part)}:
            counts[term] += int(n)
        rest = " . ".join(_rest(part, finder.spans(part)) for part in parts)
        left.append(rest if re.search(r"[^\W\d_]", rest) else np.nan)
    return pd.Series(np.array(left, dtype=object)[codes], texts.index), counts


def _rest(sentence: str, spans: Sequence[tuple[int, int]]) -> str:
    """Leave out the clauses that a span touches, and those that describe them."""
    if not spans:
        return sentence
    ends = [match.start() for match in _CLAUSE_END.finditer(sentence)]
    told: set[int] = set()
    for start, end in spans:
        told.update(range(bisect_left(ends, start), bisect_left(ends, end - 1) + 1))
    kept, goes, start = [], False, 0
    for number, end in enumerate([*ends, len(sentence)]):
        clause, start = sentence[start:end], end + 1
        goes = number in told or (goes and bool(_DESCRIBES.match(clause)))
        if not goes:
            kept.append(clause)
    return " , ".join(kept)


class _Finder:
    """Look for terms in sentences; in each sentence once, as reports repeat theirs."""

    def __init__(self, patterns: Sequence[re.Pattern[str]]) -> None:
        self._patterns = patterns
        terms = [pattern.pattern for pattern in patterns]
        # one search for many, in small letters and by script, takes a fifth of the time
        latin = rf"(?<![a-z])(?:{_any_of([_BEGINNING[t] for t in terms if t in _BEGINNING])})"
        self._latin = re.compile(_any_of([latin, *(t for t in terms if t in _WITHIN)]))
        self._chinese = re.compile(_any_of([t for t in terms if t in _CHINESE]))
        self._others = [p for p in patterns if p.pattern not in _NAMES_AND_TEXT]
        self._spans: dict[str, list[tuple[int, int]]] = {}

    def spans(self, sentence: str) -> list[tuple[int, int]]:
        """Return starts and ends of the terms in a sentence."""
        if sentence not in self._spans:
            small = sentence.lower()
            found = [self._latin.finditer(small)]
            if _HAS_CJK.search(sentence):
                found.append(self._chinese.finditer(small))
            found += [pattern.finditer(sentence) for pattern in self._others]
            self._spans[sentence] = [match.span() for some in found for match in some]
        return self._spans[sentence]

    def terms(self, sentence: str) -> list[str]:
        return [p.pattern for p in self._patterns if p.search(sentence)]


def _any_of(terms: Sequence[str]) -> str:
    return "|".join(f"(?:{term})" for term in terms) or "(?!)"


_CJK = "[\u3400-\u9fff]"
_HAS_CJK = re.compile(_CJK)
# A line that goes on in small letters is the same sentence; a point within a number ends none
_JOINTS = (
    (re.compile(r"[\u00ad\u200b-\u200d\u2060\ufeff]"), ""),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"- ?\r?\n ?(?=[a-zà-ÿ])"), ""),
    (re.compile(r" ?\r?\n ?(?=[a-zà-ÿ])"), " "),
    (re.compile(rf"(?<={_CJK}) (?={_CJK})"), ""),
)
_SENTENCE_END = re.compile(r"[;。!?\n\r|•·]|\.(?!\d)|(?<!\d)\.|(?<![\d.,])\d{1,2}[、)]")
_CLAUSE_END = re.compile(r",(?!\d)|(?<!\d),|、")
# How a clause begins that describes the one before
_DESCRIBES = re.compile(
    r" ?(?:(?:more|most|mainly|especially|predominant|particular|worse|worst|with|which|as|due|and"
    r"|but|likely|probabl|possibl|known|grade|mild|moderate|marked|severe|diffuse|general|unchanged"
    r"|stable|increas|progress|seen|consistent|on |at |in |of |más|sobre|predomin|con |ya |que |de "
    r"|en |grado|leve|moderad|marcad|sever|difus|conocid|estable|compatible|betont|bekannt)"
    r"|以|考[虑慮]|建[议議]|伴|[较較]|程度|[轻輕中重]度|[请請]|[为為]|[显顯]著|明[显顯])",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """Sentences of a text, with single blanks, and none within Chinese.

    Full-width letters and digits of Chinese keyboards are the plain ones.
    """
    text = normalize("NFKC", text)
    for joint, new in _JOINTS:
        text = joint.sub(new, text)
    parts = (" ".join(part.split()) for part in _SENTENCE_END.split(text))
    return [part for part in parts if part]


def _different(texts: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    filled = texts.astype(object).where(texts.notna(), "")
    codes, different = pd.factorize(np.array([str(text) for text in filled], dtype=object))
    return codes, list(different)
