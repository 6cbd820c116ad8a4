"""Cycles of a small life, their state handed from one to the next."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from faultline.interface import fresh_layers, weakened
from faultline.life.capacity import trapped_alkali
from faultline.life.cycle import LifeCycle
from faultline.life.jumping import JumpControl, Milestone, advance, beginning
from faultline.life.record import observed
from faultline.life.state import JumpBounds, LifeState, slow_variables
from faultline.materials.particle_model import FARADAY
from small_life import small_cycle

pytestmark = pytest.mark.slow

CYCLES = 3
ONE_WAY, TWO_WAY = "o3-nfm-life-one-way", "o3-nfm-life"
FAILED = 0.99


@cache
def course(case: str, **life: Any) -> tuple[LifeCycle, list[LifeState]]:
    """A life with all its first states."""
    cycle = small_cycle(case, **life)
    states = [cycle.start()]
    for _ in range(CYCLES):
        states.append(cycle(states[-1]))
    return cycle, states


def grows(values: Iterable[Any]) -> bool:
    return bool(np.all(np.diff(np.array([*values], dtype=float), axis=0) >= 0))


@pytest.mark.parametrize("case", [ONE_WAY, TWO_WAY])
def test_a_state_goes_from_cycle_to_cycle(case: str) -> None:
    cycle, states = course(case)
    assert cycle.settings.cycling.coupling == ("one_way" if case == ONE_WAY else "two_way")
    assert [state.cycle for state in states] == [0, 1, 2, 3]
    assert all(state.layers.cycles == state.cycle for state in states)
    for state in states[1:]:
        assert state.outcome.mass_balance_error < 1e-10
        assert_allclose(state.outcome.lowest_site_fraction, 0.98 - 0.6 * 0.55, atol=0.02)
        assert_allclose(state.outcome.discharge_capacity, state.outcome.charge_capacity, rtol=1e-3)
        assert cycle.active_weight @ state.charged_site_fraction < cycle.active_weight @ state.site_fraction


@pytest.mark.parametrize("case", [ONE_WAY, TWO_WAY])
def test_damage_and_wet_faces_and_layers_never_go_back(case: str) -> None:
    cycle, states = course(case)
    assert grows(state.damage for state in states)
    assert states[1].damage.max() > FAILED
    assert states[-1].damage.mean() > states[1].damage.mean()
    assert grows(state.layers.wetted for state in states)
    assert states[1].layers.wetted.any() and not states[1].layers.wetted.all()
    wet = np.array([np.nan_to_num(state.layers.wet_time) for state in states])
    age, stayed = np.array([state.layers.age for state in states]), wet[:-1] > 0
    passed = np.broadcast_to(np.diff(age)[:, None], stayed.shape)
    assert np.all(np.diff(age) > 0)  # once wet, wet for as long as the cell goes on
    assert_allclose(np.diff(wet, axis=0)[stayed], passed[stayed], rtol=1e-12)
    assert grows(state.layers.attacked_share for state in states)
    surface = [state.layers.surface_layer_thickness.min() for state in states]
    depth = np.array([state.layers.corroded_depth for state in states])
    assert np.all(np.diff(surface) > 0)
    assert np.all(np.diff(depth, axis=0) >= 0)
    assert np.all(depth[-1][states[1].layers.wetted] > 0)
    assert cycle.alkali_loss(states[-1]) > cycle.alkali_loss(states[1]) > 0


def test_a_cycle_leaves_its_argument_alone_and_repeats_itself() -> None:
    cycle, states = course(TWO_WAY)
    before = states[1].damage.copy(), states[1].site_fraction.copy(), states[1].layers.corroded_depth.copy()
    again = cycle(states[1])
    for name in ("damage", "mode_mix", "jump", "displacement", "slip", "site_fraction", "widest", "gap"):
        assert_array_equal(getattr(again, name), getattr(states[2], name))
    assert again.outcome == states[2].outcome
    for kept, now in zip(
        before, (states[1].damage, states[1].site_fraction, states[1].layers.corroded_depth), strict=True
    ):
        assert_array_equal(kept, now)


def strength(cycle: LifeCycle, state: LifeState) -> Any:
    """Normal strength of the interfaces in the next cycle, Pa."""
    return cycle._evolution(cycle._model(state), state).fracture.cohesive.normal_strength


def test_corrosion_weakens_and_without_weakening_leaves_strength_but_grows_layers() -> None:
    (weak, states), (strong, others) = course(TWO_WAY), course(TWO_WAY, weakening=False)
    assert weak.settings.life.weakening and not strong.settings.life.weakening
    assert others[-1].layers.surface_layer_thickness.min() > 0
    assert others[-1].layers.corroded_depth.max() > 0
    assert_array_equal(states[1].defects.dislocation_density, others[1].defects.dislocation_density)
    share, _ = weakened(states[-1].layers, weak.growth)
    assert share.min() < 1
    uncovered = replace(others[-1], layers=fresh_layers(strong.particle))
    assert_array_equal(strength(strong, others[-1]), strength(strong, uncovered))
    assert_allclose(strength(weak, states[-1]), strength(strong, uncovered) * share, rtol=1e-12)
    assert_array_equal(states[1].damage, others[1].damage)  # new interfaces are equally strong


def test_without_electrolyte_nothing_corrodes() -> None:
    cycle, states = course("o3-nfm-life-uncorroded")
    assert cycle.growth is None
    for state in states:
        assert not state.layers.surface_layer_thickness.any()
        assert not state.layers.corroded_depth.any()
    row = observed(cycle, Milestone(states[-1], {}))
    assert row["transition_metal_loss"] == row["alkali_loss"] == row["mean_corroded_depth"] == 0
    assert row["failed_fraction"] > 0


def test_the_first_cycle_multiplies_dislocations_and_later_ones_leave_them() -> None:
    _, states = course(TWO_WAY)
    density = [state.defects.dislocation_density for state in states]
    assert np.all(density[1] >= density[0]) and density[1].mean() > density[0].mean()
    for later in density[2:]:
        assert_array_equal(later, density[1])


def test_a_full_cell_ends_its_discharge_where_the_alkali_is_used_up() -> None:
    cycle, states = course("o3-nfm-life-full-cell")
    begun = states[0].ledger
    assert begun.anode == pytest.approx(0.08 * begun.start)
    for before, after in pairwise(states):
        mean = float(cycle.active_weight @ cycle._model(before).held(after.site_fraction))
        assert mean == pytest.approx(before.ledger.ceiling, abs=1e-6)
        assert after.ledger.ceiling < before.ledger.ceiling  # layers bind some more
    lost = [state.ledger.start - state.ledger.anode - state.ledger.ceiling for state in states[1:]]
    bound = [
        cycle.alkali_loss(state) * cycle.pristine_model.material.initial_site_fraction for state in states[1:]
    ]
    assert_allclose(lost, bound, rtol=1e-9)
    first = states[1].outcome  # what the anode binds is missing from the first discharge
    missing = (begun.start - begun.ceiling) / (begun.start - first.lowest_site_fraction)
    assert first.coulombic_efficiency == pytest.approx(1 - missing, abs=1e-4)


def test_layers_take_capacity_and_keep_a_part_of_their_alkali() -> None:
    cycle, states = course(TWO_WAY)
    start, growth = states[0], cycle.growth
    assert growth is not None
    layers = replace(
        start.layers, surface_layer_thickness=np.full_like(start.layers.surface_layer_thickness, 5e-8)
    )
    thick = replace(start, layers=layers)
    share = cycle.alkali_loss(thick) / growth.alkali_loss
    assert 0.03 < share < 0.2
    area = cycle.particle.cell_area
    capacity = [area @ cycle._model(state).capacity for state in (start, thick)]
    assert_allclose(capacity[1] / capacity[0], 1 - share, rtol=1e-9)
    # what is held and what was lost make up what was there
    held = [float(cycle.active_weight @ cycle.held(state)) for state in (start, thick)]
    lost = cycle.alkali_loss(thick) * cycle.pristine_model.material.initial_site_fraction
    assert_allclose(held[0] - held[1], lost, rtol=1e-3)
    after = cycle(thick)
    assert after.outcome.mass_balance_error < 1e-10


def test_polarisation_goes_by_the_composition_of_what_is_not_yet_a_layer() -> None:
    cycle, seen = small_cycle(TWO_WAY), []
    cycle.observer = lambda model, history: seen.append((model, history))
    start = cycle.start()
    thickness = np.full_like(start.layers.surface_layer_thickness, 5e-8)
    thick = replace(start, layers=replace(start.layers, surface_layer_thickness=thickness))
    polarised = [cycle(state).outcome.polarisation for state in (start, thick)]
    assert 0 < polarised[0] < polarised[1]  # a layer resists
    for state, (model, history) in zip((start, thick), seen, strict=True):
        time, held = history.column("time"), history.column("mean_site_fraction")
        x = np.interp(history.field("frame_time"), time, cycle.composition(model, state, held))
        stored = cycle.active_weight * (1 - model.reconstructed)
        assert_allclose(x, history.field("site_fraction") @ stored / stored.sum(), rtol=1e-9)
    assert np.max(np.abs(held - cycle.composition(model, thick, held))) > 0.01  # the mean is not it


def test_strain_makes_layers_grow_in_every_cycle() -> None:
    torn, states = course(TWO_WAY)
    _, kept = course(TWO_WAY, renewal="0 nm")
    assert torn.settings.life.renewal > 0
    after = [life[-1].layers.surface_layer_thickness.mean() for life in (states, kept)]
    assert after[0] > 1.1 * after[1] > 0


def test_a_half_cell_has_no_ceiling() -> None:
    cycle, states = course(TWO_WAY)
    assert cycle.settings.life.cell == "half_cell"
    assert np.isinf(states[-1].ledger.ceiling)
    assert np.isnan(observed(cycle, Milestone(states[-1], {}))["alkali_ceiling"])


def test_heat_in_the_protocol_turns_more_to_rock_salt_in_every_cycle() -> None:
    steps = ["Charge at C/5 for 5 hours", "Heat to 200 degC for 1 hour", "Discharge at C/5 for 4 hours"]
    cycle = small_cycle(ONE_WAY, {"protocol": steps, "interface": {"electrolyte": None}})
    states = [cycle.start()]
    for _ in range(2):
        states.append(cycle(states[-1]))
    rock_salt = np.array([state.heat.rock_salt for state in states])
    assert not rock_salt[0].any()
    assert np.all(np.diff(rock_salt, axis=0) >= 0)
    assert np.all(np.diff(rock_salt.mean(axis=1)) > 0)
    shares = [observed(cycle, Milestone(state, {}))["rock_salt_share"] for state in states]
    assert_allclose(shares, rock_salt @ cycle.active_weight, rtol=1e-12)
    assert cycle.pore_share(states[2]) > cycle.pore_share(states[1]) > 0
    assert all(state.outcome.mass_balance_error < 1e-9 for state in states[1:])
    material = cycle.pristine_model.material  # all alkali that the charge counts is held somewhere
    taken = sum(state.outcome.charge_capacity - state.outcome.discharge_capacity for state in states[1:])
    held = [float(cycle.active_weight @ cycle.held(states[k])) for k in (0, 2)]
    assert_allclose(held[0] - held[1], taken * 3.6e3 * material.molar_mass / FARADAY, rtol=1e-6)
    assert abs(cycle.active_weight @ (cycle.held(states[2]) - states[2].site_fraction)) > 1e-3
    nothing = np.zeros(cycle.particle.n_cells, bool)
    assert_allclose(trapped_alkali(cycle.held(states[2]), cycle.active_weight, nothing), held[1])


# ---- jumps


@cache
def jumped(tolerance: float, largest: int) -> list[Milestone[LifeState]]:
    """Ten cycles coupled one way."""
    cycle = small_cycle(ONE_WAY)
    bounds = JumpBounds(0.5, tolerance, layer_step=5e-9, layer_tolerance=5e-10)
    variables = slow_variables(cycle.particle, cycle.growth, bounds)
    return list(advance(cycle, beginning(cycle.start()), 10, variables, JumpControl(largest)))


def gap(course: list[Milestone[LifeState]]) -> float:
    """Error of the damage at the end, mean over the length."""
    length = small_cycle(ONE_WAY).particle.interface_length
    away = np.abs(course[-1].state.damage - jumped(1e-2, 1)[-1].state.damage).mean(axis=1)
    return float(length @ away / length.sum())


def test_jumps_over_simulated_cycles_stay_within_the_tolerance() -> None:
    full, course = jumped(1e-2, 1), jumped(1e-2, 10)
    assert len(full) == 10 and len(course) < 8
    assert course[-1].cycle == 10
    assert gap(course) < 1e-2 * sum(one.jumped > 0 for one in course)
    length = small_cycle(ONE_WAY).particle.interface_length
    grown = (full[-1].state.damage - full[1].state.damage).mean(axis=1) @ length / length.sum()
    assert grown > 5 * gap(course)  # there was something to extrapolate
    layer, whole = (one[-1].state.layers.surface_layer_thickness for one in (course, full))
    assert_allclose(layer, whole, rtol=1e-2)
    capacity = [one[-1].state.outcome.discharge_capacity for one in (course, full)]
    assert_allclose(capacity[0], capacity[1], rtol=2e-3)


def test_a_tighter_tolerance_simulates_more_cycles_and_errs_less() -> None:
    loose, tight = jumped(1e-2, 10), jumped(1e-4, 10)
    assert len(tight) > len(loose)
    assert gap(tight) < gap(loose)
