"""Folders of radiance scenes as training data."""

from pathlib import Path

from inrc.data import SignalDataModule
from inrc.errors import SignalError, UsageError
from inrc_modalities.nerf import srn
from inrc_modalities.nerf.modality import NeRF
from inrc_modalities.nerf.rows import RayRows, even_rows, shots


class NeRFDataModule(SignalDataModule):
    """Any folder of scenes, searched recursively, or one scene.

    A scene is a transforms*.json or an .npz; those whose names end with _test or _val are the
    held-out views of their neighbours, which are left out of training. One scene alone is learned
    by the network itself and evaluated on its held-out views.

    Args:
        root: folder of scenes, or one scene file; None draws a small sample.
        val_root: folder of validation scenes; None keeps a part of `root`, the last by name.
        near: distance from the camera where rays begin to be sampled.
        far: distance where that ends.
        bound: radius of the ball around the origin that holds the scenes.
        samples: equal steps of a ray, each looked at once.
        background: red, green and blue, 0 to 1; white if None.
        directions: degree of the spherical harmonics of colour, 0 to 2.
        rays: most rays of a scene that are encoded; None takes all.
        frames: views of the turntable of the default decoding.
        cameras: keep the poses of the views in every file.
        step_rays: random rays of every scene of a batch, anew in each step.
        batch_size: scenes per step and process.
        val_fraction: share of `root` kept for validation where there is no `val_root`.
        sample_folder: where the sample goes.
        sample_count: scenes of the sample.
        seed: of the sample.
        workers: processes that read ahead.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first.

    Raises:
        UsageError: numbers out of range.
        SignalError: a folder that is missing or holds no scene, or scenes that cannot be read.
    """

    modality: NeRF

    def __init__(
        self,
        root: Path | None = None,
        val_root: Path | None = None,
        near: float = 2.0,
        far: float = 6.0,
        bound: float = 2.0,
        samples: int = 32,
        background: list[float] | None = None,
        directions: int = 0,
        rays: int | None = 4096,
        frames: int = 24,
        cameras: bool = False,
        step_rays: int = 1024,
        batch_size: int = 4,
        val_fraction: float = 0.2,
        sample_folder: Path = Path("runs/sample/nerf"),
        sample_count: int = 32,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        super().__init__(
            NeRF(near, far, bound, samples, background, directions, rays, frames, cameras), root,
            batch_size, val_fraction, sample_folder, sample_count, seed, workers, skip_bad,
        )  # fmt: skip
        if step_rays < 1:
            raise UsageError("scenes: step_rays must be 1 or more")
        if val_root is not None and root is None:
            raise UsageError("scenes: a val_root needs a root to train on")
        self.val_root = val_root
        self.step_rays = step_rays

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training scenes and validation scenes."""
        if self.root is None:
            return super().files()
        paths = self.scenes(self.root)
        if self.val_root is not None:
            return paths, self.scenes(self.val_root)
        held = min(max(round(len(paths) * self.val_fraction), 1), len(paths) - 1)
        return (paths[:-held], paths[-held:]) if held else (paths, paths)

    def scenes(self, root: Path) -> list[Path]:
        """The scenes below a folder, in order of their names, or the one file given."""
        if root.is_file():
            return [root]
        paths = sorted(p for p in root.rglob("*") if self.modality.accepts(p) and p.is_file())
        if not paths:
            raise SignalError(f"{root}: no scenes here (looked for transforms*.json and .npz)")
        return paths

    def setup(self, stage: str) -> None:
        """Read all views into memory, once."""
        if self.train_rows is None:
            self.train_paths, self.val_paths = self.usable_files()
            self.val_rows = even_rows(self.modality, self.val_paths)
            rows = even_rows(self.modality, self.train_paths)
            scenes = tuple(shots(self.modality, path) for path in self.train_paths)
            self.train_rows = RayRows(
                rows.queries, rows.features, scenes=scenes, count=self.step_rays
            )


class NerfSynthetic(NeRFDataModule):
    """The eight scenes of NeRF (nerf_synthetic: chair, drums, ficus, hotdog, lego, ...).

    Mildenhall et al., "NeRF", arXiv:2003.08934; the scenes are of several artists, each with a
    licence of its own (README of the data set).

    Args:
        root: the folder of the data set, or that of one of its scenes.
        scene: name of the scene to learn, `lego`; None takes all in the folder.
        bound: radius of the ball that holds the scene.
        samples: equal steps of a ray.
        directions: degree of the spherical harmonics of colour, 0 to 2.
        rays: most rays of a scene that are encoded.
        frames: views of the turntable.
        step_rays: random rays of every scene of a batch.
        batch_size: scenes per step and process.
        workers: processes that read ahead.

    Raises:
        SignalError: no such scenes in the folder.
    """

    def __init__(
        self,
        root: Path,
        scene: str | None = None,
        bound: float = 2.0,
        samples: int = 64,
        directions: int = 1,
        rays: int | None = 16384,
        frames: int = 40,
        step_rays: int = 1024,
        batch_size: int = 1,
        workers: int = 0,
    ) -> None:
        super().__init__(
            root=root if scene is None else root / scene, near=2.0, far=6.0, bound=bound,
            samples=samples, directions=directions, rays=rays, frames=frames, step_rays=step_rays,
            batch_size=batch_size, workers=workers,
        )  # fmt: skip

    def scenes(self, root: Path) -> list[Path]:
        """The training descriptions."""
        paths = sorted(root.rglob("transforms_train.json"))
        if not paths:
            raise SignalError(f"{root}: no transforms_train.json here; is it nerf_synthetic?")
        return paths


class SRNCars(NeRFDataModule):
    """ShapeNet cars as rendered for Scene Representation Networks (arXiv:1906.01618).

    A folder per car: intrinsics.txt, pose/*.txt and rgb/*.png of 128 by 128 pixels.

    Args:
        root: cars_train, or any folder of such folders.
        val_root: cars_val or cars_test; None keeps a part of `root`.
        samples: equal steps of a ray; 32 in Functa (arXiv:2201.12204).
        rays: most rays of a scene that are encoded; 8 views of 1024 in Functa.
        frames: views of the turntable.
        step_rays: random rays of every scene of a batch.
        batch_size: scenes per step and process.
        limit: take at most so many scenes of either folder, the first by name.
        workers: processes that read ahead.

    Raises:
        SignalError: no such scenes in the folder.
    """

    def __init__(
        self,
        root: Path,
        val_root: Path | None = None,
        samples: int = 32,
        rays: int | None = 8192,
        frames: int = 24,
        step_rays: int = 1024,
        batch_size: int = 4,
        limit: int | None = None,
        workers: int = 0,
    ) -> None:
        # cameras on a sphere of radius 1.3 around cars that are one unit long
        super().__init__(
            root=root, val_root=val_root, near=0.7, far=1.9, bound=0.6, samples=samples, rays=rays,
            frames=frames, step_rays=step_rays, batch_size=batch_size, workers=workers,
        )  # fmt: skip
        if limit is not None and limit < 1:
            raise UsageError("cars: limit must be 1 or more")
        self.limit = limit

    def scenes(self, root: Path) -> list[Path]:
        """The intrinsics of the cars."""
        paths = sorted(root.rglob(srn.NAME))
        if not paths:
            raise SignalError(f"{root}: no intrinsics.txt here; give the folder of the cars")
        return paths[: self.limit]
