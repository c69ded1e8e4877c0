"""Pictures of decoded files beside their originals."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from inrc import codec
from inrc.errors import SignalError
from inrc.evaluation.rows import Result
from inrc.model import Model
from inrc.plotting import beside


def decoded(rows: Sequence[Result], path: Path, measure: str, folder: Path) -> list[Path]:
    """Draw the best and the worst file of a model's middle quality level, as PNGs in `folder`.

    Raises SignalError if no row is of this model, or its files are gone.
    """
    model = Model.load(path)
    quality = model.num_qualities // 2
    own = [row for row in rows if row.model == model.id.hex() and int(row.setting) == quality]
    if not own:
        raise SignalError(f"{path}: no row of this model at quality level {quality}")
    ordered = sorted(own, key=lambda row: row.measures[measure])
    made = []
    for word, row in {"worst": ordered[0], "best": ordered[-1]}.items():
        target = folder / f"{word}_file_{Path(row.file).stem}.png"
        if picture(Path(row.file), model, quality, target):
            made.append(target)
    return made


def picture(original: Path, model: Model, quality: int, target: Path) -> bool:
    """Draw a file beside what a quality level makes of it; False for data without pictures.

    Raises SignalError as reading does.
    """
    made = codec.compress([original], model, quality)
    with tempfile.TemporaryDirectory() as folder:
        modality = model.modality
        path = Path(folder) / f"decoded{modality.measurable(original)}"
        view = model.modality.evaluation_view(original)
        codec.decompress(made.data, model, path, view)
        pair = model.modality.picture(original, path)
    if pair is None:
        return False
    beside(*pair, target)
    return True
