"""Rotations of elasticity must not change its physics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline import crystal

NMC811 = crystal.hexagonal_stiffness(259e9, 107e9, 75e9, 194e9, 59e9)
PAIRS = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
seeds = st.integers(0, 2**32 - 1)


def orientations(seed: int, count: int = 4):
    return Rotation.random(count, random_state=seed).as_matrix()


def fourth_order(stiffness):
    tensor = np.empty((3, 3, 3, 3))
    for row, (i, j) in enumerate(PAIRS):
        for column, (k, m) in enumerate(PAIRS):
            tensor[i, j, k, m] = tensor[j, i, k, m] = tensor[i, j, m, k] = tensor[j, i, m, k] = stiffness[
                row, column
            ]
    return tensor


@given(seeds)
@settings(max_examples=20)
def test_stiffness_rotation_is_the_fourth_order_transformation(seed):
    rotation = orientations(seed, 1)
    expected = np.einsum("ip,jq,kr,ls,pqrs->ijkl", *[rotation[0]] * 4, fourth_order(NMC811))
    assert_allclose(fourth_order(crystal.rotate_stiffness(NMC811, rotation)[0]), expected, atol=1e-3)


@given(seeds)
@settings(max_examples=20)
def test_rotating_back_gives_the_crystal_again(seed):
    rotation = orientations(seed)
    back = crystal.rotate_stiffness(crystal.rotate_stiffness(NMC811, rotation), np.swapaxes(rotation, 1, 2))
    assert_allclose(back, np.broadcast_to(NMC811, back.shape), atol=1e-3)
    stress = np.random.default_rng(seed).normal(size=(4, 6))
    there = crystal.rotate_voigt_stress_to_crystal(
        crystal.rotate_voigt_stress_to_lab(stress, rotation), rotation
    )
    assert_allclose(there, stress, atol=1e-12)


@given(seeds)
@settings(max_examples=20)
def test_energy_does_not_depend_on_the_frame(seed):
    rotation = orientations(seed)
    strain = np.random.default_rng(seed).normal(size=(4, 6))
    lab = crystal.lab_strain(strain, rotation)
    stiffness = crystal.rotate_stiffness(NMC811, rotation)
    assert_allclose(
        np.einsum("ni,nij,nj->n", lab, stiffness, lab), np.einsum("ni,ij,nj->n", strain, NMC811, strain)
    )
    assert_allclose(crystal.rotate_voigt_strain_to_crystal(lab, rotation), strain, atol=1e-12)


@given(seeds, st.floats(-np.pi, np.pi))
@settings(max_examples=20)
def test_hexagonal_crystal_is_isotropic_about_c(seed, angle):
    rotation = orientations(seed)
    turned = rotation @ Rotation.from_euler("z", angle).as_matrix()
    assert_allclose(
        crystal.rotate_stiffness(NMC811, turned), crystal.rotate_stiffness(NMC811, rotation), atol=1e-3
    )


def test_isotropic_stiffness_has_no_direction():
    stiffness = crystal.isotropic_stiffness(190e9, 0.35)
    rotated = crystal.rotate_stiffness(stiffness, orientations(3))
    assert_allclose(rotated, np.broadcast_to(stiffness, rotated.shape), atol=1e-3)
    assert_allclose(1 / np.linalg.inv(stiffness)[0, 0], 190e9)


def test_principal_strain_follows_the_axes():
    tilted = Rotation.from_euler("x", 90, degrees=True).as_matrix()[None]  # c along -y
    assert_allclose(
        crystal.rotate_strain(np.array([[0.01, 0.02, -0.03]]), tilted)[0],
        [0.01, -0.03, 0.02, 0, 0, 0],
        atol=1e-15,
    )
    skew = Rotation.from_euler("x", 45, degrees=True).as_matrix()[None]  # c between -y and z
    strain = crystal.rotate_strain(np.array([[0.0, 0.0, 0.02]]), skew)[0]
    assert_allclose(strain, [0, 0.01, 0.01, -0.02, 0, 0], atol=1e-15)


def test_principal_strain_keeps_volume():
    principal = np.array([[0.01, -0.02, 0.05]] * 4)
    assert_allclose(
        crystal.rotate_strain(principal, orientations(1))[:, :3].sum(axis=1), principal.sum(axis=1)
    )


@pytest.mark.parametrize(
    ("stiffness", "stable"), [(NMC811, True), (crystal.hexagonal_stiffness(1.0, 2.0, 0.1, 1.0, 1.0), False)]
)
def test_stability(stiffness, stable):
    assert crystal.is_stable(stiffness) is stable
