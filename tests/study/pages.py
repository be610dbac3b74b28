"""A page as a study would make it, with every kind of block."""

import io

import numpy as np
import pandas as pd

from skosteo.study.checklists import fill
from skosteo.study.page import Bullets, Checklist, Figure, Page, Section, Table, Text


def picture(kind="svg"):
    """Two curves, as a file."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(6, 4.2), layout="constrained")
    ax = canvas.subplots()
    x = np.linspace(0, 1, 50)
    ax.plot(x, x**0.3, color="#1b3a5c", label="multimodal  .84 [.79, .88]")
    ax.plot(x, x**0.5, "--", color="#c8553d", label="image  .78 [.73, .83]")
    ax.set(xlabel="1 - specificity", ylabel="Sensitivity")
    ax.legend(frameon=False)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def small_page(text="", name="multimodal"):
    """Return a page of one table and one figure, with a text and a name put in everywhere."""
    frame = pd.DataFrame({"AUC": [0.841, np.nan], text or "n": [212, 3]}, index=[name, "image"])
    return Page(
        title=f"Report {text}",
        subtitle=text,
        limits=[f"Synthetic. {text}"],
        facts=[("seed", f"0 {text}")],
        sections=[
            Section(f"Results {text}", [Text(text or "a"), Bullets([text or "b"])]),
            Section("Tables", [Table(frame, f"AUC {text}", [f"Note {text}"])]),
            Section("Figures", [Figure(picture(), "image/svg+xml", f"Two curves {text}", text)]),
            Section("Checklists", [Checklist(fill({"split": f"Five folds. {text}"}))]),
        ],
    )


def long_page():
    """Return a page of the length and with the tables of a real report."""
    rng = np.random.default_rng(0)
    models = ["CNN", "Inception v3", "VGG16", "ResNet50", "clinical", "multimodal"]
    rates = pd.DataFrame(
        {
            name: [f"{n}/300 = .{n * 10 // 3:03d} [.{n * 3:03d}, .{n * 10 // 3 + 30:03d}]"
                   for n in rng.integers(200, 280, 6)]
            for name in ("accuracy", "sensitivity", "specificity", "PPV at 20 %", "NPV at 20 %")
        },
        index=pd.Index(models, name="model"),
    )  # fmt: skip
    rates.insert(0, "AUC", [f".{n} [.{n - 40}, .{n + 30}]" for n in rng.integers(760, 900, 6)])
    people = pd.DataFrame(
        {"train": ["1,184", "67.1 (8.9)", "731 (61.7)", "24.1 (3.6)", 12],
         "validation": ["296", "66.8 (9.1)", "180 (60.8)", "24.3 (3.4)", 3],
         "test": ["300", "67.4 (8.7)", "189 (63.0)", "24.0 (3.7)", 4]},
        index=pd.MultiIndex.from_tuples(
            [("n", ""), ("age, mean (SD)", ""), ("sex, n (%)", "F"), ("bmi, mean (SD)", ""),
             ("", "missing")], names=["characteristic", "level"]),
    )  # fmt: skip
    folds = pd.DataFrame(
        rng.uniform(0.7, 0.9, (30, 4)),
        index=pd.MultiIndex.from_product([models, range(1, 6)], names=["model", "fold"]),
        columns=["AUC", "accuracy", "sensitivity", "specificity"],
    )
    figure = Figure(picture(), "image/svg+xml", "ROC curves of two models.", "ROC curves.")
    raster = Figure(picture("png"), "image/png", "ROC curves of two models.", "The same, as PNG.")
    paragraph = "Every rate comes with its counts and a 95 % interval that takes several films of "
    paragraph += "one patient together. " * 6
    facts = {"split": "Five folds by patient, one fixed test part.", "limits": "Synthetic data."}
    return Page(
        "Osteoporosis from chest films and clinical values",
        "Six models compared on 1,780 patients, 5 folds and a fixed test part",
        [
            "SYNTHETIC cohort: no row, film or value comes from a person.",
            "One source, no external test: what holds here need not hold elsewhere.",
        ],
        [
            ("Rows, patients", "1,780 films of 1,780 patients, 712 with osteoporosis"),
            ("Splits", "1,184 training, 296 validation, 300 test; by patient, stratified"),
            ("Seed", "0"),
            ("Versions", "skosteo 0.1.0, Python 3.11, scikit-learn 1.9.1, torch 2.14.1, numpy 2.4"),
        ],
        [
            Section("Patients", [Text(paragraph), Table(people, "Characteristics by part.")]),
            Section("Models", [
                Table(rates, "Models on the test part.", ["Intervals: DeLong, Wilson."]), figure]),
            Section("Folds", [Table(folds, "Each fold of each model."), raster]),
            Section("Departures from the paper", [Bullets(["Out-of-fold probabilities."] * 4)]),
            Section("Reporting checklists", [Checklist(fill(facts))]),
        ],
    )  # fmt: skip
