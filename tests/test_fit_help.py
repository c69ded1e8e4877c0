"""Every option of training that is ours is explained, and help names what there is to choose."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from jsonargparse import ArgumentParser

from inrc import cli, methods, registry
from inrc.cli import fit
from inrc.data import SignalDataModule
from inrc.methods import Method
from inrc.module import Compressor

Capture = pytest.CaptureFixture[str]


def described(kind: type) -> dict[str, str]:
    """The parser's sentence for each argument: that of the class, or of a base."""
    parser = ArgumentParser()
    parser.add_class_arguments(kind, "it")
    sentences = {each.dest.removeprefix("it."): each.help for each in parser._actions}
    return {name: " ".join(help_.split()) for name, help_ in sentences.items() if help_}


def arguments(kind: type) -> list[str]:
    return [name for name in inspect.signature(kind).parameters if name != "self"]


def data_modules() -> Iterator[type[SignalDataModule]]:
    """All that the packages of the installed modalities export."""
    for plugin in registry.modalities.installed():
        package = import_module(plugin.target.partition(":")[0])
        for name in getattr(package, "__all__", []):
            kind = getattr(package, name)
            if isinstance(kind, type) and issubclass(kind, SignalDataModule):
                yield kind


METHODS = [
    kind
    for kind in vars(methods).values()
    if isinstance(kind, type) and issubclass(kind, Method) and not inspect.isabstract(kind)
]
KINDS = [Compressor, *METHODS, *dict.fromkeys(data_modules())]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_argument_has_a_sentence(kind: type) -> None:
    assert arguments(kind)
    missing = [name for name in arguments(kind) if name not in described(kind)]
    assert not missing


def test_every_modality_has_a_data_module() -> None:
    names = {kind.__module__.split(".")[1] for kind in data_modules()}
    assert len(METHODS) >= 7 and len(names) >= 6


def shown(words: list[str], capsys: Capture) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.lightning(words)
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_help_has_the_sentences_and_nothing_that_has_no_effect(capsys: Capture) -> None:
    said = shown(["fit", "--help"], capsys)
    for name in arguments(Compressor):
        assert name == "modality" or f"--model.{name} " in said
    assert "--ckpt_path" in said and "optimizer steps of the first stage" in said
    assert "--optimizer" not in said and "--lr_scheduler" not in said


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
def test_help_explains_each_setting_of_a_method(
    kind: type[Method], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")  # no sentence is broken at a hyphen
    said = shown(["fit", "--model.method.help", f"inrc.methods.{kind.__name__}"], capsys)
    sentences = described(kind)
    for name in arguments(kind):
        assert f"--model.method.{name} " in said and sentences[name] in said


@pytest.mark.parametrize("verb", sorted(fit.COMMANDS))
def test_help_lists_data_modules_and_explains_one(verb: str, capsys: Capture) -> None:
    kinds: list[Any] = list(data_modules())
    listed = shown([verb, "--data.help"], capsys)
    assert "root" in listed
    said = shown([verb, "--data.help", kinds[0].__name__], capsys)
    for name in arguments(kinds[0]):
        assert f"{name} " in said
