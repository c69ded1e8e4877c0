"""All methods on the same files: `python -m benchmarks.methods TASK TRAIN TEST WORK`.

Trains every method in WORK/TASK_METHOD with about the same seconds of one core (a codec that is
there already is used), puts all test files into one archive per quality level, decodes it, and
writes WORK/TASK.json and WORK/TASK.png, with PCA of the same training rows beside them.

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
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.method_tasks import TASKS
from inrc import registry
from inrc.cli.export import measured
from inrc.container import Archive, Item, pack_archive
from inrc.errors import InrcError
from inrc.evaluation import linear
from inrc.evaluation.curves import Curve, Point
from inrc.evaluation.figure import draw, save
from inrc.evaluation.published import published
from inrc.methods import COIN
from inrc.metrics import mean_measures
from inrc.model import Model
from inrc.signal import Modality

ROOT = Path(__file__).parent.parent


NUM_COIN_FILES = 60
"""Files that COIN fits: a network for each takes a second of a core and more."""


def train(task: str, name: str, data: Path, test: Path, work: Path) -> Path:
    """Train a method, unless there is a codec: its folder, with the cost in `cost.json`."""
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
    """Results of a method, from the card of its model."""
    model = Model.load(folder / "codec.safetensors")
    cost = json.loads((folder / "cost.json").read_text())
    about = {"model_bytes": (folder / "codec.safetensors").stat().st_size, **cost}
    return {**about, "rows": model.card["results"], "unit": model.modality.unit}


def alone(
    path: Path, kind: type[Modality], sizes: Sequence[tuple[int, int]], files: Sequence[Path]
) -> dict[str, Any]:
    """Results of COIN, an archive for each size; `path` keeps them."""
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
    result = {"model_bytes": 0, "rows": rows, "unit": modality.unit}
    path.write_text(json.dumps(result))
    return result


def components(folder: Path, files: Sequence[Path], most: float) -> list[dict[str, Any]]:
    """PCA's rows up to a rate: one archive of all files per step, every file decoded."""
    path = folder / "codec.safetensors"
    model = Model.load(path)
    pca = linear.load(linear.beside(path))
    modality = model.modality
    signals = [modality.split(modality.read(file)) for file in files]
    coefficients = pca.components.project(
        torch.cat([signal.features.flatten(1) for signal in signals]).numpy()
    )
    items = tuple(
        Item(file.name if len(files) > 1 else "", signal.meta, signal.parts)
        for file, signal in zip(files, signals, strict=True)
    )
    units = sum(modality.num_units(signal.shape) for signal in signals)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, coder in enumerate(pca.coders):
            symbols = coder.quantise(coefficients)
            payload = coder.encode(symbols)
            data = pack_archive(Archive(model.id, number, items, payload, model.own), model.default)
            if 8 * len(data) > most * units:
                break
            parts = np.split(symbols * coder.step, np.cumsum([item.parts for item in items])[:-1])
            measures = []
            for file, item, part in zip(files, items, parts, strict=True):
                decoded = Path(temporary) / f"decoded{modality.measurable(file)}"
                pca.write(part, item, file, decoded, model)
                measures.append(modality.measure(file, decoded))
            rows.append(
                {
                    "step": coder.step, "files": len(files), "bytes": len(data),
                    "payload_bytes": len(payload), "rate": 8 * len(data) / units,
                    **mean_measures(measures),
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
    results: dict[str, Any] = {}
    for name in args.only or plan.methods:
        try:
            results[name] = judged(train(args.task, name, args.train, args.test, args.work))
        except InrcError as error:
            failed += 1
            print(error, file=sys.stderr)
    if not results:
        return 1
    first = next(iter(results))
    unit = results[first]["unit"]
    files = sorted(args.test.glob(plan.files))
    if not args.only:
        results["coin"] = alone(
            args.work / f"{args.task}_coin.json", registry.modalities.find(plan.recipe), plan.sizes,
            files[:NUM_COIN_FILES],
        )  # fmt: skip
    rows = {name: each["rows"] for name, each in results.items()}
    most = max(row["rate"] for name in plan.methods if name in rows for row in rows[name])
    rows["PCA"] = components(args.work / f"{args.task}_{first}", files, 1.5 * most)
    results["PCA"] = {"rows": rows["PCA"], "unit": unit}
    (args.work / f"{args.task}.json").write_text(json.dumps(results, indent=1))
    lines = [curve(name, unit, each) for name, each in rows.items()]
    figure = draw(lines, published=published(plan.papers) if plan.papers else (), ours="")
    save(figure, args.work / f"{args.task}.png")
    for name, each in rows.items():
        for row in each:
            print(f"{name:9} {row['rate']:.4g} bits/{unit}  {row['psnr']:.2f} dB", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
