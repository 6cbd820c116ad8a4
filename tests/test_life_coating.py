"""Lives of a small particle under a coating: what it costs, what it keeps off, and how it goes."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from faultline.dataset import read_dataset, write_dataset
from faultline.interface.coating import CHANNEL
from faultline.life.cycle import LifeCycle
from faultline.life.jumping import JumpControl, Milestone, advance, beginning
from faultline.life.record import observed
from faultline.life.state import (
    JumpBounds,
    LifeState,
    milestone_dataset,
    milestone_from_dataset,
    slow_variables,
)
from small_life import PARTICLE, small_cycle

pytestmark = pytest.mark.slow

CASE = "o3-nfm-life-one-way"
CYCLES = 12


@cache
def coated(thickness: str | None, material: str = "coat-alumina") -> LifeCycle:
    """A cycle of a particle under so thick a coating, in much acid, where only acid makes layers grow."""
    shell = thickness and {"thickness": thickness, "material": material, "model": "film"}
    changes = {"microstructure": PARTICLE | {"shell": shell}, "interface": {"electrolyte": "carbonate-acid"}}
    return small_cycle(CASE, changes, renewal="0 nm")


def live(cycle: LifeCycle, largest: int = 1, cycles: int = CYCLES) -> list[Milestone[LifeState]]:
    bounds = JumpBounds(0.5, 1e-2, layer_step=5e-9, layer_tolerance=5e-10)
    variables = slow_variables(cycle.particle, cycle.growth, bounds, cycle.coating)
    return list(advance(cycle, beginning(cycle.start()), cycles, variables, JumpControl(largest)))


@cache
def course(thickness: str | None, largest: int = 1) -> list[Milestone[LifeState]]:
    return live(coated(thickness), largest)


def first_cycle(thickness: str | None, material: str = "coat-alumina") -> tuple[LifeState, dict[str, float]]:
    """State and numbers after one cycle."""
    cycle = coated(thickness, material)
    state = cycle(cycle.start())
    return state, observed(cycle, Milestone(state, {}))


def test_a_coating_thins_from_cycle_to_cycle_and_keeps_its_books() -> None:
    cycle = coated("3 nm")
    left = [observed(cycle, milestone)["coating_left"] for milestone in course("3 nm")]
    assert np.all(np.diff([1.0, *left]) < 0)
    assert left[-1] < 0.95
    coating, state = cycle.coating, course("3 nm")[-1].state
    assert coating is not None
    film = state.film
    assert cycle.growth is not None
    bare = cycle.growth.grow(np.zeros(1), film.acid_time.max())
    came = film.acid_time - coating.bound(film) / coating.uptake  # what it let through since the start
    whole = ~film.cracked
    assert whole.any()
    grown = cycle.growth.grow(np.zeros(len(came)), came)
    assert_allclose(state.layers.surface_layer_thickness[whole], grown[whole], rtol=1e-6)
    assert state.layers.surface_layer_thickness[whole].max() < bare / 2


def test_thicker_films_resist_more_and_let_less_through() -> None:
    first = [first_cycle(thickness)[1] for thickness in (None, "3 nm", "8 nm")]
    assert np.all(np.diff([row["polarisation"] for row in first]) > 0)
    assert np.all(np.diff([row["surface_layer_thickness"] for row in first]) < 0)
    assert np.isnan(first[0]["coating_left"]) and np.isnan(first[0]["coating_cracked"])


def brittle(thickness: str) -> LifeCycle:
    """A cycle under a film so brittle that thick ones crack in the small particle's short cycles."""
    shell = {"thickness": thickness, "material": "coat-p2-oxide", "model": "film"}
    changes = {"microstructure": PARTICLE | {"shell": shell}, "interface": {"electrolyte": "carbonate-acid"}}
    cycle = small_cycle(CASE, changes, renewal="0 nm")
    assert cycle.coating is not None
    cycle.coating = replace(cycle.coating, toughness=1.0)
    return cycle


def test_thick_films_crack_and_then_neither_protect_nor_block() -> None:
    thin, thick = brittle("3 nm"), brittle("30 nm")
    assert not thin(thin.start()).film.cracked.any()
    seen: list[np.ndarray] = []
    thick.observer = lambda _, history: seen.append(history.field("film_tension").max(axis=0))
    state, coating, growth = thick(thick.start()), thick.coating, thick.growth
    assert coating is not None and growth is not None
    cracked = state.film.cracked
    assert 0.05 < cracked.mean() < 0.95
    stress = seen[0] / coating.thickness
    assert_array_equal(cracked, (stress > 0) & (CHANNEL * stress**2 * 30e-9 / coating.modulus >= 1.0))
    layer = state.layers.surface_layer_thickness
    bare = growth.grow(np.zeros(1), state.film.acid_time.max())
    assert_allclose(layer[cracked], np.full(cracked.sum(), bare), rtol=1e-9)
    assert layer[~cracked].max() < bare / 10
    assert np.all(coating.covering(state.film)[cracked] == 0)
    assert np.all(thick(state).film.cracked >= cracked)


def test_jumps_carry_a_coating_within_the_tolerance() -> None:
    full, jumped = course("3 nm"), course("3 nm", 6)
    assert len(jumped) < len(full) and jumped[-1].cycle == CYCLES
    rows = [observed(coated("3 nm"), lived[-1]) for lived in (full, jumped)]
    jumps = sum(one.jumped > 0 for one in jumped)
    assert abs(rows[0]["coating_left"] - rows[1]["coating_left"]) < 1e-2 * jumps
    assert rows[1]["surface_layer_thickness"] == pytest.approx(rows[0]["surface_layer_thickness"], rel=0.02)


def test_a_coated_life_taken_up_again_is_the_same(tmp_path: Path) -> None:
    cycle, whole = coated("3 nm"), course("3 nm", 6)
    write_dataset(milestone_dataset(whole[2], cycle.particle), tmp_path / "state.nc")
    kept = milestone_from_dataset(read_dataset(tmp_path / "state.nc"), cycle.particle, "state.nc")
    assert kept.state.film.cracked.dtype == bool
    bounds = JumpBounds(0.5, 1e-2, layer_step=5e-9, layer_tolerance=5e-10)
    variables = slow_variables(cycle.particle, cycle.growth, bounds, cycle.coating)
    rest = list(advance(cycle, kept, CYCLES - kept.cycle, variables, JumpControl(6)))
    assert [one.cycle for one in rest] == [one.cycle for one in whole[3:]]
    for name in ("acid_time", "cracked"):
        assert_array_equal(getattr(rest[-1].state.film, name), getattr(whole[-1].state.film, name))
    assert_array_equal(
        rest[-1].state.layers.surface_layer_thickness, whole[-1].state.layers.surface_layer_thickness
    )
    assert rest[-1].state.outcome == whole[-1].state.outcome


def test_without_acid_a_coating_lasts_and_still_resists() -> None:
    changes = {"shell": {"thickness": "3 nm", "material": "coat-alumina", "model": "film"}}
    cycle = small_cycle("o3-nfm-life-uncorroded", {"microstructure": PARTICLE | changes})
    state = cycle(cycle.start())
    assert observed(cycle, Milestone(state, {}))["coating_left"] == 1.0
    assert state.outcome.polarisation > 0
    assert not state.layers.surface_layer_thickness.any()
