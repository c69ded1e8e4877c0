"""Who may import whom: read from the sources, and from what an import really loads."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TABLE = {
    room: set(imported.replace("-", "").replace(",", " ").split())
    for room, imported in re.findall(r"(?m)^\| `(\w+)` \|.*\| ([^|]*) \|$", PAGE)
    if re.fullmatch(r"-|\w+(, \w+)*", imported)
}
"""What each room imports, by docs/architecture.md."""
FLOORS = list(TABLE)
"""From low to high; a room imports from lower floors only."""

FOR_PLUGINS = {
    "signal", "grid", "data", "metrics", "errors", "lazy", "fetch", "files", "varint",
}  # fmt: skip
TENSORS_ONLY = {"gaussian", "fields", "adapt", "basis", "entropy"}
WITH_LIGHTNING = {"module", "data", "cli"}
WITHOUT_TORCH = [
    "errors", "lazy", "varint", "memory", "files", "fetch", "container", "registry", "cli",
]  # fmt: skip


def sources(folder: str, package: str) -> dict[str, Path]:
    """Files of a package by their dotted names."""
    files = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        steps = path.relative_to(ROOT / folder).with_suffix("").parts
        steps = steps[:-1] if steps[-1] == "__init__" else steps
        files[".".join((package, *steps))] = path
    return files


INRC = sources("inrc", "inrc")
PLUGINS = sources("modalities", "inrc_modalities")


def imports(module: str, path: Path, known: dict[str, Path]) -> set[str]:
    """All that a file imports, inside functions and for types only too, by dotted names."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                base = package.split(".")[: len(package.split(".")) - node.level + 1]
                origin = ".".join([*base, *([origin] if origin else [])])
            for name in node.names:
                whole = f"{origin}.{name.name}"
                imported.add(whole if whole in known or origin == "inrc" else origin)
    return imported


GRAPH = {name: imports(name, path, INRC | PLUGINS) for name, path in (INRC | PLUGINS).items()}


def room(module: str) -> str:
    """`inrc.cli.info` is in the room `cli`, `inrc_modalities.image.pixels` in `image`."""
    return [*module.split("."), ""][1]


def arrows() -> list[tuple[str, str]]:
    """(importing, imported) between different rooms of inrc."""
    return [
        (one, two)
        for one in INRC
        for two in GRAPH[one]
        if two.split(".")[0] == "inrc" and room(one) and room(two) != room(one)
    ]


def test_the_page_says_what_each_room_imports() -> None:
    real = {name: set[str]() for name in FLOORS}
    for one, two in arrows():
        real[room(one)].add(room(two))
    wrong = {name: sorted(rooms) for name, rooms in real.items() if rooms != TABLE[name]}
    assert wrong == {}, f"write into the table: {wrong}"


def test_names_on_the_page_are_names_in_the_sources() -> None:
    """Classes, functions and settings: a name that was changed must be changed there, too."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (INRC | PLUGINS).values())
    named = set(re.findall(r"`([A-Za-z_]\w+)(?:\([\w, ]*\))?`", PAGE)) - set(FLOORS)
    known = set(re.findall(r"\w+", text)) | {"benchmarks", "inrc_recipes"}
    assert len(named) > 40
    assert sorted(named - known) == []


def test_every_room_has_a_floor_and_no_arrow_goes_up() -> None:
    assert {room(name) for name in INRC} - {""} <= set(FLOORS), "give the new room a floor"
    assert len(arrows()) > 10
    up = [f"{one} -> {two}" for one, two in arrows() if rank(two) >= rank(one)]
    assert not up


def rank(module: str) -> int:
    return FLOORS.index(room(module))


@pytest.mark.parametrize("modules", [INRC, PLUGINS], ids=["inrc", "modalities"])
def test_no_circles(modules: dict[str, Path]) -> None:
    graph = {name: {to for to in GRAPH[name] if to in modules and to != name} for name in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", PLUGINS)
def test_a_plugin_imports_the_contract_and_no_other_plugin(module: str) -> None:
    for name in GRAPH[module]:
        if name.split(".")[0] == "inrc":
            assert room(name) in FOR_PLUGINS, f"{module} imports {name}"
        if name.split(".")[0] == "inrc_modalities":
            assert room(module) == room(name), f"{module} imports {name}"


@pytest.mark.parametrize("module", INRC)
def test_inrc_knows_no_plugin(module: str) -> None:
    assert not [name for name in GRAPH[module] if name.split(".")[0] == "inrc_modalities"]
    text = INRC[module].read_text(encoding="utf-8")
    assert "inrc_modalities" not in text
    assert not re.findall(r"(?i)(?<![a-z])(era5|mri|sdf|nerf)(?![a-z])", text)


@pytest.mark.parametrize("module", INRC)
def test_lightning_and_tensors_keep_to_their_rooms(module: str) -> None:
    tops = {name.split(".")[0] for name in GRAPH[module]}
    if room(module) not in WITH_LIGHTNING:
        assert not tops & {"lightning", "pytorch_lightning"}
    if room(module) in TENSORS_ONLY:
        known = {room(name) for name in GRAPH[module] if name.split(".")[0] == "inrc"}
        assert not known - TENSORS_ONLY - {"errors"}
        assert not tops & {"pathlib", "io", "os"}


def test_what_must_be_quick_loads_no_torch() -> None:
    rooms = " ".join(f"import inrc.{name};" for name in WITHOUT_TORCH)
    code = f"import sys; {rooms} sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_codec_works_without_a_trainer() -> None:
    if "inrc.codec" not in INRC:
        pytest.skip("no codec yet")
    code = "import sys; import inrc.codec; sys.exit('lightning' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
