"""What the lives of one strategy show, seed by seed: its first cycle in full, and how far it faded.

Lattice changes are means over the active material of the stress-free lattice, as a powder pattern of the
whole particle averages them: elastic strain is left out, since a bonded particle overstates it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from faultline.config.models import LatticeTable
from faultline.config.stage import from_slice
from faultline.dataset import read_dataset, write_dataset
from faultline.errors import UserError
from faultline.life.ensemble import Cycle, Life, one_life
from faultline.life.record import SERIES
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure.build import build_particle
from faultline.observables.electrochemistry import HalfCycle, half_cycles
from faultline.observables.strategy_quantities import (
    FRAMES,
    OF_FRAMES,
    OF_RECORD,
    QUANTITIES,
    SAMPLES,
    life_quantities,
    polarisation,
)
from faultline.provenance import ROOT

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)

BINS = 128  # of the slab spacing
MARGIN = 0.01  # by which the bins reach beyond the lattice table, of the spacing
CURRENT = "direction of the current, 1 on charge, -1 on discharge"
Halves = tuple[HalfCycle | None, HalfCycle | None]


KEY = ("config_hash", "code_hash", "lock_hash", "input_hashes")  # of a checkpoint's provenance


# ---- runs


def strategy_runs(
    config: Mapping[str, Any],
    seeds: Sequence[int],
    checkpoint: Path | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Every seed of a strategy; a seed without a solution keeps what it found, and its message.

    A polarisation of the file is over what charge and discharge of the seed pass, whatever a control passes.

    Args:
        config: a `strategy_slice`.
        seeds: which.
        checkpoint: file that holds the seeds that are done while others run.
        provenance: what the checkpoint must be of to be taken up.
    """
    done = _kept(checkpoint, provenance or {})
    for seed in seeds:
        if seed not in done:
            done[seed] = _seed(config, seed)
            if checkpoint is not None and len(done) < len(seeds):
                write_dataset(joined(list(done.values())), checkpoint, provenance)
    runs = joined([done[seed] for seed in seeds])
    late = life_quantities(runs, config["end"]) | {"polarisation": polarisation(runs)}
    for name, values in late.items():
        quantity = QUANTITIES[name]
        runs[name] = ("seed", values, _attributes(quantity.unit, quantity.words))
    return runs.assign_attrs(cycles=config["end"], ends=list(config["ends"]))


def _seed(config: Mapping[str, Any], seed: int) -> xr.Dataset:
    """One life as a dataset with a `seed` of length one."""
    ends = list(config["ends"])
    log.info("seed %d: particle", seed)
    particle = build_particle(from_slice(config["particle"]).microstructure, seed, ROOT)
    log.info("seed %d: %d triangles, %d cycles", seed, particle.n_cells, max(ends, default=1))
    life = one_life(particle, config["stages"], seed, max(ends, default=1), ends)
    log.info("seed %d: %s", seed, life.message or "done")
    table = from_slice(config["stages"]["life"]).material.lattice
    return observed(life, table).expand_dims(seed=[seed])


def _kept(checkpoint: Path | None, provenance: Mapping[str, Any]) -> dict[int, xr.Dataset]:
    """Seeds by number that an earlier run of the very same kept; a file that is not of it is left aside."""
    if checkpoint is None or not checkpoint.is_file():
        return {}
    try:
        ds = read_dataset(checkpoint)
    except UserError as error:
        log.warning("checkpoint left aside: %s", error)
        return {}
    if any(str(ds.attrs.get(key)) != str(provenance.get(key)) for key in KEY):
        log.info("%s: of other settings or code, all seeds run", checkpoint)
        return {}
    log.info("going on after seeds %s", ds["seed"].values.tolist())
    return {int(seed): ds.sel(seed=[seed]).drop_attrs(deep=False) for seed in ds["seed"].values}


def joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Datasets of one seed each in one: shorter records are padded with NaN."""
    numbered = [part.assign_coords(simulated=np.arange(part.sizes["simulated"])) for part in parts]
    return xr.concat(numbered, "seed", join="outer", data_vars="all").drop_vars("simulated")


# ---- one seed


def observed(life: Life, table: LatticeTable) -> xr.Dataset:
    """What a life shows: numbers, the curve and the lattice of cycle 1, and its series.

    Variables: `OF_RECORD` and `OF_FRAMES` (no dimension), `run_failed` and `message`; over `sample` the curve
    (voltage, specific_capacity, mean_site_fraction) with `c_rate_sign`; over `frame` frame_voltage,
    frame_mean_site_fraction, frame_c_rate_sign and `slab_spacing_histogram` (frame, bin); over `simulated`
    all series of the record under `life_` and their name. What there is not is NaN. Samples and frames are
    even in the charge passed, the first half of them on charge.
    """
    halves = _halves(life.first)
    frames = _frames(life.first, halves)
    result = xr.merge([_series(life.record), _curve(life.first, halves), _histogram(frames, table)])
    first = result.isel(simulated=0)
    numbers = {name: float(first[f"life_{name}"]) for name in OF_RECORD} | _of_frames(frames)
    numbers["failed_fraction_charged"] = _failed_when_charged(life.first, halves[0])
    for name, quantity in (OF_RECORD | OF_FRAMES).items():
        result[name] = ((), numbers[name], _attributes(quantity.unit, quantity.words))
    result["run_failed"] = ((), np.int8(bool(life.message)), _attributes("1", "whether there is no solution"))
    result["message"] = ((), life.message, {"long_name": "why there is no solution"})
    return result


def _attributes(unit: str, words: str) -> dict[str, str]:
    return {"units": unit, "long_name": words}


def _series(record: xr.Dataset | None) -> xr.Dataset:
    """Series of the simulated cycles, one row of NaN where there is none."""
    if record is None or not record.sizes["simulated"]:
        missing = np.full(1, np.nan)
        return xr.Dataset({f"life_{k}": ("simulated", missing, _attributes(*SERIES[k])) for k in SERIES})
    found = record[[name for name in record if record[name].dims == ("simulated",)]]
    return found.rename({name: f"life_{name}" for name in found}).drop_attrs(deep=False)


def _halves(first: Cycle | None) -> Halves:
    """The first charge and the first discharge, None where there is none."""
    if first is None:
        return None, None
    names = ("time", "voltage", "c_rate", "specific_capacity", "mean_site_fraction", "cycle")
    found = half_cycles(xr.Dataset({name: ("step", first.history.column(name)) for name in names}))
    charge, discharge = (next((h for h in found if h.charge == wanted), None) for wanted in (True, False))
    return charge, discharge


def _curve(first: Cycle | None, halves: Halves) -> xr.Dataset:
    """The first charge and the first discharge."""
    words = {
        "voltage": ("V", "particle voltage"),
        "specific_capacity": ("mAh/g", "charge extracted since the start"),
        "mean_site_fraction": ("1", "mean site fraction"),
    }
    columns = np.concatenate([_sampled(first, half, SAMPLES // 2) for half in halves], axis=1)
    values = {
        name: ("sample", column, _attributes(*words[name]))
        for name, column in zip(words, columns, strict=True)
    }
    signs = np.repeat([1.0, -1.0], SAMPLES // 2)
    return xr.Dataset({**values, "c_rate_sign": ("sample", signs, _attributes("1", CURRENT))})


def _sampled(first: Cycle | None, half: HalfCycle | None, count: int) -> Floats:
    """(3, count) voltage, capacity, mean site fraction at even steps of a half-cycle's charge; NaN without.

    Time steps are long beside those of the open-circuit voltage. Between them the overpotential is linear and
    the voltage follows the open-circuit one. The state that the half-cycle starts from still carries another
    current or none: its overpotential is taken to be that of the first step.
    """
    if first is None or half is None:
        return np.full((3, count), np.nan)
    at_rest = first.model.material.voltage
    over = half.voltage - at_rest(half.site_fraction)
    over[0] = over[1]
    passed = np.abs(half.capacity - half.capacity[0])
    grid = np.linspace(0, passed[-1], count)
    over, capacity, x = (np.interp(grid, passed, y) for y in (over, half.capacity, half.site_fraction))
    return np.array([at_rest(x) + over, capacity, x])


def _failed_when_charged(first: Cycle | None, charge: HalfCycle | None) -> float:
    """Failed share of the interfaces at the end of the first charge; NaN without one."""
    if first is None or charge is None:
        return math.nan
    return float(first.history.frames["failed_fraction"][_rows(first, charge)[-1]])


# ---- the lattice


@dataclass(frozen=True)
class Frames:
    """The lattice at even steps of the charge passed, of the first charge and, after it, the first discharge.

    Attributes:
        site_fraction: (FRAMES, n_cells); NaN in a half-cycle that did not take place.
        stretch: (FRAMES, n_cells, 3) stress-free lattice along a, b and c over the pristine one.
        weight: (n_cells,) share of each cell in the mean over the active material.
        voltage: (FRAMES,) V.
        model: laws of the particle.
    """

    site_fraction: Floats
    stretch: Floats
    weight: Floats
    voltage: Floats
    model: ParticleModel

    def mean(self, values: Floats) -> Floats:
        """(FRAMES,) mean of values (FRAMES, n_cells) over that of the first frame."""
        mean = values @ self.weight
        return np.asarray(mean / mean[0])


def _frames(first: Cycle | None, halves: Halves) -> Frames | None:
    """Of a cycle; compositions between two stored fields are linear in the charge passed."""
    if first is None:
        return None
    model = first.model
    parts = [_between(first, half, FRAMES // 2) for half in halves]
    x = np.concatenate(parts)
    voltage = np.concatenate([_sampled(first, half, FRAMES // 2)[0] for half in halves])
    area = np.where(model.in_core, model.particle.cell_area, 0.0)
    return Frames(x, stretch_of(model, x), area / area.sum(), voltage, model)


def stretch_of(model: ParticleModel, x: Floats) -> Floats:
    """(n, n_cells, 3) stress-free lattice along a, b and c over the pristine one; no rock salt from heat."""
    known = np.isfinite(x)
    strain = model.material.lattice_strain(np.where(known, x, 0.0).ravel()).reshape(*x.shape, 3)
    scale = np.broadcast_to(model.lattice_scale, x.shape[1:])
    return np.asarray(np.where(known[..., None], 1 + scale[:, None] * strain, np.nan))


def _between(cycle: Cycle, half: HalfCycle | None, count: int) -> Floats:
    """(count, n_cells) compositions at even steps of the charge passed in a half-cycle."""
    cells = cycle.model.particle.n_cells
    if half is None:
        return np.full((count, cells), np.nan)
    rows = _rows(cycle, half)
    x, capacity = cycle.history.field("site_fraction")[rows], cycle.history.field("frame_capacity")[rows]
    passed = np.abs(capacity - capacity[0])
    place = np.interp(np.linspace(0, passed[-1], count), passed, np.arange(len(rows)))
    before = np.minimum(place.astype(int), len(rows) - 2)
    share = (place - before)[:, None]
    return np.asarray((1 - share) * x[before] + share * x[before + 1])


def _rows(cycle: Cycle, half: HalfCycle) -> NDArray[np.int64]:
    """Stored fields of a half-cycle, from the state that it starts from to its end."""
    times, margin = cycle.history.field("frame_time"), 1e-9 * half.time[-1]
    return np.flatnonzero((times >= half.time[0] - margin) & (times <= half.time[-1] + margin))


def _of_frames(frames: Frames | None) -> dict[str, float]:
    """Numbers of `OF_FRAMES`; those of a half-cycle that did not take place are NaN."""
    if frames is None:
        return dict.fromkeys(OF_FRAMES, math.nan)
    charge, discharge = slice(FRAMES // 2), slice(FRAMES // 2, None)
    slab = frames.mean(frames.stretch[..., 2])[charge]
    planar = frames.mean(frames.stretch[..., :2].mean(axis=-1))
    volume = frames.mean(frames.stretch.prod(axis=-1))
    top = int(slab.argmax())
    return {
        "slab_change": float(np.ptp(slab)),
        "slab_change_net": float(slab[-1] - 1),
        "c_expansion": float(slab[top] - 1),
        "c_contraction": float(slab[top] - slab[top:].min()),
        "planar_strain": float(np.ptp(planar[charge])),
        "planar_strain_discharge": float(np.ptp(planar[discharge])),
        "volume_change": float(np.fmax.reduce(np.abs(volume - 1))),
        "two_phase_share": _between_phases(frames, charge),
    }


def _between_phases(frames: Frames, part: slice) -> float:
    """Share of the material that lies between two phases, mean over the charge passed."""
    x = frames.site_fraction[part]
    gaps = frames.model.material.lattice.gaps
    between = sum(((x > low) & (x < high) for low, high in gaps), np.zeros(x.shape, dtype=bool))
    return float(np.mean(np.where(np.isfinite(x), between, np.nan) @ frames.weight))


def _histogram(frames: Frames | None, table: LatticeTable) -> xr.Dataset:
    """Voltage, composition and shares of slab spacings of the frames; NaN without a first cycle."""
    spacing = np.asarray(table.slab_spacing)
    edges = np.linspace((1 - MARGIN) * spacing.min(), (1 + MARGIN) * spacing.max(), BINS + 1)
    share, voltage, mean = np.full((FRAMES, BINS), np.nan), np.full(FRAMES, np.nan), np.full(FRAMES, np.nan)
    if frames is not None:
        reference = np.interp(frames.model.material.lattice.reference, table.site_fraction, spacing)
        share = histograms(reference * frames.stretch[..., 2], frames.weight, edges)
        voltage, mean = frames.voltage, frames.site_fraction @ frames.weight
    signs = np.repeat([1.0, -1.0], FRAMES // 2)
    found = {
        "frame_voltage": ("frame", voltage, _attributes("V", "voltage of the frame")),
        "frame_mean_site_fraction": ("frame", mean, _attributes("1", "mean site fraction of the frame")),
        "frame_c_rate_sign": ("frame", signs, _attributes("1", CURRENT)),
    }
    words = _attributes("1", "share of the active material by slab spacing")
    middle = _attributes("m", "slab spacing, middle of the bin")
    return xr.Dataset(
        {**found, "slab_spacing_histogram": (("frame", "bin"), share, words)},
        coords={"bin": ("bin", (edges[1:] + edges[:-1]) / 2, middle)},
    )


def histograms(values: Floats, weight: Floats, edges: Floats) -> Floats:
    """(n, n_bins) shares of `values` (n, n_cells); what lies beyond counts in the last bin, NaN gives NaN."""
    inside = np.clip(values, edges[0], edges[-1])
    none = np.full(len(edges) - 1, np.nan)
    known = np.atleast_1d(np.isfinite(values).all(axis=1))
    return np.array(
        [
            np.histogram(row, edges, weights=weight)[0] if fine else none
            for row, fine in zip(inside, known, strict=True)
        ]
    )
