"""`python -m inrc_modalities.image.train_autoencoder`: CompressAI's codecs on a folder's pictures.

The finest of the quality levels is trained first, and each other one goes on from its finer neighbour. The
file is written after each of them: a command that is run again does only what is missing.
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

from inrc.errors import InrcError, ModelError, SignalError, UsageError
from inrc_modalities.image.autoencoders import (
    KINDS,
    STORED,
    Ladder,
    beside,
    load,
    network,
    padded,
    save,
)
from inrc_modalities.image.pixels import recast
from inrc_modalities.image.reading import load as load_pixels
from inrc_modalities.image.writing import FORMATS

WEIGHTS = (0.0018, 0.0067, 0.025, 0.0932)
"""Every other one of the library's ladder for the mean squared error of levels 0 to 255."""
HELD = 1 << 30
"""Bytes of pixels that are held in memory; further pictures are left out."""
AUXILIARY = 1e-3
"""Learning rate of the quantiles, as in the library's own example of training."""
CLIP = 1.0
"""Largest norm of a gradient, from the same example."""
FIRST = 4
"""The first of all quality levels starts from nothing and takes so many times the steps of the others.

With as many (1,000, CIFAR-10) the next one was 1.2 dB better, at 5 % more bytes and not fewer."""
LAST = 100
"""Steps whose mean is reported."""


@dataclass(frozen=True)
class Settings:
    """How autoencoders are trained.

    Args:
        channels: N of the papers, of all layers but the latent one.
        latents: M, channels of the latents.
        steps: for each autoencoder of the quality levels but the first, which takes `FIRST` times as many.
        crop: side of the squares; that of the smallest picture, if it is less.
        batch: squares a step.
        rate: Adam's learning rate, which falls to 0 as a cosine.
        seed: of weights, noise and places.
    """

    channels: int = 64
    latents: int = 96
    steps: int = 2000
    crop: int = 64
    batch: int = 8
    rate: float = 1e-3
    seed: int = 0


Report = Callable[[str], None]


def climb(
    kind: str, pictures: Sequence[UInt8[Tensor, "H W 3"]], weights: Sequence[float],
    settings: Settings, path: Path, report: Report = print,
) -> Ladder:  # fmt: skip
    """Train what a file lacks of all quality levels, and write the file after each autoencoder.

    Raises ModelError for a file that is damaged or was trained otherwise, and for a training that
    diverges.
    """
    models: dict[float, Any] = {}
    if path.exists():
        ladder = load(path)
        if (ladder.kind, dict(ladder.settings)) != (kind, asdict(settings)):
            raise ModelError(f"{path}: trained with other settings; remove it, or give the same")
        models = dict(ladder.models)
    for weight in sorted(set(weights) - set(models), reverse=True):
        finer = min((each for each in models if each > weight), default=None)
        began = time.perf_counter()
        model, rate, error = train(
            kind, pictures, weight, settings, None if finer is None else models[finer]
        )
        models[weight] = model
        ladder = Ladder(kind, dict(sorted(models.items())), asdict(settings))
        save(ladder, path)
        psnr = -10 * math.log10(max(error, 1e-12))
        seconds = time.perf_counter() - began
        report(f"lambda {weight:g}: {rate:.3f} bits/pixel, {psnr:.2f} dB, {seconds:.0f} s")
    return Ladder(kind, dict(sorted(models.items())), asdict(settings))


def train(
    kind: str, pictures: Sequence[UInt8[Tensor, "H W 3"]], weight: float, settings: Settings,
    start: Any = None,
) -> tuple[Any, float, float]:  # fmt: skip
    """One autoencoder, and the rate (bits per pixel) and squared error ([0, 1]) that it came to.

    The library's loss, lambda 255^2 MSE + rate, of the pixels that are there: what is padded has
    a rate but no error.

    Raises ModelError if the loss is no number any more.
    """
    from compressai.losses import RateDistortionLoss

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        steps = settings.steps * (FIRST if start is None else 1)
        if start is None:
            start = network(kind)(settings.channels, settings.latents)
        model = copy.deepcopy(start).train()
        criterion = RateDistortionLoss(weight)
        named = dict(model.named_parameters())
        tails = [value for name, value in named.items() if name.endswith("quantiles")]
        rest = [value for name, value in named.items() if not name.endswith("quantiles")]
        optimizer = torch.optim.Adam(rest, settings.rate)
        auxiliary = torch.optim.Adam(tails, AUXILIARY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        last: list[tuple[float, float]] = []
        for _ in tqdm(range(steps), f"lambda {weight:g}", disable=None, leave=False):
            squares = crops(pictures, settings.crop, settings.batch)
            height, width = squares.shape[2:]
            made = model(padded(squares, model.downsampling_factor))
            made["x_hat"] = made["x_hat"][:, :, :height, :width]
            found = criterion(made, squares)
            optimizer.zero_grad()
            found["loss"].backward()
            torch.nn.utils.clip_grad_norm_(rest, CLIP)
            optimizer.step()
            schedule.step()
            auxiliary.zero_grad()
            model.aux_loss().backward()
            auxiliary.step()
            last = [*last[1 - LAST :], (found["bpp_loss"].item(), found["mse_loss"].item())]
            if not math.isfinite(sum(last[-1])):
                raise ModelError(f"lambda {weight:g}: training diverged; give a smaller --rate")
    # few steps do not bring the quantiles to their places: the library can also look for them
    model.update(force=True, update_quantiles=True)
    rate, error = np.mean(last, axis=0)
    return model.eval(), float(rate), float(error)


def crops(
    pictures: Sequence[UInt8[Tensor, "H W 3"]], side: int, count: int
) -> Float[Tensor, "B 3 side side"]:
    """Squares from random places of random pictures, half of them mirrored."""
    side = min(side, *(n for picture in pictures for n in picture.shape[:2]))
    found = []
    for number in torch.randint(len(pictures), (count,)).tolist():
        picture = pictures[number]
        top, left = (int(torch.randint(n - side + 1, ())) for n in picture.shape[:2])
        square = picture[top : top + side, left : left + side]
        found.append(square.flip(1) if torch.rand(()) < 0.5 else square)
    return torch.stack(found).permute(0, 3, 1, 2) / 255.0


def pictures_in(inputs: Sequence[Path], report: Report = print) -> list[Tensor]:
    """Pictures H W 3 of uint8, of files and folders, as far as memory is meant to hold them.

    Raises SignalError for files that cannot be read, hold 16 bits or transparency, or are none.
    """
    files: list[Path] = []
    for path in inputs:
        inside = (each for each in path.rglob("*") if each.suffix.lower() in FORMATS)
        files += sorted(inside) if path.is_dir() else [path]
    if not files:
        raise SignalError(f"{inputs[0]}: no pictures in it")
    found: list[Tensor] = []
    size = 0
    for number, file in enumerate(tqdm(files, "reading", disable=None, leave=False)):
        pixels = load_pixels(file)
        if pixels.mode not in STORED or pixels.depth != 8:
            kind = f"{pixels.depth} bits of {pixels.mode}"
            raise SignalError(f"{file}: these codecs cannot hold {kind}; leave it out")
        found.append(torch.from_numpy(np.array(recast(pixels.array, pixels.mode, "RGB", 255))))
        size += found[-1].numel()
        if size > HELD and number + 1 < len(files):
            report(f"the first {number + 1:,} of {len(files):,} pictures fill the memory meant")
            break
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all went well, 1 if not, 2 if the command was wrong."""
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
        "--lambdas", nargs="+", type=float, default=list(WEIGHTS), help="weights of the distortion"
    )
    for name, value in asdict(default).items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=" ")
    args = parser.parse_args(argv)
    try:
        settings = Settings(**{name: getattr(args, name) for name in asdict(default)})
        numbers = [value for name, value in asdict(settings).items() if name != "seed"]
        if min([*numbers, *args.lambdas]) <= 0 or not all(map(math.isfinite, args.lambdas)):
            raise UsageError("all numbers but the seed must be positive")
        if not args.model.is_file():
            raise ModelError(f"{args.model}: no such model")
        path = beside(args.model, args.codec)
        climb(args.codec, pictures_in(args.inputs), args.lambdas, settings, path)
    except (InrcError, OSError) as error:
        print(f"inrc: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("inrc: interrupted; the same command goes on", file=sys.stderr)
        return 130
    print(f"{path}: {path.stat().st_size:,} bytes; `inrc evaluate --baselines auto` takes them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
