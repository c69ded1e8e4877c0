"""`inrc report`: a self-contained page of results."""

import argparse
import tempfile
from pathlib import Path

from inrc.files import atomic_write, check_writable

NAME = "report"
HELP = "write an HTML page with tables, curves and pictures of results"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("rows", type=Path, metavar="ROWS", help="results of `inrc evaluate`")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="the page, .html")
    parser.add_argument("-m", dest="model", type=Path, help="model, to show decoded files")
    parser.add_argument("--measure", default="psnr", help="measure of quality (default: psnr)")
    parser.add_argument("--published", metavar="DATA", help="add published results of a data set")
    parser.add_argument("-f", dest="force", action="store_true", help="overwrite the page")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises InrcError for results that cannot be shown.
    """
    return write(args.rows, args.output, args.published, args.force, args.measure, args.model)


def write(
    source: Path,
    output: Path,
    dataset: str | None,
    force: bool,
    measure: str = "psnr",
    model: Path | None = None,
) -> int:
    """Write the page; with a model, also files decoded by it and by baselines.

    Raises InrcError for results that cannot be shown.
    """
    check_writable(output, force)
    from inrc.evaluation import load
    from inrc.evaluation.published import published
    from inrc.evaluation.report import page
    from inrc.evaluation.results import comparable

    rows = comparable(load(source), str(source))
    papers = published(dataset) if dataset else ()
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        if model is not None:
            from inrc.evaluation.figure import save
            from inrc.evaluation.gallery import gallery
            from inrc.evaluation.pictures import decoded

            pictures = decoded(rows, model, measure, Path(folder))
            if pictures:
                pictures.insert(0, Path(folder) / "one_file_at_about_the_same_rate.png")
                save(gallery(rows, model, measure), pictures[0])
        text = page(rows, measure, papers, pictures)
    with atomic_write(output, force) as part:
        part.write_text(text, encoding="utf-8")
    print(f"{output}: {len(rows)} rows")
    return 0
