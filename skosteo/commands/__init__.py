"""The command ``skosteo``, also as ``python -m skosteo``: study, predict and validate."""

import argparse
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from skosteo import __version__
from skosteo.commands import predict, study, validate
from skosteo.exceptions import SkosteoError

_COMMANDS = {"study": study, "predict": predict, "validate": validate}
# what an error calls by the name of a parameter
_OPTIONS = {
    "n_folds": "--folds",
    "random_state": "--seed",
    "clinical_columns": "--clinical",
    "image_column": "--image-column",
    "cache_dir": "--cache",
    "n_jobs": "--jobs",
}
_PARAMETER = re.compile(rf"(?<!['\w])({'|'.join(_OPTIONS)})(?!['\w])(=?)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="skosteo",
        description="Screening for osteoporosis from chest X-rays and clinical values.",
    )
    parser.add_argument("--version", action="version", version=f"skosteo {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, command in _COMMANDS.items():
        about = command.ABOUT
        command.add_arguments(commands.add_parser(name, help=about, description=about))
    given = parser.parse_args(arguments)
    try:
        with _warnings_in_lines():
            _COMMANDS[given.command].run(given)
    except (SkosteoError, OSError) as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        print(f"skosteo: {_message(error)}{notes}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print(  # noqa: T201
            "skosteo: interrupted; the same command goes on from what is finished", file=sys.stderr
        )
        return 130
    return 0


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, SkosteoError):
        return f"{error.strerror or error}; what is finished stays, and the same command goes on"
    return _in_options(str(error))


def _in_options(text: str) -> str:
    """Name the options of the command instead of the parameters of a call."""
    return _PARAMETER.sub(lambda found: _OPTIONS[found[1]] + (" " if found[2] else ""), text)


@contextmanager
def _warnings_in_lines() -> Iterator[None]:
    """Print each warning as one plain line, and those that differ in numbers alone once."""
    told = set()

    def tell(message: Warning | str, *_where: Any, **_how: Any) -> None:
        text = _in_options(" ".join(str(message).split()))
        kind = re.sub(r"\b\d+\b", "", text)  # but not within a name
        if kind not in told:
            told.add(kind)
            print(f"warning: {text}", file=sys.stderr)  # noqa: T201

    with warnings.catch_warnings():
        warnings.showwarning = tell
        yield
