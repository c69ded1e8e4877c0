"""The golden archives decode to what they always did, one for each kind of stream."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inrc import codec
from inrc.container import packed, peek
from inrc.model import Model
from inrc.signal import View

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.parent for path in GOLDEN.glob("v*/*/file.inrc"))
V1 = "candidates contexts fixed-point floats histograms neighbours residuals sparse".split()


def test_all_kinds_of_streams_are_there() -> None:
    assert [path.name for path in CASES if path.parent.name == "v1"] == V1


@pytest.mark.parametrize("folder", CASES, ids=lambda f: f.relative_to(GOLDEN).as_posix())
def test_a_golden_archive_decodes(folder: Path, tmp_path: Path) -> None:
    data = (folder / "file.inrc").read_bytes()
    path = folder / "codec.safetensors"
    model = Model.load(path) if path.exists() else Model.of(peek(data))
    assert peek(data).model_id == model.id
    opened = codec.open_archive(data, model)
    bottleneck = model.network.bottleneck(opened.archive.quality)
    with np.load(folder / "decoded.npz") as known:
        symbols, features, metas = (known[key] for key in ("symbols", "features", "metas"))
    decoded = bottleneck.decompress(opened.archive.payload, len(symbols))
    np.testing.assert_array_equal(decoded, symbols)
    assert bottleneck.compress(decoded) == opened.archive.payload
    assert len(np.unique(symbols)) > 2
    answer = opened.signal(0, View()).features[:, ::7]
    torch.testing.assert_close(answer, torch.from_numpy(features), rtol=0, atol=1e-4)
    items = opened.archive.items
    assert b"".join(packed(item.meta) for item in items) == metas.tobytes()
    many = len(items) > 1
    target = tmp_path / ("decoded" if many else f"decoded{model.modality.suffixes[0]}")
    written = codec.decompress(data, model, target)
    assert len(written) == len(items) and all(path.stat().st_size > 0 for path in written)
