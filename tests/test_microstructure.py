"""Particles: geometry, connectivity, grains, basal planes, shells."""

from itertools import pairwise
from math import pi
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.config.models import MicrostructureSettings
from faultline.errors import UserError
from faultline.microstructure import (
    BASAL_PLANE,
    GRAIN_BOUNDARY,
    SHELL_BOND,
    Particle,
    assemble_particle,
    particle_dataset,
    particle_from_dataset,
    rectangle_particle,
    split,
)
from faultline.microstructure.build import build_particle, section_radius
from faultline.microstructure.network import Network, loop_area, tidy
from faultline.microstructure.orientations import (
    radial_orientations,
    random_orientations,
    textured_orientations,
)
from faultline.microstructure.particle import cell_faces
from faultline.microstructure.tessellation import disc, rectangle, tessellate

SMALL_DISC = {"radius": "2 um", "element_size": "0.25 um", "grains": {"count": 12}}


def build(seed: int = 1, **given) -> Particle:
    return build_particle(MicrostructureSettings.model_validate(given), seed, Path())


def check(particle: Particle) -> None:
    """What every particle must be, however it was made."""
    _, sides = cell_faces(particle.cells)
    inner = sides[:, 1] >= 0
    assert (~inner).sum() == particle.n_surface
    assert (
        particle.block[sides[inner]].T[0] != particle.block[sides[inner]].T[1]
    ).sum() == particle.n_interfaces
    ends = particle.vertices[particle.cells]
    along, across = ends[:, 1] - ends[:, 0], ends[:, 2] - ends[:, 0]
    assert (along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0] > 0).all()
    # Gauss: the outward normals of a closed surface sum to zero, and the area is half of sum of x . n
    weighted = particle.surface_normal * particle.surface_length[:, None]
    assert np.abs(weighted.sum(axis=0)).max() < 1e-12 * particle.surface_length.sum()
    assert (weighted * particle.surface_midpoint).sum() / 2 == pytest.approx(particle.area, rel=1e-10)
    outwards = particle.surface_midpoint - particle.cell_centroid[particle.surface_cells]
    assert ((outwards * particle.surface_normal).sum(axis=1) > 0).all()
    minus, plus = particle.interface_cells.T
    forwards = particle.cell_centroid[plus] - particle.cell_centroid[minus]
    assert ((forwards * particle.interface_normal).sum(axis=1) > 0).all()
    assert (particle.block[minus] < particle.block[plus]).all()
    assert set(np.unique(particle.block)) == set(range(particle.n_blocks))
    same_grain = particle.grain[minus] == particle.grain[plus]
    assert (same_grain == (particle.interface_kind == BASAL_PLANE)).all()
    bond = particle.region[minus] != particle.region[plus]
    assert (bond == (particle.interface_kind == SHELL_BOND)).all()
    axes = particle.cell_orientation
    assert np.allclose(axes @ axes.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(axes), 1)
    for block in range(particle.n_blocks):  # one grain each, and no block of loose parts
        assert len(np.unique(particle.grain[particle.block == block])) == 1
    joined = particle.block[sides[inner]]
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = sides[inner][joined[:, 0] == joined[:, 1]]
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(particle.n_cells,) * 2)
    assert connected_components(graph, directed=False)[0] == particle.n_blocks


# --- structured platelets


def test_a_rectangle_has_the_planes_and_boundaries_asked_for():
    particle = rectangle_particle(
        (4e-6, 1e-6), (16, 4), block_of=lambda p: p[:, 1] // 0.25e-6, grain_of=lambda p: p[:, 0] > 2e-6
    )
    check(particle)
    assert particle.area == pytest.approx(4e-12)
    assert (particle.n_grains, particle.n_blocks, particle.n_cells) == (2, 8, 256)
    kinds = particle.interface_kind
    assert particle.interface_length[kinds == BASAL_PLANE].sum() == pytest.approx(3 * 4e-6)
    assert particle.interface_length[kinds == GRAIN_BOUNDARY].sum() == pytest.approx(1e-6)
    assert np.allclose(np.abs(particle.interface_normal[kinds == BASAL_PLANE]), (0, 1))
    facets = particle.interface_facet
    assert len(np.unique(facets[kinds == GRAIN_BOUNDARY])) == 1
    assert len(np.unique(facets[kinds == BASAL_PLANE])) == 6
    assert np.allclose(particle.cell_orientation[:, :, 2], (0, 1, 0))


def test_blocks_that_do_not_hang_together_are_split():
    particle = rectangle_particle((3.0, 1.0), (3, 1), block_of=lambda p: p[:, 0].astype(int) % 2)
    assert particle.n_blocks == 3
    check(particle)


def test_an_edge_with_three_cells_is_refused():
    points = [[0, 0], [1, 0], [0, 1], [0, -1], [1, 1]]
    with pytest.raises(ValueError, match="not conforming"):
        assemble_particle(points, [[0, 1, 2], [0, 1, 3], [0, 1, 4]], [0, 0, 0], [0, 0, 0], np.eye(3)[None])


@pytest.mark.parametrize("basal", [None, {"spacing": "0.5 um"}])
def test_split_gives_each_block_its_own_nodes(basal):
    particle = build(**SMALL_DISC, basal_planes=basal)
    mesh = split(particle)
    assert (mesh.node_vertex[mesh.triangles] == particle.cells).all()
    assert (mesh.nodes == particle.vertices[mesh.node_vertex]).all()
    blocks_of_node = {}
    for node, block in zip(mesh.triangles.ravel(), np.repeat(particle.block, 3), strict=True):
        blocks_of_node.setdefault(node, set()).add(block)
    assert all(len(blocks) == 1 for blocks in blocks_of_node.values())
    minus, plus = mesh.interface_nodes[:, 0], mesh.interface_nodes[:, 1]
    assert (mesh.node_vertex[minus] == particle.interface_faces).all()
    assert (mesh.node_vertex[plus] == particle.interface_faces).all()
    assert (minus != plus).all()
    for side, nodes in enumerate((minus, plus)):
        cells = particle.interface_cells[:, side]
        for end in (0, 1):
            assert (mesh.triangles[cells] == nodes[:, [end]]).any(axis=1).all()


# --- grains


def test_a_disc_keeps_its_area_at_any_element_size():
    for size in ("0.2 um", "0.45 um"):
        particle = build(radius="2 um", element_size=size, grains={"count": 12})
        assert particle.area == pytest.approx(pi * 4e-12, rel=1e-12)
        check(particle)


@pytest.mark.parametrize(
    "shape", [{"shape": "disc", "radius": "5 um"}, {"shape": "platelet", "size": ["12 um", "6 um"]}]
)
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_there_are_as_many_grains_as_asked_for(shape, count):
    particle = build(**shape, element_size="0.4 um", grains={"count": count})
    assert particle.n_grains == particle.n_blocks == count
    assert set(particle.grain) == set(range(count))
    check(particle)


def test_equal_seeds_give_equal_particles_and_others_do_not():
    particles = [build(seed, **SMALL_DISC) for seed in (7, 7, 8)]
    assert np.array_equal(particles[0].vertices, particles[1].vertices)
    assert np.array_equal(particles[0].cells, particles[1].cells)
    assert np.array_equal(particles[0].orientation, particles[1].orientation)
    assert not np.array_equal(particles[0].orientation, particles[2].orientation)


def test_voronoi_cells_are_nearest_to_their_seeds():
    rng = np.random.default_rng(3)
    network = tessellate(disc(1.0, 0.02), 30, 4, 0.0, rng)
    areas = np.array([loop_area(network.points, loop) for loop in network.loops])
    assert areas.sum() == pytest.approx(loop_area(disc(1.0, 0.02).outline, np.arange(314)), rel=1e-9)
    edges = {}
    for loop in network.loops:
        for p, q in pairwise([*loop, loop[0]]):
            edges[(p, q)] = edges.get((p, q), 0) + 1
    assert set(edges.values()) == {1}  # every edge once in each direction, or on the outline
    on_outline = [edge for edge in edges if edge[::-1] not in edges]
    length = sum(np.linalg.norm(network.points[p] - network.points[q]) for p, q in on_outline)
    assert length == pytest.approx(2 * pi, rel=1e-3)


def test_relaxation_evens_out_and_spread_spreads_the_grain_sizes():
    def spread(relaxation: int, size_spread: float) -> float:
        network = tessellate(disc(1.0, 0.05), 100, relaxation, size_spread, np.random.default_rng(5))
        areas = [loop_area(network.points, loop) for loop in network.loops]
        return float(np.log(areas).std() / 2)  # of diameters

    assert spread(10, 0.0) < 0.6 * spread(0, 0.0)
    assert spread(5, 0.3) == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("domain", [disc(1.0, 0.05, 3.0), rectangle((2.0, 2.0), 3.0)])
def test_elongated_grains_are_as_long_as_asked_for(domain):
    network = tessellate(domain, 200, 5, 0.0, np.random.default_rng(2))
    ratios = []
    for loop in network.loops:
        corners = network.points[loop] - network.points[loop].mean(axis=0)
        centre = network.points[loop].mean(axis=0)
        if domain.radial and np.linalg.norm(centre) < 0.3:
            continue  # a grain at the centre has no one radial direction
        outwards = centre / np.linalg.norm(centre) if domain.radial else np.array([1.0, 0.0])
        across = np.array([-outwards[1], outwards[0]])
        ratios.append(np.ptp(corners @ outwards) / np.ptp(corners @ across))
    assert np.median(ratios) == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize("seed", range(10))
def test_meshes_are_good(seed):
    particle = build(seed, radius="5 um", element_size="0.35 um", grains={"count": 40})
    assert particle.n_grains == 40
    assert particle.cell_quality.min() > 0.3
    lengths = np.linalg.norm(np.diff(particle.vertices[cell_faces(particle.cells)[0]], axis=1)[:, 0], axis=1)
    assert lengths.min() > 0.3 * 0.35e-6
    assert lengths.max() < 2.0 * 0.35e-6


@settings(max_examples=15)
@given(
    count=st.integers(1, 30),
    relaxation=st.integers(0, 5),
    size_spread=st.sampled_from([0.0, 0.3]),
    elongation=st.sampled_from([1.0, 2.0]),
    planes=st.one_of(st.none(), st.floats(1.0, 3.0)),
    shell=st.one_of(st.none(), st.floats(0.1, 2.0)),
    seed=st.integers(0, 10**6),
)
def test_any_disc_is_a_sound_particle(count, relaxation, size_spread, elongation, planes, shell, seed):
    size = 0.3
    particle = build(
        seed,
        radius="4 um",
        element_size=f"{size} um",
        grains={
            "count": count,
            "relaxation": relaxation,
            "size_spread": size_spread,
            "elongation": elongation,
        },
        basal_planes=planes and {"spacing": f"{planes * size} um"},
        shell=shell and {"thickness": f"{shell * size} um", "material": "any", "model": "meshed"},
    )
    check(particle)
    assert particle.cell_quality.min() > 0.08
    core = particle.cell_area[particle.region == 0].sum()
    assert core == pytest.approx(pi * 16e-12, rel=1e-9)


def test_too_many_grains_for_the_elements_are_refused():
    with pytest.raises(UserError, match="element_size"):
        build(radius="1 um", element_size="0.3 um", grains={"count": 100})


def test_tidy_removes_short_edges_and_slivers():
    # Two squares with a boundary of two nearly parallel lines, a sliver, between them.
    points = np.array([[0, 0], [1, 0], [2, 0], [2, 1], [1, 1], [0, 1], [1.02, 0.5], [1.05, 0.0]])
    loops = (np.array([0, 1, 4, 5]), np.array([1, 7, 6, 4]), np.array([7, 2, 3, 4, 6]))
    rank = np.array([3, 2, 3, 3, 2, 3, 1, 2])
    network = tidy(Network(points, rank, loops, np.arange(3)), 0.3)
    areas = [loop_area(network.points, loop) for loop in network.loops]
    assert list(network.grain) == [0, 2]
    assert sum(areas) == pytest.approx(2.0, rel=1e-12)


# --- section, orientation


def test_the_section_stands_for_the_sphere_as_stated():
    given = MicrostructureSettings.model_validate
    assert section_radius(given({"radius": "3 um"})) == pytest.approx(3e-6)
    smaller = {"radius": "3 um", "section": "equal_surface_to_volume"}
    assert section_radius(given(smaller)) == pytest.approx(2e-6)
    particle = build(**smaller, element_size="0.5 um", grains={"count": 1})
    # 2 / r of the disc against 3 / R of the sphere; a polygon's outline is a little short
    assert particle.surface_length.sum() / particle.area == pytest.approx(3 / 3e-6, rel=0.02)


def test_random_orientations_are_uniform():
    rotations = random_orientations(4000, np.random.default_rng(1))
    c_z = rotations[:, 2, 2]  # uniform on (-1, 1) for directions uniform on the sphere
    assert np.abs(c_z.mean()) < 0.05
    assert (c_z**2).mean() == pytest.approx(1 / 3, abs=0.02)
    flat = random_orientations(50, np.random.default_rng(1), tilt_out_of_plane=False)
    assert np.allclose(flat[:, 2, 2], 0)
    assert np.allclose(flat[:, :, 1], (0, 0, 1))


def test_radial_and_textured_orientations_point_where_they_should():
    rng = np.random.default_rng(4)
    centres = rng.standard_normal((2000, 2))
    outwards = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    exact = radial_orientations(centres, 0.0, rng)
    assert np.allclose(exact[:, :2, 0], outwards)
    assert np.allclose((exact[:, :2, 2] * outwards).sum(axis=1), 0)
    loose = radial_orientations(centres, 0.1, rng, tilt_out_of_plane=False)
    deviation = np.arcsin((loose[:, :2, 2] * outwards).sum(axis=1))
    assert deviation.std() == pytest.approx(0.1, rel=0.1)
    texture = textured_orientations(2000, pi / 3, 0.1, rng)
    assert np.allclose(texture[:, :, 2].mean(axis=0), (np.cos(pi / 3), np.sin(pi / 3), 0), atol=0.02)
    assert texture[:, 2, 2].std() == pytest.approx(0.1, rel=0.1)


# --- basal planes


def test_basal_planes_of_a_platelet_lie_across_c_at_their_spacing():
    particle = build(
        shape="platelet",
        size=["4 um", "1 um"],
        element_size="0.1 um",
        basal_planes={"spacing": "0.25 um"},
        grains={"orientation": "textured", "spread": "0 deg"},
    )
    check(particle)
    planes = particle.interface_kind == BASAL_PLANE
    assert planes.all()
    heights = np.unique(particle.interface_midpoint[:, 1].round(12))
    assert 3 <= len(heights) <= 4
    assert np.allclose(np.diff(heights), 0.25e-6)
    assert particle.interface_length.sum() == pytest.approx(len(heights) * 4e-6)
    assert particle.n_blocks == len(heights) + 1


def test_basal_planes_lie_across_the_projected_c_axis():
    particle = build(
        3,
        radius="5 um",
        element_size="0.2 um",
        basal_planes={"spacing": "0.5 um"},
        grains={"count": 20, "tilt_out_of_plane": False},
    )
    planes = particle.interface_kind == BASAL_PLANE
    c = particle.orientation[particle.grain[particle.interface_cells[planes, 0]], :2, 2]
    alignment = np.abs((particle.interface_normal[planes] * c).sum(axis=1))
    weight = particle.interface_length[planes]
    assert np.average(alignment, weights=weight) > 0.99  # ends may move a little to spare short edges
    expected = particle.area / 0.5e-6  # length of planes in the section: area over spacing
    assert weight.sum() == pytest.approx(expected, rel=0.2)


def test_grains_seen_along_c_have_no_basal_planes():
    particle = build(
        **SMALL_DISC | {"grains": {"count": 12, "orientation": "random"}}, basal_planes={"spacing": "0.3 um"}
    )
    cut = np.unique(particle.grain[particle.interface_cells[particle.interface_kind == BASAL_PLANE, 0]])
    flat = np.flatnonzero(np.linalg.norm(particle.orientation[:, :2, 2], axis=1) < 0.25)
    assert not set(cut) & set(flat)


def test_planes_finer_than_the_elements_are_refused():
    with pytest.raises(UserError, match=r"basal_planes\.spacing"):
        build(**SMALL_DISC, basal_planes={"spacing": "0.1 um"})


# --- shell


@pytest.mark.parametrize("thickness", ["20 nm", "200 nm", "700 nm"])
@pytest.mark.parametrize(
    "shape", [SMALL_DISC, {"shape": "platelet", "size": ["3 um", "1 um"], "element_size": "0.2 um"}]
)
def test_a_shell_wraps_the_core(shape, thickness):
    bare = build(**shape)
    coated = build(**shape, shell={"thickness": thickness, "material": "any", "model": "meshed"})
    check(coated)
    core = coated.region == 0
    assert coated.cell_area[core].sum() == pytest.approx(bare.area, rel=1e-9)
    bonds = coated.interface_kind == SHELL_BOND
    assert coated.interface_length[bonds].sum() == pytest.approx(
        2 * pi * 2e-6 if shape is SMALL_DISC else 8e-6, rel=0.01
    )
    assert set(coated.region[coated.surface_cells]) == {1}
    assert set(coated.block[~core]) == {coated.n_blocks - 1}
    assert coated.cell_quality.min() > 0.2
    t = float(thickness.split()[0]) * 1e-9
    outer = pi * ((2e-6 + t) ** 2) if shape is SMALL_DISC else (3e-6 + 2 * t) * (1e-6 + 2 * t)
    assert coated.area == pytest.approx(outer, rel=5e-3)


# --- storage


def test_a_particle_survives_its_dataset():
    particle = build(**SMALL_DISC, shell={"thickness": "0.1 um", "material": "any", "model": "meshed"})
    again = particle_from_dataset(particle_dataset(particle))
    for name in Particle.__dataclass_fields__:
        assert np.array_equal(getattr(particle, name), getattr(again, name)), name


def test_a_dataset_without_particle_is_refused():
    ds = particle_dataset(rectangle_particle((1.0, 1.0), (1, 1))).drop_vars("grain")
    with pytest.raises(UserError, match="lacks grain"):
        particle_from_dataset(ds)
