"""Figures, pages and galleries of rows, and the way from files to a page."""

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from evaluation_files import pair, row
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from small_runs import basis

from inrc.cli import main
from inrc.errors import SignalError, UsageError
from inrc.evaluation import append, curves, evaluate, load
from inrc.evaluation.evaluate import Plan
from inrc.evaluation.figure import draw, save
from inrc.evaluation.gallery import _chosen, crop, gallery
from inrc.evaluation.published import names, published
from inrc.evaluation.report import page
from inrc.evaluation.workers import Failed, Workers
from inrc.methods import COIN
from inrc.model import Model
from inrc.signal import Baseline
from inrc_modalities.image import Image as Picture
from inrc_modalities.image import ImageDataModule


def test_figures_have_every_codec_and_no_overlapping_names(tmp_path: Path) -> None:
    whole = curves(pair(0.5))
    figure = draw(whole, published=published("kodak"))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"inrc basis", "JPEG 2000", "COIN++ (published)"} <= set(texts)
    FigureCanvasAgg(figure).draw()
    boxes = sorted((text.get_window_extent() for text in figure.axes[0].texts), key=lambda b: b.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))  # pixels
    assert all(box.x0 >= figure.axes[0].get_window_extent().x1 for box in boxes)
    assert all(box.x1 <= figure.axes[1].get_tightbbox().x0 for box in boxes)
    for suffix in (".png", ".svg"):
        save(figure, tmp_path / f"rd{suffix}")
        assert (tmp_path / f"rd{suffix}").stat().st_size > 1000
    with pytest.raises(UsageError, match="unknown format"):
        save(figure, tmp_path / "rd.doc")
    with pytest.raises(SignalError, match="no measure 'ms_ssim'; use psnr"):
        draw(whole, "ms_ssim")


def test_a_lossless_codec_is_drawn_at_its_rate() -> None:
    rows = [*pair(0.5), *(row("LZMA", 9, 0.5, math.inf, file) for file in ("a", "b"))]
    figure = draw(curves(rows))
    FigureCanvasAgg(figure).draw()  # warnings are errors
    assert "LZMA (lossless)" in [text.get_text() for text in figure.axes[0].texts]


def test_published_figures_are_sound() -> None:
    assert "kodak" in names()
    for name in names():
        for curve in published(name):
            assert len(curve.rates) == len(curve.quality) > 1 and curve.source
            assert min(curve.rates) > 0 and 5 < min(curve.quality) < max(curve.quality) < 80
    coin = next(each for each in published("kodak") if each.method == "COIN")
    assert coin.quality[1] == pytest.approx(23.205)  # arXiv:2103.03123, 5x20
    with pytest.raises(UsageError, match="no published figures of 'mars'"):
        published("mars")


def test_the_page_stands_alone_and_is_sound() -> None:
    text = page(pair(0.5), "psnr", published("kodak"))
    body = text[text.index("<body>") : text.index("</html>")]
    ElementTree.fromstring(body.replace("<br>", ""))  # every tag is closed
    for outside in ('src="http', 'href="http', "<script", "@import"):
        assert outside not in text
    assert "inrc basis" in text and "paid for itself after" in text and "a.png" in text
    # half the rate at equal quality, for both files
    cells = re.findall(r"<td>([^<]*)</td>", body[: body.index("Every setting")])
    assert cells[0] == "inrc basis"
    assert cells[8:11] == ["JPEG 2000", "-50 %", "-50 to -50 %"] and cells[13:] == [
        "2 of 2",
        "0.1",
        "0.01",
    ]


class Outside(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            loads = name in ("src", "srcset", "href", "xlink:href", "data", "poster", "action")
            for text in [value or ""] if loads else re.findall(r"url\(([^)]*)", value or ""):
                if not text.strip("'\" ").startswith(("#", "data:")):
                    self.references.append(f"{tag} {name}={text}")


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    parser = Outside()
    parser.feed(page(pair(0.5), "psnr", published("kodak")))
    assert not parser.references
    parser.feed('<img src="http://x/y.png"><p style="background: url(y.png)">')
    assert len(parser.references) == 2  # it would have seen them


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_shows_the_page(tmp_path: Path) -> None:
    assert BROWSER is not None
    path = tmp_path / "r.html"
    path.write_text(page(pair(0.5), "psnr", published("kodak")), encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    words += [f"--screenshot={tmp_path}/r.png", "--window-size=1200,1600", "--dump-dom"]
    done = subprocess.run(
        [BROWSER, *words, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "JPEG 2000" in done.stdout and "Every setting" in done.stdout
    pixels = np.asarray(Image.open(tmp_path / "r.png").convert("L"))
    assert pixels.std() > 10  # something is drawn


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    data = ImageDataModule(patch=16, batch_size=8, sample_folder=folder / "sample", sample_count=4)
    basis(data, folder, [1e2, 1e4])
    return folder


def test_from_files_to_a_page(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, rows = run / "codec.safetensors", tmp_path / "rd.jsonl"
    images = sorted((run / "sample").glob("*.png"))[:2]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"none")
    words = ["evaluate", *map(str, images), str(broken), "-m", str(model), "-o", str(rows)]
    words += ["--baselines", "JPEG,WebP", "--repeats", "1"]
    assert main(words) == 1  # one of the files is broken, the others are measured
    assert "broken.png" in capsys.readouterr().err
    first = load(rows)
    good = [each for each in first if each.error is None]
    assert {each.codec for each in good} == {"inrc basis", "JPEG", "WebP"}
    assert {Path(each.file).name for each in first if each.error} == {"broken.png"}
    for each in good:
        assert each.rate == pytest.approx(8 * each.bytes / (64 * 64))
        assert each.encode_seconds > 0 and each.measures["psnr"] > 5
    ours = [each for each in good if each.model]
    assert all(each.payload_bytes is not None and each.payload_bytes < each.bytes for each in ours)
    # again: what is there is not measured again
    assert main(words) == 1
    assert [each for each in load(rows) if each.error is None] == good
    capsys.readouterr()

    assert main(["bdrate", str(rows), "--anchor", "jpeg", "--json"]) in (0, 1)
    said = capsys.readouterr()
    if said.out:
        assert json.loads(said.out)["anchor"] == "JPEG"
    assert main(["bdrate", str(rows), "--anchor", "none"]) == 2
    assert main(["plot", str(rows), "-o", str(tmp_path / "rd.png")]) == 0
    assert (tmp_path / "rd.png").read_bytes().startswith(b"\x89PNG")
    pictures = ["plot", str(rows), "-o", str(tmp_path / "pictures.png"), "--pictures", str(model)]
    assert main(pictures) == 0
    assert (tmp_path / "pictures.png").read_bytes().startswith(b"\x89PNG")
    assert main(["report", str(rows), "-o", str(tmp_path / "r.html"), "-m", str(model)]) == 0
    assert "data:image/png" in (tmp_path / "r.html").read_text()
    assert main(["report", str(rows), "-o", str(tmp_path / "r.html")]) == 1  # exists already
    assert main([*words[:-4], "--baselines", "MP3"]) == 2
    assert "use one of JPEG" in capsys.readouterr().err


def refuse(path: Path, quality: float) -> bytes:
    raise SignalError(f"{path}: this codec cannot hold it")


def test_a_codec_that_refuses_a_file_is_asked_twice_and_not_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every refusal is a row, and the other codecs and files are measured."""
    stubborn = Baseline("Stubborn", "q", (1.0, 2.0, 3.0, 4.0), refuse, lambda data, a, b: None)
    monkeypatch.setattr(Picture, "baselines", lambda self, model=None: [stubborn])
    monkeypatch.setattr(sys.modules["inrc.evaluation.evaluate"], "Workers", Here)
    image = sorted((run / "sample").glob("*.png"))[0]
    plan = Plan([image], run / "codec.safetensors", [0], ["Stubborn", "PCA"], repeats=0)
    rows = list(evaluate(plan, tmp_path / "rd.jsonl"))
    bad = [each for each in rows if each.error]
    assert [(each.codec, each.setting) for each in bad] == [("Stubborn", 1.0), ("Stubborn", 2.0)]
    assert all("cannot hold it" in str(each.error) for each in bad)
    assert {each.codec for each in rows if each.error is None} == {"inrc basis", "PCA"}


def test_a_codec_goes_on_with_all_files_until_each_is_past_ours(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the mean over files would end at the first that is."""
    slow, fast = sorted((run / "sample").glob("*.png"))[:2]

    def encode(original: Path, quality: float) -> bytes:
        return bytes(100_000 if original == fast or quality >= 3 else 10)

    def decode(data: bytes, original: Path, decoded: Path) -> None:
        shutil.copy(original, decoded)  # better than ours

    made = Baseline("Made", "q", (1.0, 2.0, 3.0, 4.0, 5.0), encode, decode)
    monkeypatch.setattr(Picture, "baselines", lambda self, model=None: [made])
    monkeypatch.setattr(sys.modules["inrc.evaluation.evaluate"], "Workers", Here)
    for files, last in (([fast], 2.0), ([slow, fast], 3.0)):
        plan = Plan(files, run / "codec.safetensors", [0], ["Made"], repeats=0)
        results = list(evaluate(plan, tmp_path / f"{len(files)}.jsonl"))
        for file in files:
            tried = [
                row.setting for row in results if row.codec == "Made" and row.file == str(file)
            ]
            assert tried == [each for each in made.qualities if each <= last]


class Here(Workers[Any, Any]):
    """Workers in this process, where patches are seen."""

    def run(self, tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        for task in tasks:
            try:
                yield task, self.work(task)
            except SignalError as error:
                yield task, Failed(str(error))


def test_a_gallery_shows_ours_and_others_at_the_same_rate(run: Path, tmp_path: Path) -> None:
    model, out = run / "codec.safetensors", tmp_path / "rd.jsonl"
    images = sorted((run / "sample").glob("*.png"))[:1]
    words = ["evaluate", str(images[0]), "-m", str(model), "-o", str(out), "--repeats", "0"]
    assert main([*words, "--quiet", "--baselines", "PCA,JPEG,WebP"]) == 0
    figure = gallery(load(out), model)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[0] == "original"
    assert [title.split("\n")[0] for title in titles[1:3]] == ["inrc basis", "PCA"]
    assert len(titles) == 5 and all("bits/pixel" in title for title in titles[1:])
    drawn = [axes for axes in figure.axes if axes.get_images() or axes.collections]
    assert len(drawn) == len(figure.axes)  # no panel is empty
    gone = [replace(each, file=str(tmp_path / "gone.png")) for each in load(out)]
    with pytest.raises(SignalError, match="with an existing file"):
        gallery(gone, model)


def test_of_equally_many_bytes_the_best_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    rows = [
        replace(each, file=str(path))
        for each in (
            row("inrc basis", 1, 0.2, 30.0),
            row("PCA", 0, 0.2, 25.0),
            row("PCA", 1, 0.2, 29.0),
            row("PCA", 2, 0.2, 28.0),
            row("PCA", 3, 0.4, 35.0),
        )
    ]
    model = Model.untrained(COIN(), Picture())
    rows[0] = replace(rows[0], setting=model.num_qualities // 2, model=model.id.hex())
    shown = _chosen(rows, path, model, "psnr")
    assert [each.measures["psnr"] for each in shown] == [30.0, 29.0]


def test_crops_are_the_middle() -> None:
    cells = np.zeros((100, 5000))
    assert cells[crop((100, 5000))].shape == (100, 512)
    assert cells[:, :300][crop((100, 300))].shape == (100, 300)
    assert crop((300, 400), 100) == (slice(100, 200), slice(150, 250))


def test_rows_of_several_kinds_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rd.jsonl"
    append(path, [row("JPEG", 0, 1, 30), replace(row("MP3", 0, 1, 30), modality="audio")])
    assert main(["plot", str(path), "-o", str(tmp_path / "x.png")]) == 1
    assert "several kinds (audio, image)" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
