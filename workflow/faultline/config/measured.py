"""Measured curves that a user puts beside a case: tables with the unit of a column in its name."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from faultline.config.tree import Origin, Problems, nearest
from faultline.textfiles import TableError, user_rows

CHARGE, DISCHARGE = "charge", "discharge"
Cell = str | float
Columns = dict[str, list[Cell]]


@dataclass(frozen=True)
class Column:
    """How a cell is read; a ValueError says what is allowed. Missing cells of an optional column are NaN."""

    read: Callable[[str], Cell]
    optional: bool = False


def _number(low: float, high: float, factor: float = 1.0) -> Callable[[str], float]:
    def read(cell: str) -> float:
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # also false for NaN
            raise ValueError(f"'{cell}' is not a number from {low:g} to {high:g}")
        return value * factor

    return read


def _half_cycle(cell: str) -> str:
    if cell not in (CHARGE, DISCHARGE):
        raise ValueError(f"'{cell}' is not allowed{nearest(cell, (CHARGE, DISCHARGE))}")
    return cell


def _indices(cell: str) -> str:
    if not (len(cell) == 3 and cell.isascii() and cell.isdigit() and int(cell)):
        raise ValueError(f"'{cell}' is not a reflection; expected: its three indices, such as 003 or 110")
    return cell


def _cycle(cell: str) -> float:
    value = _number(1, 1e6)(cell)
    if value != int(value):
        raise ValueError(f"'{cell}' is not a whole number")
    return value


_CAPACITY = Column(_number(0, 1e4))
_DEGREE = math.radians(1)
# by key of `measured`: columns as they are read
MEASURED: dict[str, dict[str, Column]] = {
    "voltage": {
        "half_cycle": Column(_half_cycle),
        "capacity_mAh_g": _CAPACITY,
        "voltage_V": Column(_number(-1, 7)),
    },
    "xrd": {
        "half_cycle": Column(_half_cycle),
        "capacity_mAh_g": _CAPACITY,
        "reflection": Column(_indices),
        "two_theta_deg": Column(_number(0.1, 179.9, _DEGREE)),
        "width_deg": Column(_number(0, 20, _DEGREE), optional=True),
    },
    "retention": {"cycle": Column(_cycle), "discharge_capacity_mAh_g": _CAPACITY},
}


def read_measured(key: str, path: Path, shown: str, problems: Problems) -> Columns | None:
    """Columns of a measured curve by name, angles in rad; optional ones that are missing hold NaN.

    Mistakes go to ``problems`` and None comes back.

    Args:
        key: which curve, of `MEASURED`.
        path: the csv file.
        shown: its name in messages.
        problems: list of mistakes.
    """
    mistakes = Problems()  # its own: those of a file that two cases share are noted once
    found = _columns(key, _rows(path, shown, mistakes), shown, mistakes)
    problems.lines.update(mistakes.lines)
    return None if mistakes.lines else found


def _columns(key: str, rows: list[tuple[int, list[str]]], shown: str, problems: Problems) -> Columns | None:
    columns = MEASURED[key]
    if not rows:
        return None
    (first, header), body = rows[0], rows[1:]
    required = [name for name, column in columns.items() if not column.optional]
    for name in dict.fromkeys(header):
        if name not in columns:
            problems.add(Origin(shown, first, (name,)), f"unknown column{nearest(name, columns)}")
    if len(set(header)) < len(header) or not set(required) <= set(header):
        extra = [name for name in columns if name not in required]
        also = f", and may have {', '.join(extra)}" if extra else ""
        problems.add(Origin(shown, first), f"needs the columns {', '.join(required)}{also}, each once")
    elif not body:
        problems.add(Origin(shown, first), "holds no rows below its header")
    if problems.lines:
        return None
    found: Columns = {name: [] for name in columns}
    for line, row in body:
        _take_row(found, columns, header, row, Origin(shown, line), problems)
    if key == "retention" and not problems.lines:
        _check_cycles(found, shown, problems)
    return found


def _rows(path: Path, shown: str, problems: Problems) -> list[tuple[int, list[str]]]:
    """Lines with their numbers, comments and empty ones left out; none where there is no text."""
    try:
        rows = user_rows(path)
    except TableError as error:
        problems.add(Origin(shown, error.line), str(error))
        return []
    if not rows:
        problems.add(Origin(shown), "is empty; expected a line with the names of the columns, and rows")
    return rows


def _take_row(
    found: Columns,
    columns: dict[str, Column],
    header: list[str],
    row: list[str],
    origin: Origin,
    problems: Problems,
) -> None:
    if len(row) != len(header):
        problems.add(origin, f"has {len(row)} entries; expected {len(header)}: {', '.join(header)}")
        return
    cells = dict(zip(header, row, strict=True))
    for name, column in columns.items():
        cell = cells.get(name, "")
        if column.optional and not cell:
            found[name].append(math.nan)
            continue
        try:
            found[name].append(column.read(cell))
        except ValueError as error:
            problems.add(Origin(origin.file, origin.line, (name,)), str(error))


def _check_cycles(found: Columns, shown: str, problems: Problems) -> None:
    """Retention is over the first row: cycles rise, and that row holds a capacity."""
    cycles, capacity = found["cycle"], found["discharge_capacity_mAh_g"]
    if any(later <= earlier for earlier, later in pairwise(cycles)):  # type: ignore[operator]
        problems.add(Origin(shown, None, ("cycle",)), "must rise from row to row")
    if not capacity[0]:
        problems.add(
            Origin(shown, None, ("discharge_capacity_mAh_g",)), "is 0 in the first row, the reference"
        )
