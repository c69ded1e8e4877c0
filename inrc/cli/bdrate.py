"""`inrc bdrate`: Bjontegaard deltas of every codec against an anchor."""

import argparse
from pathlib import Path

from inrc.cli import screen
from inrc.errors import SignalError, UsageError

NAME = "bdrate"
HELP = "print Bjontegaard deltas in rate and quality against one codec"

ROW = "{:<24} {:>10} {:>20} {:>10} {:>9}  {}"


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("rows", type=Path, metavar="ROWS", help="results of `inrc evaluate`")
    parser.add_argument("--anchor", required=True, metavar="CODEC", help="codec to compare with")
    parser.add_argument("--measure", default="psnr", help="measure of quality (default: psnr)")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb; 1 if no codec could be compared.

    Raises InrcError for results that cannot be compared.
    """
    from inrc.evaluation import load
    from inrc.evaluation.compare import compare
    from inrc.evaluation.results import comparable

    rows = comparable(load(args.rows), str(args.rows))
    names = list(dict.fromkeys(row.codec for row in rows))
    if _plain(args.anchor) not in {_plain(name) for name in names}:
        raise UsageError(f"{args.rows}: no codec {args.anchor!r}; use one of {', '.join(names)}")
    (anchor,) = [name for name in names if _plain(name) == _plain(args.anchor)][:1]
    deltas = compare(rows, anchor, args.measure)
    if args.json:
        screen.say_json({"anchor": anchor, "measure": args.measure, "codecs": deltas})
    else:
        files = len({row.file_id for row in rows})
        print(
            f"against {anchor}: log rate over {args.measure}, PCHIP; mean curves of {files} ",
            end="",
        )
        print("file(s), 95 % bootstrap interval of the deltas of single files")
        print(ROW.format("codec", "BD-rate %", "interval", f"BD-{args.measure}", "overlap", ""))
        for each in deltas:
            print(_line(each))
    if all(each["why"] is not None for each in deltas):
        raise SignalError(f"{args.rows}: no codec can be compared with {anchor}; see above")
    return 0


def _line(each: dict[str, object]) -> str:
    if each["why"] is not None:
        return ROW.format(str(each["codec"]), "-", "-", "-", "-", each["why"])
    interval = each["interval"]
    gain = each["bd_quality"]
    between = f"{interval[0]:+.1f} to {interval[1]:+.1f}" if isinstance(interval, list) else "-"
    return ROW.format(
        str(each["codec"]), f"{each['bd_rate']:+.1f}", between,
        "-" if gain is None else f"{gain:+.2f}",
        f"{each['overlap']:.0%}", f"{each['files']} of {each['shared']} files",
    )  # fmt: skip


def _plain(name: str) -> str:
    """A name in lower case without spaces and signs: jpeg2000 for JPEG 2000."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
