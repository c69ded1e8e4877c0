"""`inrc evaluate`: a model and baselines on the same files."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.cli import inputs, screen
from inrc.errors import SignalError, UsageError

if TYPE_CHECKING:
    from inrc.model import Model

NAME = "evaluate"
HELP = "measure rate, quality and time of a model and baselines on the same files"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    inputs.add_with_model(parser)
    parser.add_argument(
        "-o", dest="output", type=Path, required=True, metavar="OUT",
        help="results, JSON lines; existing results are kept and not measured again",
    )  # fmt: skip
    parser.add_argument("-q", dest="qualities", default="all", help="quality levels: all, or 0,2,3")
    parser.add_argument(
        "--baselines", default="none", metavar="NAMES",
        help="ordinary codecs: none, auto (all there are), or names, a,b",
    )  # fmt: skip
    parser.add_argument(
        "--train", nargs="+", type=Path, metavar="IN", default=[],
        help="learn PCA anew from these files (training has done so from its own)",
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=3, help="warm runs for the median time")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds that a trial may take")
    parser.add_argument("--jobs", type=int, default=1, help="processes; times suffer from more")
    screen.add_max_memory(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> int:
    """Run the verb; 1 if any trial failed.

    Raises InrcError for what cannot be begun.
    """
    if args.jobs < 1 or args.limit <= 0 or args.repeats < 0:
        raise UsageError("--jobs and --limit must be positive, --repeats must not be negative")
    limit = screen.max_memory(args)

    from inrc.evaluation.evaluate import Plan, evaluate
    from inrc.evaluation.results import distinct
    from inrc.model import Model

    model = Model.load(args.model)
    files, copies = distinct(inputs.files_in(args.inputs, model.modality))
    for copy, original in copies.items():
        screen.complain(f"{copy}: left out; its content is that of {original}")
    if args.train:
        _learn(inputs.files_in(args.train, model.modality), args.model, model)
    names = {"none": []}.get(args.baselines, args.baselines.split(","))
    if names == ["auto"]:
        names = _all(args.model, model)
    qualities = _qualities(args.qualities, model.num_qualities)
    plan = Plan(files, args.model, qualities, names, args.repeats, args.limit, args.jobs, limit)
    failed = 0
    with screen.progress("trials", args.quiet) as report:
        for number, row in enumerate(evaluate(plan, args.output), 1):
            if row.error is not None:
                failed += 1
                where = f"{Path(row.file).name}, {row.codec} at {row.setting:g}"
                screen.complain(f"{where}: {row.error}")
            report(number, max(number, len(files) * (len(qualities) + len(names))))
    if not args.quiet:
        print(f"{args.output}: results of {len(files)} file(s)", file=sys.stderr)
        print(f"next:  inrc plot {args.output} -o rd.png", file=sys.stderr)
    return 1 if failed else 0


def _all(path: Path, model: "Model") -> list[str]:
    """Every codec that is installed; the others are named on stderr, with what brings them."""
    from inrc.evaluation.baselines import baselines, missing

    names = []
    for name, codec in baselines(path, model).items():
        reason = missing(codec)
        if reason is None:
            names.append(name)
        else:
            screen.complain(f"left out: {reason}")
    return names


def _learn(files: list[Path], path: Path, model: "Model") -> None:
    from inrc.data import read_rows
    from inrc.evaluation import linear

    pca = linear.learn(read_rows(model.modality, files), model.modality, files[0])
    if pca is None:
        raise SignalError(f"{files[0]}: PCA needs files on one grid; omit --train")
    linear.save(pca, linear.beside(path))


def _qualities(text: str, count: int) -> list[int]:
    if text == "all":
        return list(range(count))
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"-q {text}: not a list of quality levels; use all, or 0,2,3") from None
