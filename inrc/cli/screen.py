"""The output of commands: results on stdout, everything else on stderr."""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from inrc.memory import parse_size

BAR_DELAY = 1.0
"""Seconds until a command shows a progress bar."""

Report = Callable[[int, int], None]
"""Called with the amount of work done, and the total."""


def add_max_memory(parser: argparse.ArgumentParser) -> None:
    """Add --max-memory."""
    parser.add_argument(
        "--max-memory", metavar="SIZE", help="refuse what takes more memory: 800M, 4G (default: "
        "three quarters of what is free)",
    )  # fmt: skip


def max_memory(args: argparse.Namespace) -> int | None:
    """The limit in bytes that --max-memory gives.

    Raises UsageError if it is not a size.
    """
    return None if args.max_memory is None else parse_size(args.max_memory)


def say_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line; infinity and NaN, unknown to JSON, become null."""
    print(json.dumps(_finite(value), ensure_ascii=False))


def complain(line: str) -> None:
    """Print one line on stderr."""
    print(f"inrc: {' '.join(line.split())}", file=sys.stderr)


@contextmanager
def progress(label: str, quiet: bool) -> Iterator[Report]:
    """Yield a function that reports progress; on a terminal it shows a bar after `BAR_DELAY`."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    start = time.monotonic()
    bar: Any = None
    task: Any = None

    def report(done: int, total: int) -> None:
        nonlocal bar, task
        if bar is None:
            if time.monotonic() - start < BAR_DELAY:
                return
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True)
            bar.start()
            task = bar.add_task(label, total=total)
        bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
