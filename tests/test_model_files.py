"""A damaged or hostile model file costs one line, and no more memory than a few times its size."""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from inrc.container import Item
from inrc.errors import InrcError, ModelError, SignalError
from inrc.methods import COINPP
from inrc.model import Expected, Model, search
from inrc.model.header import read_header
from inrc.model.settings import check_settings
from inrc_modalities.image import Image

META = {"shape": [8, 8], "mode": "RGB", "depth": 8, "suffix": ".png", "icc": None}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small COIN++."""
    torch.manual_seed(0)
    method, modality = COINPP(4, width=4, depth=1, bits=[3]), Image()
    network = method.build(2, 3, modality)
    network.bottleneck(0).calibrate(torch.randn(32, 4), torch.eye(4), 64)
    network.bottleneck(0).tabulate(torch.randn(32, 4))
    about = {"expected": [{"rate": 1.5, "max_rate": 2.0, "psnr": 30}]}
    model = Model.make(network.eval(), method, modality, Item("", META, 1), about)
    path = tmp_path_factory.mktemp("model") / "codec.safetensors"
    model.save(path)
    return path


Edit = Callable[[dict[str, Any]], Any]


def edited(
    sound: Path,
    path: Path,
    card: Edit = lambda card: None,
    tensors: Edit = lambda tensors: None,
    metadata: dict[str, str] | None = None,
) -> Path:
    with safe_open(sound, "pt") as file:
        texts: dict[str, str] = dict(file.metadata())
        stored: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}
    content = json.loads(texts["card"])
    card(content)
    tensors(stored)
    path.write_bytes(save(stored, {**texts, "card": json.dumps(content), **(metadata or {})}))
    return path


def settings(**values: Any) -> Edit:
    return lambda card: card["method"]["settings"].update(values)


HOSTILE: dict[str, dict[str, Any]] = {
    "brackets": {"card": lambda c: None, "metadata": {"card": "[" * 100_000}},
    "card of 5 MB": {"metadata": {"card": '{"version": 1, "a": "' + "a" * 5_000_000 + '"}'}},
    "version as text": {"card": lambda c: c.update(version="1")},
    "version null": {"card": lambda c: c.update(version=None)},
    "version true": {"card": lambda c: c.update(version=True)},
    "version 9": {"card": lambda c: c.update(version=9)},
    "no method": {"card": lambda c: c.pop("method")},
    "method a list": {"card": lambda c: c.update(method=[])},
    "settings a list": {"card": lambda c: c["method"].update(settings=[1])},
    "settings null": {"card": lambda c: c["modality"].update(settings=None)},
    "modality a number": {"card": lambda c: c["modality"].update(name=7)},
    "unknown setting": {"card": settings(depths=3)},
    "w0 huge": {"card": settings(w0=10**400)},
    "w0 infinite": {"card": settings(w0=float("inf"))},
    "width as text": {"card": settings(width="4")},
    "width true": {"card": settings(width=True)},
    "width 2^62": {"card": settings(width=2**62)},
    "width 0": {"card": settings(width=0)},
    "depth 10^7": {"card": settings(depth=10**7)},
    "latents -1": {"card": settings(latent_dim=-1)},
    "bits 10^9": {"card": settings(bits=[10**9] * 60)},
    "levels": {"card": settings(bits=[3] * 10_000)},
    "patch 2.5": {"card": lambda c: c["modality"]["settings"].update(patch=2.5)},
    "same a list": {"metadata": {"same": "[]"}},
    "same null": {"metadata": {"same": "null"}},
    "same of numbers": {"metadata": {"same": '{"a": 1}'}},
    "same brackets": {"metadata": {"same": "[" * 100_000}},
    "another id": {"metadata": {"id": "00" * 6}},
    "a tensor more": {"tensors": lambda t: t.update(extra=torch.zeros(3))},
    "a tensor less": {
        "tensors": lambda t: t.pop("field.biases.0", t.pop("bottlenecks.0.lo", None))
    },
    "float64": {
        "tensors": lambda t: t.update({"bottlenecks.0.lo": torch.zeros(4, dtype=torch.float64)})
    },
    "NaN": {"tensors": lambda t: t.update({"bottlenecks.0.lo": torch.full((4,), torch.nan)})},
    "default of brackets": {
        "tensors": lambda t: t.update(
            {"card.default": torch.frombuffer(bytearray(b"\x91" * 5000), dtype=torch.uint8)}
        )
    },
    "tables of other symbols": {
        "tensors": lambda t: t.update(
            {
                "bottlenecks.0._extra_state.counts": torch.tensor([65535, 1] * 3).to(torch.uint16),
                "bottlenecks.0._extra_state.lengths": torch.tensor([2, 2, 2], dtype=torch.int32),
                "bottlenecks.0._extra_state.offsets": torch.zeros(3, dtype=torch.int32),
            }
        )
    },
    "tables with much padding": {
        "tensors": lambda t: t.update(
            {
                "bottlenecks.0._extra_state.counts": torch.ones(200_000).to(torch.uint16),
                "bottlenecks.0._extra_state.lengths": torch.tensor(
                    [100_000] + [1] * 100_000, dtype=torch.int32
                ),
            }
        )
    },
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_one_line_at_once(sound: Path, tmp_path: Path, case: str) -> None:
    given = HOSTILE[case]
    path = edited(
        sound, tmp_path / "m.safetensors", given.get("card", lambda c: None),
        given.get("tensors", lambda t: None), given.get("metadata"),
    )  # fmt: skip
    start = time.process_time()
    with pytest.raises(ModelError) as caught:
        Model.load(path)
    assert time.process_time() - start < 5
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300


def test_every_wrong_byte_of_the_header_is_one_line(sound: Path, tmp_path: Path) -> None:
    data = bytearray(sound.read_bytes())
    size = 8 + int.from_bytes(data[:8], "little")
    path = tmp_path / "m.safetensors"
    for at in range(0, size, 7):
        wrong = data.copy()
        wrong[at] ^= 1 << at % 8
        path.write_bytes(wrong)
        try:
            Model.load(path)
        except ModelError as error:
            assert "\n" not in str(error)


def test_names_for_one_tensor_take_no_memory(sound: Path, tmp_path: Path) -> None:
    same = json.dumps({f"x{i}": "field.extra" for i in range(3000)})
    path = edited(
        sound, tmp_path / "m.safetensors",
        tensors=lambda t: t.update({"field.extra": torch.zeros(1 << 18)}),
        metadata={"same": same},
    )  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError):
        Model.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


def test_a_corrupt_file_does_not_end_a_search(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited(sound, tmp_path / "a.safetensors", card=lambda c: c.update(version="5"))
    edited(sound, tmp_path / "b.safetensors", card=settings(width=9))
    (tmp_path / "c.safetensors").write_bytes(b"\0" * 20)
    (tmp_path / "d.safetensors").mkdir()
    (tmp_path / "e" / "f").mkdir(parents=True)
    shutil.copy(sound, tmp_path / "e" / "f" / "g.safetensors")
    model = Model.load(sound)
    monkeypatch.setenv("INRC_MODELS", f"{tmp_path / 'nowhere'}:{tmp_path}")
    with pytest.warns(UserWarning) as warned:
        assert search(model.id).id == model.id
    assert {Path(str(w.message).split(": ")[0]).name[0] for w in warned} == set("abcd")
    with pytest.raises(ModelError, match="0000000000ff is needed"), pytest.warns(UserWarning):
        search(bytes(5) + b"\xff")


def test_the_id_is_read_without_the_tensors(sound: Path, tmp_path: Path) -> None:
    path = edited(sound, tmp_path / "m.safetensors", tensors=lambda t: t.clear())
    assert read_header(path).id == Model.load(sound).id.hex()
    assert read_header(path).names == ()


def test_what_training_files_took_is_kept(sound: Path) -> None:
    model = Model.load(sound)
    assert model.expected(0) == Expected(1.5, 2.0, 30.0)
    assert model.expected(1) is None
    model.card["expected"] = "nonsense"
    assert model.expected(0) is None


@pytest.mark.parametrize(
    "patch", [float("inf"), 1e308, 2.5, True, "8", [8], float("nan"), -(2**70)]
)
def test_settings_have_the_types_of_their_annotations(patch: Any) -> None:
    with pytest.raises((ModelError, SignalError)):
        check_settings(Image, {"patch": patch})
        Image(patch=patch)
    check_settings(Image, {"patch": None})
    check_settings(Image, {"patch": 8, "channels": 3})
    check_settings(COINPP, {"bits": [3, 4], "w0": 30, "per_dim": False})
    for bad in ({"bits": [3, "4"]}, {"bits": 3}, {"w0": "30"}, {"per_dim": 1}, {"x": 1}):
        with pytest.raises(ModelError, match="COINPP"):
            check_settings(COINPP, bad)


def test_a_model_works_in_inference_mode(sound: Path) -> None:
    with torch.inference_mode():
        model = Model.load(sound)
        decoded = model.network.decode(torch.zeros(1, 4), torch.zeros(1, 5, 2))
    assert torch.equal(
        decoded, Model.load(sound).network.decode(torch.zeros(1, 4), torch.zeros(1, 5, 2))
    )
    assert isinstance(ModelError("x"), InrcError)


def test_loading_takes_a_few_times_the_file(sound: Path, tmp_path: Path) -> None:
    method, modality = COINPP(4, width=1500, depth=6, bits=[3]), Image()
    network = method.build(2, 3, modality)
    network.bottleneck(0).calibrate(torch.randn(32, 4), torch.eye(4), 64)
    path = tmp_path / "large.safetensors"
    Model.make(network.eval(), method, modality, Item("", META, 1), {}).save(path)
    program = """
import resource, sys
from pathlib import Path
from inrc.model import Model
Model.load(Path(sys.argv[1]))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
before = peak()
Model.load(Path(sys.argv[2]))
print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(sound), str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) < 3 * path.stat().st_size
