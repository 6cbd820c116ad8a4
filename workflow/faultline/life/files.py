"""A life as stage files: block by block, each with a checkpoint after every simulated cycle.

The files of a block: `life.nc` is its record, `state.nc` the milestone from which the next block goes on.
While it runs, `.life.part.nc` beside them holds both. A run that is taken up again starts there, if the file
is of the same settings, code and inputs, and gives the same numbers as one that was never stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from faultline.config.stage import from_slice
from faultline.dataset import read_dataset, ugrid, write_dataset
from faultline.errors import AGAIN, NotConverged, UserError
from faultline.inputs import read_stages
from faultline.life.cycle import LifeCycle
from faultline.life.jumping import JumpControl, Milestone, advance, beginning
from faultline.life.record import Record
from faultline.life.state import (
    JumpBounds,
    LifeState,
    milestone_dataset,
    milestone_from_dataset,
    slow_variables,
)
from faultline.microstructure.particle import Particle
from faultline.microstructure.storage import particle_from_dataset
from faultline.provenance import OK, attributes, config_hash, stage_result

log = logging.getLogger(__name__)

KEY = ("config_hash", "input_hashes", "code_hash", "lock_hash", "seed")  # of a checkpoint's provenance
RECORDED = "life_"  # prefix of the record's variables in a checkpoint
PART = ".life.part.nc"


@dataclass(frozen=True)
class Checkpoint:
    """Where a block keeps how far it is, and what it belongs to."""

    path: Path
    provenance: Mapping[str, Any]

    def write(self, milestone: Milestone[LifeState], record: Record, particle: Particle) -> None:
        """Keep a milestone and the record so far, whole or not at all."""
        table = record.dataset(particle)
        names = {name: f"{RECORDED}{name}" for name in table if name not in ugrid(particle)}
        content = milestone_dataset(milestone, particle)
        kept = table[list(names)].rename(names)
        write_dataset(content.assign(kept.data_vars), self.path, self.provenance)

    def read(self, particle: Particle) -> tuple[Milestone[LifeState], Record] | None:
        """What an earlier run of this very block kept, or None.

        A damaged file, or one of other settings, is named in the log and left aside.
        """
        if not self.path.is_file():
            return None
        try:
            ds = read_dataset(self.path)
            milestone = milestone_from_dataset(ds, particle, str(self.path))
        except UserError as error:
            log.warning("checkpoint left aside, the block starts anew: %s", error)
            return None
        other = [key for key in KEY if str(ds.attrs.get(key)) != str(self.provenance[key])]
        if other:
            log.info("%s: of another %s, the block starts anew", self.path, other[0].removesuffix("_hash"))
            return None
        names = {name: str(name).removeprefix(RECORDED) for name in ds if str(name).startswith(RECORDED)}
        return milestone, Record.from_dataset(ds[list(names)].rename(names))

    def delete(self) -> None:
        """The block is done."""
        self.path.unlink(missing_ok=True)


def run_block(
    inputs: Mapping[str, str],
    output: Mapping[str, str],
    params: Any,
    others: Sequence[str] = (),
    **given: Any,
) -> None:
    """Read the files of earlier stages, simulate a block of cycles, and write its record and its last state.

    Args:
        inputs: path by stage, empty where the case has no use for it; `state` is that of the block before.
        output: paths `life` and `state`.
        params: `config` (the life slice), `code`, `seed`, `first` and `last` cycle.
        others: files besides stage files that `given` was taken from.
        given: passed on to `LifeCycle`.
    """
    used = {stage: path for stage, path in inputs.items() if path}
    datasets = read_stages(used)
    has_particle = datasets["microstructure"].attrs["status"] == OK
    particle = particle_from_dataset(datasets["microstructure"]) if has_particle else None
    block = {"first": params.first, "last": params.last}
    made_from = [*used.values(), *others]
    provenance = attributes(params.config | block, made_from, params.code, params.seed)
    checkpoint = Checkpoint(Path(output["life"]).with_name(PART), provenance)
    states: list[xr.Dataset] = []

    def solve() -> xr.Dataset:
        assert particle is not None  # not called without one
        cycle = LifeCycle(particle, datasets, from_slice(params.config), **given)
        record, state = live(cycle, datasets.get("state"), params.first, params.last, checkpoint)
        states.append(state)
        return record

    topology = ugrid(particle) if particle else None
    named = {_origin(stage, used[stage]): ds for stage, ds in datasets.items()}
    record = stage_result(solve, named, topology)
    state = states[0] if states else (xr.Dataset() if topology is None else topology.copy())
    told = {key: value for key, value in record.attrs.items() if key.startswith("status")}
    write_dataset(state.assign_attrs(told), output["state"], provenance)
    of_block = {"first_cycle": params.first, "last_cycle": params.last}
    record = record.assign_attrs(of_block, life_hash=config_hash(params.config))
    write_dataset(record, output["life"], provenance)
    checkpoint.delete()


def _origin(stage: str, path: str) -> str:
    """How a message names an input; a state by the block of the life that left it."""
    return f"life, {Path(path).parent.name}" if stage == "state" else stage


def live(
    cycle: LifeCycle,
    before: xr.Dataset | None,
    first: int,
    last: int,
    checkpoint: Checkpoint | None = None,
    stops: Sequence[int] | None = None,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Record and last state of the cycles `first` to `last`.

    Args:
        cycle: of the case.
        before: last state of the block before; None for the first one.
        first: number of the first cycle.
        last: number of the last cycle.
        checkpoint: where to go on from, if it holds something, and to keep every simulated cycle in.
        stops: cycles that no jump passes over, besides the last one; None for 1, 10, 100, ...

    Raises:
        NotConverged: carries the record of the cycles before.
    """
    particle = cycle.particle
    kept = checkpoint.read(particle) if checkpoint else None
    now, record = kept or (_start(cycle, before, first), Record())
    log.info("going on after cycle %d", now.cycle)
    try:
        for reached, whole in _milestones(cycle, now, last, stops):
            now = reached
            record.add(cycle, now, with_map=whole)
            if checkpoint:
                checkpoint.write(now, record, particle)
    except NotConverged as failure:
        done = _described(record.dataset(particle), cycle)
        raise NotConverged(str(failure), None, now.cycle, failure.residual, done) from failure
    return _described(record.dataset(particle), cycle), milestone_dataset(now, particle)


def _start(cycle: LifeCycle, before: xr.Dataset | None, first: int) -> Milestone[LifeState]:
    """The milestone that a block starts from."""
    if before is None:
        return beginning(cycle.start())
    name = before.encoding.get("source", "life state")
    milestone = milestone_from_dataset(before, cycle.particle, name)
    if milestone.cycle != first - 1:
        raise UserError(
            f"{name}: the state after cycle {milestone.cycle}, but cycle {first} starts after {first - 1}; "
            f"{AGAIN}"
        )
    return milestone


def _milestones(
    cycle: LifeCycle, start: Milestone[LifeState], last: int, stops: Sequence[int] | None
) -> Iterator[tuple[Milestone[LifeState], bool]]:
    """Every simulated cycle, and whether it is to be drawn: the decades and the last one are."""
    settings = cycle.settings.life.jump
    bounds = JumpBounds(
        settings.damage_step,
        settings.damage_tolerance,
        settings.layer_step,
        settings.layer_tolerance,
        settings.point_error,
    )
    variables = slow_variables(cycle.particle, cycle.growth, bounds, cycle.coating)
    control = JumpControl(settings.largest, settings.growth)
    now = start
    for stop in legs(start.cycle, last, stops):
        for reached in advance(cycle, now, stop - now.cycle, variables, control):
            now = reached
            yield now, now.cycle == stop


def legs(done: int, last: int, stops: Sequence[int] | None = None) -> list[int]:
    """Cycles after `done` that are simulated in any case: the last of the block; 1, 10, 100, ... or others.

    Args:
        done: number of the last completed cycle.
        last: of the block.
        stops: in place of 1, 10, 100, ...
    """
    chosen = [10**k for k in range(len(str(last)))] if stops is None else stops
    return [stop for stop in sorted({*chosen, last}) if done < stop <= last]


def _described(record: xr.Dataset, cycle: LifeCycle) -> xr.Dataset:
    settings = cycle.settings
    return record.assign_attrs(
        coupling=settings.cycling.coupling, cell=settings.life.cell, failed_damage=cycle.failed_damage
    )
