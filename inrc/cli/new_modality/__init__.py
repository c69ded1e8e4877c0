"""`inrc new-modality`: write a working plugin, to start your own from."""

import argparse
import builtins
import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from inrc import registry
from inrc.cli import screen
from inrc.errors import InrcError, UsageError
from inrc.files import atomic_write

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

NAME = "new-modality"
HELP = "write a plugin for a new kind of data, installable and tested, to be adapted"

MAX_NAME_LENGTH = 32
"""With longer names, lines of the skeleton would exceed 100 columns."""

_TEMPLATE = ".in"  # suffix of the skeleton's files, so that no tool takes them for code
_PLACEHOLDER = "NAME"  # in their paths


def add(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="of the modality: tide, sea_level")
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FOLDER", help="default: inrc-NAME, here"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the verb.

    Raises UsageError if the name is invalid, InrcError if it is taken or the folder exists.
    """
    words = names(args.name)
    folder: Path = args.output or Path(words["distribution"])
    if args.name in registry.modalities.names():
        raise InrcError(f"modality {args.name!r} is installed already; choose another name")
    if find_spec(words["package"]) is not None:
        raise InrcError(f"package {words['package']} exists already; choose another name")
    if folder.exists() or folder.is_symlink():
        raise InrcError(f"{folder}: exists already; name a new folder with -o")
    texts = render(words)
    check(words, texts)
    with atomic_write(folder) as part:
        for path, text in texts.items():
            file = part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    if args.json:
        screen.say_json({"name": args.name, "folder": str(folder), "files": list(texts)})
        return 0
    for path in texts:
        print(folder / path)
    print(f"next:  cd {shlex.quote(str(folder))} && pip install -e . && python -m pytest")
    return 0


def names(name: str) -> dict[str, str]:
    """Values of the skeleton's placeholders.

    Raises UsageError unless the name is one or more lower-case words, joined by single underscores.
    """
    valid = re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name, re.ASCII)
    if not valid or len(name) > MAX_NAME_LENGTH:
        raise UsageError(
            f"{name!r}: give a lower-case name like tide or sea_level, "
            f"of at most {MAX_NAME_LENGTH} letters, digits and underscores"
        )
    return {
        "name": name,
        "kind": "".join(word.capitalize() for word in name.split("_")),
        "package": f"inrc_{name}",
        "distribution": f"inrc-{name.replace('_', '-')}",
    }


def render(words: Mapping[str, str]) -> dict[str, str]:
    """Texts of all files of the plugin, by their paths in its folder, sorted."""
    from importlib.resources import files
    from string import Template

    return {
        path.replace(_PLACEHOLDER, words["name"]): Template(text).substitute(words)
        for path, text in sorted(_templates(files(__name__) / "skeleton", ""))
    }


def check(words: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """Check that the name of the class has no other meaning in the skeleton.

    Raises UsageError if Python has this name, or if the skeleton imports it.
    """
    import ast  # here, because all verbs import this module

    taken = {*dir(builtins), *keyword.kwlist}
    for path, text in texts.items():
        if path.endswith(".py") and words["kind"] not in taken:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ImportFrom) and words["package"] not in f"{node.module}":
                    taken |= {alias.name for alias in node.names}
    if words["kind"] in taken:
        raise UsageError(
            f"{words['name']!r}: a class {words['kind']} would hide another name; use another one"
        )


def _templates(folder: "Traversable", path: str) -> Iterator[tuple[str, str]]:
    """Paths and texts of all templates in a folder, wherever the package is installed."""
    for each in folder.iterdir():
        if each.is_dir():
            yield from _templates(each, f"{path}{each.name}/")
        elif each.name.endswith(_TEMPLATE):
            yield path + each.name.removesuffix(_TEMPLATE), each.read_text(encoding="utf-8")
