"""Cracks and basal glide along a history of eigenstrain, and what is recorded of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faultline.cracks import statistics
from faultline.cracks.fracture import FractureModel, FractureState
from faultline.cracks.glide import BasalGlide, plastic_work
from faultline.cracks.law import Floats
from faultline.errors import NotConverged
from faultline.microstructure.particle import BASAL_PLANE, GRAIN_BOUNDARY, SHELL_BOND

GLIDE_TOLERANCE = 0.02  # overstress left on a gliding plane, of the critical stress
MOST_GLIDE_UPDATES = 12
SMALLEST_PART = 2.0**-8  # of a recorded increment
SHORTEST_RAMP = 1e-6  # of a half-cycle, for a step in which no charge passes


class CrackEvolution:
    """A particle that cracks and glides, advanced by trial and commit.

    A trial starts from the last committed state, however often it is repeated, so that a coupled solver may
    iterate within its step.

    Args:
        fracture: the condensed particle.
        stiffness_c44: C44 of the crystal, Pa.
        critical_resolved_shear_stress: (n_cells,) Pa, infinite where nothing glides; None switches glide off.
    """

    def __init__(
        self,
        fracture: FractureModel,
        stiffness_c44: float = np.inf,
        critical_resolved_shear_stress: Floats | None = None,
    ) -> None:
        self.fracture = fracture
        self.glide = BasalGlide(stiffness_c44)
        self.critical = critical_resolved_shear_stress
        self.state = self._trial = fracture.initial_state()
        self.glide_strain = self._trial_glide = np.zeros((fracture.particle.n_cells, 6))
        self.eigenstrain: Floats | None = None
        self.plastic_work = self._trial_work = 0.0
        self.stress = np.zeros((fracture.particle.n_cells, 6))

    def trial(self, eigenstrain: Floats, ramp: float) -> Floats:
        """Stress (n_cells, 6) if the eigenstrain moved here within `ramp` of a half-cycle.

        Raises:
            NotConverged: no equilibrium was found.
        """
        start = replace(self.state, interface_displacement=self._trial.interface_displacement)
        glide, work, slip, before = self.glide_strain, self.plastic_work, None, self.stress
        for update in range(MOST_GLIDE_UPDATES + 1):
            state = self.fracture.advance(start, eigenstrain + glide, max(ramp, SHORTEST_RAMP))
            stress = self.fracture.stress(state, eigenstrain + glide)
            if slip is not None:
                work += plastic_work((before + stress) / 2, slip, self.fracture.particle.cell_area)
            slip = self._slip(stress)
            if slip is None or update == MOST_GLIDE_UPDATES:
                break
            glide, before = glide + slip, stress
            start = replace(start, interface_displacement=state.interface_displacement)
        self._trial, self._trial_glide, self._trial_work = state, glide, work
        self.stress, self._trial_eigenstrain = stress, eigenstrain
        return stress

    def commit(self) -> None:
        """Make the last trial the state from which the next one starts."""
        self.state, self.glide_strain, self.plastic_work = self._trial, self._trial_glide, self._trial_work
        self.eigenstrain = self._trial_eigenstrain

    def follow(self, eigenstrain: Floats, ramp: float) -> None:
        """Advance along the straight path to `eigenstrain`, in parts where one step does not converge.

        Raises:
            NotConverged: from the smallest part.
        """
        start = np.zeros_like(eigenstrain) if self.eigenstrain is None else self.eigenstrain
        done, part = 0.0, 1.0
        while done < 1.0:
            part = min(part, 1.0 - done)
            target = done + part
            try:
                self.trial((1 - target) * start + target * eigenstrain, part * ramp)
            except NotConverged:
                if part / 2 < SMALLEST_PART:
                    raise
                part /= 2
                self._trial = self.state
                continue
            self.commit()
            done, part = target, 2 * part

    def _slip(self, stress: Floats) -> Floats | None:
        """Next glide increment, or None where no plane is overstressed beyond the tolerance."""
        if self.critical is None:
            return None
        slip = self.glide.update(stress, self.fracture.particle.cell_orientation, self.critical)
        overstress = np.linalg.norm(slip, axis=1) * self.glide.shear_modulus
        return slip if np.any(overstress > GLIDE_TOLERANCE * self.critical) else None

    def record(self, failed_damage: float) -> dict[str, float | NDArray]:
        """Fields per interface and the crack statistics of the committed state."""
        return crack_record(self.fracture, self.state, failed_damage) | {
            "plastic_work": self.plastic_work,
            "glide": np.linalg.norm(self.glide_strain, axis=1),
        }


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
    }
