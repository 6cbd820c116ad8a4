"""Cycle jumping on damage laws with known answers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from faultline.errors import NotConverged
from faultline.life.jumping import JumpControl, Milestone, SlowVariable, advance, beginning

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Worn:
    """Damage of a few points, and a fast variable that remembers the last simulated cycle."""

    cycle: int
    damage: Floats
    seen: int = 0

    def at(self, cycle: int) -> "Worn":
        return replace(self, cycle=cycle)


Law = Callable[[Floats], Floats]


def linear(damage: Floats) -> Floats:
    return np.full(len(damage), 0.004)


def slowing(damage: Floats) -> Floats:
    return 0.02 * (1 - damage) ** 2


def quickening(damage: Floats) -> Floats:
    return 0.002 * np.exp(2 * damage)


def one_cycle(law: Law) -> Callable[[Worn], Worn]:
    def simulate(state: Worn) -> Worn:
        gained = np.minimum(state.damage + law(state.damage), 1.0)
        return Worn(state.cycle + 1, gained, state.cycle + 1)

    return simulate


def variable(step: float = 0.2, tolerance: float = 1e-3, points: int = 3) -> SlowVariable[Worn]:
    return SlowVariable(
        "damage",
        read=lambda state: state.damage,
        write=lambda state, values: replace(state, damage=values),
        largest_step=step,
        tolerance=tolerance,
        weight=np.full(points, 1 / points),
        upper=1.0,
    )


START = Worn(0, np.array([0.0, 0.1, 0.3]))


def life(
    law: Law,
    cycles: int,
    control: JumpControl,
    start: Milestone[Worn] | None = None,
    of: SlowVariable[Worn] | None = None,
) -> list[Milestone[Worn]]:
    slow = [of or variable()]
    return list(advance(one_cycle(law), start or beginning(START), cycles, slow, control))


def full(law: Law, cycles: int) -> Worn:
    state = START
    for _ in range(cycles):
        state = one_cycle(law)(state)
    return state


def test_without_jumps_every_cycle_is_simulated_as_it_is() -> None:
    found = life(slowing, 7, JumpControl(1))
    assert [one.cycle for one in found] == [1, 2, 3, 4, 5, 6, 7]
    assert_array_equal(found[-1].state.damage, full(slowing, 7).damage)


def test_a_constant_gain_is_carried_exactly_in_few_cycles() -> None:
    found = life(linear, 100, JumpControl(60))
    assert_allclose(found[-1].state.damage, full(linear, 100).damage, rtol=1e-12)
    assert found[-1].cycle == 100
    assert len(found) <= 8
    assert max(one.error for one in found) < 1e-10


@pytest.mark.parametrize("law", [slowing, quickening])
def test_the_error_falls_with_the_square_of_the_jump(law: Law) -> None:
    loose = variable(step=1.0, tolerance=1e9)
    exact = full(law, 98).damage
    errors = []
    for length in (8, 4, 2):
        first = life(law, 2, JumpControl(1), of=loose)[-1]
        fixed = replace(first, stride=length)
        found = life(law, 96, JumpControl(length, growth=1e9), fixed, loose)
        assert [one.jumped for one in found] == [length - 1] * (96 // length)
        errors.append(np.abs(found[-1].state.damage - exact).max())
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(orders > 1.8), (errors, orders)


@settings(max_examples=40)
@given(
    st.floats(1e-4, 0.03),
    st.floats(-3, 3),
    st.floats(1e-4, 1e-2),
    st.integers(1, 150),
)
def test_jumped_lives_stay_close_to_full_ones(
    rate: float, power: float, tolerance: float, cycles: int
) -> None:
    def law(damage: Floats) -> Floats:
        return rate * np.exp(power * damage)

    found = life(law, cycles, JumpControl(200), of=variable(tolerance=tolerance))
    number = [one.cycle for one in found]
    assert number == sorted(set(number))
    assert number[-1] == cycles
    damage = np.array([START.damage, *(one.state.damage for one in found)])
    assert np.all(np.diff(damage, axis=0) >= 0)
    assert damage.min() >= 0
    assert damage.max() <= 1
    jumps = sum(one.jumped > 0 for one in found)
    # the estimate is of the prediction, which is of lower order than the result; points that reach the end
    # within a jump are known to within that jump's step
    gone = damage[-1] >= 1
    away = np.abs(damage[-1] - full(law, cycles).damage)
    assert away[~gone].max(initial=0) <= 3 * tolerance * max(jumps, 1)


def test_steps_and_errors_keep_their_bounds() -> None:
    bound = variable(step=0.05, tolerance=2e-3)
    found = life(quickening, 150, JumpControl(100), of=bound)
    damage = [START.damage, *(one.state.damage for one in found)]
    for before, after, one in zip(damage, damage[1:], found, strict=False):
        assert one.error <= 1
        if one.jumped:
            passed_over = after - before - one.gain["damage"]
            assert passed_over.max() <= 0.05 + 3 * 2e-3


def test_a_jump_that_misses_a_change_is_rejected_and_halved() -> None:
    def snaps(damage: Floats) -> Floats:
        return np.where(damage > 0.35, 0.02, 0.001)

    found = life(snaps, 120, JumpControl(100))
    assert sum(one.rejected for one in found) > 0
    assert all(one.error <= 1 or one.jumped == 0 for one in found)
    assert_allclose(found[-1].state.damage, full(snaps, 120).damage, atol=5e-3)


def test_a_cycle_without_solution_shortens_the_jump_and_ends_the_life_at_the_shortest() -> None:
    def breaks(state: Worn) -> Worn:
        if state.damage.max() > 0.501:
            raise NotConverged("no equilibrium")
        return one_cycle(linear)(state)

    found: list[Milestone[Worn]] = []
    with pytest.raises(NotConverged, match="no equilibrium"):
        for one in advance(breaks, beginning(START), 200, [variable()], JumpControl(100)):
            found.append(one)
    assert found[-1].rejected > 0
    assert found[-1].cycle == 51  # 0.3 + 51 * 0.004 is the first above


@pytest.mark.parametrize("law", [slowing, quickening])
def test_a_life_taken_up_again_anywhere_is_the_same(law: Law) -> None:
    control = JumpControl(40)
    undisturbed = life(law, 100, control)
    for kept in range(len(undisturbed)):
        milestone = undisturbed[kept]
        rest = life(law, 100 - milestone.cycle, control, milestone)
        assert [one.cycle for one in rest] == [one.cycle for one in undisturbed[kept + 1 :]]
        if rest:
            assert_array_equal(rest[-1].state.damage, undisturbed[-1].state.damage)
            assert rest[-1].stride == undisturbed[-1].stride


def test_blocks_end_on_a_simulated_cycle_and_the_next_goes_on_from_it() -> None:
    control = JumpControl(40)
    first = life(slowing, 50, control)
    second = life(slowing, 50, control, first[-1])
    assert first[-1].cycle == first[-1].state.seen == 50
    assert second[-1].cycle == second[-1].state.seen == 100
    assert second[0].jumped > 0  # the gain of the last cycle before is known
    assert_allclose(second[-1].state.damage, full(slowing, 100).damage, atol=5e-3)


def test_one_point_that_starts_within_a_jump_keeps_the_bound() -> None:
    """A mean over 1000 points does not see it."""

    def cracks(state: Worn) -> Worn:
        damage = state.damage.copy()
        damage[0] = min(damage[0] + 0.06 * (state.cycle + 1 >= 9), 1.0)
        return Worn(state.cycle + 1, damage)

    slow = [variable(step=0.1, tolerance=1e-3, points=1000)]
    found = list(advance(cracks, beginning(Worn(0, np.zeros(1000))), 20, slow, JumpControl(100)))
    damage = [0.0, *(one.state.damage[0] for one in found)]
    for before, after, one in zip(damage, damage[1:], found, strict=False):
        assert not one.jumped or after - before - one.gain["damage"][0] <= 0.1 + 1e-12
    assert_allclose(damage[-1], 0.72, atol=0.06)


def test_bounds_must_make_sense() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        JumpControl(0)
