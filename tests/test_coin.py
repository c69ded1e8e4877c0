"""COIN: its published sizes, its network, its long runs, its bits, and files that need no model."""

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

import inrc
from inrc import codec
from inrc.adapt import LongRun, distortion
from inrc.adapt.adapter import Distortion
from inrc.cli import main
from inrc.container import peek, unpack
from inrc.entropy import Either, FixedPoint, Half
from inrc.entropy.family import EXPONENTS, FINE, SHAPES, Family, power
from inrc.entropy.stream import Reader, Writer
from inrc.errors import ContainerError, InrcError, ModelError, UsageError
from inrc.fields import OwnSiren
from inrc.fields.own import parameters
from inrc.methods import COIN
from inrc.model import Model
from inrc.signal import View
from inrc_modalities.image import Image

GOLDEN = "de7dea5e829801ffeb2c953a54b60aed"
"""Digest of all tables: files were written with them, so it never changes."""


@pytest.mark.parametrize(
    ("depth", "width", "count", "rate"),
    [
        (5, 20, 1803, 0.0734),
        (5, 30, 3903, 0.1588),
        (10, 28, 7479, 0.3043),
        (10, 40, 15003, 0.6105),
        (13, 49, 29697, 1.2083),
    ],
)
def test_kodak_architectures_have_their_published_sizes(
    depth: int, width: int, count: int, rate: float
) -> None:
    siren = OwnSiren(2, 3, width, depth)
    assert siren.latent_dim == parameters(2, 3, width, depth) == sum(siren.tensors) == count
    # as the paper counts them: two bytes a weight of a 768 by 512 image
    halves = Half(count)
    payload = halves.pack(halves.quantize(siren.random(0)[None]))
    assert 8 * len(payload) / (768 * 512) == pytest.approx(rate, abs=1e-4)
    # the size that is chosen for the floats of such a rate is nearly the paper's
    chosen = COIN(losses=[0.05]).rated(6.6 * count, 0, 2, 3)
    assert chosen.depth == depth
    assert width - 1 <= chosen.width <= width


def test_a_size_for_a_rate_fits_and_grows_with_it() -> None:
    before = 0
    for bits in np.geomspace(200, 1e7, 40):
        found = COIN(losses=[0.0125]).rated(float(bits), 0, 2, 3)
        size = parameters(2, 3, found.width, found.depth)
        assert 0.5 * before <= size <= bits / 7.6
        assert parameters(2, 3, found.width + 1, found.depth) > bits / 7.6
        before = size
    with pytest.raises(UsageError, match="no network is as small"):
        COIN().rated(20.0, None, 2, 3)


def test_the_field_is_the_network_of_the_paper() -> None:
    siren = OwnSiren(2, 3, width=7, depth=3, w0=30.0)
    torch.manual_seed(1)
    latent = torch.randn(4, siren.latent_dim) * 0.05
    points = torch.rand(1, 50, 2) * 2 - 1
    found = siren(points, siren.bend(latent))
    for row, flat in enumerate(latent.double().numpy()):
        h, at = points[0].double().numpy(), 0
        for layer, (rows, columns) in enumerate([(2, 7), (7, 7), (7, 7), (7, 3)]):
            matrix = flat[at : at + rows * columns].reshape(rows, columns)
            bias = flat[at + rows * columns : at + (rows + 1) * columns]
            at += (rows + 1) * columns
            h = h @ matrix + bias
            h = h if layer == 3 else np.sin(30.0 * h)
        np.testing.assert_allclose(found[row].numpy(), h, atol=2e-5)


def test_the_start_is_a_sirens() -> None:
    siren = OwnSiren(3, 1, width=64, depth=2, w0=30.0)
    pieces = siren.random(0).split(siren.tensors)
    for piece, bound in zip(pieces[:4], [1 / 3, 1 / 3, *[math.sqrt(6 / 64) / 30] * 2], strict=True):
        assert 0.9 * bound < float(piece.abs().max()) <= bound
    assert float(pieces[-1]) == 0.5
    assert torch.equal(siren.random(0), siren.random(0))
    assert not torch.equal(siren.random(0), siren.random(1))
    slow = siren.random(0, spread=0.5)
    assert torch.equal(slow[: 3 * 64], 0.5 * pieces[0])
    assert torch.equal(slow[3 * 64 :], siren.random(0)[3 * 64 :])


def problem(rows: int = 3, side: int = 12) -> tuple[OwnSiren, torch.Tensor, torch.Tensor]:
    """Smooth pictures, all of them different."""
    axis = torch.linspace(-1, 1, side)
    queries = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(1, -1, 2)
    waves = [torch.sin(queries @ torch.tensor([[n + 1.0], [2.0 - n]])) for n in range(rows)]
    return OwnSiren(2, 1, width=8, depth=2), queries, 0.5 + 0.4 * torch.cat(waves)


def test_rows_are_fitted_together_as_one_by_one() -> None:
    siren, queries, features = problem()

    def predict(z: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return siren(q, siren.bend(z))

    run = LongRun(siren.random(0), siren.matrices, steps=60, rate=5e-3, subset=50)
    together = run(predict, queries, features, chunk=64)
    for row in range(3):
        alone = run(predict, queries, features[row : row + 1], chunk=64)
        torch.testing.assert_close(alone, together[row : row + 1], rtol=0, atol=2e-4)


def test_a_long_run_keeps_the_best() -> None:
    siren, queries, features = problem(rows=1)

    def predict(z: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return siren(q, siren.bend(z))

    start = siren.random(0)
    # a rate at which nothing can be learned, and one that ends in infinity, keep the start at least
    first = distortion(predict(start[None], queries), features, None)
    for rate in (3.0, 1e30):
        run = LongRun(start, siren.matrices, steps=30, rate=rate, subset=40)
        wild = run(predict, queries, features)
        assert torch.isfinite(wild).all()
        assert (distortion(predict(wild, queries), features, None) <= first + 1e-7).all()


def test_a_run_without_progress_ends_early() -> None:
    siren, queries, features = problem(rows=2)
    seen: list[int] = []
    run = LongRun(siren.random(0), siren.matrices, steps=400, rate=0.0, subset=None, patience=3)
    run.watch = lambda done, total: seen.append(done)
    run(lambda z, q: siren(q, siren.bend(z)), queries, features)
    assert 200 < max(seen) < 240


def fitted(tmp: Path, steps: int = 250) -> tuple[Model, torch.Tensor, codec.Callable]:
    picture(tmp / "a.png")
    model = Model.untrained(COIN(width=12, depth=3, steps=steps, subset=512), Image())
    signal = model.modality.read(tmp / "a.png")
    latent = model.network.encode(signal.queries, signal.features, None)

    def distort(z: torch.Tensor) -> torch.Tensor:
        return Distortion.apply(
            z, model.network.predict, signal.queries, signal.features, None, 300
        )

    return model, latent, distort


def picture(path: Path, size: tuple[int, int] = (32, 24), phase: float = 0.0) -> None:
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / 8.0
    waves = [np.sin(x + phase), np.cos(y * x / 3), np.sin(x + y + phase)]
    Pillow.fromarray((127 + 90 * np.stack(waves, -1)).astype(np.uint8)).save(path)


def test_quantisation_costs_what_it_may(tmp_path: Path) -> None:
    model, latent, distort = fitted(tmp_path)
    clean = distort(latent)
    assert float(-10 * torch.log10(clean)) > 20.0  # there is something to lose

    def loss(rung: Half | FixedPoint | Either, symbols: torch.Tensor) -> float:
        return float(10 * torch.log10(distort(rung.dequantize(symbols)) / clean))

    halves = Half(latent.shape[1])
    assert loss(halves, halves.quantize(latent)) < 0.1
    assert torch.equal(halves.dequantize(halves.quantize(latent)), latent.half().float())
    sizes = []
    for number, most in enumerate([1.0, 0.5, 0.2, 0.05]):
        rung = model.network.rung(number)
        symbols = rung.search(latent, distort)
        assert 0.1 * most < loss(rung, symbols) <= most
        sizes.append(len(rung.pack(symbols)))
    last = model.network.rung(4)
    symbols = last.search(latent, distort)
    assert loss(last, symbols) < max(0.0025, loss(halves, halves.quantize(latent)) + 1e-3)
    assert sizes == sorted(sizes) and sizes[-1] < len(last.pack(symbols)) <= 2 * latent.shape[1] + 1
    assert sizes[3] < 0.65 * 2 * latent.shape[1]  # floats have two bytes a weight


def test_steps_follow_the_curvature() -> None:
    """For a quadratic distortion the closed form is known: every weight has the same share."""
    torch.manual_seed(0)
    tensors, rows = [300, 60, 240], 2
    scale = torch.cat(
        [torch.full((n,), s) for n, s in zip(tensors, [1.0, 16.0, 0.25], strict=True)]
    )
    latent = torch.randn(rows, 600) * 0.3

    def distort(z: torch.Tensor) -> torch.Tensor:
        return 1e-2 + (scale * (z - latent).square()).sum(1)

    rung = FixedPoint(tensors, loss=0.1)
    symbols = rung.search(latent, distort)
    steps = torch.exp2(-symbols[:, :3] / 4)
    rise = 1e-2 * (10 ** (0.1 / 10) - 1)
    expected = (12 * rise / 600 / torch.tensor([1.0, 16.0, 0.25])).sqrt()
    assert (torch.log2(steps / expected).abs() < 0.3).all()
    lost = 10 * torch.log10(distort(rung.dequantize(symbols)) / 1e-2)
    assert ((lost > 0.06) & (lost <= 0.1)).all()


def test_tables_are_made_of_integers_and_never_change() -> None:
    tables = Family().tables
    digest = hashlib.sha256(tables.counts.astype("<i4").tobytes() + tables.lengths.tobytes())
    assert digest.hexdigest()[:32] == GOLDEN
    program = """
import hashlib, os
from inrc.entropy.family import Family
t = Family().tables
print(hashlib.sha256(t.counts.astype("<i4").tobytes() + t.lengths.tobytes()).hexdigest()[:32])
"""
    environment = {"OMP_NUM_THREADS": "2", "PATH": "/usr/bin:/bin"}
    there = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True,
        env=environment, cwd=Path(inrc.__file__).parents[1],
    )  # fmt: skip
    assert there.stdout.strip() == GOLDEN


def test_tables_are_the_shapes_they_are_said_to_be() -> None:
    assert [power(x << 32) for x in (0, 1, 5)] == [2**64, 2**63, 2**59]
    for x in (0.3, 1.75, 7.123):
        assert power(round(x * 2**32)) / 2**64 == pytest.approx(2.0**-x, rel=1e-8)
    tables = Family().tables
    for shape in range(SHAPES):
        for width in (2, 9, 20, FINE - 1):
            t = shape * FINE + width
            counts = tables.counts[t, : tables.lengths[t] - 1]
            k = np.arange(len(counts)) + tables.offsets[t]
            assert (counts == counts[::-1]).all()
            p = EXPONENTS[shape]
            density = 2.0 ** -((2.0 ** (4 - width / 2)) ** (p / 2) * np.abs(k) ** p)
            np.testing.assert_allclose(
                (counts - 1) / 2**16, density / density.sum(), atol=(len(k) + 3) / 2**16
            )


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_any_numbers_survive_the_stream(data: st.DataObject) -> None:
    reach = data.draw(st.sampled_from([0, 1, 5, 300, 10**5, 2**31 - 1]))
    blocks = [
        np.array(data.draw(st.lists(st.integers(-reach, reach), max_size=30)), np.int64)
        for _ in range(3)
    ]
    writer = Writer()
    for block in blocks:
        writer.block(block)
    reader = Reader(writer.bytes())
    for block in blocks:
        assert np.array_equal(reader.block(len(block)), block)


@pytest.mark.parametrize("spread", [0.4, 3.0, 40.0, 5000.0])
def test_gaussians_cost_their_entropy(spread: float) -> None:
    numbers = np.round(np.random.default_rng(0).normal(0, spread, 20_000)).astype(np.int64)
    writer = Writer()
    writer.block(numbers)
    _, counts = np.unique(numbers, return_counts=True)
    own = float(-(counts * np.log2(counts / len(numbers))).sum())  # what the numbers say themselves
    closed = len(numbers) * 0.5 * math.log2(2 * math.pi * math.e * spread**2)
    entropy = closed if spread > 1 else own
    assert entropy * 0.99 < 8 * len(writer.bytes()) < entropy * 1.02 + 16


def test_payloads_that_nobody_wrote_are_refused() -> None:
    rung = FixedPoint([6, 3], 0.1)
    generator = np.random.default_rng(0)
    for _ in range(300):
        noise = generator.bytes(int(generator.integers(0, 30)))
        for each in (rung, Half(9), Either([6, 3])):
            try:
                found = each.dequantize(each.unpack(noise, 2))
            except ContainerError:
                continue
            assert torch.isfinite(found).all()
    with pytest.raises(ContainerError, match="not finite"):
        Half(1).unpack(b"\x00\x7c", 1)
    with pytest.raises(ContainerError, match="networks of"):
        rung.unpack(b"", 1 << 28)


def test_floats_are_taken_where_they_are_smaller() -> None:
    """Weights that are powers of two, of all sizes, suit floats and nothing else."""
    torch.manual_seed(0)
    latent = torch.exp2(torch.randint(-12, 5, (2, 64)).float())
    latent[1] = torch.randn(64)

    def distort(z: torch.Tensor) -> torch.Tensor:
        return 1e-9 + ((z - latent) / latent).square().mean(1)

    rung = Either([32, 32])
    symbols = rung.search(latent, distort)
    assert int(symbols[0, 0]) == 1
    back = rung.unpack(rung.pack(symbols), 2)
    torch.testing.assert_close(rung.dequantize(back), rung.dequantize(symbols), rtol=0, atol=0)
    assert torch.equal(rung.dequantize(back)[:1], latent[:1])
    assert float(rung.bits(symbols).sum()) >= 8 * len(rung.pack(symbols)) - 16


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
    rung = model.network.rung(seen.rung)
    assert rung.pack(rung.unpack(seen.payload, 2)) == seen.payload


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
        assert said.err.count("\n") == 1 and "damaged" in said.err and not said.out


@pytest.mark.parametrize(
    ("method", "sizes", "says"),
    [
        ("coin", {"width": 0, "depth": 3}, "units"),
        ("coin", {"width": 10**5, "depth": 900}, "more than 2\\^24"),
        ("coin", {"width": "x", "depth": 3}, "coin: "),
        ("coin", {"width": 8, "depth": 3, "losses": [-1.0]}, "no sense"),
        ("coin", {"width": 8, "depth": 3, "w0": "x"}, "coin: "),
        ("coin", {"breadth": 3}, "coin"),
        ("vcinr", {}, "needs a model"),
        ("nothing", {}, "unknown method"),
    ],
)
def test_cards_that_make_no_sense_are_refused(
    made: Path, method: str, sizes: dict[str, object], says: str
) -> None:
    from dataclasses import replace

    from inrc.container import Card, Item, pack

    archive = unpack((made / "a.inrc").read_bytes(), Item("", {}, 1))
    card = Card("image", {"patch": None, "channels": 3}, method, sizes)
    data = pack(replace(archive, card=card), Item("", {}, 1))
    with pytest.raises(InrcError, match=says):
        Model.of(peek(data))
    strange = pack(replace(archive, card=Card("image", {"a": 1}, "coin", {})), Item("", {}, 1))
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
        (["--method", "vcinr"], "has to be trained", 2),
        (["--method", "kite"], "is unknown; without a model: coin", 2),
        (["--method", "coin", "--size", "10"], "like 10x28", 2),
        (["--method", "coin", "--rate", "-1"], "above 0", 2),
        (["--method", "coin", "--rate", "1e-9"], "no network is as small", 2),
        (["--method", "coin", "--modality", "kite"], "unknown modality", 1),
        (["--method", "coin", "-q", "9"], "rungs 0 to 4", 2),
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


OLD = (
    "89494e5202000000000000012e0094a5696d61676582a57061746368c0a86368616e6e656c7303a4636f696e"
    "82a5776964746803a56465707468020240019b346969a25e415efac4d6650cc5198905a993d8389632e4e6a7"
    "a42e0e72775ac690925a5092c1b19ca1b8342d2db3620948e91286cce4e4031397268138005eb48218cdc2b7"
    "295e2e823d122528487bddc8704392a43dad7c6cce75f32ec6e88a35f41295d80a4ea15d60624598af64c5ba"
    "898627305908b8064dca0690093f82989235c9f69c789ac0393c83b4d1a8fc5f85b082ed103a1a01d4e5dbd9"
    "06116b54fb"
)
"""Two images of 6 by 8 pixels by networks of 2x3, of the first release; it decodes for ever."""
OLD_SYMBOLS = (
    46, 50, 39, 43, 25, 29, 11, 943, -1863, -1191, -745, 28, -226, 2120, -2, 0, -113, 104, 0, -4,
    -4, 63, 2, 2, -4, -91, 89, 24, -16, 6, 7, 19, 17, -11, -19, -20, 51, 69, 80,
)  # fmt: skip


def test_an_old_file_decodes_to_what_it_always_did() -> None:
    data = bytes.fromhex(OLD)
    model = Model.of(peek(data))
    opened = codec.open_archive(data, model)
    rung = model.network.rung(opened.archive.rung)
    symbols = rung.unpack(opened.archive.payload, 2)
    assert tuple(symbols[1].tolist()) == OLD_SYMBOLS
    assert rung.pack(symbols) == opened.archive.payload
    features = inrc.decompress(data, item="b.png").features[0, ::11, 0]
    expected = torch.tensor([0.02103, 0.09609, 0.22197, 0.46406, 0.59798])
    torch.testing.assert_close(features, expected, rtol=0, atol=2e-5)
