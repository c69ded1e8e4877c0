"""Whatever a reader raises, as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inrc.errors import InrcError, SignalError, one_line


@contextmanager
def explained(path: Path, kind: str) -> Iterator[None]:
    """Turn the errors of a reader into a SignalError that names the file.

    Args:
        path: the file that is read.
        kind: what it should be, such as "a NIfTI file".

    Raises:
        SignalError: for every exception but running out of memory.
    """
    try:
        yield
    except SignalError as error:
        text = str(error)
        raise SignalError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    except (InrcError, MemoryError):
        raise
    except FileNotFoundError:
        raise SignalError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise SignalError(f"{path}: a folder; name {kind}") from None
    except PermissionError:
        raise SignalError(f"{path}: permission denied; make it readable") from None
    except Exception as error:
        # decoders raise almost anything on damaged bytes
        reason = one_line(error)
        raise SignalError(
            f"{path}: not {kind}, or damaged ({reason:.200}); convert or fetch it again"
        ) from None
