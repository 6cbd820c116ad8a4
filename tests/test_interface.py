"""Wetting and corrosion of cracks, and the acid that does it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from faultline.config.models import ElectrolyteSettings
from faultline.interface import (
    Breathing,
    Electrolyte,
    Interphase,
    Renewal,
    advance,
    attack_reach,
    attacked,
    corrode,
    corrosion_dataset,
    film_resistance,
    fresh_layers,
    layers_from_dataset,
    reacting_faces,
    reconstructed_blocks,
    reconstructed_share,
    renewed,
    vertex_wet_time,
    weakened,
    wetted_interfaces,
    wetted_sides,
)
from faultline.materials import FARADAY
from faultline.microstructure import CORE, SHELL, Particle, rectangle_particle
from faultline.microstructure.particle import BASAL_PLANE
from faultline.verification import environment

REFERENCE_TEMPERATURE = 298.15
GROWTH = replace(environment.GROWTH, residual_toughness=0.4)  # unlike the strength
DAY = 86400.0
SHORT = 50e-9**2 / (10 * DAY)  # diffusivity that reaches 50 nm in the days of a block


class Oxide:
    """What corrosion asks of a material."""

    c_max = 40000.0
    initial_site_fraction = 0.9


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
@settings(max_examples=50)
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
    slow = replace(GROWTH, boundary_diffusivity=SHORT)
    result = block(particle, y < 1.1e-6, growth=slow)
    ahead = np.argsort(np.abs(y - 1.125e-6))[0]
    depth, share = result.corroded_depth, 50e-9 / particle.interface_length[ahead]
    assert_allclose(result.layers.attacked_share[ahead], share)
    assert_allclose(depth[ahead], share * depth[y < 1.0e-6].max(), rtol=1e-9)
    inside = (y > 1.3e-6) & (y < 1.7e-6)
    assert not depth[inside].any()
    assert (result.strength_factor[inside] == 1).all()
    assert_allclose(1 - result.strength_factor[ahead], share * (1 - result.strength_factor.min()), rtol=1e-9)
    assert result.toughness_factor.min() >= 0.4


def boundary(faces: int) -> Particle:
    """The boundary of `particle`, 2 um from surface to surface, in faces of equal length."""
    return rectangle_particle(
        (4e-6, 2e-6),
        (2, faces),
        grain_of=lambda p: (p[:, 0] > 2e-6).astype(int),
        orientation=np.stack([np.eye(3)] * 2),
    )


@pytest.mark.parametrize("days", [5.0, 200.0])  # before and after the embrittlement is complete
def test_the_weakened_length_does_not_follow_the_mesh(days):
    """A crack of 1 um and what is ahead of it, in faces longer and shorter than the reach."""
    reach, lengths, depths = 1e-7, [], []
    slow = replace(GROWTH, boundary_diffusivity=reach**2 / (days * DAY))
    for faces in (8, 16, 32, 128):
        one = boundary(faces)
        result = block(one, heights(one) < 1e-6, days=days, growth=slow)
        lost = (1 - result.strength_factor) / (1 - GROWTH.residual_strength)
        lengths.append(one.interface_length @ lost)
        depths.append(one.interface_length @ result.corroded_depth)
    attack = min(result.corroded_depth.max() / GROWTH.embrittlement_depth, 1.0)
    expected = (1e-6 + 2 * reach) * attack  # ahead of the tip, and inwards from the far end
    assert_allclose(lengths, expected, rtol=1e-9)
    assert_allclose(depths, depths[0], rtol=1e-9)


def test_a_front_that_has_crossed_many_faces_does_not_follow_the_mesh():
    """One local thickness for each face blurs the layer of those that the front is crossing, no more."""
    slow, volumes, lengths = replace(GROWTH, boundary_diffusivity=2e-20), [], []
    for faces in (8, 32, 128):
        one = boundary(faces)
        result = block(one, heights(one) < 1e-6, days=0.5, growth=slow, repeats=200)
        assert_allclose(one.interface_length @ result.layers.attacked_share, 1e-6 + 2 * front(slow, 100))
        volumes.append(one.interface_length @ result.corroded_depth)
        lengths.append(one.interface_length @ (1 - result.strength_factor))
    assert_allclose(volumes, volumes[-1], rtol=0.01)
    assert_allclose(lengths, lengths[-1], rtol=0.02)


def test_attack_ahead_never_covers_more_than_its_reach(particle):
    """However thick the layer becomes: it weakens the share of the face that is attacked."""
    slow = replace(GROWTH, boundary_diffusivity=1e-26)
    result = block(particle, heights(particle) < 1.1e-6, days=1e6, growth=slow)
    share = result.layers.attacked_share
    assert 0 < share[heights(particle) > 1.8e-6] < 1
    assert_allclose(1 - result.strength_factor, (1 - GROWTH.residual_strength) * share)
    assert_allclose(weakened(result.layers, slow)[1], result.toughness_factor)
    assert (weakened(result.layers, None)[0] == 1).all()


def test_the_reach_goes_on_over_faces_and_adds_up_from_both_ends(particle):
    y, size = heights(particle), particle.interface_length[0]
    dry, outer = np.full(len(y), np.nan), (y < 0.2e-6) | (y > 1.8e-6)
    for reach in (0.0, 0.1, 1.5):  # in faces
        share = attacked(particle, dry, (reach * size) ** 2, 1.0).share
        assert_allclose(share[outer], min(reach, 1.0))
        assert_allclose(share.sum(), 2 * reach)
    for reach, expected in ((0.0, 0.0), (0.3, 0.6), (0.7, 1.0)):
        time = (reach * size) ** 2
        share = attacked(particle, np.where(outer, np.nan, time), time, 1.0).share
        assert_allclose(share[outer], expected, atol=1e-12)
        assert (share[~outer] == 1).all()


@pytest.mark.parametrize("tip_days", [1.0, 5.0, 19.0])
def test_of_sources_of_different_ages_the_farthest_reach_counts(particle, tip_days):
    """A crack filled up to 0.5 um, its last face later than the surface; the far end goes on alone."""
    y, size = heights(particle), particle.interface_length[0]
    wet = np.where(y < 0.25e-6, 20.0, np.where(y < 0.5e-6, tip_days, np.nan)) * DAY
    share = attacked(particle, wet, 20 * DAY, 2e-20).share
    growth = replace(GROWTH, boundary_diffusivity=2e-20)
    ahead = max(front(growth, tip_days), front(growth, 20) - 0.25e-6)
    assert_allclose(share @ np.where(y < 1e-6, size, 0.0), 0.5e-6 + ahead)
    assert_allclose(share @ np.where(y > 1e-6, size, 0.0), front(growth, 20))


def front(growth, days: float) -> float:
    """m, how far attack has come from where electrolyte has been for so long."""
    return float(np.sqrt(growth.boundary_diffusivity * days * DAY))


@given(st.lists(st.floats(0, 1e7), min_size=8, max_size=8), st.floats(0, 1e7))
@settings(max_examples=30)
def test_one_search_finds_what_a_search_from_every_wet_vertex_finds(times, age):
    one = boundary(8)
    wet = np.where(np.array(times) < 5e6, times, np.nan)
    reach = np.sqrt(2e-20 * vertex_wet_time(one, wet, age))
    y, on = one.vertices[:, 1], np.unique(one.interface_faces)
    wet_on = on[np.isfinite(reach[on])]
    expected = np.maximum(reach[wet_on] - np.abs(y[on, None] - y[wet_on]), 0).max(axis=1)
    found, source = attack_reach(one, reach)
    assert_allclose(found[on], expected, rtol=1e-9, atol=1e-18)
    there = on[expected > 1e-15]
    along = np.abs(y[there] - y[source[there]])
    assert_allclose(reach[source[there]] - along, found[there], rtol=1e-9, atol=1e-18)


def test_only_grain_boundaries_are_fast_paths(particle):
    planes = replace(particle, interface_kind=np.full(particle.n_interfaces, BASAL_PLANE))
    y = heights(particle)
    result = block(planes, y < 1.1e-6)
    assert np.array_equal(result.layers.attacked_share, (y < 1.1e-6).astype(float))
    assert (block(particle, y < 1.1e-6).layers.attacked_share[y > 1.1e-6] > 0).all()


def test_heat_speeds_the_front_up_as_it_does_the_rates(particle):
    dry, slow = np.zeros(particle.n_interfaces, dtype=bool), replace(GROWTH, boundary_diffusivity=SHORT)
    length = particle.interface_length
    cold, warm = (block(particle, dry, growth=slow, temperature=t).layers for t in (298.15, 313.15))
    factor = np.exp(50e3 / 8.314462618 * (1 / 298.15 - 1 / 313.15))
    assert_allclose(length @ cold.attacked_share, 2 * 50e-9)
    assert_allclose(length @ warm.attacked_share, 2 * 50e-9 * np.sqrt(factor))
    mixed = block(particle, dry, growth=slow, days=10 * factor, earlier=warm).layers  # as long again, cold
    assert_allclose(length @ mixed.attacked_share, 2 * 50e-9 * np.sqrt(2 * factor))


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=8))
@settings(max_examples=30)
def test_a_front_that_goes_on_adds_no_layer_and_loses_none(steps):
    """Without acid nothing grows; the front runs on all the same."""
    one = boundary(16)
    layers = block(one, heights(one) < 0.6e-6, growth=replace(GROWTH, boundary_diffusivity=SHORT)).layers
    before, share = layers.corroded_depth.copy(), layers.attacked_share
    for days in steps:
        layers = block(one, heights(one) < 0.6e-6, days=days, hf=0.0, earlier=layers).layers
        assert (layers.attacked_share >= share - 1e-12).all()
        share = layers.attacked_share
    assert_allclose(layers.corroded_depth, before, rtol=1e-9, atol=1e-24)


def test_what_a_tip_has_lost_stays_when_its_face_fills(particle):
    """The layer of the exposed part spreads over the face: its volume goes on from where it was."""
    y, slow = heights(particle), replace(GROWTH, boundary_diffusivity=SHORT)
    tip = np.argsort(np.abs(y - 0.625e-6))[0]
    first = block(particle, y < 0.6e-6, days=50, growth=slow)
    just = block(particle, y < 0.7e-6, days=0.0, growth=slow, earlier=first.layers)
    assert not first.wetted[tip] and just.wetted[tip]
    assert_allclose(just.corroded_depth, first.corroded_depth, rtol=1e-9)
    later = block(particle, y < 0.7e-6, days=10, growth=slow, earlier=just.layers)
    fresh = block(particle, y < 0.7e-6, days=10, growth=slow)
    assert fresh.corroded_depth[tip] < later.corroded_depth[tip] < later.corroded_depth[y < 0.5e-6].min()


def test_blocks_add_up(particle):
    failed = heights(particle) < 1.1e-6
    once = block(particle, failed, days=20)
    first = block(particle, failed, days=10)
    twice = block(particle, failed, days=10, earlier=first.layers)
    repeated = block(particle, failed, days=10, repeats=2)
    assert_allclose(twice.corroded_depth[failed], once.corroded_depth[failed], rtol=1e-9)
    assert_allclose(twice.film_resistance, once.film_resistance, rtol=1e-9)
    assert_allclose(twice.layers.attacked_share, once.layers.attacked_share)
    assert np.array_equal(repeated.corroded_depth, twice.corroded_depth)
    assert np.array_equal(repeated.layers.attacked_share, twice.layers.attacked_share)
    assert repeated.layers.cycles == twice.layers.cycles == 2
    assert_allclose([repeated.layers.age, once.layers.age], 20 * DAY)


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
    layer = film_resistance(result.surface_layer_thickness, GROWTH, 0.9 * Oxide.c_max, 298.15)
    assert_allclose(result.film_resistance, moist + layer)
    expected = (
        result.surface_layer_thickness[0]
        * 8.314462618
        * 298.15
        / (FARADAY**2 * 1e-17 * 0.2 * 0.9 * Oxide.c_max)
    )
    assert_allclose(layer[0], expected)


def test_dataset(particle):
    ds = corrosion_dataset(particle, block(particle, heights(particle) < 1.1e-6))
    assert ds["wetted"].dims == ("interface",)
    assert ds["corroded_depth"].attrs["units"] == "m"
    assert ds.attrs["alkali_loss"] > 0
    assert ds["wetted_sides"].dims == ("interface", "side")


def test_layers_survive_the_file(particle):
    result = block(particle, heights(particle) < 1.1e-6)
    back = layers_from_dataset(corrosion_dataset(particle, result))
    for name in ("corroded_depth", "surface_layer_thickness", "wet_time", "attacked_share"):
        assert np.array_equal(getattr(back, name), getattr(result.layers, name), equal_nan=True)
    assert (back.age, back.cycles) == (10 * DAY, 1)


def test_many_cycles_at_once_do_not_drift(particle):
    """100 blocks of 10 cycles against one of 1000."""
    wetted = heights(particle) < 1.1e-6
    once = advance(fresh_layers(particle), particle, GROWTH, wetted, DAY, DAY, 1000)
    layers = fresh_layers(particle)
    for _ in range(100):
        layers = advance(layers, particle, GROWTH, wetted, DAY, DAY, 10)
    assert_allclose(layers.corroded_depth, once.corroded_depth, rtol=1e-12)
    assert_allclose(layers.surface_layer_thickness, once.surface_layer_thickness, rtol=1e-12)
    assert layers.cycles == once.cycles == 1000


def test_crack_that_opens_later_corrodes_from_then_and_stays_wet(particle):
    y = heights(particle)
    slow = replace(GROWTH, boundary_diffusivity=SHORT)
    first = block(particle, y < 0.6e-6, growth=slow)
    second = block(particle, y < 1.1e-6, growth=slow, earlier=first.layers)
    closed = block(particle, y < 1.1e-6, opening=0.0, growth=slow, earlier=second.layers)
    early, late = y < 0.6e-6, (y > 0.8e-6) & (y < 1.1e-6)
    assert (second.layers.wet_time[early] == 20 * DAY).all()
    assert (second.layers.wet_time[late] == 10 * DAY).all()
    assert np.isnan(second.layers.wet_time[y > 1.2e-6]).all()
    assert second.corroded_depth[early].min() > second.corroded_depth[late].max()
    assert np.array_equal(closed.wetted, second.wetted)
    assert (closed.corroded_depth[late] > second.corroded_depth[late]).all()


def test_wet_sides_join_the_reacting_faces(particle):
    failed = heights(particle) < 1.1e-6
    result = block(particle, failed, cei=Interphase(resistance=1e-3))
    faces = reacting_faces(particle, result.wetted_sides, result.film_resistance, result.interface_resistance)
    assert len(faces.cell) == particle.n_surface + 2 * failed.sum()
    assert_allclose(faces.length.sum(), result.reaction_length)
    assert_allclose(faces.length.sum(), particle.surface_length.sum() + 2 * result.wetted_length)
    assert (faces.distance > 0).all()
    crack = slice(particle.n_surface, None)
    outwards = np.einsum(
        "fi,fi->f",
        faces.normal[crack],
        np.tile(particle.interface_midpoint[failed], (2, 1)) - particle.cell_centroid[faces.cell[crack]],
    )
    assert (outwards > 0).all()
    assert faces.film_resistance.min() > 1e-3


def test_shell_does_not_react(particle):
    region = np.where(particle.cell_centroid[:, 0] > 2e-6, SHELL, CORE)
    coated = replace(particle, region=region)
    sides = wetted_sides(coated, np.ones(coated.n_interfaces, dtype=bool))
    assert np.array_equal(sides, region[coated.interface_cells] == CORE)
    assert sides.sum() == coated.n_interfaces


# ---- electrolytes


def electrolyte(**given) -> Electrolyte:
    return Electrolyte.from_settings(ElectrolyteSettings(kind="electrolyte", **given))


def test_acid_comes_from_salt_and_water():
    wet = electrolyte(water="20 ppm", age="0 s")
    assert_allclose(wet.water, 20e-6 * 1200 / 18.015e-3)
    times = DAY * np.array([0.0, 1.0, 30.0, 1e5])
    acid = wet.acid(times, 298.15)
    assert acid[0] == 0
    assert (np.diff(acid) > 0).all()
    assert_allclose(acid[-1], 2 * wet.water)  # two for each water, and no more
    half = np.log(2) / (wet.hydrolysis.rate * wet.salt)
    assert_allclose(wet.acid(half, 298.15), wet.water)


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"water": "100 ppm"}, 1),
        ({"age": "1 d"}, -1),
        ({"concentration": "2 mol/L"}, 1),
        ({"anion": "FSI"}, -1),
        ({"water": 0.0}, -1),
    ],
)
def test_what_makes_more_acid(change, sign):
    base = {"water": "20 ppm"}
    difference = electrolyte(**(base | change)).acid(0.0, 298.15) - electrolyte(**base).acid(0.0, 298.15)
    assert np.sign(difference) == sign
    assert electrolyte(**base).acid(0.0, 333.15) > electrolyte(**base).acid(0.0, 298.15)


def test_given_acid_stands():
    assert (electrolyte(hf="2.5 mol/m^3", water="20 ppm").acid(np.arange(3.0), 350.0) == 2.5).all()


def test_better_interphases_corrode_less(particle):
    """The three electrolytes of the project, at equal cracks and history."""
    files = Path(__file__).parents[1] / "config/environments"
    failed, time = heights(particle) < 1.1e-6, np.array([0.0, 30 * DAY])
    results = {}
    for name in ("carbonate-baseline", "gel-boronic", "concentrated-nafsi"):
        settings = ElectrolyteSettings(**yaml.safe_load((files / f"{name}.yaml").read_text()))
        made = Electrolyte.from_settings(settings)
        results[name] = block(particle, failed, time=time, hf=made.acid(time, 298.15), cei=made.cei)
        assert settings.status == "estimate"
    base = results.pop("carbonate-baseline")
    for result in results.values():
        assert result.corroded_depth[failed].max() < 0.7 * base.corroded_depth[failed].max()
        assert result.transition_metal_loss < 0.5 * base.transition_metal_loss
        assert result.toughness_factor.min() > base.toughness_factor.min()


def test_each_property_of_the_interphase_counts(particle):
    failed = heights(particle) < 1.1e-6
    plain = block(particle, failed)
    shielded = block(particle, failed, cei=Interphase(hf_permeability=0.5))
    assert_allclose(shielded.corroded_depth, block(particle, failed, hf=1.25).corroded_depth)
    tight = block(particle, failed, cei=Interphase(layer_transport=0.1))
    assert tight.corroded_depth.max() < plain.corroded_depth.max()
    kept = block(particle, failed, cei=Interphase(dissolution=0.5))
    assert_allclose(kept.transition_metal_loss, 0.5 * plain.transition_metal_loss)
    assert_allclose(kept.corroded_depth, plain.corroded_depth)
    thick = block(particle, failed, cei=Interphase(resistance=2e-3))
    assert_allclose(thick.film_resistance, plain.film_resistance + 2e-3)


def test_closed_forms_of_the_verification_table():
    rows = [
        *environment.linear_parabolic(),
        *environment.along_a_boundary(),
        *environment.oxygen_release(),
    ]
    assert [row for row in rows if row.verdict != "pass"] == []


TEARING = Renewal(thickness=5e-9, depth=1e-8)


def breathing(particle, ranges, voltage=(0.0, 0.0, 0.0)):
    """Strain along x, y and z that swells to `ranges` and comes back; voltages above the reference."""
    strain = np.zeros((3, particle.n_cells, 6))
    strain[1, :, :3] = ranges
    return Breathing(strain, GROWTH.voltage_factor(GROWTH.reference_voltage + np.array(voltage)))


def torn(particle, layers, breath, temperature=REFERENCE_TEMPERATURE, uncovered=1.0):
    uncovered = np.full(particle.n_surface, uncovered)
    return renewed(layers, particle, GROWTH, breath, TEARING, temperature, uncovered)


def test_strain_renews_what_lies_in_the_face_and_grows_as_bare_oxide_does(particle):
    layers = replace(fresh_layers(particle), wet_time=np.zeros(particle.n_interfaces))
    # the boundary stands along y: strain along x pulls its sides together and tears nothing
    still = torn(particle, layers, breathing(particle, (0.03, 0.0, 0.0)))
    assert_allclose(still.corroded_depth, 0.0, atol=1e-20)
    swollen = breathing(particle, (0.03, 0.01, 0.02))
    assert_allclose(
        torn(particle, layers, swollen).corroded_depth, 5e-9 * 0.03, rtol=0.02
    )  # linear when thin
    assert_allclose(torn(particle, layers, swollen, uncovered=0.0).surface_layer_thickness, 0.0)
    dry = torn(particle, fresh_layers(particle), breathing(particle, (0.0, 0.1, 0.0)))
    assert_allclose(dry.corroded_depth, 0.0)
    assert dry.surface_layer_thickness.max() > 0


def test_bare_oxide_reacts_faster_when_charged_and_when_warm(particle):
    layers = replace(fresh_layers(particle), wet_time=np.zeros(particle.n_interfaces))
    ranges, scale = (0.0, 0.002, 0.001), GROWTH.voltage_scale
    plain = torn(particle, layers, breathing(particle, ranges)).corroded_depth
    charged = torn(particle, layers, breathing(particle, ranges, (0.0, scale, 0.0))).corroded_depth
    assert_allclose(charged, plain * (1 + np.e) / 2, rtol=0.02)
    cold = torn(particle, layers, breathing(particle, ranges), temperature=253.15).corroded_depth
    assert_allclose(cold, plain * GROWTH.heat_factor(253.15), rtol=0.02)
    assert np.all(cold < plain / 10)


def test_torn_layers_grow_as_the_logarithm_of_the_cycles():
    """Without other growth dL/dN = a exp(-L / L_0) while layers are thin: L = L_0 ln(1 + a N / L_0)."""
    growth = replace(GROWTH, parabolic_rate=1e3 * GROWTH.parabolic_rate)  # linear throughout
    particle, cycles, strain = rectangle_particle((4e-6, 2e-6), (4, 2)), 2000, 0.05
    layers, breath = fresh_layers(particle), breathing(particle, (0.0, 0.0, strain))
    whole = np.ones(particle.n_surface)
    for _ in range(cycles):
        layers = renewed(layers, particle, growth, breath, TEARING, REFERENCE_TEMPERATURE, whole)
    expected = TEARING.depth * np.log1p(TEARING.thickness * strain * cycles / TEARING.depth)
    assert_allclose(layers.surface_layer_thickness, expected, rtol=0.01)


@given(st.floats(0.0, 2e-7), st.floats(0.001, 0.1))
@settings(max_examples=20)
def test_thick_layers_hold_back_what_tearing_adds(depth, strain):
    particle = rectangle_particle((4e-6, 2e-6), (4, 2))
    layers = replace(fresh_layers(particle), surface_layer_thickness=np.full(particle.n_surface, depth))
    after = torn(particle, layers, breathing(particle, (0.0, 0.0, strain)))
    gained = after.surface_layer_thickness - depth
    reached = np.exp(-depth / TEARING.depth)
    assert np.all(gained > 0) and np.all(gained <= 5e-9 * strain * reached * (1 + 1e-6))


def test_the_share_that_is_reconstructed_is_that_of_its_blocks(particle):
    rng = np.random.default_rng(0)
    layers = replace(
        fresh_layers(particle),
        corroded_depth=1e-8 * rng.random(particle.n_interfaces),
        surface_layer_thickness=1e-8 * rng.random(particle.n_surface),
    )
    blocks = reconstructed_blocks(particle, layers)
    taken = 2 * particle.interface_length @ layers.corroded_depth
    taken += particle.surface_length @ layers.surface_layer_thickness
    area = np.bincount(particle.block, particle.cell_area)
    assert_allclose(area @ blocks, taken, rtol=1e-12)
    assert_allclose(reconstructed_share(particle, layers), taken / particle.area, rtol=1e-12)


def test_a_layer_stays_where_nothing_is_attacked_yet(particle):
    depth = np.full(particle.n_interfaces, 1e-11)
    dry = np.zeros(particle.n_interfaces, bool)
    growth = replace(GROWTH, boundary_diffusivity=0.0)
    after = advance(
        replace(fresh_layers(particle), corroded_depth=depth), particle, growth, dry, 3600.0, 3600.0
    )
    assert np.all(after.corroded_depth >= depth)
