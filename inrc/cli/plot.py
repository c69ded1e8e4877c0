"""`inrc plot`: rows of results as rate-distortion curves."""

import argparse
from pathlib import Path

from inrc.cli import screen
from inrc.files import atomic_write, check_writable

NAME = "plot"
HELP = "draw rate-distortion curves of evaluated codecs"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("rows", type=Path, metavar="ROWS", help="what `inrc evaluate` wrote")
    parser.add_argument(
        "-o", dest="output", type=Path, required=True, metavar="OUT",
        help=".png, .svg, .pdf, or .html for a page with all there is to see",
    )  # fmt: skip
    parser.add_argument("--measure", default="psnr", help="what the curves show")
    parser.add_argument(
        "--pictures", type=Path, metavar="MODEL",
        help="instead of curves, a file as this model and others decode it, with the errors",
    )  # fmt: skip
    parser.add_argument("--published", metavar="DATA", help="add a data set's published points")
    parser.add_argument("--linear", action="store_true", help="rates on a linear axis")
    parser.add_argument("-f", dest="force", action="store_true", help="overwrite OUT")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises InrcError for rows that cannot be drawn.
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
    from inrc.evaluation.rows import sound

    rows = sound(load(args.rows), str(args.rows))
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
