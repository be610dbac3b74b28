"""The command ``skosteo``, also as ``python -m skosteo``: study, predict and validate."""

import argparse
import re
import sys
from collections.abc import Sequence

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
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in _COMMANDS.items():
        about = command.ABOUT
        command.add_arguments(commands.add_parser(name, help=about, description=about))
    given = parser.parse_args(arguments)
    try:
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
    # of the call's parameters, the options of the command
    return _PARAMETER.sub(lambda found: _OPTIONS[found[1]] + (" " if found[2] else ""), str(error))
