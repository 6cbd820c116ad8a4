"""Moist gas: what differs between gases must come out of the chemistry."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline.config.loader import load_study
from faultline.exposure import AirChemistry, Column, Gas, Host, WaterFilm, expose, exposure_dataset, unexposed
from faultline.exposure.apply import CellMap, distance_to_surface
from faultline.exposure.chemistry import CARBONIC_1, CARBONIC_2, HENRY_CO2, WATER_PRODUCT
from faultline.materials import Material, material_from_settings
from faultline.microstructure import GRAIN_BOUNDARY, rectangle_particle

ROOT = Path(__file__).parents[1]
HOUR = 3600.0
VAPOUR = Gas(1900.0, 0.0, 0.0)
CARBON_DIOXIDE = replace(VAPOUR, p_CO2=42.0)
OXYGEN = replace(VAPOUR, p_O2=21.3e3)
HUMID_AIR = replace(CARBON_DIOXIDE, p_O2=21.3e3)
DRY = Gas(13.0, 42.0, 21.3e3)


@cache
def nfm() -> tuple[Material, AirChemistry]:
    study = load_study(ROOT / "config/config.yaml", ROOT)
    settings = next(case.material for case in study.cases if case.material.name == "O3-NFM")
    return material_from_settings(settings), AirChemistry.from_settings(settings.air)


def column(depth: float = 0.8e-6, **changes) -> Column:
    material, air = nfm()
    host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
    return Column(host, replace(air, **changes), depth)


def stored(gas: Gas, hours, col: Column | None = None):
    col = col or column()
    times = HOUR * np.atleast_1d(np.append(0.0, hours))
    return col, col.advance(col.fresh(), WaterFilm(col.air, gas, "Na"), times)


@pytest.fixture(scope="module")
def particle():
    return rectangle_particle(
        (3e-6, 2e-6),
        (18, 12),
        grain_of=lambda p: (p[:, 0] // 1e-6).astype(int),
        orientation=Rotation.random(3, random_state=0).as_matrix(),
    )


def test_hydroxide_solves_the_charge_balance():
    film = WaterFilm(nfm()[1], CARBON_DIOXIDE, "Na")
    for alkali in (1e-4, 0.1, 3.0):
        h = WATER_PRODUCT / film.hydroxide(alkali)
        co2 = HENRY_CO2 * 42.0 / 101325
        anions = WATER_PRODUCT / h + CARBONIC_1 * co2 / h + 2 * CARBONIC_1 * CARBONIC_2 * co2 / h**2
        assert_allclose(anions, alkali)


def test_known_solutions():
    """0.1 mol/L NaOH has pH 13; sodium carbonate in equilibrium with air lies between 10 and 11."""
    air = nfm()[1]
    assert_allclose(-np.log10(WATER_PRODUCT / WaterFilm(air, VAPOUR, "Na").hydroxide(0.1)), 13.0)
    assert 10 < -np.log10(WATER_PRODUCT / WaterFilm(air, CARBON_DIOXIDE, "Na").hydroxide(1.0)) < 11.2
    assert_allclose(VAPOUR.relative_humidity, 0.6, atol=0.005)
    assert WaterFilm(air, VAPOUR, "Na").saturation * 1e3 == pytest.approx(air.hydroxide_solubility)
    assert WaterFilm(air, CARBON_DIOXIDE, "Na").saturation < 7  # carbonate precipitates before hydroxide does


def test_water_alone_stops_itself():
    col, (_, day, week) = stored(VAPOUR, [24, 168])
    _, (_, with_co2, week_with_co2) = stored(CARBON_DIOXIDE, [24, 168])
    assert week.film < 1.6 * day.film  # 2.6 where diffusion alone set the pace
    assert week_with_co2.film > 2 * with_co2.film
    assert with_co2.film > 50 * day.film
    assert col.layer_thickness(week) == 0.0
    assert col.layer_thickness(with_co2) > 10e-9


def test_the_alkaline_film_is_what_stops_it():
    """A material that holds its protons against hydroxide (larger K) exchanges further in water alone."""
    _, (_, mild) = stored(VAPOUR, [48])
    _, (_, keen) = stored(VAPOUR, [48], column(exchange_equilibrium=1e14))
    assert keen.film > 2 * mild.film


def test_oxygen_makes_rock_salt():
    col, (_, with_o2) = stored(OXYGEN, [48])
    _, (_, without) = stored(VAPOUR, [48])
    assert with_o2.rock_salt[0] > 0.2
    assert without.rock_salt.max() == 0.0
    assert 0.5e-9 < col.layer_thickness(with_o2) < 20e-9
    assert with_o2.rock_salt[0] > with_o2.proton[0]


def test_oxygen_stops_at_its_own_voltage():
    """An oxide whose voltage lies above that of dissolved oxygen is not oxidised."""
    col = column()
    shifted = replace(col.host.voltage, voltage=col.host.voltage.voltage + 1.5)
    noble = replace(col, host=replace(col.host, voltage=shifted))
    _, (_, end) = stored(OXYGEN, [48], noble)
    assert end.rock_salt.max() < 1e-3


def test_protons_return_on_drying():
    col = column()
    air = col.air
    times = np.array([0.0, 12 * HOUR])
    wet = col.advance(col.fresh(), WaterFilm(air, VAPOUR, "Na"), times)[-1]
    dried = col.advance(wet, WaterFilm(air, replace(VAPOUR, p_H2O=300.0), "Na"), times)[-1]
    assert dried.film < 0.5 * wet.film
    acid = col.advance(col.fresh(), WaterFilm(air, CARBON_DIOXIDE, "Na"), times)[-1]
    kept = col.advance(acid, WaterFilm(air, replace(CARBON_DIOXIDE, p_H2O=300.0), "Na"), times)[-1]
    assert kept.film > 0.9 * acid.film  # carbonate does not give its sodium back


def test_dry_air_does_nothing():
    _, (_, end) = stored(DRY, [48])
    assert end.film == 0.0
    assert not end.lost.any()


def test_growth_is_diffusive_when_carbonate_buffers():
    """Late growth goes with the root of time: the ratio over a factor of 16 tends to 4."""
    _, (_, *states) = stored(CARBON_DIOXIDE, [400, 6400], column(depth=5e-6))
    assert 3.5 < states[1].film / states[0].film < 4.6


@pytest.mark.parametrize("gas", [VAPOUR, CARBON_DIOXIDE, OXYGEN, HUMID_AIR])
def test_alkali_is_conserved(gas):
    col, states = stored(gas, [1, 48])
    assert all(col.balance_error(state) < 1e-8 for state in states)
    assert all(state.lost.min() > -1e-7 for state in states)


def test_depth_resolution_is_sufficient(monkeypatch):
    _, (_, end) = stored(HUMID_AIR, [48])
    monkeypatch.setattr("faultline.exposure.column.GROWTH", 1.05)
    monkeypatch.setattr("faultline.exposure.column.FIRST_CELL", 0.1e-9)
    _, (_, fine) = stored(HUMID_AIR, [48])
    assert_allclose(end.film, fine.film, rtol=0.02)


def test_exposed_particle_keeps_its_balance(particle):
    material, air = nfm()
    result = expose(particle, material, air, HUMID_AIR, 48 * HOUR)
    assert result.balance_error < 1e-8
    lost = material.initial_site_fraction - result.initial_site_fraction
    assert_allclose(
        result.alkali_lost_fraction,
        particle.cell_area @ lost / particle.area / material.initial_site_fraction,
    )
    assert 0.05 < result.residual_alkali_wt_percent < 5
    # every sodium lost weighs at least as hydroxide and at most as half a carbonate
    formula = 100 * result.alkali_lost_fraction * material.initial_site_fraction / material.molar_mass
    assert 0.040 * formula < result.residual_alkali_wt_percent < 0.053 * formula
    assert np.all(np.diff(result.mean_layer_thickness) > -1e-12)
    assert_allclose(result.residual_alkali[-1], result.residual_alkali_wt_percent)
    assert 0 < result.film_resistance[0] < 1


def test_only_the_surface_reacts_and_swells(particle):
    material, air = nfm()
    result = expose(particle, material, air, CARBON_DIOXIDE, 48 * HOUR)
    depth = distance_to_surface(particle, particle.cell_centroid)
    outer = result.proton_fraction > 1e-3
    assert depth[outer].max() < 0.25e-6
    volume = result.mismatch_strain[:, :3].sum(axis=1)
    assert_allclose(
        volume, result.proton_fraction * (2 * air.proton_strain_ab + air.proton_strain_c), atol=1e-12
    )


def test_boundaries_weaken_near_the_surface_only_if_wanted(particle):
    material, air = nfm()
    weak = expose(particle, material, air, HUMID_AIR, 48 * HOUR)
    strong = expose(particle, material, air, HUMID_AIR, 48 * HOUR, weaken=False)
    assert (strong.strength_factor == 1).all()
    assert (strong.toughness_factor == 1).all()
    assert np.array_equal(strong.mismatch_strain, weak.mismatch_strain)
    boundary = particle.interface_kind == GRAIN_BOUNDARY
    depth = distance_to_surface(particle, particle.interface_midpoint)[boundary]
    factor = weak.strength_factor[boundary]
    assert factor[np.argmin(depth)] < factor[np.argmax(depth)] <= 1
    assert factor.min() >= air.residual_strength


def test_gases_rank_by_their_chemistry(particle):
    material, air = nfm()
    by_gas = [expose(particle, material, air, gas, 48 * HOUR) for gas in (DRY, VAPOUR, OXYGEN, HUMID_AIR)]
    lost = [result.alkali_lost_fraction for result in by_gas]
    assert lost == sorted(lost)
    assert lost[0] == 0 < lost[1]
    weakest = [result.strength_factor.min() for result in by_gas]
    assert weakest == sorted(weakest, reverse=True)


def test_unexposed_is_neutral(particle):
    material, _ = nfm()
    result = unexposed(particle, material.initial_site_fraction)
    assert (result.initial_site_fraction == material.initial_site_fraction).all()
    assert not result.mismatch_strain.any()
    assert (result.strength_factor == 1).all()
    ds = exposure_dataset(particle, result)
    assert ds.attrs["residual_alkali_wt_percent"] == 0
    assert ds["film_resistance"].dims == ("surface",)


def test_profile_is_averaged_over_the_area_of_a_cell(particle):
    """A profile linear in depth averages to the mean depth of a cell's corners."""
    col = column(depth=1.2e-6)
    cells = CellMap(particle, col)
    mean = cells.average(col.centre)
    total = particle.cell_area @ mean
    assert_allclose(total, col.width @ col.centre * particle.surface_length.sum())
    depth = cells.vertex_depth[particle.cells].mean(axis=1)
    scale = np.median(mean / depth)
    assert_allclose(mean, scale * depth, rtol=0.02)
