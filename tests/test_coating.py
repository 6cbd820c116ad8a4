"""Coatings: acid they bind and let through, and the thickness from which they crack."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.constants import R as GAS_CONSTANT
from scipy.integrate import solve_ivp

from conftest import ROOT
from faultline.config.case import Case
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.cracks.fracture import FractureModel
from faultline.cracks.law import CohesiveProperties
from faultline.crystal import isotropic_stiffness
from faultline.interface import Coating, Corrosion, corrode, corrosion_dataset, fresh_film
from faultline.interface.coating import CHANNEL
from faultline.materials import FARADAY
from faultline.mechanics import BondedSolid
from faultline.microstructure import Particle, rectangle_particle
from faultline.verification import environment
from small_life import small_case

COATING = Coating(
    thickness=5e-9,
    depth=1.7e-9,
    uptake=9e-10,
    capacity=1.8e5,
    modulus=175e9,
    toughness=5.0,
    residual_stress=3e8,
)
RATE = COATING.uptake / COATING.capacity  # m/s, of a film much thicker than the depth
E, NU = 165e9, 0.24

thicknesses = st.floats(1e-10, 1e-6)
times = st.floats(1.0, 1e9)


def aged(coating: Coating, time: float) -> tuple[float, float]:
    """Thickness that a time leaves of a whole film, and the part of the time that came through."""
    film, passed = coating.worn(fresh_film(1), time)
    return float(coating.left(film)[0]), float(passed[0])


# ---- acid


@given(thicknesses, times)
@settings(max_examples=200)
def test_all_acid_is_bound_or_comes_through(thickness: float, time: float) -> None:
    coating = replace(COATING, thickness=thickness)
    film, passed = coating.worn(fresh_film(1), time)
    arrived = coating.uptake * time
    assert_allclose(coating.bound(film) + coating.uptake * passed, arrived, rtol=1e-7)
    assert 0 <= coating.left(film)[0] <= thickness * (1 + 1e-12)


def test_thickness_follows_its_law() -> None:
    def law(_: float, h: np.ndarray) -> np.ndarray:
        return -RATE * (1 - np.exp(-h / COATING.depth))

    at = np.linspace(0, 4e6, 9)
    found = solve_ivp(law, (0, at[-1]), [COATING.thickness], t_eval=at, rtol=1e-10, atol=1e-20).y[0]
    assert_allclose([aged(COATING, t)[0] for t in at], found, rtol=1e-7)
    assert np.all(np.diff(found) < 0)


@given(times, times)
@settings(max_examples=100)
def test_any_split_of_the_time_gives_the_same(first: float, second: float) -> None:
    whole, passed = COATING.worn(fresh_film(1), first + second)
    film, before = COATING.worn(fresh_film(1), first)
    film, after = COATING.worn(film, second)
    assert_allclose(COATING.left(film), COATING.left(whole), rtol=1e-6)
    assert_allclose(before + after, passed, rtol=1e-6)


def test_a_short_time_meets_the_whole_film() -> None:
    for thickness in (1e-9, 5e-9, 2e-8):
        coating = replace(COATING, thickness=thickness)
        assert aged(coating, 10.0)[1] == pytest.approx(10 * np.exp(-thickness / coating.depth), rel=1e-3)


def test_a_film_that_binds_nothing_lasts() -> None:
    inert = replace(COATING, uptake=0.0)
    left, passed = aged(inert, 1e8)
    assert left == pytest.approx(inert.thickness)
    assert passed == pytest.approx(1e8 * np.exp(-inert.thickness / inert.depth))


def test_a_film_used_up_lets_all_through() -> None:
    left, passed = aged(COATING, 1e9)
    assert left < 1e-15
    assert passed == pytest.approx(1e9 - COATING.thickness / RATE)


def test_very_thick_and_very_old_films_stay_finite() -> None:
    with np.errstate(over="raise", invalid="raise"):
        left, passed = aged(replace(COATING, thickness=1e-6), 1e6)
        assert left == pytest.approx(1e-6 - RATE * 1e6) and passed < 1e-9
        assert aged(COATING, 1e14)[0] == 0.0


def test_a_cracked_face_is_bare() -> None:
    film = replace(fresh_film(2), cracked=np.array([True, False]))
    film, passed = COATING.worn(film, 1e5)
    assert passed[0] == 1e5 > 10 * passed[1]
    assert COATING.covering(film)[0] == 0 < COATING.covering(film)[1] < 1


# ---- cracks


def test_films_crack_from_the_thickness_of_the_formula_on() -> None:
    stress = 2e9
    critical = COATING.toughness * COATING.modulus / (CHANNEL * (stress + COATING.residual_stress) ** 2)
    for factor, expected in ((0.99, False), (1.01, True)):
        coating = replace(COATING, thickness=factor * critical)
        film = coating.strained(fresh_film(1), np.array([stress * coating.thickness]))
        assert film.cracked[0] == expected


def test_channel_crack_is_the_mean_of_the_edge_crack_over_its_depth() -> None:
    edge = 1.1215**2 * np.pi  # G E' / (sigma^2 a) of an edge crack of depth a
    assert pytest.approx(edge / 2, rel=1e-3) == CHANNEL


def test_compression_cracks_nothing_and_cracks_stay() -> None:
    coating = replace(COATING, residual_stress=0.0)
    pressed = coating.strained(fresh_film(1), np.array([-1e3]))
    assert not pressed.cracked[0]
    torn = coating.strained(pressed, np.array([1e3]))
    assert torn.cracked[0] and coating.strained(torn, np.array([-1e3])).cracked[0]


def test_a_film_that_thinned_stands_more() -> None:
    stress = 1.01 * np.sqrt(COATING.toughness * COATING.modulus / CHANNEL / COATING.thickness)
    tension = np.array([(stress - COATING.residual_stress) * COATING.thickness])
    assert COATING.strained(fresh_film(1), tension).cracked[0]
    worn, _ = COATING.worn(fresh_film(1), 1e5)
    assert not COATING.strained(worn, tension).cracked[0]


def swollen(eigenstrain: tuple[float, float, float]) -> np.ndarray:
    """Tension over thickness of a film on two grains that swell alike, by the two ways to solve them."""
    particle = rectangle_particle((2e-6, 1e-6), (8, 4), grain_of=lambda p: p[:, 0] > 1e-6)
    film = 1e-12 * isotropic_stiffness(E, NU)  # so thin that it holds nothing back
    stiffness = np.tile(isotropic_stiffness(150e9, 0.3), (particle.n_cells, 1, 1))
    strain = np.tile([*eigenstrain, 0, 0, 0], (particle.n_cells, 1))
    ones = 1e12 * np.ones(particle.n_interfaces)
    bonds = CohesiveProperties(ones, ones, ones, ones, 1.75, 1e20, 0.0)
    cracking = FractureModel(particle, stiffness, bonds, film=film)
    state = cracking.advance(cracking.initial_state(), strain, 1.0)
    solid = BondedSolid(particle, stiffness, film=film)
    whole = solid.solve(strain)
    dofs = whole.displacement[:, : solid.elasticity.components].ravel()
    bonded = solid.elasticity.film_tension(dofs, whole.axial_strain)
    found = cracking.film_tension(state, strain)
    assert_allclose(found, bonded, rtol=1e-3, atol=1e-6 * bonded.max())
    return found / 1e-12


def test_tension_is_that_of_the_surface_below() -> None:
    assert_allclose(swollen((0.01, 0.01, 0.01)), 0.01 * E / (1 - NU), rtol=1e-3)
    along = swollen((0.01, 0.0, 0.0))
    assert along.max() == pytest.approx(0.01 * E / (1 - NU**2), rel=1e-3)  # no strain across
    assert along.min() == pytest.approx(0.0, abs=1e6)


def test_without_a_film_there_is_no_tension() -> None:
    particle = rectangle_particle((1e-6, 1e-6), (2, 2))
    solid = BondedSolid(particle, np.tile(isotropic_stiffness(E, NU), (particle.n_cells, 1, 1)))
    assert solid.elasticity.film_tension(np.zeros(3), 0.0).size == 0


# ---- the layer below


class Oxide:
    """What corrosion asks of a material."""

    c_max, initial_site_fraction = 40000.0, 0.9


def corroded(
    days: float = 10.0, coating: Coating | None = COATING, **changes: object
) -> tuple[Particle, Corrosion]:
    particle = rectangle_particle((4e-6, 2e-6), (16, 8), grain_of=lambda p: p[:, 0] > 2e-6)
    given = {
        "growth": environment.GROWTH,
        "failed": np.ones(particle.n_interfaces, bool),
        "opening": np.full(particle.n_interfaces, 1e-7),
        "time": np.array([0.0, days * 86400]),
        "voltage": np.full(2, 4.0),
        "hf": 2.5,
        "temperature": 298.15,
        "capillary_opening": 5e-9,
        "coating": coating,
    } | changes
    return particle, corrode(particle, Oxide(), **given)


def test_a_coating_keeps_acid_off_the_surface_and_not_off_cracks() -> None:
    (particle, coated), (_, bare) = corroded(), corroded(coating=None)
    assert_array_equal(coated.corroded_depth, bare.corroded_depth)
    passed = COATING.worn(fresh_film(1), 864000.0)[1]
    expected = environment.GROWTH.grow(np.zeros(1), passed)
    assert_allclose(coated.surface_layer_thickness, np.full(particle.n_surface, expected), rtol=1e-9)
    assert coated.surface_layer_thickness.max() < bare.surface_layer_thickness.min() / 2
    ds = corrosion_dataset(particle, coated, COATING)
    assert_allclose(ds["coating_acid"], COATING.capacity * (5e-9 - ds["coating_thickness"]))
    assert "coating_thickness" not in corrosion_dataset(particle, bare)


def test_boundaries_attacked_from_a_coated_surface_get_what_acid_it_lets_through() -> None:
    """A crack from below is bare, and what is ahead of it; the front from above comes through the coating."""
    growth = replace(environment.GROWTH, boundary_diffusivity=1e-20)
    particle = rectangle_particle((4e-6, 2e-6), (16, 8), grain_of=lambda p: p[:, 0] > 2e-6)
    y = particle.interface_midpoint[:, 1]
    (_, coated), (_, bare) = (
        corroded(growth=growth, failed=y < 1e-6, coating=coating) for coating in (COATING, None)
    )
    assert_array_equal(coated.layers.attacked_share, bare.layers.attacked_share)
    assert_array_equal(coated.corroded_depth[y < 1.2e-6], bare.corroded_depth[y < 1.2e-6])
    passed = COATING.worn(fresh_film(1), 864000.0)[1]
    top = y > 1.8e-6
    expected = coated.layers.attacked_share[top] * growth.grow(np.zeros(1), passed)
    assert 0 < coated.layers.attacked_share[top] < 1
    assert_allclose(coated.corroded_depth[top], expected, rtol=1e-9)
    assert coated.corroded_depth[top] < bare.corroded_depth[top] / 2


def test_blocks_below_a_coating_add_up() -> None:
    _, once = corroded(20.0)
    _, first = corroded(10.0)
    _, second = corroded(10.0, earlier=first.layers, film=first.film)
    _, repeated = corroded(10.0, repeats=2)
    for other in (second, repeated):
        assert_allclose(other.surface_layer_thickness, once.surface_layer_thickness, rtol=1e-9)
        assert other.film is not None and once.film is not None
        assert_allclose(COATING.left(other.film), COATING.left(once.film), rtol=1e-9)


# ---- what is shipped

NAMES = sorted(path.parent.name for path in ROOT.glob("config/materials/coat-*/material.yaml"))
FIRED = {"calcium-zirconate", "nasicon", "phosphate", "tunnel-oxide", "p2-oxide", "rock-salt"}


@cache
def coated(name: str, model: str = "film", thickness: str = "5 nm") -> Case:
    shell = {"thickness": thickness, "material": name, "model": model}
    particle = {"radius": "1 um", "grains": {"count": 8}, "element_size": "0.1 um", "shell": shell}
    return small_case(changes={"microstructure": particle})


def test_every_class_of_coating_is_there() -> None:
    words = "alumina titania zinc-oxide calcium-zirconate nasicon phosphate fluoride plastic-crystal"
    words += " tunnel-oxide p2-oxide rock-salt boride-spinel"
    assert {f"coat-{word}" for word in words.split()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_coatings_follow_one_rule(name: str) -> None:
    shell = coated(name).shell
    assert shell is not None
    known, modulus = shell.coating, shell.elasticity.youngs_modulus.value
    fired = name.removeprefix("coat-") in FIRED
    assert known.acid_permeability.value == (0.3 if fired else 0.05)
    assert known.reference_thickness.value == 5e-9
    alumina = (2e6) ** 2 * (1 - 0.24**2) / 165e9
    share = 0.25 if fired else 1.0
    assert known.toughness.value == pytest.approx(share * alumina * modulus / 165e9, rel=0.03)
    oxide = 0.02e-9 / 3600 * 40500 * 4
    expected = oxide / 100 if name == "coat-fluoride" else oxide
    assert known.acid_uptake.value == pytest.approx(expected, rel=0.02)


def test_bad_conductors_have_the_resistivity_of_fitted_alumina() -> None:
    shell = coated("coat-alumina").shell
    assert shell is not None
    mobile = 0.2 * shell.maximum_concentration.value
    resistivity = GAS_CONSTANT * 298.15 / (FARADAY**2 * shell.diffusivity.ab.value * mobile)
    assert resistivity == pytest.approx(np.sqrt(7.8e6 * 913e6), rel=0.02)


def test_a_life_and_the_first_cycle_get_the_coating() -> None:
    case = coated("coat-alumina")
    interface, life, cracks = (from_slice(stage_slice(case, s)) for s in ("interface", "life", "cracks"))
    made = [Coating.from_settings(part.shell, part.shell_thickness) for part in (interface, life)]
    assert made[0] is not None and made[0] == made[1]
    assert made[0].modulus == pytest.approx(165e9 / (1 - 0.24**2))
    assert made[0].depth == pytest.approx(5e-9 / np.log(20))
    assert life.shell.diffusivity.ab.value == pytest.approx(7.8e-19)
    assert Coating.from_settings(cracks.shell, cracks.shell_thickness) is None


def test_a_meshed_shell_has_its_own_bond_and_no_film() -> None:
    case = coated("coat-p2-oxide", "meshed", "0.1 um")
    life = from_slice(stage_slice(case, "life"))
    assert life.shell.coating is None and life.shell_thickness is None
    assert life.material.interfaces.shell.tensile_strength.value == 400e6


def test_a_coating_that_acid_passes_freely_is_refused() -> None:
    from faultline.config.models import CoatingSettings

    given = {
        "reference_thickness": 5e-9,
        "acid_permeability": 1.0,
        "acid_uptake": 0.0,
        "acid_capacity": 1e5,
        "toughness": 1.0,
        "residual_stress": 0.0,
    }
    with pytest.raises(ValueError, match="acid_permeability must lie between 0 and 1"):
        CoatingSettings.model_validate(given, context={"canonical": True})
    with pytest.raises(ValueError, match="acid_capacity must be above 0"):
        CoatingSettings.model_validate(
            given | {"acid_permeability": 0.5, "acid_capacity": 0.0}, context={"canonical": True}
        )
