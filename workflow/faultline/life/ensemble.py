"""One life on one particle, from the slices of a case: what rankings and catalogues run many of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from faultline.config.stage import from_slice
from faultline.cycling.history import History
from faultline.defects.stage import synthesised
from faultline.errors import NotConverged
from faultline.exposure.stage import stored
from faultline.life.cycle import LifeCycle
from faultline.life.files import live
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure import Particle


@dataclass(frozen=True)
class Cycle:
    """A simulated cycle in full: the laws of the particle, and the history with the cracks in its frames."""

    model: ParticleModel
    history: History


@dataclass(frozen=True)
class Life:
    """What a life left, as far as it came.

    Attributes:
        message: why it found no solution; empty where it did.
        storage: the exposure before it, None where that found no solution.
        first: cycle 1, None where it found no solution.
        record: of the simulated cycles (`life.record`), None where cycle 1 found no solution.
    """

    message: str
    storage: xr.Dataset | None = None
    first: Cycle | None = None
    record: xr.Dataset | None = None


def one_life(
    particle: Particle, stages: Mapping[str, Any], seed: int, cycles: int, stops: Sequence[int] = ()
) -> Life:
    """Storage and `cycles` cycles of a particle.

    Args:
        particle: the section.
        stages: slices `defects`, `exposure` and `life` of a case, without a seed.
        seed: of the defects.
        cycles: how many.
        stops: cycles that no jump passes over.
    """
    first: list[Cycle] = []

    def keep(model: ParticleModel, history: History) -> None:
        if not first:
            first.append(Cycle(model, history))

    try:
        storage = stored(particle, from_slice(stages["exposure"]))
    except NotConverged as failure:
        return Life(str(failure))
    try:
        defects = synthesised(particle, from_slice(stages["defects"]), seed)
        settings = from_slice({**stages["life"], "seed": seed})
        cycle = LifeCycle(particle, {"defects": defects, "exposure": storage}, settings, observer=keep)
        record, _ = live(cycle, None, 1, cycles, stops=stops)
    except NotConverged as failure:
        return Life(str(failure), storage, first[0] if first else None, failure.state)
    return Life("", storage, first[0], record)
