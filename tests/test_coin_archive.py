"""Files that are their own model: the COIN of a command, an archive, a release ago."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from coin_files import picture
from PIL import Image as Pillow

import inrc
from inrc import codec
from inrc.cli import main
from inrc.container import peek, unpack_archive
from inrc.errors import ContainerError, InrcError, ModelError
from inrc.methods import COIN
from inrc.model import Model
from inrc.signal import View
from inrc_modalities.image import Image


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coin")
    (folder / "in").mkdir()
    picture(folder / "in" / "a.png")
    picture(folder / "in" / "b.png", phase=1.0)
    words = ["--method", "coin", "--size", "3x10", "--steps", "150"]
    assert main(["compress", str(folder / "in"), "-o", str(folder / "in.inrc"), *words]) == 0
    assert (
        main(["compress", str(folder / "in" / "a.png"), "-o", str(folder / "a.inrc"), *words]) == 0
    )
    return folder


def test_a_file_is_its_own_model(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(made / "in.inrc")]) == 0
    assert "every symbol" in capsys.readouterr().out
    assert main(["info", str(made / "in.inrc")]) == 0
    said = capsys.readouterr().out
    assert "needs no model" in said and "coin(width=10, depth=3)" in said and "image(" in said
    assert main(["decompress", str(made / "in.inrc"), "-o", str(made / "out")]) == 0
    for name in ("a.png", "b.png"):
        with Pillow.open(made / "in" / name) as one, Pillow.open(made / "out" / name) as two:
            error = np.asarray(one, float) - np.asarray(two, float)
        assert 20 * math.log10(255 / error.std()) > 20.0
    # every byte is counted: head, card, block, payload, checksum
    data = (made / "in.inrc").read_bytes()
    seen = peek(data)
    assert seen.header_size + len(seen.payload) + 4 == len(data)
    assert 0 < seen.card_size < 80
    model = Model.of(seen)
    bottleneck = model.network.bottleneck(seen.quality)
    assert bottleneck.compress(bottleneck.decompress(seen.payload, 2)) == seen.payload


def test_it_decodes_bit_for_bit_in_a_fresh_process(made: Path) -> None:
    data = (made / "a.inrc").read_bytes()
    here = inrc.decompress(data).array()
    program = """
import sys, numpy as np, torch, inrc
torch.set_num_threads(1)
np.save(sys.argv[2], inrc.decompress(open(sys.argv[1], "rb").read()).array())
"""
    target = made / "there.npy"
    subprocess.run([sys.executable, "-c", program, str(made / "a.inrc"), str(target)], check=True)
    assert np.array_equal(np.load(target), here)


def test_info_of_it_loads_no_torch(made: Path) -> None:
    code = (
        "import sys\nfrom inrc.cli import main\nmain(['info', sys.argv[1]])\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(made / "a.inrc")], check=True, stdout=subprocess.DEVNULL
    )


def test_every_damaged_byte_is_one_line(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = (made / "a.inrc").read_bytes()
    for at in range(len(data)):
        with pytest.raises(ContainerError) as caught:
            Model.of(peek(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]))
        assert "\n" not in str(caught.value)
    bad = made / "bad.inrc"
    bad.write_bytes(data[:40] + b"?" + data[41:])
    for verb in ("info", "verify", "decompress"):
        assert main([verb, str(bad)]) == 1
        said = capsys.readouterr()
        assert said.err.count("\n") == 1 and "corrupt" in said.err and not said.out


@pytest.mark.parametrize(
    ("method", "sizes", "says"),
    [
        ("coin", {"width": 0, "depth": 3}, "units"),
        ("coin", {"width": 10**5, "depth": 900}, "more than 2\\^24"),
        ("coin", {"width": "x", "depth": 3}, "COIN: its setting"),
        ("coin", {"width": 8, "depth": 3, "losses": [-1.0]}, "out of range"),
        ("coin", {"width": 8, "depth": 3, "w0": "x"}, "COIN: its setting"),
        ("coin", {"breadth": 3}, "COIN: has no setting"),
        ("vcinr", {}, "needs a model"),
        ("nothing", {}, "unknown method"),
    ],
)
def test_cards_that_make_no_sense_are_refused(
    made: Path, method: str, sizes: dict[str, object], says: str
) -> None:
    from dataclasses import replace

    from inrc.container import Card, Item, pack_archive

    archive = unpack_archive((made / "a.inrc").read_bytes(), Item("", {}, 1))
    card = Card("image", {"patch": None, "channels": 3}, method, sizes)
    data = pack_archive(replace(archive, card=card), Item("", {}, 1))
    with pytest.raises(InrcError, match=says):
        Model.of(peek(data))
    strange = pack_archive(
        replace(archive, card=Card("image", {"a": 1}, "coin", {})), Item("", {}, 1)
    )
    with pytest.raises(InrcError, match="card"):
        Model.of(peek(strange))


def test_a_file_and_a_model_do_not_mix(made: Path) -> None:
    data = (made / "a.inrc").read_bytes()
    other = Model.untrained(COIN(width=11, depth=3), Image())
    with pytest.raises(ModelError, match="needs no model"):
        codec.open_archive(data, other)
    assert codec.open_archive(data, Model.of(peek(data))).signal(0, View(scale=2)).shape == (48, 64)


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["--method", "vcinr"], "needs training", 2),
        (["--method", "kite"], "is unknown; methods without a model: coin", 2),
        (["--method", "coin", "--size", "10"], "like 10x28", 2),
        (["--method", "coin", "--rate", "-1"], "above 0", 2),
        (["--method", "coin", "--rate", "1e-9"], "the smallest network takes more", 2),
        (["--method", "coin", "--modality", "kite"], "unknown modality", 1),
        (["--method", "coin", "-q", "9"], "quality levels 0 to 4", 2),
        (["-m", "none.safetensors", "--size", "5x20"], "goes with --method", 2),
    ],
)
def test_words_that_make_no_sense_are_one_line(
    made: Path, words: list[str], says: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = str(made / "in" / "a.png"), made / "no.inrc"
    assert main(["compress", source, "-o", str(out), *words]) == code
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and says in said.err and not out.exists()


def test_the_rate_is_about_what_was_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png", (64, 48))
    out = tmp_path / "a.inrc"
    words = ["--method", "coin", "--rate", "3", "--steps", "40", "--json", "-o", str(out)]
    assert main(["compress", str(tmp_path / "a.png"), *words]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["rate"] == 8 * out.stat().st_size / (64 * 48)
    assert 2.0 < facts["rate"] < 3.8


def test_progress_of_a_run_is_told_as_it_goes(made: Path) -> None:
    model = Model.untrained(COIN(width=6, depth=2, steps=20, subset=100), Image())
    seen: list[tuple[int, int]] = []
    codec.compress(
        [made / "in" / "a.png", made / "in" / "b.png"], model,
        report=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    shares = [done / total for done, total in seen]
    assert len(shares) > 10 and shares == sorted(shares)
    assert shares[0] < 0.2 and shares[-1] == 1.0
