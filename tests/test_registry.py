"""Plugins: found by name, loaded one at a time, and unable to break what is not theirs."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from inrc import cli, registry
from inrc.errors import RegistryError
from inrc.methods import COINPP
from inrc.methods import CONTRACT as METHOD_CONTRACT
from inrc.signal import CONTRACT

Install = Callable[..., None]
Put = Callable[..., Path]
GOLDEN = Path(__file__).parent / "golden" / "v1" / "contexts"

GOOD = """
from pathlib import Path
from inrc.signal import Modality, QueryPlan, Signal

class Tide(Modality):
    name, suffixes, unit = "tide", (".tide",), "sample"
    query_dim = point_dim = value_dim = feature_dim = 1
    def settings(self): return {}
    def read(self, path): raise NotImplementedError
    def write(self, signal, path): raise NotImplementedError
    def shape(self, meta): return (1,)
    def plan_queries(self, meta, view): raise NotImplementedError
    def measure(self, original, decoded): return {}
    def sample(self, folder, seed, count): return []
"""


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put what pip notes of a distribution with one entry point on the path."""

    def note(distribution: str, line: str, group: str = "inrc.modalities") -> Path:
        info = tmp_path / f"{distribution}-2.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 2.5\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{line}\n")
        monkeypatch.syspath_prepend(tmp_path)  # forgets what was cached of the folder
        return info

    return note


@pytest.fixture
def install(put: Put, tmp_path: Path) -> Iterator[Install]:
    """Put a distribution with one modality on the path, as pip would."""
    before = set(sys.modules)

    def both(distribution: str, name: str, module: str, code: str, attribute: str = "Tide") -> None:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        put(distribution, f"{name} = {module}:{attribute}")

    yield both
    for module in set(sys.modules) - before:
        if getattr(sys.modules[module], "__file__", None) and str(tmp_path) in str(
            sys.modules[module].__file__
        ):
            del sys.modules[module]


def test_a_foreign_modality_is_found_by_its_name(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    assert registry.modalities.find("tide").suffixes == (".tide",)
    [plugin] = [p for p in registry.modalities.installed() if p.name == "tide"]
    assert str(plugin) == "tides_plugin:Tide of tides 2.5"


def test_built_in_modalities_come_through_the_same_door() -> None:
    assert {"image"} <= set(registry.modalities.names())
    [plugin] = [p for p in registry.modalities.installed() if p.name == "image"]
    assert plugin.distribution == "inrc"


def test_plugins_are_looked_for_again_only_after_an_installation(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("tides", "tide = tides_plugin:Tide")
    assert "tide" in registry.modalities.names() and "wave" not in registry.modalities.names()
    searches: list[str] = []
    search = registry.entry_points

    def counted() -> object:
        searches.append("all")
        return search()

    monkeypatch.setattr(registry, "entry_points", counted)
    assert "tide" in registry.modalities.names() and not searches
    info = tmp_path / "waves-1.0.dist-info"  # as pip installs it into a folder of a running Python
    info.mkdir()
    (info / "METADATA").write_text("Name: waves\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[inrc.modalities]\nwave = waves_plugin:Wave\n")
    assert "wave" in registry.modalities.names() and len(searches) == 1


def test_only_the_one_that_is_asked_for_is_imported(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    install("waves", "wave", "waves_plugin", "raise RuntimeError('do not import me')")
    registry.modalities.find("tide")
    assert "waves_plugin" not in sys.modules


def test_an_unknown_name_lists_what_is_installed(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    with pytest.raises(
        RegistryError, match=r"unknown modality 'tied'; choose one of: .*image.*tide"
    ):
        registry.modalities.find("tied")


def test_a_name_claimed_twice_is_reported_with_both_modules(install: Install) -> None:
    install("tides", "tide", "tides_plugin", GOOD)
    install("ebb", "tide", "ebb_plugin", GOOD)
    assert registry.modalities.names().count("tide") == 1
    with pytest.raises(RegistryError, match=r"ebb_plugin:Tide of ebb 2.5.*tides_plugin:Tide"):
        registry.modalities.find("tide")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("def broken(:", "SyntaxError"),
        ("Tide = 7", "it is not a Modality"),
        ("class Tide: pass", "it is not a Modality"),
        ("pass", "AttributeError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (GOOD + f"    contract = {CONTRACT + 1}\n", "update inrc"),
        (GOOD + "    contract = '1'\n", "its contract is '1'"),
        (GOOD + "    contract = 0\n", "its contract is 0"),
        (GOOD.replace('(".tide",)', '".tide"'), "its suffixes are '.tide'"),
        (GOOD.replace('"sample"', "None"), "its unit is None"),
        (GOOD.replace('"tide"', '"ebb"'), "its name is 'ebb'"),
        (GOOD.replace("def read(", "def reads("), "it lacks read"),
    ],
)
def test_a_broken_plugin_is_an_error_only_by_name(install: Install, code: str, says: str) -> None:
    install("tides", "tide", "tides_plugin", code)
    assert "tide" in registry.modalities.names()
    with pytest.raises(RegistryError, match=says) as caught:
        registry.modalities.find("tide")
    line = str(caught.value)
    assert line.startswith("modality 'tide' (tides_plugin:Tide of tides 2.5)") and "\n" not in line


@pytest.mark.parametrize("target", ["", "json", "not a target!!", "tides_plugin:", ":Tide"])
def test_an_entry_point_that_names_nothing(put: Put, target: str) -> None:
    put("tides", f"tide = {target}")
    assert "tide" in registry.modalities.names() and "image" in registry.modalities.names()
    with pytest.raises(
        RegistryError, match=r"of tides 2\.5\) .* is not of the form module:class"
    ) as caught:
        registry.modalities.find("tide")
    assert "\n" not in str(caught.value)


def test_a_distribution_without_metadata(put: Put) -> None:
    (put("tides", "tide = tides_plugin:Tide") / "METADATA").unlink()
    [plugin] = [p for p in registry.modalities.installed() if p.name == "tide"]
    assert str(plugin) == "tides_plugin:Tide of an unknown distribution"


@pytest.mark.parametrize("line", [b"just a line", b"tide = \xff\xfe:Tide"])
def test_entry_points_that_cannot_be_read_are_named(put: Put, line: bytes) -> None:
    """They hide everybody's from Python itself: no more can be said than whose they are."""
    (put("tides", "") / "entry_points.txt").write_bytes(b"[inrc.modalities]\n" + line + b"\n")
    with pytest.raises(RegistryError, match=r"entry points of tides 2\.5 cannot be read") as caught:
        registry.modalities.names()
    assert "\n" not in str(caught.value)


def test_what_a_plugin_prints_is_no_result(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("tides", "tide", "tides_plugin", "print('hello')\n" + GOOD)
    registry.modalities.find("tide")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")


@pytest.fixture
def guests(install: Install, tmp_path: Path) -> dict[str, str]:
    """One sound stranger among all kinds of broken ones, and what is said of those."""
    install("tides", "tide", "tides_plugin", GOOD)
    install("reefs", "reef", "reefs_plugin", "raise ValueError('two\\nlines')")
    install("quits", "quit", "quits_plugin", "print('noise')\nraise SystemExit(3)")
    install("gone", "gone", "gone_plugin", GOOD, attribute="NoSuchClass")
    (tmp_path / "gone_plugin.py").unlink()
    install("plain", "plain", "plain_plugin", "class Tide: pass")
    newer = GOOD.replace('"tide"', '"newer"') + f"    contract = {CONTRACT + 1}\n"
    install("newer", "newer", "newer_plugin", newer)
    install("one", "twice", "one_plugin", GOOD)
    install("two", "twice", "two_plugin", GOOD)
    return {
        "gone": "ModuleNotFoundError: No module named 'gone_plugin'",
        "newer": f"written for contract {CONTRACT + 1} and this inrc has {CONTRACT}; update inrc",
        "plain": "it is not a Modality",
        "quit": "SystemExit: 3",
        "reef": "ValueError: two lines",
        "twice": "declared by one_plugin:Tide of one 2.5 and by two_plugin:Tide of two 2.5",
    }


def test_the_list_has_a_line_for_each_broken_guest(guests: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inrc.cli", "modalities", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr
    facts = json.loads(done.stdout)  # although one of them prints
    assert {"image", "era5", "tide"} <= {row["name"] for row in facts["modalities"]}
    assert [row["name"] for row in facts["broken"]] == sorted(guests)
    lines = [line for line in done.stderr.splitlines() if line.startswith("inrc: ")]
    assert len(lines) == len(guests)
    for line, (name, says) in zip(lines, sorted(guests.items()), strict=True):
        assert line.startswith(f"inrc: warning: modality '{name}'") and says in line


@pytest.mark.usefixtures("guests")
def test_files_of_others_are_decoded_as_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(GOLDEN / "file.inrc"), "-m", str(GOLDEN / "codec.safetensors")]
    assert cli.main(["decompress", *words, "-o", str(tmp_path / "decoded")]) == 0
    assert capsys.readouterr().err == ""
    decoded = list((tmp_path / "decoded").iterdir())
    assert decoded and all(path.read_bytes().startswith(b"\x89PNG") for path in decoded)


@pytest.mark.parametrize("name", ["newer", "twice", "reef", "unheard_of"])
def test_who_asks_for_a_broken_guest_hears_why(
    guests: dict[str, str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model names its modality: decoding with it is how one is asked for."""
    model = tmp_path / "codec.safetensors"
    with safe_open(GOLDEN / "codec.safetensors", "np") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        facts = file.metadata()
    [key] = [key for key, text in facts.items() if '"modality"' in text]
    card = json.loads(facts[key])
    card["modality"]["name"] = name
    save_file(tensors, model, {**facts, key: json.dumps(card)})
    (tmp_path / "a.png").write_bytes(b"")
    assert cli.main(["compress", str(tmp_path / "a.png"), "-m", str(model)]) == 1
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert said.out == "" and line.startswith(f"inrc: {model}: ")
    assert guests.get(name, "unknown modality 'unheard_of'; choose one of: ") in line
    assert not (tmp_path / "a.inrc").exists()


def test_looking_for_names_does_not_import_torch() -> None:
    code = (
        "import sys; from inrc import registry; registry.modalities.names(); "
        "registry.methods.names(); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


MINE = """
from dataclasses import dataclass
from inrc.methods import COINPP, Method

@dataclass
class Mine(COINPP):
    name = "mine"
"""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (MINE, ""),
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named"),
        ("class Mine: pass", "it is not a Method"),
        (MINE.replace("COINPP)", "Method)"), "it lacks build"),
        (MINE.replace('"mine"', '"yours"'), "its name is 'yours'"),
        (MINE.replace("name =", "other ="), "its name is 'coinpp'"),
        (MINE + f"    contract = {METHOD_CONTRACT + 1}\n", "update inrc"),
    ],
)
def test_a_method_is_found_as_a_modality_is(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    (tmp_path / "mine_plugin.py").write_text(code)
    put("mines", "mine = mine_plugin:Mine", "inrc.methods")
    monkeypatch.delitem(sys.modules, "mine_plugin", raising=False)
    assert {"coinpp", "mine"} <= set(registry.methods.names())
    assert "mine" not in registry.modalities.names()
    if not says:
        kind = registry.methods.find("mine")
        assert issubclass(kind, COINPP)
        registry.methods.check_installed(kind)
        return
    with pytest.raises(RegistryError, match=says) as caught:
        registry.methods.find("mine")
    line = str(caught.value)
    assert line.startswith("method 'mine' (mine_plugin:Mine of mines 2.5)") and "\n" not in line


def test_a_subclass_that_is_not_installed_is_refused_before_training() -> None:
    class Mine(COINPP):
        pass

    with pytest.raises(RegistryError, match=r"Mine: is not installed as 'coinpp'.*inrc\.methods"):
        registry.methods.check_installed(Mine)
