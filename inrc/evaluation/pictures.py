"""Pictures of decoded files beside their originals."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from inrc import codec
from inrc.errors import SignalError
from inrc.evaluation.results import Result, ordered
from inrc.model import Model
from inrc.plotting import beside


def decoded(rows: Sequence[Result], path: Path, measure: str, folder: Path) -> list[Path]:
    """Draw the best and the worst file of a model's middle quality level, as PNGs in `folder`.

    Raises SignalError if there are no results of this model, or no files.
    """
    model = Model.load(path)
    quality = model.num_qualities // 2
    own = [row for row in rows if row.model == model.id.hex() and int(row.setting) == quality]
    if not own:
        raise SignalError(f"{path}: no result at quality level {quality}; evaluate it first")
    by_quality = ordered(own, measure)
    if not by_quality:
        raise SignalError(
            f"{path}: {measure} of quality level {quality} is undefined for every file"
        )
    made = []
    for word, row in {"worst": by_quality[0], "best": by_quality[-1]}.items():
        target = folder / f"{word}_file_{Path(row.file).stem}.png"
        if picture(Path(row.file), model, quality, target):
            made.append(target)
    return made


def picture(original: Path, model: Model, quality: int, target: Path) -> bool:
    """Draw a file beside its decoded version; False for data without pictures.

    Raises SignalError if the file cannot be read.
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
