"""Runs of a ranking: short lives of one particle, at either end of every variable."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from faultline.config.rankings import ENDS
from faultline.config.stage import from_slice
from faultline.life.ensemble import one_life
from faultline.life.record import SERIES
from faultline.microstructure import Particle
from faultline.microstructure.build import build_particle
from faultline.provenance import ROOT, config_hash

log = logging.getLogger(__name__)

OF_LIFE = (  # of the last cycle's record
    "failed_fraction",
    "mean_damage",
    "surface_cracked_fraction",
    "wetted_fraction",
    "mean_corroded_depth",
    "surface_layer_thickness",
    "alkali_loss",
    "rock_salt_share",
)
OF_EXPOSURE = {  # attribute of the exposure: (unit, description)
    "residual_alkali_wt_percent": ("percent", "residual alkali by mass of the particle"),
    "alkali_lost_fraction": ("1", "share of the alkali that storage drew out"),
}
DIMS = ("seed", "variable", "end")


@dataclass(frozen=True)
class Outcome:
    """What one life left, by name; empty where it found no solution, as the message says."""

    values: Mapping[str, float]
    message: str = ""


def ranking_runs(config: Mapping[str, Any], seeds: Sequence[int]) -> xr.Dataset:
    """Every run of some seeds, (seed, variable, end); not a number where a run failed.

    Args:
        config: a `ranking_slice`: `particle`, `cycles`, and the slices of each end by variable.
        seeds: which.
    """
    outcomes = [runs_of_seed(config, seed) for seed in seeds]
    names = list(config["variables"])
    of_life = {name: SERIES[name] for name in OF_LIFE}
    result = xr.Dataset(coords={"seed": list(seeds), "variable": names, "end": list(ENDS)})
    for key, (unit, words) in {**of_life, **OF_EXPOSURE}.items():
        values = [
            [[found[name, end].values.get(key, np.nan) for end in ENDS] for name in names]
            for found in outcomes
        ]
        result[key] = (DIMS, np.array(values, dtype=float), {"units": unit, "long_name": words})
    failed = [[[bool(found[name, end].message) for end in ENDS] for name in names] for found in outcomes]
    words = "whether the run found no solution"
    result["run_failed"] = (DIMS, np.array(failed, dtype=np.int8), {"units": "1", "long_name": words})
    failures = [
        f"seed {seed}, {name} {end}: {found[name, end].message}"
        for seed, found in zip(seeds, outcomes, strict=True)
        for name in names
        for end in ENDS
        if found[name, end].message
    ]
    return result.assign_attrs(failures="; ".join(failures), cycles=config["cycles"])


def runs_of_seed(config: Mapping[str, Any], seed: int) -> dict[tuple[str, str], Outcome]:
    """Outcome by variable and end; ends with the same settings share one run."""
    particle = build_particle(from_slice(config["particle"]).microstructure, seed, ROOT)
    known: dict[str, Outcome] = {}
    found: dict[tuple[str, str], Outcome] = {}
    for name, ends in config["variables"].items():
        for end in ENDS:
            key = config_hash(ends[end])
            if key not in known:
                known[key] = _outcome(particle, ends[end], config["cycles"], seed)
                log.info("seed %d, %s %s: %s", seed, name, end, known[key].message or "done")
            found[name, end] = known[key]
    return found


def _outcome(particle: Particle, slices: Mapping[str, Any], cycles: int, seed: int) -> Outcome:
    """One life; without a solution its message alone."""
    life = one_life(particle, slices, seed, cycles)
    if life.message or life.record is None or life.storage is None:
        return Outcome({}, life.message)
    record, storage = life.record, life.storage
    ends = {name: float(record[name].values[-1]) for name in OF_LIFE}
    return Outcome(ends | {name: float(storage.attrs[name]) for name in OF_EXPOSURE})
