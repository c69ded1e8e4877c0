"""From native files to bytes and back, with a small codec that is really trained."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from small_runs import fitted

from inrc import codec
from inrc.cli import main
from inrc.container import Archive, Item, pack_archive, unpack_archive
from inrc.errors import ContainerError, ModelError, SignalError, UsageError
from inrc.methods import COINPP, VCINR, Method
from inrc.model import Model
from inrc.module import Compressor
from inrc.signal import View
from inrc_modalities.image import ImageDataModule


def trained(folder: Path, method: Method) -> Path:
    data = ImageDataModule(patch=32, batch_size=8, sample_folder=folder / "sample", sample_count=6)
    module = Compressor(method, data.modality, represent=6, compress=4, observations=256)
    return fitted(module, data, folder, val_batches=1)


@pytest.fixture(scope="session", params=["vcinr", "coinpp"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    methods = {
        "vcinr": VCINR(latent_dim=16, width=16, depth=3, hyper_width=16, bottleneck_hidden=8),
        "coinpp": COINPP(latent_dim=16, width=16, depth=3),
    }
    trained(folder, methods[request.param])
    return folder


def images(run: Path) -> list[Path]:
    return sorted((run / "sample").glob("*.png"))


def test_decoding_in_a_fresh_process_gives_the_encoders_own_reconstruction(run: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    made = codec.compress(images(run)[:2], model, 1)
    opened = codec.open_archive(made.data, model)
    here = [opened.signal(i, View()).features for i in range(2)]
    (run / "two.inrc").write_bytes(made.data)
    program = """
import sys, torch
from pathlib import Path
from inrc import codec
from inrc.model import Model
from inrc.signal import View
torch.set_num_threads(int(sys.argv[3]))
opened = codec.open_archive(Path(sys.argv[1]).read_bytes(), Model.load(Path(sys.argv[2])))
torch.save([opened.latents, *(opened.signal(i, View()).features for i in range(2))], sys.argv[4])
"""
    for threads in ("1", "2"):
        target = run / f"there{threads}.pt"
        subprocess.run(
            [
                sys.executable, "-c", program, str(run / "two.inrc"),
                str(run / "codec.safetensors"), threads, str(target),
            ],
            check=True,
        )  # fmt: skip
        latents, *there = torch.load(target)
        assert torch.allclose(latents, opened.latents, atol=1e-6)
        for a, b in zip(here, there, strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_the_rate_on_disk_is_what_the_tables_say(run: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    for number in range(model.num_qualities):
        made = codec.compress(images(run), model, number)
        bottleneck = model.network.bottleneck(number)
        payload = unpack_archive(made.data, model.default).payload
        symbols = bottleneck.decompress(payload, sum(item.parts for item in made.items))
        bits = float(bottleneck.bits(symbols).sum())
        assert abs(8 * made.payload - bits) <= 0.01 * bits + 64
        assert len(made.data) >= made.payload


def test_a_default_file_pays_at_most_sixteen_bytes_before_its_payload(run: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    made = codec.compress(images(run)[:1], model, 0)
    assert made.data[:4] == b"\x89INR"
    assert len(made.data) - made.payload - 4 <= 16


def test_every_bit_flip_of_a_file_is_caught(run: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    data = codec.compress(images(run)[:1], model, 0).data
    for i in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[i] ^= 1 << bit
            with pytest.raises((ContainerError, ModelError)):
                codec.open_archive(bytes(flipped), model)
    for cut in range(len(data)):
        with pytest.raises((ContainerError, ModelError)):
            codec.open_archive(data[:cut], model)


def test_a_header_that_asks_for_too_much_is_refused_before_anything_is_allocated(
    run: Path,
) -> None:
    model = Model.load(run / "codec.safetensors")
    whole = unpack_archive(codec.compress(images(run)[:1], model, 0).data, model.default)
    for shape, parts in (([10**6, 10**6], 10**9), ([10**6, 10**6], 4), ([32, 32], 10**6)):
        item = Item("", {**whole.items[0].meta, "shape": shape}, parts)
        data = pack_archive(Archive(model.id, 0, (item,), whole.payload), model.default)
        with pytest.raises(ContainerError):
            codec.open_archive(data, model).signal(0, View())
    item = Item("", {**whole.items[0].meta, "shape": "nonsense"}, 1)
    data = pack_archive(Archive(model.id, 0, (item,), whole.payload), model.default)
    with pytest.raises(ContainerError):
        codec.open_archive(data, model)


def test_one_bad_file_does_not_stop_the_others(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in images(run)[:2]:
        shutil.copy(path, folder)
    (folder / "broken.png").write_bytes(b"not a picture")
    out = tmp_path / "mixed.inrc"
    model = run / "codec.safetensors"
    assert main(["compress", str(folder), "-m", str(model), "-o", str(out), "-q", "1"]) == 1
    assert "broken.png" in capsys.readouterr().err
    assert main(["decompress", str(out), "-m", str(model), "-o", str(tmp_path / "out")]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {path.name for path in images(run)[:2]}


def test_a_file_goes_there_and_back_by_the_command_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, model = images(run)[0], str(run / "codec.safetensors")
    out, back = tmp_path / "a.inrc", tmp_path / "a.png"
    assert main(["compress", str(source), "-m", model, "-o", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == out.stat().st_size
    assert main(["decompress", str(out), "-m", model, "-o", str(back)]) == 0
    with Pillow.open(source) as a, Pillow.open(back) as b:
        assert (a.size, a.mode) == (b.size, b.mode)
        error = (np.asarray(a, float) - np.asarray(b, float)) / 255
    assert facts["measures"]["psnr"] == pytest.approx(-10 * np.log10((error**2).mean()), abs=1e-3)
    assert main(["verify", str(out), "-m", model]) == 0
    assert main(["info", str(out)]) == 0
    # twice as fine, and only a part of it
    view = ["--scale", "2", "--region", "y=0:16,x=8:24"]
    assert main(["decompress", str(out), "-m", model, "-o", str(back), "-f", *view]) == 0
    with Pillow.open(back) as b:
        assert b.size == (32, 32)
    # nothing is overwritten without being asked
    before = back.read_bytes()
    assert main(["decompress", str(out), "-m", model, "-o", str(back)]) == 1
    assert back.read_bytes() == before


def test_what_cannot_be_done_is_said_in_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, model = str(images(run)[0]), str(run / "codec.safetensors")
    out = tmp_path / "a.inrc"
    (tmp_path / "last.ckpt").write_bytes(b"x")
    (tmp_path / "noise.safetensors").write_bytes(b"x" * 100)
    (tmp_path / "empty").mkdir()
    cases = [
        (["compress", source, "-m", str(tmp_path / "last.ckpt")], "checkpoint", 1),
        (["compress", source, "-m", str(tmp_path / "none.safetensors")], "no such model", 1),
        (["compress", source, "-m", str(tmp_path / "noise.safetensors")], "not a codec model", 1),
        (["compress", str(tmp_path / "empty"), "-m", model], "empty", 1),
        (["compress", str(tmp_path / "none.png"), "-m", model], "none.png", 1),
        (["compress", source, "-m", model, "-q", "99"], "quality levels 0 to", 2),
    ]
    for words, expected, code in cases:
        assert main([*words, "-o", str(out)]) == code
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert expected in lines[0]
        assert not out.exists()
        assert not list(tmp_path.glob("*.part*"))


def test_a_file_names_the_model_that_it_needs(run: Path, tmp_path: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    data = codec.compress(images(run)[:1], model, 0).data
    other = tmp_path / "other"
    other.mkdir()
    different = Model.load(trained(other, COINPP(latent_dim=8, width=8, depth=2)))
    with pytest.raises(ModelError, match=f"{model.id.hex()}.*{different.id.hex()}"):
        codec.open_archive(data, different)


def test_a_model_file_is_the_model(run: Path, tmp_path: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    model.save(tmp_path / "again.safetensors")
    again = Model.load(tmp_path / "again.safetensors")
    assert again.id == model.id
    assert again.card == model.card
    assert model.card["results"][0]["bytes"] > 0
    expected = model.expected(0)
    assert expected is not None and 0 < expected.rate <= expected.max_rate
    assert expected.psnr == model.card["results"][0]["psnr"]
    model.network.field.biases[-1].data += 1e-3  # type: ignore[union-attr]
    model.save(tmp_path / "changed.safetensors")
    assert Model.load(tmp_path / "changed.safetensors").id != again.id


def test_rungs_and_steps(run: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    with pytest.raises(UsageError, match="quality levels 0 to 3"):
        codec.compress(images(run)[:1], model, 4)
    with pytest.raises(SignalError):
        codec.compress([run / "none.png"], model, 0)
    few = next(codec.latents(images(run)[:1], model, steps=1))
    many = next(codec.latents(images(run)[:1], model, steps=20))
    signal = model.modality.split(model.modality.read(images(run)[0]))
    errors = [
        float((model.network.decode(z, signal.queries) - signal.features).square().mean())
        for z in (few, many)
    ]
    assert errors[1] <= errors[0]
