"""`inrc plot`: results as rate-distortion curves."""

import argparse
from pathlib import Path

from inrc.cli import screen
from inrc.files import atomic_write, check_writable

NAME = "plot"
HELP = "draw rate-distortion curves of results"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("rows", type=Path, metavar="ROWS", help="results of `inrc evaluate`")
    parser.add_argument(
        "-o", dest="output", type=Path, required=True, metavar="OUT",
        help=".png, .svg or .pdf; .html for a report, see `inrc report`",
    )  # fmt: skip
    parser.add_argument("--measure", default="psnr", help="measure of quality (default: psnr)")
    parser.add_argument(
        "--pictures", type=Path, metavar="MODEL",
        help="draw one file decoded by this model and by baselines, instead of curves",
    )  # fmt: skip
    parser.add_argument("--published", metavar="DATA", help="add published results of a data set")
    parser.add_argument("--linear", action="store_true", help="use a linear axis for rates")
    parser.add_argument("-f", dest="force", action="store_true", help="overwrite OUT")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises InrcError for results that cannot be drawn.
    """
    check_writable(args.output, args.force)
    if args.output.suffix.lower() == ".html":
        from inrc.cli import report

        return report.write(
            args.rows, args.output, args.published, args.force, args.measure, args.pictures
        )

    from inrc.evaluation import curves, load
    from inrc.evaluation.figure import draw, save
    from inrc.evaluation.published import published
    from inrc.evaluation.results import comparable

    rows = comparable(load(args.rows), str(args.rows))
    papers = published(args.published) if args.published else ()
    if args.pictures is not None:
        from inrc.evaluation.gallery import gallery

        with atomic_write(args.output, args.force) as part:
            save(gallery(rows, args.pictures, args.measure), part)
        print(f"{args.output}: one file, decoded")
        return 0
    figure = draw(curves(rows), args.measure, papers, log=not args.linear)
    with atomic_write(args.output, args.force) as part:
        save(figure, part)
    for paper in papers:
        screen.complain(f"{paper.method}: {paper.source}")
    print(f"{args.output}: {args.measure} of {len({row.file_id for row in rows})} file(s)")
    return 0
