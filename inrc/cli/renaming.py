"""`--rename`: files whose variables have other names than the model's."""

import argparse
from typing import TYPE_CHECKING

from inrc.errors import UsageError

if TYPE_CHECKING:
    from inrc.model import Model


def add(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="NAME=MODEL_NAME",
        help="a variable of the files and the model's name for it, t2m=TS; may be repeated",
    )


def renamed(model: "Model", pairs: list[str]) -> "Model":
    """The model that reads files with these names.

    Args:
        model: any model.
        pairs: `NAME=MODEL_NAME`, as given to the option.

    Raises:
        UsageError: a pair without `=`, a name given twice, or data without named variables.
        SignalError: a name that the model does not have.
    """
    names: dict[str, str] = {}
    for pair in pairs:
        name, separator, target = pair.partition("=")
        if not (separator and name and target):
            raise UsageError(f"--rename {pair}: give NAME=MODEL_NAME, for example t2m=TS")
        if name in names or target in names.values():
            raise UsageError(f"--rename {pair}: give each name once")
        names[name] = target
    return model.renamed(names) if names else model
