"""What the pages say about the project is so: links, commands, tables, versions."""

import ast
import inspect
import re
import shlex
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from collections import defaultdict
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import inrc
from inrc import registry
from inrc.cli import TRAINING, VERBS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MANY = 10
"""Rooms and modalities from which on a table says `everywhere`."""


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def anchors(markdown: str) -> set[str]:
    """Headings as GitHub and MkDocs make them anchors."""
    headings = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^```.*?^```$", "", markdown))
    kept = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return {re.sub(r"\s+", "-", heading.strip()) for heading in kept}


@pytest.mark.parametrize("page", names(PAGES))
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)]*))?\)", text(page)):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if anchor and path.parent.name != "api":  # anchors of generated pages: mkdocs checks
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{page}: #{anchor}"


@pytest.mark.parametrize("page", names(PAGES))
def test_files_that_are_named_exist(page: str) -> None:
    if page != "CONTRIBUTING.md":  # names files of a plugin, too
        folders = "inrc|modalities|recipes|benchmarks|tests|docs"
        for path in re.findall(rf"`((?:{folders})/[\w/]+\.?\w*)`", text(page)):
            assert (ROOT / path).exists() or path != path.lower(), f"{page}: {path}"


def commands(page: str) -> list[list[str]]:
    """What the page's code blocks call of `inrc` and `lightning`, as words."""
    code = re.sub(r"\\\n\s*", "", text(page))
    code += re.sub(r"(?m)^", " " * 4, "\n".join(re.findall(r"(?ms)^```\w*\n(.*?)^```$", code)))
    lines = re.findall(r"(?m)^ {4}((?:inrc|lightning) [a-z].*)$", code)
    calls = [call for line in lines for call in re.split(r"\s+(?:;|&&|\|)\s+", line)]
    return [shlex.split(call, comments=True) for call in calls]


def parser_of(verb: str) -> ArgumentParser:
    parser = ArgumentParser(verb)
    next(each for each in VERBS if each.NAME == verb).add(parser)
    return parser


@pytest.mark.parametrize("page", names(PAGES))
def test_commands_in_code_blocks_can_be_parsed(page: str) -> None:
    for program, verb, *words in commands(page):
        if verb not in TRAINING:
            assert program == "inrc"
            try:
                parser_of(verb).parse_args(words)
            except SystemExit:
                pytest.fail(f"{page}: inrc {verb} {' '.join(words)}")
        for option, value in pairwise(words):
            if verb in TRAINING and option == "--config" and "NAME" not in value:
                recipe = value if "." in value else f"recipes/{value}.yaml"
                own = not recipe.startswith("recipes/")
                assert own or (ROOT / recipe).exists(), f"{page}: {value}"


@pytest.mark.parametrize("page", names(PAGES))
def test_verbs_and_options_in_sentences_exist(page: str) -> None:
    for verb, rest in re.findall(r"`inrc ([a-z-]+)([^`\n]*)`", text(page)):
        assert verb in TRAINING or verb in {each.NAME for each in VERBS}, f"{page}: {verb}"
        options = re.findall(r"(?<= )--?[a-z][a-z-]*", rest)
        if verb not in TRAINING and options:
            known = re.findall(r"--?[a-z][a-z-]*", parser_of(verb).format_help())
            assert not set(options) - set(known), f"{page}: inrc {verb}{rest}"


@pytest.mark.parametrize("verb", ["compress", "decompress"])
def test_the_guides_tables_have_every_option(verb: str) -> None:
    section = text("docs/guide.md").split(f"\n## {verb.capitalize()}\n")[1].split("\n## ")[0]
    cells = " ".join(re.findall(r"(?m)^\| (`-.*?) \|", section))
    stated = set(re.findall(r"(?<=`)--?[a-z][a-z-]*", cells))
    known = re.findall(r"(?m)^  (--?[a-z][a-z-]*)", parser_of(verb).format_help())
    assert stated >= set(known) - {"-h", "--method", "--modality", "--size", "--rate"}
    assert stated <= set(re.findall(r"--?[a-z][a-z-]*", parser_of(verb).format_help()))


@pytest.mark.parametrize("page", names(PAGES))
def test_python_calls_inrc_as_it_is(page: str) -> None:
    for block in re.findall(r"(?ms)^```python\n(.*?)^```$", text(page)):
        if "import inrc" not in block:
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "inrc":
                assert node.attr in inrc.__all__, f"{page}: inrc.{node.attr}"
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("inrc."):
                called = getattr(inrc, ast.unparse(node.func).removeprefix("inrc."))
                keywords = {str(word.arg) for word in node.keywords}
                assert keywords <= set(inspect.signature(called).parameters), ast.unparse(node)


def test_the_readme_is_short_and_starts_with_the_fields_own_term() -> None:
    readme = text("README.md")
    assert len(readme.splitlines()) <= 130
    first = readme.split("\n\n")[1].split(". ")[0]
    assert "implicit neural\nrepresentation" in first or "implicit neural representation" in first
    assert len(re.findall(r"(?m)^ {4}python3\.11 -m venv \.venv && ", readme)) == 2


def first_column(page: str, header: str) -> list[str]:
    """Names in backticks of the first column of the table with this header."""
    table = text(page).split(f"| {header} |")[1].split("\n\n")[0]
    return re.findall(r"`([\w.]+)`", "\n".join(re.findall(r"(?m)^\|([^|]*)\|", table)))


def test_the_readmes_tables_are_complete() -> None:
    recipes = {path.stem for path in (ROOT / "recipes").glob("*.yaml")}
    assert sorted(first_column("README.md", "recipe | files")) == sorted(recipes)
    methods = {each.name for each in registry.methods.installed() if each.distribution == "inrc"}
    assert sorted(first_column("README.md", "method | network")) == sorted(methods)
    assert methods == {path.stem for path in (ROOT / "recipes/methods").glob("*.yaml")}


def users() -> dict[str, set[str]]:
    """Rooms and modalities that import a distribution, by its normalised name."""
    distributions = packages_distributions()
    places: dict[str, set[str]] = defaultdict(set)
    for folder in ("inrc", "modalities"):
        for path in (ROOT / folder).rglob("*.py"):
            place = path.relative_to(ROOT / folder).with_suffix("").parts[0]
            if "skeleton" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                modules = []
                if isinstance(node, ast.Import):
                    modules = [name.name for name in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    modules = [node.module]
                elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module":
                    modules = [
                        str(each.value) for each in node.args if isinstance(each, ast.Constant)
                    ]
                for module in modules:
                    for name in distributions.get(module.split(".")[0], []):
                        places[normal(name)].add(place)
    return places


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(requirements: list[str]) -> list[str]:
    """Names of requirements, without those on inrc's own extras."""
    matches = [re.match(r"[\w.-]+", line) for line in requirements]
    return [normal(name[0]) for name in matches if name and name[0] != "inrc"]


def test_the_table_of_dependencies_is_that_of_the_project() -> None:
    page = text("docs/dependencies.md")
    rows = re.findall(r"(?m)^\| ([\w-]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", page)[1:]
    assert [normal(row[0]) for row in rows] == needed(PROJECT["dependencies"])
    real = users()
    for name, _, imported in rows:
        places = real.get(normal(name), set())
        says = set(re.findall(r"\w+", imported))
        assert len(places) >= MANY if says == {"everywhere"} else says == places, (
            f"{name}: {', '.join(sorted(places))}"
        )


def test_the_table_of_extras_is_that_of_the_project() -> None:
    page = text("docs/dependencies.md").split("## Extras")[1]
    rows = re.findall(r"(?m)^\| ([\w, ]+) \| ([\w-]+) \| [^|]+ \| [^|]+ \| [^|]+ \|$", page)[1:]
    stated = [(extra, normal(name)) for extras, name in rows for extra in extras.split(", ")]
    declared = PROJECT["optional-dependencies"].items()
    assert sorted(stated) == sorted((extra, n) for extra, line in declared for n in needed(line))


def test_nothing_is_imported_that_is_not_declared() -> None:
    optional = (name for line in PROJECT["optional-dependencies"].values() for name in needed(line))
    declared = {*needed(PROJECT["dependencies"]), *optional, "inrc"}
    ours = {normal(name) for name in users() if not name.startswith("inrc-")}
    assert sorted(ours - declared - {"pyyaml", "pytorch-lightning"}) == []


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["version"]
    assert re.search(rf"(?m)^## \[{re.escape(version)}\]|will be {re.escape(version)}\.$",
                     text("CHANGELOG.md"))  # fmt: skip
    assert yaml.safe_load(text("CITATION.cff"))["version"] == version


def test_the_papers_are_cited() -> None:
    references = yaml.safe_load(text("CITATION.cff"))["references"]
    cited = {entry["identifiers"][0]["value"] for entry in references}
    assert len(cited) == len(references) >= 6
    table = text("docs/concepts.md").split("## Data")[0]
    assert cited == set(re.findall(r"arXiv:\d{4}\.\d{5}", table))


def test_every_page_is_in_the_navigation() -> None:
    def leaves(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inner = entry.values() if isinstance(entry, dict) else entry
        return [leaf for each in inner for leaf in leaves(each)]  # type: ignore[attr-defined]

    listed = leaves(yaml.safe_load(text("mkdocs.yml"))["nav"])
    pages = {name.removeprefix("docs/") for name in names(PAGES) if name.startswith("docs/")}
    assert sorted(listed) == sorted(pages | {"index.md", "CONTRIBUTING.md", "CHANGELOG.md"})


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra `docs`")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="guide/"' in front and 'src="era5.png"' in front
    assert 'id="inrc.compress"' in (tmp_path / "api/inrc/index.html").read_text(encoding="utf-8")
