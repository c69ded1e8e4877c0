"""Everything that can go wrong for a user, each as one line: what, where, what to do."""


class InrcError(Exception):
    """A failure that the user can act on; commands print its one line and exit with 1."""


class UsageError(InrcError):
    """The command itself does not make sense; commands exit with 2."""


class SignalError(InrcError):
    """A native file is missing, unreadable, of another kind, or cannot be written."""


class ContainerError(InrcError):
    """A `.inrc` file is truncated, damaged, of another version, or declares the impossible."""


class ModelError(InrcError):
    """A codec model is missing, damaged, of another kind, or not the one that a file needs."""


class RegistryError(InrcError):
    """A modality is unknown, doubly registered or broken."""
