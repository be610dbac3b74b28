"""The items of TRIPOD+AI and CLAIM that a study can fill by itself, and those left to its author.

Items are named in words of our own, by number; their full text is in the papers.

Facts, by the name that `fill` takes them under:

==================  ===============================================================================
name                what it says
==================  ===============================================================================
title               heading of the report, which says what is predicted and by what kind of model
summary             what was compared on whom, and the main result
aims                what the study compares
data_source         where rows and films come from
dates               first and last day of the data
setting             hospitals or sites, and how many
eligibility         who was let in, and who was left out
participants_flow   numbers of rows and patients at each step
characteristics     where the table of the patients' characteristics is (Table 1)
development_test    how training and test patients compare
preprocessing       how films and values were prepared, and which leakage checks were made
deidentification    what is kept of a film's header
acquisition         machines, projections
outcome             what is predicted, and by which measurement
predictors          what the models see, with units
missing_data        what was missing, and how it was filled
sample_size         rows, patients and events, and that no size was calculated
split               how rows were divided
split_level         what is kept on one side of every split, such as the patient
analysis_sizes      patients and events in training, validation and test
model               models and their parts
initialisation      pretrained weights and seeds
training            loss, optimiser, epochs, augmentation, early stopping, search
model_selection     how the final model was chosen
ensembling          how models are combined
model_access        how to obtain the fitted model
imbalance           class weights or the like
output              probabilities, thresholds and how they were chosen
measures            measures and plots of performance
uncertainty         intervals, tests, correction for many
robustness          ablations and other sensitivity analyses
explanation         SHAP, Grad-CAM and the like
internal_test       how the models were tested on patients of the same source
external_test       how they were tested on patients of another
fairness            subgroups looked at
performance         where performance with intervals is
subgroups           where performance by subgroup is
clusters            performance by site or device
failures            where wrong results are looked at
limits              what the study cannot say
poor_input          what the models do about missing or unreadable input
software            libraries and versions
code                where the code is
==================  ===============================================================================
"""

from collections.abc import Mapping

import pandas as pd

from skosteo._validation import guess
from skosteo.exceptions import InputError

TRIPOD_AI = "TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378)"
CLAIM = "CLAIM 2024 (Tejani et al. 2024, doi:10.1148/ryai.240300)"

# Item, topic, and the facts that fill it: all of them that are known
_TRIPOD_AI = (
    ("1", "title names model, people and outcome", ("title",)),
    ("2", "abstract", ("summary",)),
    ("3a", "clinical background, existing models", ()),
    ("3b", "people it is meant for, place in care, users", ()),
    ("3c", "known inequalities of health", ()),
    ("4", "aims: development, evaluation or both", ("aims",)),
    ("5a", "sources of the data, and whom they stand for", ("data_source",)),
    ("5b", "dates of the data", ("dates",)),
    ("6a", "setting and centres", ("setting",)),
    ("6b", "who was eligible", ("eligibility",)),
    ("6c", "treatments", ()),
    ("7", "preparation and checks of the data", ("preprocessing",)),
    ("8a", "outcome and how it was measured", ("outcome",)),
    ("8b", "who judged the outcome", ()),
    ("8c", "blinding of the outcome", ()),
    ("9a", "how predictors were chosen", ()),
    ("9b", "predictors and how they were measured", ("predictors",)),
    ("9c", "who judged the predictors", ()),
    ("10", "sample size and its reason", ("sample_size",)),
    ("11", "missing data", ("missing_data",)),
    ("12a", "use of the data: parts and their purpose", ("split", "split_level")),
    ("12b", "form and scaling of predictors", ("preprocessing",)),
    (
        "12c",
        "models, building, tuning, internal validation",
        ("model", "training", "internal_test"),
    ),
    ("12d", "differences between clusters: methods", ("clusters",)),
    ("12e", "measures, plots and comparisons", ("measures", "uncertainty")),
    ("12f", "updating of the model", ()),
    ("12g", "how predictions were computed", ("software",)),
    ("13", "class imbalance", ("imbalance",)),
    ("14", "fairness: methods", ("fairness",)),
    ("15", "output of the model, thresholds", ("output",)),
    ("16", "differences of training and test data", ("development_test",)),
    ("17", "ethics approval and consent", ()),
    ("18a", "funding", ()),
    ("18b", "conflicts of interest", ()),
    ("18c", "protocol", ()),
    ("18d", "registration", ()),
    ("18e", "availability of the data", ()),
    ("18f", "availability of the code", ("code",)),
    ("19", "involvement of patients and public", ()),
    ("20a", "flow of participants", ("participants_flow",)),
    ("20b", "characteristics of participants", ("characteristics",)),
    ("20c", "training and test data side by side", ("development_test",)),
    ("21", "participants and events in each analysis", ("analysis_sizes",)),
    ("22", "the full model, for use by others", ("model_access",)),
    ("23a", "performance with intervals, subgroups", ("performance", "subgroups")),
    ("23b", "differences between clusters: results", ("clusters",)),
    ("24", "results of updating", ()),
    ("25", "interpretation, with fairness", ()),
    ("26", "limitations", ("limits",)),
    ("27a", "poor or missing input in use", ("poor_input",)),
    ("27b", "what users have to do and to know", ()),
    ("27c", "next steps of research", ()),
)
_CLAIM = (
    ("1", "title or abstract names the kind of AI", ("title",)),
    ("2", "abstract", ("summary",)),
    ("3", "background, intended use and role", ()),
    ("4", "aims and hypotheses", ("aims",)),
    ("5", "prospective or retrospective", ()),
    ("6", "goal of the study", ("aims",)),
    ("7", "sources of the data", ("data_source",)),
    ("8", "inclusion and exclusion", ("eligibility",)),
    ("9", "preparation of the data", ("preprocessing",)),
    ("10", "subsets that were selected", ("participants_flow",)),
    ("11", "de-identification", ("deidentification",)),
    ("12", "missing data", ("missing_data",)),
    ("13", "acquisition of the images", ("acquisition",)),
    ("14", "reference standard", ("outcome",)),
    ("15", "why this reference standard", ()),
    ("16", "who set the reference standard", ()),
    ("17", "annotation of the test set", ()),
    ("18", "agreement between and within raters", ()),
    ("19", "how data were divided", ("split",)),
    ("20", "level at which the parts are apart", ("split_level",)),
    ("21", "intended size of the test set", ("sample_size",)),
    ("22", "the model in detail", ("model",)),
    ("23", "software and versions", ("software",)),
    ("24", "initial weights", ("initialisation",)),
    ("25", "training", ("training",)),
    ("26", "choice of the final model", ("model_selection",)),
    ("27", "ensembles", ("ensembling",)),
    ("28", "measures of performance", ("measures",)),
    ("29", "uncertainty and significance", ("uncertainty",)),
    ("30", "robustness and sensitivity", ("robustness",)),
    ("31", "explanation", ("explanation",)),
    ("32", "test on internal data", ("internal_test",)),
    ("33", "test on external data", ("external_test",)),
    ("34", "trial registration", ()),
    ("35", "numbers included and excluded", ("participants_flow",)),
    ("36", "characteristics by part", ("characteristics", "development_test")),
    ("37", "performance with its uncertainty", ("performance",)),
    ("38", "diagnostic estimates and their precision", ("performance", "subgroups")),
    ("39", "analysis of wrong results", ("failures",)),
    ("40", "limitations", ("limits",)),
    ("41", "meaning for practice", ()),
    ("42", "protocol or further details", ()),
    ("43", "availability of software, model and data", ("code", "model_access")),
    ("44", "funding and role of funders", ()),
)
_LISTS = {TRIPOD_AI: _TRIPOD_AI, CLAIM: _CLAIM}
FACTS = tuple(
    dict.fromkeys(name for items in _LISTS.values() for *_, names in items for name in names)
)


def fill(facts: Mapping[str, str]) -> pd.DataFrame:
    """Fill both checklists with what a study knows of itself.

    Parameters
    ----------
    facts : Mapping of str to str
        Sentences by name, of `FACTS`; the module says what each name means. Those that are not
        known are left out, or blank.

    Returns
    -------
    DataFrame of shape (96, 5)
        ``checklist``, ``item`` (its number), ``topic``, ``status``: "filled" or "for the author",
        and ``text``, "" where it is for the author.

    Raises
    ------
    InputError
        A name that no item asks for.

    Notes
    -----
    An item that asks for several facts is filled if one is known. Filled does not mean complete:
    whoever signs the checklist reads it first.

    References
    ----------
    Collins GS et al. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378

    Tejani AS et al. Radiol Artif Intell 2024;6(4):e240300. doi:10.1148/ryai.240300

    Examples
    --------
    >>> table = fill({"missing_data": "Median of the training fold."})
    >>> table.loc[table["status"] == "filled", ["item", "topic", "text"]].values.tolist()
    [['11', 'missing data', 'Median of the training fold.'],
     ['12', 'missing data', 'Median of the training fold.']]
    """
    strange = [name for name in facts if name not in FACTS]
    if strange:
        raise InputError(f"No checklist asks for the fact {strange[0]!r}{guess(strange[0], FACTS)}")
    rows = []
    for checklist, items in _LISTS.items():
        for item, topic, names in items:
            text = " ".join(facts[n].strip() for n in names if facts.get(n, "").strip())
            rows.append((checklist, item, topic, "filled" if text else "for the author", text))
    return pd.DataFrame(rows, columns=["checklist", "item", "topic", "status", "text"])
