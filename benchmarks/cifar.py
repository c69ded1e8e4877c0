"""Rate and PSNR of ordinary codecs and of principal components on small images.

python -m benchmarks.cifar --train TRAIN.npz --test TEST.npz --json OUT
python -m benchmarks.cifar --train TRAIN.npz --test TEST.npz --unpack FOLDER

The archives hold `images`, N H W 3, uint8. PSNR is that of 8-bit images, averaged over images;
a rate is in bits per pixel. An ordinary codec writes one file per image, headers included; the
components write one stream for all images, and are not counted, as a trained model is not.
"""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import linear
from benchmarks.baselines import save
from inrc.errors import InrcError, SignalError

Images = NDArray[np.uint8]
Coder = Callable[[Images, float], tuple[int, Images]]
"""(image H W 3, quality) -> bytes of the file, decoded image."""


def load(path: Path) -> Images:
    """The images of an archive.

    Raises:
        SignalError: no archive of images of 8 bits and three channels.
    """
    try:
        with np.load(path) as archive:
            images = archive["images"]
    except (OSError, ValueError, KeyError) as error:
        raise SignalError(f"{path}: no archive with `images` ({error!s:.80})") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not images.size:
        raise SignalError(f"{path}: images are {images.dtype} {images.shape}, not uint8 N H W 3")
    return np.asarray(images)


def psnr(original: Images, decoded: NDArray[Any]) -> float:
    """Mean over images of 10 log10(255² / MSE), after rounding to 0..255; dB.

    An image without any error counts as 99 dB.
    """
    files = np.clip(np.rint(decoded), 0, 255)
    error = ((files - original.astype(np.float64)) ** 2).reshape(len(original), -1).mean(1)
    return float(np.mean(10 * np.log10(255.0**2 / np.maximum(error, 255.0**2 * 10**-9.9))))


def with_pillow(image: Images, quality: float, suffix: str, **options: Any) -> tuple[int, Images]:
    """A file of one of Pillow's formats, quality 0..100, and what it decodes to."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, suffix, quality=int(quality), **options)
    return len(file.getvalue()), np.asarray(Image.open(file).convert("RGB"))


def with_jpeg2000(image: Images, quality: float) -> tuple[int, Images]:
    """A bare JPEG 2000 code stream of a quality in dB, and what it decodes to."""
    data = imagecodecs.jpeg2k_encode(image, quality, codecformat="j2k", reversible=False)
    return len(data), np.asarray(imagecodecs.jpeg2k_decode(data))


CODERS: dict[str, tuple[Coder, tuple[float, ...]]] = {
    "jpeg": (
        partial(with_pillow, suffix="JPEG", optimize=True),
        (1, 3, 5, 8, 12, 20, 30, 50, 70, 85, 95),
    ),
    "jpeg2000": (with_jpeg2000, (16, 18, 20, 22, 24, 26, 28, 30, 34, 38, 42)),
    "webp": (partial(with_pillow, suffix="WEBP", method=6), (0, 5, 10, 20, 40, 60, 80, 90, 95)),
}


def ordinary(images: Images) -> list[dict[str, Any]]:
    """A row for every codec and quality."""
    rows = []
    for name, (coder, qualities) in CODERS.items():
        for quality in qualities:
            coded = [coder(image, quality) for image in images]
            sizes, decoded = zip(*coded, strict=True)
            rows.append(_row(name, images, sum(sizes), np.stack(decoded)) | {"quality": quality})
    return rows


def principal(
    train: Images, test: Images, many: Sequence[int], steps: Sequence[float]
) -> dict[str, list[dict[str, Any]]]:
    """Components of the training images: unquantised, and coded with every step.

    A step is that of a coefficient of orthonormal components of pixels in [0, 1].
    """
    if train.shape[1:] != test.shape[1:]:
        raise SignalError(f"training images are {train.shape[1:]}, test images {test.shape[1:]}")
    rows = [(images.reshape(len(images), -1) / np.float32(255)) for images in (train, test)]
    exact, coded = [], []
    for each in linear.sweep(*rows, many, [0.0, *steps]):
        row = _row("components", test, each.bytes, 255 * each.rows.reshape(test.shape))
        if each.step:
            coded.append(row | {"components": each.components, "step": each.step})
        else:
            exact.append({"components": each.components, "psnr": row["psnr"]})
    return {"exact": exact, "coded": coded}


def unpack(archives: dict[str, Images], folder: Path) -> None:
    """Write every image as FOLDER/NAME/00000.png."""
    for name, images in archives.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(folder / name / f"{number:05d}.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 after an error of the input."""
    parser = argparse.ArgumentParser(prog="benchmarks.cifar", description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=Path, required=True, help="npz of training images")
    parser.add_argument("--test", type=Path, required=True, help="npz of test images")
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--unpack", type=Path, metavar="FOLDER", help="write the images as PNG")
    parser.add_argument("--components", type=int, nargs="+", default=[64, 128, 1536])
    parser.add_argument(
        "--steps", type=float, nargs="+",
        default=[2.0, 1.4, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.06],
    )  # fmt: skip
    args = parser.parse_args(argv)
    if args.json is None and args.unpack is None:
        parser.error("give --json, --unpack or both")
    try:
        train, test = load(args.train), load(args.test)
        if args.unpack is not None:
            unpack({"train": train, "test": test}, args.unpack)
        if args.json is None:
            return 0
        rows = ordinary(test)
        pca = principal(train, test, args.components, args.steps)
    except InrcError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    save({"images": len(test), "ordinary": rows, **pca}, args.json)
    for row in pca["exact"]:
        print(f"{row['components']} components, not quantised: {row['psnr']:.2f} dB")
    for row in [*rows, *pca["coded"]]:
        setting = row.get("quality", f"K={row.get('components')} step={row.get('step')}")
        print(f"{row['codec']:10} {setting!s:18} {row['bpp']:.3f} bpp {row['psnr']:.2f} dB")
    return 0


def _row(name: str, images: Images, size: int, decoded: NDArray[Any]) -> dict[str, Any]:
    pixels = images.shape[0] * images.shape[1] * images.shape[2]
    return {
        "codec": name,
        "bytes_per_image": size / len(images),
        "bpp": 8 * size / pixels,
        "psnr": psnr(images, decoded),
    }


if __name__ == "__main__":
    sys.exit(main())
