"""Cycle jumping: simulate a few cycles of a life and extrapolate its slow variables over those between.

With g_N what a slow variable (damage, age of a layer) gains in cycle N, a jump predicts

    d* = d_N + (n - 1) g_N,

simulates cycle N + n from there, and takes the gains of the cycles between as linear in the cycle,

    d_(N+n) = d_N + n g_N + (n + 1)/2 (g_(N+n) - g_N).

That is the trapezoidal rule written for sums; n = 1 is a plain cycle. It differs from the prediction
carried through, d* + g_(N+n), by (n - 1)/2 (g_(N+n) - g_N), which serves as error estimate: the prediction is
of first order, the result of second. One simulation a jump suffices, since the gain found from the prediction
also starts the next jump (predict, evaluate, correct). Cycle jumping with damage: Van Paepegem, Degrieck and
De Baets, Composites B 32, 575 (2001).

All that is not slow (composition, openings, glide) is that of the last simulated cycle.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from faultline.errors import NotConverged

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)

SAFETY = 0.8  # of the bounds at which the next jump aims
POINT_ERROR = 0.5  # default of `SlowVariable.point_error`


class Aging(Protocol):
    """What a life carries from cycle to cycle."""

    @property
    def cycle(self) -> int:
        """Number of the last completed cycle, 0 before the first."""

    def at(self, cycle: int) -> Self:
        """The same state under another number."""


S = TypeVar("S", bound=Aging)


def _itself(values: Floats) -> Floats:
    return values


@dataclass(frozen=True)
class SlowVariable(Generic[S]):
    """A quantity that only grows, and how far a jump may carry it.

    Attributes:
        name: what it is.
        read: its values (m,) in a state.
        write: the state with other values.
        largest_step: what a jump may add at any point to `measure`, besides its simulated cycle.
        tolerance: of the error estimate of a jump, the weighted mean over the points, in units of `measure`.
        weight: (m,) share of each point in that mean, sum 1.
        upper: value at which it stops.
        point_error: largest error estimate at any one point, over the largest step: a mean hides one tip.
        measure: what is bounded, of the values that are extrapolated: layers grow linearly in their age, not
            in their thickness.
    """

    name: str
    read: Callable[[S], Floats]
    write: Callable[[S, Floats], S]
    largest_step: float
    tolerance: float
    weight: Floats
    upper: float = np.inf
    measure: Callable[[Floats], Floats] = _itself
    point_error: float = POINT_ERROR


@dataclass(frozen=True)
class JumpControl:
    """Bounds on jumps.

    Attributes:
        largest_jump: cycles from one simulated cycle to the next; 1 simulates every one.
        growth: by how much a jump may exceed the one before.
    """

    largest_jump: int
    growth: float = 3.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.largest_jump < 1 or self.growth < 1:
            raise ValueError("largest_jump and growth must be at least 1")


@dataclass(frozen=True)
class Milestone(Generic[S]):
    """A simulated cycle of a life, and all that the cycles after it depend on.

    Attributes:
        state: after the cycle.
        gain: what each slow variable gained in it; empty before the first cycle.
        stride: cycles to the next simulated one, as far as there are so many.
        jumped: cycles passed over since the last simulated one.
        error: error estimate of the jump that led here, over what is allowed.
        rejected: jumps to here that were too long.
    """

    state: S
    gain: Mapping[str, Floats]
    stride: int = 1
    jumped: int = 0
    error: float = 0.0
    rejected: int = 0

    @property
    def cycle(self) -> int:
        """Number of the last completed cycle."""
        return self.state.cycle


def beginning(state: S) -> Milestone[S]:
    """The milestone before the first simulated cycle."""
    return Milestone(state, {})


def advance(
    simulate_cycle: Callable[[S], S],
    start: Milestone[S],
    cycles: int,
    variables: Sequence[SlowVariable[S]],
    control: JumpControl,
) -> Iterator[Milestone[S]]:
    """Carry a life on by `cycles` and give every simulated cycle; the last one always is.

    The course depends on `start` alone: going on from any milestone that was given (with the same end) gives
    the same milestones as an undisturbed run.

    Args:
        simulate_cycle: the state after one more cycle; must not change its argument.
        start: where to begin, `beginning(state)` or a milestone of an earlier run.
        cycles: how many.
        variables: what is extrapolated.
        control: bounds on the jumps.

    Raises:
        NotConverged: a cycle right after a simulated one found no solution.
    """
    last, now = start.cycle + cycles, start
    while now.cycle < last:
        now = _next(simulate_cycle, now, last - now.cycle, variables, control)
        log.info(
            "cycle %d simulated, %d passed over, error %.2g of its tolerance, next in %d",
            now.cycle,
            now.jumped,
            now.error,
            now.stride,
        )
        yield now


def _next(
    simulate_cycle: Callable[[S], S],
    now: Milestone[S],
    remaining: int,
    variables: Sequence[SlowVariable[S]],
    control: JumpControl,
) -> Milestone[S]:
    """The next milestone: a jump as long as planned, halved until it is good enough."""
    n, rejected = min(now.stride, remaining, control.largest_jump), 0
    while True:
        start = {v.name: v.read(now.state) for v in variables}
        predicted = {v.name: _predicted(v, start[v.name], now.gain, n) for v in variables}
        try:
            after = simulate_cycle(_moved(now.state, variables, now.cycle + n - 1, predicted, n))
        except NotConverged:
            if n == 1:
                raise
            n, rejected = n // 2, rejected + 1
            continue
        found = {v.name: v.read(after) for v in variables}
        slow, error, step = {}, 0.0, 0.0
        for v in variables:
            key = v.name
            slow[key] = _corrected(v, start[key], predicted[key], found[key], now.gain, n)
            error = max(error, _error(v, slow[key], found[key]))
            step = max(step, _step(v, start[key], slow[key] - (found[key] - predicted[key])))
        if max(error, step) <= 1 or n == 1:
            break
        n, rejected = n // 2, rejected + 1
    gain = {key: found[key] - predicted[key] for key in found}
    state = _moved(after, variables, now.cycle + n, slow, n)
    stride = _stride(variables, slow, gain, now.gain, n, control)
    return Milestone(state, gain, stride, n - 1, error, rejected)


def _moved(
    state: S, variables: Sequence[SlowVariable[S]], cycle: int, slow: Mapping[str, Floats], n: int
) -> S:
    """State with extrapolated variables; a plain cycle has none."""
    if n == 1:
        return state
    for variable in variables:
        state = variable.write(state, slow[variable.name])
    return state.at(cycle)


def _predicted(variable: SlowVariable[S], start: Floats, gain: Mapping[str, Floats], n: int) -> Floats:
    if n == 1:
        return start
    return np.minimum(start + (n - 1) * gain[variable.name], variable.upper)


def _corrected(
    variable: SlowVariable[S],
    start: Floats,
    predicted: Floats,
    found: Floats,
    gain: Mapping[str, Floats],
    n: int,
) -> Floats:
    """Trapezoidal rule; what reached its upper end before or in the simulated cycle stays there."""
    if n == 1:
        return found
    before, now = gain[variable.name], found - predicted
    summed = start + (n - 1) / 2 * before + (n + 1) / 2 * now
    return np.where(found >= variable.upper, variable.upper, np.minimum(summed, variable.upper))


def _error(variable: SlowVariable[S], corrected: Floats, found: Floats) -> float:
    """Error estimate over its bound, of the mean over the points and of the worst one; the larger."""
    away = np.abs(variable.measure(corrected) - variable.measure(found))
    worst = float(np.max(away, initial=0.0)) / (variable.point_error * variable.largest_step)
    return max(float(variable.weight @ away) / variable.tolerance, worst)


def _step(variable: SlowVariable[S], start: Floats, passed: Floats) -> float:
    """What a jump added at any point besides its simulated cycle, over its bound."""
    added = variable.measure(np.maximum(passed, start)) - variable.measure(start)
    return float(np.max(added, initial=0.0)) / variable.largest_step


def _stride(
    variables: Sequence[SlowVariable[S]],
    slow: Mapping[str, Floats],
    gain: Mapping[str, Floats],
    before: Mapping[str, Floats],
    n: int,
    control: JumpControl,
) -> int:
    """Longest next jump whose foreseen step and error, n (n - 1) / 2 |g'|, stay within their bounds."""
    if not before:
        return 1  # the change of the gain is not known yet
    longest = min(control.largest_jump, int(1 + control.growth * n))
    return max(
        (m for m in range(2, longest + 1) if all(_allows(v, slow, gain, before, n, m) for v in variables)),
        default=1,
    )


def _allows(
    variable: SlowVariable[S],
    slow: Mapping[str, Floats],
    gain: Mapping[str, Floats],
    before: Mapping[str, Floats],
    n: int,
    m: int,
) -> bool:
    now, rate = slow[variable.name], gain[variable.name]
    change = np.abs(rate - before[variable.name]) / n
    here, there = variable.measure(now), variable.measure(np.minimum(now + (m - 1) * rate, variable.upper))
    blurred = variable.measure(np.minimum(now + (m - 1) * (rate + m / 2 * change), variable.upper))
    foreseen = float(variable.weight @ (blurred - there))
    return (
        float(np.max(there - here, initial=0.0)) <= SAFETY * variable.largest_step
        and foreseen <= SAFETY * variable.tolerance
    )
