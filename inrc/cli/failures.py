"""Failures of training as one line each, whichever library they come from."""

import argparse
import re
from pathlib import Path

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from inrc.errors import InrcError, SignalError, UsageError, one_line

_UNHELPFUL = (  # lines of jsonargparse that repeat types and values
    "Does not validate against any of the Union subtypes",
    "Errors:",
    "Expected a <class 'NoneType'>",
    "Given value",
    "Subtypes:",
)


def explained(error: Exception, constructing: bool) -> Exception:
    """What a user can do about an error; the error itself if it is a fault of the program.

    Args:
        error: what was raised while training was set up or run.
        constructing: whether model, data and trainer were being made from a user's settings. Then
            a wrong value or type is the user's.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InrcError):
            return cause
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, argparse.ArgumentError):
        return UsageError(_parser_line(str(error)))
    line = one_line(error)
    if isinstance(error, MisconfigurationException):
        return UsageError(line)
    if isinstance(error, torch.OutOfMemoryError):
        return InrcError("not enough memory on the device; lower data.batch_size")
    if "loading state_dict" in line:
        return InrcError("the checkpoint was trained with another configuration than this")
    if constructing and isinstance(error, TypeError | ValueError):
        return UsageError(line)
    return error


def with_advice(error: Exception, root: Path | None, skips_bad: bool | None) -> Exception:
    """Mention `--data.skip_bad` if a file of a training folder cannot be read.

    Args:
        error: what was raised.
        root: where the training files are.
        skips_bad: the setting; None if the data have no such setting.
    """
    path = Path(str(error).partition(": ")[0])
    if isinstance(error, SignalError) and root is not None and skips_bad is False:
        if path != root and path.is_relative_to(root) and path.is_file():
            return SignalError(
                f"{error}; --data.skip_bad true leaves out files that cannot be read"
            )
    return error


def _parser_line(message: str) -> str:
    """The lines of a parser's message that say what to change, as one."""
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    kept = [line for line in lines if line and not line.startswith(_UNHELPFUL)]
    line = "; ".join(" ".join(line.split()) for line in kept).replace(":;", ":")
    return re.sub(r'^Parser key "(.*?)"', r"\1", line)
