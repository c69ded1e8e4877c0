"""Folders of radiance scenes as training data."""

from dataclasses import dataclass, field
from pathlib import Path

from inrc.data import NamedDataSet, PatchDataset, SignalDataModule, option
from inrc.errors import SignalError
from inrc_modalities.nerf import srn
from inrc_modalities.nerf.modality import NeRF
from inrc_modalities.nerf.rows import RayRows, even_rows, shots


@dataclass(kw_only=True, eq=False)
class NeRFDataModule(SignalDataModule):
    """Any folder of scenes, searched recursively, or one scene.

    A scene is a transforms*.json or an .npz; those whose names end with _test or _val are the
    held-out views of their neighbours, which are left out of training. One scene alone is learned
    by the network itself and evaluated on its held-out views.

    Args:
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

    Raises:
        UsageError: an option out of range.
        SignalError: a folder that is missing or holds no scene, or scenes that cannot be read.
    """

    near: float = 2.0
    far: float = 6.0
    bound: float = 2.0
    samples: int = 32
    background: list[float] | None = None
    directions: int = 0
    rays: int | None = 4096
    frames: int = 24
    cameras: bool = False
    step_rays: int = option(1024, least=1)
    batch_size: int = 4
    sample_folder: Path = Path("runs/sample/nerf")

    modality: NeRF = field(init=False)

    def build_modality(self) -> NeRF:
        """Scenes of these options."""
        return NeRF(
            self.near, self.far, self.bound, self.samples, self.background, self.directions,
            self.rays, self.frames, self.cameras,
        )  # fmt: skip

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """New random rays of every scene in every batch."""
        rows = self.validation_rows(paths)
        scenes = tuple(shots(self.modality, path) for path in paths)
        return RayRows(rows.queries, rows.features, scenes=scenes, count=self.step_rays)

    def validation_rows(self, paths: list[Path]) -> PatchDataset:
        """As many rays of every scene."""
        return even_rows(self.modality, paths)


@dataclass(kw_only=True, eq=False)
class NerfSynthetic(NamedDataSet, NeRFDataModule):
    """The eight scenes of NeRF (nerf_synthetic: chair, drums, ficus, hotdog, lego, ...).

    Mildenhall et al., "NeRF", arXiv:2003.08934; the scenes are of several artists, each with a
    licence of its own (README of the data set).

    Args:
        root: the folder of the data set, or that of one of its scenes.
        scene: name of the scene to learn, `lego`; None takes all in the folder.

    Raises:
        SignalError: no such scenes in the folder.
    """

    root: Path = field(kw_only=False)
    scene: str | None = None
    val_fraction: float = 0.2
    samples: int = 64
    directions: int = 1
    rays: int | None = 16384
    frames: int = 40
    batch_size: int = 1

    def list_files(self, root: Path) -> list[Path]:
        """The training descriptions."""
        folder = root if self.scene is None else root / self.scene
        paths = sorted(folder.rglob("transforms_train.json"))
        if not paths:
            raise SignalError(f"{folder}: no transforms_train.json here; is it nerf_synthetic?")
        return paths


@dataclass(kw_only=True, eq=False)
class SRNCars(NamedDataSet, NeRFDataModule):
    """ShapeNet cars as rendered for Scene Representation Networks (arXiv:1906.01618).

    A folder per car: intrinsics.txt, pose/*.txt and rgb/*.png of 128 by 128 pixels. The defaults
    are for cameras on a sphere of radius 1.3 around cars that are one unit long, with the samples
    and the 8 views of 1024 rays of Functa (arXiv:2201.12204).

    Args:
        root: cars_train, or any folder of such folders.
        val_root: cars_val or cars_test; None keeps a share of `root`.
        limit: take at most so many scenes of either folder, the first by name.

    Raises:
        SignalError: no such scenes in the folder.
    """

    root: Path = field(kw_only=False)
    val_root: Path | None = None
    val_fraction: float = 0.2
    limit: int | None = option(None, least=1)
    near: float = 0.7
    far: float = 1.9
    bound: float = 0.6
    rays: int | None = 8192

    def list_files(self, root: Path) -> list[Path]:
        """The intrinsics of the cars."""
        paths = sorted(root.rglob(srn.NAME))
        if not paths:
            raise SignalError(f"{root}: no intrinsics.txt here; give the folder of the cars")
        return paths[: self.limit]
