"""Where a verb finds its codec model."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.cli import screen
from inrc.errors import ModelError

if TYPE_CHECKING:
    from inrc.model import Model

SEARCH = "INRC_MODELS"
"""As `inrc.model.SEARCH`, here without importing torch."""


def model_for(model_id: bytes, path: Path | None) -> "Model":
    """Load the model at `path`, or the one of this id from the folders of INRC_MODELS.

    Raises ModelError if it is none, is another than the id says, or nowhere to be found.
    """
    from inrc.model import Model, search

    if path is None:
        with warnings.catch_warnings(record=True) as broken:
            warnings.simplefilter("always")
            found = search(model_id)
        for warning in broken:
            screen.complain(f"warning: {warning.message}")
        return found
    model = Model.load(path)
    if model.id != model_id:
        raise ModelError(
            f"{path}: this is model {model.id.hex()}, and the file needs {model_id.hex()}"
        )
    return model
