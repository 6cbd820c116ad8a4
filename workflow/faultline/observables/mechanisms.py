"""What hard regions and bands of glide do inside the grains: numbers of the charged particle of a case."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import KDTree

from faultline.microstructure import CORE, Particle
from faultline.microstructure.particle import cell_faces
from faultline.observables.fields import core_area, frame_site_fraction, mean_over, share_over

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BAND_SHARE = 0.1  # of the area: the most slipped part counts as bands
NEAR = 1.0  # element edges within which something lies near the rim of a hard region


def mechanism_metrics(
    particle: Particle, defects: xr.Dataset, cycling: xr.Dataset, cracks: xr.Dataset
) -> dict[str, float]:
    """Numbers of the frame with the least alkali; none of what the case does not have."""
    frame = int(frame_site_fraction(cycling).argmin())
    found: dict[str, float] = {}
    if "layer_slip" in cracks:
        found |= band_metrics(particle, cracks.isel(frame=frame))
    if "redox_region" in defects:
        hard = defects["redox_region"].values.astype(bool)
        found |= region_metrics(particle, hard, cycling.isel(frame=frame), cracks.isel(frame=frame))
    return found


# -- bands of glide ----------------------------------------------------------------------------------------


def bands(particle: Particle, slip: Floats) -> Bools:
    """(n_cells,) the most slipped cells of the core, up to `BAND_SHARE` of its area."""
    area = core_area(particle)
    order = np.argsort(-np.where(area > 0, slip, -1.0), kind="stable")
    inside = np.cumsum(area[order]) <= BAND_SHARE * area.sum()
    chosen = np.zeros(particle.n_cells, dtype=bool)
    chosen[order[inside]] = True
    return chosen & (area > 0)


def band_metrics(particle: Particle, cracks: xr.Dataset) -> dict[str, float]:
    """Localisation of slip, what the layers do in bands and outside, and what share of bands has failed.

    The localisation is the share of all slip in the most slipped tenth of the area: 0.1 where slip is even.
    """
    names = ("layer_slip", "layer_rotation", "layer_spacing_strain")
    slip, turned, spacing = (cracks[name].values for name in names)
    area, inside = core_area(particle), bands(particle, slip)
    total = float(area @ slip)
    rest = area * ~inside
    within = area * inside
    at_band = inside[particle.interface_cells].any(axis=1)
    failed = _failed(cracks)
    return {
        "slip_localisation": float(within @ slip) / total if total > 0 else math.nan,
        "mean_layer_slip": mean_over(area, slip),
        "band_slip": mean_over(within, slip),
        "band_rotation": mean_over(within, np.abs(turned)),
        "rotation_outside_bands": mean_over(rest, np.abs(turned)),
        "band_spacing_change": mean_over(within, spacing) - mean_over(rest, spacing),
        "failed_fraction_bands": share_over(particle.interface_length * at_band, failed),
        "failed_fraction_outside_bands": share_over(particle.interface_length * ~at_band, failed),
    }


# -- hard and soft regions ---------------------------------------------------------------------------------


def rim(particle: Particle, hard: Bools) -> Floats:
    """Midpoints (n, 2), m, of the faces of the mesh between hard and soft cells of the core."""
    faces, sides = cell_faces(particle.cells)
    inner = sides[:, 1] >= 0
    faces, sides = faces[inner], sides[inner]
    core = particle.region == CORE
    between = (hard[sides[:, 0]] != hard[sides[:, 1]]) & core[sides].all(axis=1)
    return particle.vertices[faces[between]].mean(axis=1)


def near_rim(particle: Particle, hard: Bools, points: Floats) -> Bools:
    """(n,) whether points (n, 2) lie within `NEAR` element edges of a face between hard and soft."""
    found = rim(particle, hard)
    if not len(found):
        return np.zeros(len(points), dtype=bool)
    edge = math.sqrt(4 / math.sqrt(3) * float(np.median(particle.cell_area)))  # of an equilateral triangle
    distance, _ = KDTree(found).query(points)
    return np.asarray(distance <= NEAR * edge)


def region_metrics(
    particle: Particle, hard: Bools, cycling: xr.Dataset, cracks: xr.Dataset
) -> dict[str, float]:
    """Cracks and gradients of stress and composition near the rims of hard regions against far from them."""
    length, failed = particle.interface_length, _failed(cracks)
    near = near_rim(particle, hard, particle.interface_midpoint)
    near_failed, far_failed = share_over(length * near, failed), share_over(length * ~near, failed)
    stress = face_steps(particle, cycling["hydrostatic_stress"].values)
    content = face_steps(particle, cycling["site_fraction"].values)
    at_rim = near_rim(particle, hard, stress.midpoint)
    area, strain = core_area(particle), cycling["redox_strain"].values
    return {
        "failed_fraction_near_regions": near_failed,
        "failed_fraction_far_from_regions": far_failed,
        "region_crack_concentration": near_failed / far_failed if far_failed > 0 else math.nan,
        "interface_share_near_regions": share_over(length, near),
        "region_stress_concentration": _ratio(stress, at_rim),
        "region_composition_concentration": _ratio(content, at_rim),
        "region_densification": mean_over(area * hard, (1 + strain) ** -3 - 1),
    }


@dataclass(frozen=True)
class FaceSteps:
    """Size of a field's gradient across faces inside blocks.

    Attributes:
        midpoint: (n, 2) of the faces, m.
        weight: (n,) their length, m.
        gradient: (n,) per m.
    """

    midpoint: Floats
    weight: Floats
    gradient: Floats


def face_steps(particle: Particle, values: Floats) -> FaceSteps:
    """Difference between two cells over the distance of their centroids, across faces within core blocks."""
    faces, sides = cell_faces(particle.cells)
    inner = sides[:, 1] >= 0
    faces, sides = faces[inner], sides[inner]
    core = (particle.region == CORE)[sides].all(axis=1)
    same = core & (particle.block[sides[:, 0]] == particle.block[sides[:, 1]])
    faces, sides = faces[same], sides[same]
    ends = particle.vertices[faces]
    apart = np.linalg.norm(np.diff(particle.cell_centroid[sides], axis=1)[:, 0], axis=1)
    step = np.abs(np.diff(values[sides], axis=1)[:, 0])
    return FaceSteps(ends.mean(axis=1), np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1), step / apart)


def _ratio(steps: FaceSteps, near: Bools) -> float:
    """Mean gradient near over far; NaN where either has none."""
    far = mean_over(steps.weight * ~near, steps.gradient)
    return mean_over(steps.weight * near, steps.gradient) / far if far > 0 else math.nan


def _failed(cracks: xr.Dataset) -> Bools:
    """(n_interfaces,) whether the worse end of a face has failed."""
    return np.asarray(cracks["damage"].values >= cracks.attrs["failed_damage"])
