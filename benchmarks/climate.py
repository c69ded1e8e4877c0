"""Rate and error of ordinary codecs and of EOFs on fields of a NetCDF file.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from benchmarks import linear
from benchmarks.baselines import CODECS, as_rows, between, match, save
from inrc import metrics
from inrc.errors import InrcError, SignalError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    """Training and held-out fields of every variable, N L H W: rows, levels, grid."""

    train: dict[str, Array]
    test: dict[str, Array]


def read(path: Path, hold: str, held: Sequence[int], level: str | None) -> Split:
    """Read all variables of a file that have the held-out dimension, on one grid.

    Args:
        path: a NetCDF file.
        hold: name of the dimension along which slices are held out.
        held: positions along it that are held out, from 0, or from -1 backwards.
        level: name of the vertical dimension; None without one.

    Raises:
        SignalError: no such file, dimension or position, other grids, or missing values.
    """
    try:
        dataset = netCDF4.Dataset(path)
    except OSError as error:
        raise SignalError(f"{path}: cannot be read as NetCDF ({error})") from error
    with dataset:
        if hold not in dataset.dimensions:
            known = ", ".join(dataset.dimensions)
            raise SignalError(f"{path}: no dimension {hold}; there are {known}")
        length = len(dataset.dimensions[hold])
        out = np.isin(np.arange(length), [n if n >= 0 else length + n for n in held])
        if out.sum() != len(held) or out.all():
            raise SignalError(f"{path}: cannot hold {list(held)!s:.40} of {length} {hold} out")
        train, test = {}, {}
        for name, variable in dataset.variables.items():
            if hold in variable.dimensions[:-2]:
                fields = _fields(variable, name, path, hold, level)
                train[name] = fields[~out].reshape(-1, *fields.shape[-3:])
                test[name] = fields[out].reshape(-1, *fields.shape[-3:])
    if len({fields.shape for fields in test.values()}) != 1:
        raise SignalError(f"{path}: the variables along {hold} have none or different shapes")
    return Split(train, test)


def _fields(variable: Any, name: str, path: Path, hold: str, level: str | None) -> Array:
    """Values with the held-out dimension first and the vertical one before the grid."""
    values = np.ma.MaskedArray(variable[:], dtype=np.float32).filled(np.nan)
    if not np.isfinite(values).all():
        raise SignalError(f"{path}: {name} has missing values, which these codecs cannot store")
    lead = list(variable.dimensions[:-2])
    if level is None:
        values, lead = np.expand_dims(values, -3), [*lead, None]
    elif level not in lead:
        raise SignalError(f"{path}: {name} has no dimension {level}; it has {', '.join(lead)}")
    first = lead.index(hold)
    last = lead.index(level)
    others = [i for i in range(len(lead)) if i not in (first, last)]
    moved = values.transpose(first, *others, last, values.ndim - 2, values.ndim - 1)
    return np.ascontiguousarray(moved)


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
