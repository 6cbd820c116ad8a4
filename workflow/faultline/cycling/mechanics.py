"""The two ways in which the elastic state follows the composition inside a time step."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faultline.cracks.evolution import CrackEvolution
from faultline.materials.particle_model import ParticleModel
from faultline.mechanics import BondedSolid

Array = NDArray[np.float64]


class Mechanics(Protocol):
    """What the coupled step asks of mechanics."""

    def trial(self, x: Array, ramp: float) -> Array:
        """Stress (n_cells, 6) at composition `x` if the step covered `ramp` of a half-cycle."""

    def commit(self) -> None:
        """Make the last trial the state from which the next step starts."""

    def record(self) -> dict[str, Any]:
        """What a frame keeps of the committed state."""


class BondedMechanics:
    """Uncracked, linear elastic particle (`one_way`): cracks follow afterwards from the history."""

    def __init__(self, model: ParticleModel) -> None:
        self.model = model
        self.solid = BondedSolid(model.particle, model.stiffness)
        self.axial_strain = 0.0

    def trial(self, x: Array, ramp: float) -> Array:
        """Stress of the bonded particle; it has no history, so `ramp` does not matter."""
        state = self.solid.solve(self.model.eigenstrain(x))
        self.axial_strain = state.axial_strain
        return state.stress

    def commit(self) -> None:
        """Nothing to remember: the response is elastic."""

    def record(self) -> dict[str, Any]:
        """The axial strain of the section."""
        return {"axial_strain": self.axial_strain}


class CrackingMechanics:
    """Cracks and basal glide evolve inside the step (`two_way`)."""

    def __init__(self, model: ParticleModel, evolution: CrackEvolution, failed_damage: float) -> None:
        self.model, self.evolution, self.failed_damage = model, evolution, failed_damage

    def trial(self, x: Array, ramp: float) -> Array:
        """Stress of the cracked particle."""
        return self.evolution.trial(self.model.eigenstrain(x), ramp)

    def commit(self) -> None:
        """Keep the cracks and the glide of the last trial."""
        self.evolution.commit()

    def record(self) -> dict[str, Any]:
        """Axial strain, cracks and their statistics."""
        state = self.evolution.state
        return {"axial_strain": state.axial_strain} | self.evolution.record(self.failed_damage)
