"""Stress of dislocations and of the misfit, isotropic and anisotropic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from faultline.crystal import isotropic_stiffness
from faultline.dislocations import Slab
from faultline.dislocations.anisotropic import solve_stroh, stroh_stress
from faultline.dislocations.dynamics import dislocation_stress
from faultline.dislocations.misfit import grid, misfit_stress
from faultline.dislocations.stress import edge_stress, pair_stress, row_stress
from faultline.verification import dislocations as problems

NM = 1e-9
SETTINGS = problems.SETTINGS
SLAB = Slab(-10 * NM, 12 * NM, 20 * NM)


def test_far_field_decays_as_one_over_r():
    angle = np.array([0.3, 1.1, 2.5])
    near, far = (
        edge_stress(r * np.cos(angle), r * np.sin(angle), 1.0, SETTINGS.core_width) for r in (1e-7, 1e-6)
    )
    assert_allclose(near / far, 10, rtol=1e-3)


@given(x=st.floats(-5e-9, 5e-9), y=st.floats(-5e-9, 5e-9))
def test_core_keeps_the_stress_finite(x, y):
    stress = edge_stress(x, y, SETTINGS.strength, SETTINGS.core_width)
    assert np.abs(stress).max() < 2 * SETTINGS.strength / SETTINGS.core_width


def test_stress_is_in_equilibrium():
    def stress(x, y):
        return edge_stress(x, y, SETTINGS.strength, SETTINGS.core_width)

    x, y, h = 0.7 * NM, -0.4 * NM, 1e-13
    along = (stress(x + h, y) - stress(x - h, y)) / (2 * h)
    across = (stress(x, y + h) - stress(x, y - h)) / (2 * h)
    assert_allclose(along[[0, 2]] + across[[2, 1]], 0, atol=1e-5 * np.abs(along).max())


def test_row_and_pairs_agree():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-8e-9, 8e-9, (2, 5))
    sign = np.array([1.0, -1, 1, 1, -1])
    at_x, at_y = rng.uniform(-8e-9, 8e-9, (2, 7))
    got = pair_stress(at_x, at_y, x, y, sign, 9e-9, 1.0, 0.3e-9)
    rows = row_stress(at_x[:, None] - x, at_y[:, None] - y, 9e-9, 1.0, 0.3e-9) @ sign
    assert_allclose(got[0], rows[0], rtol=1e-9)
    assert_allclose(got[1], rows[2], rtol=1e-9)


def test_a_dislocation_does_not_act_on_itself_but_for_the_surfaces():
    here = np.array([1.0 * NM])
    one = pair_stress(here, here, here, here, np.ones(1), 20 * NM, 1.0, 0.3 * NM)
    assert_allclose(one, 0, atol=1e-12 / (0.3 * NM))
    near = SLAB.left + np.array([1.5 * NM])
    shear = dislocation_stress(SLAB, SETTINGS, near, here, near, here, np.ones(1))[1]
    assert shear[0] < 0  # drawn out


def test_free_surfaces_carry_nothing():
    y = np.linspace(0, SLAB.period, 30)
    x = np.array([-8.5, 0.0, 11.0]) * NM
    for face in (SLAB.left, SLAB.right):
        stress = dislocation_stress(SLAB, SETTINGS, np.full(30, face), y, x, x, np.array([1.0, 1, -1]))
        assert np.abs(stress).max() < 1e4  # Pa, against GPa inside


@pytest.fixture(scope="module")
def random_misfit():
    x, y = grid(SLAB, 0.25 * NM)
    wave = 2 * np.pi * y / SLAB.period
    content = 0.6 + 0.04 * np.tanh(x[:, None] / (2 * NM)) * (1 + np.cos(wave + x[:, None] / (3 * NM)))
    return x, y, misfit_stress(SLAB, SETTINGS, content)


def test_misfit_leaves_the_faces_free(random_misfit):
    _, _, stress = random_misfit
    assert np.abs(stress).max() > 1e7
    assert np.abs(stress[[0, 2]][:, [0, -1]]).max() < 1e-6 * np.abs(stress).max()


def test_misfit_is_in_equilibrium(random_misfit):
    x, y, (xx, yy, xy) = random_misfit
    inner = slice(3, -3)
    residual = np.gradient(xx, x, axis=0) + np.gradient(xy, y, axis=1)
    other = np.gradient(xy, x, axis=0) + np.gradient(yy, y, axis=1)
    scale = np.abs(np.gradient(xx, x, axis=0)).max()
    assert np.abs(residual[inner, inner]).max() < 0.05 * scale
    assert np.abs(other[inner, inner]).max() < 0.05 * scale


def test_flat_domains_strain_each_other_along_the_wall_only():
    x, y = grid(SLAB, 0.25 * NM)
    content = np.repeat((0.6 + 0.1 * np.tanh(x / NM))[:, None], len(y), axis=1)
    xx, yy, xy = misfit_stress(SLAB, SETTINGS, content)
    assert np.abs([xx, xy]).max() < 1e-6 * np.abs(yy).max()
    assert abs(yy.mean()) < 1e-9 * np.abs(yy).max()


def test_degenerate_crystal_is_solved():
    solution = solve_stroh(isotropic_stiffness(170e9, 0.3))
    strength = 170e9 / 2.6 * 3e-10 / (2 * np.pi * 0.7)
    x, y = problems.ring()
    got = stroh_stress(solution, [3e-10, 0, 0], x, y)[[0, 1, 5]]
    assert_allclose(got, edge_stress(x, y, strength), atol=1e-4 * strength / 2e-9)


def test_rows_of_both_theories_agree():
    modulus = 2 * SETTINGS.shear_modulus * (1 + SETTINGS.poisson_ratio)
    solution = solve_stroh(isotropic_stiffness(modulus, SETTINGS.poisson_ratio))
    x, y = problems.ring()
    got = stroh_stress(solution, [SETTINGS.burgers, 0, 0], x, y, 7 * NM)[[0, 1, 5]]
    want = row_stress(x, y, 7 * NM, SETTINGS.strength)
    assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("name", problems.PROBLEMS)
def test_verification_passes(name):
    rows = problems.PROBLEMS[name]()
    assert rows and [row for row in rows if row.verdict != "pass"] == []
