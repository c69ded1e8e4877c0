"""The nerf plugin: pixels as what rays see of density and colour in space."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Reconstruction, Signal, View, flat
from inrc_modalities.nerf import files, header, hevc, orbit, quality, rendering, sample, views
from inrc_modalities.nerf.cameras import RAY, Cameras, spread
from inrc_modalities.nerf.scene import Scene


class NeRF(Modality):
    """A radiance scene: pictures of it, and the cameras that took them.

    A query is a ray (origin, unit direction, place of the samples within their steps); its feature
    is the colour of a pixel over `background`. The field fills a ball around the origin, whose
    radius is 1 in its coordinates. A decoder renders the cameras of another file (`View.at`), of
    the header (`cameras`), or of a turntable: `frames` views on a circle like the original path.

    Args:
        near: distance from the camera, in units of the scene, where rays begin to be sampled.
        far: distance where that ends.
        bound: radius of the ball around the origin that holds the scene; rays are sampled in it.
        samples: equal steps of a ray's way through the ball, each evaluated once.
        background: red, green and blue, 0 to 1, behind the scene and transparent pixels.
        directions: degree, 0 to 2, of the spherical harmonics by which colour depends on the
            viewing direction; 0 is matt.
        rays: largest number of rays of a scene to encode, evenly from its views; None takes all.
        frames: views of the turntable.
        cameras: keep the poses of the views in every file, 48 bytes each, and decode those views.

    Raises:
        SignalError: settings out of range.
    """

    name: ClassVar[str] = "nerf"
    suffixes: ClassVar[tuple[str, ...]] = (".json", ".npz")
    also_written: ClassVar[tuple[str, ...]] = (".txt", ".mp4", ".mkv")
    unit: ClassVar[str] = "view"
    axes: ClassVar[tuple[str, ...]] = ("view",)

    def __init__(
        self,
        near: float = 2.0,
        far: float = 6.0,
        bound: float = 2.0,
        samples: int = 32,
        background: list[float] | None = None,
        directions: int = 0,
        rays: int | None = 4096,
        frames: int = 24,
        cameras: bool = False,
    ) -> None:
        lit = [1.0, 1.0, 1.0] if background is None else [float(each) for each in background]
        rendering.check(near, far, bound, samples, lit, directions)
        if frames < 1 or (rays is not None and rays < 1):
            raise SignalError(f"nerf: frames {frames}, rays {rays}; give 1 or more")
        self.near = float(near)
        self.far = float(far)
        self.bound = float(bound)
        self.samples = samples
        self.background = lit
        self.directions = directions
        self.rays = rays
        self.frames = frames
        self.cameras = cameras
        self.query_dim = RAY
        self.point_dim = 3
        self.value_dim = 1 + 3 * (directions + 1) ** 2
        self.feature_dim = 3

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether a file is a scene, and not the held-out views of one (transforms_test.json)."""
        return files.is_scene(path)

    def read(self, path: Path) -> Signal:
        """Read a scene as one part: the same number of rays from each of its views."""
        scene = files.load(path)
        cameras = scene.cameras
        count = cameras.pixels
        if self.rays is not None:
            count = min(count, max(1, self.rays // len(cameras)))
        queries = torch.empty(len(cameras), count, RAY)
        features = torch.empty(len(cameras), count, 3)
        for number in range(len(cameras)):
            pixels = spread(cameras.pixels, count, number)
            queries[number] = cameras.rays(torch.full_like(pixels, number), pixels)
            view = torch.from_numpy(self.view(scene, number))
            features[number] = view.reshape(-1, 3)[pixels]
        meta = header.describe(cameras, count, self.path(cameras), self.cameras)
        shape = (len(cameras), count)
        return Signal(queries.reshape(1, -1, RAY), features.reshape(1, -1, 3), shape, meta)

    def view(self, scene: Scene, number: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """One picture over the background, H W 3 in [0, 1]."""
        red, green, blue = self.background
        return scene.over(number, (red, green, blue))

    def path(self, cameras: Cameras) -> list[int]:
        """The circle on which a scene with these cameras is shown."""
        return orbit.describe(cameras.poses, self.far)

    def write(self, signal: Signal, path: Path) -> None:
        """Write decoded views: .json with PNGs beside it, .npz, .mp4 or .mkv by suffix.

        A name that ends with .txt gives an SRN scene, folders rgb and pose beside it.
        """
        count, rays = self.shape(signal.meta)
        poses = header.poses(signal.meta)
        size = signal.meta["size"]
        if poses is None or rays != size[0] * size[1]:
            raise SignalError(f"{path}: some rays of a scene and not views; decode the scene first")
        values = signal.features.detach().cpu()
        if values.numel() != count * rays * 3:
            raise SignalError(
                f"{path}: {tuple(values.shape)} colours do not fit {count} views of {size}"
            )
        levels = torch.empty(count, size[0], size[1], 3, dtype=torch.uint8)
        for seen, into in zip(values.reshape(levels.shape), levels, strict=True):
            into.copy_(seen.nan_to_num(0.0).clamp(0.0, 1.0) * 255.0 + 0.5)
        cameras = Cameras(poses, (size[0], size[1]), signal.meta["focal"])
        files.save(cameras, levels.numpy(), path)

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Views and rays of each, from a checked header."""
        return header.shape(meta)

    def num_units(self, shape: tuple[int, ...]) -> int:
        """Number of views."""
        return shape[0]

    def memory(self, meta: Mapping[str, Any], view: View) -> int:
        """Bytes that decoding takes: the views of the turntable, and the samples of their rays."""
        count, _ = self.shape(meta)
        count = count if meta["poses"] is not None else self.frames
        scale = min(max(1.0, view.scale or 1.0), 1e4)
        rays = min(int(count * math.prod(meta["size"]) * scale**2), views.MAX_RAYS)
        return self.query_memory(rays) + 128 * count + 4096 * self.samples

    def lossless_size(self, path: Path, signal: Signal) -> int:
        """Bytes of all pixels, of which the signal has some."""
        height, width = signal.meta["size"]
        rays = signal.shape[1]
        return round(super().lossless_size(path, signal) * height * width / rays)

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """The rays of all pixels of the cameras of a view, as one part.

        `View.at` is a scene file with the cameras, `View.scale` multiplies the pixels along both
        sides, `View.region` takes a range of views by number.
        """
        return QueryPlan(self._cameras(meta, view).every()[None], (0,))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        cameras = self._cameras(meta, view)
        return self._seen(features, cameras.every()[None], meta, cameras)

    def reconstruct(self, meta: Mapping[str, Any], view: View) -> Reconstruction:
        """As by default, but the rays exist once: they are most of the memory of decoding."""
        cameras = self._cameras(meta, view)
        plan = QueryPlan(cameras.every()[None], (0,))
        features = yield plan
        return self._seen(features, plan.queries, meta, cameras)

    def points(self, queries: Float[Tensor, "B M Q"]) -> Float[Tensor, "B M S D"]:
        """One point in each step of a ray's way through the ball, in radii of the ball."""
        begin, length = rendering.interval(queries, self.near, self.far, self.bound)
        return rendering.walk(queries, begin, length, self.samples) / self.bound

    def observe(
        self, values: Float[Tensor, "B M S F"], queries: Float[Tensor, "B M Q"]
    ) -> Float[Tensor, "B M C"]:
        """What the rays see of density (first value) and colour (the others): NeRF, eq. 3."""
        _, length = rendering.interval(queries, self.near, self.far, self.bound)
        solid = rendering.density(values[..., 0])
        lit = rendering.colour(values[..., 1:], queries[..., 3:6], self.directions)
        step = length / (self.samples * self.bound)
        behind = torch.tensor(self.background, dtype=values.dtype, device=values.device)
        return rendering.composite(solid, lit, step.to(values), behind)

    def evaluation_view(self, original: Path) -> View:
        """The held-out views (transforms_test.json beside transforms_train.json), or its own."""
        return View(at=files.held_out(original) or original)

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """Means of PSNR (dB) and SSIM over the decoded views whose camera took an original one."""
        return quality.measure(self.view, original, decoded)

    def picture(
        self, original: Path, decoded: Path
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Some views that both have, as one picture; None if they have none in common."""
        return quality.picture(self.view, original, decoded)

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """HEVC of the views, in their order."""
        return hevc.baselines(self.view)

    def losses(self, path: Path) -> list[str]:
        """What a scene file loses: poses of its views unless `cameras`, opacity, other entries."""
        return [*([] if self.cameras else ["poses of its views"]), *files.losses(path)]

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` scenes of balls and boxes, each with training and held-out views."""
        return sample.write(self, folder, seed, count)

    def turntable(self, size: tuple[int, int], focal: float, path: list[int]) -> Cameras:
        """The cameras of the default decoding."""
        return Cameras(orbit.circle(path, self.frames, self.far), size, focal)

    @staticmethod
    def _seen(
        features: Tensor, queries: Tensor, meta: Mapping[str, Any], cameras: Cameras
    ) -> Signal:
        seen = header.describe(cameras, cameras.pixels, list(meta["orbit"]), True)
        return Signal(queries, flat(features), (len(cameras), cameras.pixels), seen)

    def _cameras(self, meta: Mapping[str, Any], view: View) -> Cameras:
        self.shape(meta)
        height, width = meta["size"]
        shown = self.turntable((height, width), meta["focal"], list(meta["orbit"]))
        return views.cameras(meta, view, shown)
