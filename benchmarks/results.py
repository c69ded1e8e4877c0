"""Makes docs/results: `python -m benchmarks.results DATA WORK`.

Trains one codec for each task in WORK/NAME (an existing codec.safetensors is used), evaluates it
and every baseline on files that training did not see, and writes results, curves and pictures of
each task and one table of BD-rates. DATA is a folder like this:

    images/cifar10/{train_10k,test_1k}.npz   images/kodak/*.png
    climate/era5_t_z_members_*.nc            climate/cobe2_sst_*.nc
    audio/speech/*.flac                      mri/*.nii.gz
    video/*.mkv                              sdf/*.ply

Tasks without data are skipped. WORK keeps everything, so that a run can be continued; on two cores
all tasks take about an hour and a half.
"""

import argparse
import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image

from benchmarks.tasks import TASKS, Task, prepare
from inrc.errors import InrcError
from inrc.evaluation import Result, append, curves, load
from inrc.evaluation.compare import compare
from inrc.evaluation.results import comparable, current
from inrc.metrics import mean

ROOT = Path(__file__).parent.parent
FIRST_CODECS = ("PCA", "JPEG", "JPEG 2000", "AVIF", "HEVC")
"""Beginnings of the names of codecs that come first in the table."""

NUM_BAR_COLOURS = 40
"""Colours of an error bar in a small picture."""


def train(name: str, task: Task, data: Path, work: Path) -> Path:
    """Train the codec of a task, unless there is one."""
    model = work / name / "codec.safetensors"
    if not model.is_file():
        run(*training(task, model.parent, work / "sample" / name, data, work))
    return model


def training(task: Task, folder: Path, sample: Path, data: Path, work: Path) -> list[str]:
    """Arguments of `inrc` that train a task's codec in `folder`."""
    return [
        "fit", f"--config={ROOT / 'recipes' / task.recipe}.yaml",
        f"--trainer.default_root_dir={folder}", "--trainer.enable_progress_bar=false",
        "--trainer.logger=false", "--trainer.accelerator=cpu",
        f"--data.init_args.sample_folder={sample}",
        *(word.format(data=data, work=work) for word in task.words),
    ]  # fmt: skip


def judge(name: str, task: Task, model: Path, data: Path, work: Path) -> Path:
    """Evaluate a task; the path of its results."""
    rows = work / f"{name}.jsonl"
    files = [str(path) for path in task.files(data, work)]
    run(
        "evaluate", *files, "-m", str(model), "-o", str(rows), "--baselines", "auto", "--quiet",
        *task.evaluate, check=False,
    )  # fmt: skip
    return rows


def show(name: str, task: Task, rows: Path, model: Path, output: Path) -> None:
    """Write results without the folders of this machine, curves, and pictures."""
    clean = [
        replace(row, file=Path(row.file).name, versions={} if number else row.versions)
        for number, row in enumerate(current(load(rows)))  # versions are the same in all
    ]
    plain = rows.with_suffix(".plain.jsonl")
    plain.unlink(missing_ok=True)
    append(plain, clean)
    with (output / f"{name}.jsonl.gz").open("wb") as file:
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.write(plain.read_bytes())
    more = ["--published", task.published] if task.published else []
    run("plot", str(rows), "-o", str(output / f"{name}.png"), "-f", *more)
    pictures = rows.with_name(f"{name}_pictures.png")
    run("plot", str(rows), "-o", str(pictures), "-f", "--pictures", str(model), check=False)
    if pictures.is_file():
        shrink(pictures, output / pictures.name)


def shrink(path: Path, target: Path, limit: int = 195_000) -> None:
    """Write a picture with 256 colours, as wide as it can be with at most `limit` bytes.

    Some of the colours are those of the error bars, which would get lost: few pixels have them.
    """
    with Image.open(path) as image:
        whole = image.convert("RGB")
    bar = np.rint(255 * colormaps["magma"](np.linspace(0, 1, NUM_BAR_COLOURS))[:, :3]).astype(int)
    for side in range(1150, 450, -100):
        small = whole.copy()
        small.thumbnail((side, side))
        colours = small.quantize(254 - NUM_BAR_COLOURS).getpalette() or []
        palette = Image.new("P", (1, 1))
        palette.putpalette(
            [0] * 3 + [255] * 3 + bar.ravel().tolist() + colours[: 3 * (254 - NUM_BAR_COLOURS)]
        )
        few = small.quantize(palette=palette, dither=Image.Dither.NONE)
        few.save(target, optimize=True)
        if target.stat().st_size <= limit:
            return


def table(results: dict[str, list[Result]]) -> str:
    """BD-rates of our codec against every baseline, as Markdown."""
    cells: dict[str, dict[str, str]] = {}
    for name, rows in results.items():
        ours = next((row.codec for row in rows if row.model), None)
        if ours is None:  # a run that was stopped
            continue
        cells[name] = {}
        for other in dict.fromkeys(row.codec for row in rows if not row.model):
            theirs = [row for row in rows if row.codec == other and row.error is None]
            if theirs and all(row.measures["psnr"] == inf for row in theirs):
                rate = mean(row.rate for row in theirs)
                mine = [point.rate for point in curves(rows)[0].points]
                share = [100 * each / rate for each in (mine[0], mine[-1])]
                cells[name][other] = (
                    f"lossless; ours takes {share[0]:.0f} to {share[1]:.0f} % of its bytes"
                )
                continue
            try:
                (entry,) = [e for e in compare(rows, other) if e["codec"] == ours]
            except InrcError as error:
                cells[name][other] = f"none: {error}"
                continue
            if entry["why"] is None:
                gain = entry["bd_quality"]
                at_rate = "no common rate" if gain is None else f"{gain:+.1f} dB"
                size = f"{entry['bd_rate']:+.3g} %"
                cells[name][other] = f"{size} ({at_rate}, {entry['overlap']:.0%})"
            else:
                cells[name][other] = "no overlap" if "overlap" in entry["why"] else entry["why"]
    lines = ["| data | baseline | rate of ours at equal PSNR (PSNR at equal rate, overlap) |"]
    lines.append("|---|---|---|")
    for name, row in cells.items():
        order = sorted(row, key=lambda other: (not other.startswith(FIRST_CODECS), other))
        lines += [f"| {name} | {other} | {row[other]} |" for other in order]
    return "\n".join(lines) + "\n"


def run(*words: str, check: bool = True) -> None:
    """One `inrc` command."""
    print("inrc", *words[:1], flush=True)
    done = subprocess.run([sys.executable, "-m", "inrc.cli", *words], check=False)
    if check and done.returncode:
        raise InrcError(f"inrc {words[0]} ended with {done.returncode}")


def main(argv: Sequence[str] | None = None) -> int:
    """Make the results; 1 if a task failed."""
    parser = argparse.ArgumentParser(prog="benchmarks.results", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of data, see the module")
    parser.add_argument("work", type=Path, help="folder for codecs and rows")
    parser.add_argument("-o", dest="output", type=Path, default=ROOT / "docs/results")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--stop", choices=("train", "judge"), help="stop after this step")
    args = parser.parse_args(argv)
    data, work = args.data.resolve(), args.work.resolve()
    for folder in (work, args.output):
        folder.mkdir(parents=True, exist_ok=True)
    prepare(data, work)
    failed = 0
    for name in args.only:
        task = TASKS[name]
        if task.needs and not sorted(data.glob(task.needs)):
            print(f"{name}: skipped; {data} has no {task.needs}")
            continue
        try:
            model = train(name, task, data, work)
            if args.stop != "train":
                rows = judge(name, task, model, data, work)
                if args.stop is None:
                    show(name, task, rows, model, args.output)
        except InrcError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    if args.stop is None:
        paths = {name: args.output / f"{name}.jsonl.gz" for name in TASKS}
        results = {n: comparable(load(path), n) for n, path in paths.items() if path.is_file()}
        (args.output / "bdrate.md").write_text(table(results), encoding="utf-8")
        print(json.dumps({name: len(rows) for name, rows in results.items()}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
