"""Where a verb finds its codec model."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.cli import screen
from inrc.errors import ModelError

if TYPE_CHECKING:
    from inrc.model import Model

SEARCH = "INRC_MODELS"
"""Environment variable: folders, separated as in PATH, where models are looked up by their id."""


def model_for(model_id: bytes, path: Path | None) -> "Model":
    """Load the model at `path`, or the one of this id from the folders of INRC_MODELS.

    Raises ModelError if it is none, is another than the id says, or nowhere to be found.
    """
    from inrc.model import Model

    if path is not None:
        model = Model.load(path)
        if model.id != model_id:
            raise ModelError(
                f"{path}: this is model {model.id.hex()}, and the file needs {model_id.hex()}"
            )
        return model
    folders = [Path(folder) for folder in os.environ.get(SEARCH, "").split(os.pathsep) if folder]
    for candidate in (file for folder in folders for file in sorted(folder.rglob("*.safetensors"))):
        try:
            model = Model.load(candidate)
        except ModelError as error:
            screen.complain(f"warning: {candidate}: {error}")
            continue
        if model.id == model_id:
            return model
    raise ModelError(
        f"model {model_id.hex()} is needed: name it with -m, or put its folder in {SEARCH}"
    )
