"""`inrc compress`: native files to one `.inrc` file."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inrc import registry
from inrc.cli import methods, screen
from inrc.errors import InrcError, UsageError
from inrc.files import atomic_write, check_writable

if TYPE_CHECKING:
    from inrc.model import Model
    from inrc.signal import Modality

NAME = "compress"
HELP = "compress native files with a codec model"

_PACKERS = (".gz", ".bz2", ".xz", ".zst")  # second suffixes of files that are packed as a whole


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="files or folders")
    parser.add_argument("-o", dest="output", type=Path, metavar="OUT", help="the .inrc file")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("-m", dest="model", type=Path, help="codec.safetensors")
    how.add_argument("--method", metavar="NAME", help="coin: a network for each file, no model")
    parser.add_argument(
        "-q", dest="quality", type=int, help="quality level of the model's quality levels"
    )
    parser.add_argument("--effort", type=int, metavar="1..9", help="time to search, 5 unless told")
    parser.add_argument("--steps", type=int, help="steps of the search for the latents")
    parser.add_argument("-f", dest="force", action="store_true", help="overwrite OUT")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="print nothing, measure nothing")
    methods.add(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb; 1 if any of the files could not be compressed, the others are kept.

    Raises InrcError if no file could be, or nothing can be written.
    """
    start = time.monotonic()
    output = output_for(args.inputs, args.output)
    for path in args.inputs:
        if not path.exists():
            raise InrcError(f"{path}: no such file or folder")
        if output.exists() and path.samefile(output):
            raise UsageError(f"{path}: cannot be input and output")
    check_writable(output, args.force)
    methods.refuse(args)
    if args.effort is not None and not 1 <= args.effort <= 9:
        raise UsageError(f"--effort {args.effort}: give 1 (fast) to 9 (thorough)")
    if args.steps is not None and args.steps < 1:
        raise UsageError(f"--steps {args.steps}: give at least 1")

    from inrc import codec
    from inrc.model import Model

    effort = codec.EFFORT if args.effort is None else args.effort
    model = methods.model(args, files_in) if args.model is None else Model.load(args.model)
    if args.quality is not None and not 0 <= args.quality < model.num_qualities:
        raise UsageError(
            f"-q {args.quality}: this model has quality levels 0 to {model.num_qualities - 1}"
        )
    card = model.card["modality"]
    modality = registry.find(card["name"])(**card["settings"])
    paths = files_in(args.inputs, modality)
    with screen.progress("compressing", args.quiet) as report:
        made = codec.compress(paths, model, args.quality, args.steps, report, effort)
    for path, reason in made.failed:
        screen.complain(reason if str(path) in reason else f"{path}: {reason}")
    bad = {path for path, _ in made.failed}
    good = [path for path in paths if path not in bad]
    if not good:
        raise InrcError(f"{output}: not written, none of the files could be compressed")
    with atomic_write(output, args.force) as part:
        part.write_bytes(made.data)
    if not args.quiet:
        facts = _facts(good, made.data, model, modality)
        facts["seconds"] = time.monotonic() - start
        if args.json:
            failed = [{"file": str(path), "reason": reason} for path, reason in made.failed]
            screen.say_json({"output": str(output), **facts, "failed": failed})
        else:
            print(summary(facts, output))
    return 1 if bad else 0


def output_for(inputs: list[Path], output: Path | None) -> Path:
    """Name the .inrc file: beside its only input and named like it, unless told.

    Raises UsageError if there are several inputs and no name.
    """
    if output is not None:
        return output
    if len(inputs) > 1:
        raise UsageError("several inputs: name the .inrc file with -o")
    path = inputs[0].resolve() if inputs[0].name in ("", "..") else inputs[0]
    if path.is_dir():
        return path.with_name(f"{path.name}.inrc")
    if path.suffix.lower() in _PACKERS:
        path = path.with_suffix("")
    return path.with_suffix(".inrc")


def files_in(inputs: list[Path], modality: "Modality | type[Modality]") -> list[Path]:
    """All native files: those named, and those of a folder that are signals, sorted; none twice."""
    files: list[Path] = []
    for path in inputs:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(
            file for file in path.rglob("*") if modality.accepts(file) and file.is_file()
        )
        if not inside:
            raise InrcError(f"{path}: no files in it end with {' '.join(modality.suffixes)}")
        files += inside
    return list(dict.fromkeys(files))


def _facts(good: list[Path], data: bytes, model: "Model", modality: "Modality") -> dict[str, Any]:
    """Size, rate over all that the native files hold, and quality of the decoded files."""
    from inrc import codec

    units = sum(modality.num_units(modality.read(path).shape) for path in good)
    return {
        "input": [str(path) for path in good],
        "bytes": len(data),
        "rate": 8 * len(data) / units,
        "unit": f"bits/{modality.unit}",
        "measures": codec.measure(good, data, model),
    }


def summary(facts: Mapping[str, Any], output: Path) -> str:
    """One line: what became what, its size, rate and quality, and how long it took."""
    names = facts["input"]
    name = Path(names[0]).name if len(names) == 1 else f"{len(names)} files"
    return "  ".join(
        (
            f"{name} → {output.name}",
            f"{facts['bytes']:,} bytes",
            f"{facts['rate']:.3g} {facts['unit']}",
            f"PSNR {facts['measures']['psnr']:.1f} dB",
            f"{facts['seconds']:.1f} s",
        )
    )
