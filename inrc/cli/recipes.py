"""`inrc recipes`: the training configurations that are part of the installation."""

import argparse
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.cli import screen
from inrc.errors import InrcError, UsageError
from inrc.files import atomic_write

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

NAME = "recipes"
HELP = "list the training configurations that `inrc fit --config NAME` knows"

_SUFFIX = ".yaml"
_MAX_SUGGESTIONS = 3


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument(
        "--copy", type=Path, metavar="FOLDER", help="copy them to FOLDER/recipes, to be edited"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises InrcError if the folder to copy to has recipes already.
    """
    recipes = installed()
    if args.copy is not None:
        target = args.copy / "recipes"
        if target.exists():
            raise InrcError(f"{target}: exists already; name another folder")
        with atomic_write(target) as part:
            for name, recipe in recipes.items():
                file = part / (name + _SUFFIX)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(recipe.read_text(encoding="utf-8"), encoding="utf-8")
        print(f"{len(recipes)} recipes → {target}")
        print(f"next:  inrc fit --config {target / min(recipes)}{_SUFFIX}")
        return 0
    purposes = {name: purpose(recipe) for name, recipe in recipes.items()}
    if args.json:
        screen.say_json({"recipes": purposes})
        return 0
    width = max(map(len, purposes))
    for name, text in purposes.items():
        print(f"{name:<{width}}  {text}")
    return 0


def installed() -> "dict[str, Traversable]":
    """All recipes by name, those without a folder first."""
    from importlib.resources import files

    recipes = dict(_walk(files("inrc_recipes"), ""))
    return {name: recipes[name] for name in sorted(recipes, key=lambda n: (n.count("/"), n))}


def purpose(recipe: "Traversable") -> str:
    """The first line of a recipe, a comment that says what it trains."""
    return recipe.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def resolve(words: list[str]) -> list[str]:
    """The words of a command, with every `--config NAME` of a recipe replaced by its path.

    A file that exists is taken as it is.

    Raises UsageError if there is neither such a file nor such a recipe.
    """
    resolved = []
    for previous, word in zip(["", *words], words, strict=False):
        option, equals, value = word.partition("=")
        if previous in ("--config", "-c"):
            resolved.append(_path(word))
        elif option == "--config" and equals:
            resolved.append(f"--config={_path(value)}")
        else:
            resolved.append(word)
    return resolved


def _path(config: str) -> str:
    if Path(config).is_file() or config.startswith("-") or "\n" in config or ": " in config:
        return config  # an option, or YAML itself, is for the parser to judge
    recipes = installed()
    name = config.removesuffix(_SUFFIX)
    if name in recipes and not Path(config).exists():
        return str(recipes[name])
    last = name.rpartition("/")[2]
    near = [each for each in recipes if last and last == each.rpartition("/")[2]]
    near += difflib.get_close_matches(name, recipes, _MAX_SUGGESTIONS)
    hint = f"did you mean {' or '.join(dict.fromkeys(near))}? " if near else ""
    raise UsageError(
        f"{config}: no such file and no such recipe; {hint}`inrc recipes` lists the recipes"
    )


def _walk(folder: "Traversable", path: str) -> "Iterator[tuple[str, Traversable]]":
    for each in folder.iterdir():
        if each.is_dir():
            yield from _walk(each, f"{path}{each.name}/")
        elif each.name.endswith(_SUFFIX):
            yield path + each.name.removesuffix(_SUFFIX), each
