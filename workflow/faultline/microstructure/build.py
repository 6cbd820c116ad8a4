"""From settings and a seed to a meshed particle."""

import logging
from math import pi, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultline.config.models import GrainSettings, MicrostructureSettings
from faultline.errors import UserError
from faultline.microstructure import orientations, tessellation
from faultline.microstructure.image import read_labels, trace
from faultline.microstructure.meshing import (
    Mesh,
    add_shell,
    mesh_network,
    surface_size_for_shell,
    surface_vertices,
)
from faultline.microstructure.network import SHORTEST_EDGE, Network, cut, loop_area, tidy
from faultline.microstructure.particle import Floats, Ints, Particle, assemble_particle

log = logging.getLogger(__name__)

C_OUT_OF_PLANE = 0.25  # length of c's projection on the section, below which basal planes lie almost in it
RADIUS_OF_SECTION = {"equal_diffusion_time": 1.0, "equal_surface_to_volume": 2.0 / 3.0}


def section_radius(settings: MicrostructureSettings) -> float:
    """Return the radius of the disc that stands for a spherical particle, m.

    A disc has surface to volume 2/r, a sphere 3/R: equal at r = 2/3 R. Diffusion times go with the radius
    squared, so they are compared at r = R.
    """
    return settings.radius * RADIUS_OF_SECTION[settings.section]


def build_particle(settings: MicrostructureSettings, seed: int, root: Path) -> Particle:
    """Make the grains, cut them along their basal planes, mesh them and add the shell, unless it is a film.

    The radius or size is that of the grains: a shell lies outside it.

    Args:
        settings: the validated microstructure block of a case.
        seed: seed of everything random here; equal seeds give equal particles.
        root: project folder, to which an image's file name is relative and in which it must lie.

    Raises:
        UserError: the image cannot be used, or the settings contradict each other.
    """
    rng = np.random.default_rng(seed)
    size = settings.element_size
    network = tidy(_grains(settings, rng, root), size)
    network, kept = _numbered(network)
    if len(kept) and kept[-1] + 1 > len(kept):
        log.warning("%d grains are smaller than an element and were merged", kept[-1] + 1 - len(kept))
    axes = _orient(settings.grains, network, rng, root)
    if settings.basal_planes is not None:
        network = tidy(
            cut(network, basal_lines(network, axes, settings.basal_planes.spacing, size, rng)), size
        )
    meshed = settings.shell if settings.shell_model == "meshed" else None
    thickness = meshed.thickness if meshed else None
    mesh = mesh_network(network, size, surface_size_for_shell(thickness, size) if thickness else None)
    if settings.shape == "disc":
        mesh = _rounded(mesh, section_radius(settings))
    particle = assemble_particle(
        mesh.vertices, mesh.cells, _polygon_grain(network)[mesh.polygon], mesh.polygon, axes
    )
    return _in_shell(particle, thickness) if thickness else particle


def _grains(settings: MicrostructureSettings, rng: np.random.Generator, root: Path) -> Network:
    if settings.shape == "image":
        if settings.image is None:
            raise UserError("microstructure.image is missing: shape image needs file and pixel_size")
        labels = read_labels(settings.image.file, root, settings.image.background)
        return trace(labels, settings.image.pixel_size, settings.element_size)
    grains, size = settings.grains, settings.element_size
    if settings.shape == "disc":
        domain = tessellation.disc(section_radius(settings), size, grains.elongation)
    elif settings.size is None:
        raise UserError("microstructure.size is missing: shape platelet needs [width, height]")
    else:
        domain = tessellation.rectangle(settings.size, grains.elongation)
    width = sqrt(domain.area / (grains.count * grains.elongation))
    if width < 2 * size and grains.count > 1:
        raise UserError(
            f"microstructure.element_size: {size:.3g} m is too coarse for {grains.count} grains; "
            f"at most {width / 2:.3g} m leaves two elements across a grain"
        )
    return tessellation.tessellate(domain, grains.count, grains.relaxation, grains.size_spread, rng)


def _numbered(network: Network) -> tuple[Network, Ints]:
    """Number the grains that are left without gaps, and return the old numbers."""
    kept, grain = np.unique(network.grain, return_inverse=True)
    return Network(network.points, network.rank, network.loops, grain), kept


def _orient(settings: GrainSettings, network: Network, rng: np.random.Generator, root: Path) -> Floats:
    if settings.orientation_table is not None:
        return _measured(settings.orientation_table, network, root)
    n = int(network.grain.max()) + 1
    tilt = settings.tilt_out_of_plane
    if settings.orientation == "random":
        return orientations.random_orientations(n, rng, tilt)
    if settings.orientation == "radial":
        return orientations.radial_orientations(grain_centres(network), settings.spread, rng, tilt)
    return orientations.textured_orientations(n, settings.direction, settings.spread, rng, tilt)


def _measured(file: str, network: Network, root: Path) -> Floats:
    def contains(grain: int, points: Floats) -> NDArray[np.bool_]:
        of_grain = [loop for loop, owner in zip(network.loops, network.grain, strict=True) if owner == grain]
        return orientations.inside_loops(points, [network.points[loop] for loop in of_grain])

    table = orientations.read_orientations(file, root)
    return orientations.measured_orientations(table, grain_centres(network), contains)


def grain_centres(network: Network) -> Floats:
    """Return (n_grains, 2) the centroids of the grains, m."""
    area = np.zeros(int(network.grain.max()) + 1)
    moment = np.zeros((len(area), 2))
    for loop, grain in zip(network.loops, network.grain, strict=True):
        corner = network.points[loop]
        following = np.roll(corner, -1, axis=0)
        cross = (corner[:, 0] * following[:, 1] - corner[:, 1] * following[:, 0]) / 2
        area[grain] += cross.sum()
        moment[grain] += ((corner + following) / 3 * cross[:, None]).sum(axis=0)
    return moment / area[:, None]


def basal_lines(
    network: Network, axes: Floats, spacing: float, size: float, rng: np.random.Generator
) -> list[tuple[int, Floats, float]]:
    """Return the basal planes of all grains as lines (grain, unit normal, offset).

    Planes a distance `spacing` apart across c meet the section in lines spacing / |c projected on the
    section| apart, with a random offset in each grain. Lines that would leave a lamella too thin to mesh at
    the edge of the grain are left out.

    Raises:
        UserError: the spacing is finer than the elements.
    """
    if spacing < size:
        raise UserError(
            f"microstructure.basal_planes.spacing: {spacing:.3g} m is finer than element_size, {size:.3g} m; "
            "make the elements smaller or the planes fewer"
        )
    lines = []
    for grain, c in enumerate(axes[:, :2, 2]):
        offset = rng.random()
        projected = float(np.linalg.norm(c))
        if projected < C_OUT_OF_PLANE:
            continue
        normal, step = c / projected, spacing / projected
        own = [loop for loop, owner in zip(network.loops, network.grain, strict=True) if owner == grain]
        height = network.points[np.concatenate(own)] @ normal
        low, high = height.min() + SHORTEST_EDGE * size, height.max() - SHORTEST_EDGE * size
        positions = np.arange(np.ceil(low / step - offset), np.floor(high / step - offset) + 1) + offset
        lines += [(grain, normal, float(position * step)) for position in positions]
    return lines


def _polygon_grain(network: Network) -> Ints:
    """Return the grain of each polygon of the mesh: of each counter-clockwise loop, in order."""
    outer = [loop_area(network.points, loop) > 0 for loop in network.loops]
    return network.grain[np.array(outer)]


def _rounded(mesh: Mesh, radius: float) -> Mesh:
    """Move the outer vertices onto the circle and scale the mesh to the disc's area.

    Without it the area, and with it the capacity, would depend on the element size.
    """
    vertices = mesh.vertices.copy()
    outer = surface_vertices(mesh.cells)
    vertices[outer] *= radius / np.linalg.norm(vertices[outer], axis=1, keepdims=True)
    corners = vertices[mesh.cells]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum() / 2
    return Mesh(vertices * sqrt(pi * radius**2 / area), mesh.cells, mesh.polygon)


def _in_shell(particle: Particle, thickness: float) -> Particle:
    try:
        return add_shell(particle, thickness)
    except ValueError as error:
        raise UserError(
            f"microstructure.shell.thickness: {thickness:.3g} m does not fit into the notches and pores "
            f"of the image: {error}; write `model: film` if it is thin"
        ) from error
