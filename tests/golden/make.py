"""Makes the golden set: `python tests/golden/make.py`. Existing files are never overwritten."""

import tempfile
import warnings
from pathlib import Path

import lightning as L
import numpy as np
import torch
from PIL import Image as Pillow

from inrc import codec
from inrc.container import Item, packed
from inrc.data import SignalDataModule
from inrc.methods import COIN, COINPP, COMBINER, MSCN, VCINR, Basis, Method
from inrc.model import Model
from inrc.module import Compressor
from inrc.signal import View
from inrc_modalities.audio import AudioDataModule
from inrc_modalities.era5 import ERA5DataModule
from inrc_modalities.image import Image, ImageDataModule

HERE = Path(__file__).parent / "v1"


def trained(data: SignalDataModule, method: Method) -> Model:
    """A model that was trained for a few steps."""
    module = Compressor(method, data.modality, represent=8, compress=4, observations=256, warmup=1)
    L.Trainer(
        max_steps=12, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", inference_mode=False, limit_val_batches=0,
    ).fit(module, data)  # fmt: skip
    module.eval()
    module.tabulate()
    for bottleneck in module.network.quality_levels:
        bottleneck.finish()
    first = data.modality.split(data.modality.read(data.train_paths[0]))
    default = Item("", first.meta, first.parts)
    return Model.make(module.network, method, data.modality, default, {"training": "golden"})


def write(
    folder: Path, paths: list[Path], model: Model, quality: int, steps: int | None = None
) -> None:
    """An archive, its symbols, and what they decode to."""
    made = codec.compress(paths, model, quality, steps)
    (folder / "file.inrc").write_bytes(made.data)
    opened = codec.open_archive(made.data, model)
    parts = sum(item.parts for item in opened.archive.items)
    symbols = model.network.bottleneck(quality).decompress(opened.archive.payload, parts)
    features = opened.signal(0, View()).features.numpy()
    metas = [np.frombuffer(packed(item.meta), np.uint8) for item in opened.archive.items]
    np.savez_compressed(
        folder / "decoded.npz", symbols=symbols, features=features[:, ::7],
        metas=np.concatenate(metas),
    )  # fmt: skip
    print(folder, sum(path.stat().st_size for path in folder.iterdir()), "bytes")


def picture(path: Path, seed: int) -> Path:
    """A small smooth picture."""
    y, x = np.mgrid[:16, :20]
    waves = [np.sin((x + seed) / 3), np.cos(y / 4), np.sin((x + y) / 5)]
    Pillow.fromarray((127 + 90 * np.stack(waves, -1)).astype(np.uint8)).save(path)
    return path


def with_models(sample: Path) -> dict[str, tuple[SignalDataModule, Method]]:
    """One case for each kind of stream that needs a model."""

    def images(kind: str, patch: int, count: int) -> ImageDataModule:
        return ImageDataModule(
            patch=patch, batch_size=2, val_fraction=0.5, sample_folder=sample / kind,
            sample_count=count,
        )  # fmt: skip

    def globes(kind: str, count: int) -> ERA5DataModule:
        return ERA5DataModule(
            batch_size=2, val_fraction=0.5, sample_folder=sample / kind, sample_count=count
        )

    return {
        # a table for each latent
        "histograms": (globes("histograms", 4), COINPP(8, width=8, depth=2, bits=[3, 6])),
        # so many rows that tables are chosen by context
        "contexts": (
            images("contexts", 8, 12),
            VCINR(8, width=8, depth=2, hyper_width=8, bottleneck_hidden=8, lambdas=[1e3, 1e5]),
        ),
        # contexts that look at the rows before and after
        "neighbours": (
            AudioDataModule(
                batch_size=64, val_fraction=0.1, sample_folder=sample / "n", sample_count=8
            ),
            Basis(16, [1e4, 1e6], 0, 32, 16, w0=10.0, field_hidden=0),
        ),
        # a field with tabulated residuals
        "residuals": (
            globes("residuals", 16),
            Basis(8, [1e4, 1e6], 0, 64, 16, w0=20.0, field_hidden=0, residual_table=4),
        ),
        # candidates of relative entropy coding, and parts that share their blocks
        "candidates": (
            images("candidates", 16, 4),
            COMBINER(
                width=8, depth=2, embedding=8, betas=[1e-4, 1e-5], first=20, fit=40, refine=40
            ),
        ),
        # values and positions of open gates
        "sparse": (images("sparse", 16, 4), MSCN(width=8, depth=2, keep=[4, 8])),
    }


def main() -> None:
    """Write every case."""
    torch.set_num_threads(1)
    L.seed_everything(0, verbose=False)
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as name:
        for kind, (data, method) in with_models(Path(name)).items():
            folder = HERE / kind
            folder.mkdir(parents=True)
            trained(data, method).save(folder / "codec.safetensors")
            model = Model.load(folder / "codec.safetensors")
            write(folder, data.val_paths, model, model.num_qualities - 1)
        # without a model: fixed point, and 16-bit floats
        model = Model.untrained(COIN(width=6, depth=2), Image())
        for kind, quality in (("fixed-point", 0), ("floats", model.num_qualities - 1)):
            folder = HERE / kind
            folder.mkdir(parents=True)
            paths = [picture(Path(name) / f"{seed}.png", seed) for seed in range(2)]
            write(folder, paths, model, quality, steps=20)


if __name__ == "__main__":
    main()
