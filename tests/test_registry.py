"""Plugins: found by name, loaded one at a time, and unable to break what is not theirs."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from inrc import registry
from inrc.errors import RegistryError
from inrc.signal import CONTRACT

Install = Callable[..., None]

GOOD = """
from pathlib import Path
from inrc.signal import Ask, Modality, Signal

class Tide(Modality):
    name, suffixes, unit = "tide", (".tide",), "sample"
    query_dim = point_dim = value_dim = feature_dim = 1
    def settings(self): return {}
    def read(self, path): raise NotImplementedError
    def write(self, signal, path): raise NotImplementedError
    def shape(self, meta): return (1,)
    def ask(self, meta, view): raise NotImplementedError
    def measure(self, original, decoded): return {}
    def sample(self, folder, seed, count): return []
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with one modality on the path, as pip would."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def put(distribution: str, name: str, module: str, code: str, attribute: str = "Tide") -> None:
        info = tmp_path / f"{distribution}-2.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 2.5\n")
        (info / "entry_points.txt").write_text(
            f"[inrc.modalities]\n{name} = {module}:{attribute}\n"
        )
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        monkeypatch.syspath_prepend(tmp_path)  # forgets what was cached of the folder

    yield put  # type: ignore[misc]
    for module in set(sys.modules) - before:
        if getattr(sys.modules[module], "__file__", None) and str(tmp_path) in str(
            sys.modules[module].__file__
        ):
            del sys.modules[module]


def test_a_foreign_modality_is_found_by_its_name(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    assert registry.find("tide").suffixes == (".tide",)
    [plugin] = [p for p in registry.installed() if p.name == "tide"]
    assert str(plugin) == "tides_plugin:Tide of tides 2.5"


def test_built_in_modalities_come_through_the_same_door() -> None:
    assert {"image"} <= set(registry.names())
    [plugin] = [p for p in registry.installed() if p.name == "image"]
    assert plugin.distribution == "inrc"


def test_only_the_one_that_is_asked_for_is_imported(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    install("waves", "wave", "waves_plugin", "raise RuntimeError('do not import me')")
    registry.find("tide")
    assert "waves_plugin" not in sys.modules


def test_an_unknown_name_lists_what_is_installed(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    with pytest.raises(RegistryError, match=r"unknown modality 'tied'; installed: .*image.*tide"):
        registry.find("tied")


def test_a_name_claimed_twice_is_reported_with_both_modules(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    install("ebb", "tide", "ebb_plugin", GOOD)
    assert registry.names().count("tide") == 1
    with pytest.raises(RegistryError, match=r"ebb_plugin:Tide of ebb 2.5.*tides_plugin:Tide"):
        registry.find("tide")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("def broken(:", "SyntaxError"),
        ("Tide = 7", "it is not a Modality"),
        ("class Tide: pass", "it is not a Modality"),
        ("pass", "AttributeError"),
        (GOOD + f"    contract = {CONTRACT + 1}\n", "update inrc"),
        (GOOD.replace('"tide"', '"ebb"'), "calls itself 'ebb'"),
        (GOOD.replace("def read(", "def reads("), "it lacks read"),
    ],
)
def test_a_broken_plugin_is_an_error_only_by_name(install: Install, code: str, says: str) -> None:
    install("tides", "tide", "tides_plugin", code)
    assert "tide" in registry.names()
    with pytest.raises(RegistryError, match=says) as caught:
        registry.find("tide")
    line = str(caught.value)
    assert line.startswith("modality 'tide' (tides_plugin:Tide of tides 2.5)") and "\n" not in line


def test_looking_for_names_does_not_import_torch() -> None:
    code = (
        "import sys; from inrc import registry; registry.names(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
