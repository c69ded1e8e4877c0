"""`inrc info`: what a `.inrc` file says of itself, at once and without its model."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inrc.cli import screen
from inrc.container import Peek, peek
from inrc.errors import ContainerError

NAME = "info"
HELP = "show what a .inrc file says of itself; needs no model"

_SHOWN = 20  # items; a terminal's height


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a .inrc file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises ContainerError, naming the file, for one that cannot be read.
    """
    seen, size = open_archive(args.file)
    facts = describe(seen, size)
    if args.json:
        screen.say_json({"file": str(args.file), **facts})
        return 0
    model = f"model {facts['model']}" if seen.card is None else "needs no model"
    print(f"{args.file}: .inrc format {facts['format']}, {model}", end="")
    print(f", quality level {facts['quality']}, {size:,} bytes")
    print(f"  header {facts['header_bytes']:,} bytes, payload {facts['payload_bytes']:,} bytes")
    if seen.card is not None:
        print(f"  {_told(seen.card.modality, seen.card.modality_settings)}", end=" by ")
        print(f"{_told(seen.card.method, seen.card.method_settings)}", end="")
        print(f", in {seen.card_size:,} of the header's bytes")
    print(f"  {len(seen.entries)} item{'s' * (len(seen.entries) > 1)}")
    for item in facts["items"][:_SHOWN]:
        parts = "" if item["parts"] is None else f"  {item['parts']} parts"
        print(f"    {printable(item['name']) or '(nameless)'}{parts}")
    if len(seen.entries) > _SHOWN:
        print(f"    and {len(seen.entries) - _SHOWN} more (--json lists all)")
    return 0


def open_archive(path: Path) -> tuple[Peek, int]:
    """Read a `.inrc` file as far as that needs no model, and its size in bytes.

    Raises ContainerError, naming the file, for one that cannot be read; OSError if it is missing.
    """
    data = path.read_bytes()
    try:
        return peek(data), len(data)
    except ContainerError as error:
        raise ContainerError(f"{path}: {error}") from error


def describe(seen: Peek, size: int) -> dict[str, Any]:
    """Plain facts; `parts` is None where the model or the item before says how many there are."""
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
    """As in image(patch=None, channels=3), at most a line of it."""
    told = ", ".join(f"{key}={value!r:.60}" for key, value in settings.items())
    return printable(f"{name:.40}({told:.200})")


def printable(name: str) -> str:
    """Write a name so that it cannot steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
