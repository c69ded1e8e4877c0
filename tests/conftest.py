"""Settings of every test: shapes and types are checked at run time, nothing needs a screen."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")  # before matplotlib is imported, by tests or children

import torch
from jaxtyping import install_import_hook

# Not checked, as it comes before the hook: `crop` says Float but cuts pixels of any type
import inrc.grid  # noqa: F401

# Shape annotations of every function and dataclass become checks, before anything is imported.
# The numeric tower: an int is a float, as type checkers have it.
install_import_hook(
    ["inrc", "inrc_modalities"],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

# Tests run in parallel processes; threads inside them would only contend
torch.set_num_threads(1)
