"""What the tests of recipes share: which there are, and how they are run small."""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from inrc.data import SignalDataModule

RECIPES = Path(__file__).parent.parent / "recipes"
NAMES = sorted(path.name for path in RECIPES.glob("*.yaml"))
METHODS = sorted(path.name for path in (RECIPES / "methods").glob("*.yaml"))


def arguments(folder: Path, *configs: Path) -> list[str]:
    """`fit` from these files, on a small sample of its own and nothing that is shared."""
    return [
        "fit",
        *(word for config in configs for word in ("--config", str(config))),
        f"--trainer.default_root_dir={folder / 'run'}",
        "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false",
        f"--data.init_args.sample_folder={folder / 'sample'}",
        "--data.init_args.sample_count=5",
        "--data.init_args.batch_size=4",
    ]


def data_of(class_path: str, **arguments: Any) -> Any:
    """The DataModule that a recipe describes."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(SignalDataModule, "data")
    described = {"data": {"class_path": class_path, "init_args": arguments}}
    return parser.instantiate(parser.parse_object(described)).data
