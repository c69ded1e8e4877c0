"""`inrc compress --method`: a codec without a model, from the files and a few options."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from inrc import registry
from inrc.cli import inputs, plugins
from inrc.errors import InrcError, UsageError

if TYPE_CHECKING:
    from inrc.methods import Method
    from inrc.model import Model
    from inrc.signal import Modality


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options that replace a model."""
    group = parser.add_argument_group("without a model (--method)")
    group.add_argument("--modality", metavar="NAME", help="kind of the files, if several have it")
    size = group.add_mutually_exclusive_group()
    size.add_argument("--size", metavar="LxW", help="layers and width of a file's network: 10x28")
    size.add_argument("--rate", type=float, help="bits per unit that choose the size")


def refuse(args: argparse.Namespace) -> None:
    """Raise UsageError for options that exclude each other, before anything is read."""
    given = {"--modality": args.modality, "--size": args.size, "--rate": args.rate}
    for option, value in given.items():
        if value is not None and args.method is None:
            raise UsageError(f"{option} goes with --method; leave it out with -m")
    if args.size is not None:
        size(args.size)
    if args.rate is not None and not 0 < args.rate < 1e6:
        raise UsageError(f"--rate {args.rate}: give a number of bits above 0")


def size(text: str) -> tuple[int, int]:
    """Read "10x28".

    Raises UsageError if it is not written like that.
    """
    layers, _, width = text.lower().partition("x")
    if not (layers.isdecimal() and width.isdecimal() and int(layers) and int(width)):
        raise UsageError(f"--size {text!r}: write layers and width like 10x28")
    return int(layers), int(width)


def model(args: argparse.Namespace) -> "Model":
    """The codec that --method and its companions describe.

    Raises:
        InrcError: there is no such method, or the kind of the files is not known.
    """
    from inrc.model import Model

    method = _method(args.method)
    kind = _kind(args.inputs) if args.modality is None else registry.modalities.find(args.modality)
    paths = inputs.files_in(args.inputs, kind)
    try:
        modality = kind().resolve(paths)
    except TypeError as error:
        raise UsageError(f"modality {kind.name} needs settings: train a codec ({error})") from error
    if args.size is not None:
        method = method.sized(*size(args.size))
    if args.rate is not None:
        method = _rated(method, args, modality, paths)
    return Model.untrained(method, modality)


def _method(name: str) -> "Method":
    """A method that needs no model, by its name, with default settings.

    Raises:
        UsageError: the method is unknown or needs training.
        RegistryError: it is broken.
    """
    known = name in registry.methods.names()
    kind = registry.methods.find(name) if known else None
    if kind is not None and not kind.learns:
        try:
            return kind()
        except TypeError as error:
            raise UsageError(f"method {name}: has settings without defaults ({error})") from error
    kinds, _ = plugins.usable(registry.methods)
    ready = ", ".join(each for each, other in kinds.items() if not other.learns)
    reason = "needs training; use inrc fit" if known else "is unknown"
    raise UsageError(f"method {name!r} {reason}; methods without a model: {ready}")


def _rated(
    method: "Method", args: argparse.Namespace, modality: "Modality", paths: list[Path]
) -> "Method":
    """The method in the size that spends the rate, equally on every part of the files."""
    units = parts = 0
    for path in paths:
        try:
            signal = modality.split(modality.read(path))
        except InrcError:  # reported when it is compressed
            continue
        units += modality.num_units(signal.shape)
        parts += signal.parts
    if not parts:
        raise InrcError(f"{paths[0]}: cannot be read, which --rate needs; give --size instead")
    bits = args.rate * units / parts
    return method.rated(bits, args.quality, modality.point_dim, modality.value_dim)


def _kind(named: list[Path]) -> "type[Modality]":
    """The modality whose suffixes the files have.

    Raises UsageError if no modality has them, or several do.
    """
    files = [file for path in named for file in (inputs.walk(path) if path.is_dir() else [path])]
    kinds, _ = plugins.usable(registry.modalities)
    fits = [kind for kind in kinds.values() if any(kind.accepts(file) for file in files)]
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(kind.name for kind in fits) or ", ".join(registry.modalities.names())
    reason = "several modalities read" if fits else "no modality is known to read"
    raise UsageError(f"{reason} {' '.join(map(str, named)):.80}; name it with --modality: {known}")
