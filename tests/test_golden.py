"""Archives and models of every format there has been decode to what they always did."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inrc import codec
from inrc.container import packed, peek
from inrc.model import Model
from inrc.signal import View

GOLDEN = Path(__file__).parent / "golden"
SETS = sorted(path.parent for path in GOLDEN.glob("v*/*/file.inrc"))


def test_the_first_ones_are_still_there() -> None:
    found = {path.relative_to(GOLDEN).as_posix() for path in SETS}
    expected = {f"v{n}/{kind}" for n in range(1, 8) for kind in ("globe", "image")}
    assert expected | {"v5/parts", "v6/sound", "v7/relief"} <= found


@pytest.mark.parametrize("folder", SETS, ids=lambda f: f.relative_to(GOLDEN).as_posix())
def test_old_files_decode(folder: Path, tmp_path: Path) -> None:
    model = Model.load(folder / "codec.safetensors")
    data = (folder / "file.inrc").read_bytes()
    assert peek(data).model_id == model.id
    opened = codec.open_archive(data, model)
    bottleneck = model.network.bottleneck(opened.archive.quality)
    with np.load(folder / "decoded.npz") as known:
        symbols, features = known["symbols"], known["features"]
        metas = known["metas"].tobytes() if "metas" in known else None  # not kept for v1
    found = bottleneck.decompress(opened.archive.payload, len(symbols))
    np.testing.assert_array_equal(found, symbols)
    assert bottleneck.compress(found) == opened.archive.payload
    assert len(np.unique(symbols)) > 2
    answer = opened.signal(0, View()).features[:, ::7]
    torch.testing.assert_close(answer, torch.from_numpy(features), rtol=0, atol=1e-4)
    items = opened.archive.items
    if metas is not None:
        assert b"".join(packed(item.meta) for item in items) == metas
    many = len(items) > 1
    target = tmp_path / ("decoded" if many else f"decoded{model.modality.suffixes[0]}")
    written = codec.decompress(data, model, target)
    assert len(written) == len(items) and all(path.stat().st_size > 0 for path in written)
