"""The tasks of docs/results: training data and test files of each.

Test files are unseen in training: other images, times, speakers, heads, clips and shapes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cifar
from inrc_modalities.era5.data import hold
from inrc_modalities.video import reading, writing

FRAMES = 16
"""Length of the test clips: slow encoders at fifteen settings take minutes for more."""

Files = Callable[[Path, Path], list[Path]]
"""(data, work) -> files."""


@dataclass(frozen=True)
class Task:
    """One codec and its test files.

    Args:
        recipe: name of a file in recipes/, without its suffix.
        words: arguments of training; {data} and {work} are replaced by the folders.
        needs: pattern of data files; the task is skipped if none matches.
        files: test files, looked up after training.
        evaluate: arguments of `inrc evaluate`.
        published: data set whose published figures are part of the plot.
    """

    recipe: str
    words: tuple[str, ...]
    needs: str
    files: Files
    evaluate: tuple[str, ...] = ("--repeats", "1")
    published: str | None = None


def _data(pattern: str) -> Files:
    return lambda data, work: sorted(data.glob(pattern))


def _work(pattern: str, count: int = 1000) -> Files:
    """The last files in order of their names, which training keeps for validation."""
    return lambda data, work: sorted(work.glob(pattern))[-count:]


def _held(name: str, path: str, last: int) -> Files:
    """The last times of a file, as training holds them out."""
    return lambda data, work: [hold(data / path, "time", last, work / "sample" / name)[1]]


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
            f"--data.root={{data}}/{_MEMBERS}", "--data.init_args.hold_dim=time",
            "--data.init_args.hold_last=1", "--model.method.init_args.num_frequencies=6144",
            "--model.method.init_args.w0=100", "--model.method.init_args.latent_dim=128",
            "--model.compress=100",
        ),
        _MEMBERS, _held("era5_members", _MEMBERS, 1),
    ),
    "sst": Task(
        "era5", (
            f"--data.root={{data}}/{_SST}", "--data.init_args.hold_dim=time",
            "--data.init_args.hold_last=24", "--model.method.init_args.num_frequencies=3072",
            "--model.method.init_args.w0=100", "--model.compress=200",
            "--model.latent_distortion=true",
        ),
        _SST, _held("sst", _SST, 24),
    ),
    "speech": Task(
        "audio", ("--data.root={work}/speech/train", "--data.val_root={work}/speech/test"),
        "audio/speech/*.flac", _work("speech/test/*.flac", 12), published="librispeech",
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
    """Make the folders of training and test files."""
    archives = {name: data / f"images/cifar10/{name}_{n}.npz" for name, n in (
        ("train", "10k"), ("test", "1k"))}  # fmt: skip
    if not (work / "cifar/test").is_dir() and all(path.is_file() for path in archives.values()):
        cifar.unpack({name: cifar.load(path) for name, path in archives.items()}, work / "cifar")
    held = {  # test files
        "mri": "stroke*", "images/kodak": "kodim[02]*[28].png",
        "audio/speech": "8226-*",  # one of two speakers
    }  # fmt: skip
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
