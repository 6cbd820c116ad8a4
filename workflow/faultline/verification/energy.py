"""Where the work of the misfit goes: an energy balance of cracking that closes to rounding.

No outer forces act, so all work comes from the eigenstrain. With A the areas of the cells, w the tributary
lengths of the interface points, t their tractions and d their jumps, midpoint values written with a bar,

    W = -sum A sigma_bar : De*             work of the eigenstrain in a step
    DE + DP = W + sum A sigma_bar : De     exact: the bulk is linear, e = S sigma + e* + e^p
    sum A sigma : De = -sum w t . Dd       equilibrium at the end of the step, where backward Euler takes it

so that W = DE + DP + sum w t . Dd + sum A Dsigma : De / 2. The last traction splits into drag, whose work is
the engine's viscous work, and the cohesive one, whose work along the straight path from d_n to d is

    int t(d_n + s Dd) . Dd ds = DS + DG - M.

S is stored in the interfaces and G spent on cracks, M the change of the potential when a step gives a point
another mode mix. What a step of finite size leaves over is thus known term by term:

    W = DE + DS + DG + DV + DP + R,
    R = sum A Dsigma : De / 2 + sum w int (t(d) - t(d_n + s Dd)) . Dd ds - M.

R is the energy that a sudden jump releases (as sound and heat, where motion is not resolved) and vanishes
with the step where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from faultline.cracks.evolution import CrackEvolution
from faultline.cracks.fracture import FractureModel, FractureState
from faultline.cracks.glide import BasalGlide
from faultline.cracks.law import CohesiveProperties, IncrementalLaw
from faultline.crystal import hexagonal_stiffness, rotate_stiffness, rotate_strain
from faultline.microstructure.particle import Particle
from faultline.verification.fracture import (
    GRAIN_ELASTICITY,
    GRAIN_STRAIN,
    PATCH,
    PATCH_TOLERANCE,
    bar_patch,
    contractions,
)
from faultline.verification.mechanics import UM, polycrystal
from faultline.verification.rows import Row, check, order_row

Floats = NDArray[np.float64]

CLOSURE = 1e-6  # of the work

# -- terms of the balance ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Balance:
    """Energy increments of one step or sums of them, J/m, each from its own formula.

    Attributes:
        work: of the eigenstrain, W.
        elastic, cohesive: stored in the bulk and in the interfaces, DE and DS.
        fracture, viscous, plastic: dissipated, DG, DV and DP.
        bulk_jump: sum A Dsigma : De / 2.
        interface_jump: sum w int (t(d) - t(d_n + s Dd)) . Dd ds.
        mode_change: -M, lost where a new mode mix puts a point beyond its threshold.
    """

    work: float = 0.0
    elastic: float = 0.0
    cohesive: float = 0.0
    fracture: float = 0.0
    viscous: float = 0.0
    plastic: float = 0.0
    bulk_jump: float = 0.0
    interface_jump: float = 0.0
    mode_change: float = 0.0

    def __add__(self, other: Balance) -> Balance:
        return Balance(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def accounted(self) -> float:
        """What the engine's own accounts hold."""
        return self.elastic + self.cohesive + self.fracture + self.viscous + self.plastic

    @property
    def released(self) -> float:
        """R: energy set free by jumps, and the error of the step where there are none."""
        return self.bulk_jump + self.interface_jump + self.mode_change


def path_work_defect(law: IncrementalLaw, start: Floats, end: Floats) -> Floats:
    """int_0^1 (t(end) - t(start + s D)) . D ds (n,), J/m2, with D = end - start (n, m), by quadrature.

    The tractions are the cohesive and contact part of the law alone. The path is cut where they have a kink:
    where the faces meet, where damage goes on, and where nothing is left.
    """
    still = replace(law, damping=np.zeros_like(law.damping))
    move = end - start
    cuts = _kinks(law, start, move)
    node, weight = np.polynomial.legendre.leggauss(24)
    last = (still.traction(end) * move).sum(axis=1)
    total = np.zeros(len(start))
    for low, high in pairwise(cuts):
        for x, w in zip((node + 1) / 2, weight / 2, strict=True):
            here = still.traction(start + (low + x * (high - low))[:, None] * move)
            total += w * (high - low) * (last - (here * move).sum(axis=1))
    return total


def _kinks(law: IncrementalLaw, start: Floats, move: Floats) -> Floats:
    """Ascending path fractions (k, n), 0 and 1 among them, between which the traction is smooth."""
    n = len(start)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.zeros(n), np.ones(n), -start[:, 0] / move[:, 0]]
        for first in (0, 1):  # the equivalent jump counts the normal part only where the faces are apart
            a = (move[:, first:] ** 2).sum(axis=1)
            b = (start[:, first:] * move[:, first:]).sum(axis=1)
            found.append(-b / a)  # not a kink, but the nearest that the path comes to one
            for size in (law.threshold, law.curve.final):
                c = (start[:, first:] ** 2).sum(axis=1) - size**2
                root = np.sqrt(b**2 - a * c)
                found += [(-b - root) / a, (-b + root) / a]
    return np.sort(np.clip(np.nan_to_num(np.array(found), posinf=1.0, neginf=0.0), 0.0, 1.0), axis=0)


def mode_change(law: IncrementalLaw, before: FractureState) -> Floats:
    """Stored energy of the last step less the potential that the present law gives to it (n,), J/m2."""
    jump, penalty = law.jump_old, law.penalty_stiffness
    shut = np.minimum(jump[:, 0], 0) ** 2
    stiffness = (1 - before.stiffness_loss.ravel()) * penalty
    stored = (stiffness * ((jump**2).sum(axis=1) - shut) + penalty * shut) / 2
    return stored - law.potential(jump)  # no drag at the start of the step


class AuditedEvolution(CrackEvolution):
    """Cracks and glide that note the energy balance of every step they commit."""

    def __init__(self, fracture: FractureModel, glide: BasalGlide | None = None) -> None:
        super().__init__(fracture, glide)
        self.balance = Balance()

    def commit(self) -> None:
        """Keep the last trial and add its balance."""
        before, plastic = self._snapshot(), self.plastic_work
        super().commit()
        self.balance += step_balance(self.fracture, before, self._snapshot(), self.plastic_work - plastic)

    def _snapshot(self) -> Snapshot:
        return Snapshot(self.state, self.stress, self.eigenstrain, self.glide.strain(self.slip))


@dataclass(frozen=True)
class Snapshot:
    """Equilibrium between two steps: state, stress, eigenstrain and plastic strain, each (n_cells, 6)."""

    state: FractureState
    stress: Floats
    eigenstrain: Floats
    plastic_strain: Floats


def step_balance(model: FractureModel, before: Snapshot, after: Snapshot, plastic: float) -> Balance:
    """Balance of one step; `plastic` is the engine's plastic work in it, J/m."""
    weight, m = model.system.weight, model.blocks.components
    mix = np.asarray(after.state.step_mix).ravel()
    law = replace(model.incremental_law(before.state, 1.0), mix=mix)  # the terms here leave the drag out
    area = model.particle.cell_area
    start, end = (s.state.jump.reshape(-1, 3)[:, :m] for s in (before, after))
    strain = [total_strain(model, s) for s in (before, after)]

    def integral(stress: Floats, strain: Floats) -> float:
        return float(area @ np.einsum("ci,ci->c", stress, strain))

    a, b = before.state, after.state
    return Balance(
        work=-integral((before.stress + after.stress) / 2, after.eigenstrain - before.eigenstrain),
        elastic=b.elastic_energy - a.elastic_energy,
        cohesive=b.cohesive_energy - a.cohesive_energy,
        fracture=b.fracture_energy - a.fracture_energy,
        viscous=b.viscous_work - a.viscous_work,
        plastic=plastic,
        bulk_jump=integral(after.stress - before.stress, strain[1] - strain[0]) / 2,
        interface_jump=float(weight @ path_work_defect(law, start, end)),
        mode_change=float(weight @ mode_change(law, a)),
    )


def total_strain(model: FractureModel, snapshot: Snapshot) -> Floats:
    """Strain (n_cells, 6) from the displacements, not from the stress."""
    moved = model.displacement(snapshot.state, snapshot.eigenstrain + snapshot.plastic_strain)
    dofs = moved[:, : model.blocks.components].ravel()
    return model.elasticity.strain(dofs, snapshot.state.axial_strain)


# -- polycrystal -------------------------------------------------------------------------------------------

CRITICAL_STRESS = 100e6  # of basal glide, Pa


def cracking_polycrystal(viscosity: float, tough: float = 1.0, count: int = 8) -> AuditedEvolution:
    """`count` tilted grains about 1 um wide that crack along their boundaries and glide on their layers.

    Args:
        viscosity: Pa/m.
        tough: toughness over a usual one.
        count: number of grains.
    """
    particle = polycrystal(0.55 * UM * count**0.5, count, 2, 0.25 * UM, 0.25 * UM, tilt=True)
    axes, one = particle.cell_orientation, np.ones(particle.n_interfaces)
    bonds = CohesiveProperties(2e8 * one, 3e8 * one, tough * one, 2.5 * tough * one, 1.75, 1e18, viscosity)
    stiffness = rotate_stiffness(hexagonal_stiffness(*GRAIN_ELASTICITY), axes)
    model = FractureModel(particle, stiffness, bonds, tolerance=1e-8)
    critical = np.full(particle.n_cells, CRITICAL_STRESS)
    return AuditedEvolution(model, BasalGlide(axes, GRAIN_ELASTICITY[4], critical, particle.cell_area))


def charge_and_discharge(particle: Particle, time: float) -> Floats:
    """Eigenstrain (n_cells, 6) at a time from 0 to 1: up until 0.7, the surface ahead, and half-way back."""
    up, down = min(time, 0.7) / 0.7, max(time - 0.7, 0.0) / 0.6
    rho = np.linalg.norm(particle.cell_centroid, axis=1)
    rho /= rho.max()
    level = up * (1 - 0.4 * (1 - up) * (1 - rho**2)) - down * (0.6 + 0.4 * rho**2)
    principal = level[:, None] * np.array(GRAIN_STRAIN)
    return rotate_strain(principal, particle.cell_orientation)


def follow(evolution: AuditedEvolution, steps: int) -> Balance:
    """Sum of the balances of a charge and half a discharge in `steps` equal steps."""
    for step in range(steps):
        eigenstrain = charge_and_discharge(evolution.fracture.particle, (step + 1) / steps)
        evolution.follow(eigenstrain, 1 / steps)
    return evolution.balance


def usual_evolution() -> AuditedEvolution:
    """Polycrystal with the viscosity of a study, whose cracks separate grains."""
    return cracking_polycrystal(2e13, count=12)


def closure(make: Callable[[], AuditedEvolution] = usual_evolution, steps: int = 40) -> list[Row]:
    """The engine's accounts, the work and what jumps release, each computed on its own, add up."""
    problem = "Energy balance of a cracking and gliding polycrystal"
    balance = follow(make(), steps)
    # the equilibrium of each step is known to 1e-8 of the strength
    return [
        check(
            problem,
            "stored, dissipated and released against the work of the eigenstrain, J/m "
            f"(released by jumps: {balance.released / balance.work:.2%} of it)",
            balance.accounted + balance.released, balance.work, CLOSURE,
        ),
    ]  # fmt: skip


def first_order() -> list[Row]:
    """Without the terms of the finite step the accounts miss the work in proportion to the step.

    The bonds are four times as tough as usual: they are damaged, and none separates, so that nothing jumps.
    """
    problem = "Energy balance by the engine's accounts alone"
    counts = (8, 16, 32)
    misses = []
    for steps in counts:
        balance = follow(cracking_polycrystal(2e13, tough=4.0), steps)
        misses.append(abs(1 - balance.accounted / balance.work))
    return [
        order_row(problem, "missing share of the work, over the step", [1 / n for n in counts], misses, 1.0)
    ]


# -- a bar that snaps --------------------------------------------------------------------------------------

SNAP_STEP = 5e-4  # of the load at which the cut gives way
SNAP_MODULUS = 10e9  # so soft that the bar holds more energy than its cut can take up


def snapping_bar() -> list[Row]:
    """Energy that a soft bar sets free when its cut gives way at once, under a load that stands still.

    At the peak T bar, jaws and cut hold T^2 (C + 1 / K) / 2 per area of the cut; it takes up G_c.
    """
    problem = "Bar that snaps"
    patch = bar_patch(0.0, modulus=SNAP_MODULUS)
    peak, toughness = PATCH.peak(0.0), PATCH.toughness(0.0)
    known = peak**2 * (patch.compliance() + 1 / PATCH.penalty) / 2 - toughness
    onset = float(contractions(patch, np.array([peak / PATCH.penalty]))[0])
    engine = patch.model
    model = FractureModel(engine.particle, engine.elasticity.stiffness, engine.cohesive, tolerance=1e-8)
    evolution = AuditedEvolution(model)
    for load in (0.5, 0.9, 0.99, *np.arange(0.996, 1.005, SNAP_STEP)):
        evolution.follow(patch.misfit(load * onset), SNAP_STEP)
    balance = evolution.balance
    spent, released = balance.fracture / patch.length, balance.released / patch.length
    work = balance.work / patch.length
    tolerance = 4 * SNAP_STEP * (known + toughness) / known  # energy goes with the square of the load
    return [
        check(problem, "energy released by the jump, J/m2", released, known, tolerance),
        check(problem, "energy spent on the crack, J/m2", spent, toughness, PATCH_TOLERANCE),
        check(problem, "released and accounted against the work, J/m2",
              (balance.accounted + balance.released) / patch.length, work, CLOSURE),
    ]  # fmt: skip


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    "energy balance": closure,
    "first-order balance": first_order,
    "snapping bar": snapping_bar,
}
