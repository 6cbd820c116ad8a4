"""Material laws: tables, thermodynamics and the shipped data."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.constants import R as GAS_CONSTANT

from faultline.config.loader import load_study
from faultline.config.models import MaterialSettings
from faultline.crystal import is_stable
from faultline.materials import FARADAY, LatticeCurve, Material, VoltageCurve, material_from_settings

ROOT = Path(__file__).parents[1]
NAMES = ("P2-NNM", "O3-NM", "O3-NFM", "NMC811")


@cache
def shipped() -> dict[str, MaterialSettings]:
    study = load_study(ROOT / "config/config.yaml", ROOT)
    return {case.material.name: case.material for case in study.cases}


def material(name: str) -> Material:
    return material_from_settings(shipped()[name])


@given(
    st.lists(st.floats(0, 0.3), min_size=2, max_size=12),
    st.floats(1e-3, 0.1),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=50)
def test_voltage_falls_everywhere(drops, least, seed):
    x = np.sort(np.random.default_rng(seed).choice(np.linspace(0, 1, 101), len(drops), replace=False))
    curve = VoltageCurve(x, 4.5 - np.cumsum(drops), least)
    grid = np.linspace(x[0] - 0.1, x[-1] + 0.1, 500)
    assert curve.slope(grid).max() <= -least * (1 - 1e-9)
    assert np.all(np.diff(curve(grid)) < 0)


def test_voltage_goes_through_a_falling_table():
    x, v = np.array([0.1, 0.3, 0.4, 0.9]), np.array([4.3, 4.2, 3.8, 3.0])
    curve = VoltageCurve(x, v, 0.02)
    assert_allclose(curve(x), v)
    assert_allclose(curve.site_fraction_at(float(curve(0.62))), 0.62, atol=1e-3)


def test_plateau_keeps_the_least_slope():
    curve = VoltageCurve(np.array([0.0, 0.2, 0.6, 1.0]), np.array([4.4, 4.2, 4.2, 3.0]), 0.02)
    assert_allclose(curve.slope(np.array([0.3, 0.4])), -0.02, atol=1e-6)
    assert abs(curve(0.4) - 4.2) < 0.01


def two_phase() -> LatticeCurve:
    spacing = [4.4e-10, 4.4e-10, 5.67e-10, 5.6e-10]
    return LatticeCurve.from_table(
        [0.0, 0.05, 0.33, 0.67],
        ["O2", "O2", "P2", "P2"],
        spacing,
        [-0.02, -0.02, -0.02, 0],
        [0] * 4,
        reference=0.67,
    )


def test_lever_rule():
    curve, x = two_phase(), np.array([0.1, 0.18, 0.28])
    expected = (5.67 - 4.4) / 5.6 / (0.33 - 0.05)
    assert_allclose(curve.slope_at(x)[:, 2], expected)
    share = (x - 0.05) / 0.28
    assert_allclose(curve.phase_fraction_at(x), np.column_stack([1 - share, share]))
    ends = curve.strain[1:3, 2]
    assert_allclose(curve.strain_at(x)[:, 2], (1 - share) * ends[0] + share * ends[1], atol=1e-4)
    assert [curve.phase_names[k] for k in curve.phase_at(x)] == ["O2", "O2", "P2"]
    assert list(curve.in_gap) == [False, True, False]


@pytest.mark.parametrize("name", NAMES)
def test_pristine_lattice_has_no_strain(name):
    m = material(name)
    assert_allclose(m.lattice_strain(m.initial_site_fraction), 0, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_slopes_are_derivatives(name):
    m = material(name)
    low, high = m.site_fraction_range
    x = np.linspace(low + 0.02, high - 0.021, 173)
    d = 1e-6
    assert_allclose(
        (m.lattice_strain(x + d) - m.lattice_strain(x - d)) / (2 * d), m.lattice_strain_slope(x), atol=2e-4
    )
    assert_allclose(
        (m.open_circuit_voltage(x + d) - m.open_circuit_voltage(x - d)) / (2 * d),
        m.open_circuit_slope(x),
        rtol=1e-3,
        atol=1e-4,
    )
    potential = (m.chemical_potential(x + d, 300.0) - m.chemical_potential(x - d, 300.0)) / (2 * d)
    assert_allclose(potential, m.chemical_potential_slope(x, 300.0), rtol=1e-3)


def test_nmc811_is_as_stated():
    s, m = shipped()["NMC811"], material("NMC811")
    stated = {
        s.maximum_concentration: 63887.0,
        s.diffusivity.ab: 7e-15,
        s.diffusivity.c: 7e-16,
        s.interfaces.grain_boundary.tensile_strength: 200e6,
        s.interfaces.grain_boundary.toughness_normal: 1.0,
        s.elasticity.c11: 259e9,
        s.elasticity.c12: 107e9,
        s.elasticity.c13: 75e9,
        s.elasticity.c33: 194e9,
        s.elasticity.c44: 59e9,
        s.air.layer_diffusivity: 7e-17,
        s.electrolyte_corrosion.layer_diffusivity: 7e-17,
    }
    for entry, value in stated.items():
        assert entry.status == "stated"
        assert_allclose(entry.value, value)
    x = np.array([0.2, 0.5, 0.9])
    chemical = (
        m.diffusivity_ab
        * m.mobility_per_diffusivity(x, 298.15)
        * m.chemical_potential_slope(x, 298.15)
        / m.c_max
    )
    assert_allclose(chemical, 7e-15)  # the stated diffusivity exactly
    assert_allclose(m.density, 6215, rtol=1e-3)


def test_passivation_layer_is_as_stated():
    study = load_study(ROOT / "config/config.yaml", ROOT)
    shell = next(case.shell for case in study.cases if case.shell)
    layer = material_from_settings(shell)
    assert (layer.diffusivity_ab, layer.diffusivity_c) == (7e-17, 7e-17)
    assert_allclose(1 / np.linalg.inv(layer.stiffness)[0, 0], 190e9)
    assert np.isnan(layer.molar_mass)
    assert layer.voltage is None


@pytest.mark.parametrize("name", NAMES)
def test_shipped_materials_are_physical(name):
    m = material(name)
    assert is_stable(m.stiffness)
    assert m.stiffness[2, 2] < m.stiffness[0, 0]
    assert 0 < m.diffusivity_c < m.diffusivity_ab
    assert m.interfaces["basal"].tensile_strength < m.interfaces["grain_boundary"].tensile_strength
    x = np.linspace(*m.site_fraction_range, 300)
    assert m.chemical_potential_slope(x, 298.15).min() > 0
    assert m.exchange_current_density(x).min() > 0
    assert_allclose(m.exchange_current_density(0.5), m.exchange_current_density_half)


def test_sodium_oxides_share_one_rule():
    sodium = [material(name) for name in NAMES[:3]]
    assert all(m.interfaces == sodium[0].interfaces for m in sodium)
    assert all(np.array_equal(m.stiffness, sodium[0].stiffness) for m in sodium)
    for m in sodium:
        assert_allclose(m.diffusivity_c / m.diffusivity_ab, 0.1)


def test_concentration_follows_from_the_lattice():
    """One formula unit in a cell of area sqrt(3)/2 a^2 and one slab's height."""
    for name, a, d in (
        ("P2-NNM", 2.89e-10, 5.6e-10),
        ("O3-NM", 2.96e-10, 5.3e-10),
        ("O3-NFM", 2.98e-10, 5.33e-10),
    ):
        volume = np.sqrt(3) / 2 * a**2 * d
        assert_allclose(material(name).c_max, 1 / (volume * 6.02214076e23), rtol=2e-3)


def test_p2_collapses_above_4_1_volt_only():
    m = material("P2-NNM")
    stop, end = m.site_fraction_at(4.1), m.site_fraction_at(4.35)
    assert abs(stop - 1 / 3) < 0.02
    assert abs(m.lattice_strain(stop)[0, 2]) < 0.02
    assert_allclose(m.lattice_strain(end)[0, 2], 4.4 / 5.6 - 1, atol=0.01)


def test_outside_the_tables():
    m = material("O3-NFM")
    low, high = m.site_fraction_range
    clipped, outside = m.clip([low - 0.1, 0.5, high + 0.1])
    assert outside == 2
    assert_allclose(clipped, [low, 0.5, high])
    assert_allclose(m.lattice_strain(low - 0.1), m.lattice_strain(low))
    assert m.open_circuit_voltage(low - 0.1) > m.open_circuit_voltage(low)
    assert_allclose(m.chemical_potential(0.5, 298.15), -FARADAY * m.open_circuit_voltage(0.5))


def test_self_and_chemical_diffusivity_differ_by_the_thermodynamic_factor():
    given = shipped()["NMC811"]
    x, t = np.array([0.3, 0.5, 0.8]), 298.15
    chemical = material_from_settings(given)
    own = replace(chemical, diffusivity_kind="self")
    factor = x * (1 - x) * chemical.chemical_potential_slope(x, t) / (GAS_CONSTANT * t)
    ratio = own.mobility_per_diffusivity(x, t) / chemical.mobility_per_diffusivity(x, t)
    assert_allclose(ratio, factor)
