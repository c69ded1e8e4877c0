"""The ruler: rows, curves, deltas; and trials that fail."""

import gzip
import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import bjontegaard
import numpy as np
import pytest
from evaluation_files import QUALITY, RATES, pair, row
from hypothesis import given
from hypothesis import strategies as st

from inrc.errors import SignalError
from inrc.evaluation import Result, append, bd_psnr, bd_rate, curves, load
from inrc.evaluation.bdrate import interval
from inrc.evaluation.compare import compare
from inrc.evaluation.workers import Failed, Workers


@given(st.floats(0.3, 3.0))
def test_a_known_shift_of_the_rate_is_found_exactly(shift: float) -> None:
    delta = bd_rate((RATES, QUALITY), ([rate * shift for rate in RATES], QUALITY))
    assert delta.value == pytest.approx(100 * (shift - 1), abs=1e-9)
    assert delta.overlap == pytest.approx(1.0)


@given(st.floats(-2.0, 2.0))
def test_a_known_gain_in_quality_is_found_exactly(gain: float) -> None:
    delta = bd_psnr((RATES, QUALITY), (RATES, [each + gain for each in QUALITY]))
    assert delta.value == pytest.approx(gain, abs=1e-9)


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
    (delta,) = compare(pair(shift=0.5), "JPEG 2000")
    assert delta["codec"] == "inrc basis" and delta["files"] == 2
    assert delta["bd_rate"] == pytest.approx(-50.0)
    assert delta["interval"] == pytest.approx([-50.0, -50.0])
    rows = [
        each for each in pair(0.5) if each.file_id == ("a" if each.codec == "inrc basis" else "b")
    ]
    (delta,) = compare(rows, "JPEG 2000")
    assert "no files in common" in delta["why"]
    with pytest.raises(SignalError, match="WebP"):
        compare(rows, "WebP")


def test_rates_that_have_nothing_in_common_still_have_a_ratio() -> None:
    (delta,) = compare(pair(shift=0.01), "JPEG 2000")
    assert delta["bd_rate"] == pytest.approx(-99.0) and delta["bd_quality"] is None


def test_a_refused_file_does_not_cost_the_comparison() -> None:
    """Both curves are then means over the files that both codecs took."""
    rows = [each for each in pair(0.5) if each.codec != "JPEG 2000" or each.file_id == "a"]
    rows += [replace(each, rate=each.rate * 7) for each in rows if each.file_id == "b"]
    refused = Result("JPEG 2000", 1.0, "x", "b.png", "b", "image", "pixel", error="cannot hold it")
    (delta,) = compare([*rows, refused], "JPEG 2000")
    assert delta["why"] is None and delta["shared"] == 1
    assert delta["bd_rate"] == pytest.approx(-50.0)


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
        ("nonsense", "line 1 is not a result"),
        ("[]", "line 1 is not a result"),
        ('{"codec": "x"}', "line 1 is not a result"),
        (json.dumps({**vars(row("x", 0, 1, 30)), "protocol": 99}), "version 99 of the protocol"),
        (json.dumps({**vars(row("x", 0, 1, 30)), "rate": "1"}), "line 1 is not a result"),
        (json.dumps({**vars(row("x", 0, 1, 30)), "measures": {}}), "line 1 is not a result"),
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
