"""Cracks against known solutions: patches, contact, cantilevers, and what numerics may not decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from faultline.cracks.fracture import FractureModel, FractureState, ramp
from faultline.cracks.law import CohesiveProperties
from faultline.cracks.statistics import failed_fraction
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness, rotate_stiffness, rotate_strain
from faultline.microstructure.particle import Particle, assemble_particle, rectangle_particle
from faultline.verification.mechanics import UM, polycrystal
from faultline.verification.rows import Row, check

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OPENING, SLIP = 0, 1
PATCH_TOLERANCE = 1e-3

# -- a bar between rigid jaws ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interface:
    """Cohesive constants of the patches: strengths in Pa, toughnesses in J/m2, penalty in Pa/m."""

    tensile: float = 200e6
    shear: float = 300e6
    toughness_normal: float = 1.0
    toughness_shear: float = 2.5
    exponent: float = 1.75
    penalty: float = 1e18

    def peak(self, mix: float) -> float:
        """Traction at onset, Pa: (T cos / t_n)^2 + (T sin / t_s)^2 = 1 with sin^2 = `mix`."""
        return float(((1 - mix) / self.tensile**2 + mix / self.shear**2) ** -0.5)

    def toughness(self, mix: float) -> float:
        """Benzeggagh and Kenane (Compos. Sci. Technol. 56, 439, 1996), J/m2, for G_II / G = `mix`."""
        return float(
            self.toughness_normal + (self.toughness_shear - self.toughness_normal) * mix**self.exponent
        )

    def properties(self, weak: Bools, viscosity: float = 0.0) -> CohesiveProperties:
        """Properties (n_interfaces,) where all but the `weak` faces bear four times as much."""
        factor = np.where(weak, 1.0, 4.0)
        return CohesiveProperties(
            self.tensile * factor,
            self.shear * factor,
            self.toughness_normal * factor**2,
            self.toughness_shear * factor**2,
            self.exponent,
            self.penalty,
            viscosity,
        )


PATCH = Interface()
PATCH_ANGLES = (0, 30, 45, 60)  # degrees
BAR_MODULUS, RIGID = 200e9, 1e4
CELL = 0.25 * UM


@dataclass(frozen=True)
class Patch:
    """A bar in a rigid frame, cut so that traction and jump are the same all along the cut.

    The bar has no Poisson's ratio and wants to contract by e. On a straight cut at the angle theta the
    traction is sigma cos(theta) along y, and so is the jump, since all modes share one penalty and one
    damage: the energy share of shear is sin^2(theta). For pure shear the bar pulls a rigid slider out from
    between two rigid rails.

    Attributes:
        model: the engine on it.
        bar: (n_cells,) whether a cell belongs to the bar.
        weak: (n_interfaces,) the cut.
        mix: energy share of shear.
        lever: traction on the cut over stress in the bar.
        height: of the bar, m.
    """

    model: FractureModel
    bar: Bools
    weak: Bools
    mix: float
    lever: float
    height: float

    @property
    def length(self) -> float:
        """Length of the cut, m."""
        return float(self.model.particle.interface_length[self.weak].sum())

    def misfit(self, contraction: float) -> Floats:
        """Eigenstrain (n_cells, 6) of a contraction along the bar."""
        return np.where(self.bar, -contraction, 0.0)[:, None] * np.array([0, 1.0, 0, 0, 0, 0])

    def traction(self, state: FractureState, contraction: float) -> float:
        """Traction on the cut, Pa, from the mean stress of the bar."""
        stress = self.model.stress(state, self.misfit(contraction))[self.bar, 1]
        return float(np.average(stress, weights=self.model.particle.cell_area[self.bar]) * self.lever)

    def jump(self, state: FractureState) -> float:
        """Mean size of the jump, m, negative where the faces overlap."""
        jump = state.jump[self.weak]
        shut = (jump[..., OPENING] < 0) & (np.abs(jump[..., SLIP]) < -jump[..., OPENING])
        return float((np.linalg.norm(jump, axis=-1) * np.where(shut, -1, 1)).mean())

    def compliance(self) -> float:
        """Jump of everything but the cut over its traction, m/Pa, from an elastic step."""
        modulus = float(self.model.elasticity.stiffness[self.bar][0, 1, 1])
        small = 1e-2 * PATCH.peak(self.mix) / self.lever / modulus
        state = self.model.advance(self.model.initial_state(), self.misfit(small), 1.0)
        return (small * self.height - self.jump(state)) / self.traction(state, small)


def bar_patch(angle: float, across: int = 4, modulus: float = BAR_MODULUS) -> Patch:
    """Bar of `across` squares whose cut runs along their diagonals; without an angle, between two rows."""
    dx = CELL
    dy = CELL * float(np.tan(angle)) if angle else CELL
    columns, rows = across + 6, 10 + (across if angle else 0)
    whole = rectangle_particle((columns * dx, rows * dy), (columns, rows))
    x, y = (whole.cell_centroid / [dx, dy]).T
    from_axis, in_height = np.abs(x - columns / 2), (y > 3) & (y < rows - 3)
    bar = in_height & (from_axis < across / 2)
    void = in_height & ~bar & (from_axis < across / 2 + 1)
    upper = bar & (y > 5 + (x - 3) * bool(angle))
    model, bar = _in_frame(whole, ~void, upper, bar, modulus)
    weak = model.particle.interface_midpoint[:, 1] < (rows - 3.5) * dy
    return Patch(model, bar, weak, float(np.sin(angle) ** 2), float(np.cos(angle)), (rows - 6) * dy)


def slider_patch(across: int = 4) -> Patch:
    """Bar that pulls a slider, `across` squares wide and two high, out from between its rails."""
    columns, rows, above = across + 6, 14, 6
    whole = rectangle_particle((columns * CELL, rows * CELL), (columns, rows))
    x, y = (whole.cell_centroid / CELL).T
    from_axis = np.abs(x - columns / 2)
    within, beside = from_axis < across / 2, (from_axis > across / 2) & (from_axis < across / 2 + 1)
    bar = within & (y > above) & (y < rows - 3)
    void = (within & (y > 3) & (y < above - 2)) | (beside & (y > above) & (y < rows - 3))
    moving = within & (y > above - 2) & (y < rows - 3)
    model, bar = _in_frame(whole, ~void, moving, bar, BAR_MODULUS)
    weak = model.particle.interface_midpoint[:, 1] < above * CELL
    return Patch(model, bar, weak, 1.0, across / 4, (rows - 3 - above) * CELL)


def _in_frame(
    whole: Particle, kept: Bools, block: Bools, bar: Bools, modulus: float
) -> tuple[FractureModel, Bools]:
    """Model of the kept cells, rigid but for the bar; only the faces of the block below the top are weak."""
    particle = assemble_particle(
        whole.vertices, whole.cells[kept], whole.grain[kept], block[kept], np.eye(3)[None]
    )
    stiffness = isotropic_stiffness(1.0, 0.0) * np.where(bar[kept], 1.0, RIGID)[:, None, None] * modulus
    top = particle.interface_midpoint[:, 1].max()
    weak = particle.interface_midpoint[:, 1] < top * (1 - 1e-6)
    return FractureModel(particle, stiffness, PATCH.properties(weak), tolerance=1e-6), bar[kept]


@dataclass(frozen=True)
class Pull:
    """Record of a patch: contraction, mean jump (m), traction (Pa) by step, each (n,), and the last state."""

    contraction: Floats
    jump: Floats
    traction: Floats
    state: FractureState


def pull(patch: Patch, contractions: Floats, state: FractureState | None = None) -> Pull:
    """Follow contractions (n,) one by one, from `state` or intact."""
    state = patch.model.initial_state() if state is None else state
    jump, traction = [], []
    for contraction in contractions:
        state = patch.model.advance(state, patch.misfit(contraction), 1.0 / len(contractions))
        jump.append(patch.jump(state))
        traction.append(patch.traction(state, contraction))
    return Pull(contractions, np.array(jump), np.array(traction), state)


def contractions(patch: Patch, jumps: Floats) -> Floats:
    """Contractions (n,) that should bring the cut to these jumps, m, on its first loading."""
    peak = PATCH.peak(patch.mix)
    onset, final = peak / PATCH.penalty, 2 * PATCH.toughness(patch.mix) / peak
    traction = np.interp(jumps, [0, onset, final], [0, peak, 0])
    return (jumps + traction * patch.compliance()) / patch.height


def cohesive_patches(patches: Callable[[], list[Patch]] | None = None) -> list[Row]:
    """Peak traction, work of separation and mode mix, from pure opening to pure sliding."""
    made = patches() if patches else [*(bar_patch(np.radians(a)) for a in PATCH_ANGLES), slider_patch()]
    rows = []
    for patch in made:
        problem = f"Cohesive patch, shear share {patch.mix:.2f}"
        peak, toughness = PATCH.peak(patch.mix), PATCH.toughness(patch.mix)
        onset, final = peak / PATCH.penalty, 2 * toughness / peak
        jumps = np.concatenate([np.linspace(0, onset, 5), np.linspace(onset, final, 31)[1:], [1.05 * final]])
        record = pull(patch, contractions(patch, jumps))
        work = float(np.trapezoid(record.traction, record.jump))
        spent = record.state.fracture_energy / patch.length
        found_mix = float(record.state.mode_mix[patch.weak].mean())
        against = "against G_c of Benzeggagh and Kenane, J/m2"
        rows += [
            check(problem, "peak traction, Pa", record.traction.max(), peak, PATCH_TOLERANCE),
            check(problem, f"work of separation {against}", work, toughness, PATCH_TOLERANCE),
            check(problem, f"energy spent {against}", spent, toughness, PATCH_TOLERANCE),
            check(
                problem, "shear's share of energy (error over 1)", found_mix, patch.mix, PATCH_TOLERANCE, 1
            ),
        ]
    return rows


# -- unloading and contact ---------------------------------------------------------------------------------


def unloading_and_contact() -> list[Row]:
    """A half-broken patch goes back to the origin, bears compression unharmed, and breaks further."""
    problem = "Unloading and contact of a damaged interface"
    patch = bar_patch(0.0)
    peak, toughness = PATCH.peak(0.0), PATCH.toughness(0.0)
    onset, final = peak / PATCH.penalty, 2 * toughness / peak
    opened, further = 0.4 * final, 0.6 * final
    loads = contractions(patch, np.array([onset, opened, further]))
    broken = pull(patch, loads[:2])
    shares = np.array([0.75, 0.5, 0.25, 0.0])
    back = pull(patch, shares * loads[1], broken.state)
    squeeze = -10 * loads[0]
    pressed = pull(patch, np.array([squeeze]), back.state)
    intact = pull(patch, np.array([squeeze]))
    again = pull(patch, np.array([loads[1], loads[2]]), pressed.state)
    envelope = peak * (final - further) / (final - onset)

    force_miss = np.abs(back.traction / broken.traction[-1] - shares).max()
    jump_miss = np.abs(back.jump / broken.jump[-1] - shares).max()
    overlap = -pressed.jump[0] * PATCH.penalty
    damage = float(np.abs(pressed.state.damage - broken.state.damage).max())
    tolerance = 1 / RIGID  # the frame's share of the compliance
    return [
        check(problem, "traction towards the origin (error over the largest)", force_miss, 0.0, tolerance, 1),
        check(problem, "jump towards the origin (error over the largest)", jump_miss, 0.0, tolerance, 1),
        check(problem, "overlap times penalty under pressure, Pa", overlap, -pressed.traction[0], tolerance),
        check(problem, "damage by compression, damaged face (error over 1)", damage, 0.0, 1e-12, 1.0),
        check(
            problem, "damage by compression, intact face (error over 1)",
            intact.state.damage[patch.weak].max(), 0.0, 1e-12, 1.0,
        ),
        check(problem, "traction when loaded again, Pa", again.traction[0], broken.traction[-1], tolerance),
        check(problem, "traction further on the envelope, Pa", again.traction[1], envelope, PATCH_TOLERANCE),
    ]  # fmt: skip


# -- double cantilever -------------------------------------------------------------------------------------

ARM, ARM_MODULUS, ARM_POISSON = UM, 200e9, 0.25
PLANE_MODULUS = ARM_MODULUS / (1 - ARM_POISSON**2)
# Tough enough for a cohesive zone of the size of an arm, which a dozen elements resolve.
ARM_STRENGTH, ARM_TOUGHNESS = 100e6, 0.25
NOTCH = 3 * ARM
TAPER = 20 * ARM  # distance over which a graded misfit falls to nothing
ARM_ROWS = 12  # squares through an arm


@dataclass(frozen=True)
class Cantilever:
    """Two bonded arms that want to curl apart, notched at the left end: `curl` (n_cells, 6) is a unit misfit.

    The misfit -kappa (y - h / 2) in the upper arm, mirrored in the lower, bends a free arm without any
    stress; where the arms are bonded it cannot bend them. A crack releases all of that energy,

        G = E' kappa^2 h^3 / 12,   E' = E / (1 - nu^2),

    however long it is: exact at more than a thickness from the ends, without a beam theory, as both sides of
    a crack that moves along are uniform (Rice's J on a contour through them).
    """

    model: FractureModel
    notched: FractureState
    curl: Floats


def cantilever(rows: int, length: float, toughness_beyond: float = np.inf) -> Cantilever:
    """Cantilever of `rows` squares through an arm, four times as tough beyond a position (m), as a stop."""
    squares = (round(length / ARM * rows), 2 * rows)
    particle = rectangle_particle((length, 2 * ARM), squares, block_of=lambda p: p[:, 1] > ARM)
    tough = ARM_TOUGHNESS * np.where(particle.interface_midpoint[:, 0] > toughness_beyond, 4.0, 1.0)
    strong = np.full(particle.n_interfaces, ARM_STRENGTH)
    bonds = CohesiveProperties(strong, strong, tough, tough, 1.75, PATCH.penalty, 1e12)
    stiffness = np.tile(isotropic_stiffness(ARM_MODULUS, ARM_POISSON), (particle.n_cells, 1, 1))
    model = FractureModel(particle, stiffness, bonds)
    notch = np.where(particle.vertices[particle.interface_faces, 0] < NOTCH * (1 + 1e-9), 1.0, 0.0)
    notched = replace(model.initial_state(), damage=notch, stiffness_loss=notch)
    height = np.abs(particle.cell_centroid[:, 1] - ARM) - ARM / 2
    return Cantilever(model, notched, -height[:, None] * np.array([1.0, 0, 0, 0, 0, 0]))


def critical_curvature() -> float:
    """Curvature, 1/m, at which G reaches the toughness of the arms' bond."""
    return float(np.sqrt(12 * ARM_TOUGHNESS / (PLANE_MODULUS * ARM**3)))


def double_cantilever() -> list[Row]:
    """Load at which a crack runs, and how far it grows where the misfit falls along the arms."""
    problem = "Double cantilever opened by misfit (exact energy release rate)"
    known = critical_curvature()
    # bending of linear elements is too stiff by about 1 / n^2 in energy; the load is found in steps of 0.2 %
    tolerance = 2 / ARM_ROWS**2 + 2e-3
    rows = [check(problem, "curvature at which the crack runs, 1/m", running_curvature(), known, tolerance)]
    slope = float(np.polyfit(*graded_growth(), 1)[0])
    # the misfit's slope matters in second order, (h / taper)^2, the mesh again by some 1 / n^2
    quantity = "growth of a stable crack over the growth of the place where G = G_c"
    return [*rows, check(problem, quantity, slope, 1.0, 0.02)]


def running_curvature() -> float:
    """Curvature, 1/m, of a uniform misfit at which a crack runs an arm's thickness from the notch or more."""
    beam = cantilever(ARM_ROWS, 9 * ARM, NOTCH + 3 * ARM)
    state, known = beam.notched, critical_curvature()
    for load in np.concatenate([[0.5, 0.8, 0.9], np.arange(0.94, 1.06, 0.002)]):
        state = beam.model.advance(state, load * known * beam.curl, 0.01)
        if state.fracture_energy > ARM_TOUGHNESS * ARM:
            return float((load - 0.001) * known)
    return np.inf


def graded_growth() -> tuple[Floats, Floats]:
    """Place where G = G_c, and end of the crack by the energy spent on it, both (n,), m.

    A misfit that falls linearly along the arms still bends a free arm without stress, so that G(a) is exact
    but for the slope of kappa; the crack grows stably.
    """
    beam = cantilever(ARM_ROWS, 13 * ARM)
    curl = beam.curl * (1 - beam.model.particle.cell_centroid[:, :1] / TAPER)
    position, state, ends = np.linspace(2, 9, 29) * ARM, beam.notched, []
    for place in position:
        state = beam.model.advance(state, critical_curvature() / (1 - place / TAPER) * curl, 1 / 29)
        ends.append(NOTCH + state.fracture_energy / ARM_TOUGHNESS)
    grown = position > NOTCH + 2 * ARM  # the cohesive zone has formed
    return position[grown], np.array(ends)[grown]


# -- what numerics may not decide --------------------------------------------------------------------------

BAND = 0.10  # within which crack fraction and fracture energy may depend on numerical choices
GRAINS, SECTION_RADIUS, COARSEST = 25, 3 * UM, 0.3 * UM
GRAIN_ELASTICITY = (260e9, 105e9, 75e9, 195e9, 60e9)  # C11, C12, C13, C33, C44, Pa
GRAIN_STRAIN = (-0.01, -0.01, 0.02)  # along a, b, c, at the end of the ramp


@dataclass(frozen=True)
class Numerics:
    """Choices without physical meaning: element size (m), penalty and viscosity (Pa/m), number of steps, and
    tolerance of the equilibrium."""

    size: float = 0.2 * UM
    penalty: float = 1e18
    viscosity: float = 2e13
    steps: int = 40
    tolerance: float = 1e-5


def cracked_polycrystal(numerics: Numerics) -> tuple[float, float]:
    """Failed share of the interfaces and energy spent on them, J/m2, after a ramp of one polycrystal.

    The cohesive zone of these bonds, E G / T^2 = 5 um, is longer than a grain: every size here resolves it.
    """
    particle = polycrystal(SECTION_RADIUS, GRAINS, 1, numerics.size, COARSEST, tilt=True)
    axes, one = particle.cell_orientation, np.ones(particle.n_interfaces)
    bonds = CohesiveProperties(
        2e8 * one, 2e8 * one, one, one, PATCH.exponent, numerics.penalty, numerics.viscosity
    )
    stiffness = rotate_stiffness(hexagonal_stiffness(*GRAIN_ELASTICITY), axes)
    model = FractureModel(particle, stiffness, bonds, tolerance=numerics.tolerance)
    misfit = rotate_strain(np.array(GRAIN_STRAIN), axes)
    state = ramp(model, model.initial_state(), 0 * misfit, misfit, numerics.steps)[-1]
    return failed_fraction(particle, state.damage), state.fracture_energy / particle.interface_length.sum()


def objectivity() -> list[Row]:
    """Crack fraction and fracture energy against their values at finer or stiffer numerics."""
    problem = "Objectivity of cracks in a polycrystal"
    usual, fine = Numerics(), Numerics(size=0.1 * UM)
    choices = {
        "elements of 0.3 um against 0.1 um": (Numerics(size=0.3 * UM), fine),
        "elements of 0.2 um against 0.1 um": (usual, fine),
        "penalty of 1e18 Pa/m against 1e19 Pa/m": (usual, Numerics(penalty=1e19)),
        "viscosity of 2e13 Pa/m against 5e12 Pa/m": (usual, Numerics(viscosity=5e12)),
        "viscosity of 4e13 Pa/m against 5e12 Pa/m": (Numerics(viscosity=4e13), Numerics(viscosity=5e12)),
        "40 steps against 80": (usual, Numerics(steps=80)),
        "tolerance of 1e-5 against 1e-8": (usual, Numerics(tolerance=1e-8)),
    }
    solve = cache(cracked_polycrystal)
    rows = []
    for name, (chosen, reference) in choices.items():
        (failed, spent), (failed_there, spent_there) = solve(chosen), solve(reference)
        rows.append(check(problem, f"failed share of the interfaces, {name}", failed, failed_there, BAND))
        rows.append(check(problem, f"fracture energy, {name}, J/m2", spent, spent_there, BAND))
    return rows


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    "cohesive patches": cohesive_patches,
    "unloading and contact": unloading_and_contact,
    "double cantilever": double_cantilever,
    "objectivity": objectivity,
}
