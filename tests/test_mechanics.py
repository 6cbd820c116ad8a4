"""Elasticity in generalised plane strain against exact and closed-form solutions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag
from scipy.spatial.transform import Rotation

from faultline.crystal import hexagonal_stiffness, isotropic_stiffness, rotate_stiffness, rotate_strain
from faultline.mechanics import BondedSolid, condense, displacement_components
from faultline.mechanics.condensation import BlockStacks
from faultline.mechanics.plane import rigid_modes, strain_operator
from faultline.microstructure.particle import (
    BASAL_PLANES_HORIZONTAL,
    assemble_particle,
    rectangle_particle,
    split,
)

NMC811 = hexagonal_stiffness(259e9, 107e9, 75e9, 194e9, 59e9)
ISOTROPIC = isotropic_stiffness(200e9, 0.25)
LENGTH = 1e-6


def grains(n, count, orientation, seed=0):
    """A square of `count` blocky Voronoi grains."""
    seeds = np.random.default_rng(seed).random((count, 2)) * n * LENGTH
    nearest = lambda p: np.linalg.norm(p[:, None] - seeds, axis=2).argmin(axis=1)  # noqa: E731
    return rectangle_particle((n * LENGTH,) * 2, (n, n), grain_of=nearest, orientation=orientation)


def disc(radii, sectors):
    """A disc of rings of triangles around its centre; returns vertices and cells."""
    angle = 2 * np.pi * np.arange(sectors) / sectors
    rings = np.array(radii)[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    first = 1 + sectors * np.arange(len(radii) - 1)[:, None] + np.arange(sectors)
    after = 1 + sectors * np.arange(len(radii) - 1)[:, None] + (np.arange(sectors) + 1) % sectors
    fan = np.stack([0 * first[0], first[0], after[0]], axis=1)
    inner = np.stack([first, first + sectors, after + sectors], axis=2).reshape(-1, 3)
    outer = np.stack([first, after + sectors, after], axis=2).reshape(-1, 3)
    return np.concatenate([np.zeros((1, 2)), rings.reshape(-1, 2)]), np.concatenate([fan, inner, outer])


@pytest.mark.parametrize("components", [2, 3])
def test_strain_operator_is_exact_for_linear_displacements(components):
    particle = grains(4, 3, np.eye(3))
    gradient = np.random.default_rng(1).standard_normal((3, 2))[:components]
    strain = (
        strain_operator(particle.vertices, particle.cells, components)
        @ (particle.vertices @ gradient.T).ravel()
    )
    yz, xz = (gradient[2, 1], gradient[2, 0]) if components == 3 else (0, 0)
    expected = [gradient[0, 0], gradient[1, 1], 0, yz, xz, gradient[0, 1] + gradient[1, 0]]
    np.testing.assert_allclose(strain.reshape(-1, 6), np.tile(expected, (particle.n_cells, 1)), atol=1e-13)


@settings(max_examples=8)
@given(seed=st.integers(0, 2**31), principal=st.tuples(*[st.floats(-0.05, 0.05)] * 3))
def test_free_single_crystal_has_no_stress_at_any_orientation(seed, principal):
    particle = rectangle_particle(
        (3e-6, 2e-6), (3, 2), orientation=Rotation.random(random_state=seed).as_matrix()
    )
    stiffness = rotate_stiffness(NMC811, particle.cell_orientation)
    eigenstrain = rotate_strain(np.tile(principal, (particle.n_cells, 1)), particle.cell_orientation)
    state = BondedSolid(particle, stiffness).solve(eigenstrain)
    assert np.abs(state.stress).max() < 1.0  # Pa, where a constrained crystal would carry GPa
    np.testing.assert_allclose(state.strain, eigenstrain, atol=1e-14)
    assert state.axial_strain == pytest.approx(eigenstrain[0, 2], abs=1e-14)


def test_polycrystal_is_in_equilibrium_at_every_node_and_along_the_axis():
    orientation = Rotation.random(5, random_state=2).as_matrix()
    particle = grains(8, 5, orientation)
    stiffness = rotate_stiffness(NMC811, particle.cell_orientation)
    eigenstrain = rotate_strain(
        np.tile([-0.02, -0.02, 0.03], (particle.n_cells, 1)), particle.cell_orientation
    )
    solid = BondedSolid(particle, stiffness)
    state = solid.solve(eigenstrain)
    weighted = particle.cell_area[:, None] * state.stress
    forces = solid.elasticity.strain_operator.T @ weighted.ravel()
    scale = np.abs(solid.elasticity.load(eigenstrain)[0]).max()
    assert np.abs(state.stress).max() > 1e8
    assert np.abs(forces).max() < 1e-10 * scale  # supports included: they carry nothing
    assert abs(weighted[:, 2].sum()) < 1e-10 * np.abs(weighted[:, 2]).sum()
    work = -0.5 * particle.cell_area @ np.einsum("ci,ci->c", state.stress, eigenstrain)
    assert state.energy == pytest.approx(work, rel=1e-9)  # Colonnetti: no external work


def test_circular_inclusion_against_eshelby_in_a_finite_cylinder():
    """Misfit e in r < a of a cylinder R: sigma_r = sigma_theta = -E e (1 - a2/R2) / (2 (1 - nu)) inside.

    Timoshenko and Goodier, Theory of Elasticity, section 151 (thermal stress, long cylinder, free ends).
    """
    a, outer, misfit = 1e-6, 3e-6, 0.01
    vertices, cells = disc(np.linspace(0, outer, 61)[1:], 96)
    centroid = vertices[cells].mean(axis=1)
    particle = assemble_particle(vertices, cells, np.zeros(len(cells)), np.zeros(len(cells)), np.eye(3)[None])
    inside = np.linalg.norm(centroid, axis=1) < a
    eigenstrain = np.where(inside, misfit, 0.0)[:, None] * np.array([1.0, 1, 1, 0, 0, 0])
    solid = BondedSolid(particle, np.tile(ISOTROPIC, (len(cells), 1, 1)))
    stress = solid.solve(eigenstrain).stress
    biaxial = 200e9 * misfit / 0.75
    expected = -biaxial / 2 * (1 - a**2 / outer**2) * np.array([1, 1, 2, 0, 0, 0])
    core = np.linalg.norm(centroid, axis=1) < 0.8 * a
    assert np.abs(stress[core] - expected).max() < 0.01 * biaxial
    # hoop tension just outside by Lame: e E / (2 (1 - nu)) (a2/R2 + a2/r2)
    ring = np.abs(np.linalg.norm(centroid, axis=1) - 1.5 * a) < 0.05e-6
    r = np.linalg.norm(centroid[ring], axis=1)
    tangent = np.stack([-centroid[ring, 1], centroid[ring, 0]], axis=1) / r[:, None]
    hoop = stress[ring][:, 0] * tangent[:, 0] ** 2 + stress[ring][:, 1] * tangent[:, 1] ** 2
    hoop += 2 * stress[ring][:, 5] * tangent[:, 0] * tangent[:, 1]
    # the two triangles of a ring segment err in opposite directions, as linear elements do
    assert hoop.mean() == pytest.approx((biaxial / 2 * (a**2 / outer**2 + a**2 / r**2)).mean(), rel=0.005)


def test_symmetric_bimaterial_strip_against_the_closed_form():
    """Three layers share their in-plane strains: sigma_i = E_i (e_mean - e_i) / (1 - nu)."""
    particle = rectangle_particle((12e-6, 1.6e-6), (60, 8))
    height = particle.cell_centroid[:, 1]
    middle = np.abs(height - 0.8e-6) < 0.4e-6
    modulus = np.where(middle, 100e9, 300e9)
    stiffness = isotropic_stiffness(1.0, 0.25) * modulus[:, None, None]
    eigenstrain = np.where(middle, 0.01, 0.0)[:, None] * np.array([1.0, 1, 1, 0, 0, 0])
    stress = BondedSolid(particle, stiffness).solve(eigenstrain).stress
    mean = np.average(eigenstrain[:, 0], weights=modulus)
    centre = np.abs(particle.cell_centroid[:, 0] - 6e-6) < 1e-6
    expected = modulus * (mean - eigenstrain[:, 0]) / 0.75
    np.testing.assert_allclose(stress[centre, 0], expected[centre], rtol=0.005)
    # the ends take part in the axial balance
    np.testing.assert_allclose(stress[centre, 2], expected[centre], rtol=0.05)
    assert np.abs(stress[centre, 1]).max() < 0.005 * np.abs(expected).max()


def test_two_components_give_the_same_answer_as_three_where_nothing_warps():
    angles = np.random.default_rng(3).random(4)
    in_plane = Rotation.from_rotvec(np.outer(angles, [0, 0, 1])).as_matrix() @ BASAL_PLANES_HORIZONTAL
    particle = grains(6, 4, in_plane)
    stiffness = rotate_stiffness(NMC811, particle.cell_orientation)
    eigenstrain = rotate_strain(
        np.tile([-0.02, -0.01, 0.03], (particle.n_cells, 1)), particle.cell_orientation
    )
    assert displacement_components(stiffness, particle.cell_orientation) == 2
    two, three = (BondedSolid(particle, stiffness, components=k).solve(eigenstrain) for k in (2, 3))
    np.testing.assert_allclose(two.stress, three.stress, atol=1e-9 * np.abs(three.stress).max())


def test_two_components_refuse_out_of_plane_shear():
    particle = rectangle_particle((1e-6, 1e-6), (2, 2), orientation=np.eye(3))
    solid = BondedSolid(particle, rotate_stiffness(NMC811, particle.cell_orientation))
    with pytest.raises(ValueError, match="components=3"):
        solid.solve(np.tile([0, 0, 0, 0.01, 0, 0], (particle.n_cells, 1)))


def test_tilted_crystal_takes_three_components():
    orientation = Rotation.from_euler("x", 30, degrees=True).as_matrix()
    assert displacement_components(rotate_stiffness(NMC811, orientation[None]), orientation[None]) == 3
    # isotropic elasticity does not warp by itself, the tilted crystal's strain does
    assert displacement_components(ISOTROPIC[None], orientation[None]) == 3


def test_separate_pieces_are_each_supported():
    whole = rectangle_particle((5e-6, 1e-6), (5, 1), orientation=np.eye(3))
    kept = np.abs(whole.cell_centroid[:, 0] - 2.5e-6) > 0.5e-6
    cells = whole.cells[kept]
    pieces = assemble_particle(
        whole.vertices, cells, np.zeros(len(cells)), np.zeros(len(cells)), np.eye(3)[None]
    )
    stiffness = rotate_stiffness(NMC811, pieces.cell_orientation)
    state = BondedSolid(pieces, stiffness).solve(np.tile([0.01, 0.01, -0.02, 0, 0, 0], (pieces.n_cells, 1)))
    assert np.abs(state.stress).max() < 1.0


@pytest.mark.parametrize("tilted", [False, True])
def test_condensed_blocks_resist_everything_but_rigid_motions(tilted):
    orientation = Rotation.random(4, random_state=1).as_matrix() if tilted else np.eye(3)
    particle = grains(6, 4, orientation)
    blocks = condense(particle, rotate_stiffness(NMC811, particle.cell_orientation))
    assert blocks.components == (3 if tilted else 2)
    mesh, m = split(particle), blocks.components
    sizes = np.diff(blocks.start)
    schur = np.split(blocks.schur, np.cumsum(sizes**2))
    for i, j, size, own in zip(blocks.start[:-1], blocks.start[1:], sizes, schur, strict=False):
        nodes = blocks.interface_dofs[i:j:m] // m
        own = own.reshape(size, size)
        modes = rigid_modes(mesh.nodes[nodes], m).reshape(-1, m + 1)
        assert np.abs(own @ modes).max() < 1e-9 * np.abs(own).max()
        assert np.abs(blocks.axial_coupling[i:j] @ modes).max() < 1e-9 * np.abs(blocks.axial_coupling).max()
        eigenvalues = np.linalg.eigvalsh(own)
        assert eigenvalues[m + 1] > 1e-6 * eigenvalues[-1]
    assert blocks.axial_stiffness > 0


def test_stacked_blocks_multiply_as_one_block_diagonal_matrix():
    sizes, rng = np.array([3, 0, 12, 4, 3, 11, 40]), np.random.default_rng(0)
    blocks = [rng.standard_normal((size, size)) for size in sizes]
    stacks = BlockStacks(np.concatenate([[0], np.cumsum(sizes)]))
    flat = stacks.fill(np.concatenate([block.ravel() for block in blocks]))
    vector = rng.standard_normal(sizes.sum())
    padded = np.zeros(stacks.size)
    padded[stacks.place] = vector
    product = stacks.product(stacks.split(flat), padded)
    np.testing.assert_allclose(product[stacks.place], block_diag(*blocks) @ vector, atol=1e-12)
    assert np.count_nonzero(product) == len(vector)
    row, column = stacks.place[[5, 18]], stacks.place[[3, 15]]  # of the blocks 2 and 3
    np.testing.assert_array_equal(flat[stacks.entry(row, column)], [blocks[2][2, 0], blocks[3][3, 0]])
