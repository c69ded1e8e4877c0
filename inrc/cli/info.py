"""`inrc info`: what a `.inrc` file contains, at once and without its model."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inrc.cli import screen
from inrc.container import Peek, peek
from inrc.errors import ContainerError

NAME = "info"
HELP = "show what a .inrc file contains, without its model"

_SHOWN = 20  # items: the height of a terminal


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a .inrc file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises:
        ContainerError: the file cannot be read; the message names it.
    """
    seen, size = open_archive(args.file, None if args.json else _SHOWN)
    facts = describe(seen, size)
    if args.json:
        screen.say_json({"file": str(args.file), **facts})
        return 0
    model = f"model {facts['model']}" if seen.card is None else "needs no model"
    print(f"{args.file}: .inrc format {facts['format']}, {model}", end="")
    print(f", quality {facts['quality']}, {size:,} bytes")
    print(f"  header {facts['header_bytes']:,} bytes, payload {facts['payload_bytes']:,} bytes")
    if seen.card is not None:
        print(f"  {_told(seen.card.modality, seen.card.modality_settings)}", end=" by ")
        print(f"{_told(seen.card.method, seen.card.method_settings)}", end="")
        print(f", in {seen.card_size:,} of the header's bytes")
    print(f"  {seen.count} item{'s' * (seen.count > 1)}")
    for item in facts["items"]:
        parts = "" if item["parts"] is None else f"  {item['parts']} parts"
        print(f"    {printable(item['name']) or '(nameless)'}{parts}")
    if seen.count > len(seen.entries):
        print(f"    and {seen.count - len(seen.entries)} more (--json lists all)")
    return 0


def open_archive(path: Path, max_entries: int | None = None) -> tuple[Peek, int]:
    """Read what a `.inrc` file says without its model, and its size in bytes; see `peek`.

    Raises:
        ContainerError: the file cannot be read; the message names it.
        OSError: the file is missing.
    """
    data = path.read_bytes()
    try:
        return peek(data, max_entries), len(data)
    except ContainerError as error:
        raise ContainerError(f"{path}: {error}") from error


def describe(seen: Peek, size: int) -> dict[str, Any]:
    """Plain facts; `parts` is None if it is that of the item before or of the model's default."""
    return {
        "bytes": size,
        "format": seen.version,
        "model": seen.model_id.hex() if seen.card is None else None,
        "card": None if seen.card is None else asdict(seen.card),
        "card_bytes": seen.card_size,
        "quality": seen.quality,
        "header_bytes": seen.header_size,
        "payload_bytes": len(seen.payload),
        "items": [{"name": entry.name, "parts": entry.parts} for entry in seen.entries],
    }


def _told(name: str, settings: Mapping[str, Any]) -> str:
    """A call like image(patch=None, channels=3), on one line."""
    told = ", ".join(f"{key}={value!r:.60}" for key, value in settings.items())
    return printable(f"{name:.40}({told:.200})")


def printable(name: str) -> str:
    """A name without control characters, which would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
