"""What the core does, without torch and matplotlib: ``python -m tests.core``; ``plots`` beside it.

Each fact below runs by itself; the answer is a JSON of their names, each with its traceback or "".
"""

import importlib
import importlib.metadata
import inspect
import io
import json
import pydoc
import re
import sys
import tempfile
import traceback
import warnings
from contextlib import redirect_stderr
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

NETS = {"torch", "skorch", "timm"}
# and what no other library brings
PLOTS = {"matplotlib", "mpl_toolkits", "contourpy", "cycler", "fontTools", "kiwisolver"}
OF_NETS = {
    "ClinicalOsteoClassifier",
    "ClinicalOsteoRegressor",
    "FeatureFusionClassifier",
    "ImageOsteoClassifier",
    "ImageOsteoRegressor",
    "RadiographEmbedder",
}
NEEDS = r" needs? torch, skorch and timm, which are not installed: pip install 'skosteo\[nets\]'"
NEEDS_PLOTS = r" needs matplotlib, which is not installed: pip install 'skosteo\[plots\]'"
SAVED = Path(__file__).parent / "persistence" / "release_0_1.skops"  # a clinical net


def hide(libraries):
    """Let libraries be found neither as modules nor as distributions."""
    module, metadata = PathFinder.find_spec, importlib.metadata.MetadataPathFinder
    distributions = metadata.find_distributions

    def find_spec(name, *where):
        return None if name.partition(".")[0] in libraries else module(name, *where)

    def find_distributions(context):
        return iter(()) if context.name in libraries else distributions(context)

    PathFinder.find_spec = find_spec
    metadata.find_distributions = find_distributions


@cache
def modules():
    from tests.test_layers import MODULES, is_of_nets

    names = {name for name in MODULES if not is_of_nets(name)} - {"", "__main__"}
    return [importlib.import_module(f"skosteo.{name}") for name in names]


@cache
def cohort():
    from skosteo.datasets import make_cohort

    return make_cohort(24, random_state=0)


@cache
def people():
    from skosteo.datasets.cohort import CLINICAL, draw_patients

    drawn = draw_patients(200, clinical_signal=0.9, random_state=0)
    return drawn[CLINICAL], drawn["osteoporosis"], drawn["patient_id"]


@cache
def logistic():
    from skosteo.presets import clinical_baseline

    return clinical_baseline("logistic").fit(*people()[:2])


@cache
def fusion():
    from skosteo import ProbabilityFusionClassifier
    from skosteo.presets import clinical_baseline, texture_classifier

    image = texture_classifier(families=["lbp"], image_size=32)
    model = ProbabilityFusionClassifier(
        image, clinical_baseline("logistic"), clinical_columns=["age", "bmi"],
        final_estimator="logistic", cv=2,
    )  # fmt: skip
    return model.fit(cohort().data, cohort().target, groups=cohort().groups)


# ---------------------------------------------------------------- names


def fact_what_is_listed_can_be_had():
    import skosteo
    from skosteo import explain

    assert set(skosteo._HOME) - set(dir(skosteo)) == OF_NETS
    for package in (skosteo, explain):
        exec(f"from {package.__name__} import *", {})
        assert all(hasattr(package, name) for name in dir(package))
        assert "PACKAGE CONTENTS" in pydoc.render_doc(package, renderer=pydoc.plaintext)
    assert set(dir(explain)) == {"FusionView", "ShapValues", "explain_fusion", "shap_values"}


def fact_a_name_that_needs_nets_says_which_extra():
    import skosteo
    from skosteo import explain, presets
    from skosteo.exceptions import SkosteoError

    for name in OF_NETS:
        with pytest.raises(ImportError, match=name + NEEDS) as raised:
            getattr(skosteo, name)
        assert isinstance(raised.value, SkosteoError)
    with pytest.raises(ImportError, match="ImageOsteoClassifier" + NEEDS):
        exec("from skosteo import ImageOsteoClassifier", {})
    for name in ("grad_cam", "GradCam"):
        with pytest.raises(ImportError, match=name + NEEDS):
            getattr(explain, name)
    for name in ("paper_image", "quick_image", "paper_clinical", "ensemble"):
        with pytest.raises(ImportError, match=f"{name}_classifier{NEEDS}"):
            getattr(presets, f"{name}_classifier")()
    for name in ("skosteo.nets", "skosteo.training"):
        with pytest.raises(ImportError, match=name + NEEDS):
            importlib.import_module(f"{name}.anything")
    with pytest.raises(AttributeError, match="OsteoForest"):
        _ = skosteo.OsteoForest


def fact_every_module_of_the_core_can_be_imported():
    assert len(modules()) > 100


# ---------------------------------------------------------------- tables and films


def fact_a_table_is_described_and_labelled():
    from skosteo.clinical import label, select_cohort, table_one

    X, y, _ = people()
    t_score = y.map({0: -0.5, 1: -3.0})
    assert label(t_score).tolist() == y.tolist()
    found = select_cohort(X.assign(t=t_score), t_score=["t"])
    assert 0 < found.target.sum() < len(found.target)
    assert table_one(X, by=y).shape[1] == 2


def fact_baselines_and_indices_are_fitted_and_evaluated():
    from skosteo import RiskIndexClassifier
    from skosteo.evaluation import compare, evaluate
    from skosteo.presets import clinical_baseline

    X, y, patients = people()
    names = ("age_sex_bmi", "logistic")
    risks = {n: clinical_baseline(n).fit(X, y).predict_proba(X)[:, 1] for n in names}
    known = X[["age", "weight_kg"]].ffill()
    risks["osta"] = RiskIndexClassifier("osta").fit(known, y).predict_proba(known)[:, 1]
    assert evaluate(y, risks["logistic"], groups=patients).frame().shape[0] > 0
    assert compare(y, risks, groups=patients).frame().shape[0] > 0


def fact_films_are_drawn_and_read():
    from skosteo import Radiograph, RadiographReader, read_radiograph
    from skosteo.datasets import make_cohort

    with tempfile.TemporaryDirectory() as folder:
        paths = make_cohort(6, directory=folder, random_state=0).data["image"]
        assert isinstance(read_radiograph(paths[0]), Radiograph)
        assert RadiographReader(size=32).fit_transform(paths).shape == (6, 32, 32)


# ---------------------------------------------------------------- models without a net


def fact_a_pipeline_is_recalibrated_saved_loaded_and_scores():
    from skosteo import RecalibratedClassifier, Scorer, load_model, read_card, save_model

    X, y, _ = people()
    model = RecalibratedClassifier(logistic()).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, f"{folder}/model.skops", card="# A card")
        said = load_model(f"{folder}/model.skops").predict_proba(X)
        assert read_card(f"{folder}/model.skops") == "# A card"
        scores = Scorer(f"{folder}/model.skops")(X)
    assert (said == model.predict_proba(X)).all()
    assert (scores["probability"] == said[:, 1]).all()


def fact_a_model_is_validated_and_updated_elsewhere():
    from skosteo import how_many_local_patients, update_model, validate

    X, y, patients = people()
    assert "AUC" in set(validate(logistic(), X, y, patients).figures["figure"])
    assert update_model(logistic(), X, y).chosen in ("original", "intercept", "slope")
    assert how_many_local_patients(logistic().predict_proba(X)[:, 1]).intercept > 0


def fact_a_fusion_without_a_net_is_saved_scores_and_is_explained():
    from skosteo import Scorer, load_model, save_model
    from skosteo.explain import explain_fusion, shap_values

    X = cohort().data
    with tempfile.TemporaryDirectory() as folder:
        save_model(fusion(), f"{folder}/model.skops")
        scorer = Scorer(load_model(f"{folder}/model.skops"))
        scores = scorer(X.assign(image=X["image"].where(X.index != 3)))
    assert scores["answered_by"].value_counts().to_dict() == {
        "image + clinical": len(X) - 1, "clinical": 1
    }  # fmt: skip
    assert explain_fusion(fusion(), X[:1], X[:9]).branches == ("image", "clinical")
    assert shap_values(fusion(), X[:1], X[:3]).values.shape == (1, 3)
    assert shap_values(logistic(), people()[0][:3]).values.shape[0] == 3


def fact_a_fusion_says_which_part_is_a_net():
    from skosteo import ProbabilityFusionClassifier

    X, y = cohort().data, cohort().target
    parts = {"image": logistic(), "clinical": logistic(), "final_estimator": "mean"}
    for name in parts:
        with pytest.raises(ImportError, match=f"{name}=None, a net,{NEEDS}"):
            ProbabilityFusionClassifier(**parts | {name: None}).fit(X, y)


def fact_the_file_of_a_net_is_not_loaded_and_its_card_is_read():
    from skosteo import Scorer, load_model, read_card

    assert read_card(SAVED).startswith("# Of synthetic patients")
    for load in (load_model, lambda path: Scorer(path)(people()[0])):
        with pytest.raises(ImportError, match="The model in this file" + NEEDS):
            load(SAVED)


# ---------------------------------------------------------------- commands and studies


def run(*arguments):
    from skosteo.commands import main

    return main([str(argument) for argument in arguments])


def fact_the_command_predicts():
    from skosteo import save_model

    X, _, _ = people()
    with tempfile.TemporaryDirectory() as folder:
        model, table, out = (Path(folder, name) for name in ("m.skops", "t.csv", "scores.csv"))
        X.to_csv(table, index=False)
        save_model(logistic(), model)
        assert run("predict", model, table, "--out", out, "--quiet") == 0
        assert len(out.read_text().splitlines()) == len(X) + 1
        assert run("predict", SAVED, table, "--out", f"{out}2.csv", "--quiet") == 2


@cache
def study():
    from skosteo.study import run_study

    X, y, patients = people()
    models = ["age_sex_bmi", "logistic"]
    how = {"models": models, "n_folds": 2, "n_repeats": 1, "verbose": 0}
    return run_study(X[["age", "sex", "bmi"]], y, groups=patients, image_column=None, **how)


def fact_a_study_has_its_tables():
    assert len(study().table(2)) == 2
    assert study().decision_curve().frame().shape[0] > 0


def fact_a_study_says_at_once_which_model_is_a_net():
    from skosteo.study import run_study

    X, y, _ = people()
    with pytest.raises(ImportError, match=f"The model 'clinical'{NEEDS}, or name models that"):
        run_study(X, y, image_column=None)
    with pytest.raises(ImportError, match=f"device='cuda'{NEEDS}"):
        run_study(X, y, image_column=None, device="cuda", models=["logistic"])


# ---------------------------------------------------------------- figures


def fact_what_draws_says_which_extra():
    from skosteo import evaluation, validate
    from skosteo.clinical import select_cohort
    from skosteo.explain import explain_fusion, shap_values

    X, y, _ = people()
    risk = logistic().predict_proba(X)[:, 1]
    results = [
        evaluation.calibration_curve(y, risk),
        evaluation.compare(y, {"a": risk, "b": risk**2}),
        evaluation.decision_curve(y, risk),
        evaluation.evaluate(y, risk),
        evaluation.reliability(y, risk),
        evaluation.subgroups(y, risk, {"sex": X["sex"]}),
        select_cohort(X.assign(t=y.map({0: -0.5, 1: -3.0})), t_score=["t"]).flow,
        shap_values(logistic(), X[:3]),
        explain_fusion(fusion(), cohort().data[:1], cohort().data[:9]),
        validate(logistic(), X, y),
    ]
    for result in results:
        with pytest.raises(ImportError, match=f"{type(result).__name__}.plot{NEEDS_PLOTS}"):
            result.plot()
    with pytest.raises(ImportError, match=f"Study.figure{NEEDS_PLOTS}"):
        study().figure(5)
    classes = {c for module in modules() for c in vars(module).values() if inspect.isclass(c)}
    assert {type(result) for result in results} == {c for c in classes if hasattr(c, "plot")}


def fact_reports_are_refused_before_the_work():
    from skosteo import validate
    from skosteo.study import run_study

    page, report = f"The page of a validation{NEEDS_PLOTS}", f"The report of a study{NEEDS_PLOTS}"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        with pytest.raises(ImportError, match=report):
            run_study("not looked at", None, out=out)
        with pytest.raises(ImportError, match=report):
            study().save(out)
        with pytest.raises(ImportError, match=page):
            validate(logistic(), *people()[:2]).save(out)
        call = (Path(folder, "none.csv"), "--target", "frail", "--no-patient", "--out", out)
        with redirect_stderr(io.StringIO()) as said:
            assert run("validate", Path(folder, "none.skops"), *call) == 2
        assert re.search(page, said.getvalue())
        assert not out.exists()


def plots_fact_results_are_drawn():
    from skosteo.evaluation import evaluate

    X, y, _ = people()
    axes = evaluate(y, logistic().predict_proba(X)[:, 1]).plot()
    assert axes.get_ylabel() == "Sensitivity"


def plots_fact_a_validation_writes_its_page():
    from skosteo import save_model

    X, y, _ = people()
    with tempfile.TemporaryDirectory() as folder:
        model, table, out = (Path(folder, name) for name in ("m.skops", "t.csv", "out"))
        X.assign(frail=y).to_csv(table, index=False)
        save_model(logistic(), model)
        call = ("validate", model, table, "--target", "frail", "--no-patient", "--out", out)
        assert run(*call) == 0
        assert (out / "validation.html").is_file()


def plots_fact_a_study_of_baselines_writes_its_report():
    with tempfile.TemporaryDirectory() as folder:
        table, out = Path(folder, "table.csv"), Path(folder, "report")
        X, y, _ = people()
        X[["age", "sex", "bmi"]].assign(frail=y).to_csv(table, index=False)
        call = ("study", table, "--no-images", "--target", "frail", "--no-patient", "--out", out)
        call = (*call, "--folds", "2", "--repeats", "1", "--quiet")
        assert run(*call) == 2  # its own models are nets
        assert not out.exists()
        assert run(*call, "--models", "age_sex_bmi", "logistic") == 0
        assert (out / "report.html").is_file()


def _facts(prefix):
    return {n.removeprefix(prefix): f for n, f in globals().items() if n.startswith(prefix)}


# by the extra that is installed beside the core
FACTS = {"nothing": _facts("fact_"), "plots": _facts("plots_fact_")}


def main(extra="nothing"):
    """Run all facts, each to its end."""
    hidden = NETS if extra == "plots" else NETS | PLOTS
    hide(hidden)
    warnings.simplefilter("ignore")
    found, stdout = {}, sys.stdout
    sys.stdout = sys.stderr
    for name, fact in FACTS[extra].items():
        try:
            fact()
            found[name] = ""
        except BaseException:
            found[name] = traceback.format_exc()
    found["nothing of them was imported"] = " ".join(hidden & set(sys.modules))
    json.dump(found, stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
