"""`save_model` and `load_model`: a fitted model to a file, and back in another house."""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import skops.io
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skosteo import __version__
from skosteo._extras import extra_of, require
from skosteo._files import write_atomic
from skosteo.exceptions import (
    InputError,
    MissingExtraError,
    ModelChangedWarning,
    ModelFileError,
    SkosteoError,
)
from skosteo.image.reader import RadiographReader
from skosteo.persistence.archive import (
    CARD,
    MAX_TEXT,
    SCHEMA,
    read_archive,
    read_json,
    read_text,
    write_archive,
)
from skosteo.persistence.compact import compact
from skosteo.persistence.content import (
    forget,
    nets,
    parts,
    restore,
    share_weights,
    travelling_copy,
    unbuild,
)
from skosteo.persistence.examples import (
    Examples,
    answer,
    as_examples,
    check_examples,
    decide,
    is_density_regressor,
    make_examples,
)
from skosteo.persistence.trusted import TRUSTED, check_forest, check_schema

SUFFIX = ".skops"
# Differences between probabilities. Another number of threads, or another processor, sums in
# another order: a net of single precision (steps of 6e-8) then moves by some 1e-6, and 1e-5 is ten
# times that. No figure that is printed shows it. 1e-3 is another model.
_SAME, _ANOTHER = 1e-5, 1e-3
_MAX_SIDE, _MAX_JOBS = 2048, 512


def save_model(
    model: Any, path: str | os.PathLike[str], *, card: str | None = None, examples: Any = None
) -> None:
    """Write a fitted model to one file that holds no row of a patient and runs no code when loaded.

    Parameters
    ----------
    model : classifier, or regressor of skosteo
        Fitted. A classifier with ``predict_proba``: an estimator of skosteo, of scikit-learn or
        XGBoost's classifier, or a pipeline, stacking, calibration or threshold of such. A regressor
        of skosteo, or a pipeline that ends in one.
    path : str or path-like
        Of the file, which ends in ".skops"; an older file is replaced in one step.
    card : str, default=None
        Model card, Markdown text; `read_card` gives it back.
    examples : DataFrame or array, default=None
        A few rows as in `fit`, made up and no patient's, films as arrays. Needed only where
        `save_model` says that it can make none that the model answers.

    Raises
    ------
    InputError
        The model is not fitted, holds what no file may hold or cannot be checked; the path does not
        end in ".skops", or the card is no text, or of more than 8 MiB.
    OSError
        The folder is missing or full; an older file is left as it was.

    Notes
    -----
    The file is a zip of `skops.io` with a manifest of the SHA-256 of each member; equal fits make
    equal files. The answers of the model to six synthetic inputs are in it: see `load_model`.

    What only a fit or a machine needs is left out: ``cache_dir``, ``memory``, the path of
    pretrained weights, ``callbacks``, metadata requests and cross-validators (``cv`` becomes None);
    so is what scikit-learn keeps of each row of the fit and no prediction needs, such as
    ``oob_decision_function_`` or the ``labels_`` of clusters. Estimators that keep rows of their
    fit (nearest neighbours, support vectors, Gaussian processes, ``Nystroem``), all values of a
    column (``QuantileTransformer``) or a vocabulary are refused. That goes by a list, which is
    tested on all classifiers and transformers of scikit-learn.

    Single values stay: extremes, edges of bins, thresholds of trees, a leaf or a cluster's centre
    of one row, and the categories that foreign encoders such as ``OneHotEncoder`` have seen, rare
    ones too; `ClinicalPreprocessor` keeps none that fewer than ten rows have.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from skosteo import load_model, save_model
    >>> from skosteo.presets import clinical_baseline
    >>> X = pd.DataFrame({"age": range(50, 80), "weight_kg": range(90, 60, -1)})
    >>> model = clinical_baseline("logistic").fit(X, X["age"] % 20 > 9)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model.skops")
    ...     loaded = load_model(f"{folder}/model.skops")
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    if Path(path).suffix != SUFFIX:
        raise InputError(
            f"The name of the file ends in {Path(path).suffix!r}. Let it end in .skops."
        )
    _check_kind(model, InputError)
    about = {} if card is None else {CARD: _as_bytes(card)}
    copied = travelling_copy(model)
    with _on_cpu(copied):
        shown = make_examples(copied) if examples is None else as_examples(examples)
        content = {"model": copied, "examples": shown, "probabilities": answer(copied, shown)}
    share_weights(copied)
    try:
        members = compact(skops.io.dumps(content))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"A part of the model cannot be saved: {error}. Take another in its place."
        ) from error
    file = write_archive(members | about, {"skosteo": __version__, "versions": _versions()})
    try:
        _load(io.BytesIO(file))
    except ModelFileError as error:
        raise InputError(
            f"The model cannot be saved so that it could be loaded: {error}"
        ) from error
    write_atomic(path, file)


def load_model(path: str | os.PathLike[str]) -> Any:
    """Load a model that `save_model` has written; a file from anywhere may be given.

    Parameters
    ----------
    path : str or path-like
        Of the file.

    Returns
    -------
    classifier or regressor
        Fitted, as it was saved; ``cache_dir`` and ``memory`` are None. It computes on the GPU where
        it did so and there is one.

    Raises
    ------
    MissingExtraError
        The model needs libraries that are not installed, such as torch for a net.
    ModelFileError
        The file is damaged or no file of a model, asks for other types than models are made of, or
        is of another format than this release reads; or its model does not answer the examples in
        the file as it did: a probability has moved by more than .001.
    FileNotFoundError
        There is no such file.

    Warns
    -----
    ModelChangedWarning
        A probability of the examples has moved by more than 1e-5: a library computes otherwise.

    Notes
    -----
    No code of the file is run. It can ask for the estimators of scikit-learn and skosteo, for
    XGBoost's classifier, and for arrays; see `skosteo.persistence.trusted`. A model may still be a
    bad one: whom you have it from, its card and your own validation must tell.

    Versions of skosteo and of libraries may differ from those that the file was written with, as
    long as its examples are answered alike. The SHA-256 in the file find damage, not intent: who
    can alter the file can alter them too. Let its sender tell you that of the whole file.

    Examples
    --------
    See `save_model`.
    """
    with _opened(path) as stream:
        return _load(stream)


def read_card(path: str | os.PathLike[str]) -> str | None:
    """Read the model card in a file of `save_model`.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    str or None
        Markdown text; None where the file has no card.

    Raises
    ------
    ModelFileError, FileNotFoundError
        As in `load_model`.

    Examples
    --------
    See `save_model`.
    """
    with _opened(path) as stream, read_archive(stream) as archive:
        if CARD not in archive.namelist():
            return None
        return read_text(archive, CARD).decode(errors="replace")


def _as_bytes(card: Any) -> bytes:
    """Return a card as it is written, if it can be read again."""
    if not isinstance(card, str):
        raise InputError(f"card is a {type(card).__name__}; give the Markdown text itself.")
    try:
        text = card.encode()
    except UnicodeEncodeError:
        raise InputError(
            "card holds half a character (a surrogate), which no UTF-8 has. Read its file by the "
            "encoding in which it was written."
        ) from None
    if len(text) > MAX_TEXT:
        raise InputError(
            f"card has {len(text):,} bytes; a file takes {MAX_TEXT:,}. Leave pictures out of it."
        )
    return text


def no_model_file(path: str | os.PathLike[str]) -> str:
    """Say where a model's file was looked for: a path that the user has given, and no patient's."""
    return (
        f"There is no model file {os.path.abspath(path)!r}. Check its name and the folder from "
        "which you call, or give the whole path."
    )


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(no_model_file(path)) from None
    # a pipe would wait for ever
    if not stat.S_ISREG(mode):
        raise ModelFileError("This is a folder or device. Give a file that save_model has written.")
    with open(path, "rb") as stream:
        yield stream


def _load(stream: BinaryIO) -> Any:
    try:
        with read_archive(stream) as archive:
            check_schema(read_json(archive, SCHEMA), archive)
        stream.seek(0)
        content = skops.io.load(stream, trusted=TRUSTED)
        model, examples, expected = (content[n] for n in ("model", "examples", "probabilities"))
        forget(model)
        restore(model)
        _check_parts(model)
        check_examples(examples)
    except (ModelFileError, MissingExtraError):
        raise
    except skops.io.exceptions.UntrustedTypesFoundException as error:
        raise ModelFileError(
            f"{str(error).splitlines()[0]} No model of skosteo needs them."
        ) from None
    except ModuleNotFoundError as error:
        raise _lacking(error) from None
    except Exception as error:  # whatever a file may do to skops, numpy and scikit-learn
        raise _refusal("The file cannot be read", error) from None
    _check_kind(model, ModelFileError)
    _check_answers(model, examples, np.asarray(expected))
    return model


def _check_parts(model: Any) -> None:
    """Refuse what would take more memory than any model needs."""
    for part in parts(model):
        check_forest(part)
        if isinstance(part, RadiographReader) and not 0 < part.size <= _MAX_SIDE:
            raise ModelFileError(f"The file asks for films of more than {_MAX_SIDE} pixels a side.")
        if abs(getattr(part, "n_jobs", None) or 0) > _MAX_JOBS:
            raise ModelFileError(f"The file asks for more than {_MAX_JOBS} jobs at a time.")
    for net in nets(model):
        built = net._built_from["parameters"]
        height, width = built.get("trunk", built).get("film_shape", (1, 1))
        if height * width > _MAX_SIDE**2:
            raise ModelFileError(f"The file asks for films of {height} x {width} pixels.")
        if len(built.get("hidden_layer_sizes", ())) > len(vars(net).get("_weights", ())):
            raise ModelFileError("The file asks for more layers than it has weights of.")


def _check_kind(model: Any, kind: type[SkosteoError]) -> None:
    name = type(model).__name__
    gives_density = is_density_regressor(model)
    if isinstance(model, type) or not (gives_density or hasattr(model, "predict_proba")):
        raise kind(f"{name} is no classifier with predict_proba, and no regressor of skosteo.")
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError):
        raise kind(f"This {name} is not fitted.") from None
    if not gives_density and len(getattr(model, "classes_", ())) != 2:
        raise kind(f"This {name} does not have two classes.")


def _check_answers(model: Any, examples: Examples, expected: Any) -> None:
    """Compare what the model says of its examples with what it has said when it was saved."""
    try:
        with _on_cpu(model):
            for net in nets(model):
                net.net_  # noqa: B018 - built here, so that weights that do not fit are found
            found = answer(model, examples)
            decide(model, examples)  # for which some models need more
        # densities may be in units of 1000
        moved = float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())
    except MissingExtraError:
        raise
    except ModuleNotFoundError as error:
        raise _lacking(error) from None
    except Exception as error:
        raise _refusal("The model does not answer its own examples", error) from None
    if not moved <= _ANOTHER:
        raise ModelFileError(
            f"The model is not the one that was saved: a probability of its examples has moved by "
            f"{moved:.2g}. Install the versions of libraries that the file's manifest names."
        )
    if moved > _SAME:
        warnings.warn(
            f"A probability of the model's examples has moved by {moved:.2g} since it was saved: a "
            "library computes otherwise. The file's manifest names the versions.",
            ModelChangedWarning,
            stacklevel=4,
        )


def _lacking(error: ModuleNotFoundError) -> ModelFileError:
    name = str(error.name)
    if extra := extra_of(name):
        require(extra, "The model in this file")
    return ModelFileError(
        f"The model needs {name.partition('.')[0]}, which is not installed. Install it, in the "
        "version that the file's manifest names."
    )


def _refusal(what: str, error: Exception) -> ModelFileError:
    reason = str(error) if isinstance(error, SkosteoError) else type(error).__name__
    return ModelFileError(
        f"{what} ({reason}). Ask for the file again, or save the model again by save_model."
    )


@contextmanager
def _on_cpu(model: Any) -> Iterator[None]:
    """Let the nets compute on the CPU inside, so that answers are those of any machine."""
    devices = {id(net): (net, net.device) for net in nets(model)}
    for net, _ in devices.values():
        net.device = "cpu"
    try:
        yield
    finally:
        for net, device in devices.values():
            from skosteo.training.fit import resolve_device  # there is a net, so torch is loaded

            net.device = device
            if device != "cpu" and (device != "auto" or resolve_device("auto") != "cpu"):
                unbuild(net)  # to be built again where it belongs


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    names = ["numpy", "scikit-learn", "scipy", "skops", "pillow", "pydicom"]
    versions = {name: version(name) for name in names}
    # some are not there
    for name in ("timm", "torch", "xgboost", "xgboost-cpu", "scikit-image", "PyWavelets"):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
