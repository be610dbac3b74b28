"""What an installation may lack: the libraries of the extras, and the error that names one."""

from importlib.util import find_spec

from skosteo.exceptions import MissingExtraError

# Of each extra the libraries: as they are imported, and as they are called
_LIBRARIES = {
    "plots": {"matplotlib": "matplotlib"},
    "nets": {"torch": "torch", "skorch": "skorch", "timm": "timm"},
    "texture": {"skimage": "scikit-image", "pywt": "PyWavelets"},
    "explain": {"shap": "shap"},
    "xgboost": {"xgboost": "xgboost"},
}


def is_installed(extra: str) -> bool:
    """Whether all libraries of an extra are there; none is imported."""
    return not _missing(extra)


def require(extra: str, what: str, instead: str = "") -> None:
    """Refuse to go on where a library of an extra is not installed.

    Parameters
    ----------
    extra : str
        One of pyproject.toml: "plots", "nets", "texture", "explain" or "xgboost".
    what : str
        What needs it, to begin the message.
    instead : str, default=""
        What else may be done, to end the message.

    Raises
    ------
    MissingExtraError
        A library of the extra is not there.
    """
    if missing := _missing(extra):
        *others, last = missing
        names = f"{', '.join(others)} and {last}" if others else last
        are = "are" if others else "is"
        raise MissingExtraError(
            f"{what} needs {names}, which {are} not installed: pip install 'skosteo[{extra}]'"
            f"{', or ' if instead else ''}{instead}"
        )


def extra_of(module: str) -> str | None:
    """Return the extra that a module comes with, such as "torch.nn"; None where it is of none."""
    library = module.partition(".")[0]
    return next((extra for extra, known in _LIBRARIES.items() if library in known), None)


def _missing(extra: str) -> list[str]:
    return [name for module, name in _LIBRARIES[extra].items() if find_spec(module) is None]
