"""Stage files of the nanoscale scenarios: histories to a dataset and back, without loss.

Runs stand one after the other: `run` counts runs, `state` their stored states, `row` the dislocations of all
states, `event` the events. Any stored state is one that a run can go on from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.dislocations.composition import CONTENT, Environment
from faultline.dislocations.degradation import Ageing, RockSalt
from faultline.dislocations.lattice import lattice_parameters
from faultline.dislocations.parameters import Settings
from faultline.dislocations.scenarios import SCENARIOS, Scenario, long_cycling
from faultline.dislocations.state import PER_DISLOCATION, Event, History, history_arrays, state_from_arrays
from faultline.dislocations.strip import Slab
from faultline.errors import NotConverged

COARSE = 2  # every other node of the composition grid is stored: 0.4 nm, for figures only

# name: dimensions, unit, long name
_VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "label": (("run",), "", "part that the run plays in the scenario"),
    "seed": (("run",), "1", "seed of the run"),
    "steps": (("run",), "1", "accepted time steps"),
    "slab": (("run", "measure"), "m", "left and right surface, period and wall of the slab"),
    "harmonics": (("run",), "1", "waves along the wall that resolve the free surfaces"),
    "states": (("run",), "1", "stored states of the run"),
    "events": (("run",), "1", "events of the run"),
    "time": (("state",), "s", "time"),
    "step": (("state",), "s", "length of the next time step"),
    "next_check": (("state",), "s", "time of the next look for nucleation"),
    "next_ident": (("state",), "1", "number of the next dislocation"),
    "escaped": (("state", "surface"), "1", "Burgers content that has left through either surface"),
    "random": (("state", "word"), "1", "state of the PCG64 generator"),
    "dislocations": (("state",), "1", "dislocations in the slab"),
    "x": (("row",), "m", "position along a"),
    "y": (("row",), "m", "position along c"),
    "sign": (("row",), "1", "+1 with the extra half plane above, -1 below"),
    "ident": (("row",), "1", "number of the dislocation"),
    "partner": (("row",), "1", "number of the dislocation nucleated with it, or -1"),
    "born": (("row",), "s", "time of nucleation"),
    "glide": (("row",), "m", "path along a"),
    "climb": (("row",), "m", "path of climb, positive where the half plane shrinks"),
    "vx": (("row",), "m s-1", "velocity along a that the next step sets out with"),
    "vy": (("row",), "m s-1", "velocity along c that the next step sets out with"),
    "event_time": (("event",), "s", "time of the event"),
    "event_kind": (("event",), "1", "0 nucleation, 1 annihilation, 2 exit left, 3 exit right"),
    "event_ident": (("event", "pair"), "1", "numbers of the dislocations, -1 for none"),
    "event_x": (("event",), "m", "place of the event along a"),
    "event_y": (("event",), "m", "place of the event along c"),
    "event_separation": (("event",), "m", "distance of the two cores"),
    "frame_time": (("frame",), "s", "time of the composition frame"),
    "grid_x": (("grid_x",), "m", "position along a"),
    "grid_y": (("grid_y",), "m", "position along c"),
    "site_fraction": (("frame", "grid_x", "grid_y"), "1", "lithium per formula unit around the first run"),
    "age": (("age",), "s", "time near full charge"),
    "nuclei_near_cores": (("age",), "1", "expected rock-salt nuclei near one core"),
    "nuclei_elsewhere": (("age",), "1", "expected rock-salt nuclei on as many sites away from cores"),
    "site_x": (("site_x",), "m", "position of the site along a"),
    "site_y": (("site_y",), "m", "position of the site along c"),
    "tension": (("site_x", "site_y"), "Pa", "mean stress"),
    "nuclei": (("site_x", "site_y"), "1", "rock-salt nuclei drawn at the end of cycling"),
    "core_x": (("core",), "m", "position of the core along a"),
    "core_y": (("core",), "m", "position of the core along c"),
    "core_sign": (("core",), "1", "+1 with the extra half plane above, -1 below"),
    "content": (("content",), "1", "lithium per formula unit"),
    "a_axis": (("content",), "m", "lattice parameter a"),
    "c_axis": (("content",), "m", "lattice parameter c"),
}
_PER_STATE = ("time", "step", "next_check", "next_ident", "escaped", "random")


def simulate(scenario: str, constants: Mapping[str, float], seeds: int) -> xr.Dataset:
    """Run a scenario with these constants (SI, by name; defaults for what it does not use).

    Raises NotConverged with the dataset of what was reached as its state.
    """
    settings, rock = settings_from(constants)
    plain = json.dumps(dict(constants), sort_keys=True)
    if scenario == "cycling":
        return ageing_dataset(long_cycling(settings, rock, seeds)).assign_attrs(constants=plain)
    try:
        return scenario_dataset(SCENARIOS[scenario](settings, seeds)).assign_attrs(constants=plain)
    except NotConverged as failure:
        reached = failure.state
        if isinstance(reached, History):
            kept = scenario_dataset(Scenario((reached,), ("not finished",), (-1,)))
            reached = kept.assign_attrs(constants=plain)
        raise NotConverged(
            f"{scenario}: {failure.message}", failure.time, failure.step, failure.residual, reached
        ) from failure


def settings_from(constants: Mapping[str, float]) -> tuple[Settings, RockSalt]:
    """Constants of the dynamics and of rock salt from values by name.

    A scenario is given what it uses. The others are NaN, so that none could be used unnoticed.
    """
    return tuple(  # type: ignore[return-value]
        kind(**{item.name: constants.get(item.name, math.nan) for item in fields(kind)})
        for kind in (Settings, RockSalt)
    )


# -- histories ---------------------------------------------------------------------------------------------


def scenario_dataset(scenario: Scenario) -> xr.Dataset:
    """All runs of a scenario, and the composition around the first one."""
    return _dataset(_flat(scenario.histories) | _roles(scenario) | _composition(scenario.around))


def _roles(scenario: Scenario) -> dict[str, NDArray[Any]]:
    return {"label": np.array(scenario.labels, dtype=object), "seed": np.array(scenario.seeds)}


def _flat(histories: Sequence[History]) -> dict[str, NDArray[Any]]:
    parts = [history_arrays(history) for history in histories]
    slabs = [history.slab for history in histories]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "offset"}
    return {
        "slab": np.array([[s.left, s.right, s.period, s.wall] for s in slabs]),
        "harmonics": np.array([s.harmonics for s in slabs]),
        "steps": np.array([history.steps for history in histories]),
        "states": np.array([len(history.states) for history in histories]),
        "events": np.array([len(history.events) for history in histories]),
        "dislocations": np.concatenate([np.diff(part["offset"]) for part in parts]),
        **joined,
    }


def _composition(around: Environment | None) -> dict[str, NDArray[Any]]:
    if around is None:
        return {}
    content = around.frames[:, CONTENT, ::COARSE, ::COARSE].astype(np.float32)
    _, nx, ny = content.shape
    return {
        "frame_time": around.times,
        "grid_x": around.left + COARSE * around.dx * np.arange(nx),
        "grid_y": COARSE * around.dy * np.arange(ny),
        "site_fraction": content,
    }


def scenario_from_dataset(ds: xr.Dataset) -> Scenario:
    """Histories of a stage file, equal to those that it was written from; the composition stays in `ds`."""
    settings, _ = settings_from(json.loads(ds.attrs["constants"]))
    state = np.cumsum([0, *ds["states"].values])
    event = np.cumsum([0, *ds["events"].values])
    row = np.cumsum([0, *ds["dislocations"].values])
    histories = []
    for k in range(ds.sizes["run"]):
        left, right, period, wall = (float(v) for v in ds["slab"].values[k])
        slab = Slab(left, right, period, wall, int(ds["harmonics"][k]))
        chosen = slice(state[k], state[k + 1])
        arrays = {name: ds[name].values[chosen] for name in _PER_STATE}
        rows = slice(row[state[k]], row[state[k + 1]])
        arrays |= {name: ds[name].values[rows] for name in PER_DISLOCATION}
        arrays["offset"] = row[state[k] : state[k + 1] + 1] - row[state[k]]
        states = tuple(state_from_arrays(arrays, i) for i in range(len(arrays["time"])))
        events = _events(ds, slice(event[k], event[k + 1]))
        histories.append(History(slab, settings, states, events, int(ds["steps"][k])))
    labels, seeds = (tuple(ds[name].values.tolist()) for name in ("label", "seed"))
    return Scenario(tuple(histories), labels, seeds)


def _events(ds: xr.Dataset, chosen: slice) -> tuple[Event, ...]:
    names = ("event_time", "event_kind", "event_ident", "event_x", "event_y", "event_separation")
    columns = [ds[name].values[chosen].tolist() for name in names]
    return tuple(
        Event(time, kind, (ident[0], ident[1]), x, y, apart)
        for time, kind, ident, x, y, apart in zip(*columns, strict=True)
    )


# -- long cycling ------------------------------------------------------------------------------------------


def ageing_dataset(ageing: Ageing) -> xr.Dataset:
    """Rock salt around old cores, and the course of the lattice on charge."""
    content = np.linspace(1, 0, 101)
    a, c = lattice_parameters(content)
    return _dataset(asdict(ageing) | {"content": content, "a_axis": a, "c_axis": c})


def ageing_from_dataset(ds: xr.Dataset) -> Ageing:
    """Rock salt of a stage file."""
    return Ageing(**{item.name: ds[item.name].values for item in fields(Ageing)})


def _dataset(arrays: Mapping[str, Any]) -> xr.Dataset:
    """Variables with their dimensions, units and long names."""
    variables = {}
    for name, values in arrays.items():
        dimensions, unit, words = _VARIABLES[name]
        variables[name] = (
            dimensions,
            values,
            {"units": unit, "long_name": words} if unit else {"long_name": words},
        )
    return xr.Dataset(variables)
