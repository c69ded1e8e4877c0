"""Conversions between planes of a file, features of a field and colours of a screen."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc_modalities.video.clip import LAYOUTS, Clip, Colour

# ISO/IEC 23091-2, MatrixCoefficients: weights of red and blue in the luma; unspecified
# means ITU-R BT.601, as in FFmpeg
_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
_BT601 = (0.299, 0.114)
_LIMITED = 1
NEUTRAL = 128 / 255
"""A chroma sample without colour: level 128."""
_FULL_BT601 = Colour(range=2, matrix=6)


def luma(weights: tuple[float, float]) -> NDArray[np.float64]:
    """The matrix from R, G, B in [0, 1] to Y in [0, 1] and Cb, Cr in [-0.5, 0.5]."""
    red, blue = weights
    green = 1.0 - red - blue
    return np.array(
        [
            [red, green, blue],
            [-red / (2 - 2 * blue), -green / (2 - 2 * blue), 0.5],
            [0.5, -green / (2 - 2 * red), -blue / (2 - 2 * red)],
        ]
    )


_TO_YUV = luma(_BT601)
_TO_RGB = np.linalg.inv(_TO_YUV)


def features(clip: Clip, chroma: float) -> Float[Tensor, "T M 3"]:
    """Y, Cb and Cr of every frame and pixel, in single precision.

    Samples over 255, chroma at the resolution of the luma by repetition, and then brought nearer to
    its neutral level by the factor `chroma`. RGB becomes BT.601 of the full range, unrounded; grey
    has neutral chroma. One frame at a time, so that only the result is large.
    """
    frames, height, width = clip.shape
    result = torch.empty(frames, height * width, 3)
    for number, planes in enumerate(zip(*clip.planes, strict=True)):
        frame = result[number].view(height, width, 3).numpy()
        if clip.layout == "rgb":
            frame[...] = np.stack(planes, axis=-1) / 255.0 @ _TO_YUV.T
            frame[..., 1:] *= chroma
            frame[..., 1:] += NEUTRAL
            continue
        frame[..., 0] = planes[0] * np.float32(1 / 255)
        frame[..., 1:] = NEUTRAL
        for i, plane in enumerate(planes[1:], 1):
            fine = repeated(plane, LAYOUTS[clip.layout].down, (height, width))
            frame[..., i] = (fine / 255.0 - NEUTRAL) * chroma + NEUTRAL
    return result


def planes(
    values: Float[Tensor, "T M 3"], shape: tuple[int, int, int], layout: str, chroma: float
) -> tuple[NDArray[np.uint8], ...]:
    """The planes that `features` reads as these values, after rounding to the nearest level.

    A chroma sample is the mean over the pixels that it stands for.
    """
    frames, height, width = shape
    sizes = LAYOUTS[layout].sizes(height, width)
    result = tuple(np.empty((frames, *size), np.uint8) for size in sizes)
    for number in range(frames):
        frame = values[number].detach().cpu().double().nan_to_num(0.5).numpy()
        frame = frame.reshape(height, width, 3)
        signed = (frame[..., 1:] - NEUTRAL) / chroma
        if layout == "rgb":
            colours = np.concatenate([frame[..., :1], signed], axis=-1) @ _TO_RGB.T
            for i in range(3):
                result[i][number] = levels(colours[..., i])
            continue
        result[0][number] = levels(frame[..., 0])
        for i in range(1, len(sizes)):
            mean = averaged(signed[..., i - 1], LAYOUTS[layout].down)
            result[i][number] = levels(mean + NEUTRAL)
    return result


def levels(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values in [0, 1] as 8-bit levels, clipped and rounded."""
    return np.floor(np.clip(values, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def repeated(
    plane: NDArray[np.uint8], down: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """A plane at the resolution of the luma, cropped to its size."""
    fine = plane.repeat(down[0], axis=0) if down[0] > 1 else plane
    fine = fine.repeat(down[1], axis=1) if down[1] > 1 else fine
    return fine[: size[0], : size[1]]


def averaged(plane: NDArray[np.float64], down: tuple[int, int]) -> NDArray[np.float64]:
    """Means over the blocks that `repeated` fills; at the end, over the pixels that are there."""
    height, width = plane.shape
    pad = ((0, -height % down[0]), (0, -width % down[1]))
    blocks = np.pad(plane, pad, mode="edge")  # a repeated pixel does not change a mean of repeats
    blocks = blocks.reshape(-(-height // down[0]), down[0], -(-width // down[1]), down[1])
    return blocks.mean(axis=(1, 3))


def rgb(clip: Clip, number: int) -> NDArray[np.uint8]:
    """A frame in the colours of a screen: H W 3, 8 bits, chroma repeated."""
    frame = [plane[number] for plane in clip.planes]
    if clip.layout == "rgb":
        return np.stack(frame, axis=-1)
    size = frame[0].shape
    full = [repeated(p, LAYOUTS[clip.layout].down, (size[0], size[1])) for p in frame[1:]]
    # ITU-R BT.601: 16 to 235 for luma, 16 to 240 for chroma, unless the whole range is used
    limited = clip.colour.range <= _LIMITED
    low, luma_span, chroma_span = (16.0, 219.0, 224.0) if limited else (0.0, 255.0, 255.0)
    value = (frame[0] - low) / luma_span
    if not full:
        return np.repeat(levels(value)[..., None], 3, axis=-1)
    signed = [(plane - 128.0) / chroma_span for plane in full]
    matrix = np.linalg.inv(luma(_WEIGHTS.get(clip.colour.matrix, _BT601)))
    return levels(np.stack([value, *signed], axis=-1) @ matrix.T)


def as_yuv(clip: Clip) -> Clip:
    """An RGB clip as 4:4:4 of the full range of BT.601, rounded."""
    planes = tuple(np.empty_like(plane) for plane in clip.planes)
    for number, frame in enumerate(zip(*clip.planes, strict=True)):
        values = np.stack(frame, axis=-1) / 255.0 @ _TO_YUV.T
        for i in range(3):
            planes[i][number] = levels(values[..., i] + (NEUTRAL if i else 0.0))
    colour = replace(_FULL_BT601, primaries=clip.colour.primaries, transfer=clip.colour.transfer)
    return replace(clip, planes=planes, layout="yuv444p", colour=colour)
