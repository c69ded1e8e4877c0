"""The command line: `inrc VERB ...`, and `lightning` for the verbs of training alone.

Nothing heavy is imported before a verb needs it, so that `inrc info` answers at once.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from inrc.cli import (
    bdrate,
    compress,
    decompress,
    encode,
    evaluate,
    info,
    methods,
    modalities,
    new_modality,
    plot,
    recipes,
    report,
    verify,
)
from inrc.cli.verbs import TRAINING
from inrc.errors import InrcError, UsageError, one_line
from inrc.memory import out_of_memory

VERBS = (
    compress, decompress, encode, info, verify, evaluate, plot, bdrate, report, modalities,
    methods, recipes, new_modality,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run `inrc`; returns 0 for success, 1 for a failure, 2 for a command that makes no sense."""
    return _guarded(_inrc, sys.argv[1:] if argv is None else list(argv))


def lightning(argv: Sequence[str] | None = None) -> int:
    """Run `lightning`: fit, validate and test; exit codes as those of `main`."""
    return _guarded(_lightning, sys.argv[1:] if argv is None else list(argv))


def _inrc(argv: list[str]) -> int:
    words = [word for word in argv if word != "--debug"]
    if words and words[0] in TRAINING:
        return _train(words, "inrc")
    parser = _parser("inrc", "Compress signals of any kind with implicit neural representations.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for verb in VERBS:
        added = verbs.add_parser(verb.NAME, help=verb.HELP, description=verb.HELP)
        added.set_defaults(run=verb.run)
        verb.add(added)
        _add_debug(added, argparse.SUPPRESS)
    _add_training(verbs)
    args = parser.parse_args(argv)
    code: int = args.run(args)
    return code


def _lightning(argv: list[str]) -> int:
    words = [word for word in argv if word != "--debug"]
    if words and words[0] in TRAINING:
        return _train(words, "lightning")
    parser = _parser("lightning", "Train and measure codec models.")
    _add_training(parser.add_subparsers(metavar="VERB", required=True))
    parser.parse_args(argv)
    return 2


def _train(words: list[str], program: str) -> int:
    words = recipes.resolve(words)
    print(f"{program} {words[0]}: loading PyTorch and Lightning", flush=True)
    from inrc.cli import fit  # takes seconds to import

    return fit.run(words, program)


def _parser(program: str, purpose: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(program, description=purpose)
    parser.add_argument("--version", action="version", version=f"{program} {version('inrc')}")
    _add_debug(parser, False)
    return parser


def _add_debug(parser: argparse.ArgumentParser, default: Any) -> None:
    parser.add_argument(
        "--debug", action="store_true", default=default, help="show the traceback of a failure"
    )


def _add_training(verbs: Any) -> None:
    for name, purpose in TRAINING.items():
        verbs.add_parser(name, help=f"{purpose} (see `{name} --help`)", add_help=False)


def _guarded(run: Callable[[list[str]], int], argv: list[str]) -> int:
    """Turn what a user can act on into one line and an exit code; other errors propagate."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not have the arrow
    try:
        code = run(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except (InrcError, OSError, MemoryError, RuntimeError, KeyboardInterrupt) as failure:
        foreign = isinstance(failure, RuntimeError) and not out_of_memory(failure)
        if foreign or "--debug" in argv:
            raise
        code, line = _explained(failure)
        print(f"inrc: {line}", file=sys.stderr)
        return code


def _explained(failure: BaseException) -> tuple[int, str]:
    if isinstance(failure, KeyboardInterrupt):
        return 130, str(failure) or "interrupted"  # 128 + SIGINT, as in shells
    if out_of_memory(failure):
        return 1, "not enough memory; close other programs or use a larger machine"
    line = one_line(failure)
    if isinstance(failure, OSError) and failure.strerror:
        line = f"{failure.filename}: {failure.strerror}" if failure.filename else failure.strerror
    return 2 if isinstance(failure, UsageError) else 1, line
