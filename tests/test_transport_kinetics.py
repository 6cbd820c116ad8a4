"""Butler-Volmer with film and half-cell resistance: limits, slopes, and behaviour far from equilibrium."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.transport import butler_volmer, surface_current
from faultline.transport.kinetics import FARADAY, GAS_CONSTANT

TEMPERATURE = 298.15


@dataclass(frozen=True)
class Sloping:
    """A plateau between two slopes, straight beyond its table."""

    c_max: float = 5e4
    transfer_coefficient: float = 0.4
    site_fraction_range: tuple[float, float] = (0.2, 0.95)

    def open_circuit_voltage(self, x):
        return 4.2 - 1.1 * np.asarray(x) - 0.2 * np.tanh((np.asarray(x) - 0.5) / 0.05)

    def open_circuit_slope(self, x):
        return -1.1 - 0.2 / 0.05 * (1 - np.tanh((np.asarray(x) - 0.5) / 0.05) ** 2)

    def exchange_current_density(self, x):
        x = np.clip(x, 0, 1)
        return 4 * np.sqrt(np.maximum(x * (1 - x), 1e-4))


def faces(seed, n=60):
    rng = np.random.default_rng(seed)
    geometry = {
        "normal_diffusivity": 10 ** rng.uniform(-18, -13, n),
        "distance": 10 ** rng.uniform(-8, -6, n),
        "film_resistance": rng.choice([0.0, 1e-3, 0.1, 10.0], n),
    }
    return rng.uniform(0.02, 0.98, n), rng.normal(0, 5e3, n), geometry


def solve(voltage, x, drift, geometry):
    return surface_current(voltage, x, drift, material=Sloping(), temperature=TEMPERATURE, **geometry)


def test_butler_volmer_slope_and_limits():
    eta = np.linspace(-0.4, 0.4, 41)
    current, slope = butler_volmer(eta, 2.0, 0.4, TEMPERATURE)
    above, below = (butler_volmer(eta + h, 2.0, 0.4, TEMPERATURE)[0] for h in (1e-6, -1e-6))
    assert np.allclose(slope, (above - below) / 2e-6, rtol=1e-7)
    assert np.all(np.diff(current) > 0)
    assert butler_volmer(0.0, 2.0, 0.4, TEMPERATURE)[0] == 0
    # Small signals see R T / (F i0), whatever alpha.
    assert np.isclose(
        butler_volmer(0.0, 2.0, 0.7, TEMPERATURE)[1], 2 * FARADAY / (GAS_CONSTANT * TEMPERATURE)
    )
    assert np.all(np.isfinite(butler_volmer([-1e3, 1e3], 2.0, 0.5, TEMPERATURE)))


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), voltage=st.floats(-30, 40))
def test_the_three_relations_hold_together(seed, voltage):
    x, drift, geometry = faces(seed)
    result, material = solve(voltage, x, drift, geometry), Sloping()
    i, eta, x_s = result.current, result.overpotential, result.surface_site_fraction
    assert np.allclose(x_s, x - i * geometry["distance"] / (FARADAY * 5e4 * geometry["normal_diffusivity"]))
    gap = eta - (
        voltage - material.open_circuit_voltage(x_s) - drift / FARADAY - i * geometry["film_resistance"]
    )
    assert np.abs(gap).max() < 1e-10 * max(1, abs(voltage))
    expected = butler_volmer(eta, material.exchange_current_density(x), 0.4, TEMPERATURE)[0]
    assert np.allclose(i, expected, rtol=1e-12)
    assert np.all(result.d_voltage > 0)
    assert np.all(np.isfinite(result.d_site_fraction))


@pytest.mark.parametrize("voltage", [3.0, 3.6, 4.2])
def test_slopes_against_differences(voltage):
    x, drift, geometry = faces(4)
    x = np.where(np.abs(x - 0.5) < 0.49, x, 0.6)
    result, h = solve(voltage, x, drift, geometry), 1e-6
    by_voltage = (
        solve(voltage + h, x, drift, geometry).current - solve(voltage - h, x, drift, geometry).current
    ) / (2 * h)
    by_x = (
        solve(voltage, x + h, drift, geometry).current - solve(voltage, x - h, drift, geometry).current
    ) / (2 * h)
    assert np.allclose(result.d_voltage, by_voltage, rtol=1e-5, atol=1e-6 * np.abs(by_voltage).max())
    assert np.allclose(result.d_site_fraction, by_x, rtol=1e-5, atol=1e-6 * np.abs(by_x).max())


def test_rest_signs_and_series_resistance():
    material, wide = Sloping(), {"normal_diffusivity": np.inf, "distance": 1e-7, "film_resistance": 0.0}
    rest = float(material.open_circuit_voltage(0.6))
    assert abs(solve(rest, [0.6], [0.0], wide).current[0]) < 1e-12
    assert solve(rest + 0.1, [0.6], [0.0], wide).current[0] > 0  # charge: alkali leaves
    # Omega : sigma raises the voltage at rest by its value over F.
    assert abs(solve(rest + 0.05, [0.6], [0.05 * FARADAY], wide).current[0]) < 1e-10
    film = solve(rest + 0.3, [0.6], [0.0], {**wide, "film_resistance": 1e3})
    assert np.isclose(film.current[0], 0.3e-3, rtol=1e-2)  # the film takes nearly all of it


def test_beyond_the_tables_is_flagged():
    x, drift, geometry = faces(1)
    result = solve(12.0, x, drift, geometry)
    assert result.outside.any()
    assert "extrapolated" in result.message
    calm = {"normal_diffusivity": 1e-14, "distance": 1e-8, "film_resistance": 0.0}
    assert solve(3.6, [0.6], [0.0], calm).message == ""


def test_bad_geometry_is_refused():
    with pytest.raises(ValueError, match="diffusivities"):
        solve(3.5, [0.5], [0.0], {"normal_diffusivity": 0.0, "distance": 1e-8, "film_resistance": 0.0})
