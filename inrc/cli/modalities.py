"""`inrc modalities`: the kinds of files that this installation reads."""

import argparse

from inrc import registry
from inrc.cli import plugins, screen

NAME = "modalities"
HELP = "list the modalities that are installed"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb; a broken modality is a warning on stderr."""
    kinds, broken = plugins.usable(registry.modalities)
    if args.json:
        rows = [
            {
                "name": name,
                "suffixes": list(kind.suffixes),
                "unit": kind.unit,
                **plugins.origin(registry.modalities.plugin(name)),
            }
            for name, kind in kinds.items()
        ]
        screen.say_json({"modalities": rows, "broken": broken})
        return 0
    for name, kind in kinds.items():
        plugin = registry.modalities.plugin(name)
        print(f"{name:<8} {' '.join(kind.suffixes)}  bits per {kind.unit}  ({plugin})")
    return 0
