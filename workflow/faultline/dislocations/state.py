"""State of a run, its record over time, and the plain arrays either is stored as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.dislocations.parameters import Settings
from faultline.dislocations.strip import Slab

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

NUCLEATION, ANNIHILATION, EXIT_LEFT, EXIT_RIGHT = range(4)
PER_DISLOCATION = ("x", "y", "sign", "ident", "partner", "born", "glide", "climb", "vx", "vy")
MASK = 2**64 - 1


@dataclass(frozen=True)
class State:
    """Everything that the further course depends on: a run continues from it to the last bit.

    Attributes:
        time, step: s; `step` is the length that the next time step tries.
        next_check: time of the next look for nucleation, s.
        x, y: (n,) positions in m; y is not wrapped.
        sign: (n,) +1 with the extra half plane above, -1 below.
        ident: (n,) number of the dislocation, never used twice.
        partner: (n,) the dislocation nucleated together with this one, or -1.
        born: (n,) time of nucleation, s.
        glide: (n,) signed path along x, m.
        climb: (n,) signed path of climb, m: positive climb (half plane shrinks) counts positive.
        vx, vy: (n,) velocity in m/s that the next step sets out with, NaN where it has to be found anew.
        next_ident: number of the next dislocation.
        escaped: (2,) sum of the signs that left through the left and the right surface.
        random: (6,) state of the PCG64 generator.
    """

    time: float
    step: float
    next_check: float
    x: Array
    y: Array
    sign: Array
    ident: Integers
    partner: Integers
    born: Array
    glide: Array
    climb: Array
    vx: Array
    vy: Array
    next_ident: int
    escaped: Integers
    random: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.x)

    @property
    def content(self) -> int:
        """Burgers content in units of b: what is inside and what has left; nothing changes it."""
        return int(self.sign.sum()) + int(self.escaped.sum())


def initial_state(
    x: Sequence[float] | Array, y: Sequence[float] | Array, sign: Sequence[float] | Array, seed: int
) -> State:
    """Dislocations at x, y (m) with `sign` (+1, -1) at time 0."""
    n = len(x)
    generator = np.random.Generator(np.random.PCG64(seed))
    return State(
        time=0.0,
        step=0.01,
        next_check=0.0,
        x=np.array(x, float),
        y=np.array(y, float),
        sign=np.array(sign, float),
        ident=np.arange(n),
        partner=np.full(n, -1),
        born=np.zeros(n),
        glide=np.zeros(n),
        climb=np.zeros(n),
        vx=np.full(n, np.nan),
        vy=np.full(n, np.nan),
        next_ident=n,
        escaped=np.zeros(2, int),
        random=pack_generator(generator),
    )


def unsettled(state: State) -> State:
    """The state without its velocities: an event, or another crystal, has changed the forces."""
    nothing = np.full(len(state), np.nan)
    return replace(state, vx=nothing, vy=nothing)


def pack_generator(generator: np.random.Generator) -> NDArray[np.uint64]:
    """State of a PCG64 generator as six 64-bit words."""
    full: Any = generator.bit_generator.state
    inner = full["state"]
    words = [inner["state"] >> 64, inner["state"] & MASK, inner["inc"] >> 64, inner["inc"] & MASK]
    return np.array([*words, full["has_uint32"], full["uinteger"]], dtype=np.uint64)


def unpack_generator(words: NDArray[np.uint64]) -> np.random.Generator:
    """Generator that continues from `pack_generator`'s words."""
    high, low, inc_high, inc_low, has, value = (int(word) for word in words)
    bits = np.random.PCG64()
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has,
        "uinteger": value,
    }
    return np.random.Generator(bits)


@dataclass(frozen=True)
class Event:
    """Nucleation (two numbers born), annihilation (two lost) or exit (one lost, the other number is -1).

    Place `x`, `y` and distance `separation` of the two cores (0 for an exit) in m.
    """

    time: float
    kind: int
    ident: tuple[int, int]
    x: float
    y: float
    separation: float = 0.0


@dataclass(frozen=True)
class History:
    """States at the times asked for, and all events; both from the start of the run on."""

    slab: Slab
    settings: Settings
    states: tuple[State, ...]
    events: tuple[Event, ...]
    steps: int

    @property
    def times(self) -> Array:
        """(states,) in s."""
        return np.array([state.time for state in self.states])

    def interface(self) -> tuple[Integers, Integers]:
        """Count and Burgers content (states,) of the dislocations in the band around the domain wall."""
        near = [np.abs(s.x - self.slab.wall) < self.settings.wall_width for s in self.states]
        count = np.array([int(mask.sum()) for mask in near])
        content = np.array([int(s.sign[mask].sum()) for s, mask in zip(self.states, near, strict=True)])
        return count, content

    def content(self) -> Array:
        """Burgers content (states, 4): wall, elsewhere inside, escaped left, escaped right."""
        wall = self.interface()[1]
        inside = np.array([int(s.sign.sum()) for s in self.states])
        escaped = np.array([s.escaped for s in self.states])
        return np.column_stack([wall, inside - wall, escaped])

    def slab_angle(self) -> Array:
        """Tilt in rad between both ends of the slab (states,): all content inside, wall or not."""
        inside = np.array([s.sign.sum() for s in self.states])
        return self.settings.burgers * inside / self.slab.period

    def track(self, ident: int) -> dict[str, Array]:
        """Time, x, y, glide and climb path (m) of one dislocation over the states that hold it."""
        rows = [(s, int(k)) for s in self.states for k in np.flatnonzero(s.ident == ident)]
        names = ("x", "y", "glide", "climb")
        track = {name: np.array([getattr(s, name)[k] for s, k in rows]) for name in names}
        return {"time": np.array([s.time for s, _ in rows]), **track}

    def separation(self, first: int, second: int) -> tuple[Array, Array, Array]:
        """Time (n,) and distance along x and y (n,), m, of two dislocations while both exist."""
        a, b = self.track(first), self.track(second)
        _, i, j = np.intersect1d(a["time"], b["time"], return_indices=True)
        apart = b["y"][j] - a["y"][i]
        apart -= self.slab.period * np.round(apart / self.slab.period)
        return a["time"][i], b["x"][j] - a["x"][i], apart


def history_arrays(history: History) -> dict[str, NDArray[Any]]:
    """Plain arrays that hold all states and events; `offset` (states + 1,) cuts the flat ones into states.

    `state_from_arrays` turns any of them back into a state to go on from.
    """
    states, events = history.states, history.events
    flat = {name: np.concatenate([getattr(s, name) for s in states]) for name in PER_DISLOCATION}
    single = {
        item.name: np.array([getattr(s, item.name) for s in states])
        for item in fields(State)
        if item.name not in PER_DISLOCATION
    }
    return {
        **single,
        **flat,
        "offset": np.cumsum([0, *(len(s) for s in states)]),
        "event_time": np.array([e.time for e in events]),
        "event_kind": np.array([e.kind for e in events], dtype=int),
        "event_ident": np.array([e.ident for e in events], dtype=int).reshape(-1, 2),
        "event_x": np.array([e.x for e in events]),
        "event_y": np.array([e.y for e in events]),
        "event_separation": np.array([e.separation for e in events]),
    }


def state_from_arrays(arrays: Mapping[str, NDArray[Any]], index: int) -> State:
    """State number `index` (from 0, or from the end if negative) of `history_arrays`."""
    index = range(len(arrays["time"]))[index]
    cut = slice(int(arrays["offset"][index]), int(arrays["offset"][index + 1]))
    values: dict[str, Any] = {}
    for item in fields(State):
        if item.name in PER_DISLOCATION:
            values[item.name] = np.array(arrays[item.name][cut])
        else:
            value = arrays[item.name][index]
            values[item.name] = np.array(value) if np.ndim(value) else value.item()
    return State(**values)
