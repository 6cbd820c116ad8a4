"""Motion of edge dislocations in the slab: forces, velocities, events, adaptive time steps.

Boundaries: periodic along y (the domain wall), free along x. The force per length of a dislocation of sign
s is that of Peach and Koehler, F_x = s b sigma_xy, F_y = -s b sigma_xx.

Sign convention of climb: positive climb lets the extra half plane shrink (atoms leave, the line moves into
the half plane, s v_y > 0), negative climb lets it grow. Tension along x and a supersaturation of transition
metal in the Li layers both drive negative climb.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.dislocations.composition import Environment
from faultline.dislocations.nucleation import Sites, candidate_sites, nucleate
from faultline.dislocations.parameters import Settings
from faultline.dislocations.state import (
    ANNIHILATION,
    EXIT_LEFT,
    EXIT_RIGHT,
    PER_DISLOCATION,
    Event,
    History,
    State,
    unsettled,
)
from faultline.dislocations.stress import mutual_stress, pair_stress
from faultline.dislocations.strip import Slab, surface_stress
from faultline.errors import NotConverged
from faultline.progress import Progress

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

TOLERANCE = 0.01e-9  # m, error of a position per step: 1/50 of the capture distance
SAFETY = 0.8  # of the step that the error allows: more, and every fifth step is taken twice
LARGEST_STEP = 0.5  # s
SMALLEST_STEP = 1e-9  # s
TIME_RESOLUTION = 1e-9  # s, times closer than this are one
MOST_STEPS = 200_000  # of a run: a hundred times what the observed mobilities take


def dislocation_stress(
    slab: Slab, settings: Settings, at_x: Array, at_y: Array, x: Array, y: Array, sign: Array
) -> tuple[Array, Array]:
    """Stress xx and xy (n,) in Pa at points (n,) from all dislocations (m,), free surfaces included."""
    constants = slab.period, settings.strength, settings.core_width
    if at_x is x and at_y is y:
        direct = mutual_stress(x, y, sign, *constants)
    else:
        direct = pair_stress(at_x, at_y, x, y, sign, *constants)
    back = surface_stress(slab, at_x, at_y, x, y, sign, settings.strength, settings.core_width)
    return direct[0] + back[0], direct[1] + back[1]


def osmotic_stress(settings: Settings, content: Array) -> Array:
    """Chemical drive for negative climb in Pa at lithium site fraction `content`.

    (kT / Omega) ln(c / c0): c counts transition metal that has entered Li layers, in proportion to the sites
    open to it, 1 - x on top of the antisite fraction c0 of the lithiated crystal. Form of the osmotic force:
    Hirth and Lothe, Theory of Dislocations (1982), chapter 15, here for an excess of interstitials.
    """
    return settings.thermal_stress * np.log1p((1 - content) / settings.antisite_fraction)


def beyond_friction(drive: Array, friction: Array | float) -> Array:
    """Part of a driving stress (Pa) that friction leaves over, with the sign of the drive."""
    return np.sign(drive) * np.maximum(np.abs(drive) - friction, 0)


def velocities(
    settings: Settings, sign: Array, normal: Array, shear: Array, content: Array, pinned: Array | float = 0.0
) -> tuple[Array, Array]:
    """Velocity along x and y (n,) in m/s under stress xx = `normal` and xy = `shear`, Pa.

    Linear in the drive beyond friction plus `pinned`, the resistance of obstacles (Pa). Climb moves
    transition metal through empty Li sites: its mobility goes with 1 - x.
    """
    glide = settings.glide_mobility * beyond_friction(shear, settings.glide_friction + pinned)
    drive = -normal - osmotic_stress(settings, content)
    mobility = settings.climb_mobility * (1 - content)
    climb = mobility * beyond_friction(drive, settings.climb_friction + pinned)
    return sign * glide, sign * climb


class Crystal:
    """Slab, constants, environment and obstacles together: what the dislocations live in.

    `pins` (k, 3): x, y in m and strength in Pa of obstacles, each within the capture distance of its centre.
    """

    def __init__(
        self, slab: Slab, settings: Settings, environment: Environment, pins: Array | None = None
    ) -> None:
        self.slab = slab
        self.settings = settings
        self.environment = environment
        self.pins = np.empty((0, 3)) if pins is None else np.asarray(pins, float)

    @cached_property
    def sites(self) -> Sites:
        """Where dipoles may form; asked for by nucleation alone, whose constants others need not have."""
        return candidate_sites(self.slab, self.settings)

    def velocity(self, time: float, x: Array, y: Array, sign: Array) -> tuple[Array, Array]:
        """Velocity along x and y (n,) in m/s of all dislocations at `time`, s."""
        normal, shear = dislocation_stress(self.slab, self.settings, x, y, x, y, sign)
        around = self.environment.at(time, x, y)
        held = self.pinning(x, y)
        return velocities(self.settings, sign, normal + around[0], shear + around[1], around[2], held)

    def shear(self, state: State, x: Array, y: Array) -> Array:
        """sigma_xy (n,) in Pa of misfit and dislocations at points (n,), m."""
        misfit = self.environment.at(state.time, x, y)[1]
        if not len(state):
            return misfit
        return misfit + dislocation_stress(self.slab, self.settings, x, y, state.x, state.y, state.sign)[1]

    def pinning(self, x: Array, y: Array) -> Array | float:
        """Resistance (n,) in Pa of the obstacles at x, y (m)."""
        if not len(self.pins):
            return 0.0
        dy = np.subtract.outer(y, self.pins[:, 1])
        dy -= self.slab.period * np.round(dy / self.slab.period)
        near = np.hypot(np.subtract.outer(x, self.pins[:, 0]), dy) < self.settings.capture_distance
        return near @ self.pins[:, 2]

    def advance(self, state: State, until: float) -> State:
        """One accepted step of Heun's method, not beyond `until` (s); the error sets the next length.

        The step sets out with the velocity that the last one found at its end, as predicted (PEC): one
        evaluation a step, still of second order. After an event there is none, and it is found anew.
        """
        if not len(state):
            return replace(state, time=until)
        x, y, sign = state.x, state.y, state.sign
        step, remaining = state.step, until - state.time
        ux, uy = state.vx, state.vy
        if np.isnan(ux).any():
            ux, uy = self.velocity(state.time, x, y, sign)
        while True:
            dt = min(step, remaining)
            vx, vy = self.velocity(state.time + dt, x + dt * ux, y + dt * uy, sign)
            gx, gy = dt / 2 * (ux + vx), dt / 2 * (uy + vy)
            error = dt / 2 * max(float(np.abs(vx - ux).max()), float(np.abs(vy - uy).max()))
            reach = max(float(np.abs(gx).max()), float(np.abs(gy).max()))
            excess = max(error / TOLERANCE, (4 * reach / self.settings.capture_distance) ** 2, 1e-6)
            longer = min(dt * min(max(SAFETY / excess**0.5, 0.2), 2.0), LARGEST_STEP)
            if excess <= 1:
                break
            if not dt > SMALLEST_STEP or not np.isfinite(excess):
                raise NotConverged("no time step is short enough", time=state.time, residual=error)
            step = longer
        # a step cut short at `until` says nothing against the length that was planned
        planned = max(longer, step) if dt < step else longer
        at = until if remaining - dt < TIME_RESOLUTION else state.time + dt
        return replace(
            state,
            time=at,
            step=max(planned, SMALLEST_STEP),
            x=x + gx,
            y=y + gy,
            glide=state.glide + gx,
            climb=state.climb + sign * gy,
            vx=vx,
            vy=vy,
        )


def _without(state: State, lost: NDArray[np.intp]) -> State:
    kept: dict[str, Any] = {name: np.delete(getattr(state, name), lost) for name in PER_DISLOCATION}
    return unsettled(replace(state, **kept))


def opposite_pairs(state: State, slab: Slab, within: float) -> tuple[Integers, Integers, Array]:
    """Indices of positive and of negative dislocations closer than `within` (m), and their distances."""
    plus, minus = np.flatnonzero(state.sign > 0), np.flatnonzero(state.sign < 0)
    dx = np.subtract.outer(state.x[plus], state.x[minus])
    rows, columns = np.nonzero(np.abs(dx) < within)
    first, second = plus[rows], minus[columns]
    distance = separation(state, slab, first, second)
    near = distance < within
    return first[near], second[near], distance[near]


def separation(state: State, slab: Slab, first: Integers, second: Integers) -> Array:
    """Shortest distances (n,) in m between dislocations, across the period too."""
    dy = state.y[first] - state.y[second]
    dy -= slab.period * np.round(dy / slab.period)
    return np.hypot(state.x[first] - state.x[second], dy)


def annihilate(state: State, slab: Slab, capture: float) -> tuple[State, list[Event]]:
    """Remove opposite dislocations closer than `capture` (m), nearest first."""
    plus, minus, distance = opposite_pairs(state, slab, capture)
    events: list[Event] = []
    lost: list[int] = []
    for k in np.argsort(distance, kind="stable"):
        i, j = int(plus[k]), int(minus[k])
        if i in lost or j in lost:
            continue
        lost += [i, j]
        pair = (int(state.ident[i]), int(state.ident[j]))
        apart = float(distance[k])
        events.append(Event(state.time, ANNIHILATION, pair, float(state.x[i]), float(state.y[i]), apart))
    return (_without(state, np.array(lost)), events) if lost else (state, events)


class Watch:
    """Opposite pairs that may meet (Verlet, Phys. Rev. 159, 98, 1967), so that few steps look at all pairs.

    The list holds pairs closer than twice the capture distance. It is good until a dislocation has moved by
    half the capture distance, or one has come or gone; it never changes what is found.
    """

    def __init__(self, slab: Slab, capture: float) -> None:
        self.slab, self.capture = slab, capture
        self.listed: State | None = None

    def meets(self, state: State) -> bool:
        """Whether any opposite pair is within the capture distance."""
        if self.listed is None or self._outdated(self.listed, state):
            self.listed = state
            self.first, self.second, _ = opposite_pairs(state, self.slab, 2 * self.capture)
        if not len(self.first):
            return False
        return bool((separation(state, self.slab, self.first, self.second) < self.capture).any())

    def _outdated(self, listed: State, state: State) -> bool:
        if not np.array_equal(listed.ident, state.ident):
            return True
        moved = np.square(state.x - listed.x) + np.square(state.y - listed.y)
        return bool(len(moved)) and float(moved.max()) > (self.capture / 2) ** 2


def leave(state: State, slab: Slab, distance: float) -> tuple[State, list[Event]]:
    """Let dislocations within `distance` (m) of a free surface out, and count what they carry."""
    left, right = state.x < slab.left + distance, state.x > slab.right - distance
    lost = np.flatnonzero(left | right)
    if not len(lost):
        return state, []
    events = [
        Event(
            state.time,
            EXIT_LEFT if left[k] else EXIT_RIGHT,
            (int(state.ident[k]), -1),
            float(state.x[k]),
            float(state.y[k]),
        )
        for k in lost
    ]
    gone = np.array([int(state.sign[left].sum()), int(state.sign[right].sum())])
    return _without(replace(state, escaped=state.escaped + gone), lost), events


def look_for_nucleation(state: State, crystal: Crystal) -> tuple[State, list[Event]]:
    """Nucleate at most one dipole where the drive exceeds the threshold, if it is time to look."""
    settings, sites = crystal.settings, crystal.sites
    state = replace(state, next_check=state.next_check + settings.nucleation_interval)
    misfit = crystal.environment.at(state.time, sites.x, sites.y)[1]
    # dislocations at the distance that sites keep add less than the other half of the threshold
    near = np.flatnonzero(np.abs(misfit) > settings.nucleation_stress / 2)
    if not len(near):
        return state, []

    def shear(x: Array, y: Array) -> Array:
        return crystal.shear(state, x, y)

    return nucleate(state, crystal.slab, settings, sites.x[near], sites.y[near], shear)


def react(state: State, crystal: Crystal, watch: Watch) -> tuple[State, list[Event]]:
    """What follows a step: annihilation and exit."""
    met: list[Event] = []
    if watch.meets(state):
        state, met = annihilate(state, crystal.slab, crystal.settings.capture_distance)
    state, left = leave(state, crystal.slab, crystal.settings.exit_distance)
    return state, met + left


def run(
    crystal: Crystal, state: State, end: float, output: float | Sequence[float], nucleation: bool = True
) -> History:
    """Follow the dislocations from `state` to `end` (s).

    `output` (s) is the distance of the stored states (at its multiples), or their times. From any of them a
    run with the same `output` goes on exactly like this one. `nucleation` = False forbids new dipoles.

    Raises NotConverged where no step is short enough or steps without end would be needed; its state is the
    History up to there.
    """
    slab, settings = crystal.slab, crystal.settings
    if isinstance(output, int | float):
        output = [output * (k + 1) for k in range(round(end / output))]
    wanted = [float(t) for t in output if state.time + TIME_RESOLUTION < t <= end + TIME_RESOLUTION]
    states, steps = [state], 0
    events: list[Event] = []
    watch = Watch(slab, settings.capture_distance)
    progress = Progress(log)

    def so_far() -> History:
        return History(slab, settings, tuple(states), tuple(events), steps)

    for stop in wanted:
        while state.time < stop:
            if steps == MOST_STEPS:
                raise NotConverged(f"still at {state.time:.3g} s", state.time, steps, state=so_far())
            if nucleation and state.time >= state.next_check - TIME_RESOLUTION:
                state, new = look_for_nucleation(state, crystal)
                events += new
            until = min(stop, state.next_check) if nucleation else stop
            try:
                state = crystal.advance(state, until)
            except NotConverged as failure:
                raise NotConverged(failure.message, failure.time, steps, failure.residual, so_far()) from None
            steps += 1
            state, new = react(state, crystal, watch)
            events += new
            progress(
                "t = %.4g of %.4g s, %d steps, %d dislocations, %d events",
                state.time,
                end,
                steps,
                len(state.x),
                len(events),
            )
        states.append(state)
    return so_far()
