"""A particle that cracks along its interfaces under a history of eigenstrain."""

from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
import scipy.sparse as sp

from faultline.backend import Backend, current
from faultline.cracks.law import CohesiveProperties, Floats, IncrementalLaw
from faultline.cracks.newton import (
    Equilibrium,
    InterfaceSystem,
    minimise,
)
from faultline.cracks.preconditioner import Preconditioner
from faultline.errors import NotConverged
from faultline.mechanics.bonded import factorise
from faultline.mechanics.condensation import (
    CondensedBlocks,
    condense_elasticity,
    split_elasticity,
)
from faultline.mechanics.plane import rigid_modes
from faultline.microstructure.particle import Particle, SplitMesh, split

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU

# Drag where nothing holds, of that where something does. A piece which has come loose may lie anywhere in
# equilibrium, and rounding carried some a hundred times their size away; so it lies near to where it lay.
LOOSE_DRAG = 1e-3


@dataclass(frozen=True)
class FractureState:
    """Everything a step starts from, as arrays; damage is the only irreversible part.

    Points are the two ends of every interface (nodal integration); energies are sums since the start, J/m.

    Attributes:
        damage: (n_interfaces, 2) part of the toughness spent, 0 intact, 1 separated.
        stiffness_loss: (n_interfaces, 2) D of the law: 1 - D of the penalty stiffness is left. Independent of
            the mode; reaches 0.9 long before the damage does where the penalty is stiff.
        mode_mix: (n_interfaces, 2) energy share of shear that the next step starts from.
        jump: (n_interfaces, 2, 3) opening, in-plane slip along the face, out-of-plane slip, m.
        interface_displacement: (n_unknowns,) in the order of `CondensedBlocks`, m.
        axial_strain: eps_zz of the section.
        elastic_energy: stored in the bulk, and in a film on it.
        cohesive_energy: stored in interfaces that hold or touch.
        fracture_energy: dissipated by damage.
        viscous_work: dissipated by the regularisation.
        fatigue_work: stored energy that fatigue took from loaded interfaces.
        newton_iterations: spent by the last step.
        cg_iterations: spent by the last step.
        displacement_rate: (n_unknowns,) of the interfaces in the last step, m per half-cycle.
        step_mix: (n_interfaces, 2) energy share of shear with which the last step was solved.
    """

    damage: Floats
    stiffness_loss: Floats
    mode_mix: Floats
    jump: Floats
    interface_displacement: Floats
    axial_strain: float = 0.0
    elastic_energy: float = 0.0
    cohesive_energy: float = 0.0
    fracture_energy: float = 0.0
    viscous_work: float = 0.0
    fatigue_work: float = 0.0
    newton_iterations: int = 0
    cg_iterations: int = 0
    displacement_rate: Floats | float = 0.0
    step_mix: Floats | float = 0.0


class FractureModel:
    """Equilibrium of a particle whose blocks are joined by cohesive interfaces.

    Args:
        particle: the section.
        stiffness: (n_cells, 6, 6), Pa, laboratory frame.
        cohesive: properties of the interfaces.
        blocks: the result of `condense` for the same particle, stiffness and film, if it is at hand.
        components: displacement components per node; by default two where the section cannot warp.
        tolerance: unbalanced force over the norm of the forces that the interfaces can bear at all; at 1e-5
            crack energies are exact to some 1e-6 on smooth paths, and to half a percent where cracks jump.
        max_iterations: of Newton in one step.
        film: (6, 6) thickness times stiffness, N/m, of a thin layer on the outer surface. It has no strength
            of its own: a crack that opens to the surface breaks it.
        backend: where equilibrium is sought (`faultline.backend`); by default that of the process.
    """

    def __init__(
        self,
        particle: Particle,
        stiffness: Floats,
        cohesive: CohesiveProperties,
        blocks: CondensedBlocks | None = None,
        components: int | None = None,
        tolerance: float = 1e-5,
        max_iterations: int = 80,
        film: Floats | None = None,
        backend: Backend | None = None,
    ) -> None:
        self.particle = particle
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.mesh = split(particle)
        if blocks is not None and components is None:
            components = blocks.components
        self.elasticity = split_elasticity(particle, self.mesh, stiffness, components, film)
        backend = backend or current()
        self.blocks = blocks or condense_elasticity(self.mesh, self.elasticity, backend)
        interior, interface = self.blocks.interior_dofs, self.blocks.interface_dofs
        inner_rows = self.elasticity.matrix[interior]
        self._inner: SuperLU | None = factorise(inner_rows[:, interior]) if len(interior) else None
        self._border = inner_rows[:, interface]
        self._border_transposed = sp.csr_array(self._border.T)
        self._inner_axial = self._solve_inner(self.elasticity.axial_coupling[interior])
        self.system = InterfaceSystem(
            self.blocks,
            _jump_operator(particle, self.mesh, self.blocks),
            np.repeat(particle.interface_length / 2, 2),
            _rigid_operator(self.mesh, self.blocks),
        )
        self._solved = self.system.on(backend)
        self._join(cohesive)

    def _join(self, cohesive: CohesiveProperties) -> None:
        self.cohesive, self._points = cohesive, cohesive.at_points()
        self._preconditioner = Preconditioner(self._solved)
        self.force_scale = float(np.linalg.norm(self.system.weight * self._points.normal_strength))

    def with_interfaces(self, cohesive: CohesiveProperties) -> Self:
        """The same blocks joined by other interfaces; nothing that an earlier solve left is carried over."""
        other = copy(self)
        other._join(cohesive)
        return other

    def initial_state(self) -> FractureState:
        """The intact particle before any load; what an earlier run left in the preconditioner goes."""
        self._preconditioner = Preconditioner(self._solved)
        points = (self.particle.n_interfaces, 2)
        return FractureState(
            damage=np.zeros(points),
            stiffness_loss=np.zeros(points),
            mode_mix=np.zeros(points),
            jump=np.zeros((*points, 3)),
            interface_displacement=np.zeros(len(self.blocks.interface_dofs)),
        )

    def advance(
        self, state: FractureState, eigenstrain: Floats, ramp: float, guess: Floats | None = None
    ) -> FractureState:
        """Return the state in equilibrium with a new eigenstrain.

        Args:
            state: where the step starts.
            eigenstrain: (n_cells, 6) at the end of the step.
            ramp: part of a half-cycle that the step takes, over which the viscosity acts.
            guess: interface displacement to start from; without one the last step's change goes on.

        Raises:
            NotConverged: carries the residual and `state`.
            ValueError: `ramp` is not positive.
        """
        if ramp <= 0:
            raise ValueError(f"ramp must be positive, got {ramp}")
        load, last = self._condensed_load(eigenstrain), state.interface_displacement
        if self.particle.n_interfaces == 0:
            return self._with_bulk(state, eigenstrain, load)
        try:
            found = minimise(
                self._solved,
                self.incremental_law(state, ramp),
                load.force,
                [last, last + ramp * state.displacement_rate if guess is None else guess],
                self._preconditioner,
                self.force_scale,
                self.remix,
                self.tolerance,
                self.max_iterations,
            )
        except NotConverged as stopped:
            stopped.state = state
            raise
        return self._with_bulk(self.updated(state, found, ramp), eigenstrain, load)

    def stress(self, state: FractureState, eigenstrain: Floats) -> Floats:
        """Stress (n_cells, 6), Pa, of a state under the eigenstrain (n_cells, 6) that it balances."""
        load = self._condensed_load(eigenstrain)
        strain = self.elasticity.strain(self._dofs(state, load), self._axial_strain(state, load))
        return self.elasticity.stress(strain, eigenstrain)

    def film_tension(self, state: FractureState, eigenstrain: Floats) -> Floats:
        """Largest principal force per length (n_surface,) in the film, N/m; empty without one."""
        if self.elasticity.film is None:
            return np.zeros(0)
        load = self._condensed_load(eigenstrain)
        return self.elasticity.film_tension(self._dofs(state, load), self._axial_strain(state, load))

    def displacement(self, state: FractureState, eigenstrain: Floats) -> Floats:
        """Displacement (n_nodes, 3) of the split mesh, m; free blocks lie near to where they lay."""
        return self.elasticity.vectors(self._dofs(state, self._condensed_load(eigenstrain)))

    def incremental_law(self, state: FractureState, ramp: float) -> IncrementalLaw:
        """Law of the points in a step from `state`, before `remix`."""
        lost = state.stiffness_loss.ravel()
        return IncrementalLaw(
            properties=self._points,
            mix=state.mode_mix.ravel(),
            lost=lost,
            damping=np.where(lost < 1, 1.0, LOOSE_DRAG) * self.cohesive.viscosity / ramp,
            jump_old=state.jump.reshape(-1, 3)[:, : self.blocks.components],
        )

    def remix(self, law: IncrementalLaw, jump: Floats) -> IncrementalLaw:
        """Give intact points the mode mix of the jump foreseen; damaged ones keep theirs for the step."""
        mix = np.where(law.lost > 0, law.mix, law.mode_mix(jump))
        return replace(law, mix=mix)

    def updated(self, state: FractureState, found: Equilibrium, ramp: float) -> FractureState:
        """State at the end of a step; fatigue acts on it explicitly, so that the next step feels it."""
        law, weight = found.law, self.system.weight
        jump = self.system.jumps(self.system.pad(found.q))
        points = state.damage.shape
        spent = np.minimum(law.spent(jump) + law.fatigue_growth(jump), 1.0)
        lost = law.curve.stiffness_loss(law.curve.threshold_at(spent))
        worn = replace(law, lost=np.maximum(law.lost, lost))
        stored = law.stored_energy(jump), worn.stored_energy(jump)
        full_jump = np.zeros((*points, 3))
        full_jump[..., : self.blocks.components] = jump.reshape(*points, -1)
        return replace(
            state,
            damage=np.maximum(state.damage, spent.reshape(points)),
            stiffness_loss=np.maximum(state.stiffness_loss, lost.reshape(points)),
            mode_mix=law.mode_mix(jump).reshape(points),
            jump=full_jump,
            interface_displacement=found.q,
            displacement_rate=(found.q - state.interface_displacement) / ramp,
            step_mix=law.mix.reshape(points),
            cohesive_energy=float(weight @ stored[1]),
            fatigue_work=state.fatigue_work + float(weight @ (stored[0] - stored[1])),
            fracture_energy=state.fracture_energy + float(weight @ law.fracture_work(jump)),
            viscous_work=state.viscous_work + float(weight @ law.viscous_work(jump)),
            newton_iterations=found.newton_iterations,
            cg_iterations=found.cg_iterations,
        )

    def _with_bulk(self, state: FractureState, eigenstrain: Floats, load: "_CondensedLoad") -> FractureState:
        """Axial strain and elastic energy: of a rigid section less what relaxes, plus q.S q / 2 - f.q."""
        unstrained, q = np.zeros_like(eigenstrain), self.system.pad(state.interface_displacement)
        stress = self.elasticity.stress(unstrained, eigenstrain)
        energy = self.elasticity.energy(stress, unstrained, eigenstrain) - load.relaxed_energy
        energy += float(q @ (self.system.elastic(q) / 2 - self.system.pad(load.force)))
        return replace(state, axial_strain=self._axial_strain(state, load), elastic_energy=energy)

    def _condensed_load(self, eigenstrain: Floats) -> "_CondensedLoad":
        """Carry the forces of an eigenstrain to the interfaces and eliminate the axial strain."""
        force, axial_force = self.elasticity.load(eigenstrain)
        interior, interface = self.blocks.interior_dofs, self.blocks.interface_dofs
        inner = self._solve_inner(force[interior])
        axial_force -= float(self.elasticity.axial_coupling[interior] @ inner)
        reduced = force[interface] - self._border_transposed @ inner
        reduced -= self.blocks.axial_coupling * (axial_force / self.blocks.axial_stiffness)
        relaxed = float(force[interior] @ inner + axial_force**2 / self.blocks.axial_stiffness) / 2
        return _CondensedLoad(reduced, axial_force, inner, relaxed)

    def _axial_strain(self, state: FractureState, load: "_CondensedLoad") -> float:
        resisted = self.blocks.axial_coupling @ state.interface_displacement
        return float((load.axial_force - resisted) / self.blocks.axial_stiffness)

    def _dofs(self, state: FractureState, load: "_CondensedLoad") -> Floats:
        """All displacements: K_NN u_N = f_N - K_NI u_I - k_N eps_zz."""
        dofs = np.zeros(self.elasticity.strain_operator.shape[1])
        dofs[self.blocks.interface_dofs] = state.interface_displacement
        dofs[self.blocks.interior_dofs] = (
            load.inner_response
            - self._solve_inner(self._border @ state.interface_displacement)
            - self._inner_axial * self._axial_strain(state, load)
        )
        return dofs

    def _solve_inner(self, force: Floats) -> Floats:
        return force if self._inner is None else self._inner.solve(force)


@dataclass(frozen=True)
class _CondensedLoad:
    """An eigenstrain seen from the interfaces.

    Attributes:
        force: (n_unknowns,) N/m.
        axial_force: N.
        inner_response: (n_interior,) K_NN^-1 f_N, m.
        relaxed_energy: what interior and axial strain take off the energy of a rigid section at q = 0, J/m.
    """

    force: Floats
    axial_force: float
    inner_response: Floats
    relaxed_energy: float


def ramp(
    model: FractureModel,
    state: FractureState,
    eigenstrain_start: Floats,
    eigenstrain_end: Floats,
    steps: int = 40,
    duration: float = 1.0,
    max_cuts: int = 6,
) -> list[FractureState]:
    """Load along a straight path and return the states at the end of each of its equal steps.

    A step that does not converge is halved, at most `max_cuts` times; the parts grow again after success.

    Args:
        model: the particle.
        state: in equilibrium with `eigenstrain_start`.
        eigenstrain_start: (n_cells, 6).
        eigenstrain_end: (n_cells, 6).
        steps: number of states wanted.
        duration: of the whole path, in half-cycles.
        max_cuts: smallest part of a step is 2^-max_cuts.

    Raises:
        NotConverged: from the smallest part; carries the last converged state.
    """
    states = []
    for step in range(steps):
        done, size = 0.0, 1.0
        while done < 1:
            fraction = (step + done + size) / steps
            eigenstrain = (1 - fraction) * eigenstrain_start + fraction * eigenstrain_end
            try:
                state = model.advance(state, eigenstrain, size * duration / steps)
            except NotConverged:
                if size <= 0.5**max_cuts:
                    raise
                size /= 2
                continue
            done += size
            size = min(2 * size, 1 - done)
        states.append(state)
    return states


def _jump_operator(particle: Particle, mesh: SplitMesh, blocks: CondensedBlocks) -> sp.csr_array:
    """J: displacement of the plus side less that of the minus side, along normal, face and z."""
    m = blocks.components
    normal = particle.interface_normal
    axes = np.zeros((particle.n_interfaces, m, m))
    axes[:, 0, :2] = normal
    axes[:, 1, 0], axes[:, 1, 1] = -normal[:, 1], normal[:, 0]
    if m == 3:
        axes[:, 2, 2] = 1
    unknown = np.full(len(mesh.nodes) * m, -1, dtype=np.int64)
    unknown[blocks.interface_dofs] = np.arange(len(blocks.interface_dofs))
    # axes of entries: interface, end, side, local axis, component
    shape = (particle.n_interfaces, 2, 2, m, m)
    sign = np.array([-1.0, 1.0])[:, None, None]
    nodes = mesh.interface_nodes.transpose(0, 2, 1)[..., None, None]
    columns = np.broadcast_to(unknown[nodes * m + np.arange(m)], shape)
    rows = np.arange(particle.n_interfaces * 2 * m).reshape(particle.n_interfaces, 2, 1, m, 1)
    values = np.broadcast_to(axes[:, None, None], shape) * sign
    matrix = sp.csr_array(
        (values.ravel(), (np.broadcast_to(rows, shape).ravel(), columns.ravel())),
        shape=(particle.n_interfaces * 2 * m, len(blocks.interface_dofs)),
    )
    matrix.eliminate_zeros()
    return matrix


def _rigid_operator(mesh: SplitMesh, blocks: CondensedBlocks) -> sp.csr_array:
    """Rigid motions of the interface unknowns of every block, one column each."""
    m = blocks.components
    node_of = blocks.interface_dofs[::m] // m
    starts = blocks.start // m
    modes = [
        np.linalg.qr(rigid_modes(mesh.nodes[node_of[i:j]], m).reshape(-1, m + 1))[0]
        for i, j in pairwise(starts)
        if j > i
    ]
    if not modes:
        return sp.csr_array((0, 0))
    return sp.csr_array(sp.block_diag(modes))
