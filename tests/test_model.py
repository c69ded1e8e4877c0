"""How a model lies in its file: nothing twice, nothing padded, and back to the last bit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from inrc.container import Item
from inrc.errors import ModelError
from inrc.methods import Basis
from inrc.model import Model
from inrc.model.layout import deduplicate, restore_duplicates
from inrc_modalities.image import Image


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    method = Basis(32, [1e2, 1e3, 1e4], 0, num_frequencies=48, basis_size=32, field_hidden=0)
    modality = Image(8, 1)
    network = method.build(2, 1, modality)
    latents = torch.randn(400, 32) * torch.linspace(3.0, 0.1, 32)
    for bottleneck in network.quality_levels:
        bottleneck.prepare()
        bottleneck.calibrate(latents, torch.eye(32), 64)
        bottleneck.tabulate(latents)
        bottleneck.finish()
    network.eval().requires_grad_(False)
    return Model.make(network, method, modality, Item("", {"height": 8}, 1), {})


def test_what_rungs_share_is_stored_once(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    model.save(path)
    whole = 4 * sum(t.numel() for t in model.network.parameters())
    whole += 4 * sum(t.numel() for t in model.network.buffers())
    tables = sum(
        int(bottleneck.tables.lengths.sum())
        for bottleneck in model.network.quality_levels
        if bottleneck.tables
    )
    # two of three pairs of transforms are not there; a count takes two bytes
    assert path.stat().st_size < whole - 2 * 2 * 4 * 32 * 32 + 2 * tables + 8000
    again = Model.load(path)
    assert again.id == model.id
    for one, other in zip(model.network.quality_levels, again.network.quality_levels, strict=True):
        assert one.tables is not None and other.tables is not None
        np.testing.assert_array_equal(one.tables.counts, other.tables.counts)
    state, loaded = model.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(state[k], loaded[k]) for k in state if not k.endswith("_extra_state"))
    # equal tensors are not copied
    levels = again.network.quality_levels
    assert levels[0].forth.data_ptr() == levels[1].forth.data_ptr()


def test_tensors_come_back_as_they_were() -> None:
    counts = torch.tensor([[3, 65533, 0, 0], [1, 2, 3, 65530]], dtype=torch.int32)
    tensors = {
        "a": torch.arange(6.0), "b": torch.arange(6.0), "c": torch.arange(6.0).view(2, 3),
        "d": torch.arange(6, dtype=torch.int64), "e": torch.zeros(0),
        "r._extra_state.counts": counts, "r._extra_state.lengths": torch.tensor([2, 4]).int(),
        "s._extra_state.counts": counts.clone(),
        "s._extra_state.lengths": torch.tensor([2, 4]).int(),
    }  # fmt: skip
    kept, same = deduplicate(tensors)
    assert same == {
        "b": "a", "s._extra_state.counts": "r._extra_state.counts",
        "s._extra_state.lengths": "r._extra_state.lengths",
    }  # fmt: skip
    back = restore_duplicates(kept, same)
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor) and back[name].dtype == tensor.dtype


@pytest.mark.parametrize(
    ("same", "said"),
    [
        ('{"bottlenecks.1.forth": "nothing"}', "not stored"),
        ("[1]", "corrupt"),
        ("7", "corrupt"),
        ("{", "corrupt"),
    ],
)
def test_a_file_that_was_tampered_with_is_one_line(
    model: Model, tmp_path: Path, same: str, said: str
) -> None:
    path = tmp_path / "codec.safetensors"
    model.save(path)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    assert json.loads(metadata["same"])["bottlenecks.1.forth"] == "bottlenecks.0.forth"
    path.write_bytes(save(tensors, metadata | {"same": same}))
    with pytest.raises(ModelError, match=said) as error:
        Model.load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
