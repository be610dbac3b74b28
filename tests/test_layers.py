"""Imports go downward only, and each heavy library has its one home."""

import ast
from pathlib import Path

import pytest

import skosteo

PACKAGE = Path(skosteo.__file__).parent
TESTS = Path(__file__).parent
LEVELS = [
    {"exceptions", "_files"},
    {"_extras"},
    {"_plotting", "_validation"},
    {"dicom", "splits"},
    {"clinical"},
    {"nets"},
    {"training"},
    {"datasets", "image"},
    {"clinical.classifier", "clinical.regressor", "clinical.risk_indices", "clinical.table_net"},
    {"evaluation", "fusion"},
    {"_page", "explain", "persistence", "presets", "recalibration"},
    {"validation"},
    {"scoring"},
    {"study"},
    {"commands"},
    {"__main__"},
]
LEVEL = {module: level for level, modules in enumerate(LEVELS) for module in modules}
HOMES = {
    "pydicom": {"dicom.decode", "datasets.dicom_writer"},
    "imagecodecs": {"dicom.decode"},
    "PIL": {"dicom.picture"},
    "filelock": {"_files", "image.film_cache"},
    "skorch": {
        "training.callbacks",
        "training.data",
        "training.fit",
        "training.inference",
        "training.net",
        "training.net_estimator",
        "training.net_regressor",
        "training.net_state",
    },
    "timm": {"nets.adapters", "nets.backbone", "nets.weights"},
    "pooch": {"datasets._home"},
    "matplotlib": {
        "_plotting",
        "clinical.flow",
        "evaluation.calibration_curve",
        "evaluation.comparison",
        "evaluation.decision_curve",
        "evaluation.reliability",
        "evaluation.report",
        "evaluation.subgroups",
        "explain.fusion_view",
        "explain.gradcam",
        "explain.shapley",
        "study.report.curves",
        "study.report.figures",
        "study.report.saving",
        "validation.external",
        "validation.page",
    },
    "shap": {"explain.trees"},
    "skimage": {"image.texture_features"},
    "pywt": {"image.texture_features"},
    "skops": {"persistence.model_file"},
    "jinja2": {"_page"},
}
# Modules that import torch, skorch or timm, beside those of nets and training. All others are the
# core, which is installed without them, and at its top imports no such module either.
OF_NETS = {
    "clinical.classifier",
    "clinical.regressor",
    "clinical.table_net",
    "explain.gradcam",
    "explain.net_coalitions",
    "fusion.feature",
    "fusion.study_reader",
    "image.arrays",
    "image.classifier",
    "image.embedder",
    "image.embedding",
    "image.film_column",
    "image.film_net",
    "image.film_rows",
    "image.regressor",
    "image.tuning",
}
# heavy or optional: never at the top of a module
LAZY = {
    "imagecodecs",
    "jinja2",
    "matplotlib",
    "pywt",
    "safetensors",
    "shap",
    "skimage",
    "timm",
}


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def home(module):
    """Return the entry of LEVELS that a module belongs to."""
    return module if module in LEVEL else module.split(".")[0]


def imports(path):
    """Absolute names that a module imports: each with whether it stands at the top, and is run.

    Those inside functions and those for type checkers are among them. Of ``from package import
    module`` it is the module that is imported.
    """
    tree = ast.parse(path.read_text())
    top = set(tree.body)
    for_types = {
        inner
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} line {node.lineno}: a relative import"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inside if name.removeprefix("skosteo.") in MODULES]
            names = modules + [node.module] * (len(modules) < len(inside))
        else:
            continue
        yield from ((name, node in top, node not in for_types) for name in names)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def is_of_nets(module):
    return module in OF_NETS or module.split(".")[0] in {"nets", "training"}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {""}))
def test_imports_go_downward_and_libraries_stay_in_their_homes(module):
    assert home(module) in LEVEL, "give the new module a level"
    for name, at_top, is_run in imports(MODULES[module]):
        library, _, inner = name.partition(".")
        if library == "skosteo" and inner and home(inner) in LEVEL:
            lower = LEVEL[home(inner)] < LEVEL[home(module)]
            assert lower or home(inner).split(".")[0] == home(module).split(".")[0], name
        if library in HOMES and is_run:
            assert module in HOMES[library], name
        assert not (library in LAZY and at_top), name


@pytest.mark.parametrize("module", sorted(set(MODULES) - {""}))
def test_the_core_needs_no_torch(module):
    for name, at_top, is_run in imports(MODULES[module]):
        inner = name.removeprefix("skosteo.")
        if name.partition(".")[0] in {"torch", "skorch", "timm"} and is_run:
            assert is_of_nets(module), name
        if at_top and inner in MODULES and is_of_nets(inner):
            assert is_of_nets(module), name


def test_no_modules_import_each_other_in_a_circle():
    """Inside a package neither, and not lazily or for type checkers either."""
    graph = {
        module: {
            inner
            for name, *_ in imports(path)
            for inner in [name.removeprefix("skosteo.")]
            if name.startswith("skosteo.") and inner in MODULES and inner != module
        }
        for module, path in MODULES.items()
        if module  # the public names of the root are for its users
    }
    while free := [module for module, needed in graph.items() if not needed & graph.keys()]:
        for module in free:
            del graph[module]
    assert not graph, f"in or behind a circle: {sorted(graph)}"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {""}))
def test_a_module_of_weight_has_its_mirror(module):
    path = MODULES[module]
    if path.name.startswith("__") or len(path.read_text().splitlines()) < 60:
        return
    folder, name = path.relative_to(PACKAGE).parent, path.stem.removeprefix("_")
    assert (TESTS / folder / f"test_{name}.py").exists()


def test_torch_modules_are_made_in_nets_only():
    for module, path in MODULES.items():
        defined = [
            node.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ClassDef)
            and any(ast.unparse(base).endswith("Module") for base in node.bases)
        ]
        assert not defined or module.startswith("nets."), (module, defined)
