"""`inrc decompress`: a `.inrc` file to native files, as they were or in another view."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.cli import info, models, screen
from inrc.container import Item, unpack_archive
from inrc.errors import ContainerError, InrcError, MemoryLimitError, UsageError

if TYPE_CHECKING:
    from inrc.signal import Modality

NAME = "decompress"
HELP = "decode a .inrc file to native files"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a .inrc file")
    parser.add_argument("-o", dest="output", type=Path, metavar="OUT", help="file, or folder")
    parser.add_argument("-m", dest="model", type=Path, help=f"model (else from {models.SEARCH})")
    parser.add_argument("--scale", type=float, help="multiply the points along every axis")
    parser.add_argument("--region", help="decode a part: lat=30:60,lon=0:40")
    parser.add_argument("--at", type=Path, metavar="OTHER", help="decode at the points of OTHER")
    parser.add_argument("-f", dest="force", action="store_true", help="overwrite OUT")
    screen.add_max_memory(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def region(text: str) -> tuple[tuple[str, float, float], ...]:
    """Read "lat=30:60,lon=0:40".

    Raises UsageError if it is not written like that.
    """
    cuts = []
    for piece in text.split(","):
        axis, _, span = piece.partition("=")
        low, _, high = span.partition(":")
        try:
            bounds = float(low), float(high)
        except ValueError:
            bounds = (math.nan, math.nan)
        if not axis.strip() or not all(map(math.isfinite, bounds)):
            raise UsageError(f"--region {text!r}: write it like lat=30:60,lon=0:40")
        cuts.append((axis.strip(), *bounds))
    if len({axis for axis, _, _ in cuts}) != len(cuts):
        raise UsageError(f"--region {text!r}: an axis is named twice")
    return tuple(cuts)


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises:
        InrcError: the file is corrupt, its model is missing, it takes more than --max-memory, or
            the output cannot be written.
    """
    cut = () if args.region is None else region(args.region)
    if args.scale is not None and not 0 < args.scale < math.inf:
        raise UsageError(f"--scale {args.scale}: give a number above 0")
    limit = screen.max_memory(args)
    if args.at is not None and not args.at.exists():
        raise InrcError(f"{args.at}: no such file")
    seen, _ = info.open_archive(args.file)

    from inrc import codec
    from inrc.signal import View

    try:
        model = models.model_for(seen, args.model, limit)
    except (ContainerError, MemoryLimitError) as error:
        raise type(error)(f"{args.file}: {error}") from error
    view = View(args.scale, cut, args.at)
    data = args.file.read_bytes()
    try:
        suffix = suffix_of(unpack_archive(data, model.default).items[0], model.modality)
        output = output_for(args.file, args.output, len(seen.entries), suffix)
        if len(seen.entries) == 1:
            codec.check_output(output, model.modality, args.force)
        with screen.progress("decompressing", args.json or args.quiet) as report:
            written = codec.decompress(data, model, output, view, args.force, report, limit)
    except (ContainerError, MemoryLimitError) as error:
        raise type(error)(f"{args.file}: {error}") from error
    if args.quiet:
        return 0
    if args.json:
        screen.say_json({"file": str(args.file), "output": [str(path) for path in written]})
    else:
        for path in written:
            print(f"{args.file.name} → {info.printable(str(path))}  {path.stat().st_size:,} bytes")
    return 0


def suffix_of(item: Item, modality: "Modality") -> str:
    """The suffix of an item's name, `.nii.gz` as a whole; otherwise that of its meta."""
    suffix = modality.ending(item.name).lower()
    return suffix if suffix in modality.suffixes else modality.suffix(item.meta)


def output_for(file: Path, output: Path | None, items: int, suffix: str) -> Path:
    """Name the output: beside the .inrc file and named like it, unless told.

    Many items go to a folder, one to a native file; that may be put into a folder that exists.
    """
    if items > 1:
        return output or file.with_suffix("")
    native = file.with_suffix(suffix)
    if output is None:
        return native
    return output / native.name if output.is_dir() else output
