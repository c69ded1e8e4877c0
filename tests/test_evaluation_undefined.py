"""Measures that are infinite or undefined: no traceback, and nothing that looks like a value."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation_files import pair, row
from matplotlib.backends.backend_agg import FigureCanvasAgg
from small_runs import image_run
from test_evaluation_pages import Here

from inrc import codec
from inrc.cli import main
from inrc.errors import SignalError
from inrc.evaluation import Result, append, curves, evaluate
from inrc.evaluation.compare import compare
from inrc.evaluation.evaluate import Plan
from inrc.evaluation.figure import draw
from inrc.evaluation.pictures import decoded
from inrc.evaluation.report import page
from inrc.evaluation.results import distinct, ordered
from inrc.metrics import mean, mean_measures
from inrc.model import Model


def silence() -> list[Result]:
    """Of two files, MP3 decodes one exactly and fails on the other, at each of its settings."""
    values = {"a": math.inf, "b": -math.inf}
    extra = [
        row("MP3", setting, rate, values[file], file)
        for file in values
        for setting, rate in enumerate((0.1, 0.2))
    ]
    return [*pair(0.5), *extra]


def test_means_of_infinities() -> None:
    assert mean([1.0, 2.0, 6.0]) == 3.0
    assert mean([1.0, math.inf]) == math.inf and mean([-math.inf, 1.0]) == -math.inf
    assert math.isnan(mean([math.inf, 1.0, -math.inf])) and math.isnan(mean([math.nan, 1.0]))
    rows = [{"psnr": 1.0, "ssim": 0.5}, {"psnr": 2.0, "snr": 7.0}]
    assert mean_measures(rows) == {"psnr": 1.5}


def test_an_undefined_mean_is_no_point_of_a_curve() -> None:
    mp3 = next(each for each in curves(silence()) if each.codec == "MP3")
    assert [p.rate for p in mp3.points] == [0.1, 0.2]
    assert all(math.isnan(p.measures["psnr"]) for p in mp3.points)
    by_name = {each["codec"]: each for each in compare(silence(), "JPEG 2000")}
    assert by_name["inrc basis"]["bd_rate"] == pytest.approx(-50.0)
    assert "0 usable" in by_name["MP3"]["why"]


def test_bdrate_of_undefined_means_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rd.jsonl"
    append(path, silence())
    assert main(["bdrate", str(path), "--anchor", "MP3"]) == 1
    said = capsys.readouterr()
    assert "0 usable" in said.out and "no codec can be compared with MP3" in said.err
    assert main(["bdrate", str(path), "--anchor", "JPEG 2000", "--json"]) == 0
    deltas = {each["codec"]: each for each in json.loads(capsys.readouterr().out)["codecs"]}
    assert deltas["inrc basis"]["bd_rate"] == pytest.approx(-50.0)


def test_figures_and_pages_show_what_is_defined() -> None:
    figure = draw(curves(silence()))
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]  # warnings are errors
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "MP3 (undefined)" in texts and "inrc basis" in texts
    text = page(silence(), "psnr", ())
    assert "nan" not in text.split("<svg")[0].lower() and "-50 %" in text


def test_best_and_worst_files_leave_undefined_ones_out() -> None:
    rows = [row("x", 0, 1.0, value) for value in (math.nan, 30.0, math.inf, -math.inf, 20.0)]
    values = [each.measures["psnr"] for each in ordered(rows, "psnr")]
    assert values == [-math.inf, 20.0, 30.0, math.inf]
    with pytest.raises(SignalError, match="no measure 'ssim'; use psnr"):
        ordered(rows, "ssim")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_run(tmp_path_factory.mktemp("undefined"), [1e2])


def test_tables_of_a_test_have_an_undefined_mean(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([{"psnr": math.inf, "ssim": 1.0}, {"psnr": -math.inf, "ssim": 0.0}])
    monkeypatch.setattr("inrc_modalities.image.Image.measure", lambda *_: next(values))
    model = Model.load(run / "codec.safetensors")
    images = sorted((run / "sample").glob("*.png"))[:2]
    measures = codec.measure(images, codec.compress(images, model).data, model)
    assert math.isnan(measures["psnr"]) and measures["ssim"] == 0.5


def test_pictures_of_undefined_files_are_refused(run: Path, tmp_path: Path) -> None:
    path = run / "codec.safetensors"
    model = Model.load(path)
    rows = [
        replace(row("inrc basis", model.num_qualities // 2, 1.0, math.nan), model=model.id.hex())
    ]
    with pytest.raises(SignalError, match="undefined for every file"):
        decoded(rows, path, "psnr", tmp_path)


def test_equal_files_are_measured_once(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.modules["inrc.evaluation.evaluate"], "Workers", Here)
    image, other = sorted((run / "sample").glob("*.png"))[:2]
    twin = tmp_path / "twin.png"
    twin.write_bytes(image.read_bytes())
    missing = tmp_path / "missing.png"
    assert distinct([image, missing, twin, other]) == ([image, missing, other], {twin: image})
    plan = Plan([image, twin, other], run / "codec.safetensors", [0], repeats=0)
    assert [each.file for each in evaluate(plan, tmp_path / "rd.jsonl")] == [str(image), str(other)]
    words = ["evaluate", str(image), str(twin), "-m", str(run / "codec.safetensors")]
    assert main([*words, "-o", str(tmp_path / "cli.jsonl"), "--repeats", "0"]) == 0
    said = capsys.readouterr().err
    assert f"{twin}: left out; its content is that of {image}" in said
    assert "results of 1 file(s)" in said
    assert main([*words, "-o", str(tmp_path / "small.jsonl"), "--max-memory", "9k"]) == 1
    assert f"{image.name}, inrc basis at 0: " in (said := capsys.readouterr().err)
    assert "the limit is 9 KiB" in said
