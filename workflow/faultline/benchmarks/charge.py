"""One charge of `o3-nm.s1` from file to file, cracking, against plain FiPy on the uncracked particle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from faultline.benchmarks.phases import LINEAR_ALGEBRA, in_words, profiled
from faultline.benchmarks.plain_fipy import Followed, PlainFiPy
from faultline.benchmarks.rows import Goal, Row, row, timed
from faultline.config.loader import load_study
from faultline.config.slices import stage_slice
from faultline.config.stage import StageSettings, from_slice
from faultline.cycling.cracking import crack
from faultline.cycling.files import cycle
from faultline.cycling.setup import particle_model
from faultline.dataset import read_dataset, write_dataset
from faultline.defects import defects_dataset, generate_defects
from faultline.exposure import unexposed
from faultline.exposure.files import exposure_dataset
from faultline.materials import FARADAY, material_from_settings
from faultline.microstructure import Particle
from faultline.microstructure.build import build_particle
from faultline.microstructure.storage import particle_dataset
from faultline.provenance import OK, ROOT
from faultline.stage import run_stage
from faultline.transport.surface import outer_surface

CASE, ELEMENT, LARGEST_STEP = "o3-nm.s1", 0.067e-6, 0.009  # some 10 000 triangles and 100 steps
PEER_AT = (1 / 6, 1 / 2, 5 / 6)  # of the frames, where a step of the peer is timed


WHY_NOT_FASTER = (
    "a step takes three coupled passes; each finds a cracked equilibrium, which "
    "the peer leaves out, and evaluates laws and stencils at all points"
)
WHY_NOT_PURER = (
    "kept factors and condensed blocks leave little algebra; laws at all points, stencils and FiPy's matrix "
    "building are array code outside the solvers"
)


@dataclass(frozen=True)
class Charge:
    """Stage files of one case up to exposure, ready for cycling.

    Attributes:
        folder: where its files lie.
        particle: the section.
        settings: by stage, as plain numbers.
        inputs: file by stage.
    """

    folder: Path
    particle: Particle
    settings: dict[str, dict[str, Any]]
    inputs: dict[str, str]

    def ours(self) -> Path:
        """Cycling and cracks as their rules run them, files read and written; returns the cycling file."""
        cycling = self._stage("cycling", cycle, self.inputs)
        self._stage("cracks", crack, self.inputs | {"cycling": cycling.as_posix()})
        return cycling

    def _stage(self, stage: str, solve: Callable[..., xr.Dataset], inputs: dict[str, str]) -> Path:
        output = self.folder / f"{stage}.nc"
        params = SimpleNamespace(config=self.settings[stage], code="benchmark", seed=1)
        run_stage(solve, inputs, output.as_posix(), params)
        return output

    def peer(self) -> PlainFiPy:
        """Plain FiPy on the same particle, with the same laws."""
        given = {stage: read_dataset(path) for stage, path in self.inputs.items()}
        model = particle_model(self.particle, given, from_slice(self.settings["cycling"]))
        return PlainFiPy(model, outer_surface(self.particle, given["exposure"]["film_resistance"].values))


@contextmanager
def prepared(size: float = ELEMENT, largest_step: float = LARGEST_STEP, case: str = CASE) -> Iterator[Charge]:
    """A case of the shipped study on triangles of `size` (m), its files in a folder that goes away again."""
    settled = load_study(ROOT / "config" / "config.yaml", ROOT).case(case)
    stages = ("microstructure", "defects", "exposure", "cycling", "cracks")
    plain = {stage: stage_slice(settled, stage) for stage in stages}
    plain["microstructure"]["microstructure"]["element_size"] = size
    plain["cycling"]["cycling"]["largest_step"] = largest_step
    typed = {stage: from_slice(values) for stage, values in plain.items()}
    particle = build_particle(typed["microstructure"].microstructure, settled.seed, ROOT)
    with TemporaryDirectory() as name:
        folder = Path(name)
        inputs = {}
        for stage, data in _before_cycling(particle, typed, settled.seed).items():
            path = folder / f"{stage}.nc"
            write_dataset(data.assign_attrs(status=OK, status_message=""), path, {})
            inputs[stage] = path.as_posix()
        yield Charge(folder, particle, plain, inputs)


def _before_cycling(particle: Particle, typed: dict[str, StageSettings], seed: int) -> dict[str, xr.Dataset]:
    start = material_from_settings(typed["cycling"].material).initial_site_fraction
    return {
        "microstructure": particle_dataset(particle),
        "defects": defects_dataset(particle, generate_defects(particle, typed["defects"].defects, seed)),
        "exposure": exposure_dataset(particle, unexposed(particle, start)),
    }


def charge(size: float = ELEMENT, largest_step: float = LARGEST_STEP) -> list[Row]:
    """Time against the peer, and the split of our time by phase."""
    with prepared(size, largest_step) as case:
        ours_s, path = timed(case.ours)
        cycling = read_dataset(path)
        return [against_plain_fipy(case, cycling, ours_s), phase_row(case.ours, ours_s)]


def against_plain_fipy(
    case: Charge, cycling: xr.Dataset, ours_s: float, at: Sequence[float] = PEER_AT
) -> Row:
    """Single steps of the peer, from frames of our run and as long as ours, scaled to all our steps.

    Steps that the peer cannot take count for nothing: the time it would need is not known.
    """
    steps, step_s = cycling.sizes["time"] - 1, float(np.median(np.diff(cycling["time"].values)))
    frames = [cycling.isel(frame=int(part * cycling.sizes["frame"])) for part in at]
    followed = [_followed(case.peer(), frame, step_s) for frame in frames]
    taken = [step.seconds for step in followed if step.passes]
    told = ", ".join(_told(step) for step in followed)
    peer_s = float(np.mean(taken)) * steps if taken else np.nan
    note = (
        f"{case.particle.n_cells} triangles, {steps} steps, {cycling.attrs['status']}, failed "
        f"{cycling.attrs['max_failed_fraction']:.2f}; one run; single steps of the peer, spread over the "
        f"charge: {told}; those taken scaled to all"
    )
    return row(
        "charge of o3-nm, plain FiPy uncracked",
        note,
        ours_s=ours_s,
        peer_s=peer_s,
        goal=Goal(50, why=WHY_NOT_FASTER),
    )


def _told(step: Followed) -> str:
    if not step.passes:
        return f"none possible in {step.seconds:.0f} s of trials"
    return f"{step.seconds:.1f} s ({step.passes} passes in {2**step.halvings} parts)"


def _followed(plain: PlainFiPy, frame: xr.Dataset, step_s: float) -> Followed:
    material = plain.model.material
    capacity = FARADAY * material.c_max * plain.area.sum() * material.nominal_site_fraction_change
    current = float(frame["frame_c_rate"]) * capacity / 3600.0
    return plain.follow(frame["site_fraction"].values, float(frame["frame_voltage"]), current, step_s)


def phase_row(call: Callable[[], Any], plain_s: float) -> Row:
    """Share of linear algebra in the time of a call, which takes `plain_s` without the profiler."""
    seconds = profiled(call)
    total = sum(seconds.values())
    share = sum(seconds[name] for name in LINEAR_ALGEBRA) / total
    note = f"{in_words(seconds)}; under the profiler, {total / plain_s:.2f} times the time without"
    return row(
        "charge of o3-nm, share of linear algebra",
        note,
        ours_s=total,
        ratio=share,
        goal=Goal(0.7, why=WHY_NOT_PURER),
    )


BENCHMARKS = {"charge": charge}
