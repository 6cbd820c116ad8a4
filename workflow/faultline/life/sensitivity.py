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
DIMS = ("trajectory", "step")
KEY = ("config_hash", "code_hash", "lock_hash", "input_hashes")  # of a checkpoint's provenance
Measured = tuple[dict[str, float], str]  # outputs by name, and why there are none
Model = Callable[[int, Floats], Measured]  # of a seed, and places within the ranges


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

    def model(seed: int, places: Floats) -> Measured:
        if seed not in particles:
            particles[seed] = build_particle(from_slice(config["particle"]).microstructure, seed, ROOT)
        try:
            stages = changed(config["stages"], config, list(places))
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

    Variables over (trajectory, step): `OUTPUTS`, `run_done`, `run_failed` and `message`; `place` over
    (trajectory, step, factor); `seed` over trajectory. The attribute `wall_time_s` is that of all runs.

    Args:
        config: a `sensitivity_slice`.
        first: number of the first trajectory, from 1.
        last: number of the last one.
        model: what gives the outputs; default: a life.
        checkpoint: file that holds the runs that are done while others run.
        provenance: what the checkpoint must be of to be taken up.
    """
    names = list(config["factors"])
    places = points(len(names), last, config["levels"])[first - 1 :]
    runs = _kept(checkpoint, provenance or {})
    if runs is None:
        runs = _empty(names, np.arange(first, last + 1), config["seeds"], places)
    model, waiting = model or life_model(config), np.argwhere(runs["run_done"].values == 0)
    log.info("%d of %d runs to do, of %d factors", len(waiting), runs["run_done"].size, len(names))
    started = time.monotonic()
    for count, (i, j) in enumerate(waiting.tolist(), 1):
        clock = time.perf_counter()
        values, message = model(int(runs["seed"].values[i]), places[i, j])
        _note(runs, (i, j), values, message)
        runs.attrs["wall_time_s"] += time.perf_counter() - clock
        each = (time.monotonic() - started) / count
        left, said = each * (len(waiting) - count) / 60, message or "done"
        log.info("run %d of %d: %s; %.1f s a run, %.1f min left", count, len(waiting), said, each, left)
        if checkpoint is not None and count < len(waiting):
            write_dataset(runs, checkpoint, provenance)
    return runs


def _note(runs: xr.Dataset, place: tuple[int, int], values: Mapping[str, float], message: str) -> None:
    for name in OUTPUTS:
        runs[name].values[place] = values.get(name, np.nan)
    runs["run_failed"].values[place] = bool(message)
    runs["message"].values[place] = message
    runs["run_done"].values[place] = 1


def _empty(names: Sequence[str], numbers: NDArray[np.int64], seeds: int, places: Floats) -> xr.Dataset:
    """No run yet; trajectories take the seeds in turn."""
    shape = places.shape[:2]
    found = xr.Dataset(coords={"trajectory": numbers, "factor": list(names)})
    found["place"] = ((*DIMS, "factor"), places, _words("1", "place within the range, 0 low and 1 high"))
    found["seed"] = ("trajectory", (numbers - 1) % seeds + 1, _words("1", "seed of the particle"))
    for name, words in OUTPUTS.items():
        found[name] = (DIMS, np.full(shape, np.nan), _words("1", words))
    found["run_failed"] = (DIMS, np.zeros(shape, dtype=np.int8), _words("1", "whether there is no solution"))
    found["message"] = (DIMS, np.full(shape, "", dtype=object), {"long_name": "why there is no solution"})
    found["run_done"] = (DIMS, np.zeros(shape, dtype=np.int8), _words("1", "whether it ran"))
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
