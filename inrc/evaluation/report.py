"""A self-contained HTML page of results: tables, curves and pictures."""

import base64
import html
import io
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from string import Template

from inrc.evaluation.compare import compare
from inrc.evaluation.curves import Curve, curves
from inrc.evaluation.figure import draw
from inrc.evaluation.published import Published
from inrc.evaluation.results import Result, ordered

PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width">
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
td { white-space: nowrap }
th:first-child, td:first-child { text-align: left }
figure { margin: 1rem 0 } img { max-width: 100% } figcaption, small { color: #555 }
</style></head><body>
<h1>$title</h1>
<p>$about</p>
<h2>Summary</h2>$summary
<h2>Curves</h2>$curves
<h2>Every setting</h2>$table
<h2>Best and worst files</h2>$files
$pictures
<h2>What is counted</h2>$counted
</body></html>
""")


def page(
    rows: Sequence[Result],
    measure: str,
    published: Sequence[Published],
    pictures: Sequence[Path] = (),
) -> str:
    """The page as HTML; `pictures` are PNG files to show.

    Raises SignalError for a measure that a codec does not have.
    """
    whole = curves(rows)
    files = {row.file_id: row.file for row in rows}
    first = rows[0]
    about = (
        f"{len(files)} {html.escape(first.modality)} files, measured as decoded files; rates in "
        f"bits per {html.escape(first.unit)}. Times are medians of warm runs on "
        f"{html.escape(first.device)}."
    )
    return PAGE.substitute(
        title=f"Rate and distortion: {html.escape(first.modality)}",
        about=about,
        summary=_summary(rows, whole, measure),
        curves=_drawn(whole, measure, published),
        table=_table(whole),
        files=_extremes(rows, measure),
        pictures="".join(_picture(path) for path in pictures),
        counted=_counted(rows, whole),
    )


def _summary(rows: Sequence[Result], whole: Sequence[Curve], measure: str) -> str:
    """Our rate relative to every baseline at equal quality."""
    head = [
        "codec", f"our rate at equal {measure}", "of single files", f"our {measure} at equal rate",
        "range of both", "files", "encode s", "decode s",
    ]  # fmt: skip
    mine = [curve for curve in whole if _ours(curve, rows)]
    lines = [[curve.codec, *["-"] * 5, *_seconds(curve)] for curve in mine]
    for other in (curve for curve in whole if not _ours(curve, rows)):
        deltas = {each["codec"]: each for each in compare(rows, other.codec, measure)}
        for ours in mine:
            delta = deltas[ours.codec]
            name = other.codec if len(mine) == 1 else f"{other.codec} beside {ours.codec}"
            if delta["why"] is not None:
                lines.append([name, delta["why"], *["-"] * 4, *_seconds(other)])
                continue
            gain, between = delta["bd_quality"], delta["interval"]
            lines.append([
                name, f"{delta['bd_rate']:+.3g} %",
                "-" if between is None else f"{between[0]:+.3g} to {between[1]:+.3g} %",
                "-" if gain is None else f"{gain:+.2f}",
                f"{delta['low']:.4g} to {delta['high']:.4g}",
                f"{delta['files']} of {delta['shared']}", *_seconds(other),
            ])  # fmt: skip
    note = (
        "Bjontegaard deltas of the mean curves, PCHIP over log rate, negative if our rate is "
        "smaller; the third column is the 95 % bootstrap interval of the deltas of single files."
    )
    return _html(head, lines) + f"<p><small>{note}</small></p>"


def _seconds(curve: Curve) -> list[str]:
    """Median time of encoding and decoding a file, over settings."""
    both = ([p.encode_seconds for p in curve.points], [p.decode_seconds for p in curve.points])
    return [f"{median(each):.2g}" for each in both]


def _drawn(whole: Sequence[Curve], measure: str, published: Sequence[Published]) -> str:
    buffer = io.BytesIO()
    draw(whole, measure, published).savefig(buffer, format="svg")
    svg = buffer.getvalue().decode()
    caption = "Our codecs solid, baselines dashed, published points hollow."
    sources = "".join(
        f"<li>{html.escape(each.method)}: {html.escape(each.source)}</li>" for each in published
    )
    inside = svg[svg.index("<svg") :]
    return f"<figure>{inside}<figcaption>{caption}<ul>{sources}</ul></figcaption></figure>"


def _table(whole: Sequence[Curve]) -> str:
    names = list(dict.fromkeys(key for curve in whole for p in curve.points for key in p.measures))
    head = ["codec", "setting", "bytes", "bits/unit", *names, "encode s", "decode s"]
    lines = [
        [
            curve.codec, f"{p.setting:g}", f"{p.bytes:,.0f}", f"{p.rate:.4g}",
            *(_number(p.measures.get(name)) for name in names),
            f"{p.encode_seconds:.3g}", f"{p.decode_seconds:.3g}",
        ]
        for curve in whole
        for p in curve.points
    ]  # fmt: skip
    return _html(head, lines)


def _extremes(rows: Sequence[Result], measure: str) -> str:
    """Files on which our highest quality level is best and worst."""
    ours = [row for row in rows if row.model is not None and measure in row.measures]
    if not ours:
        return "<p>No results of our codecs.</p>"
    finest = max(row.setting for row in ours)
    files = ordered([row for row in ours if row.setting == finest], measure)
    shown = files if len(files) <= 6 else [*files[:3], *files[-3:]]
    lines = [
        [Path(row.file).name, f"{row.bytes:,}", f"{row.rate:.4g}", f"{row.measures[measure]:.4g}"]
        for row in shown
    ]
    return _html(["file", "bytes", "bits/unit", measure], lines)


def _counted(rows: Sequence[Result], whole: Sequence[Curve]) -> str:
    said = [
        "A rate counts every byte of a file: header, checksum and payload.",
        "Everything that files share is not counted: decoders, models, components of PCA.",
    ]
    model = next((row.model_bytes for row in rows if row.model_bytes), None)
    others = [p for c in whole if not _ours(c, rows) for p in c.points]
    mine = [p for c in whole if _ours(c, rows) for p in c.points]
    if model and mine:
        said.append(f"The model has {model:,} bytes.")
        for point in mine:
            match = min(
                (o for o in others if o.measures["psnr"] >= point.measures["psnr"]),
                key=lambda o: o.bytes,
                default=None,
            )
            if match is not None and match.bytes > point.bytes:
                even = -(-model // max(1, round(match.bytes - point.bytes)))
                said.append(
                    f"At setting {point.setting:g} it has paid for itself after {even:,} files, "
                    "compared with the smallest baseline that has at least the same PSNR."
                )
                break
        else:
            said.append(
                "At no setting does it save bytes compared with a baseline of at least the same "
                "PSNR: there is no number of files after which it has paid for itself."
            )
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in said) + "</ul>"


def _ours(curve: Curve, rows: Sequence[Result]) -> bool:
    return any(row.model is not None and curve.codec.startswith(row.codec) for row in rows)


def _picture(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    caption = html.escape(path.stem.replace("_", " "))
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _html(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    rest = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>"
        for line in lines
    )
    return f"<table><tr>{top}</tr>{rest}</table>"


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"
