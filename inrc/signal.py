"""The contract of a modality: how one kind of file becomes a Signal, and back.

A Signal is where a field is asked (queries) and what it should answer there (features). It comes
in P parts that share one description: the patches of an image, the time steps of a NetCDF file.
Every part is one row of a batch and gets its own latent.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from math import isfinite, prod
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc.errors import SignalError, UsageError
from inrc.lossless import deflated_size

CONTRACT = 1
"""Version of this contract; a plugin states the one that it was written for."""


@dataclass(frozen=True)
class Signal:
    """Queries and features of one file, in P parts of M observations each.

    `queries` may have one part that all share. `features` lie near [0, 1]. `shape` is the shape of
    the whole, `prod(shape) == P * M` before patching pads it. `meta` holds plain values only
    (None, bool, int, float, str, bytes, and lists, tuples or dicts with string keys of them):
    what `Modality.write` needs. `weights` (0 where nothing is known, as on land for a sea
    temperature) multiply the squared error of an observation; None means 1 everywhere.
    """

    queries: Float[Tensor, "#P M Q"]
    features: Float[Tensor, "P M C"]
    shape: tuple[int, ...]
    meta: Mapping[str, Any]
    weights: Float[Tensor, "#P M"] | None = None

    def __post_init__(self) -> None:
        p, m = self.features.shape[:2]
        if self.queries.shape[0] not in (1, p) or self.queries.shape[1] != m:
            raise SignalError(
                f"signal: {tuple(self.queries.shape)} queries do not fit "
                f"{tuple(self.features.shape)} features"
            )

    @property
    def parts(self) -> int:
        return self.features.shape[0]

    def answer(self, features: Float[Tensor, "P M C"], queries: Tensor | None = None) -> "Signal":
        """The same signal with other features (those that a codec decoded)."""
        return replace(
            self, features=features, queries=self.queries if queries is None else queries
        )

    def array(self) -> NDArray[np.float32]:
        """Features of a joined signal as an array of its shape, and a last axis of C if C > 1.

        Raises SignalError for parts that are padded, as patches before they are joined may be.
        """
        channels = self.features.shape[2]
        if prod(self.shape) != self.features.shape[0] * self.features.shape[1]:
            raise SignalError(f"signal: {self.parts} parts do not make up {self.shape}; join them")
        shape = self.shape if channels == 1 else (*self.shape, channels)
        array: NDArray[np.float32] = self.features.detach().cpu().numpy().reshape(shape)
        return array


@dataclass(frozen=True)
class View:
    """What to decode instead of the original: another resolution, a part, other coordinates.

    `scale` multiplies the number of points along every axis of the grid. `region` names half-open
    intervals per axis in the units of the modality, (("lat", 30.0, 60.0), ("lon", 0.0, 40.0)).
    `at` is a native file whose coordinates are asked instead (regridding).
    """

    scale: float | None = None
    region: tuple[tuple[str, float, float], ...] = ()
    at: Path | None = None

    def __bool__(self) -> bool:
        return self.scale is not None or bool(self.region) or self.at is not None

    def intervals(self, axes: Sequence[str]) -> dict[str, tuple[float, float]]:
        """Both ends of the region, by axis.

        Raises:
            SignalError: an unknown or repeated axis, or an end that is not finite.
        """
        intervals: dict[str, tuple[float, float]] = {}
        for axis, low, high in self.region:
            if axis not in axes or axis in intervals:
                raise SignalError(
                    f"region: unknown or repeated axis {axis!r}; give {' or '.join(axes)}"
                )
            if not (isfinite(low) and isfinite(high)):
                raise SignalError(f"region {axis}: {low} to {high} is not finite; give numbers")
            intervals[axis] = (low, high)
        return intervals

    def factor(self) -> float:
        """The scale, 1 without one.

        Raises:
            SignalError: a scale that is not a positive number, or `at` beside it.
        """
        if self.scale is None:
            return 1.0
        if self.at is not None:
            raise SignalError("scale and at: give one of them, not both")
        if not (isfinite(self.scale) and self.scale > 0):
            raise SignalError(f"scale {self.scale}: give a number above 0")
        return self.scale


@dataclass(frozen=True)
class QueryPlan:
    """Where a decoder asks the field: queries, and which encoded part answers each of them.

    Part `i` of the decoded signal has queries `queries[i]` (or the shared one) and is answered by
    the latent of encoded part `parts[i]`.
    """

    queries: Float[Tensor, "#P M Q"]
    parts: tuple[int, ...]


Reconstruction = Generator[QueryPlan, Tensor, Signal]
"""Yields where to ask, is sent the features P M C that the field answers, returns the signal."""


@dataclass(frozen=True)
class Baseline:
    """An ordinary codec that users of a kind of data would pick instead.

    `encode(original, quality)` gives all the bytes that its decoder needs, container and header
    included. `decode(data, original, decoded)` writes the native file `decoded`; from `original` it
    takes only what no codec of the kind keeps (coordinates, attributes), never a value.

    Args:
        name: what people call it, `JPEG 2000`.
        unit: what `quality` is: `dB`, `kbit/s`, `CRF`, `step`.
        qualities: settings to try, in order of growing rate.
        encode: native file and quality to bytes.
        decode: bytes, original and name of the file to write.
        needs: package or file whose absence makes it unavailable, for a message; None if none.
        brings: command that makes what it needs, if that is no package.
        learned: file that it was learned into; what was measured with another content is outdated.
    """

    name: str
    unit: str
    qualities: tuple[float, ...]
    encode: Callable[[Path, float], bytes]
    decode: Callable[[bytes, Path, Path], None]
    needs: str | None = None
    brings: str | None = None
    learned: Path | None = None


class Modality(ABC):
    """How one kind of file becomes a Signal, and back. Holds settings, no state.

    The settings are the arguments of `__init__`, kept as attributes of the same names: the model's
    card stores them, and `type(self)(**self.settings())` must give an equal modality.
    """

    contract: ClassVar[int] = CONTRACT
    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    also_written: ClassVar[tuple[str, ...]] = ()
    """Suffixes besides `suffixes` that `write` takes, such as those of a video of views."""
    read_only: ClassVar[tuple[str, ...]] = ()
    """Further suffixes of files that are read and not written."""
    unit: ClassVar[str]
    """One observation, in the singular: a rate is counted in bits per `unit`."""
    axes: ClassVar[tuple[str, ...]] = ()
    """Names of the axes that `View.region` may cut."""

    query_dim: int
    point_dim: int
    value_dim: int
    feature_dim: int

    def settings(self) -> dict[str, Any]:
        """The arguments that make an equal modality; plain values only.

        Default: the attributes that have the names of the arguments.
        """
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def resolve(self, paths: Sequence[Path]) -> "Modality":
        """The modality with what must be known of these (training) files among its settings.

        Default: this one. Raises SignalError if they tell nothing.
        """
        return self

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether a file found in a folder is one to read; default: by the end of its name.

        For files that are read beside another one, and are no signals of their own.
        """
        return path.name.lower().endswith(cls.suffixes + cls.read_only)

    @abstractmethod
    def read(self, path: Path) -> Signal:
        """Read a native file.

        Raises SignalError with one line (what, which file, what to do) for whatever is wrong.
        """

    @abstractmethod
    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal as a native file, format by suffix."""

    @abstractmethod
    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Shape of the whole signal, from its meta alone and before anything is allocated."""

    @abstractmethod
    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """Where to ask to decode a file of this meta.

        With an empty view: the parts and queries that `split(read(path))` had, unless files are
        rebuilt from other places than they are learned at (a surface from a grid around it).
        Raises SignalError for a view that makes no sense here (unknown axis, empty region).
        """

    @abstractmethod
    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """Quality of a decoded file beside its original, `psnr` (dB) among the measures."""

    @abstractmethod
    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` small native files that look like the real thing: the offline default."""

    def split(self, signal: Signal) -> Signal:
        """Cut a signal into the parts that are encoded one by one; the default keeps its parts."""
        return signal

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        """Put the features decoded at `plan_queries(meta, view)` together as the signal to write.

        Its meta describes the file that results. With an empty view it equals `meta`, unless files
        are rebuilt from other places than they are learned at (a scene from other cameras).
        """
        plan = self.plan_queries(meta, view)
        return Signal(plan.queries, features, tuple(features.shape[:2]), meta)

    def reconstruct(self, meta: Mapping[str, Any], view: View) -> Reconstruction:
        """How a decoder gets a signal out of a field, by asking it once or several times.

        The default asks once. Whoever looks only where a first, coarse answer says that there is
        something (a surface in space) yields more than one Ask.
        """
        plan = self.plan_queries(meta, view)
        features = yield plan
        return self.join(features, meta, view)

    def evaluation_view(self, original: Path) -> View:
        """What to decode of this file to measure it; default: all of it, as it was."""
        return View()

    def renamed(self, names: Mapping[str, str]) -> "Modality":
        """The modality that also reads files whose variables have other names.

        Args:
            names: for names in files, the names of the model.

        Raises:
            UsageError: the default, for data without named variables.
        """
        raise UsageError(f"rename: {self.name} files do not have named variables")

    def outline(self, meta: Mapping[str, Any], path: Path) -> tuple[str, ...]:
        """Write a NetCDF file that lacks the values of the decoded variables, for xarray.

        Args:
            meta: of the decoded file.
            path: of the file to write.

        Returns:
            The names of the variables whose values are left out.

        Raises:
            SignalError: the default, for data that xarray does not open.
        """
        raise SignalError(f"xarray does not open {self.name} files; use `inrc decompress`")

    def suffix(self, meta: Mapping[str, Any]) -> str:
        """What a decoded file's name ends with where nobody said; default: meta's "suffix"."""
        suffix = meta.get("suffix")
        return suffix if suffix in self.suffixes else self.suffixes[0]

    @classmethod
    def ending(cls, name: str) -> str:
        """The end of a name that says its format: the longest that is known, else the last."""
        fits = [suffix for suffix in cls.suffixes if name.lower().endswith(suffix)]
        return max(fits, key=len) if fits else PurePath(name).suffix

    def lossless_suffix(self, suffix: str) -> str:
        """The suffix under which a decoded file loses nothing more; default: its own.

        Quality is measured on such files: a photograph that came as JPEG and is decoded to JPEG
        would lose twice, and only the first time is the codec's.
        """
        return suffix

    def measurable(self, path: Path) -> str:
        """The suffix of a decoded file that is to be compared with this one."""
        return self.lossless_suffix(self.ending(path.name))

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """The codecs that a user of this data would choose instead; default: none.

        With the file of a model, also the codecs that are trained and stored beside it. A codec
        whose file is missing names it in `needs`, and the command that makes it in `brings`.

        Raises ModelError for a damaged file.
        """
        return []

    def points(self, queries: Float[Tensor, "B M Q"]) -> Float[Tensor, "B M S D"]:
        """The S points of the field that each query looks at; default: the query itself."""
        return queries.unsqueeze(-2)

    def observe(
        self, values: Float[Tensor, "B M S F"], queries: Float[Tensor, "B M Q"]
    ) -> Float[Tensor, "B M C"]:
        """What is seen of the S values at a query's points; default: the only one."""
        return values.squeeze(-2)

    def picture(
        self, original: Path, decoded: Path
    ) -> "tuple[dict[str, Any], dict[str, Any]] | None":
        """Two arrays to show side by side, as {"image": H W [3], "unit": str}; None if none."""
        return None

    def num_units(self, shape: tuple[int, ...]) -> int:
        """Number of `unit`s in a signal of this shape: what a rate is divided by."""
        return prod(shape)

    def memory(self, meta: Mapping[str, Any], view: View) -> int:
        """Bytes of memory that decoding a file of this meta takes, about; nothing is allocated.

        Default: `query_memory` of one query for each value of `shape(meta)`, and `scale` times as
        many along every axis. A modality whose `plan_queries` makes more queries overrides it.
        """
        shape = self.shape(meta)
        scale = min(max(1.0, view.scale or 1.0), 1e6)
        return self.query_memory(int(prod(shape) * scale ** len(shape)))

    def query_memory(self, queries: int) -> int:
        """Bytes for so many queries: their coordinates, and features as decoded, joined, written.

        Coordinates and features take 4 bytes each; writers convert features to 8 bytes.
        """
        return queries * (4 * self.query_dim + 16 * self.feature_dim)

    def lossless_size(self, path: Path, signal: Signal) -> int:
        """Bytes that a lossless coding of the file's values takes, about.

        An archive that is larger is not written. Default: deflate of the signal's features, see
        `inrc.lossless`. A modality whose features are not the values of the file overrides it.
        """
        return deflated_size(signal.features)

    def losses(self, path: Path) -> list[str]:
        """What compressing this file loses besides precision, a few words each; default: nothing.

        For example `EXIF`, `16 of 20 tags`, `the second audio track`: contents of the file that
        are neither in the signal nor in its meta.
        """
        return []


def flat(tensor: Tensor) -> Tensor:
    """A contiguous float32 copy-or-view, as Signal wants it."""
    return tensor.to(torch.float32).contiguous()
