"""`inrc verify`: check that a `.inrc` file is as it was written."""

import argparse
from pathlib import Path

from inrc.cli import info, models, screen
from inrc.errors import ContainerError

NAME = "verify"
HELP = "check that a .inrc file is undamaged; with -m, or if it needs no model, that it decodes"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a .inrc file")
    parser.add_argument("-m", dest="model", type=Path, help="decode everything with this model")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises ContainerError if the file is damaged, ModelError if the model is not its own.
    """
    seen, size = info.open_archive(args.file)
    decoded = args.model is not None or seen.card is not None
    if decoded:
        from inrc import codec

        try:
            model = models.model_for(seen, args.model)
            codec.open_archive(args.file.read_bytes(), model)
        except ContainerError as error:
            raise ContainerError(f"{args.file}: {error}") from error
    if args.json:
        facts = info.describe(seen, size)
        screen.say_json({"file": str(args.file), "sound": True, "decoded": decoded, **facts})
    else:
        checked = "checksum, structure" + (", every symbol" if decoded else "")
        print(f"{args.file}: sound ({checked})")
    return 0
