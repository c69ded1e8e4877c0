"""`inrc methods`: the kinds of networks that this installation trains and decodes."""

import argparse
import inspect

from inrc import registry
from inrc.cli import plugins, screen

NAME = "methods"
HELP = "list the methods that are installed"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb; a broken method is a warning on stderr."""
    kinds, broken = plugins.usable(registry.methods)
    if args.json:
        rows = [
            {
                "name": name,
                "trained": kind.learns,
                "purpose": _purpose(kind),
                **plugins.origin(registry.methods.plugin(name)),
            }
            for name, kind in kinds.items()
        ]
        screen.say_json({"methods": rows, "broken": broken})
        return 0
    for name, kind in kinds.items():
        how = "trained" if kind.learns else "no model"
        print(f"{name:<8} {how:<8}  {_purpose(kind)}  ({registry.methods.plugin(name)})")
    return 0


def _purpose(kind: type) -> str:
    """The first line of the class's own docstring; dataclasses without one have their signature."""
    return (inspect.cleandoc(kind.__doc__ or "").splitlines() or [""])[0]
