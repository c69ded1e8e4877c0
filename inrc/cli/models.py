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


def model_for(seen: Peek, path: Path | None, max_memory: int | None = None) -> "Model":
    """Load the model at `path`, or find that of a file: in the file itself, or by its id.

    Raises:
        ModelError: the model is missing, corrupt, or not the one that the file needs.
        ContainerError: a card that no network can be built from.
        MemoryLimitError: its network takes more than `max_memory` bytes.
    """
    from inrc.model import Model

    if path is None:
        with warnings.catch_warnings(record=True) as broken:
            warnings.simplefilter("always")
            model = Model.of(seen, max_memory)
        for warning in broken:
            screen.complain(f"warning: {warning.message}")
        return model
    if seen.card is not None:
        raise ModelError(f"{path}: the file needs no model; leave -m out")
    model = Model.load(path)
    if model.id != seen.model_id:
        raise ModelError(
            f"{path}: is model {model.id.hex()}, and the file needs {seen.model_id.hex()}; name "
            "that one"
        )
    return model
