"""Pictures of decoded files beside their originals."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from inrc import codec
from inrc.errors import SignalError
from inrc.evaluation.rows import Row, ordered
from inrc.model import Model
from inrc.plotting import beside


def decoded(rows: Sequence[Row], path: Path, measure: str, folder: Path) -> list[Path]:
    """Draw the best and the worst file of a model's middle rung, as PNGs in `folder`.

    Raises SignalError if no row is of this model, or its files are gone.
    """
    model = Model.load(path)
    rung = model.rungs // 2
    own = [row for row in rows if row.model == model.id.hex() and int(row.setting) == rung]
    if not own:
        raise SignalError(f"{path}: no row of this model at rung {rung}")
    by_quality = ordered(own, measure)
    if not by_quality:
        raise SignalError(f"{path}: {measure} of rung {rung} is undefined for every file")
    made = []
    for word, row in {"worst": by_quality[0], "best": by_quality[-1]}.items():
        target = folder / f"{word}_file_{Path(row.file).stem}.png"
        if picture(Path(row.file), model, rung, target):
            made.append(target)
    return made


def picture(original: Path, model: Model, rung: int, target: Path) -> bool:
    """Draw a file beside what a rung makes of it; False for data without pictures.

    Raises SignalError as reading does.
    """
    made = codec.compress([original], model, rung)
    with tempfile.TemporaryDirectory() as folder:
        modality = model.modality
        path = Path(folder) / f"decoded{modality.measurable(original)}"
        view = model.modality.judged(original)
        codec.decompress(made.data, model, path, view)
        pair = model.modality.picture(original, path)
    if pair is None:
        return False
    beside(*pair, target)
    return True
