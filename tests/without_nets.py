"""What is done where torch, skorch and timm are not installed: ``python -m tests.without_nets``.

Each fact below runs by itself; the answer is a JSON of their names, each with its traceback or "".
"""

import importlib
import importlib.metadata
import json
import pydoc
import sys
import tempfile
import traceback
import warnings
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

HIDDEN = ("torch", "skorch", "timm")
OF_NETS = {
    "ClinicalOsteoClassifier",
    "ClinicalOsteoRegressor",
    "FeatureFusionClassifier",
    "ImageOsteoClassifier",
    "ImageOsteoRegressor",
    "RadiographEmbedder",
}
NEEDS = r" needs? torch, skorch and timm, which are not installed: pip install 'skosteo\[nets\]'"
SAVED = Path(__file__).parent / "persistence" / "release_0_1.skops"  # a clinical net


def hide():
    """Let the three be found neither as modules nor as distributions."""
    module, metadata = PathFinder.find_spec, importlib.metadata.MetadataPathFinder
    distributions = metadata.find_distributions

    def find_spec(name, *where):
        return None if name.partition(".")[0] in HIDDEN else module(name, *where)

    def find_distributions(context):
        return iter(()) if context.name in HIDDEN else distributions(context)

    PathFinder.find_spec = find_spec
    metadata.find_distributions = find_distributions


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
    from tests.test_layers import MODULES, is_of_nets

    for module in MODULES:
        if not is_of_nets(module) and module not in ("", "__main__"):
            importlib.import_module(f"skosteo.{module}")


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


def fact_the_commands_predict_and_validate():
    from skosteo import save_model

    X, y, _ = people()
    with tempfile.TemporaryDirectory() as folder:
        model, table, out = (Path(folder, name) for name in ("m.skops", "t.csv", "out"))
        X.assign(frail=y).to_csv(table, index=False)
        save_model(logistic(), model)
        assert run("predict", model, table, "--out", f"{out}.csv", "--quiet") == 0
        call = ("validate", model, table, "--target", "frail", "--no-patient", "--out", out)
        assert run(*call) == 0
        assert (out / "validation.html").is_file()
        assert run("predict", SAVED, table, "--out", f"{out}2.csv", "--quiet") == 2


def fact_a_study_of_baselines_writes_its_report():
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


def fact_a_study_says_at_once_which_model_is_a_net():
    from skosteo.study import run_study

    X, y, _ = people()
    with pytest.raises(ImportError, match=f"The model 'clinical'{NEEDS}, or name models that"):
        run_study(X, y, image_column=None)
    with pytest.raises(ImportError, match=f"device='cuda'{NEEDS}"):
        run_study(X, y, image_column=None, device="cuda", models=["logistic"])


FACTS = {name.removeprefix("fact_"): f for name, f in globals().items() if name[:5] == "fact_"}


def main():
    """Run all facts, each to its end."""
    hide()
    warnings.simplefilter("ignore")
    found, stdout = {}, sys.stdout
    sys.stdout = sys.stderr
    for name, fact in FACTS.items():
        try:
            fact()
            found[name] = ""
        except BaseException:
            found[name] = traceback.format_exc()
    found["nothing of them was imported"] = " ".join(set(HIDDEN) & set(sys.modules))
    json.dump(found, stdout)


if __name__ == "__main__":
    main()
