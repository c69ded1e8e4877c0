"""PCA beside a model: exact where it can be, honest bytes, and refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import basis

from inrc.cli import main
from inrc.container import unpack_archive
from inrc.data import PatchDataset
from inrc.errors import ModelError, SignalError, UsageError
from inrc.evaluation import linear, load
from inrc.evaluation.baselines import baseline, missing
from inrc.evaluation.components import components
from inrc.evaluation.histograms import histograms
from inrc.evaluation.results import comparable
from inrc.model import Model
from inrc.signal import Baseline
from inrc_modalities.image import ImageDataModule

SIDE = 16


def low_rank(count: int, rank: int = 5, size: int = 60, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    spread = 2.0 ** -np.arange(rank)
    basis = np.linalg.qr(np.random.default_rng(9).normal(size=(size, rank)))[0]
    rows = 0.5 + generator.normal(size=(count, rank)) * spread @ basis.T
    return rows.astype(np.float32)


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    for given in (rows, rows[:9]):  # either of the Gram matrices
        pca = components(given, 4)
        away = given.astype(np.float64) - given.mean(0, dtype=np.float64)
        right = np.linalg.svd(away, full_matrices=False)[2][:4]
        assert np.abs(np.abs((pca.basis * right).sum(1)) - 1).max() < 1e-4
        assert np.allclose(pca.basis @ pca.basis.T, np.eye(4), atol=1e-5)


def test_what_lies_in_the_span_comes_back_exactly() -> None:
    pca = components(low_rank(50))
    assert len(pca.basis) == 5
    fresh = low_rank(7, seed=1)
    assert np.allclose(pca.expand(pca.project(fresh)), fresh, atol=1e-5)


def test_what_is_not_known_has_no_say() -> None:
    rows = low_rank(50)
    weights = np.ones((1, rows.shape[1]), np.float32)
    weights[:, :20] = 0
    broken = rows.copy()
    broken[:, :20] = 1e6
    pca = components(broken, weights=weights)
    again = pca.expand(pca.project(broken, np.broadcast_to(weights > 0, rows.shape)))
    assert np.allclose(again[:, 20:], rows[:, 20:], atol=1e-4)
    assert np.isfinite(again).all()


def test_errors_count_by_their_weights() -> None:
    """The weighted error of weighted components is the least that so many can have."""
    generator = np.random.default_rng(3)
    rows = (generator.normal(size=(200, 30)) @ generator.normal(size=(30, 30))).astype(np.float32)
    weights = generator.uniform(0.1, 3.0, (1, 30)).astype(np.float32)
    errors = {}
    for name, given in (("weighted", weights), ("plain", None)):
        pca = components(rows, 10, given)
        errors[name] = float((weights * (pca.expand(pca.project(rows)) - rows) ** 2).sum())
    root = np.sqrt(weights / weights.mean()).astype(np.float64)
    singular = np.linalg.svd((rows - rows.mean(0)) * root, compute_uv=False)
    least = float((singular[10:] ** 2).sum() * weights.mean())
    assert errors["weighted"] == pytest.approx(least, rel=1e-3) and least < errors["plain"]


@pytest.mark.parametrize("step", [1.0, 0.03, 1e-4])
def test_bytes_are_those_of_the_cross_entropy(step: float) -> None:
    generator = np.random.default_rng(4)
    spread = 3.0 * 0.8 ** np.arange(20)
    training, fresh = (generator.laplace(size=(n, 20)) * spread for n in (2000, 300))
    coder = histograms(training, step)
    symbols = coder.quantise(fresh)
    data = coder.encode(symbols)
    assert np.array_equal(coder.decode(data, len(symbols)), symbols)
    assert np.abs(symbols * step - fresh).max() <= step / 2 + 1e-12
    assert 8 * len(data) == pytest.approx(coder.bits(symbols), rel=0.01, abs=64)
    # a Laplace distribution of scale b, finely quantised, has log2(2 e b / step) bits
    if step == 1e-4:
        theory = np.log2(2 * np.e * spread / step).sum() * len(fresh)
        assert 8 * len(data) == pytest.approx(theory, rel=0.02)


def test_symbols_far_outside_the_training_range_come_back() -> None:
    coder = histograms(np.random.default_rng(5).normal(size=(100, 3)), 0.1)
    symbols = np.array([[10**6, -5, 0], [-(10**6), 3, 2**20]])
    assert np.array_equal(coder.decode(coder.encode(symbols), 2), symbols)
    with pytest.raises(SignalError, match="too small"):
        coder.quantise(np.array([[1e12, 0.0, 0.0]]))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model, and images of which six colours and shadings are all there is."""
    folder = tmp_path_factory.mktemp("linear")
    generator = np.random.default_rng(0)
    y, x = np.meshgrid(*2 * [np.linspace(-1, 1, SIDE)], indexing="ij")
    shades = np.stack([np.ones_like(x), x, y, x * y], axis=-1) @ np.eye(4)
    (folder / "images").mkdir()
    for number in range(24):
        mix = generator.uniform(-1, 1, (4, 3)) * [[40], [30], [20], [10]]
        pixels = np.clip(128 + shades @ mix, 0, 255)
        Image.fromarray(np.rint(pixels).astype(np.uint8)).save(folder / f"images/{number:02}.png")
    data = ImageDataModule(root=folder / "images", patch=SIDE, batch_size=8, val_fraction=0.2)
    basis(data, folder, [1e2, 1e4])
    return folder


def test_training_leaves_components_that_evaluate_picks_up(run: Path, tmp_path: Path) -> None:
    path, image = run / "codec.safetensors", run / "images/23.png"
    model, rows = Model.load(path), tmp_path / "rd.jsonl"
    words = ["evaluate", str(image), "-m", str(path), "-o", str(rows), "-q", "1", "--quiet"]
    assert main([*words, "--baselines", "PCA", "--repeats", "0"]) == 0
    results = [row for row in load(rows) if row.codec == "PCA"]
    assert len(results) > 1 and all(row.model is None for row in results)
    # the bytes are those of an archive that decodes, through the modality's own writer
    row = results[-1]
    codec = baseline(path, model, "PCA")
    data = codec.encode(image, row.setting)
    assert len(data) == row.bytes
    assert unpack_archive(data, model.default).items[0].parts == 1
    codec.decode(data, image, tmp_path / "decoded.png")
    assert model.modality.measure(image, tmp_path / "decoded.png") == row.measures
    # all that such images hold is in the span of four components of each colour
    finest = codec.qualities[-6]
    codec.decode(codec.encode(image, finest), image, tmp_path / "finest.png")
    assert model.modality.measure(image, tmp_path / "finest.png")["psnr"] > 48


def test_components_of_other_files_replace_those_of_training(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    path.write_bytes((run / "codec.safetensors").read_bytes())
    assert "PCA" not in {row.name for row in linear.baselines(path, Model.load(path))}
    words = ["evaluate", str(run / "images/23.png"), "-m", str(path), "-q", "0", "--quiet"]
    words += ["-o", str(tmp_path / "rd.jsonl"), "--repeats", "0", "--baselines", "PCA"]
    assert main(words) == 2  # there are none yet
    assert main([*words, "--train", str(run / "images")]) == 0
    assert linear.beside(path).is_file()
    first = load(tmp_path / "rd.jsonl")
    assert main(words) == 0
    assert load(tmp_path / "rd.jsonl") == first  # nothing is measured twice
    # learned from other files, it is another codec, and what was measured before is outdated
    some = [str(path) for path in sorted((run / "images").iterdir())[:12]]
    assert main([*words, "--train", *some]) == 0
    rows = load(tmp_path / "rd.jsonl")
    before = [row for row in first if row.codec == "PCA"]
    after = rows[len(first) :]
    assert after and {row.codec for row in after} == {"PCA"}
    assert {row.learned for row in before}.isdisjoint({row.learned for row in after})
    assert [row for row in comparable(rows, "") if row.codec == "PCA"] == after


def test_files_off_the_grid_are_rows_with_errors(run: Path, tmp_path: Path) -> None:
    path = run / "codec.safetensors"
    codec = baseline(path, Model.load(path), "PCA")
    grey = tmp_path / "sound.png"
    grey.write_bytes(b"none")
    with pytest.raises(SignalError, match="sound"):
        codec.encode(grey, codec.qualities[0])
    model = Model.load(path)
    model.modality.patch = SIDE // 2  # type: ignore[attr-defined]
    other = baseline(path, model, "PCA")
    with pytest.raises(SignalError, match=r"grid|between"):
        other.encode(run / "images/23.png", codec.qualities[0])


def test_damaged_components_are_one_line(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "codec.pca.npz"
    path.write_bytes(linear.beside(run / "codec.safetensors").read_bytes()[:5000])
    with pytest.raises(ModelError, match="damaged"):
        linear.load(path)


def test_signals_without_a_common_grid_have_no_components(run: Path) -> None:
    data = ImageDataModule(root=run / "images", patch=SIDE)
    data.setup("fit")
    assert data.train_rows is not None
    rows = data.train_rows
    sample = data.train_paths[0]
    own = PatchDataset(rows.queries.expand(len(rows), -1, -1), rows.features)
    assert linear.learn(own, data.modality, sample) is None
    moved = PatchDataset(rows.queries + 0.01, rows.features)  # rebuilt elsewhere than learned
    assert linear.learn(moved, data.modality, sample) is None
    assert linear.learn(rows, data.modality, sample) is not None
    with pytest.raises(SignalError, match="are equal"):
        same = PatchDataset(rows.queries, torch.ones_like(rows.features))
        linear.learn(same, data.modality, sample)


def test_a_codec_that_is_not_installed_is_named_with_its_extra(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plain = Baseline("X", "q", (1.0,), lambda path, q: b"", lambda data, a, b: None)
    assert missing(plain) is None
    monkeypatch.setattr("inrc.evaluation.baselines.find_spec", lambda name: None)
    assert missing(replace(plain, name="Draco", needs="DracoPy")) == (
        "Draco: needs DracoPy, which is not installed; run pip install 'inrc[mesh]'"
    )
    vvc = replace(plain, name="VVC intra", needs="a PyAV with libvvenc")
    assert missing(vvc) == "VVC intra: needs a PyAV with libvvenc, which is not installed"
    modality = "inrc_modalities.image.modality.Image.baselines"
    monkeypatch.setattr(modality, lambda self, model=None: [vvc])
    path = run / "codec.safetensors"
    with pytest.raises(UsageError, match="VVC intra: needs"):
        baseline(path, Model.load(path), "VVC intra")
    words = ["evaluate", str(run / "images/23.png"), "-m", str(path), "--quiet", "-q", "0"]
    words += ["-o", str(tmp_path / "rd.jsonl"), "--repeats", "0", "--baselines", "auto"]
    assert main(words) == 0
    assert "left out: VVC intra: needs" in capsys.readouterr().err
