"""All methods side by side on the same files: `python -m benchmarks.methods TASK TRAIN TEST WORK`.

Trains every method in WORK/TASK_METHOD with about the same seconds of one core (a codec that is
there already is used), puts all test files into one archive per quality level, decodes it, and writes
WORK/TASK.json and WORK/TASK.png, with PCA of the same training rows beside them.

Tasks: `cifar10` takes folders of images of 32 by 32 pixels. `era5` takes one NetCDF file of an
ensemble, learns from all members but the last two and writes both parts to the folder TEST.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

from inrc import registry
from inrc.cli.export import measured
from inrc.container import Archive, Item, pack_archive
from inrc.errors import InrcError
from inrc.evaluation import linear
from inrc.evaluation.curves import Curve, Point
from inrc.evaluation.figure import draw, save
from inrc.evaluation.published import published
from inrc.methods import COIN
from inrc.model import Model
from inrc.signal import Modality

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Task:
    """What is trained on, and how: arguments of `inrc fit` for all methods and for each.

    COIN learns nothing before: `sizes` (width, depth) are fitted to the first `ALONE` of the files.
    """

    recipe: str
    words: tuple[str, ...]
    methods: dict[str, tuple[str, ...]]
    files: str
    sizes: tuple[tuple[int, int], ...]
    papers: str | None = None


ALONE = 60
"""Files that COIN fits: a network for each takes a second of a core and more."""


def _of(**words: object) -> tuple[str, ...]:
    """Arguments of a method's class."""
    return tuple(f"--model.method.init_args.{key}={value}" for key, value in words.items())


def _steps(represent: int, compress: int, rate: float) -> tuple[str, ...]:
    return (
        f"--model.represent={represent}", f"--model.compress={compress}", f"--model.lr={rate}",
        "--model.latent_distortion=true",
    )  # fmt: skip


# steps are chosen so that training takes about 400 seconds of one core (era5: 200), measured
TASKS = {
    "cifar10": Task(
        "image",
        (
            "--data.root={train}", "--data.val_root={test}", "--data.patch=null",
            "--data.batch_size=16", "--data.flip=true",
            "--model.observations=512", "--model.inner_observations=256",
        ),
        {
            "coinpp": (*_of(latent_dim=128), *_steps(3600, 1, 5e-4)),
            "functa": (*_of(latent_dim=128, lambdas="[60,200,600,2000]"), *_steps(3300, 200, 5e-4)),
            "vcinr": (*_of(latent_dim=128, lambdas="[60,200,600,2000]"), *_steps(1900, 200, 5e-4)),
            "mscn": _steps(2500, 1, 5e-4),
            "combiner": (
                *_of(betas="[2.0e-5,5.0e-6]", first=60, fit=400, refine=400),
                *_steps(400, 1, 2e-3), "--data.batch_size=64",
            ),
            "basis": (
                *_of(latent_dim=512, basis_size=512, field_hidden=0, bottleneck_hidden=0,
                     lambdas="[30,60,120,250,500,1000]"),
                *_steps(0, 150, 1e-3), "--model.observations=null",
                "--model.inner_observations=null",
            ),
        },
        files="*.png",
        sizes=((4, 2), (7, 3), (10, 3), (9, 5)),
        papers="cifar10",
    ),
    "era5": Task(
        "era5",
        (
            "--data.root={train}", "--data.init_args.sample_folder={test}",
            "--data.init_args.hold_dim=number", "--data.init_args.hold_last=2",
            "--data.batch_size=4", "--model.observations=2048", "--model.inner_observations=1024",
        ),
        {
            "coinpp": (*_of(latent_dim=16, w0=20), *_steps(700, 1, 5e-4)),
            "functa": (*_of(latent_dim=16, w0=20), *_steps(650, 100, 5e-4)),
            "vcinr": (*_of(latent_dim=16, w0=20), *_steps(400, 100, 5e-4)),
            "mscn": (*_of(w0=20, keep="[4,16,64]"), *_steps(500, 1, 5e-4)),
            "combiner": (
                *_of(betas="[1.0e-5,1.0e-6]", first=400, fit=600, refine=600, w0=8, finest=4,
                     sigma=0.1, start=0.02),
                *_steps(500, 1, 2e-3), "--data.batch_size=8",
            ),
            "basis": (
                *_of(latent_dim=128, num_frequencies=6144, w0=100, basis_size=512, field_hidden=0, bottleneck_hidden=0, residual_table=64,
                     lambdas="[10,100,1000,10000]"),
                *_steps(0, 100, 1e-3), "--model.observations=null",
                "--model.inner_observations=null",
            ),
        },
        files="*-held.nc",
        sizes=((8, 3), (20, 4)),
    ),
}  # fmt: skip


def train(task: str, name: str, data: Path, test: Path, work: Path) -> Path:
    """The folder of a method's codec, with what its training cost in `cost.json`."""
    folder = work / f"{task}_{name}"
    if (folder / "cost.json").is_file():
        return folder
    plan = TASKS[task]
    words = [
        "fit", f"--config={ROOT / 'recipes' / plan.recipe}.yaml",
        f"--config={ROOT / 'recipes/methods' / name}.yaml",
        f"--trainer.default_root_dir={folder}", "--trainer.enable_progress_bar=false",
        "--trainer.logger=false", "--trainer.accelerator=cpu", "--trainer.limit_val_batches=0",
        "--trainer.val_check_interval=1000000",
        *(word.format(train=data, test=test) for word in plan.words), *plan.methods[name],
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "inrc.cli", *words], stdout=log, stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
    if status or not (folder / "codec.safetensors").is_file():
        raise InrcError(f"{task} {name}: training failed, see {folder / 'log.txt'}")
    cost = {
        "cpu_seconds_with_judging": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": used.ru_maxrss // 1024,
    }
    (folder / "cost.json").write_text(json.dumps(cost))
    return folder


def judged(folder: Path) -> dict[str, Any]:
    """A method's rows, as its training left them in the model's card."""
    model = Model.load(folder / "codec.safetensors")
    cost = json.loads((folder / "cost.json").read_text())
    about = {"model_bytes": (folder / "codec.safetensors").stat().st_size, **cost}
    return {**about, "rows": model.card["results"], "unit": model.modality.unit}


def alone(
    path: Path, kind: type[Modality], sizes: Sequence[tuple[int, int]], files: Sequence[Path]
) -> dict[str, Any]:
    """COIN's rows, an archive for each size; those of an earlier run lie in `path`."""
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept
    modality = kind().resolve(list(files))
    rows = []
    for width, depth in sizes:
        model = Model.untrained(COIN(width=width, depth=depth), modality)
        rows.append(
            {"size": f"{depth}x{width}", **measured(model, list(files), model.num_qualities // 2)}
        )
    found = {"model_bytes": 0, "rows": rows, "unit": modality.unit}
    path.write_text(json.dumps(found))
    return found


def components(folder: Path, files: Sequence[Path], most: float) -> list[dict[str, Any]]:
    """PCA's rows up to a rate: one archive of all files per step, every file decoded."""
    path = folder / "codec.safetensors"
    model = Model.load(path)
    found = linear.load(linear.beside(path))
    modality = model.modality
    signals = [modality.split(modality.read(file)) for file in files]
    coefficients = found.components.project(
        torch.cat([signal.features.flatten(1) for signal in signals]).numpy()
    )
    items = tuple(
        Item(file.name if len(files) > 1 else "", signal.meta, signal.parts)
        for file, signal in zip(files, signals, strict=True)
    )
    units = sum(modality.num_units(signal.shape) for signal in signals)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, coder in enumerate(found.coders):
            symbols = coder.quantise(coefficients)
            payload = coder.encode(symbols)
            data = pack_archive(Archive(model.id, number, items, payload, model.own), model.default)
            if 8 * len(data) > most * units:
                break
            parts = np.split(symbols * coder.step, np.cumsum([item.parts for item in items])[:-1])
            measures = []
            for file, item, part in zip(files, items, parts, strict=True):
                decoded = Path(temporary) / f"decoded{modality.measurable(file)}"
                found.write(part, item, file, decoded, model)
                measures.append(modality.measure(file, decoded))
            rows.append(
                {
                    "step": coder.step, "files": len(files), "bytes": len(data),
                    "payload_bytes": len(payload), "rate": 8 * len(data) / units,
                    **{key: fmean(each[key] for each in measures) for key in measures[0]},
                }
            )  # fmt: skip
    return rows


def curve(name: str, unit: str, rows: Sequence[dict[str, Any]]) -> Curve:
    """Rows as a curve to draw; seconds are per file."""
    points = [
        Point(
            float(number), row["rate"], row["bytes"] / row["files"], {"psnr": row["psnr"]},
            row.get("encode_seconds", float("nan")) / row["files"],
            row.get("decode_and_measure_seconds", float("nan")) / row["files"],
        )
        for number, row in enumerate(sorted(rows, key=lambda row: row["rate"]))
    ]  # fmt: skip
    return Curve(name, unit, (), tuple(points))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a task; 1 if a method failed, the others are drawn."""
    parser = argparse.ArgumentParser(prog="benchmarks.methods", description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("train", type=Path, help="folder to train on")
    parser.add_argument("test", type=Path, help="folder to compress")
    parser.add_argument("work", type=Path, help="folder for codecs and results")
    parser.add_argument("--only", nargs="+", help="methods; default: all")
    args = parser.parse_args(argv)
    plan, failed = TASKS[args.task], 0
    found: dict[str, Any] = {}
    for name in args.only or plan.methods:
        try:
            found[name] = judged(train(args.task, name, args.train, args.test, args.work))
        except InrcError as error:
            failed += 1
            print(error, file=sys.stderr)
    if not found:
        return 1
    first = next(iter(found))
    unit = found[first]["unit"]
    files = sorted(args.test.glob(plan.files))
    if not args.only:
        found["coin"] = alone(
            args.work / f"{args.task}_coin.json", registry.find(plan.recipe), plan.sizes,
            files[:ALONE],
        )  # fmt: skip
    rows = {name: each["rows"] for name, each in found.items()}
    most = max(row["rate"] for name in plan.methods if name in rows for row in rows[name])
    rows["PCA"] = components(args.work / f"{args.task}_{first}", files, 1.5 * most)
    found["PCA"] = {"rows": rows["PCA"], "unit": unit}
    (args.work / f"{args.task}.json").write_text(json.dumps(found, indent=1))
    lines = [curve(name, unit, each) for name, each in rows.items()]
    figure = draw(lines, published=published(plan.papers) if plan.papers else (), ours="")
    save(figure, args.work / f"{args.task}.png")
    for name, each in rows.items():
        for row in each:
            print(f"{name:9} {row['rate']:.4g} bits/{unit}  {row['psnr']:.2f} dB", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
