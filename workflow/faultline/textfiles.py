"""Text files that jobs hand to each other: JSON with a checksum, and tables of which no row is cut off."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultline.errors import AGAIN, UserError
from faultline.writing import whole_file

if TYPE_CHECKING:  # the command line needs only JSON, and pandas takes long to import
    import pandas as pd

CHECKSUM = "checksum"


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write an object, with a checksum of its content as its last key, whole or not at all."""
    whole = {**content, CHECKSUM: _checksum(content)}
    write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", path)


def write_text(text: str, path: Path | str) -> None:
    """Write a text, whole or not at all."""
    with whole_file(Path(path)) as partial:
        partial.write_text(text, encoding="utf-8")


def write_table(table: pd.DataFrame, path: Path | str, index: bool = False) -> None:
    """Write a CSV table with a head, whole or not at all."""
    write_text(table.to_csv(index=index), path)


def read_json(path: Path | str, required: Sequence[str] = ()) -> dict[str, Any]:
    """Read an object, less its checksum; one without a checksum was made by hand and is taken as it is.

    Raises:
        UserError: the file is missing, cut off, was changed since it was written, or lacks a required key.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); {AGAIN}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no JSON object; {AGAIN}")
    told = content.pop(CHECKSUM, None)
    if told is not None and told != _checksum(content):
        raise UserError(f"{path}: damaged, its content has changed since it was written; {AGAIN}")
    missing = [key for key in required if key not in content]
    if missing:
        raise UserError(f"{path}: lacks {', '.join(missing)}; {AGAIN}")
    return content


def read_table(path: Path | str, **options: Any) -> pd.DataFrame:
    """Read a CSV table with a head; `options` are those of `pandas.read_csv`.

    Raises:
        UserError: the file is missing or no text, or its last row is cut off, or a row has too many or too
            few values. A table that ends early, but with a whole row, cannot be told from a short one.
    """
    import pandas as pd

    try:
        text = Path(path).read_bytes().decode("utf-8")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a table ({error}); {AGAIN}") from error
    if not rows or not text.endswith("\n"):
        raise UserError(f"{path}: cut off, its last line has no end; {AGAIN}")
    uneven = [number for number, row in enumerate(rows, start=1) if len(row) != len(rows[0])]
    if uneven:
        raise UserError(f"{path}: row {uneven[0]} has not the {len(rows[0])} values of the head; {AGAIN}")
    return pd.read_csv(io.StringIO(text), **options)


class TableError(ValueError):
    """What is wrong with a user's table; `line` is where, None for the whole of it."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def user_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read a user's CSV table as rows with the numbers of their lines, comments and empty lines left out.

    Raises:
        TableError: it cannot be read, a quoted cell has no end in its line, or the last line is cut off. A
            table that ends early, but with a whole row, cannot be told from a short one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise TableError(f"cannot be read ({reason})") from error
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:  # line by line: a quote that is left open must not swallow the rows below it
                cells = next(csv.reader([line], strict=True))
            except csv.Error as error:
                raise TableError(f"is no row of a table ({error})", number) from error
            rows.append((number, [cell.strip() for cell in cells]))
    if rows and not text.endswith("\n"):
        raise TableError("has no end, the file may be cut off; if it is whole, add a line break", rows[-1][0])
    return rows


def _checksum(content: Mapping[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()
