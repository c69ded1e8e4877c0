"""`inrc verify`: check that a `.inrc` file is intact."""

import argparse
from pathlib import Path

from inrc.cli import info, models, screen
from inrc.errors import ContainerError, MemoryLimitError

NAME = "verify"
HELP = "check that a .inrc file is intact, and with its model that it decodes"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a .inrc file")
    parser.add_argument("-m", dest="model", type=Path, help="decode everything with this model")
    screen.add_max_memory(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises:
        ContainerError: the file is corrupt.
        MemoryLimitError: it takes more than --max-memory.
        ModelError: the model is not the one that the file needs.
    """
    limit = screen.max_memory(args)
    seen, size = info.open_archive(args.file)
    decoded = args.model is not None or seen.card is not None
    if decoded:
        from inrc import codec

        try:
            model = models.model_for(seen, args.model, limit)
            codec.open_archive(args.file.read_bytes(), model, limit)
        except (ContainerError, MemoryLimitError) as error:
            raise type(error)(f"{args.file}: {error}") from error
    if args.json:
        facts = info.describe(seen, size)
        screen.say_json({"file": str(args.file), "sound": True, "decoded": decoded, **facts})
    else:
        checked = "checksum, structure" + (", every symbol" if decoded else "")
        print(f"{args.file}: intact ({checked})")
    return 0
