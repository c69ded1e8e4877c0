"""Rate and error of baselines and of EOFs on fields of a NetCDF file.

python -m benchmarks.climate FILE --hold number=8,9 --json OUT

Slices along one dimension are held out; errors are in the variables' own units, pooled over
all held-out slices, no grid point counting more than another. The 2-D slices of a variable are the
two last dimensions; JPEG 2000, zfp and SZ3 code each on its own. EOFs (principal components of the
other slices, of all variables jointly) are coded as one stream for all held-out slices; the
components, like the weights of a trained model, are not counted.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import linear
from benchmarks.baselines import CODECS, as_rows, between, match, save
from benchmarks.climate_fields import Array, Split, read
from inrc import metrics
from inrc.errors import InrcError, SignalError


def ordinary(split: Split, targets: dict[str, float]) -> list[dict[str, object]]:
    """What each codec needs so that each variable has its target error."""
    return [
        {"variable": name, **row}
        for name, target in targets.items()
        for row in as_rows(
            [match(codec, list(_slices(split.test[name])), target) for codec in CODECS]
        )
    ]


def eofs(
    split: Split, levels_as_channels: bool, many: Sequence[int], steps: Sequence[float]
) -> list[dict[str, Any]]:
    """Bytes and errors of EOFs for every number of components and step.

    Channels are scaled to [0, 1] over the training slices, so that one step serves all. With
    `levels_as_channels` a row is all variables on all levels, else all variables on one level.
    """
    names = list(split.train)
    arranged = [
        np.stack([part[name] for name in names], axis=1)  # N V L H W
        for part in (split.train, split.test)
    ]
    if not levels_as_channels:
        arranged = [
            np.moveaxis(a, 2, 1).reshape(-1, len(names), 1, *a.shape[-2:]) for a in arranged
        ]
    train, test = arranged
    low = train.min((0, 3, 4), keepdims=True)
    width = np.maximum(train.max((0, 3, 4), keepdims=True) - low, 1e-12)
    rows = [((a - low) / width).reshape(len(a), -1) for a in (train, test)]
    points = []
    for coded in linear.sweep(*rows, many, steps):
        decoded = coded.rows.reshape(test.shape) * width + low
        errors = {name: metrics.rmse(test[:, i], decoded[:, i]) for i, name in enumerate(names)}
        points.append(
            {
                "components": coded.components,
                "step": coded.step,
                "bytes": coded.bytes,
                "psnr": metrics.psnr(rows[1], coded.rows, 1.0),
                "rmse": errors,
            }
        )
    return points


def eof_bytes(points: Sequence[dict[str, Any]], targets: dict[str, float]) -> float:
    """Bytes for all variables together at which every target is met; NaN if none meets them.

    Between the points that no other beats, linear in log(bytes) and log(error).
    """
    needed = []
    for name, target in targets.items():
        ordered = sorted(points, key=lambda point: (point["bytes"], point["rmse"][name]))
        errors: list[float] = []
        sizes: list[float] = []
        for point in ordered:
            if not errors or point["rmse"][name] < errors[-1]:
                errors.append(point["rmse"][name])
                sizes.append(point["bytes"])
        # a target that the smallest stream more than meets needs no more than that
        needed.append(sizes[0] if target >= errors[0] else between(errors, sizes, target))
    return float(np.max(needed))


def compare(
    split: Split, points: Sequence[dict[str, Any]], targets: dict[str, float]
) -> dict[str, Any]:
    """All codecs at the same errors; bytes of all variables together for each."""
    rows = ordinary(split, targets)
    totals: dict[str, float] = {"eof": eof_bytes(points, targets)}
    for row in rows:
        totals[str(row["codec"])] = totals.get(str(row["codec"]), 0.0) + float(str(row["bytes"]))
    fields = next(iter(split.test.values()))
    globes = fields.shape[0] * fields.shape[2] * fields.shape[3]
    return {
        "targets": targets,
        "bytes": totals,
        "bits_per_grid_point": {name: 8 * size / globes for name, size in totals.items()},
        "ordinary": rows,
    }


def _slices(fields: Array) -> Array:
    return fields.reshape(-1, *fields.shape[-2:])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 after an error of the input."""
    parser = argparse.ArgumentParser(prog="benchmarks.climate", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="NetCDF file")
    parser.add_argument(
        "--hold",
        required=True,
        metavar="DIM=A,B|DIM=A:B",
        help="dimension and positions along it to hold out",
    )
    parser.add_argument("--level", metavar="DIM", help="vertical dimension, if there is one")
    parser.add_argument(
        "--rows", choices=("channels", "levels"), default="channels",
        help="levels are channels of one row, or rows of their own (EOFs)",
    )  # fmt: skip
    parser.add_argument(
        "--target", action="append", default=[], metavar="VAR=RMSE,VAR=RMSE",
        help="errors to compare at; may be repeated; default: 34 to 60 dB",
    )  # fmt: skip
    parser.add_argument(
        "--components", type=_numbers(int), default=[2, 4, 8, 15, 31, 63], metavar="K,K"
    )
    parser.add_argument(
        "--steps", type=_numbers(float), metavar="S,S",
        default=[2.0**-i for i in range(10)],
        help="quantisation steps of a coefficient of channels in [0, 1]",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    args = parser.parse_args(argv)
    try:
        dimension, _, held = args.hold.partition("=")
        split = read(args.file, dimension, _positions(held), args.level)
        points = eofs(split, args.rows == "channels", args.components, args.steps)
        targets = [_targets(each, split) for each in args.target] or _spread(split)
        compared = [compare(split, points, each) for each in targets]
    except (InrcError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    save({"rows": args.rows, "eofs": points, "compared": compared}, args.json)
    for each in compared:
        print(
            ", ".join(f"{name} {value:.4g}" for name, value in each["targets"].items()), ":",
            ", ".join(f"{name} {size:.0f} B" for name, size in each["bytes"].items()),
        )  # fmt: skip
    return 0


def _spread(split: Split) -> list[dict[str, float]]:
    """2 % to 0.1 % of what each variable ranges over on a level."""
    ranges = {
        name: float(np.mean(np.ptp(np.moveaxis(fields, 1, 0).reshape(fields.shape[1], -1), 1)))
        for name, fields in split.train.items()
    }
    return [
        {name: share * width for name, width in ranges.items()}
        for share in (0.02, 0.01, 0.005, 0.0025, 0.001)
    ]


def _positions(text: str) -> list[int]:
    """The numbers of "8,9" or "90:110"."""
    first, colon, last = text.partition(":")
    return list(range(int(first), int(last))) if colon else _numbers(int)(text)


def _targets(text: str, split: Split) -> dict[str, float]:
    pairs = [each.partition("=") for each in text.split(",")]
    targets = {name: float(value) for name, _, value in pairs}
    if set(targets) != set(split.test):
        raise SignalError(f"--target {text}: name each of {', '.join(split.test)} once")
    return targets


def _numbers(kind: type) -> Any:
    def numbers(text: str) -> list[Any]:
        return [kind(each) for each in text.split(",")]

    return numbers


if __name__ == "__main__":
    sys.exit(main())
