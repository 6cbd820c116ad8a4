"""The CSV tables of a material folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from faultline.config.models import Status
from faultline.config.tree import Origin, Problems, nearest
from faultline.textfiles import TableError, user_rows

_ANGSTROM = 1e-10
_WORDS = ("phase", "source", "status")


def read_lattice(path: Path, shown: str, problems: Problems) -> dict[str, list[Any]] | None:
    """Columns for ``LatticeTable`` (slab spacing in m); mistakes go to ``problems`` and None comes back."""
    bounds = {"slab_spacing_angstrom": (1.0, 30.0), "strain_a": (-0.5, 0.5), "strain_b": (-0.5, 0.5)}
    columns = ("site_fraction", "phase", "slab_spacing_angstrom", "strain_a", "strain_b", "source", "status")
    table = _read(path, shown, columns, bounds, problems)
    if table is not None:
        table["slab_spacing"] = [spacing * _ANGSTROM for spacing in table.pop("slab_spacing_angstrom")]
    return table


def read_ocv(path: Path, shown: str, problems: Problems) -> dict[str, list[Any]] | None:
    """Columns for ``OcvTable``; the voltage must fall, or stay, as alkali is added."""
    columns = ("site_fraction", "voltage_V", "source", "status")
    table = _read(path, shown, columns, {"voltage_V": (-1.0, 7.0)}, problems)
    if table is None:
        return None
    table["voltage"] = voltage = table.pop("voltage_V")
    for i, (x, before, after) in enumerate(
        zip(table["site_fraction"][1:], voltage, voltage[1:], strict=False)
    ):
        if after > before:
            where = f"from {before:g} V to {after:g} V at site fraction {x:g}"
            problems.add(
                Origin(shown, None, ("voltage_V", i + 1)), f"rises {where}; it must fall with site fraction"
            )
            return None
    return table


def _read(
    path: Path,
    shown: str,
    columns: tuple[str, ...],
    bounds: dict[str, tuple[float, float]],
    problems: Problems,
) -> dict[str, list[Any]] | None:
    """Columns by name, rows sorted by site fraction."""
    before = len(problems.lines)
    try:
        rows = user_rows(path)
    except TableError as error:
        problems.add(Origin(shown, error.line), str(error))
        return None
    header = rows[0][1] if rows else []
    if set(header) != set(columns) or len(header) != len(columns):
        for name in sorted(set(header) - set(columns)):
            problems.add(Origin(shown, rows[0][0], (name,)), f"unknown column{nearest(name, columns)}")
        problems.add(Origin(shown), f"needs the columns {', '.join(columns)} in its first line")
        return None
    parsed = []
    for number, row in rows[1:]:
        if len(row) != len(header):
            problems.add(
                Origin(shown, number), f"has {len(row)} entries; expected {len(header)}: {', '.join(header)}"
            )
            continue
        cells = dict(zip(header, row, strict=True))
        check = _cell_reader(shown, number, {"site_fraction": (0.0, 1.0), **bounds}, problems)
        parsed.append({name: check(name, cell) for name, cell in cells.items()})
    if len(problems.lines) > before:
        return None
    parsed.sort(key=lambda row: row["site_fraction"])
    fractions = [row["site_fraction"] for row in parsed]
    if len(parsed) < 2 or len(set(fractions)) < len(fractions):
        problems.add(
            Origin(shown, None, ("site_fraction",)), "needs at least two rows, each with another value"
        )
        return None
    return {name: [row[name] for row in parsed] for name in columns}


def _cell_reader(
    shown: str, line: int, bounds: dict[str, tuple[float, float]], problems: Problems
) -> Callable[[str, str], Any]:
    def read(name: str, cell: str) -> Any:
        origin = Origin(shown, line, (name,))
        if name == "status" and cell not in get_args(Status):
            problems.add(origin, f"'{cell}' is not allowed{nearest(cell, get_args(Status))}")
        if name in _WORDS:
            if not cell:
                problems.add(origin, "is empty")
            return cell
        low, high = bounds[name]
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:  # also false for nan
            problems.add(origin, f"'{cell}' is not a number from {low:g} to {high:g}")
        return value

    return read
