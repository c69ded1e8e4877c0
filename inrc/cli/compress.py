"""`inrc compress`: native files to one `.inrc` file."""

import argparse
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inrc.cli import inputs, renaming, screen, untrained
from inrc.errors import InrcError, UsageError, one_line
from inrc.files import atomic_write, check_writable

if TYPE_CHECKING:
    from inrc.codec import Compressed
    from inrc.model import Model

NAME = "compress"
HELP = "compress native files with a codec model"

_PACKERS = (".gz", ".bz2", ".xz", ".zst")  # second suffixes of files that are compressed already


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    inputs.add(parser)
    parser.add_argument("-o", dest="output", type=Path, metavar="OUT", help="the .inrc file")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("-m", dest="model", type=Path, help="codec.safetensors")
    how.add_argument("--method", metavar="NAME", help="coin: a network for each file, no model")
    parser.add_argument("-q", dest="quality", type=int, help="quality level, 0 the lowest")
    parser.add_argument("--effort", type=int, metavar="1..9", help="time to search (default: 5)")
    parser.add_argument("--steps", type=int, help="steps of the search for the latents")
    parser.add_argument("-f", dest="force", action="store_true", help="overwrite OUT")
    screen.add_max_memory(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="print nothing, measure nothing")
    renaming.add(parser)
    untrained.add(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 1 if a file could not be compressed, the others are in the archive.

    Raises:
        InrcError: no file could be compressed, the archive would be larger than a lossless coding
            of the values, or it cannot be written.
    """
    start = time.monotonic()
    output = output_for(args.inputs, args.output)
    limit = _check(args, output)

    from inrc import codec
    from inrc.model import Model

    effort = codec.EFFORT if args.effort is None else args.effort
    model = untrained.model(args) if args.model is None else Model.load(args.model)
    if args.quality is not None and not 0 <= args.quality < model.num_qualities:
        raise UsageError(
            f"-q {args.quality}: this model has quality levels 0 to {model.num_qualities - 1}"
        )
    model = renaming.renamed(model, args.rename)
    paths = inputs.files_in(args.inputs, model.modality)
    with screen.progress("compressing", args.quiet) as report:
        made = codec.compress(paths, model, args.quality, args.steps, report, effort, limit, True)
    for path, reason in made.failed:
        screen.complain(reason if str(path) in reason else f"{path}: {reason}")
    bad = {path for path, _ in made.failed}
    good = [path for path in paths if path not in bad]
    warnings = made.warnings + codec.check_growth(made, model, str(output))
    with atomic_write(output, args.force) as part:
        part.write_bytes(made.data)
    facts = {"output": str(output), **_facts(good, made, model)}
    if not args.quiet:
        measures, more = _measures(good, made, model, output, limit)
        facts |= {"measures": measures, "losses": _losses(good, model)}
        warnings += more
    for line in warnings:
        screen.complain(f"warning: {line}")
    if not args.quiet:
        facts |= {"warnings": warnings, "seconds": time.monotonic() - start}
        if args.json:
            failed = [{"file": str(path), "reason": reason} for path, reason in made.failed]
            screen.say_json({**facts, "failed": failed})
        else:
            for line in loss_lines(facts["losses"]):
                screen.complain(line)
            print(summary(facts, output))
    return 1 if bad else 0


def output_for(paths: list[Path], output: Path | None) -> Path:
    """Name the .inrc file: beside its only input and named like it, unless told.

    Raises UsageError if there are several inputs and no name.
    """
    if output is not None:
        return output
    if len(paths) > 1:
        raise UsageError("several inputs: name the .inrc file with -o")
    path = paths[0].resolve() if paths[0].name in ("", "..") else paths[0]
    if path.is_dir():
        return path.with_name(f"{path.name}.inrc")
    if path.suffix.lower() in _PACKERS:
        path = path.with_suffix("")
    return path.with_suffix(".inrc")


def _check(args: argparse.Namespace, output: Path) -> int | None:
    """Refuse what cannot work before anything is imported or read; the limit of memory."""
    for path in args.inputs:
        if not path.exists():
            raise InrcError(f"{path}: no such file or folder")
        if output.exists() and path.samefile(output):
            raise UsageError(f"{path}: cannot be input and output")
    check_writable(output, args.force)
    untrained.refuse(args)
    if args.effort is not None and not 1 <= args.effort <= 9:
        raise UsageError(f"--effort {args.effort}: give 1 (fast) to 9 (thorough)")
    if args.steps is not None and args.steps < 1:
        raise UsageError(f"--steps {args.steps}: give at least 1")
    return screen.max_memory(args)


def _facts(good: list[Path], made: "Compressed", model: "Model") -> dict[str, Any]:
    return {
        "input": [str(path) for path in good],
        "bytes": len(made.data),
        "lossless_bytes": made.lossless,
        "rate": 8 * len(made.data) / made.observations,
        "unit": f"bits/{model.modality.unit}",
    }


def _measures(
    good: list[Path], made: "Compressed", model: "Model", output: Path, limit: int | None
) -> tuple[dict[str, float] | None, list[str]]:
    """Quality of the decoded files, and warnings; a failure does not undo what is written."""
    from inrc import codec

    try:
        measures = codec.measure(good, made.data, model, limit)
    except (InrcError, OSError) as error:
        return None, [f"{output}: is written, but its quality was not measured: {one_line(error)}"]
    return measures, codec.error_warning(measures["psnr"], made.quality, model, str(output))


def _losses(good: list[Path], model: "Model") -> dict[str, list[str]]:
    """What every file loses; a failure does not undo what is written."""
    losses = {}
    for path in good:
        with suppress(InrcError, OSError):
            losses[str(path)] = model.modality.losses(path)
    return {path: lost for path, lost in losses.items() if lost}


def loss_lines(losses: Mapping[str, list[str]]) -> list[str]:
    """One line of what files lose: those of one file, or those of all together."""
    if not losses:
        return []
    kinds = list(dict.fromkeys(kind for lost in losses.values() for kind in lost))
    name = next(iter(losses)) if len(losses) == 1 else f"{len(losses)} files"
    return [f"{name}: not kept: {', '.join(kinds)}"]


def summary(facts: Mapping[str, Any], output: Path) -> str:
    """One line: names, size, rate, quality and time."""
    names = facts["input"]
    name = Path(names[0]).name if len(names) == 1 else f"{len(names)} files"
    quality = [] if facts["measures"] is None else [f"PSNR {facts['measures']['psnr']:.1f} dB"]
    return "  ".join(
        (
            f"{name} → {output.name}",
            f"{facts['bytes']:,} bytes",
            f"{facts['rate']:.3g} {facts['unit']}",
            *quality,
            f"{facts['seconds']:.1f} s",
        )
    )
