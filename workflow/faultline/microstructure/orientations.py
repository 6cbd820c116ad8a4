"""Crystal orientations of the grains: drawn, or read from a table of measured ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultline.errors import UserError
from faultline.microstructure.particle import Floats, Ints
from faultline.textfiles import TableError, user_rows

ANGLES = ("phi1_deg", "Phi_deg", "phi2_deg")
PLACE = ("x_um", "y_um")
TABLE = "microstructure.grains.orientation_table"
Contains = Callable[[int, Floats], NDArray[np.bool_]]  # which of points (n, 2) lie in a grain


def random_orientations(n: int, rng: np.random.Generator, tilt_out_of_plane: bool = True) -> Floats:
    """Return (n, 3, 3) orientations, uniform on SO(3), or with c in the section and b along z."""
    if not tilt_out_of_plane:
        return c_in_section(rng.uniform(0, 2 * np.pi, n))
    from scipy.spatial.transform import Rotation

    return Rotation.random(n, rng=rng).as_matrix()


def radial_orientations(
    centroids: Floats, spread: float, rng: np.random.Generator, tilt_out_of_plane: bool = True
) -> Floats:
    """Return orientations whose a axis points away from the origin and whose c axis is tangential.

    Args:
        centroids: (n, 2) centres of the grains, m.
        spread: standard deviation of the misorientation about each axis, rad.
        rng: source of the misorientations.
        tilt_out_of_plane: whether they also turn c out of the section.
    """
    outwards = np.arctan2(centroids[:, 1], centroids[:, 0])
    return _misorient(c_in_section(outwards - np.pi / 2), spread, rng, tilt_out_of_plane)


def textured_orientations(
    n: int, direction: float, spread: float, rng: np.random.Generator, tilt_out_of_plane: bool = True
) -> Floats:
    """Return (n, 3, 3) orientations with c at the angle `direction` (rad) from x, with `spread`."""
    return _misorient(c_in_section(np.full(n, direction)), spread, rng, tilt_out_of_plane)


@dataclass(frozen=True)
class OrientationTable:
    """Measured orientations, each of a grain or of a point.

    Attributes:
        orientation: (n, 3, 3) crystal axes as columns.
        grain: (n,) number of the grain, or None where points are given.
        place: (n, 2) points, m, or None where grains are given.
    """

    orientation: Floats
    grain: Ints | None
    place: Floats | None


def read_orientations(file: str, root: Path) -> OrientationTable:
    """Read a csv table with a grain's number, or a point, and Euler angles in each row.

    Columns: `grain` (from 0, as in the microstructure file) or `x_um`, `y_um` (from the middle of the
    particle, y upwards), and `phi1_deg`, `Phi_deg`, `phi2_deg` after Bunge: turns about z, the new x and the
    new z that take the frame of the section to that of the crystal, whose x is a and whose z is c.

    Raises:
        UserError: the table cannot be read, or lacks a column or a number.
    """
    path, where = (root / file).resolve(), f"{TABLE}: {file}"
    if not path.is_relative_to(root.resolve()):
        raise UserError(f"{where} lies outside the project folder; copy the table into the project")
    try:
        rows = user_rows(path)
    except TableError as error:
        line = f" line {error.line}" if error.line else ""
        raise UserError(f"{where}{line} {error}") from error
    header = rows[0][1] if rows else []
    keys = ("grain",) if "grain" in header else PLACE
    if not {*keys, *ANGLES} <= set(header):
        raise UserError(f"{where} needs the columns grain, or x_um and y_um, and {', '.join(ANGLES)}")
    columns = [header.index(name) for name in (*keys, *ANGLES)]
    values = np.array([_numbers(row, columns, f"{where} line {n}") for n, row in rows[1:]])
    values = values.reshape(-1, len(columns))
    orientation = from_bunge(values[:, -3:])
    if keys == PLACE:
        return OrientationTable(orientation, None, values[:, :2] * 1e-6)
    grain = values[:, 0].astype(np.int64)
    if (grain != values[:, 0]).any() or len(np.unique(grain)) < len(grain):
        raise UserError(f"{where}: grains are whole numbers, each in one row only")
    return OrientationTable(orientation, grain, None)


def _numbers(row: list[str], columns: Sequence[int], where: str) -> list[float]:
    """The numbers of a row in these columns."""
    try:
        numbers = [float(row[k]) for k in columns]
    except (ValueError, IndexError) as error:
        raise UserError(f"{where} is a row without a number in each of its columns: {error}") from error
    if not np.isfinite(numbers).all():
        raise UserError(f"{where} holds a value that is not finite (NaN); leave such rows out")
    return numbers


def measured_orientations(table: OrientationTable, centres: Floats, contains: Contains) -> Floats:
    """Return (n_grains, 3, 3) the orientation of each grain; of points, that nearest to the grain's centre.

    Args:
        table: measured orientations.
        centres: (n_grains, 2) of the grains, m.
        contains: tells which of points (n, 2) lie in a grain.

    Raises:
        UserError: a grain has no row, or no point in it.
    """
    rows = [_row_of(table, grain, centre, contains) for grain, centre in enumerate(centres)]
    missing = [grain for grain, row in enumerate(rows) if row is None]
    if missing:
        some = ", ".join(
            "{} at ({:.2f}, {:.2f}) um".format(grain, *(1e6 * centres[grain])) for grain in missing[:5]
        )
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        what = "row" if table.grain is not None else "point"
        raise UserError(f"{TABLE}: no {what} for grain {some}{more}; the particle has {len(centres)} grains")
    return table.orientation[np.array(rows)]


def _row_of(table: OrientationTable, grain: int, centre: Floats, contains: Contains) -> int | None:
    if table.place is None:
        found = np.flatnonzero(table.grain == grain)
        return int(found[0]) if len(found) else None
    inside = np.flatnonzero(contains(grain, table.place))
    distance = np.linalg.norm(table.place[inside] - centre, axis=1)
    return int(inside[distance.argmin()]) if len(inside) else None


def inside_loops(points: Floats, loops: Sequence[Floats]) -> NDArray[np.bool_]:
    """Return which of points (n, 2) lie inside closed loops (each (k, 2)): an odd number of edges to the
    right. Loops within loops are holes.
    """
    crossings = np.zeros(len(points), dtype=np.int64)
    for loop in loops:
        for start, end in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            between = (start[1] > points[:, 1]) != (end[1] > points[:, 1])
            height = end[1] - start[1] if end[1] != start[1] else 1.0  # level edges lie between nothing
            x = start[0] + (points[:, 1] - start[1]) / height * (end[0] - start[0])
            crossings += between & (x > points[:, 0])
    return crossings % 2 == 1


def from_bunge(angles: Floats) -> Floats:
    """Return (n, 3, 3) orientations of Bunge's Euler angles (n, 3), degrees.

    g = Z(phi2) X(Phi) Z(phi1) takes sample to crystal coordinates (Bunge, Texture Analysis in Materials
    Science, 1982); the crystal's axes in the section are the columns of its transpose.
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("ZXZ", angles, degrees=True).as_matrix()


def c_in_section(angle: Floats) -> Floats:
    """Return (n, 3, 3) orientations with c at `angle` (n,) from x in the section, b = z and a = b x c."""
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    a = np.stack([-np.sin(angle), np.cos(angle), zero], axis=1)
    b = np.stack([zero, zero, one], axis=1)
    c = np.stack([np.cos(angle), np.sin(angle), zero], axis=1)
    return np.stack([a, b, c], axis=2)


def _misorient(ideal: Floats, spread: float, rng: np.random.Generator, out_of_plane: bool) -> Floats:
    from scipy.spatial.transform import Rotation

    turn = spread * rng.standard_normal((len(ideal), 3))
    if not out_of_plane:
        turn[:, :2] = 0.0
    return Rotation.from_rotvec(turn).as_matrix() @ ideal
