"""Settings of every test: shapes and types are checked at run time, nothing needs a screen."""

import os
from pathlib import Path

# Tests run in parallel processes; threads inside them would only contend
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")  # before matplotlib is imported, by tests or children

import torch
from jaxtyping import install_import_hook

ROOMS = {path.stem for path in (Path(__file__).parents[1] / "inrc").iterdir()}

# Shape annotations of every function and dataclass become checks, before anything is imported.
# The numeric tower: an int is a float, as type checkers have it.
install_import_hook(
    [*sorted(f"inrc.{room}" for room in ROOMS), "inrc_modalities"],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

# Tests run in parallel processes; threads inside them would only contend
torch.set_num_threads(1)
