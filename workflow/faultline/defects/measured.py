"""Measured maps of microstrain, laid over a particle."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from faultline.config.models import MicrostrainMapSettings
from faultline.errors import UserError
from faultline.microstructure import Particle

Array = NDArray[np.float64]
KEY = "defects.microstrain.map"


def read_map(file: str, root: Path) -> Array:
    """Values (rows, columns) of a map, top row first.

    Raises:
        UserError: the file is missing, lies outside the project, or holds no grid of numbers.
    """
    path, where = (root / file).resolve(), f"{KEY}.file: {file}"
    if not path.is_relative_to(root.resolve()):
        raise UserError(f"{where} lies outside the project folder; copy it into the project")
    if not path.is_file():
        raise UserError(f"{where} does not exist; give its path relative to the project folder")
    try:
        values = np.asarray(_read(path), dtype=float)
    except Exception as error:  # the readers raise whatever their format's parser meets in a damaged file
        raise UserError(f"{where} cannot be read as a grid of numbers: {error}") from error
    if values.ndim != 2 or min(values.shape) < 2:
        raise UserError(f"{where} has the shape {values.shape}; a map has two rows and two columns at least")
    return values


def map_on_cells(particle: Particle, values: Array, settings: MicrostrainMapSettings) -> Array:
    """Values (n_cells,) of a map (rows, columns) at the centroids of the cells, bilinear between pixels.

    The middle of the map lies on the centroid of the particle; within half a pixel of its edge the values of
    the outermost pixels hold.

    Raises:
        UserError: the map does not reach over the particle, or holds no number there, or a negative RMS.
    """
    place = particle.cell_centroid - np.average(particle.cell_centroid, axis=0, weights=particle.cell_area)
    rows_and_columns = place[:, ::-1]  # y, x
    half = np.array(values.shape) / 2 * settings.pixel_size
    needed = np.abs(rows_and_columns).max(axis=0)
    if (needed > half).any():
        has = " x ".join(f"{2e6 * length:.3g}" for length in half[::-1])
        needs = " x ".join(f"{2e6 * length:.3g}" for length in needed[::-1])
        raise UserError(
            f"{KEY}: {settings.file} covers {has} um, but the particle needs {needs} um about its centre; "
            "give a larger map, or check pixel_size"
        )
    axes = tuple((np.arange(n) - (n - 1) / 2) * settings.pixel_size for n in values.shape)
    inside = [np.clip(rows_and_columns[:, k], axes[k][0], axes[k][-1]) for k in range(2)]
    found = RegularGridInterpolator(axes, values[::-1])(np.column_stack(inside))
    unknown = int(np.count_nonzero(~np.isfinite(found)))
    if unknown:
        raise UserError(
            f"{KEY}: {settings.file} holds no number under {unknown} of {particle.n_cells} cells; fill the "
            "gaps (NaN) of the map"
        )
    if settings.quantity == "rms" and found.min() < 0:
        raise UserError(
            f"{KEY}: {settings.file} goes down to {found.min():.3g}, and an RMS is not negative; for signed "
            "strain write `quantity: layer_strain`"
        )
    return found


def _read(path: Path) -> NDArray:
    if path.suffix.lower() == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix.lower() == ".csv":
        text = path.read_text(encoding="utf-8-sig")
        if not text.endswith("\n"):
            raise ValueError(
                "its last line has no end, the file may be cut off; if it is whole, add a line break"
            )
        return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    import tifffile

    return np.squeeze(tifffile.imread(path))
