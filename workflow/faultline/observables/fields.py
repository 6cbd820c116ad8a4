"""Reductions of fields on the section: means, shares of area, depth below the surface, nearest frames."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from faultline.microstructure import CORE, Particle
from faultline.observables.electrochemistry import half_cycles

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def mean_over(weight: Floats, values: ArrayLike) -> float:
    """Return the mean of values weighted by area or length; NaN where the weights sum to nothing."""
    total = float(weight.sum())
    return float((weight * np.asarray(values, float)).sum() / total) if total > 0 else float("nan")


def share_over(weight: Floats, mask: ArrayLike) -> float:
    """Return the share of area or length in which the mask is true."""
    return mean_over(weight, np.asarray(mask, bool))


def weighted_quantile(weight: Floats, values: ArrayLike, quantile: float) -> float:
    """Return the value below which the given share of the area lies."""
    v = np.asarray(values, float)
    order = np.argsort(v)
    share = np.cumsum(weight[order])
    return float(v[order][np.searchsorted(share, quantile * share[-1]).clip(max=len(v) - 1)])


def frame_site_fraction(cycling: xr.Dataset) -> Floats:
    """Return the (n_frames,) mean site fraction of the stored frames, read off the time series."""
    times, x = cycling["time"].values, cycling["mean_site_fraction"].values
    return np.asarray(np.interp(cycling["frame_time"].values, times, x))


def first_charge_frames(cycling: xr.Dataset) -> Ints:
    """Return the frames from the start of the run to the end of its first charge."""
    end = next((half.time[-1] for half in half_cycles(cycling) if half.charge), None)
    times = cycling["frame_time"].values
    return np.arange(len(times)) if end is None else np.flatnonzero(times <= end * (1 + 1e-9))


def frames_at(site_fraction: ArrayLike, targets: ArrayLike, tolerance: float = 0.01) -> list[int | None]:
    """Return the frame nearest to each target; None for a target that lies outside of what was reached."""
    x, goals = np.asarray(site_fraction, float), np.atleast_1d(np.asarray(targets, float))
    reached = (goals >= x.min() - tolerance) & (goals <= x.max() + tolerance)
    nearest = np.abs(x - goals[:, None]).argmin(axis=1)
    return [int(frame) if inside else None for frame, inside in zip(nearest, reached, strict=True)]


def distance_to_surface(particle: Particle, points: Floats) -> Floats:
    """Return the (n,) distances from points (n, 2) to the nearest outer face, m."""
    ends = particle.vertices[particle.surface_faces]
    start, along = ends[:, 0], ends[:, 1] - ends[:, 0]
    squared = np.einsum("kd,kd->k", along, along)
    distance = np.empty(len(points))
    for rows in np.array_split(np.arange(len(points)), max(1, len(points) // 1000)):
        offset = points[rows, None, :] - start
        # foot of the perpendicular, kept on the face
        t = np.clip(np.einsum("nkd,kd->nk", offset, along) / squared, 0.0, 1.0)
        distance[rows] = np.linalg.norm(offset - t[..., None] * along, axis=2).min(axis=1)
    return distance


def depth_profile(depth: Floats, weight: Floats, values: ArrayLike, edges: ArrayLike) -> Floats:
    """Return the (n_edges - 1,) weighted means in slices of depth; NaN in a slice that holds nothing."""
    bins = np.asarray(edges, float)
    total = np.histogram(depth, bins, weights=weight)[0]
    summed = np.histogram(depth, bins, weights=weight * np.asarray(values, float))[0]
    return np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)


def core_area(particle: Particle) -> Floats:
    """Return the (n_cells,) areas of the active material, m2; zero in the shell."""
    return np.where(particle.region == CORE, particle.cell_area, 0.0)
