"""The observed situations, simulated with one set of constants.

Scenarios differ in the dislocations at the start and in the lithium content over time, in nothing else.
Places, sizes and times of the emptied patches were chosen, once, so that each situation can arise: what a
scenario shows is that one set of constants allows it. `single_starts` alone draws its patches at random.
Numbers of the source: Wang et al., PNAS 122, e2409494122 (2025).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faultline.dislocations.composition import Environment, Patch, patched
from faultline.dislocations.degradation import Ageing, RockSalt, age_slab
from faultline.dislocations.dynamics import Crystal, run
from faultline.dislocations.lattice import lattice_parameters
from faultline.dislocations.nucleation import add_dipole
from faultline.dislocations.parameters import Settings
from faultline.dislocations.state import ANNIHILATION, NUCLEATION, History, State, initial_state
from faultline.dislocations.strip import Slab

Array = NDArray[np.float64]

CLIMB, GLIDE = 0.18e-9, 0.38e-9  # m/s, mean velocities: results section and fig. 2 C, D
SEEDS = tuple(range(16))  # slabs that the mobilities are calibrated on
HELD_OUT = tuple(range(100, 116))


@dataclass(frozen=True)
class Scenario:
    """Runs of one situation.

    Attributes:
        histories: one per run.
        labels: the part that each run plays.
        seeds: seed of each run.
        around: composition around the first run, None for one that was read back from a file.
    """

    histories: tuple[History, ...]
    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    around: Environment | None = None

    def part(self, label: str) -> list[History]:
        """The runs with this label."""
        return [h for h, name in zip(self.histories, self.labels, strict=True) if name == label]


def wide_slab(settings: Settings) -> Slab:
    """36 nm between the free surfaces, 80 layers along the wall."""
    return Slab(-18e-9, 18e-9, 80 * settings.layer_spacing)


def small_slab(settings: Settings) -> Slab:
    """24 nm between the free surfaces, 51 layers along the wall."""
    return Slab(-12e-9, 12e-9, 51 * settings.layer_spacing)


# -- velocities --------------------------------------------------------------------------------------------

DURATION = 10.0  # s, as long as the single dislocation of fig. 3D was followed
SINGLES = 6  # per slab
CALIBRATION, OTHERS, INERT = "calibration", "other slabs", "no chemical drive"


@dataclass(frozen=True)
class Velocities:
    """Net path over time, of the dislocations that moved by more than one Burgers vector that way.

    Attributes:
        glide, climb: (n,) and (m,) speeds in m/s.
        negative_share: share of climbers whose half plane grew, weighted equally.
        negative_path: share of the climbed path that was negative.
        followed: number of dislocations in all slabs.
    """

    glide: Array
    climb: Array
    negative_share: float
    negative_path: float
    followed: int


def random_environment(slab: Slab, settings: Settings, rng: np.random.Generator) -> Environment:
    """Uneven delithiation of a slab: eight patches at random places turn to H3 and below within seconds."""
    patches = []
    for start in rng.uniform(0, 4, 8):
        width, height = rng.uniform(3e-9, 9e-9, 2)
        patches.append(
            Patch(
                x=float(rng.uniform(slab.left, slab.right)),
                y=float(rng.uniform(0, slab.period)),
                width=float(width),
                height=float(height),
                content=float(rng.uniform(0, 0.15)),
                start=float(start),
                full=float(start + rng.uniform(1, 4)),
            )
        )
    return patched(slab, settings, 0.5, 0.75, patches, DURATION)


def scattered(slab: Slab, count: int, apart: float, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Positions (m) and signs of `count` dislocations at least `apart` (m) from each other, 3 nm inside."""
    places = np.empty((0, 2))
    while len(places) < count:
        new = np.array([rng.uniform(slab.left + 3e-9, slab.right - 3e-9), rng.uniform(0, slab.period)])
        gap = places - new
        gap[:, 1] -= slab.period * np.round(gap[:, 1] / slab.period)
        if (np.hypot(*gap.T) > apart).all():
            places = np.vstack([places, new])
    return places[:, 0], places[:, 1], rng.choice([-1.0, 1.0], count)


def single_starts(settings: Settings, seeds: Sequence[int] = SEEDS) -> list[tuple[Environment, State]]:
    """Unevenly delithiated slabs with single dislocations, one slab per seed."""
    slab = wide_slab(settings)
    starts = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 20250113])
        around = random_environment(slab, settings, rng)
        starts.append((around, initial_state(*scattered(slab, SINGLES, 6e-9, rng), seed)))
    return starts


def single_histories(settings: Settings, starts: Sequence[tuple[Environment, State]]) -> list[History]:
    """Ten seconds of every start; no nucleation, so that singles stay singles."""
    slab = wide_slab(settings)
    return [
        run(Crystal(slab, settings, around), state, DURATION, 0.5, nucleation=False)
        for around, state in starts
    ]


def velocities(settings: Settings, slabs: int = len(SEEDS)) -> Scenario:
    """Single dislocations in `slabs` slabs for calibration, in as many others, and there without chemistry.

    With every site open from the start, emptying it makes no supersaturation: no chemical drive.
    """
    seeds, others = SEEDS[0] + np.arange(slabs), HELD_OUT[0] + np.arange(slabs)
    inert = replace(settings, antisite_fraction=1e9)
    parts: dict[str, list[History]] = {CALIBRATION: [], OTHERS: [], INERT: []}
    around = None
    for seed in (*seeds.tolist(), *others.tolist()):
        start = single_starts(settings, [seed])  # one at a time: an environment takes 30 MB
        around = around or start[0][0]
        parts[CALIBRATION if seed in seeds else OTHERS] += single_histories(settings, start)
        if seed in others:
            parts[INERT] += single_histories(inert, start)
    return Scenario(
        histories=tuple(history for part in parts.values() for history in part),
        labels=tuple(label for label, part in parts.items() for _ in part),
        seeds=tuple(int(seed) for seed in (*seeds, *others, *others)),
        around=around,
    )


def measure_velocities(histories: Sequence[History]) -> Velocities:
    """Speeds of all dislocations, each over the time it was there."""
    rows = []
    for history in histories:
        for ident in history.states[0].ident:
            track = history.track(int(ident))
            if len(track["time"]) > 1:
                rows.append((track["time"][-1] - track["time"][0], track["glide"][-1], track["climb"][-1]))
    time, glide, climb = np.array(rows).T
    seen = histories[0].settings.burgers
    gliding, climbing = np.abs(glide) > seen, np.abs(climb) > seen
    path = climb[climbing]
    return Velocities(
        glide=np.abs(glide[gliding]) / time[gliding],
        climb=np.abs(path) / time[climbing],
        negative_share=float(np.mean(path < 0)),
        negative_path=float(np.abs(path[path < 0]).sum() / np.abs(path).sum()),
        followed=len(rows),
    )


def calibrate(settings: Settings, seeds: Sequence[int] = SEEDS, tolerance: float = 0.02) -> Settings:
    """The two mobilities for which the mean velocities of single dislocations are the observed ones.

    Fixed point M <- M target / mean. An annihilation or exit more or less makes the means jump by about one
    per cent: hence the tolerance. Raises RuntimeError after 30 rounds without agreement.
    """
    starts = single_starts(settings, seeds)
    for _ in range(30):
        found = measure_velocities(single_histories(settings, starts))
        glide, climb = GLIDE / found.glide.mean(), CLIMB / found.climb.mean()
        if max(abs(glide - 1), abs(climb - 1)) < tolerance:
            return settings
        settings = replace(
            settings,
            glide_mobility=settings.glide_mobility * glide,
            climb_mobility=settings.climb_mobility * climb,
        )
    raise RuntimeError("the mobilities did not converge")


# -- dipoles -----------------------------------------------------------------------------------------------

H2, EMPTY = 0.35, 0.0  # site fractions of Li around a patch and in it
LENGTH, THICKNESS, ANGLE = 16e-9, 3e-9, np.pi / 4  # a lens of emptied crystal, inclined to the layers


def lens(x: float, y: float, start: float, leave: float, gone: float) -> Patch:
    """Lens of emptied crystal that forms within 1.5 s and, between `leave` and `gone` (s), evens out."""
    return Patch(x, y, LENGTH, THICKNESS, EMPTY, start, start + 1.5, leave, gone, ANGLE)


@dataclass(frozen=True)
class PairLife:
    """One nucleated dipole.

    Attributes:
        idents: numbers of its two dislocations.
        born, died: times of nucleation and of the mutual annihilation, s; `died` is NaN if they do not meet.
        first: distance of the new cores, m.
        widest: largest distance, m.
        glide, climb: change of the distance along and across the layers from birth to the widest, m.
        last: distance at the end of its record, m.
    """

    idents: tuple[int, int]
    born: float
    died: float
    first: float
    widest: float
    glide: float
    climb: float
    last: float


def pair_lives(history: History) -> list[PairLife]:
    """Lives of all nucleated dipoles of which two stored states at least tell."""
    annihilated = {frozenset(e.ident): e.time for e in history.events if e.kind == ANNIHILATION}
    lives = []
    for event in history.events:
        if event.kind != NUCLEATION:
            continue
        time, dx, dy = history.separation(*event.ident)
        if len(time) < 2:
            continue
        apart = np.hypot(dx, dy)
        k = int(np.argmax(apart))
        lives.append(
            PairLife(
                idents=event.ident,
                born=event.time,
                died=annihilated.get(frozenset(event.ident), np.nan),
                first=event.separation,
                widest=float(apart[k]),
                glide=float(abs(dx[k]) - event.separation),
                climb=float(abs(dy[k])),
                last=float(apart[-1]),
            )
        )
    return lives


def dipole(settings: Settings, seeds: int = 3) -> Scenario:
    """Perfect crystal around one lens that evens out between 8 and 16 s; 20 s each.

    The time of annihilation follows the lens: it says when the misfit goes, the model how the dipole answers.
    """
    slab = small_slab(settings)
    around = patched(slab, settings, H2, H2, [lens(0, slab.period / 2, 0.5, 8, 16)], 20)
    return _seeded(Crystal(slab, settings, around), "lens", seeds)


def _seeded(crystal: Crystal, label: str, seeds: int) -> Scenario:
    """20 s from the perfect crystal, once for each of the seeds 1, 2, ..."""
    chosen = tuple(range(1, seeds + 1))
    histories = tuple(run(crystal, initial_state([], [], [], seed), 20, 0.1) for seed in chosen)
    return Scenario(histories, (label,) * seeds, chosen, crystal.environment)


def pair(settings: Settings, seeds: int = 3) -> Scenario:
    """One lens from 0.5 s on that evens out from 7 to 14 s, and a second one beside it from 6 s on."""
    slab = small_slab(settings)
    lenses = [lens(-3e-9, slab.period / 2, 0.5, 7, 14), lens(3e-9, slab.period / 2, 6.5, np.inf, np.inf)]
    around = patched(slab, settings, H2, H2, lenses, 20)
    return _seeded(Crystal(slab, settings, around), "two lenses", seeds)


def two_lives(history: History) -> tuple[PairLife | None, PairLife | None]:
    """The first dipole of the first lens and the first one that came after 6 s."""
    lives = pair_lives(history)
    first = next((life for life in lives if life.born <= 6), None)
    return first, next((life for life in lives if life.born > 6), None)


@dataclass(frozen=True)
class UpperClimb:
    """Moves (m) of a single dislocation, then of it and both cores of a dipole beside it.

    Attributes:
        single: glide and climb path of the single one in the first 10 s; negative climb is negative.
        single_later: its path length while the dipole moves.
        upper, lower: glide and climb path of the dipole's cores from 15 to 17 s.
    """

    single: tuple[float, float]
    single_later: float
    upper: tuple[float, float]
    lower: tuple[float, float]


BEFORE, AFTER = "single", "single and dipole"


def single(settings: Settings, seeds: int = 1) -> Scenario:
    """A single dislocation in an emptying patch; at 15 s a dipole of 2 nm appears right of it.

    Both stand in the lithiated crystal. A flat patch empties from 14 s on where the upper core is going to
    be. The dipole is part of the set-up: nucleation by shear makes no pair one above the other. Nothing
    nucleates, so one seed tells as much as many: `seeds` is not used.
    """
    slab = small_slab(settings)
    left = Patch(-5e-9, 10e-9, 8e-9, 4e-9, 0.05, 0.5, 2, 8, 11)
    right = Patch(4e-9, 15e-9, 10e-9, 3e-9, 0.05, 14, 15.5)
    crystal = Crystal(slab, settings, patched(slab, settings, 1.0, 1.0, [left, right], 17))
    before = run(crystal, initial_state([-3e-9], [10e-9], [-1.0], 1), 15, 0.25)
    joined, _ = add_dipole(before.states[-1], 4e-9, 13e-9, (0.0, -1e-9))
    after = run(crystal, joined, 17, 0.1)
    return Scenario((before, after), (BEFORE, AFTER), (1, 1), crystal.environment)


def upper_climb(scenario: Scenario) -> UpperClimb:
    """Moves in the two histories of `single`."""
    before, after = scenario.part(BEFORE)[0], scenario.part(AFTER)[0]
    lower, upper = (_path(after, int(ident), 17) for ident in after.states[0].ident[-2:])
    later = np.hypot(*np.subtract(_path(after, 0, 17), _path(after, 0, 15)))
    return UpperClimb(_path(before, 0, 10), float(later), upper, lower)


def _path(history: History, ident: int, time: float) -> tuple[float, float]:
    """Glide and climb path (m) of a dislocation at `time` (s), or when it was last there; NaN if never."""
    track = history.track(ident)
    k = int(np.searchsorted(track["time"], time + 1e-6)) - 1
    if k < 0:
        return np.nan, np.nan
    return float(track["glide"][k]), float(track["climb"][k])


# -- reorientation -----------------------------------------------------------------------------------------


MOVING, STAYING = "travelling lenses", "resting lenses"
WALL = 8  # dislocations in the tilt wall


@dataclass(frozen=True)
class Reorientation:
    """Course of a burst at the wall.

    Attributes:
        count: interfacial dislocations at the start, at the most and at the end.
        angle: tilt in rad between the ends of the slab at the start and at the end.
        pairs: wall dislocations annihilated by newly nucleated partners.
        escaped: Burgers content out through the surface of domain 1 and of domain 2.
        balance: whether wall + inside + escaped content stayed the same at every stored time.
        wall, peak, retained: dislocations per area of the slab, 1/m2, at the start, at the most, at the end.
    """

    count: tuple[int, int, int]
    angle: tuple[float, float]
    pairs: int
    escaped: tuple[int, int]
    balance: bool
    wall: float
    peak: float
    retained: float


def burst(settings: Settings, seeds: int = 3) -> Scenario:
    """A tilt wall of `WALL` dislocations; domain 1 empties in four lenses that start at the wall.

    From 2 s on the lenses travel to the free surface of domain 1, 8 nm away, and even out from 10 to 14 s.
    The last run is the first one again with lenses that stay at the wall.
    """
    slab = Slab(-8e-9, 12e-9, 80 * settings.layer_spacing)
    centres = (np.arange(4) + 0.5) * slab.period / 4

    def crystal(drift: float) -> Crystal:
        lenses = [replace(lens(-4e-9, float(y), 0.5, 10, 14), angle=-ANGLE, drift=drift) for y in centres]
        return Crystal(slab, settings, patched(slab, settings, 0.5, 0.5, lenses, 20))

    y = (np.arange(WALL) + 0.5) * slab.period / WALL
    moving, staying = crystal(-1e-9), crystal(0.0)
    chosen = (*range(1, seeds + 1), 1)
    histories = tuple(
        run(place, initial_state(np.zeros(WALL), y, np.ones(WALL), seed), 20, 0.1)
        for place, seed in zip([moving] * seeds + [staying], chosen, strict=True)
    )
    return Scenario(histories, (MOVING,) * seeds + (STAYING,), chosen, moving.environment)


def reorientation(history: History) -> Reorientation:
    """What one history of `burst` amounts to."""
    count, content, angle = history.interface()[0], history.content(), history.slab_angle()
    wall = int(history.states[0].sign.sum())
    density = np.array([len(state) for state in history.states]) / history.slab.area
    return Reorientation(
        count=(int(count[0]), int(count.max()), int(count[-1])),
        angle=(float(angle[0]), float(angle[-1])),
        pairs=sum(e.kind == ANNIHILATION and min(e.ident) < wall for e in history.events),
        escaped=(int(content[-1, 2]), int(content[-1, 3])),
        balance=bool((content.sum(axis=1) == wall).all()),
        wall=float(density[0]),
        peak=float(density.max()),
        retained=float(density[-1]),
    )


# -- crystal -----------------------------------------------------------------------------------------------


def c_axis_course() -> tuple[float, float]:
    """Largest relative expansion of c of LiNiO2 on charge, and its change at full charge."""
    c = lattice_parameters(np.linspace(1, 0, 201))[1]
    return float(c.max() / c[0] - 1), float(c[-1] / c[0] - 1)


OLD_CORES, SECONDS = 12, 20.0  # cores left after formation; the length of the in-situ runs, s


def long_cycling(settings: Settings, rock: RockSalt, seed: int = 1) -> Ageing:
    """Hundreds of hours of a slab with old cores at random places, which hardly move any more."""
    slab = wide_slab(settings)
    cores = scattered(slab, OLD_CORES, 5e-9, np.random.default_rng([seed, 20250114]))
    age = np.concatenate([[0.0, SECONDS], np.geomspace(60.0, rock.cycling_time, 60)])
    return age_slab(settings, rock, slab, *cores, age, seed)


SCENARIOS: dict[str, Callable[[Settings, int], Scenario]] = {
    "velocities": velocities,
    "dipole": dipole,
    "pair": pair,
    "single": single,
    "burst": burst,
}
