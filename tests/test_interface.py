"""Wetting and corrosion of cracks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from faultline.interface import Growth, corrode, corrosion_dataset, film_resistance, wetted_interfaces
from faultline.materials import FARADAY
from faultline.microstructure import rectangle_particle

GROWTH = Growth(
    linear_rate=5e-15,
    parabolic_rate=1e-22,
    reference_hf=2.5,
    reference_voltage=4.0,
    voltage_scale=0.3,
    activation_energy=50e3,
    layer_diffusivity=1e-17,
    transition_metal_loss=0.1,
    alkali_loss=0.8,
    embrittlement_depth=5e-9,
    residual_strength=0.5,
    residual_toughness=0.4,
)
DAY = 86400.0


class Oxide:
    """What corrosion asks of a material."""

    c_max = 40000.0


@pytest.fixture(scope="module")
def particle():
    """Two grains, one straight boundary across at x = 2 um with eight faces."""
    return rectangle_particle(
        (4e-6, 2e-6),
        (16, 8),
        grain_of=lambda p: (p[:, 0] > 2e-6).astype(int),
        orientation=np.stack([np.eye(3)] * 2),
    )


def heights(particle):
    return particle.interface_midpoint[:, 1]


def block(particle, failed, opening=1e-7, days=10.0, voltage=4.0, **changes):
    given = {
        "growth": GROWTH,
        "time": np.array([0.0, days * DAY]),
        "voltage": np.full(2, voltage),
        "hf": 2.5,
        "temperature": 298.15,
        "capillary_opening": 5e-9,
    } | changes
    return corrode(particle, Oxide(), failed=failed, opening=np.full(particle.n_interfaces, opening), **given)


def test_electrolyte_needs_a_way_in(particle):
    y = heights(particle)
    opening = np.full(particle.n_interfaces, 1e-7)
    inner = (y > 0.5e-6) & (y < 1.5e-6)
    assert not wetted_interfaces(particle, inner, opening, 5e-9).any()
    from_below = y < 1.1e-6
    assert np.array_equal(wetted_interfaces(particle, from_below, opening, 5e-9), from_below)
    pinched = np.where(np.abs(y - 0.375e-6) < 0.1e-6, 1e-9, 1e-7)
    assert wetted_interfaces(particle, from_below, pinched, 5e-9).sum() == 1


def test_layer_is_linear_then_parabolic():
    short, long = 10.0, 1e12
    assert_allclose(GROWTH.grow(np.zeros(1), short), GROWTH.linear_rate * short, rtol=1e-3)
    assert_allclose(GROWTH.grow(np.zeros(1), long), np.sqrt(GROWTH.parabolic_rate * long), rtol=0.01)


@given(st.floats(0, 1e8), st.floats(0, 1e8))
@settings(max_examples=50, deadline=None)
def test_growth_may_be_split(first, second):
    once = GROWTH.grow(np.zeros(1), first + second)
    assert_allclose(GROWTH.grow(GROWTH.grow(np.zeros(1), first), second), once, rtol=1e-9, atol=1e-20)


def test_acid_heat_and_voltage_speed_it_up():
    time = np.array([0.0, DAY])
    base = GROWTH.effective_time(time, np.full(2, 4.0), 2.5, 298.15)
    assert_allclose(base, DAY)
    assert_allclose(GROWTH.effective_time(time, np.full(2, 4.0), 5.0, 298.15), 2 * base)
    assert_allclose(GROWTH.effective_time(time, np.full(2, 4.3), 2.5, 298.15), np.e * base)
    warm = GROWTH.effective_time(time, np.full(2, 4.0), 2.5, 333.15) / base
    assert_allclose(warm, np.exp(50e3 / 8.314462618 * (1 / 298.15 - 1 / 333.15)))


def test_metal_and_alkali_go_with_the_volume(particle):
    failed = heights(particle) < 1.1e-6
    result = block(particle, failed)
    length = particle.interface_length
    volume = 2 * length @ result.corroded_depth + particle.surface_length @ result.surface_layer_thickness
    assert_allclose(result.transition_metal_loss, 0.1 * volume / particle.area)
    assert_allclose(result.alkali_loss, 0.8 * volume / particle.area)
    assert_allclose(result.wetted_length, length @ failed)


def test_tip_is_attacked_before_it_opens(particle):
    y = heights(particle)
    result = block(particle, y < 1.1e-6)
    ahead = np.argsort(np.abs(y - 1.125e-6))[0]
    wet, tip, far = (
        result.corroded_depth[y < 1.0e-6].max(),
        result.corroded_depth[ahead],
        result.corroded_depth,
    )
    assert 0 < tip < wet
    inside = (y > 1.3e-6) & (y < 1.7e-6)
    assert not far[inside].any()
    assert result.strength_factor[ahead] < 1
    assert (result.strength_factor[inside] == 1).all()
    assert result.toughness_factor.min() >= 0.4


def test_blocks_add_up(particle):
    failed = heights(particle) < 1.1e-6
    once = block(particle, failed, days=20)
    first = block(particle, failed, days=10)
    twice = block(particle, failed, days=10, earlier=first)
    assert_allclose(twice.corroded_depth, once.corroded_depth, rtol=1e-9)
    assert_allclose(twice.film_resistance, once.film_resistance, rtol=1e-9)
    assert_allclose(twice.alkali_loss, once.alkali_loss)


def test_without_electrolyte_chemistry_nothing_grows(particle):
    result = block(particle, heights(particle) < 1.1e-6, growth=None)
    assert result.wetted.any()
    assert not result.corroded_depth.any()
    assert (result.strength_factor == 1).all()
    assert result.transition_metal_loss == 0


def test_resistances_add_in_series(particle):
    failed = np.zeros(particle.n_interfaces, dtype=bool)
    moist = np.full(particle.n_surface, 0.01)
    result = block(particle, failed, exposure_resistance=moist)
    layer = film_resistance(result.surface_layer_thickness, GROWTH, Oxide.c_max, 298.15)
    assert_allclose(result.film_resistance, moist + layer)
    expected = (
        result.surface_layer_thickness[0] * 8.314462618 * 298.15 / (FARADAY**2 * 1e-17 * 0.2 * Oxide.c_max)
    )
    assert_allclose(layer[0], expected)


def test_dataset(particle):
    ds = corrosion_dataset(particle, block(particle, heights(particle) < 1.1e-6))
    assert ds["wetted"].dims == ("interface",)
    assert ds["corroded_depth"].attrs["units"] == "m"
    assert ds.attrs["alkali_loss"] > 0
