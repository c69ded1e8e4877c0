"""Errors that a user can act on. Every message is one line: `PATH: what is wrong; what to do`."""


class InrcError(Exception):
    """A failure that the user can act on; commands print its message and exit with 1."""


class UsageError(InrcError):
    """The command or call itself is wrong; commands exit with 2."""


class SignalError(InrcError):
    """A native file is missing, unreadable, of another kind, or cannot be written."""


class ContainerError(InrcError):
    """A `.inrc` file is truncated, corrupt, of another version, or declares impossible values."""


class ModelError(InrcError):
    """A codec model is missing, corrupt, of another kind, or not the one that a file needs."""


class RegistryError(InrcError):
    """A modality or a method is unknown, registered twice, or broken."""


class MemoryLimitError(InrcError):
    """An operation would take more memory than the limit allows; nothing was allocated."""


def one_line(error: BaseException) -> str:
    """The message of an exception on one line, or the name of its type if the message is empty."""
    return " ".join(str(error).split()) or type(error).__name__
