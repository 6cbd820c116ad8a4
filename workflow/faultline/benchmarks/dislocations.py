"""Ten thousand steps of 200 dislocations: pairs in blocks against the plain sum and a neighbour list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from faultline.benchmarks.rows import Goal, Row, row, timed
from faultline.config.dislocations import shipped_constants
from faultline.dislocations import Crystal, Settings, Slab, State, environment, initial_state
from faultline.dislocations.composition import Environment
from faultline.dislocations.dynamics import Watch, react, velocities
from faultline.dislocations.files import settings_from
from faultline.dislocations.misfit import grid
from faultline.dislocations.state import unsettled
from faultline.dislocations.stress import edge_stress, mutual_stress, row_stress
from faultline.dislocations.strip import surface_stress

Array = NDArray[np.float64]

COUNT, STEPS, PEER_STEPS = 200, 10_000, 200
LAYERS_APART = 2  # every core on its own plane, two layers from the next: 200 of them stay 200
GOAL_S = 10.0  # for all steps
CUTOFF_SHARE = 0.25  # of the period: the farthest that a list with the nearest images may look is a half
REPEATS = 3

WHY_BLOCKS = (
    "the sum over all pairs in blocks wins: stress falls with one over the distance, so that a list short "
    "enough to be quick leaves out too much"
)


class PlainCrystal(Crystal):
    """The same crystal without the method: every pair twice by the formula of the row, velocities anew."""

    def velocity(self, time: float, x: Array, y: Array, sign: Array) -> tuple[Array, Array]:
        """Velocity along x and y (n,) in m/s of all dislocations at `time`, s."""
        constants = self.slab.period, self.settings.strength, self.settings.core_width
        pairs = row_stress(np.subtract.outer(x, x), np.subtract.outer(y, y), *constants) @ sign
        back = surface_stress(self.slab, x, y, x, y, sign, *constants[1:])
        around = self.environment.at(time, x, y)
        normal, shear = pairs[0] + back[0] + around[0], pairs[2] + back[1] + around[1]
        return velocities(self.settings, sign, normal, shear, around[2])

    def advance(self, state: State, until: float) -> State:
        """One step of Heun's method with both velocities found anew."""
        return super().advance(unsettled(state), until)


@dataclass(frozen=True)
class Many:
    """`COUNT` dislocations of both signs in a lithiated slab, each on a plane of its own, none climbing."""

    slab: Slab
    settings: Settings
    around: Environment
    state: State


def many(count: int = COUNT) -> Many:
    """The problem that is timed; places are drawn once."""
    settings = replace(settings_from(shipped_constants())[0], climb_mobility=0.0)
    spacing = LAYERS_APART * settings.layer_spacing
    slab = Slab(-count * spacing / 4, count * spacing / 4, count * spacing)
    x, y = grid(slab, slab.period / 64)
    around = environment(slab, settings, [0.0], np.ones((1, len(x), len(y))), slab.period / 64)
    rng = np.random.default_rng(1)
    place = rng.uniform(0.6 * slab.left, 0.6 * slab.right, count)
    height = spacing * rng.permutation(count).astype(float)
    return Many(slab, settings, around, initial_state(place, height, rng.choice([-1.0, 1.0], count), 1))


def follow(crystal: Crystal, state: State, steps: int) -> State:
    """The state after so many steps, with all that a run does in between but nucleation."""
    watch = Watch(crystal.slab, crystal.settings.capture_distance)
    for _ in range(steps):
        state = crystal.advance(state, np.inf)
        state, _ = react(state, crystal, watch)
    return state


def steps() -> list[Row]:
    """All steps, ours against the plain sum, and one evaluation against a neighbour list."""
    problem = many()
    ours = Crystal(problem.slab, problem.settings, problem.around)
    peer = PlainCrystal(problem.slab, problem.settings, problem.around)
    ours_s, end = timed(lambda: follow(ours, problem.state, STEPS))
    part_s, theirs = timed(lambda: follow(peer, problem.state, PEER_STEPS))
    near = follow(ours, problem.state, PEER_STEPS)
    note = (
        f"{len(end)} dislocations left after {end.time:.0f} s of crystal; goal for ours: {GOAL_S:g} s; "
        f"the peer sums all pairs by the formula of the row, twice a step, {PEER_STEPS} steps scaled; after "
        f"those both stand {_apart(near, theirs):.2g} nm from each other at {near.time:.2f} and "
        f"{theirs.time:.2f} s"
    )
    return [
        row(
            "10 000 steps of 200 dislocations, seconds over goal",
            note,
            ours_s=ours_s,
            peer_s=part_s * STEPS / PEER_STEPS,
            ratio=ours_s / GOAL_S,
            goal=Goal(1.0, at_most=True),
        ),
        row(
            "10 000 steps of 200 dislocations, plain sum over pairs",
            note,
            ours_s=ours_s,
            peer_s=part_s * STEPS / PEER_STEPS,
            goal=Goal(3),
        ),
        neighbour_list(problem),
    ]


def _apart(ours: State, theirs: State) -> float:
    """Median distance in nm of the same dislocations in two states."""
    _, i, j = np.intersect1d(ours.ident, theirs.ident, return_indices=True)
    return 1e9 * float(np.median(np.abs(ours.x[i] - theirs.x[j])))


def neighbour_list(problem: Many) -> Row:
    """One evaluation of all forces, blocks of pairs against a list of pairs within a cutoff."""
    slab, settings, state = problem.slab, problem.settings, problem.state
    constants = settings.strength, settings.core_width
    first, second = _listed(state, slab, CUTOFF_SHARE * slab.period)

    def ours() -> Array:
        return mutual_stress(state.x, state.y, state.sign, slab.period, *constants)[1]

    def listed() -> Array:
        dy = state.y[first] - state.y[second]
        dy -= slab.period * np.round(dy / slab.period)
        shear = edge_stress(state.x[first] - state.x[second], dy, *constants)[2]
        n = len(state)
        return np.asarray(
            np.bincount(first, shear * state.sign[second], n)
            - np.bincount(second, shear * state.sign[first], n)
        )

    exact, ours_s = ours(), _quickest(ours)
    wrong, peer_s = np.abs(listed() - exact), _quickest(listed)
    note = (
        f"{WHY_BLOCKS}; {len(first)} of {len(state) * (len(state) - 1) // 2} pairs within a quarter of the "
        f"period, list given; it errs by {wrong.mean() / np.abs(exact).mean():.0%} of the mean shear; best "
        f"of {REPEATS}"
    )
    return row("stress of 200 dislocations, neighbour list", note, ours_s=ours_s, peer_s=peer_s)


def _listed(state: State, slab: Slab, cutoff: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    wide = 4 * (slab.right - slab.left)  # no neighbours through the free surfaces
    places = np.column_stack([state.x - slab.left, state.y % slab.period])
    pairs = cKDTree(places, boxsize=[wide, slab.period]).query_pairs(cutoff, output_type="ndarray")
    return pairs[:, 0], pairs[:, 1]


def _quickest(call: Callable[[], Array], calls: int = 100) -> float:
    """Seconds of one call: the best of the repeats, each over many calls."""

    def batch() -> None:
        for _ in range(calls):
            call()

    return min(timed(batch)[0] for _ in range(REPEATS)) / calls


BENCHMARKS = {"dislocation steps": steps}
