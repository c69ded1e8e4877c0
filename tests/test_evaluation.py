"""The ruler: rows, curves, deltas, figures, pages; and trials that fail."""

import gzip
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from small_runs import basis

from inrc.cli import main
from inrc.errors import SignalError, UsageError
from inrc.evaluation import Row, append, bd_psnr, bd_rate, curves, evaluate, load
from inrc.evaluation.bdrate import interval
from inrc.evaluation.compare import compare
from inrc.evaluation.evaluate import Plan
from inrc.evaluation.figure import draw, save
from inrc.evaluation.gallery import crop, gallery
from inrc.evaluation.published import names, published
from inrc.evaluation.report import page
from inrc.evaluation.workers import Failed, Workers
from inrc.signal import Baseline
from inrc_modalities.image import Images

RATES = (0.1, 0.2, 0.4, 0.8)
QUALITY = (26.0, 29.0, 32.0, 35.0)


def row(codec: str, setting: float, rate: float, psnr: float, file: str = "a") -> Row:
    return Row(
        codec=codec, setting=setting, setting_unit="x", file=f"{file}.png", file_id=file,
        modality="image", unit="pixel", units=1000, bytes=math.ceil(rate * 125), rate=rate,
        measures={"psnr": psnr}, encode_seconds=0.1, decode_seconds=0.01,
        model="ab12cd" if codec.startswith("inrc") else None,
        model_bytes=1000 if codec.startswith("inrc") else None, device="cpu",
    )  # fmt: skip


def pair(shift: float = 1.0, gain: float = 0.0) -> list[Row]:
    """Two codecs, of which ours needs `shift` times the rate and is `gain` dB better."""
    return [
        row(codec, number, rate * factor, quality + more, file)
        for file in ("a", "b")
        for codec, factor, more in (("JPEG 2000", 1.0, 0.0), ("inrc basis", shift, gain))
        for number, (rate, quality) in enumerate(zip(RATES, QUALITY, strict=True))
    ]


@given(st.floats(0.3, 3.0))
def test_a_known_shift_of_the_rate_is_found_exactly(shift: float) -> None:
    found = bd_rate((RATES, QUALITY), ([rate * shift for rate in RATES], QUALITY))
    assert found.value == pytest.approx(100 * (shift - 1), abs=1e-9)
    assert found.overlap == pytest.approx(1.0)


@given(st.floats(-2.0, 2.0))
def test_a_known_gain_in_quality_is_found_exactly(gain: float) -> None:
    found = bd_psnr((RATES, QUALITY), (RATES, [each + gain for each in QUALITY]))
    assert found.value == pytest.approx(gain, abs=1e-9)


def test_deltas_agree_with_another_implementation() -> None:
    one = ([0.12, 0.21, 0.45, 0.83], [27.1, 29.4, 32.6, 35.1])
    two = ([0.10, 0.24, 0.41, 0.90], [26.0, 29.9, 32.1, 36.4])
    rate = bjontegaard.bd_rate(*one, *two, method="pchip", require_matching_points=False)
    quality = bjontegaard.bd_psnr(*one, *two, method="pchip", require_matching_points=False)
    assert bd_rate(one, two).value == pytest.approx(rate, abs=1e-6)
    assert bd_psnr(one, two).value == pytest.approx(quality, abs=1e-6)


def test_order_and_points_that_others_beat_do_not_matter() -> None:
    clean = bd_rate((RATES, QUALITY), ([0.1, 0.3, 0.7], [27.0, 31.0, 34.0]))
    mixed = bd_rate((RATES, QUALITY), ([0.7, 0.1, 0.5, 0.3], [34.0, 27.0, 30.0, 31.0]))
    assert mixed == clean


@pytest.mark.parametrize(
    ("rates", "quality", "says"),
    [
        ([0.1, 0.2], [40.0, 45.0], "do not overlap in quality: 26 to 35 and 40 to 45"),
        ([0.1], [30.0], "1 usable"),
        ([0.1, 0.2], [30.0, 29.0], "1 usable"),
        ([0.1, 0.2], [math.inf, math.nan], "0 usable"),
    ],
)
def test_curves_that_cannot_be_compared_are_refused(
    rates: list[float], quality: list[float], says: str
) -> None:
    with pytest.raises(SignalError, match=says):
        bd_rate((RATES, QUALITY), (rates, quality))


def test_the_interval_holds_the_mean_and_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    low, high = interval(list(values))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_codecs_are_compared_with_an_anchor() -> None:
    (found,) = compare(pair(shift=0.5), "JPEG 2000")
    assert found["codec"] == "inrc basis" and found["files"] == 2
    assert found["bd_rate"] == pytest.approx(-50.0)
    assert found["interval"] == pytest.approx([-50.0, -50.0])
    rows = [
        each for each in pair(0.5) if each.file_id == ("a" if each.codec == "inrc basis" else "b")
    ]
    (found,) = compare(rows, "JPEG 2000")
    assert "other files" in found["why"]
    with pytest.raises(SignalError, match="WebP"):
        compare(rows, "WebP")


def test_rates_that_have_nothing_in_common_still_have_a_ratio() -> None:
    (found,) = compare(pair(shift=0.01), "JPEG 2000")
    assert found["bd_rate"] == pytest.approx(-99.0) and found["bd_quality"] is None


def test_a_refused_file_does_not_cost_the_comparison() -> None:
    """Both curves are then means over the files that both codecs took."""
    rows = [each for each in pair(0.5) if each.codec != "JPEG 2000" or each.file_id == "a"]
    rows += [replace(each, rate=each.rate * 7) for each in rows if each.file_id == "b"]
    refused = Row("JPEG 2000", 1.0, "x", "b.png", "b", "image", "pixel", error="cannot hold it")
    (found,) = compare([*rows, refused], "JPEG 2000")
    assert found["why"] is None and found["shared"] == 1
    assert found["bd_rate"] == pytest.approx(-50.0)


def test_points_are_means_over_the_same_files() -> None:
    rows = [each for each in pair() if not (each.file_id == "b" and each.setting == 3)]
    ours, other = curves(rows)
    assert ours.codec == "inrc basis" and other.codec == "JPEG 2000"
    assert [point.setting for point in ours.points] == [0, 1, 2]
    again = replace(rows[0], rate=0.3)  # measured once more: the later one counts
    assert curves([*rows, again])[1].points[0].rate == pytest.approx((0.3 + 0.1) / 2)


def test_rows_come_back_and_an_unfinished_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "rd.jsonl"
    append(path, pair())
    with path.open("a") as file:
        file.write('{"codec": "JPEG 20')
    assert load(path) == pair()
    packed = tmp_path / "rd.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert load(packed) == pair()
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(SignalError, match="cannot be read"):
        load(packed)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "line 1 is no row"),
        ("[]", "line 1 is no row"),
        ('{"codec": "x"}', "line 1 is no row"),
        (json.dumps({**vars(row("x", 0, 1, 30)), "ruler": 99}), "ruler 99"),
        (json.dumps({**vars(row("x", 0, 1, 30)), "rate": "1"}), "line 1 is no row"),
        (json.dumps({**vars(row("x", 0, 1, 30)), "measures": {}}), "line 1 is no row"),
    ],
)
def test_what_is_no_row_is_refused(line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "rd.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(SignalError, match=says):
        load(path)


def misbehave(task: str) -> str:
    """A worker's task, found by its name in another process."""
    if task == "hang":
        time.sleep(60)
    if task == "crash":
        os._exit(11)
    if task == "raise":
        raise ValueError("no good")
    return task.upper()


def test_workers_outlive_tasks_that_crash_or_hang() -> None:
    tasks = ["one", "crash", "hang", "raise", "two"]
    with Workers(misbehave, 2, limit=4.0) as workers:
        results = dict(workers.run(tasks))
        again = dict(workers.run(["three"]))  # by a process that is still there
        assert again == {"three": "THREE"}
    assert results["one"] == "ONE" and results["two"] == "TWO"
    assert results["raise"] == Failed("no good")
    assert results["crash"] == Failed("crashed (exit code 11)")
    assert results["hang"] == Failed("took more than 4 s")


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
    with pytest.raises(UsageError, match="cannot draw"):
        save(figure, tmp_path / "rd.doc")
    with pytest.raises(SignalError, match="no measure 'ms_ssim'; there are psnr"):
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


class Outside(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            loads = name in ("src", "srcset", "href", "xlink:href", "data", "poster", "action")
            for text in [value or ""] if loads else re.findall(r"url\(([^)]*)", value or ""):
                if not text.strip("'\" ").startswith(("#", "data:")):
                    self.found.append(f"{tag} {name}={text}")


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    parser = Outside()
    parser.feed(page(pair(0.5), "psnr", published("kodak")))
    assert not parser.found
    parser.feed('<img src="http://x/y.png"><p style="background: url(y.png)">')
    assert len(parser.found) == 2  # it would have seen them


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
    data = Images(patch=16, batch_size=8, sample_folder=folder / "sample", sample_count=4)
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
    assert "there are: JPEG" in capsys.readouterr().err


def refuse(path: Path, quality: float) -> bytes:
    raise SignalError(f"{path}: this codec cannot hold it")


def test_a_codec_that_refuses_a_file_is_asked_twice_and_not_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every refusal is a row, and the other codecs and files are measured."""
    stubborn = Baseline("Stubborn", "q", (1.0, 2.0, 3.0, 4.0), refuse, lambda data, a, b: None)
    monkeypatch.setattr("inrc_modalities.image.modality.Image.baselines", lambda self: [stubborn])
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
    monkeypatch.setattr("inrc_modalities.image.modality.Image.baselines", lambda self: [made])
    monkeypatch.setattr(sys.modules["inrc.evaluation.evaluate"], "Workers", Here)
    for files, last in (([fast], 2.0), ([slow, fast], 3.0)):
        plan = Plan(files, run / "codec.safetensors", [0], ["Made"], repeats=0)
        found = list(evaluate(plan, tmp_path / f"{len(files)}.jsonl"))
        for file in files:
            tried = [row.setting for row in found if row.codec == "Made" and row.file == str(file)]
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
    with pytest.raises(SignalError, match="still there"):
        gallery(gone, model)


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
