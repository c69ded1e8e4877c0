"""`inrc modalities`: the kinds of files that this installation reads."""

import argparse
from typing import Any

from inrc import registry
from inrc.cli import screen
from inrc.errors import RegistryError

NAME = "modalities"
HELP = "list the modalities that are installed"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb; a broken modality is a warning on stderr."""
    rows: list[dict[str, Any]] = []
    broken: list[dict[str, str]] = []
    for name in registry.names():
        try:
            kind = registry.find(name)
        except RegistryError as error:
            screen.complain(f"warning: {error}")
            broken.append({"name": name, "reason": str(error)})
            continue
        [plugin] = [plugin for plugin in registry.installed() if plugin.name == name]
        rows.append(
            {
                "name": name,
                "suffixes": list(kind.suffixes),
                "unit": kind.unit,
                "class": plugin.target,
                "distribution": plugin.distribution,
                "version": plugin.version,
            }
        )
    if args.json:
        screen.say_json({"modalities": rows, "broken": broken})
        return 0
    for row in rows:
        print(
            f"{row['name']:<8} {' '.join(row['suffixes'])}  bits per {row['unit']}  "
            f"({row['class']} of {row['distribution']} {row['version']})"
        )
    return 0
