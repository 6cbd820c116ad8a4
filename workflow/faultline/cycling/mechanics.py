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
    """What the coupled step asks of mechanics.

    Some responses have unknowns of their own, which the step iterates together with the composition:
    `inner`, a vector, empty where there are none.
    """

    @property
    def inner(self) -> Array:
        """(m,) inner unknowns of the committed state."""

    @property
    def inner_tolerance(self) -> float:
        """Change of an inner unknown that counts as none."""

    def trial(self, x: Array, ramp: float, inner: Array) -> tuple[Array, Array]:
        """Stress (n_cells, 6) at composition `x` if the step covered `ramp` of a half-cycle.

        Also returns the improved inner unknowns; the two agree where the step has settled.
        """

    def settle(self, x: Array, ramp: float) -> Array:
        """Stress (n_cells, 6) of a trial whose inner unknowns have settled."""

    def commit(self) -> None:
        """Make the last trial the state from which the next step starts."""

    def follow(self, model: ParticleModel, x: Array) -> Array:
        """Committed stress (n_cells, 6) once the particle has become `model` at `x`, given all the time."""

    def record(self) -> dict[str, Any]:
        """What a frame keeps of the committed state."""

    def words(self) -> str:
        """What a line of progress says of the committed state."""


class BondedMechanics:
    """Uncracked, linear elastic particle (`one_way`): cracks follow afterwards from the history."""

    def __init__(self, model: ParticleModel, solid: BondedSolid | None = None) -> None:
        self.model = model
        self.solid = solid or BondedSolid(model.particle, model.stiffness, film=model.film_stiffness)
        self.axial_strain = 0.0

    @property
    def inner(self) -> Array:
        """The response is elastic: none."""
        return np.zeros(0)

    @property
    def inner_tolerance(self) -> float:
        """Of nothing."""
        return 1.0

    def trial(self, x: Array, ramp: float, inner: Array) -> tuple[Array, Array]:
        """Stress of the bonded particle; it has no history, so `ramp` does not matter."""
        return self.settle(x, ramp), inner

    def settle(self, x: Array, ramp: float) -> Array:
        """Stress of the bonded particle."""
        state = self.solid.solve(self.model.eigenstrain(x))
        self.axial_strain = state.axial_strain
        return state.stress

    def commit(self) -> None:
        """Nothing to remember: the response is elastic."""

    def follow(self, model: ParticleModel, x: Array) -> Array:
        """Stress of the bonded particle with the eigenstrain of `model`."""
        self.model = model
        return self.settle(x, 1.0)

    def record(self) -> dict[str, Any]:
        """The axial strain of the section."""
        return {"axial_strain": self.axial_strain}

    def words(self) -> str:
        """That there are no cracks."""
        return "bonded"


class CrackingMechanics:
    """Cracks and basal glide evolve inside the step (`two_way`)."""

    def __init__(self, model: ParticleModel, evolution: CrackEvolution, failed_damage: float) -> None:
        self.model, self.evolution, self.failed_damage = model, evolution, failed_damage

    @property
    def inner(self) -> Array:
        """The slip of the layers."""
        return self.evolution.slip.ravel()

    @property
    def inner_tolerance(self) -> float:
        """Slip that stands for a small overstress."""
        return self.evolution.slip_tolerance

    def trial(self, x: Array, ramp: float, inner: Array) -> tuple[Array, Array]:
        """Stress of the cracked particle at a given slip, and the improved slip."""
        stress, slip = self.evolution.trial(self.model.eigenstrain(x), ramp, inner.reshape(-1, 2))
        return stress, slip.ravel()

    def settle(self, x: Array, ramp: float) -> Array:
        """Stress of the cracked particle."""
        return self.evolution.settle(self.model.eigenstrain(x), ramp)

    def commit(self) -> None:
        """Keep the cracks and the glide of the last trial."""
        self.evolution.commit()

    def follow(self, model: ParticleModel, x: Array) -> Array:
        """Stress of the cracked particle, led along the straight path to the eigenstrain of `model`."""
        self.model = model
        self.evolution.follow(model.eigenstrain(x), 1.0)
        return self.evolution.stress

    def record(self) -> dict[str, Any]:
        """Axial strain, cracks and their statistics."""
        state = self.evolution.state
        return {"axial_strain": state.axial_strain} | self.evolution.record(self.failed_damage)

    def words(self) -> str:
        """Mean damage of the interfaces, and how many have an end that failed."""
        damage = self.evolution.state.damage
        failed = np.count_nonzero((damage > self.failed_damage).any(axis=1))
        mean = damage.mean() if damage.size else 0.0
        return f"damage {mean:.4f}, {failed} of {len(damage)} faces failed"
