"""Counting on hand-made cracks, and glide of the layers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from faultline.anderson import Anderson
from faultline.cracks.glide import BasalGlide
from faultline.cracks.statistics import (
    failed_fraction,
    failed_length,
    first_crack,
    fragment_of_block,
    fragments,
    opening_area,
    surface_connected,
    surface_connected_length,
)
from faultline.crystal import (
    hexagonal_stiffness,
    rotate_stiffness,
    rotate_strain,
    rotate_voigt_stress_to_crystal,
)
from faultline.mechanics import BondedSolid
from faultline.microstructure.particle import BASAL_PLANE, GRAIN_BOUNDARY, SHELL_BOND, rectangle_particle

UM = 1e-6


@pytest.fixture
def particle():
    """4 x 2 um: a grain boundary at x = 2, basal planes at y = 1 in both grains; every face is 1 um long."""
    return rectangle_particle(
        (4 * UM, 2 * UM), (4, 2), block_of=lambda p: p[:, 1] // UM, grain_of=lambda p: p[:, 0] > 2 * UM
    )


def at(particle, x=None, y=None):
    """Which faces have their midpoint on x or y (um)."""
    wanted = np.ones(particle.n_interfaces, bool)
    for axis, value in enumerate((x, y)):
        if value is not None:
            wanted &= np.abs(particle.interface_midpoint[:, axis] / UM - value) < 1e-6
    return wanted


def test_failed_length_and_fraction_by_kind(particle):
    assert particle.n_interfaces == 6
    damage = np.zeros((6, 2))
    damage[at(particle, x=2, y=0.5)] = 1.0
    damage[at(particle, x=0.5, y=1), 0] = 1.0  # half of a basal face
    damage[at(particle, x=1.5, y=1)] = 0.98  # not yet
    assert failed_length(particle, damage) == pytest.approx(1.5 * UM)
    assert failed_fraction(particle, damage) == pytest.approx(1.5 / 6)
    assert failed_fraction(particle, damage, GRAIN_BOUNDARY) == pytest.approx(1 / 2)
    assert failed_fraction(particle, damage, BASAL_PLANE) == pytest.approx(0.5 / 4)
    assert failed_fraction(particle, damage, SHELL_BOND) == 0.0
    assert failed_fraction(particle, damage, threshold=0.9) == pytest.approx(2.5 / 6)
    assert failed_fraction(particle, damage.max(axis=1)) == pytest.approx(2 / 6)


def test_only_cracks_that_reach_the_surface_count_as_connected(particle):
    damage = np.zeros(6)
    damage[at(particle, x=1.5, y=1)] = 1.0  # from the inner triple point leftwards: buried
    assert surface_connected_length(particle, damage) == 0.0
    damage[at(particle, x=2, y=0.5)] = 1.0  # opens the way to the lower surface
    assert surface_connected_length(particle, damage) == pytest.approx(2 * UM)
    np.testing.assert_array_equal(surface_connected(particle, damage).all(axis=1), damage > 0)


def test_a_half_failed_face_does_not_conduct(particle):
    damage = np.zeros((6, 2))
    outer, inner = at(particle, x=0.5, y=1), at(particle, x=1.5, y=1)
    touches_surface = particle.vertices[particle.interface_faces[outer][0], 0] < 1e-12
    damage[np.flatnonzero(outer)[0], touches_surface] = 1.0
    damage[inner] = 1.0
    assert surface_connected_length(particle, damage) == pytest.approx(0.5 * UM)


def test_fragments_part_only_when_every_face_between_them_fails(particle):
    damage = np.zeros(6)
    assert fragments(particle, damage) == 1
    damage[at(particle, y=1)] = 1.0
    assert fragments(particle, damage) == 2
    damage[at(particle, x=2, y=0.5)] = 1.0
    assert fragments(particle, damage) == 3
    labels = fragment_of_block(particle, damage)
    upper = np.unique(labels[particle.block[particle.cell_centroid[:, 1] > UM]])
    assert len(upper) == 1


def test_opening_area_counts_gaps_not_contact(particle):
    jump = np.zeros((6, 2, 3))
    jump[0, :, 0] = 4e-9, 2e-9
    jump[1, :, 0] = -5e-9
    jump[2, :, 1] = 7e-9
    assert opening_area(particle, jump) == pytest.approx(3e-9 * UM)


def test_first_crack():
    assert first_crack([0, 0, 0.02, 0.1]) == 2
    assert first_crack([0, 0, 0.02, 0.1], smallest=0.05) == 3
    assert first_crack([0, 0]) is None


C44, CRSS = 59e9, 100e6
NMC811 = hexagonal_stiffness(259e9, 107e9, 75e9, 194e9, C44)


def random_rotations(n, seed=0):
    return Rotation.random(n, random_state=seed).as_matrix()


def resolved(stress, orientation):
    crystal = rotate_voigt_stress_to_crystal(stress, orientation)
    return np.hypot(crystal[:, 3], crystal[:, 4])


def test_glide_is_traceless_and_returns_a_held_cell_to_the_critical_stress():
    orientation = random_rotations(50)
    stress = 2e8 * np.random.default_rng(1).standard_normal((50, 6))
    glide = BasalGlide(orientation, C44, np.full(50, CRSS), np.ones(50))
    slip = glide.improved(glide.none(), glide.none(), stress)
    strain = glide.strain(slip)
    np.testing.assert_allclose(strain[:, :3].sum(axis=1), 0, atol=1e-15)

    before = resolved(stress, orientation)
    relaxed = stress - np.einsum("nij,nj->ni", rotate_stiffness(NMC811, orientation), strain)
    np.testing.assert_allclose(resolved(relaxed, orientation), np.minimum(before, CRSS), rtol=1e-9)
    assert (before > CRSS).any() and (before < CRSS).any()
    assert np.all(slip[before < CRSS] == 0)
    np.testing.assert_allclose(glide.improved(slip, glide.none(), relaxed), slip, atol=1e-12)
    work = np.einsum("ni,ni->", stress / 2, strain)
    assert glide.work(stress, 0 * stress, slip) == pytest.approx(work)


@pytest.fixture
def misfit():
    """A bonded polycrystal, its glide, and an eigenstrain that overstresses its layers fivefold."""
    particle = rectangle_particle(
        (8 * UM, 8 * UM), (8, 8), grain_of=lambda p: p[:, 0] // (2 * UM) + 4 * (p[:, 1] // (4 * UM)),
        orientation=random_rotations(8, seed=2),
    )  # fmt: skip
    axes = particle.cell_orientation
    solid = BondedSolid(particle, rotate_stiffness(NMC811, axes))
    glide = BasalGlide(axes, C44, np.full(particle.n_cells, CRSS), particle.cell_area)
    eigenstrain = rotate_strain(np.tile([-0.01, -0.01, 0.02], (particle.n_cells, 1)), axes)
    assert resolved(solid.solve(eigenstrain).stress, axes).max() > 5 * CRSS
    return particle, solid, glide, eigenstrain


def test_glide_lowers_the_incremental_energy_step_by_step_and_dissipates_the_rest(misfit):
    particle, solid, glide, eigenstrain = misfit
    none, slip, energies, states = glide.none(), glide.none(), [], []
    for _ in range(200):
        state = solid.solve(eigenstrain + glide.strain(slip))
        barrier = CRSS * float(particle.cell_area @ np.linalg.norm(slip, axis=1))
        energies.append(state.energy + barrier)
        states.append(state)
        settled, slip = slip, glide.improved(slip, none, state.stress)
    assert np.all(np.diff(energies) <= 0)
    assert resolved(states[-1].stress, particle.cell_orientation).max() < 1.03 * CRSS
    # no outer force: all that the bulk has lost is plastic work
    work = glide.work(states[-1].stress, states[0].stress, settled)
    assert work == pytest.approx(states[0].energy - states[-1].energy, rel=1e-9)


def test_glide_settles_to_the_same_state_from_any_guess(misfit):
    particle, solid, glide, eigenstrain = misfit
    ends = []
    for start in (glide.none(), 0.01 * np.random.default_rng(3).standard_normal(glide.none().shape)):
        slip, mix = start, Anderson()
        for _ in range(60):
            stress = solid.solve(eigenstrain + glide.strain(slip)).stress
            image = glide.improved(slip, glide.none(), stress)
            slip = mix(slip.ravel(), image.ravel()).reshape(slip.shape)
        ends.append(resolved(solid.solve(eigenstrain + glide.strain(slip)).stress, particle.cell_orientation))
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-3 * CRSS)


def test_infinite_critical_stress_means_no_glide():
    stress = 1e10 * np.ones((2, 6))
    glide = BasalGlide(np.tile(np.eye(3), (2, 1, 1)), C44, np.array([CRSS, np.inf]), np.ones(2))
    strain = glide.strain(glide.improved(glide.none(), glide.none(), stress))
    assert np.abs(strain[0]).max() > 0 and np.all(strain[1] == 0)
