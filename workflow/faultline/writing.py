"""Files that appear whole or not at all, and a plain word where the storage does not take them."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from faultline.errors import UserError

_FULL = "free some space there, or name another folder as `results` in the study"
_FORBIDDEN = "give yourself the right to write there, or name another folder as `results` in the study"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`)",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOTDIR: "move away the file that stands in the place of a folder",
    errno.EEXIST: "move away the file that stands in the place of a folder",
    errno.EISDIR: "move away the folder that stands in the place of the file",
    errno.ENAMETOOLONG: "shorten the names of the case and of the folder",
}


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Name a temporary file beside `path`, which gets that name once the block has ended well.

    If it has not, the temporary file is removed and an older file stays as it is. The folder is made where it
    is missing.

    Raises:
        UserError: the storage refused: which file, why, and how to mend it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "see that the folder can be written")
        reason = error.strerror or str(error)
        message = f"{path}: cannot be written ({reason}); {remedy}, and run the same command again"
        raise UserError(message) from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing is left
            partial.unlink(missing_ok=True)
