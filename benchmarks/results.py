"""Everything in docs/results, made anew: `python -m benchmarks.results DATA WORK`.

Trains one codec for each task in WORK/NAME (a codec.safetensors that is there already is used),
evaluates it and every baseline on files that training did not see, and writes rows, curves and
pictures of each task and one table of BD-rates. DATA is a folder like this:

    images/cifar10/{train_10k,test_1k}.npz   images/kodak/*.png
    climate/era5_t_z_members_*.nc            climate/cobe2_sst_*.nc
    audio/speech/*.flac                      mri/*.nii.gz
    video/*.mkv                              sdf/*.ply

Tasks whose data are missing are passed over. WORK keeps all, so that a run that was stopped goes
on; on two cores all of it takes about an hour and a half.
"""

import argparse
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib import colormaps
from PIL import Image

from benchmarks import cifar
from inrc.errors import InrcError
from inrc.evaluation import Result, append, curves, load
from inrc.evaluation.compare import compare
from inrc.evaluation.rows import current, sound
from inrc_modalities.video import reading, writing

ROOT = Path(__file__).parent.parent
EXPECTED = ("PCA", "JPEG", "JPEG 2000", "AVIF", "HEVC")
"""Where names of codecs begin in the table's first columns; the others follow."""

FRAMES = 16
"""Clips are cut there: slow encoders at fifteen settings take minutes for more."""

BAR = 40
"""Colours of error bars that a small picture keeps."""

Files = Callable[[Path, Path], list[Path]]
"""(data, work) -> files."""


@dataclass(frozen=True)
class Task:
    """One codec and what it is judged on.

    Args:
        recipe: name of a file in recipes/, without its suffix.
        words: further arguments of training; {data} and {work} are replaced by the folders.
        needs: files of the data without which the task is passed over.
        files: what is judged, found after training.
        evaluate: further arguments of `inrc evaluate`.
        published: data set whose published figures belong into the plot.
    """

    recipe: str
    words: tuple[str, ...]
    needs: str
    files: Files
    evaluate: tuple[str, ...] = ("--repeats", "1")
    published: str | None = None


def _data(pattern: str, count: int | None = None, last: bool = False) -> Files:
    def found(data: Path, work: Path) -> list[Path]:
        files = sorted(data.glob(pattern))
        return files if count is None else files[-count:] if last else files[:count]

    return found


def _work(pattern: str, count: int = 1000) -> Files:
    """The last ones, in order of their names: those that training keeps for validation."""
    return lambda data, work: sorted(work.glob(pattern))[-count:]


_CIFAR = (
    "--data.root={work}/cifar/train", "--data.val_root={work}/cifar/test", "--data.patch=32",
)  # fmt: skip
_MEMBERS = "climate/era5_t_z_members_2017-01-01_10x2x2x61x120.nc"
_SST = "climate/cobe2_sst_1950-1974_300x90x180.nc"
TASKS = {
    "cifar10": Task(
        "image", _CIFAR, "images/cifar10/*.npz", _work("cifar/test/*.png", 30),
        published="cifar10",
    ),
    "kodak": Task(
        "image", (
            "--data.root={work}/kodak/train", "--data.val_root={work}/kodak/test",
            "--data.patch=16", "--data.init_args.random_patches=2200",
            "--model.method.init_args.latent_dim=256",
            "--model.method.init_args.lambdas=[30,60,120,250,500,1000,3000,10000]",
        ),
        "images/kodak/*.png", _work("kodak/test/*.png"), ("--repeats", "0"), published="kodak",
    ),
    "era5_members": Task(
        "era5", (
            f"--data.root={{data}}/{_MEMBERS}", "--data.init_args.hold_dim=number",
            "--data.init_args.hold_last=2", "--model.method.init_args.num_frequencies=6144",
            "--model.method.init_args.w0=100", "--model.method.init_args.latent_dim=128",
            "--model.compress=100",
        ),
        _MEMBERS, _work("sample/era5_members/*-held.nc"),
    ),
    "sst": Task(
        "era5", (
            f"--data.root={{data}}/{_SST}", "--data.init_args.hold_dim=time",
            "--data.init_args.hold_last=24", "--model.method.init_args.num_frequencies=3072",
            "--model.method.init_args.w0=100", "--model.compress=200",
            "--model.latent_distortion=true",
        ),
        _SST, _work("sample/sst/*-held.nc"),
    ),
    "speech": Task(
        "audio", ("--data.root={data}/audio/speech",), "audio/speech/*.flac",
        _data("audio/speech/*.flac", 12, last=True), published="librispeech",
    ),
    "mri": Task(
        "mri", (
            "--data.root={work}/mri/train", "--data.val_root={work}/mri/test",
            "--data.init_args.random_patches=6000", "--model.compress=300",
        ),
        "mri/*.nii.gz", _work("mri/test/*t1*.nii.gz"), ("--repeats", "0"),
    ),
    "video": Task(
        "video", (), "video/*.mkv", _work("video/clips/*.mkv"), ("--repeats", "0"),
    ),
    "sdf": Task(
        "sdf", (), "sdf/*.ply", _data("sdf/[frs]*.ply"), ("--repeats", "0"),
    ),
    "voxels": Task("voxels", (), "", _work("sample/voxels/*.npy", 20)),
    "nerf": Task(
        "nerf", (), "", _work("sample/nerf/scene-*/transforms_train.json", 4), ("--repeats", "0"),
    ),
}  # fmt: skip


def prepare(data: Path, work: Path) -> None:
    """Unpack what training wants as folders."""
    archives = {name: data / f"images/cifar10/{name}_{n}.npz" for name, n in (
        ("train", "10k"), ("test", "1k"))}  # fmt: skip
    if not (work / "cifar/test").is_dir() and all(path.is_file() for path in archives.values()):
        cifar.unpack({name: cifar.load(path) for name, path in archives.items()}, work / "cifar")
    held = {"mri": "stroke*", "images/kodak": "kodim[02]*[28].png"}  # judged, not trained on
    for place, pattern in held.items():
        for path in sorted((data / place).iterdir()) if (data / place).is_dir() else []:
            part = "test" if path.match(pattern) else "train"
            link = work / Path(place).name / part / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(path.resolve())
    for path in sorted((data / "video").glob("[bf]*.mkv")):
        cut = work / "video" / "clips" / f"{path.stem}_first{FRAMES}.mkv"
        if not cut.exists():
            cut.parent.mkdir(parents=True, exist_ok=True)
            writing.save(reading.load(path, FRAMES), cut)  # FFV1: nothing is lost


def train(name: str, task: Task, data: Path, work: Path) -> Path:
    """The codec of a task."""
    model = work / name / "codec.safetensors"
    if not model.is_file():
        run(*training(task, model.parent, work / "sample" / name, data, work))
    return model


def training(task: Task, folder: Path, sample: Path, data: Path, work: Path) -> list[str]:
    """Words of the command that trains a task's codec in `folder`."""
    return [
        "fit", f"--config={ROOT / 'recipes' / task.recipe}.yaml",
        f"--trainer.default_root_dir={folder}", "--trainer.enable_progress_bar=false",
        "--trainer.logger=false", "--trainer.accelerator=cpu",
        f"--data.init_args.sample_folder={sample}",
        *(word.format(data=data, work=work) for word in task.words),
    ]  # fmt: skip


def judge(name: str, task: Task, model: Path, data: Path, work: Path) -> Path:
    """Rows of a task."""
    rows = work / f"{name}.jsonl"
    files = [str(path) for path in task.files(data, work)]
    run(
        "evaluate", *files, "-m", str(model), "-o", str(rows), "--baselines", "auto", "--quiet",
        *task.evaluate, check=False,
    )  # fmt: skip
    return rows


def show(name: str, task: Task, rows: Path, model: Path, output: Path) -> None:
    """Rows without the folders of this machine, curves, and pictures."""
    clean = [
        replace(row, file=Path(row.file).name, versions={} if number else row.versions)
        for number, row in enumerate(current(load(rows)))  # versions are the same in all of them
    ]
    plain = rows.with_suffix(".plain.jsonl")
    plain.unlink(missing_ok=True)
    append(plain, clean)
    with (output / f"{name}.jsonl.gz").open("wb") as file:  # no time and no name: always the same
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.write(plain.read_bytes())
    more = ["--published", task.published] if task.published else []
    run("plot", str(rows), "-o", str(output / f"{name}.png"), "-f", *more)
    pictures = rows.with_name(f"{name}_pictures.png")
    run("plot", str(rows), "-o", str(pictures), "-f", "--pictures", str(model), check=False)
    if pictures.is_file():
        shrink(pictures, output / pictures.name)


def shrink(path: Path, target: Path, limit: int = 195_000) -> None:
    """Write a picture with 256 colours, and narrower until it has no more bytes than `limit`.

    Some of the colours are those of the error bars: few pixels have them, and they would get lost.
    """
    with Image.open(path) as image:
        whole = image.convert("RGB")
    bar = np.rint(255 * colormaps["magma"](np.linspace(0, 1, BAR))[:, :3]).astype(int)
    for side in range(1150, 450, -100):
        small = whole.copy()
        small.thumbnail((side, side))
        found = small.quantize(254 - BAR).getpalette() or []
        palette = Image.new("P", (1, 1))
        palette.putpalette([0] * 3 + [255] * 3 + bar.ravel().tolist() + found[: 3 * (254 - BAR)])
        few = small.quantize(palette=palette, dither=Image.Dither.NONE)
        few.save(target, optimize=True)
        if target.stat().st_size <= limit:
            return


def table(found: dict[str, list[Result]]) -> str:
    """BD-rates of our codec against every baseline, as Markdown."""
    cells: dict[str, dict[str, str]] = {}
    for name, rows in found.items():
        ours = next((row.codec for row in rows if row.model), None)
        if ours is None:  # a run that was stopped before it judged ours
            continue
        cells[name] = {}
        for other in dict.fromkeys(row.codec for row in rows if not row.model):
            theirs = [row for row in rows if row.codec == other and row.error is None]
            if theirs and all(row.measures["psnr"] == inf for row in theirs):
                rate = fmean(row.rate for row in theirs)
                mine = [point.rate for point in curves(rows)[0].points]
                share = [100 * each / rate for each in (mine[0], mine[-1])]
                cells[name][other] = (
                    f"it loses nothing; ours takes {share[0]:.0f} to {share[1]:.0f} % of its bytes"
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
        order = sorted(row, key=lambda other: (not other.startswith(EXPECTED), other))
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
    parser.add_argument("data", type=Path, help="folder of data, see above")
    parser.add_argument("work", type=Path, help="folder for codecs and rows")
    parser.add_argument("-o", dest="output", type=Path, default=ROOT / "docs/results")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--stop", choices=("train", "judge"), help="go no further than this")
    args = parser.parse_args(argv)
    data, work = args.data.resolve(), args.work.resolve()
    for folder in (work, args.output):
        folder.mkdir(parents=True, exist_ok=True)
    prepare(data, work)
    failed = 0
    for name in args.only:
        task = TASKS[name]
        if task.needs and not sorted(data.glob(task.needs)):
            print(f"{name}: no {task.needs} in {data}, passed over")
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
    every = {name: work / f"{name}.jsonl" for name in TASKS}
    found = {name: sound(load(path), name) for name, path in every.items() if path.is_file()}
    if args.stop is None and found:
        (args.output / "bdrate.md").write_text(table(found), encoding="utf-8")
        print(json.dumps({name: len(rows) for name, rows in found.items()}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
