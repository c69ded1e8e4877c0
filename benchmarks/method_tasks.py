"""The tasks of benchmarks.methods: settings of every method for small images and for ERA5."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """Arguments of `inrc fit`, for all methods and for each.

    COIN is not trained: networks of `sizes` (width, depth) are fitted to the first files.
    """

    recipe: str
    words: tuple[str, ...]
    methods: dict[str, tuple[str, ...]]
    files: str
    sizes: tuple[tuple[int, int], ...]
    papers: str | None = None


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
                *_of(latent_dim=128, num_frequencies=6144, w0=100, basis_size=512, field_hidden=0,
                     bottleneck_hidden=0, residual_table=64, lambdas="[10,100,1000,10000]"),
                *_steps(0, 100, 1e-3), "--model.observations=null",
                "--model.inner_observations=null",
            ),
        },
        files="*-held.nc",
        sizes=((8, 3), (20, 4)),
    ),
}  # fmt: skip
