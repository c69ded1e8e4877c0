"""Where a verb finds its codec model."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.cli import screen
from inrc.container import Peek
from inrc.errors import ModelError

if TYPE_CHECKING:
    from inrc.model import Model

SEARCH = "INRC_MODELS"
"""As `inrc.model.SEARCH`, here without importing torch."""


def model_for(seen: Peek, path: Path | None) -> "Model":
    """Load the model at `path`, or find that of a file: in the file itself, or by its id.

    Raises ModelError if it is none, is another than the id says, or nowhere to be found;
    ContainerError for a card that nothing can be built from.
    """
    from inrc.model import Model

    if path is None:
        with warnings.catch_warnings(record=True) as broken:
            warnings.simplefilter("always")
            found = Model.of(seen)
        for warning in broken:
            screen.complain(f"warning: {warning.message}")
        return found
    if seen.card is not None:
        raise ModelError("the file says itself how it is decoded: leave -m out")
    model = Model.load(path)
    if model.id != seen.model_id:
        raise ModelError(
            f"{path}: this is model {model.id.hex()}, and the file needs {seen.model_id.hex()}"
        )
    return model
