"""What a training command chooses: methods by their names, and the classes that help lists."""

from importlib import import_module

from inrc import registry
from inrc.cli import plugins, screen

_OPTIONS = ("--model.method", "--model.method.class_path", "--model.method.help")


def resolve(words: list[str]) -> list[str]:
    """The words of a command, with every name of a method replaced by the path of its class.

    Raises RegistryError if that method is broken.
    """
    resolved = []
    for previous, word in zip(["", *words], words, strict=False):
        option, equals, value = word.partition("=")
        if previous in _OPTIONS:
            resolved.append(_class_path(word))
        elif option in _OPTIONS and equals:
            resolved.append(f"{option}={_class_path(value)}")
        else:
            resolved.append(word)
    return resolved


def _class_path(method: str) -> str:
    if method not in registry.methods.names():
        return method  # the path of a class, or nothing that the parser knows either
    kind = registry.methods.find(method)
    return f"{kind.__module__}.{kind.__qualname__}"


def import_for_help(words: list[str]) -> None:
    """Import what help is asked for, because it lists imported classes only."""
    if any(word in ("-h", "--help") or word.startswith("--model.method.help") for word in words):
        plugins.usable(registry.methods)
    if any(word.startswith("--data.help") for word in words):
        _import_data_modules()


def _import_data_modules() -> None:
    """Import what packages of modalities export."""
    for plugin in registry.modalities.installed():
        try:
            package = import_module(plugin.target.partition(":")[0])
            for name in getattr(package, "__all__", ()):
                getattr(package, name)
        except Exception as error:  # foreign code may raise anything; help for others goes on
            screen.complain(f"warning: {plugin}: {error}")
