"""Bulk mechanics against closed forms: misfit in cylinders and strips, free crystals, condensation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from faultline.config.protocol import parse_step
from faultline.cracks.fracture import FractureModel
from faultline.cracks.law import CohesiveProperties
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness, rotate_stiffness, rotate_strain
from faultline.cycling.mechanics import BondedMechanics
from faultline.cycling.run import Cycler, Settings
from faultline.materials import LatticeCurve, Material, VoltageCurve
from faultline.materials.particle_model import ParticleModel
from faultline.mechanics import BondedSolid
from faultline.mechanics.bonded import factorise
from faultline.mechanics.plane import statically_determinate_supports
from faultline.microstructure.meshing import mesh_network
from faultline.microstructure.network import OUTLINE, Network, tidy
from faultline.microstructure.orientations import random_orientations
from faultline.microstructure.particle import Particle, assemble_particle, rectangle_particle
from faultline.microstructure.tessellation import disc, tessellate
from faultline.transport.surface import outer_surface
from faultline.verification.rows import Row, check, order_row

Floats = NDArray[np.float64]

UM = 1e-6
ISOTROPIC_EIGENSTRAIN = np.array([1.0, 1, 1, 0, 0, 0])
RADIAL, HOOP, AXIAL = 0, 1, 2


# -- sections ----------------------------------------------------------------------------------------------


def round_section(radii: Sequence[float], size: float) -> Particle:
    """Disc of concentric grains with the outer radii `radii` (ascending), m, as one elastic block.

    The vertices on the circles are exact; chords between them cut off an area of order `size` squared.
    """
    circles, loops, start = [], [], 0
    for radius in radii:
        n = round(2 * np.pi * radius / size)
        angle = 2 * np.pi * np.arange(n) / n
        circles.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))
        loops.append(start + np.arange(n))
        start += n
    holes = [loop[::-1] for loop in loops[:-1]]
    network = Network(
        np.concatenate(circles),
        np.full(start, OUTLINE),
        tuple(loops + holes),
        np.array([*range(len(radii)), *range(1, len(radii))]),
    )
    mesh = mesh_network(network, size)
    axes = np.broadcast_to(np.eye(3), (len(radii), 3, 3)).copy()
    return assemble_particle(mesh.vertices, mesh.cells, mesh.polygon, np.zeros(len(mesh.cells)), axes)


def polycrystal(radius: float, count: int, seed: int, size: float, coarsest: float, tilt: bool) -> Particle:
    """Disc of Voronoi grains meshed at `size`, m; the grains are those that a mesh of `coarsest` can show."""
    rng = np.random.default_rng(seed)
    network = tidy(tessellate(disc(radius, coarsest), count, 3, 0.0, rng), coarsest)
    _, grain = np.unique(network.grain, return_inverse=True)
    axes = random_orientations(int(grain.max()) + 1, rng, tilt)
    mesh = mesh_network(network, size)
    return assemble_particle(mesh.vertices, mesh.cells, grain[mesh.polygon], mesh.polygon, axes)


def polar_components(particle: Particle, stress: Floats) -> Floats:
    """Radial, hoop and axial stress (n_cells, 3) about the origin, from (n_cells, 6)."""
    x, y = particle.cell_centroid.T
    c, s = x / np.hypot(x, y), y / np.hypot(x, y)
    xx, yy, xy = stress[:, 0], stress[:, 1], stress[:, 5]
    radial = c**2 * xx + s**2 * yy + 2 * c * s * xy
    return np.stack([radial, xx + yy - radial, stress[:, 2]], axis=1)


def relative_l2(particle: Particle, found: Floats, exact: Floats) -> float:
    """L2 norm of the error over the L2 norm of the exact field (n_cells, k), over the section."""
    area = particle.cell_area
    return float(np.sqrt((area @ (found - exact) ** 2).sum() / (area @ exact**2).sum()))


# -- stress of a concentration profile ---------------------------------------------------------------------

DISC_RADIUS, MODULUS, POISSON = UM, 140e9, 0.3
MESH_SIZES = [0.08 * DISC_RADIUS, 0.04 * DISC_RADIUS, 0.02 * DISC_RADIUS]
PROFILE_STRAIN = 0.01


def cylinder_stress(
    rho: Floats, strain: Callable[[Floats], Floats], modulus: float, poisson: float
) -> Floats:
    """Radial, hoop and axial stress (n, 3), Pa, of a long free cylinder with an isotropic radial misfit.

        sigma_r = B (mean(1) - mean(rho)) / 2,   sigma_t = B ((mean(1) + mean(rho)) / 2 - e(rho)),
        sigma_z = B (mean(1) - e(rho)),          B = E / (1 - nu),

    with mean(rho) the mean of the misfit strain e = Omega c / 3 over the cylinder within rho = r / R, and no
    axial resultant. Cheng and Verbrugge, J. Power Sources 190, 453 (2009) for the sphere; Timoshenko and
    Goodier, Theory of Elasticity, section 151 for the cylinder.
    """
    node, weight = np.polynomial.legendre.leggauss(40)
    s = (node + 1) / 2

    def mean(limit: Floats) -> Floats:
        return np.asarray((strain(limit[:, None] * s) * s) @ weight)  # 2 int_0^1 e(limit s) s ds

    whole, within, here = mean(np.ones(1)), mean(rho), strain(rho)
    columns = [(whole - within) / 2, (whole + within) / 2 - here, whole - here]
    return modulus / (1 - poisson) * np.stack(columns, axis=1)


def diffusion_profile(rho: Floats) -> Floats:
    """Misfit of a cylinder filled at a constant flux for long: the quasi-steady parabola."""
    return PROFILE_STRAIN * rho**2


def diffusion_induced_stress(
    stiffness_of: Callable[[float, float], Floats] = isotropic_stiffness,
) -> list[Row]:
    """Cylinder with a parabolic concentration: fields, convergence, axial balance."""
    problem = "Diffusion-induced stress in a cylinder (Cheng-Verbrugge)"
    errors = []
    for size in MESH_SIZES:
        particle = round_section([DISC_RADIUS], size)
        rho = np.linalg.norm(particle.cell_centroid, axis=1) / DISC_RADIUS
        eigenstrain = diffusion_profile(rho)[:, None] * ISOTROPIC_EIGENSTRAIN
        solid = BondedSolid(particle, np.tile(stiffness_of(MODULUS, POISSON), (particle.n_cells, 1, 1)))
        stress = solid.solve(eigenstrain).stress
        found = polar_components(particle, stress)
        exact = cylinder_stress(rho, diffusion_profile, MODULUS, POISSON)
        errors.append(relative_l2(particle, found, exact))
    scale = MODULUS / (1 - POISSON) * PROFILE_STRAIN
    rows = [order_row(problem, "stress field, L2 norm", MESH_SIZES, errors, 1.0)]
    tolerance = (
        2 * (MESH_SIZES[-1] / DISC_RADIUS) ** 2
    )  # a cell's stress errs by h, its mean over a ring by h^2
    for radius in (0.25, 0.5, 0.9):
        ring = np.abs(rho - radius) < 1.5 * MESH_SIZES[-1] / DISC_RADIUS
        for part, name in ((RADIAL, "radial"), (HOOP, "hoop"), (AXIAL, "axial")):
            mean, known = (
                np.average(f[ring, part], weights=particle.cell_area[ring]) for f in (found, exact)
            )
            quantity = f"{name} stress at r = {radius} R, Pa (error over E e / (1 - nu))"
            rows.append(check(problem, quantity, mean, known, tolerance, scale))
    resultant = float(particle.cell_area @ stress[:, 2]) / particle.area
    rows.append(check(problem, "mean axial stress, Pa (over E e / (1 - nu))", resultant, 0.0, 1e-10, scale))
    return rows


# -- circular inclusion ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phase:
    """Isotropic phase of a composite cylinder: E in Pa, nu, and isotropic misfit strain."""

    modulus: float
    poisson: float
    misfit: float

    @property
    def lame(self) -> tuple[float, float]:
        """Lame's constants lambda and mu, Pa."""
        shear = self.modulus / (2 * (1 + self.poisson))
        return 2 * shear * self.poisson / (1 - 2 * self.poisson), shear


CORE_PHASE, MATRIX_PHASE = Phase(200e9, 0.25, 0.01), Phase(80e9, 0.35, 0.0)
CORE_RADIUS = 0.4 * DISC_RADIUS


def composite_cylinder(core: Phase, matrix: Phase, ratio: float) -> tuple[Floats, float]:
    """Exact coefficients (3,) of a misfitting core in a concentric matrix, and the axial strain.

    Lame: u = A r in the core and A2 r + B / r in the matrix (B counted in units of the core radius squared),
    one axial strain. Continuous displacement and radial stress, free surface, no axial resultant.

    Args:
        core, matrix: the phases.
        ratio: a / R, core radius over outer radius.
    """
    (lc, mc), (lm, mm) = core.lame, matrix.lame
    kc, km = 3 * lc + 2 * mc, 3 * lm + 2 * mm  # stress of an isotropic misfit, held
    share = ratio**2
    # unknowns A, A2, B, eps_zz; sigma_r = 2 (lambda + mu) A - 2 mu B / r^2 + lambda eps_zz - k e
    system = np.array(
        [
            [1.0, -1.0, -1.0, 0.0],
            [2 * (lc + mc), -2 * (lm + mm), 2 * mm, lc - lm],
            [0.0, 2 * (lm + mm), -2 * mm * share, lm],
            [
                2 * lc * share,
                2 * lm * (1 - share),
                0.0,
                share * (lc + 2 * mc) + (1 - share) * (lm + 2 * mm),
            ],
        ]
    )
    held_core, held_matrix = kc * core.misfit, km * matrix.misfit
    load = [0.0, held_core - held_matrix, held_matrix, share * held_core + (1 - share) * held_matrix]
    *radial, axial = np.linalg.solve(system, load)
    return np.array(radial), float(axial)


def composite_stress(r: Floats, core: Phase, matrix: Phase, ratio: float) -> Floats:
    """Radial, hoop and axial stress (n, 3), Pa, at r (n,) in units of the core radius."""
    (inner, outer, decay), axial = composite_cylinder(core, matrix, ratio)
    inside = r < 1
    lame = np.where(inside[:, None], core.lame, matrix.lame)
    misfit = np.where(inside, core.misfit, matrix.misfit)
    stretch = np.where(inside, inner, outer)
    turn = np.where(inside, 0.0, decay / np.where(inside, 1.0, r) ** 2)
    strain = np.stack([stretch - turn, stretch + turn, np.full_like(r, axial)], axis=1) - misfit[:, None]
    return lame[:, :1] * strain.sum(axis=1, keepdims=True) + 2 * lame[:, 1:] * strain


def circular_inclusion(stiffness_of: Callable[[float, float], Floats] = isotropic_stiffness) -> list[Row]:
    """Stiff core that swells in a soft concentric matrix: Eshelby's uniform core, Lame's matrix."""
    problem = "Circular inclusion with misfit in a cylinder of another material (Eshelby, Lame)"
    ratio = CORE_RADIUS / DISC_RADIUS
    errors = []
    for size in MESH_SIZES:
        particle = round_section([CORE_RADIUS, DISC_RADIUS], size)
        core = (particle.grain == 0)[:, None]
        stiff, soft = (stiffness_of(p.modulus, p.poisson) for p in (CORE_PHASE, MATRIX_PHASE))
        solid = BondedSolid(particle, np.where(core[..., None], stiff, soft))
        state = solid.solve(np.where(core, CORE_PHASE.misfit, MATRIX_PHASE.misfit) * ISOTROPIC_EIGENSTRAIN)
        found = polar_components(particle, state.stress)
        r = np.linalg.norm(particle.cell_centroid, axis=1) / CORE_RADIUS
        exact = composite_stress(r, CORE_PHASE, MATRIX_PHASE, ratio)
        errors.append(relative_l2(particle, found, exact))
    _, axial = composite_cylinder(CORE_PHASE, MATRIX_PHASE, ratio)
    size = MESH_SIZES[-1] / CORE_RADIUS
    # chords cut off size^2 / 6 of the core's area; means of linear elements err by some size^2
    tolerance = 3 * size**2
    rows = [order_row(problem, "stress field, L2 norm", MESH_SIZES, errors, 1.0)]
    inside, outside = r < 1 - 3 * size, np.abs(r - 1.5) < 1.5 * size
    for where, place in ((inside, "in the core"), (outside, "at r = 1.5 a")):
        for part, name in ((RADIAL, "radial"), (HOOP, "hoop"), (AXIAL, "axial")):
            mean, known = (
                np.average(f[where, part], weights=particle.cell_area[where]) for f in (found, exact)
            )
            quantity = f"{name} stress {place}, Pa (error over the core's radial stress)"
            rows.append(check(problem, quantity, mean, known, tolerance, exact[inside, RADIAL].mean()))
    spread = np.abs(found[inside] - found[inside].mean(axis=0)).max()
    quantity = "largest deviation from a uniform core, Pa (error over the core's radial stress)"
    rows.append(check(problem, quantity, spread, 0.0, size, exact[inside, RADIAL].mean()))
    rows.append(check(problem, "axial strain", state.axial_strain, axial, tolerance))
    return rows


# -- bimaterial strip --------------------------------------------------------------------------------------

STRIP = (24 * UM, 0.4 * UM, 0.8 * UM)  # length, thickness of the lower and of the upper layer
STRIP_MODULI, STRIP_POISSON, STRIP_MISFIT = (300e9, 100e9), 0.3, 0.01


def strip_strain(thickness: Floats, moduli: Floats, poisson: float, misfit: Floats) -> Floats:
    """Strain at y = 0 and curvature (1 / m) of a free strip of layers (n,) stacked from y = 0 upwards.

    With nu the same in all layers the axial strain of the section shifts the strain along the strip only,
    so that plane strain differs from Timoshenko's strip (J. Opt. Soc. Am. 11, 233, 1925) by
    E / (1 - nu^2) in place of E and (1 + nu) e in place of e. No force and no moment:

        sum over layers of int E' (eps_0 + kappa y - (1 + nu) e) (1, y) dy = 0   at eps_zz = 0.
    """
    top = np.cumsum(thickness)
    base = top - thickness
    plane = moduli / (1 - poisson**2)
    moments = [plane * (top**k - base**k) / k for k in (1, 2, 3)]
    matrix = np.array([[moments[0].sum(), moments[1].sum()], [moments[1].sum(), moments[2].sum()]])
    free = (1 + poisson) * misfit
    return np.linalg.solve(matrix, [moments[0] @ free, moments[1] @ free])


def bimaterial_strip(stiffness_of: Callable[[float, float], Floats] = isotropic_stiffness) -> list[Row]:
    """Two layers with misfit: curvature, and the stress along the strip on both sides of the interface."""
    problem = "Bimaterial strip (Timoshenko, plane strain)"
    length, lower, upper = STRIP
    moduli = np.array(STRIP_MODULI)
    start, curvature = strip_strain(
        np.array([lower, upper]), moduli, STRIP_POISSON, np.array([STRIP_MISFIT, 0.0])
    )
    cells_across, errors = (9, 18, 36), []
    for n in cells_across:
        particle = rectangle_particle((length, lower + upper), (6 * n, n))
        x, y = particle.cell_centroid.T
        layer = (y > lower).astype(int)
        unit = stiffness_of(1.0, STRIP_POISSON)
        eigenstrain = np.where(layer == 0, STRIP_MISFIT, 0.0)[:, None] * ISOTROPIC_EIGENSTRAIN
        state = BondedSolid(particle, unit * moduli[layer][:, None, None]).solve(eigenstrain)
        middle = np.abs(x - length / 2) < length / 6
        bent = np.polyfit(y[middle], state.strain[middle, 0], 1)[0]
        errors.append(abs(bent - curvature) / abs(curvature))
    rows = [order_row(problem, "curvature", [1 / n for n in cells_across], errors, 2.0)]
    # Bending of linear elements is too stiff by about 1 / n^2, n elements through the thinner layer.
    tolerance = 2.0 / (cells_across[-1] / 3) ** 2
    rows.append(check(problem, "curvature, 1/m", bent, curvature, tolerance))
    stretch = start + curvature * lower
    for k, name in ((0, "lower"), (1, "upper")):
        own = middle & (layer == k)
        found = float(np.polyfit(y[own] - lower, state.stress[own, 0], 1)[1])
        plane = moduli[k] / (1 - STRIP_POISSON**2)
        known = plane * (stretch - (1 + STRIP_POISSON) * STRIP_MISFIT * (k == 0))
        rows.append(check(problem, f"stress at the interface, {name} layer, Pa", found, known, tolerance))
    return rows


# -- free single crystal -----------------------------------------------------------------------------------

TEMPERATURE = 298.15
CRYSTALS = {  # stiffness (C11, C12, C13, C33, C44), Pa; rows of (site fraction, phase, spacing, a, b)
    "stiff layers, one phase": (
        (260e9, 105e9, 75e9, 195e9, 60e9),
        ((0.2, "H", 1.02, -0.02, -0.02), (0.6, "H", 1.03, -0.01, -0.01), (1.0, "H", 1.0, 0.0, 0.0)),
    ),
    "soft layers, collapse in a two-phase gap": (
        (190e9, 70e9, 40e9, 90e9, 25e9),
        (
            (0.2, "O", 0.85, -0.03, -0.015),
            (0.3, "O", 0.86, -0.025, -0.015),
            (0.5, "P", 1.05, -0.01, -0.01),
            (1.0, "P", 1.0, 0.0, 0.0),
        ),
    ),
}


def synthetic_material(name: str) -> Material:
    """Layered oxide out of round numbers: elasticity, lattice and a falling voltage, no source needed."""
    constants, table = CRYSTALS[name]
    x, phase, spacing, a, b = zip(*table, strict=True)
    return Material(
        name=name,
        formula="AMO2",
        alkali="Na",
        molar_mass=0.1,
        c_max=4e4,
        initial_site_fraction=1.0,
        nominal_site_fraction_change=0.8,
        thermodynamics="ocv",
        diffusivity_kind="chemical",
        diffusivity_ab=1e-14,
        diffusivity_c=1e-15,
        exchange_current_density_half=1.0,
        transfer_coefficient=0.5,
        stiffness=hexagonal_stiffness(*constants),
        critical_resolved_shear_stress=np.inf,
        interfaces={},
        voltage=VoltageCurve(np.linspace(0.2, 1.0, 5), np.linspace(4.3, 2.5, 5), 0.02),
        lattice=LatticeCurve.from_table(x, phase, spacing, a, b, reference=1.0),
    )


def free_single_crystal() -> list[Row]:
    """Crystals at rest at random orientations: no stress, the open-circuit voltage, the free strain."""
    rows = []
    for name in CRYSTALS:
        problem = f"Free single crystal, {name}"
        material = synthetic_material(name)
        worst = {"stress": 0.0, "voltage": 0.0, "strain": 0.0}
        for seed, x in enumerate((0.3, 0.45, 0.9)):
            axes = Rotation.random(random_state=seed).as_matrix()
            particle = rectangle_particle((1.5 * UM, UM), (6, 4), orientation=axes)
            model = ParticleModel(particle, material, TEMPERATURE, np.zeros((particle.n_cells, 6)))
            worst = {key: max(worst[key], miss) for key, miss in _crystal_misses(model, x).items()}
        rows.append(check(problem, "largest stress over C11 e", worst["stress"], 0.0, 1e-9, 1.0))
        rows.append(check(problem, "voltage less V_oc, V (error over 1 V)", worst["voltage"], 0.0, 1e-6, 1.0))
        rows.append(
            check(problem, "axial strain less its free value, over e", worst["strain"], 0.0, 1e-9, 1.0)
        )
    return rows


def _crystal_misses(model: ParticleModel, x: float) -> dict[str, float]:
    """Largest stress, voltage and strain that a uniform crystal (n_cells,) at rest should not have."""
    particle, material = model.particle, model.material
    mechanics = BondedMechanics(model)
    surface = outer_surface(particle, np.zeros(particle.n_surface))
    cycler = Cycler(model, surface, mechanics, Settings(tolerance=1e-3, largest_step=0.05, frames=10))
    history = cycler.run(np.full(particle.n_cells, x), [parse_step("Rest for 1 hour")], cycles=1)
    if history.status != "ok":
        raise ArithmeticError(history.message)
    lattice = np.broadcast_to(material.lattice_strain(np.array([x])), (1, 3))
    free = rotate_strain(lattice, particle.cell_orientation[:1])[0]  # without the model's own rotation
    size = np.abs(free).max()
    open_circuit = float(material.open_circuit_voltage(x))
    return {
        "stress": float(np.abs(history.field("stress")).max()) / (size * material.stiffness[0, 0]),
        "voltage": abs(history.column("voltage")[-1] - open_circuit),
        "strain": abs(mechanics.axial_strain - free[2]) / size,
    }


# -- condensation ------------------------------------------------------------------------------------------

PENALTY = 1e18


def condensed_solve() -> list[Row]:
    """Blocks seen from their interfaces against all their nodes at once, in a tilted polycrystal."""
    problem = "Condensed blocks against the full system"
    particle = polycrystal(2 * UM, 12, seed=4, size=0.25 * UM, coarsest=0.25 * UM, tilt=True)
    axes = particle.cell_orientation
    stiffness = rotate_stiffness(hexagonal_stiffness(*CRYSTALS["stiff layers, one phase"][0]), axes)
    eigenstrain = rotate_strain(np.array([-0.01, -0.01, 0.02]), axes)
    strong = np.full(particle.n_interfaces, 1e12)
    bonds = CohesiveProperties(strong, strong, 1e-3 * strong, 1e-3 * strong, 1.75, PENALTY, 0.0)
    model = FractureModel(particle, stiffness, bonds, tolerance=1e-12)
    state = model.advance(model.initial_state(), eigenstrain, 1.0)
    dofs, axial = full_solve(model, eigenstrain)
    strain = model.elasticity.strain(dofs, axial)
    stress = model.elasticity.stress(strain, eigenstrain)
    energy = model.elasticity.energy(stress, strain, eigenstrain)
    ends = model.elasticity.vectors(dofs)[model.mesh.interface_nodes]
    slip = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1)
    miss = relative_l2(particle, model.stress(state, eigenstrain), stress)
    shift = np.abs(np.linalg.norm(state.jump, axis=-1) - slip).max() / slip.max()
    tolerance = 1e-6  # conditioning of the full system (1e8) times rounding leaves two digits of room
    return [
        check(problem, "stress field, relative L2 difference", miss, 0.0, tolerance, 1.0),
        check(problem, "size of the jumps, largest difference over largest jump", shift, 0.0, tolerance, 1.0),
        check(problem, "axial strain", state.axial_strain, axial, tolerance),
        check(problem, "elastic energy, J/m", state.elastic_energy, energy, tolerance),
    ]


def full_solve(model: FractureModel, eigenstrain: Floats) -> tuple[Floats, float]:
    """Displacements (n_dof,) of the split mesh with intact interfaces as isotropic springs, and eps_zz.

    One sparse system of all nodes and the axial strain, without the jump operator, the condensation or the
    iteration of the crack engine.
    """
    import scipy.sparse as sp

    elasticity, particle, mesh = model.elasticity, model.particle, model.mesh
    m, n = elasticity.components, elasticity.strain_operator.shape[1]
    minus, plus = (mesh.interface_nodes[:, side].ravel() for side in (0, 1))
    points = np.arange(len(minus))
    one = np.ones(len(points))
    shape = (len(points), len(mesh.nodes))
    jump = sp.csr_array((one, (points, plus)), shape) - sp.csr_array((one, (points, minus)), shape)
    weight = PENALTY * np.repeat(particle.interface_length / 2, 2)
    springs = sp.kron(jump.T @ sp.diags_array(weight) @ jump, sp.eye_array(m))
    axial = sp.csr_array(elasticity.axial_coupling[:, None])
    full = sp.block_array([[elasticity.matrix + springs, axial], [axial.T, [[elasticity.axial_stiffness]]]])
    force, axial_force = elasticity.load(eigenstrain)
    free = np.setdiff1d(np.arange(n + 1), statically_determinate_supports(mesh.nodes, m))
    solution = np.zeros(n + 1)
    solution[free] = factorise(sp.csr_array(full)[free][:, free]).solve(np.append(force, axial_force)[free])
    return solution[:-1], float(solution[-1])


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    "diffusion-induced stress": diffusion_induced_stress,
    "circular inclusion": circular_inclusion,
    "bimaterial strip": bimaterial_strip,
    "free single crystal": free_single_crystal,
    "condensed solve": condensed_solve,
}
