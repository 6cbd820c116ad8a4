"""Runs of a screening: short lives along random trajectories through the ranges of what is estimated.

A trajectory starts at a random point of a grid over all ranges and moves one factor at a time, so that two
runs that follow one another differ in one factor alone (Morris, Technometrics 33, 161, 1991).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from SALib.sample import morris

from faultline.config.stage import from_slice
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import UserError
from faultline.life.ensemble import one_life
from faultline.microstructure import Particle
from faultline.microstructure.build import build_particle
from faultline.provenance import ROOT

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)

SEED = 0  # of the trajectories: a longer screening begins with those of a shorter one
OUTPUTS = {
    "failed_fraction": "failed share of the interfaces at the end of the life",
    "mean_damage": "mean damage of the interfaces at the end of the life",
    "retention": "discharge capacity at the end of the life over cycle 1",
}
FLAGS = {"run_failed": "whether there is no solution", "run_done": "whether it ran"}
DIMS, TWINS = ("trajectory", "step"), ("trajectory", "end", "contrast")
CONTRAST = "contrast_"  # before the names of what changed cases gave
ENDS = (0, -1)  # points of a trajectory at which they run
KEY = ("config_hash", "code_hash", "lock_hash", "input_hashes")  # of a checkpoint's provenance
Measured = tuple[dict[str, float], str]  # outputs by name, and why there are none
Model = Callable[[int, Floats, str], Measured]  # of a seed, places within the ranges, and a contrast or ""


def points(factors: int, trajectories: int, levels: int) -> Floats:
    """(trajectories, factors + 1, factors) places within the ranges, 0 at their low ends and 1 at the high.

    Steps go over half of the levels, levels / (2 (levels - 1)), up or down. More trajectories begin with the
    same ones.
    """
    names = [str(k) for k in range(factors)]
    problem = {"num_vars": factors, "names": names, "bounds": [[0.0, 1.0]] * factors}
    found = morris.sample(problem, trajectories, num_levels=levels, seed=SEED)
    return np.asarray(found, dtype=float).reshape(trajectories, factors + 1, factors)


def value_of(parameter: Mapping[str, Any], place: float) -> float:
    """Value of a parameter at a place within its range, on the scale that it names."""
    low, high = parameter["low"], parameter["high"]
    if parameter["scale"] == "logarithmic":
        return float(low ** (1 - place) * high**place)
    return float(low + place * (high - low))


def changed(stages: Mapping[str, Any], config: Mapping[str, Any], places: Sequence[float]) -> dict[str, Any]:
    """Slices with every parameter at its factor's place, in all stages that have it."""
    found = dict(stages)
    for place, members in zip(places, config["factors"].values(), strict=True):
        for one in members:
            value = value_of(one, place)
            found = {stage: _replaced(plain, one["path"], value) for stage, plain in found.items()}
    return found


def _replaced(plain: Mapping[str, Any], path: Sequence[str], value: float) -> Mapping[str, Any]:
    """The same with a value at a path; unchanged where the path ends early."""
    key, *rest = path
    if key not in plain:
        return plain
    if not rest:
        return {**plain, key: value}
    return {**plain, key: _replaced(plain[key], rest, value)} if isinstance(plain[key], Mapping) else plain


def life_model(config: Mapping[str, Any]) -> Model:
    """What a life with everything at its place shows; particles are made once a seed."""
    particles: dict[int, Particle] = {}

    def model(seed: int, places: Floats, change: str) -> Measured:
        if seed not in particles:
            particles[seed] = build_particle(from_slice(config["particle"]).microstructure, seed, ROOT)
        try:
            plain = config["contrasts"][change] if change else config["stages"]
            stages = changed(plain, config, list(places))
            life = one_life(particles[seed], stages, seed, config["cycles"])
        except UserError as error:  # values that contradict each other, such as an unstable lattice
            return {}, str(error)
        if life.message or life.record is None:
            return {}, life.message
        end = life.record.isel(simulated=-1)
        capacity = life.record["discharge_capacity"].values
        found = {name: float(end[name]) for name in ("failed_fraction", "mean_damage")}
        return found | {"retention": float(capacity[-1] / capacity[0])}, ""

    return model


def sensitivity_runs(
    config: Mapping[str, Any],
    first: int,
    last: int,
    model: Model | None = None,
    checkpoint: Path | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Every run of some trajectories; not a number, with its message, where one found no solution.

    Variables over (trajectory, step): `OUTPUTS`, `run_done`, `run_failed` and `message`; the same of changed
    cases over (trajectory, end, contrast), with `contrast_` before the name, at the first and the last point
    of each trajectory; `place` over (trajectory, step, factor); `seed` over trajectory. The attribute
    `wall_time_s` is that of all runs.

    Args:
        config: a `sensitivity_slice`.
        first: number of the first trajectory, from 1.
        last: number of the last one.
        model: what gives the outputs; default: a life.
        checkpoint: file that holds the runs that are done while others run.
        provenance: what the checkpoint must be of to be taken up.
    """
    names, changes = list(config["factors"]), list(config["contrasts"])
    places = points(len(names), last, config["levels"])[first - 1 :]
    runs = _kept(checkpoint, provenance or {})
    if runs is None:
        runs = _empty(names, changes, np.arange(first, last + 1), config["seeds"], places)
    model, waiting = model or life_model(config), _waiting(runs)
    log.info("%d runs to do, of %d factors and %d contrasts", len(waiting), len(names), len(changes))
    started = time.monotonic()
    for count, (kind, at) in enumerate(waiting, 1):
        clock = time.perf_counter()
        trajectory, point = at[:2]
        point, change = (ENDS[point], changes[at[2]]) if kind else (point, "")
        values, message = model(int(runs["seed"].values[trajectory]), places[trajectory, point], change)
        _note(runs, kind, at, values, message)
        runs.attrs["wall_time_s"] += time.perf_counter() - clock
        each = (time.monotonic() - started) / count
        left, said = each * (len(waiting) - count) / 60, message or "done"
        log.info("run %d of %d: %s; %.1f s a run, %.1f min left", count, len(waiting), said, each, left)
        if checkpoint is not None and count < len(waiting):
            write_dataset(runs, checkpoint, provenance)
    return runs


def _waiting(runs: xr.Dataset) -> list[tuple[str, tuple[int, ...]]]:
    """Runs that are still to do: the prefix of their variables, and their place there."""
    return [
        (kind, tuple(at))
        for kind in ("", CONTRAST)
        for at in np.argwhere(runs[f"{kind}run_done"].values == 0).tolist()
    ]


def _note(
    runs: xr.Dataset, kind: str, at: tuple[int, ...], values: Mapping[str, float], message: str
) -> None:
    for name in OUTPUTS:
        runs[kind + name].values[at] = values.get(name, np.nan)
    runs[f"{kind}run_failed"].values[at] = bool(message)
    runs[f"{kind}message"].values[at] = message
    runs[f"{kind}run_done"].values[at] = 1


def _empty(
    names: Sequence[str], changes: Sequence[str], numbers: NDArray[np.int64], seeds: int, places: Floats
) -> xr.Dataset:
    """No run yet; trajectories take the seeds in turn."""
    coordinates = {"trajectory": numbers, "factor": list(names), "contrast": np.array(changes, dtype=object)}
    found = xr.Dataset(coords=coordinates)
    found["place"] = ((*DIMS, "factor"), places, _words("1", "place within the range, 0 low and 1 high"))
    found["seed"] = ("trajectory", (numbers - 1) % seeds + 1, _words("1", "seed of the particle"))
    kinds = {"": (DIMS, places.shape[:2]), CONTRAST: (TWINS, (len(numbers), len(ENDS), len(changes)))}
    for kind, (dims, shape) in kinds.items():
        for name, words in OUTPUTS.items():
            found[kind + name] = (dims, np.full(shape, np.nan), _words("1", words))
        for name, words in FLAGS.items():
            found[kind + name] = (dims, np.zeros(shape, dtype=np.int8), _words("1", words))
        message = np.full(shape, "", dtype=object)
        found[f"{kind}message"] = (dims, message, {"long_name": "why there is no solution"})
    return found.assign_attrs(wall_time_s=0.0)


def _words(unit: str, words: str) -> dict[str, str]:
    return {"units": unit, "long_name": words}


def _kept(checkpoint: Path | None, provenance: Mapping[str, Any]) -> xr.Dataset | None:
    """Runs that an earlier, stopped job of the very same kept; a file that is not of it is left aside."""
    if checkpoint is None or not checkpoint.is_file():
        return None
    try:
        found = read_dataset(checkpoint)
    except UserError as error:
        log.warning("checkpoint left aside: %s", error)
        return None
    if any(str(found.attrs.get(key)) != str(provenance.get(key)) for key in KEY):
        log.info("%s: of other settings or code, all runs start anew", checkpoint)
        return None
    return found.drop_attrs(deep=False).assign_attrs(wall_time_s=float(found.attrs["wall_time_s"]))
