"""How time and memory grow with the number of triangles: transport, mechanics and the fracture ramp.

Every measurement is a process of its own, so that its peak of memory is its own too. The time includes what
is done once per particle (operators, condensation); meshes are made before, in yet another process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.benchmarks.rows import REPEATS, Goal, Row, row, timed
from faultline.config.models import MicrostructureSettings
from faultline.microstructure import Particle
from faultline.microstructure.build import build_particle

Array = NDArray[np.float64]

CELLS = (2_000, 6_300, 20_000, 63_000, 200_000)
GRAINS = 30
RAMP_CELLS = (2_000, 6_300, 20_000, 40_000)
RAMP_CELLS_PER_GRAIN = 100  # cracks: a larger particle has more grains, not larger ones
ELEMENT = 0.15e-6
RAMP_STEPS, RAMP_SHARE = 10, 0.5  # of the misfit of the whole ramp: the first boundaries fail
REPEATED = 2.0  # s; what takes longer runs once
BOUND = 1.3  # on the exponent


def grown_particle(cells: int, grains: int = GRAINS) -> Particle:
    """A disc with about so many triangles, all of one size."""
    radius = ELEMENT * np.sqrt(cells * np.sqrt(3) / 4 / np.pi)
    settings = {
        "shape": "disc",
        "radius": f"{radius} m",
        "element_size": f"{ELEMENT} m",
        "grains": {"count": grains, "orientation": "random", "tilt_out_of_plane": False},
    }
    return build_particle(MicrostructureSettings.model_validate(settings), seed=1, root=Path())


def transport(particle: Particle) -> Callable[[], Any]:
    """One Newton iteration of the implicit step under a current: operator, assembly, bordered solve."""
    from faultline.cycling.transport import Iterate, TransportStep
    from faultline.transport.surface import outer_surface

    model = _model(particle)
    x, nothing = np.full(particle.n_cells, 0.7), np.zeros(particle.n_cells)
    faces = outer_surface(particle, np.zeros(particle.n_surface))

    def step() -> Iterate:
        implicit = TransportStep(model, faces)
        return implicit.iterate(x, Iterate(x, 3.0, 0.0), nothing, nothing, 10.0, current=1e-6)

    return step


def mechanics(particle: Particle) -> Callable[[], Any]:
    """Factorisation of the bonded particle and one solve."""
    from faultline.mechanics import BondedSolid

    model = _model(particle)
    stiffness, eigenstrain = model.stiffness, model.eigenstrain(np.full(particle.n_cells, 0.7))
    return lambda: BondedSolid(particle, stiffness).solve(eigenstrain)


def fracture(particle: Particle) -> Callable[[], Any]:
    """Condensation and a few steps of a ramp on which the first boundaries fail."""
    from faultline.benchmarks.fracture import ramp_on

    return ramp_on(particle, RAMP_STEPS, RAMP_SHARE).ours


PROBES = {"transport": transport, "mechanics": mechanics, "fracture": fracture}


def _model(particle: Particle) -> Any:
    from faultline.config.loader import load_study
    from faultline.materials import material_from_settings
    from faultline.materials.particle_model import ParticleModel
    from faultline.provenance import ROOT

    case = load_study(ROOT / "config" / "config.yaml", ROOT).case("o3-nm.s1")
    rest = np.zeros((particle.n_cells, 6))
    return ParticleModel(particle, material_from_settings(case.material), 298.15, rest)


@dataclass(frozen=True)
class Sample:
    """One measurement: triangles, median seconds, and bytes by which the peak of memory rose."""

    cells: int
    seconds: float
    memory: float


def measure(probe: str, particle: Particle) -> Sample:
    """Run a probe in this process; memory is right in the first call only, for the peak never falls."""
    call = PROBES[probe](particle)
    before = _peak_memory()
    seconds = [timed(call)[0]]
    memory = _peak_memory() - before
    while len(seconds) < REPEATS and seconds[0] < REPEATED:
        seconds.append(timed(call)[0])
    return Sample(particle.n_cells, float(np.median(seconds)), memory)


def _peak_memory() -> float:
    """Largest resident size of this process so far, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def exponent(samples: Sequence[Sample]) -> float:
    """Slope of log(time) over log(cells) by least squares."""
    return float(np.polyfit(np.log([s.cells for s in samples]), np.log([s.seconds for s in samples]), 1)[0])


def growth(cells: Sequence[int] = CELLS, ramp_cells: Sequence[int] = RAMP_CELLS) -> list[Row]:
    """A row for the exponent of every probe."""
    bonded = [(n, GRAINS) for n in cells]
    sizes = {
        "transport": bonded,
        "mechanics": bonded,
        "fracture": [(n, max(n // RAMP_CELLS_PER_GRAIN, 1)) for n in ramp_cells],
    }
    with TemporaryDirectory() as folder:
        meshes = {size: Path(folder) / f"{size[0]}-{size[1]}.npz" for own in sizes.values() for size in own}
        for (n, grains), path in meshes.items():
            _child("mesh", str(n), str(grains), str(path))
        samples = {
            probe: [Sample(**json.loads(_child(probe, str(meshes[size])))) for size in own]
            for probe, own in sizes.items()
        }
    return [_row(probe, found) for probe, found in samples.items()]


def _row(probe: str, samples: Sequence[Sample]) -> Row:
    what = {
        "transport": "transport step (operator, assembly, solve)",
        "mechanics": "bonded mechanics (assembly, factorisation, solve)",
        "fracture": f"condensed fracture, {RAMP_STEPS} steps",
    }[probe]
    told = [f"{s.cells}: {s.seconds:.3g} s and {s.memory / s.cells / 1e3:.1f} kB a cell" for s in samples]
    steepest = max(exponent(pair) for pair in pairwise(samples))
    note = f"ratio: exponent of time over triangles (steepest {steepest:.2f}); peak memory; {', '.join(told)}"
    goal = Goal(BOUND, at_most=True, why="fill of the sparse LU outgrows the mesh")
    return row(f"growth, {what}", note, ours_s=samples[-1].seconds, ratio=exponent(samples), goal=goal)


def _child(*arguments: str) -> str:
    """Run this module in a process of its own; returns what it prints."""
    command = [sys.executable, "-m", "faultline.benchmarks.growth", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main(task: str, *arguments: str) -> None:
    """`mesh CELLS GRAINS FILE` writes a particle, `PROBE FILE` prints the sample as JSON."""
    if task == "mesh":
        particle = grown_particle(int(arguments[0]), int(arguments[1]))
        np.savez(arguments[2], **{field.name: getattr(particle, field.name) for field in fields(Particle)})
        return
    with np.load(arguments[0]) as arrays:
        sample = measure(task, Particle(**arrays))
    print(json.dumps(sample.__dict__))


BENCHMARKS = {"growth": growth}

if __name__ == "__main__":
    main(*sys.argv[1:])
