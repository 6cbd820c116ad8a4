"""Moist gas: what differs between gases must come out of the chemistry."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline.config.loader import load_study
from faultline.errors import NotConverged
from faultline.exposure import (
    AirChemistry,
    Column,
    Drying,
    Gas,
    Host,
    WaterFilm,
    attack_binder,
    compare_gases,
    expose,
    exposure_dataset,
    unexposed,
)
from faultline.exposure.apply import CellMap, _check_bounds, distance_to_surface, openness
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


def column(depth: float = 0.8e-6, open_by: tuple[float, ...] = (1.0,), **changes) -> Column:
    material, air = nfm()
    host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
    return Column(host, replace(air, **changes), depth, open_by)


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
    assert with_o2.rock_salt[0, 0] > 0.2
    assert without.rock_salt.max() == 0.0
    assert 0.5e-9 < col.layer_thickness(with_o2) < 20e-9
    assert with_o2.rock_salt[0, 0] > with_o2.proton[0, 0]


def test_oxygen_stops_at_its_own_voltage():
    """An oxide whose voltage lies above that of dissolved oxygen is not oxidised."""
    col = column()
    shifted = replace(col.host.voltage, voltage=col.host.voltage.voltage + 1.5)
    noble = replace(col, host=replace(col.host, voltage=shifted))
    _, (_, end) = stored(OXYGEN, [48], noble)
    assert end.rock_salt.max() < 1e-3


def dried(gas: Gas, drying: Drying, hours: float = 12.0):
    """Alkali outside before and after drying, and the dried state."""
    col, (_, wet) = stored(gas, hours)
    film = WaterFilm(col.air, drying.gas, "Na", WaterFilm(col.air, gas, "Na").carbonate(wet.film))
    end = col.advance(wet, film, np.array([0.0, drying.duration]))[-1]
    assert col.balance_error(end) < 1e-10
    return wet.film[0], end.film[0], end


def test_hydration_in_water_alone_is_reversible():
    """Protons leave as they came, by diffusion: the longer and warmer the drying, the more alkali is back."""
    times = [dried(VAPOUR, Drying(hours * HOUR, 353.15)) for hours in (1, 12, 120)]
    back = [1 - after / before for before, after, _ in times]
    assert back == sorted(back)
    assert back[-1] > 0.95
    before, after, _ = dried(VAPOUR, Drying(12 * HOUR, 298.15))
    assert 0.4 < 1 - after / before < back[1]


def test_carbonate_keeps_its_alkali_on_drying():
    before, after, end = dried(CARBON_DIOXIDE, Drying(12 * HOUR, 353.15))
    assert after > 0.999 * before
    assert end.proton[0, 0] < 0.3  # the protons go on inwards


def test_what_oxygen_takes_stays_outside():
    before, after, end = dried(OXYGEN, Drying(120 * HOUR, 353.15), hours=48)
    assert after > 0.999 * before
    assert end.rock_salt.max() <= column().host.site_fraction


def test_nothing_moves_without_residue_or_water():
    col = column()
    end = col.advance(col.fresh(), WaterFilm(col.air, Drying(1.0).gas, "Na"), np.array([0.0, HOUR]))[-1]
    assert not end.lost.any()


def grown(hours: float = 48.0, gas: Gas = HUMID_AIR, **changes) -> tuple[float, float]:
    """Layer thickness, and share of the alkali lost."""
    col, (_, end) = stored(gas, hours, column(**changes))
    held = col.host.c_max * col.host.site_fraction * col.depth
    return col.layer_thickness(end)[0], end.film[0] / held


def test_levers_act_in_their_direction():
    """Time, humidity, cation competition, size, orientation and temperature."""
    layer, lost = grown()
    assert grown(24)[0] < layer
    assert grown(24)[1] < lost
    assert grown(gas=replace(HUMID_AIR, p_H2O=1000.0))[1] < lost
    assert grown(gas=replace(VAPOUR, p_H2O=1000.0))[1] < grown(gas=VAPOUR)[1]
    assert grown(exchange_equilibrium=1e10)[1] < lost < grown(exchange_equilibrium=1e14)[1]
    same, smaller = grown(depth=1.6e-6)
    assert_allclose(same, layer, rtol=0.05)  # the layer does not know how large the particle is
    assert_allclose(smaller, lost / 2, rtol=0.1)  # vacancies reach the middle of the smaller particle
    assert grown(open_by=(0.1,))[0] < 0.5 * layer
    assert grown(gas=replace(HUMID_AIR, temperature=313.15, p_H2O=4430.0))[0] > 1.5 * layer


def test_layer_passes_protons_that_the_oxide_holds_up():
    """With a tighter oxide the front is sharper and less alkali leaves; the layer grows all the same."""
    _, (_, tight) = stored(CARBON_DIOXIDE, 48, column(host_proton_diffusivity=2e-24))
    _, (_, even) = stored(CARBON_DIOXIDE, 48, column(host_proton_diffusivity=2e-21))
    assert tight.film[0] < even.film[0]
    assert column().layer_thickness(tight)[0] > 0.8 * column().layer_thickness(even)[0]
    ahead = column().centre > 60e-9
    assert tight.proton[0, ahead].max() < 0.01 * even.proton[0, ahead].max()


def test_columns_of_faces_do_not_mix():
    _, (_, apart) = stored(HUMID_AIR, 48, column(open_by=(0.3,)))
    _, (_, beside) = stored(HUMID_AIR, 48, column(open_by=(1.0, 0.3)))
    assert_allclose(beside.film[1], apart.film[0], rtol=1e-4)


def test_lost_alkali_is_reported_not_passed_on(monkeypatch):
    """A leak of a millionth of the flux must stop the stage."""
    from faultline.exposure.column import _Rates

    tight = _Rates.__call__

    def leaking(self, time, unknowns):
        change = tight(self, time, unknowns)
        change[-1] *= 1 + 1e-4
        return change

    monkeypatch.setattr(_Rates, "__call__", leaking)
    with pytest.raises(NotConverged, match="gained or lost") as stopped:
        stored(HUMID_AIR, 48)
    assert stopped.value.residual > 1e-8


def test_binder_loses_adhesion_with_the_residue():
    clean, little, much = (attack_binder(alkali) for alkali in (0.0, 0.1, 1e3))
    assert clean.adhesion_index == 1
    assert clean.fluoride_wt_percent == 0
    assert 0 < little.adhesion_index < 1
    assert_allclose(little.fluoride_wt_percent, 100 * 0.1 * 0.1 * 41.988e-3)
    assert much.adhesion_index == 0


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


def test_depth_resolution_is_sufficient():
    col, (_, end) = stored(HUMID_AIR, 48)
    finer = replace(col, first_cell=0.1e-9, growth=1.05)
    _, (_, fine) = stored(HUMID_AIR, 48, finer)
    assert_allclose(end.film, fine.film, rtol=5e-3)
    assert_allclose(col.layer_thickness(end), finer.layer_thickness(fine), rtol=0.02)


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
    assert (result.film_resistance > 0).all()
    assert result.film_resistance.max() < 1
    assert_allclose(
        result.layer_proton_fraction + result.layer_rock_salt_fraction + result.layer_alkali_fraction,
        material.initial_site_fraction,
        atol=0.02,  # the rest are vacancies
    )
    assert (np.diff(result.proton_profile[:, result.depth > 5e-9]) < 1e-9).all()


def test_slabs_that_lie_in_a_face_keep_it_closed():
    """One crystal with c along y: the sides left and right are open, the top and bottom ones are not."""
    material, air = nfm()
    upright = np.array([[[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]])  # columns a, b, c; c is lab y
    single = rectangle_particle((3e-6, 2e-6), (12, 8), orientation=upright)
    ratio = material.diffusivity_c / material.diffusivity_ab
    across = np.abs(single.surface_normal[:, 1]) > 0.5
    assert_allclose(openness(single, material), np.where(across, ratio, 1.0))
    result = expose(single, material, air, HUMID_AIR, 48 * HOUR)
    assert result.layer_thickness[across].max() < 0.5 * result.layer_thickness[~across].min()
    assert result.film_resistance[across].max() < result.film_resistance[~across].min()
    assert result.balance_error < 1e-8
    # the layer strains along its face: along c on open faces, along a on closed ones
    strain = result.layer_proton_fraction * np.where(across, air.proton_strain_ab, air.proton_strain_c)
    strain += result.layer_rock_salt_fraction * np.where(
        across, air.rock_salt_strain_ab, air.rock_salt_strain_c
    )
    assert_allclose(result.layer_mismatch_strain, strain, atol=1e-12)


def test_drying_a_particle_gives_alkali_back(particle):
    material, air = nfm()
    wet = expose(particle, material, air, VAPOUR, 12 * HOUR)
    dry = expose(particle, material, air, VAPOUR, 12 * HOUR, drying=Drying(24 * HOUR, 353.15))
    assert dry.alkali_lost_fraction < 0.2 * wet.alkali_lost_fraction
    share_kept = dry.alkali_lost_fraction / wet.alkali_lost_fraction
    assert_allclose(dry.alkali_returned_fraction, 1 - share_kept, rtol=1e-4)
    assert dry.balance_error < 1e-8
    assert dry.time[-1] == pytest.approx(36 * HOUR)
    assert len(dry.time) == len(dry.residual_alkali)
    air_dried = expose(particle, material, air, HUMID_AIR, 12 * HOUR, drying=Drying(24 * HOUR, 353.15))
    assert air_dried.alkali_returned_fraction < 1e-2


def test_gases_side_by_side():
    material, air = nfm()
    gases = {"vapour": VAPOUR, "air": HUMID_AIR}
    outcomes = compare_gases(
        material, air, gases, {"vapour": [12 * HOUR], "air": [24 * HOUR, 48 * HOUR]}, 0.8e-6, Drying(HOUR)
    )
    assert [(o.gas, o.duration / HOUR) for o in outcomes] == [("vapour", 12), ("air", 24), ("air", 48)]
    assert outcomes[0].residual_alkali < outcomes[1].residual_alkali < outcomes[2].residual_alkali
    assert outcomes[0].alkali_returned > 0.1 > outcomes[2].alkali_returned
    assert max(o.balance_error for o in outcomes) < 1e-8


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
    assert np.isinf(ds["film_conductance"]).all()
    assert ds["proton_profile"].dims == ("surface", "exposure_depth")
    assert ds.attrs["binder_adhesion_index"] == 1


def test_profile_is_averaged_over_the_area_of_a_cell(particle):
    """A profile linear in depth averages to the mean depth of a cell's corners."""
    cells = CellMap(particle, column(depth=1.2e-6))
    mean = cells.mapped(np.tile(cells.column.centre, (particle.n_surface, 1)))
    depth = cells.vertex_depth[particle.cells].mean(axis=1)
    assert_allclose(mean, depth, rtol=0.02)


def test_cells_hold_what_the_columns_do(particle):
    """A thin layer keeps its total; the scale is what the corners of the section take from it."""
    cells = CellMap(particle, column(depth=0.6e-6))
    thin = np.tile(np.exp(-cells.column.centre / 10e-9), (particle.n_surface, 1))
    total = particle.surface_length.sum() * (thin[0] @ cells.column.width)
    assert_allclose(particle.cell_area @ cells.average(thin), total)
    assert_allclose(particle.cell_area @ cells.mapped(thin), total, rtol=0.02)


def test_layers_too_thick_for_columns_are_refused(particle):
    cells = CellMap(particle, column(depth=0.6e-6))
    thick = np.tile(np.exp(-cells.column.centre / 150e-9), (particle.n_surface, 1))
    with pytest.raises(NotConverged, match=r"scaled by 1\.[0-9]+.*too thick for columns") as stopped:
        cells.average(thick)
    assert stopped.value.residual > 0.001
    assert not cells.average(np.zeros_like(thick)).any()
    cells.average(1e-12 * thick)  # noise has no scale


@pytest.mark.parametrize(("low", "high"), [(-1e-5, 0.5), (0.0, 0.98 + 1e-5), (0.0, np.nan)])
def test_no_cell_loses_more_than_it_has(low, high):
    _check_bounds(np.array([-1e-8, 0.98]), 0.98)
    with pytest.raises(NotConverged, match=r"allowed: 0 to 0\.98"):
        _check_bounds(np.array([low, high]), 0.98)
