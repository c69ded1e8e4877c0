"""`python -m inrc_modalities.image.train_autoencoder`: train CompressAI's codecs on pictures.

The autoencoder of the finest quality is trained first, and each other one starts from its finer
neighbour. The file is written after each of them, so that a second run continues the first.
"""

import argparse
import copy
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from tqdm import tqdm

from inrc.data import list_files
from inrc.errors import InrcError, ModelError, SignalError, UsageError, one_line
from inrc_modalities.image.autoencoders import (
    KINDS,
    STORED,
    Autoencoders,
    beside,
    load,
    network,
    padded,
    save,
)
from inrc_modalities.image.modality import Image
from inrc_modalities.image.pixels import recast
from inrc_modalities.image.reading import load as load_pixels

LAMBDAS = (0.0018, 0.0067, 0.025, 0.0932)
"""Every other lambda of the library for the mean squared error of levels 0 to 255."""
MAX_PIXEL_BYTES = 1 << 30
"""Bytes of pixels in memory; further pictures are left out."""
QUANTILE_LR = 1e-3
"""Learning rate of the quantiles, from the training example of the library."""
MAX_GRADIENT_NORM = 1.0
"""Largest norm of a gradient, from the same example."""
FIRST_FACTOR = 4
"""The first autoencoder starts from random weights and takes this many times the steps of others.

With equal steps (1,000, CIFAR-10) the second is 1.2 dB better than the first, at 5 % more bytes.
"""
REPORTED_STEPS = 100
"""Number of last steps whose mean is reported."""


@dataclass(frozen=True)
class Settings:
    """How autoencoders are trained: the options of the command, which `_HELP` describes."""

    channels: int = 64
    latents: int = 96
    steps: int = 2000
    crop: int = 64
    batch: int = 8
    lr: float = 1e-3
    seed: int = 0


_HELP = {
    "channels": "channels of all layers but the latent one (N in the papers)",
    "latents": "channels of the latents (M in the papers)",
    "steps": f"steps for each autoencoder; the first takes {FIRST_FACTOR} times as many",
    "crop": "side of the training squares, at most the side of the smallest picture",
    "batch": "squares per step",
    "lr": "learning rate of Adam, which falls to 0 as a cosine",
    "seed": "seed of weights, noise and places",
}

Report = Callable[[str], None]


def train_all(
    kind: str, pictures: Sequence[UInt8[Tensor, "H W 3"]], lambdas: Sequence[float],
    settings: Settings, path: Path, report: Report = print,
) -> Autoencoders:  # fmt: skip
    """Train the autoencoders that a file lacks, and write the file after each of them.

    Raises ModelError for a file that is damaged or has other settings, and for a training that
    diverges.
    """
    models: dict[float, Any] = {}
    if path.exists():
        trained = load(path)
        if (trained.kind, dict(trained.settings)) != (kind, asdict(settings)):
            raise ModelError(
                f"{path}: trained with other settings; remove it, or give the same ones"
            )
        models = dict(trained.models)
    for lmbda in sorted(set(lambdas) - set(models), reverse=True):
        finer = min((each for each in models if each > lmbda), default=None)
        began = time.perf_counter()
        model, rate, error = train(
            kind, pictures, lmbda, settings, None if finer is None else models[finer]
        )
        models[lmbda] = model
        trained = Autoencoders(kind, dict(sorted(models.items())), asdict(settings))
        save(trained, path)
        psnr = -10 * math.log10(max(error, 1e-12))
        seconds = time.perf_counter() - began
        report(f"lambda {lmbda:g}: {rate:.3f} bits/pixel, {psnr:.2f} dB, {seconds:.0f} s")
    return Autoencoders(kind, dict(sorted(models.items())), asdict(settings))


def train(
    kind: str, pictures: Sequence[UInt8[Tensor, "H W 3"]], lmbda: float, settings: Settings,
    start: Any = None,
) -> tuple[Any, float, float]:  # fmt: skip
    """One autoencoder, with its rate (bits per pixel) and squared error (pixels in [0, 1]).

    The loss is that of the library, lambda 255^2 MSE + rate. Padded pixels count in the rate only.

    Raises ModelError if the loss is not finite.
    """
    from compressai.losses import RateDistortionLoss

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        steps = settings.steps * (FIRST_FACTOR if start is None else 1)
        if start is None:
            start = network(kind)(settings.channels, settings.latents)
        model = copy.deepcopy(start).train()
        criterion = RateDistortionLoss(lmbda)
        named = dict(model.named_parameters())
        quantiles = [value for name, value in named.items() if name.endswith("quantiles")]
        rest = [value for name, value in named.items() if not name.endswith("quantiles")]
        optimizer = torch.optim.Adam(rest, settings.lr)
        auxiliary = torch.optim.Adam(quantiles, QUANTILE_LR)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        last: list[tuple[float, float]] = []
        for _ in tqdm(range(steps), f"lambda {lmbda:g}", disable=None, leave=False):
            squares = crops(pictures, settings.crop, settings.batch)
            height, width = squares.shape[2:]
            made = model(padded(squares, model.downsampling_factor))
            made["x_hat"] = made["x_hat"][:, :, :height, :width]
            losses = criterion(made, squares)
            optimizer.zero_grad()
            losses["loss"].backward()
            torch.nn.utils.clip_grad_norm_(rest, MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            auxiliary.zero_grad()
            model.aux_loss().backward()
            auxiliary.step()
            step = losses["bpp_loss"].item(), losses["mse_loss"].item()
            last = [*last[1 - REPORTED_STEPS :], step]
            if not math.isfinite(sum(step)):
                raise ModelError(f"lambda {lmbda:g}: training diverged; give a smaller --lr")
    # after few steps the quantiles have not converged, so the library searches for them
    model.update(force=True, update_quantiles=True)
    rate, error = np.mean(last, axis=0)
    return model.eval(), float(rate), float(error)


def crops(
    pictures: Sequence[UInt8[Tensor, "H W 3"]], side: int, count: int
) -> Float[Tensor, "B 3 side side"]:
    """Squares from random places of random pictures, half of them mirrored."""
    side = min(side, *(n for picture in pictures for n in picture.shape[:2]))
    squares = []
    for number in torch.randint(len(pictures), (count,)).tolist():
        picture = pictures[number]
        top, left = (int(torch.randint(n - side + 1, ())) for n in picture.shape[:2])
        square = picture[top : top + side, left : left + side]
        squares.append(square.flip(1) if torch.rand(()) < 0.5 else square)
    return torch.stack(squares).permute(0, 3, 1, 2) / 255.0


def pictures_in(inputs: Sequence[Path], report: Report = print) -> list[Tensor]:
    """Pictures H W 3 of uint8, of files and folders, up to `MAX_PIXEL_BYTES`.

    Raises SignalError for files that cannot be read or have 16 bits or transparency, and for a
    folder without images.
    """
    files = [file for path in inputs for file in list_files(path, Image)]
    pictures: list[Tensor] = []
    size = 0
    for number, file in enumerate(tqdm(files, "reading", disable=None, leave=False)):
        pixels = load_pixels(file)
        if pixels.mode not in STORED or pixels.depth != 8:
            kind = f"{pixels.depth} bits of {pixels.mode}"
            raise SignalError(f"{file}: these codecs do not support {kind}; leave it out")
        pictures.append(torch.from_numpy(np.array(recast(pixels.array, pixels.mode, "RGB", 255))))
        size += pictures[-1].numel()
        if size > MAX_PIXEL_BYTES and number + 1 < len(files):
            report(f"using the first {number + 1:,} of {len(files):,} pictures: 1 GiB of pixels")
            break
    return pictures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 on success, 1 for an error, 2 for wrong arguments."""
    default = Settings()
    parser = argparse.ArgumentParser(
        "train_autoencoder", description="train CompressAI's codecs for `inrc evaluate`",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )  # fmt: skip
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="files or folders")
    parser.add_argument(
        "-m", dest="model", type=Path, required=True, help="codec.safetensors to put them beside"
    )
    parser.add_argument("--codec", choices=list(KINDS), default=next(iter(KINDS)), help="which")
    parser.add_argument(
        "--lambdas", nargs="+", type=float, default=list(LAMBDAS), help="weights of the distortion"
    )
    for name, value in asdict(default).items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=_HELP[name])
    args = parser.parse_args(argv)
    try:
        settings = Settings(**{name: getattr(args, name) for name in asdict(default)})
        numbers = [value for name, value in asdict(settings).items() if name != "seed"]
        if min([*numbers, *args.lambdas]) <= 0 or not all(map(math.isfinite, args.lambdas)):
            raise UsageError("a number that is not positive; only the seed may be 0 or less")
        if not args.model.is_file():
            raise ModelError(f"{args.model}: no such model")
        path = beside(args.model, args.codec)
        train_all(args.codec, pictures_in(args.inputs), args.lambdas, settings, path)
    except (InrcError, OSError) as error:
        print(f"inrc: {one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("inrc: interrupted; run the command again to continue", file=sys.stderr)
        return 130
    print(f"{path}: {path.stat().st_size:,} bytes; `inrc evaluate --baselines auto` takes them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
