"""A particle of 80 grains that cracks along a ramp of misfit: condensed Newton-CG against full Newton."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultline.benchmarks.full_newton import Direct, FullNewton, Pardiso, SciPyLU
from faultline.benchmarks.rows import Goal, Row, Timing, alternate, row
from faultline.config.models import MicrostructureSettings
from faultline.cracks.fracture import FractureModel, FractureState, ramp
from faultline.cracks.law import CohesiveProperties
from faultline.cracks.statistics import failed_fraction
from faultline.crystal import hexagonal_stiffness, rotate_stiffness, rotate_strain
from faultline.microstructure import Particle
from faultline.microstructure.build import build_particle

Floats = NDArray[np.float64]

GRAINS, RADIUS, ELEMENT = 80, 5e-6, 0.15e-6
STEPS = 40
STRAIN = (-0.0065, -0.0065, 0.013)  # along a, b and c: some 18 % of the boundaries have failed at the end
AGREEMENT = 0.02  # between the two ends, or the times are not of one problem
NMC811 = hexagonal_stiffness(259e9, 107e9, 75e9, 194e9, 59e9)


@dataclass(frozen=True)
class Ramp:
    """The load path of one particle; either side starts from its geometry and properties."""

    particle: Particle
    stiffness: Floats
    cohesive: CohesiveProperties
    eigenstrain: Floats
    steps: int
    tolerance: float = 1e-5

    def model(self) -> FractureModel:
        """The condensed particle, not loaded yet."""
        return FractureModel(self.particle, self.stiffness, self.cohesive, tolerance=self.tolerance)

    def ours(self) -> FractureState:
        """Condensation and ramp."""
        model = self.model()
        return self._end(model, model.initial_state())

    def peer(self, model: FractureModel, direct: Direct) -> FractureState:
        """Ramp of the whole system."""
        full = FullNewton(model, direct)
        return self._end(full, full.initial_state())  # type: ignore[arg-type]  # of a model, ramp asks `advance`

    def _end(self, model: FractureModel, state: FractureState) -> FractureState:
        return ramp(model, state, 0 * self.eigenstrain, self.eigenstrain, self.steps)[-1]

    def failed(self, state: FractureState) -> float:
        """Failed share of the grain boundaries."""
        return failed_fraction(self.particle, state.damage)


def ramp_on(particle: Particle, steps: int, share: float = 1.0) -> Ramp:
    """A share of the whole misfit on a particle of NMC811, with the strength and toughness stated for it."""
    one = np.ones(particle.n_interfaces)
    cohesive = CohesiveProperties(200e6 * one, 200e6 * one, one, one, 1.75, 1e18, 2e13)
    axes, principal = particle.cell_orientation, np.tile(np.multiply(STRAIN, share), (particle.n_cells, 1))
    strain = rotate_strain(principal, axes)
    return Ramp(particle, rotate_stiffness(NMC811, axes), cohesive, strain, steps)


def polycrystal_ramp(
    grains: int = GRAINS, radius: float = RADIUS, size: float = ELEMENT, steps: int = STEPS
) -> Ramp:
    """The whole ramp on random grains in a disc."""
    settings = {
        "shape": "disc",
        "radius": f"{radius} m",
        "element_size": f"{size} m",
        "grains": {"count": grains, "orientation": "random", "tilt_out_of_plane": False},
    }
    particle = build_particle(MicrostructureSettings.model_validate(settings), seed=1, root=Path())
    return ramp_on(particle, steps)


def disagreement(problem: Ramp, ours: FractureState, peer: FractureState) -> float:
    """Largest relative difference of failed share and fracture energy."""
    pairs = (
        (problem.failed(ours), problem.failed(peer)),
        (ours.fracture_energy, peer.fracture_energy),
    )
    return max(abs(a - b) / abs(b) for a, b in pairs)


def fracture_ramp() -> list[Row]:
    """Rows against SciPy's LU and against PARDISO where its package is at hand."""
    problem = polycrystal_ramp()
    model = problem.model()
    scipy = alternate(problem.ours, lambda: problem.peer(model, SciPyLU()))
    rows = [_row(problem, "fracture ramp, full Newton with SciPy's LU", scipy, 20)]
    name = "fracture ramp, full Newton with PARDISO"
    if importlib.util.find_spec("pypardiso") is None:
        return [*rows, row(name, "pypardiso not installed", ours_s=scipy.ours_s, goal=Goal(4))]
    package = import_module("pypardiso")
    pardiso = alternate(problem.ours, lambda: problem.peer(model, Pardiso(package)))
    return [*rows, _row(problem, name, pardiso, 4)]


def _row(problem: Ramp, name: str, timing: Timing, goal: float) -> Row:
    gap = disagreement(problem, timing.our_result, timing.peer_result)
    why = (
        "a load step takes a few Newton steps of a dozen CG iterations each; each of these is a pass over "
        "the dense blocks, bound by memory, and twice as long in calls for small sparse products and vectors"
    )
    note = (
        f"{problem.particle.n_blocks} grains, {problem.particle.n_cells} triangles, {problem.steps} steps, "
        f"failed {problem.failed(timing.our_result):.3f}; ends differ by {gap:.1e}; {timing.repeats}; "
        "condensation counted; the peer starts each step from the last state, ours from the better of that "
        "and the last rate"
    )
    if gap > AGREEMENT:
        return row(name, f"not one problem: {note}", ours_s=timing.ours_s, peer_s=timing.peer_s, ratio=np.nan)
    return row(name, note, ours_s=timing.ours_s, peer_s=timing.peer_s, goal=Goal(goal, why=why))


BENCHMARKS = {"fracture ramp": fracture_ramp}
