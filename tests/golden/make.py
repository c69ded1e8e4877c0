"""Makes a new golden set: `python tests/golden/make.py v2`. What is there is never overwritten."""

import sys
import tempfile
import warnings
from pathlib import Path

import lightning as L
import numpy as np
import torch

from inrc import codec
from inrc.container import Item, packed
from inrc.data import SignalDataModule
from inrc.methods import COINPP, COMBINER, VCINR, Basis, Method
from inrc.model import Model
from inrc.module import Compressor
from inrc.signal import View
from inrc_modalities.audio import AudioDataModule
from inrc_modalities.era5 import ERA5DataModule
from inrc_modalities.image import ImageDataModule

HERE = Path(__file__).parent


def trained(data: SignalDataModule, method: Method) -> Model:
    """A model that has seen its data for a few steps."""
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


def write(folder: Path, data: SignalDataModule, method: Method) -> None:
    """Model, archive, its symbols, and what they decode to."""
    made = trained(data, method)
    made.save(folder / "codec.safetensors")
    model = Model.load(folder / "codec.safetensors")
    done = codec.compress(data.val_paths, model, model.num_qualities - 1)
    (folder / "file.inrc").write_bytes(done.data)
    opened = codec.open_archive(done.data, model)
    parts = sum(item.parts for item in opened.archive.items)
    symbols = model.network.bottleneck(opened.archive.quality).decompress(
        opened.archive.payload, parts
    )
    features = opened.signal(0, View()).features.numpy()
    metas = [np.frombuffer(packed(item.meta), np.uint8) for item in opened.archive.items]
    np.savez_compressed(
        folder / "decoded.npz", symbols=symbols, features=features[:, ::7],
        metas=np.concatenate(metas),
    )  # fmt: skip


def main(version: str) -> None:
    """Write `version` beside the others."""
    torch.set_num_threads(1)
    L.seed_everything(0, verbose=False)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    with tempfile.TemporaryDirectory() as name:
        sample = Path(name)
        sets: dict[str, tuple[SignalDataModule, Method]] = {
            "image": (
                ImageDataModule(
                    patch=8,  # so many rows that the tables have contexts
                    batch_size=2,
                    val_fraction=0.5,
                    sample_folder=sample / "i",
                    sample_count=12,
                ),
                VCINR(8, width=8, depth=2, hyper_width=8, bottleneck_hidden=8, lambdas=[1e3, 1e5]),
            ),
            "globe": (
                ERA5DataModule(
                    batch_size=2, val_fraction=0.5, sample_folder=sample / "g", sample_count=4
                ),
                COINPP(8, width=8, depth=2, bits=[3, 6]),
            ),
            "sound": (  # its rows are told by those around
                AudioDataModule(
                    batch_size=64, val_fraction=0.1, sample_folder=sample / "s", sample_count=8
                ),
                Basis(16, 32, 16, w0=10.0, field_hidden=0, bottleneck_hidden=0, lambdas=[1e4, 1e6]),
            ),
            "relief": (
                ERA5DataModule(batch_size=2, sample_folder=sample / "r", sample_count=16),
                Basis(
                    8,
                    64,
                    16,
                    w0=20.0,
                    field_hidden=0,
                    bottleneck_hidden=0,
                    lambdas=[1e4, 1e6],
                    residual_table=4,
                ),
            ),
            "parts": (  # that share their blocks
                ImageDataModule(
                    patch=16,
                    batch_size=2,
                    val_fraction=0.5,
                    sample_folder=sample / "p",
                    sample_count=4,
                ),
                COMBINER(
                    width=8,
                    depth=2,
                    embedding=8,
                    betas=[1e-4, 1e-5],
                    first=20,
                    fit=40,
                    refine=40,
                ),
            ),
        }
        for kind, (data, method) in sets.items():
            folder = HERE / version / kind
            folder.mkdir(parents=True)  # fails where there is one
            write(folder, data, method)
            print(folder, sum(path.stat().st_size for path in folder.iterdir()), "bytes")


if __name__ == "__main__":
    main(sys.argv[1])
