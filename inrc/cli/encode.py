"""`inrc encode`: the latents of files as arrays, for other programs."""

import argparse
from pathlib import Path

from inrc.cli import inputs, screen
from inrc.errors import InrcError, UsageError
from inrc.files import atomic_write, check_writable

NAME = "encode"
HELP = "write the latents of files as arrays"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    inputs.add_with_model(parser)
    parser.add_argument(
        "--latents", dest="output", type=Path, required=True, metavar="OUT",
        help="an .npz file: latents (parts by size), owner (number of the file of each), names",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, help="steps of the search for the latents")
    parser.add_argument("-f", dest="force", action="store_true", help="overwrite OUT")
    screen.add_max_memory(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> int:
    """Run the verb; 1 if a file could not be read, the others are encoded.

    Raises:
        InrcError: no file could be read, or the output cannot be written.
    """
    if args.output.suffix.lower() != ".npz":
        raise UsageError(f"{args.output}: is not an .npz file; name one with --latents")
    check_writable(args.output, args.force)
    limit = screen.max_memory(args)

    import numpy as np

    from inrc import codec
    from inrc.model import Model

    model = Model.load(args.model)
    paths = inputs.files_in(args.inputs, model.modality)
    names: list[str] = []
    owners: list[int] = []
    rows = []
    bad = 0
    with screen.progress("encoding", args.quiet) as report:
        for done, path in enumerate(paths, 1):
            try:
                (latents,) = codec.latents([path], model, args.steps, limit)
            except InrcError as error:
                bad += 1
                screen.complain(str(error))
                continue
            owners += [len(names)] * len(latents)
            names.append(str(path))
            rows.append(latents.numpy())
            report(done, len(paths))
    if not rows:
        raise InrcError(f"{args.output}: not written, as no file could be encoded")
    whole_array = np.concatenate(rows)
    with atomic_write(args.output, args.force) as part:
        np.savez(part, latents=whole_array, owner=np.array(owners), names=np.array(names))
    if not args.quiet:
        print(f"{args.output}: {whole_array.shape[0]} latents of {whole_array.shape[1]}")
    return 1 if bad else 0
