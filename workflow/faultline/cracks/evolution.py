"""Cracks and basal glide along a history of eigenstrain, and what is recorded of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faultline.anderson import Anderson
from faultline.cracks import statistics
from faultline.cracks.fracture import FractureModel, FractureState
from faultline.cracks.glide import BasalGlide
from faultline.cracks.law import Floats
from faultline.cracks.layers import layer_fields
from faultline.errors import NotConverged, numbers_may_fail
from faultline.microstructure.particle import BASAL_PLANE, GRAIN_BOUNDARY, SHELL_BOND

SLIP_TOLERANCE = 0.02  # overstress left on a gliding plane, of the critical stress
MOST_SLIP_UPDATES = 100
MOST_CONTINUED = 2.0  # of the last step's slip; a short step says little about a long one
QUIET = 0.01  # growth of damage at any point in a step, up to which slip goes on as it went
SMALLEST_PART = 2.0**-8  # of a recorded increment
SHORTEST_RAMP = 1e-6  # of a half-cycle, for a step in which no charge passes


class CrackEvolution:
    """A particle that cracks and glides, advanced by trial and commit.

    A trial starts from the last committed state, however often it is repeated, so that a coupled solver may
    iterate within its step. The slip of the layers is an unknown of that iteration: a trial finds the
    equilibrium of a given slip and returns an improved one.

    Args:
        fracture: the condensed particle.
        glide: slip on basal planes; None lets nothing glide.
    """

    def __init__(self, fracture: FractureModel, glide: BasalGlide | None = None) -> None:
        self.fracture = fracture
        particle = fracture.particle
        nothing = np.full(particle.n_cells, np.inf)
        self.glide = glide or BasalGlide(particle.cell_orientation, 1.0, nothing, particle.cell_area)
        self.state = self._trial = fracture.initial_state()
        self.slip = self._trial_slip = self.glide.none()
        self.stress = self._trial_stress = np.zeros((particle.n_cells, 6))
        self.eigenstrain = self._trial_eigenstrain = np.zeros((particle.n_cells, 6))
        self._last_load, self._last_slip = np.zeros_like(self.eigenstrain), self.glide.none()
        self.plastic_work = 0.0

    def begin(self, state: FractureState, slip: Floats, eigenstrain: Floats) -> None:
        """Go on from a state that an earlier run reached with this slip and this eigenstrain (n_cells, 6)."""
        self.state = self._trial = state
        self.slip = self._trial_slip = slip
        self.eigenstrain = self._trial_eigenstrain = eigenstrain
        self.stress = self._trial_stress = self.fracture.stress(state, eigenstrain + self.glide.strain(slip))
        self._last_load, self._last_slip = np.zeros_like(eigenstrain), self.glide.none()

    @property
    def slip_tolerance(self) -> float:
        """Slip that stands for the overstress left on a gliding plane."""
        return SLIP_TOLERANCE * float(self.glide.critical.min(initial=np.inf)) / self.glide.stiffest

    @numbers_may_fail()
    def trial(self, eigenstrain: Floats, ramp: float, slip: Floats) -> tuple[Floats, Floats]:
        """Stress (n_cells, 6) at a given slip if the eigenstrain moved here within `ramp` of a half-cycle.

        Also returns the improved slip; the two agree where the step has settled.

        Raises:
            NotConverged: no equilibrium was found.
        """
        total = eigenstrain + self.glide.strain(slip)
        guess = None if self._trial is self.state else self._trial.interface_displacement
        self._trial = self.fracture.advance(self.state, total, max(ramp, SHORTEST_RAMP), guess)
        self._trial_stress = self.fracture.stress(self._trial, total)
        self._trial_slip, self._trial_eigenstrain = slip, eigenstrain
        return self._trial_stress, self.glide.improved(slip, self.slip, self._trial_stress)

    def settle(self, eigenstrain: Floats, ramp: float) -> Floats:
        """Trial whose slip has settled; returns its stress (n_cells, 6).

        Raises:
            NotConverged: no equilibrium was found, or the slip does not settle.
        """
        slip = self._continued(eigenstrain) if self._trial is self.state else self._trial_slip
        mix = Anderson()
        for _ in range(MOST_SLIP_UPDATES):
            stress, improved = self.trial(eigenstrain, ramp, slip)
            gap = float(np.abs(improved - slip).max(initial=0.0))
            if gap <= self.slip_tolerance:
                return stress
            slip = mix(slip.ravel(), improved.ravel()).reshape(slip.shape)
        raise NotConverged(f"basal slip does not settle: it still moves by {gap:.1e}", residual=gap)

    def _continued(self, eigenstrain: Floats) -> Floats:
        """Slip that goes on with the load as in the last step; the committed one where the load turns back.

        The same where cracks have run in that step: where several equilibria are near, the start decides.
        """
        size = float(np.vdot(self._last_load, self._last_load))
        part = float(np.vdot(eigenstrain - self.eigenstrain, self._last_load)) / size if size > 0 else 0.0
        return self.slip + float(np.clip(part, 0.0, MOST_CONTINUED)) * self._last_slip

    def commit(self) -> None:
        """Make the last trial the state from which the next one starts."""
        increment = self._trial_slip - self.slip
        quiet = float((self._trial.damage - self.state.damage).max(initial=0.0)) <= QUIET
        self._last_load = self._trial_eigenstrain - self.eigenstrain
        self._last_slip = increment if quiet else np.zeros_like(increment)
        self.plastic_work += self.glide.work(self._trial_stress, self.stress, increment)
        self.state, self.slip, self.stress = self._trial, self._trial_slip, self._trial_stress
        self.eigenstrain = self._trial_eigenstrain

    def follow(self, eigenstrain: Floats, ramp: float) -> None:
        """Advance along the straight path to `eigenstrain`, in parts where one step does not converge.

        Raises:
            NotConverged: from the smallest part.
        """
        start = self.eigenstrain
        done, part = 0.0, 1.0
        while done < 1.0:
            part = min(part, 1.0 - done)
            target = done + part
            try:
                self.settle((1 - target) * start + target * eigenstrain, part * ramp)
            except NotConverged:
                if part / 2 < SMALLEST_PART:
                    raise
                part /= 2
                self._trial, self._trial_slip = self.state, self.slip
                self._last_slip = self.glide.none()  # the committed slip is the safer start
                continue
            self.commit()
            done, part = target, 2 * part

    def record(self, failed_damage: float) -> dict[str, float | NDArray]:
        """Fields per interface and the crack statistics of the committed state."""
        total = self.eigenstrain + self.glide.strain(self.slip)
        return crack_record(self.fracture, self.state, failed_damage) | {
            "film_tension": self.fracture.film_tension(self.state, total),
            "plastic_work": self.plastic_work,
            "glide": self._glide_by_cell(),
            **self._layers(),
        }

    def _layers(self) -> dict[str, Floats]:
        """Fields of the layers (n_cells,), where glide may gather in bands."""
        if self.glide.softening is None:
            return {}
        total = self.eigenstrain + self.glide.strain(self.slip)
        return layer_fields(self.fracture, self.state, total, self.glide.distortion(self.slip))

    def _glide_by_cell(self) -> Floats:
        glide = np.zeros(self.fracture.particle.n_cells)
        glide[self.glide.cells] = np.linalg.norm(self.slip, axis=1)
        return glide


def crack_record(
    fracture: FractureModel, state: FractureState, failed_damage: float
) -> dict[str, float | NDArray]:
    """Damage, opening and slip (n_interfaces,) of the worse end, and the statistics of a state."""
    particle, damage = fracture.particle, state.damage
    shear = np.linalg.norm(state.jump[..., 1:], axis=-1)

    def fraction(kind: int | None) -> float:
        return statistics.failed_fraction(particle, damage, kind, failed_damage)

    return {
        "damage": damage.max(axis=1, initial=0.0),
        "opening": np.maximum(state.jump[..., 0], 0.0).max(axis=1, initial=0.0),
        "slip": shear.max(axis=1, initial=0.0),
        "failed_fraction": fraction(None),
        "failed_fraction_grain_boundary": fraction(GRAIN_BOUNDARY),
        "failed_fraction_basal": fraction(BASAL_PLANE),
        "failed_fraction_shell": fraction(SHELL_BOND),
        "failed_length": statistics.failed_length(particle, damage, threshold=failed_damage),
        "opening_area": statistics.opening_area(particle, state.jump),
        "surface_connected_length": statistics.surface_connected_length(particle, damage, failed_damage),
        "fragments": statistics.fragments(particle, damage, failed_damage),
        "elastic_energy": state.elastic_energy,
        "cohesive_energy": state.cohesive_energy,
        "fracture_energy": state.fracture_energy,
        "viscous_work": state.viscous_work,
        "fatigue_work": state.fatigue_work,
    }
