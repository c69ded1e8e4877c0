"""The shape plugin: signed distances around a mesh, and a mesh out of them."""

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Reconstruction, Signal, View
from inrc_modalities.sdf import draco, kinds, points, quality, render, sample
from inrc_modalities.sdf.distance import signed
from inrc_modalities.sdf.explore import MAX_POINTS, Shell, decided, explore
from inrc_modalities.sdf.lattice import Lattice, lattice, unname
from inrc_modalities.sdf.mesh import SUFFIXES, Mesh, load, losses, save
from inrc_modalities.sdf.place import Place, placed
from inrc_modalities.sdf.surface import crossed, triangulate

_CORNER_BYTES = 170  # a corner with what is known of it: MAX_POINTS of them take 1 GiB


class SDF(Modality):
    """A closed surface; features are signed distances to it, or what is inside.

    A mesh is moved into the cube [-1, 1]^3 and sampled at points: some spread over the cube, the
    same for all files of a model, and some near the surface. Decoding runs marching cubes on a grid
    that is evaluated only where a surface can be. The surface comes back with other vertices and
    triangles; colours, normals and textures are lost.

    Args:
        samples: points of a file; those in space are rounded up to a multiple of 48.
        near: share of them near the surface. Methods that solve for a latent in closed form
            (`inrc.methods.Basis`) need 0: points that all files share.
        resolution: cells of the grid along the cube at decoding; `View.scale` multiplies it.
        truncation: distance, in half sides of the cube, at which distances are clipped.
        field: "distance", or "occupancy": 1 inside and 0 outside.
        emphasis: weight of an observation on the surface; it falls to 1 at the truncation.
        seed: of the points.
    """

    name: ClassVar[str] = "sdf"
    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES
    unit: ClassVar[str] = "shape"
    axes: ClassVar[tuple[str, ...]] = ("x", "y", "z")

    def __init__(
        self,
        samples: int = 16384,
        near: float = 0.5,
        resolution: int = 128,
        truncation: float = 0.2,
        field: str = "distance",
        emphasis: float = 1.0,
        seed: int = 0,
    ) -> None:
        if not 1 <= samples <= MAX_POINTS or not 0.0 <= near <= 1.0:
            raise SignalError(f"sdf: samples {samples}, near {near}; give 1 or more and 0 to 1")
        if not 4 <= resolution <= 1024:
            raise SignalError(f"sdf: resolution {resolution}; give 4 to 1024")
        if not 1.0 <= emphasis < math.inf:
            raise SignalError(f"sdf: emphasis {emphasis}; give 1 or more")
        self.samples, self.near, self.resolution = samples, near, resolution
        self.truncation, self.field, self.emphasis, self.seed = truncation, field, emphasis, seed
        self.kind = kinds.kind(field, truncation)
        self.query_dim = self.point_dim = 3
        self.value_dim = self.feature_dim = 1
        self._close = round(samples * near)
        self._apart = points.rounded(samples - self._close)

    def read(self, path: Path) -> Signal:
        """Read a mesh file as one part: distances at points of its cube."""
        mesh, place = placed(path)
        asked = np.concatenate(
            [
                points.space(self._apart, self.seed),
                points.near(mesh, self._close, self.seed),
            ]
        )
        # the field is evaluated at float32 points
        asked = asked.astype(np.float32).astype(np.float64)
        distance = signed(mesh, asked)
        weights = None
        if self.emphasis > 1.0:
            rise = np.maximum(0.0, 1.0 - np.abs(distance) / self.truncation)
            weights = tensor(1.0 + (self.emphasis - 1.0) * rise)[None]
        return Signal(
            tensor(asked)[None],
            tensor(self.kind.feature(distance))[None, :, None],
            (len(asked),),
            {"place": place.plain},
            weights,
        )

    def write(self, signal: Signal, path: Path) -> None:
        """Write a rebuilt signal as a mesh in its own units."""
        if "faces" not in signal.meta:
            raise SignalError(f"{path}: points around a shape are no surface; rebuild it first")
        self.shape(signal.meta)
        vertices = signal.queries[0].numpy().astype(np.float64)
        faces = np.frombuffer(signal.meta["faces"], "<i4").reshape(-1, 3).astype(np.int64)
        save(Mesh(Place.of(signal.meta).outward(vertices), faces), path)

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """(points,) of a file, (vertices,) of what is rebuilt."""
        Place.of(meta)
        if "faces" not in meta:
            return (self._apart + self._close,)
        vertices, faces = meta.get("vertices"), meta["faces"]
        if type(vertices) is not int or vertices < 3 or not isinstance(faces, bytes):
            raise SignalError("sdf: invalid surface; the file is damaged")
        index = np.frombuffer(faces, "<i4") if len(faces) % 12 == 0 else np.array([-1])
        if len(index) == 0 or index.min() < 0 or index.max() >= vertices:
            raise SignalError("sdf: invalid surface; the file is damaged")
        return (vertices,)

    def memory(self, meta: Mapping[str, Any], view: View) -> int:
        """Bytes that decoding takes: so many corners are looked at together at most."""
        self.shape(meta)
        side = min(self.resolution * max(1.0, view.scale or 1.0), 4096.0) + 1
        return min(int(side**3), MAX_POINTS) * _CORNER_BYTES

    def lossless_size(self, path: Path, signal: Signal) -> int:
        """Bytes of the file itself, deflated: the points of the signal are not in it."""
        return len(zlib.compress(path.read_bytes()))

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """All corners of the grid of a view; `reconstruct` needs few of them.

        `View.scale` multiplies the resolution; `View.region` is in units of the file, widened to
        whole cells.
        """
        box = self._lattice(meta, view)
        count = math.prod(box.nodes)
        if count > MAX_POINTS:
            raise SignalError(f"sdf: {count} corners at once, more than {MAX_POINTS}; use rebuild")
        nodes = unname(np.arange(count), box.nodes)
        return QueryPlan(tensor(box.points(nodes))[None], (0,))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        box = self._lattice(meta, view)
        names = np.arange(math.prod(box.nodes))
        values = decided(box, self.kind, unname(names, box.nodes), self._values(features), True)
        return self._signal(crossed(names, values, box), box, meta)

    def reconstruct(self, meta: Mapping[str, Any], view: View) -> Reconstruction:
        """Ask from coarse to fine where a surface can be, and make it a mesh.

        The mesh is that of `join(plan_queries(...))`, at a few per cent of the points.
        """
        box = self._lattice(meta, view)
        walk = explore(box, self.kind)
        where = next(walk)
        try:
            while True:
                features = yield QueryPlan(tensor(where)[None], (0,))
                where = walk.send(self._values(features))
        except StopIteration as end:
            return self._signal(end.value, box, meta)

    def losses(self, path: Path) -> list[str]:
        """What a mesh file holds beside its surface: colours, normals, textures, holes."""
        return losses(path)

    def num_units(self, shape: tuple[int, ...]) -> int:
        """One: a rate is counted per shape, for any number of points."""
        return 1

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """Surface `psnr`, `chamfer`, `normal_consistency` and `iou` of two files; see `quality`."""
        return quality.measure(load(original), load(decoded))

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` seeded PLYs of smooth blends of simple bodies."""
        return sample.write(folder, seed, count)

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """Draco, which quantises and predicts vertices and keeps how they are joined."""
        return [draco.BASELINE]

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both shapes seen from the same place, H W 3 in [0, 1]."""
        first, second = load(original), load(decoded)
        eye = render.Eye.on(first)
        return tuple(  # type: ignore[return-value]
            {"image": render.shade(mesh, eye), "unit": ""} for mesh in (first, second)
        )

    def _lattice(self, meta: Mapping[str, Any], view: View) -> Lattice:
        if view.at is not None:
            raise SignalError("at: a shape has no grid of another file; use scale or region")
        region = view.intervals(self.axes)
        return lattice(Place.of(meta), self.resolution, view.factor(), region)

    def _values(self, features: Tensor) -> NDArray[np.float64]:
        return self.kind.value(features[0, :, 0].detach().cpu().double().numpy())

    def _signal(self, shell: Shell, box: Lattice, meta: Mapping[str, Any]) -> Signal:
        mesh = triangulate(shell, box)
        vertices = tensor(mesh.vertices)[None]
        rebuilt = {
            "place": list(meta["place"]),
            "vertices": len(mesh.vertices),
            "faces": mesh.faces.astype("<i4").tobytes(),
        }
        answers = torch.full((1, len(mesh.vertices), 1), 0.5)
        return Signal(vertices, answers, (len(mesh.vertices),), rebuilt)


def tensor(array: NDArray[np.float64]) -> Tensor:
    """As Signal wants it."""
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
