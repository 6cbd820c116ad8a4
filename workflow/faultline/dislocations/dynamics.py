"""Motion of edge dislocations in the slab: forces, velocities, events, adaptive time steps.

Boundaries: periodic along y (the domain wall), free along x. The force per length of a dislocation of sign
s is that of Peach and Koehler, F_x = s b sigma_xy, F_y = -s b sigma_xx.

Sign convention of climb: positive climb lets the extra half plane shrink (atoms leave, the line moves into
the half plane, s v_y > 0), negative climb lets it grow. Tension along x and a supersaturation of transition
metal in the Li layers both drive negative climb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
)
from faultline.dislocations.stress import pair_stress
from faultline.dislocations.strip import Slab, surface_stress

Array = NDArray[np.float64]

TOLERANCE = 0.01e-9  # m, error of a position per step: 1/50 of the capture distance
LARGEST_STEP = 0.5  # s
SMALLEST_STEP = 1e-9  # s
TIME_RESOLUTION = 1e-9  # s, times closer than this are one


def dislocation_stress(
    slab: Slab, settings: Settings, at_x: Array, at_y: Array, x: Array, y: Array, sign: Array
) -> tuple[Array, Array]:
    """Stress xx and xy (n,) in Pa at points (n,) from all dislocations (m,), free surfaces included."""
    direct = pair_stress(at_x, at_y, x, y, sign, slab.period, settings.strength, settings.core_width)
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
        self.sites: Sites = candidate_sites(slab, settings)

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
        """One accepted step of Heun's method, not beyond `until` (s); the error sets the next length."""
        if not len(state):
            return replace(state, time=until)
        x, y, sign = state.x, state.y, state.sign
        step, remaining = state.step, until - state.time
        ux, uy = self.velocity(state.time, x, y, sign)
        while True:
            dt = min(step, remaining)
            vx, vy = self.velocity(state.time + dt, x + dt * ux, y + dt * uy, sign)
            gx, gy = dt / 2 * (ux + vx), dt / 2 * (uy + vy)
            error = dt / 2 * float(np.abs([vx - ux, vy - uy]).max())
            reach = float(np.abs([gx, gy]).max())
            excess = max(error / TOLERANCE, (4 * reach / self.settings.capture_distance) ** 2, 1e-6)
            longer = min(dt * float(np.clip(0.9 / np.sqrt(excess), 0.2, 2.0)), LARGEST_STEP)
            if excess <= 1 or dt <= SMALLEST_STEP:
                break
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
        )


def _without(state: State, lost: NDArray[np.intp]) -> State:
    kept: dict[str, Any] = {name: np.delete(getattr(state, name), lost) for name in PER_DISLOCATION}
    return replace(state, **kept)


def annihilate(state: State, slab: Slab, capture: float) -> tuple[State, list[Event]]:
    """Remove opposite dislocations closer than `capture` (m), nearest first."""
    plus, minus = np.flatnonzero(state.sign > 0), np.flatnonzero(state.sign < 0)
    dy = np.subtract.outer(state.y[plus], state.y[minus])
    dy -= slab.period * np.round(dy / slab.period)
    distance = np.hypot(np.subtract.outer(state.x[plus], state.x[minus]), dy)
    rows, columns = np.nonzero(distance < capture)
    events: list[Event] = []
    lost: list[int] = []
    for k in np.argsort(distance[rows, columns], kind="stable"):
        i, j = int(plus[rows[k]]), int(minus[columns[k]])
        if i in lost or j in lost:
            continue
        lost += [i, j]
        pair = (int(state.ident[i]), int(state.ident[j]))
        apart = float(distance[rows[k], columns[k]])
        events.append(Event(state.time, ANNIHILATION, pair, float(state.x[i]), float(state.y[i]), apart))
    return (_without(state, np.array(lost)), events) if lost else (state, events)


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


def run(
    crystal: Crystal, state: State, end: float, output: float | Sequence[float], nucleation: bool = True
) -> History:
    """Follow the dislocations from `state` to `end` (s).

    `output` (s) is the distance of the stored states (at its multiples), or their times. From any of them a
    run with the same `output` goes on exactly like this one. `nucleation` = False forbids new dipoles.
    """
    slab, settings = crystal.slab, crystal.settings
    if isinstance(output, int | float):
        output = [output * (k + 1) for k in range(round(end / output))]
    wanted = [float(t) for t in output if state.time + TIME_RESOLUTION < t <= end + TIME_RESOLUTION]
    states, events, steps = [state], [], 0
    for stop in wanted:
        while state.time < stop:
            if nucleation and state.time >= state.next_check - TIME_RESOLUTION:
                state, new = look_for_nucleation(state, crystal)
                events += new
            until = min(stop, state.next_check) if nucleation else stop
            state = crystal.advance(state, until)
            steps += 1
            for react, distance in ((annihilate, settings.capture_distance), (leave, settings.exit_distance)):
                state, new = react(state, slab, distance)
                events += new
        states.append(state)
    return History(slab, settings, tuple(states), tuple(events), steps)
