"""Transport against known solutions: multipoint fluxes, reacting surfaces, fronts, and drift by stress.

Every problem runs the engine of the pipeline: `MultipointDiffusionTerm` in FiPy on gmsh's triangles,
`TransportStep` where a surface reacts or a front moves, and `Cycler` with `BondedMechanics` where stress
drives the alkali.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fipy
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R as GAS_CONSTANT

from faultline.config.models import MicrostructureSettings
from faultline.config.protocol import Step
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness
from faultline.cycling.history import History
from faultline.cycling.mechanics import BondedMechanics
from faultline.cycling.run import EVENT_TOLERANCE, SITE_FRACTION_TOLERANCE, Cycler, Settings
from faultline.cycling.transport import Iterate, TransportStep
from faultline.errors import NotConverged
from faultline.materials import FARADAY, LatticeCurve, Material, VoltageCurve
from faultline.materials.particle_model import ParticleModel
from faultline.materials.phase_field import PhaseField
from faultline.microstructure import Particle, assemble_particle, build_particle, rectangle_particle
from faultline.microstructure.meshing import mesh_network
from faultline.microstructure.network import CORNER, Network, tidy
from faultline.microstructure.tessellation import rectangle, tessellate
from faultline.transport.mesh import TransportMesh, fipy_mesh
from faultline.transport.multipoint import MultipointDiffusionTerm
from faultline.transport.solver import BorderedLUSolver
from faultline.transport.surface import outer_surface
from faultline.verification.references import (
    Strips,
    cylinder_with_constant_flux,
    cylinder_with_surface_resistance,
    front_profile,
    growth_of_waves,
    one_flux_tensors,
    rotated,
    sheet_by_lines,
    stefan_profile,
    stefan_root,
)
from faultline.verification.rows import Row, check, order_row

Array = NDArray[np.float64]
Grid = tuple[Particle, TransportMesh]

TEMPERATURE = 298.15
CLOSED = 1e12  # film resistance that shuts a face, ohm m2
STEP = 1e-5  # error of x allowed to one step of a run
NEWTON = 1e-9  # change of x at which its iteration ends
PATCH = 1e-10  # round-off of the sparse solve, anisotropy 100 included
GRAINS = 14


# ---- steady fluxes


def gmsh_grid(network: Network, size: float) -> Grid:
    """Unstructured triangles that fit a network of grains, each grain a block of its own."""
    mesh = mesh_network(network, size)
    grain = network.grain[mesh.polygon]
    axes = np.broadcast_to(np.eye(3), (int(network.grain.max()) + 1, 3, 3))
    particle = assemble_particle(mesh.vertices, mesh.cells, grain, grain, axes)
    return particle, fipy_mesh(particle)


def polycrystal(size: float) -> Grid:
    """A unit square of Voronoi grains with triple junctions."""
    network = tessellate(rectangle((1.0, 1.0)), GRAINS, 3, 0.0, np.random.default_rng(4))
    return gmsh_grid(tidy(network, size), size)


def strips(size: float, count: int = 4) -> Grid:
    """The unit square cut into upright strips of equal width."""
    line = np.linspace(0, 1, count + 1)
    points = np.concatenate([np.column_stack([line, np.full(count + 1, y)]) for y in (0.0, 1.0)])
    loops = tuple(np.array([k, k + 1, count + k + 2, count + k + 1]) for k in range(count))
    return gmsh_grid(Network(points, np.full(len(points), CORNER), loops, np.arange(count)), size)


def grain_inside(grid: Grid) -> NDArray[np.int64]:
    """(faces,) the grain of the first cell of every face."""
    particle, transport = grid
    return particle.grain[np.ma.filled(transport.mesh.faceCellIDs, -1)[0]]


def fitted(
    grid: TransportMesh,
    tensor: Array,
    datum: Array,
    source: ArrayLike = 0.0,
    conductance: float = np.inf,
    outflow: Array | None = None,
) -> Array:
    """Solve div(K grad phi) = source (cells,) by FiPy.

    Outside phi = datum (faces,), or on the left only where the flux density `outflow` (faces,) leaves through
    all other faces.
    """
    mesh, per_face = grid.mesh, np.full(grid.mesh.numberOfFaces, np.inf)
    per_face[grid.interface_face_ids] = conductance
    phi = fipy.CellVariable(mesh=mesh)
    phi.constrain(datum, where=mesh.exteriorFaces if outflow is None else mesh.facesLeft)
    term = MultipointDiffusionTerm(
        coeff=np.moveaxis(tensor, 0, -1),
        interface_conductance=per_face,
        outflow=None if outflow is None else (outflow, 0.0),
    )
    (term == fipy.CellVariable(mesh=mesh, value=source)).solve(var=phi, solver=BorderedLUSolver())
    return np.array(phi.value)


def patch_test() -> list[Row]:
    """Linear fields over uniform tensors, and over tensors that jump at junctions or along a line."""
    grains, halves, rows = polycrystal(0.08), strips(0.08, 2), []
    for ratio in (1.0, 10.0, 100.0):
        uniform = np.repeat(rotated(ratio, 0.5), GRAINS, axis=0)
        rows.append(_patch_row(f"uniform tensor, anisotropy {ratio:g}", grains, uniform, [[1, -2]] * GRAINS))
    for ratio in (10.0, 100.0):
        tensor = one_flux_tensors(ratio, GRAINS)
        rows.append(_patch_row(f"jumps at grain boundaries, {ratio:g}", grains, tensor, [[1, 0]] * GRAINS))
        pair = rotated(ratio, [0.3, -1.1], [1.0, 1e-3])
        across = (pair[0, 0] @ [1, 2] - 2 * pair[1, 0, 1]) / pair[1, 0, 0]  # the same normal flux
        rows.append(_patch_row(f"jump along a line, {ratio:g}", halves, pair, [[1, 2], [across, 2]]))
    return rows


def _patch_row(what: str, grid: Grid, tensor: Array, gradient: ArrayLike) -> Row:
    """A gradient for every grain, kinked on x = 1/2: phi is given on the left, the flux elsewhere."""
    (particle, transport), slope = grid, np.asarray(gradient, float)
    origin, inner = [0.5, 0.0], grain_inside(grid)
    exact = np.einsum("ni,ni->n", slope[particle.grain], particle.cell_centroid - origin)
    datum = np.einsum("ni,ni->n", slope[inner], transport.mesh.faceCenters.value.T - origin)
    outflow = -np.einsum("in,nij,nj->n", transport.mesh.faceNormals, tensor[inner], slope[inner])
    computed = fitted(transport, tensor[particle.grain], datum, outflow=outflow)
    error, size = float(np.abs(computed - exact).max()), float(np.ptp(exact))
    return check(f"Linear patch test: {what}", "largest error over the range", error, 0.0, PATCH, size)


def wave_in_a_polycrystal() -> list[Row]:
    """phi = sin(2 pi x + 0.3) over grains whose tensors share one flux: junctions and jumps, still smooth."""
    rows, sizes, wave = [], (1 / 12, 1 / 24, 1 / 48), 2 * np.pi
    grids = [polycrystal(size) for size in sizes]
    for ratio in (10.0, 100.0):
        tensor = one_flux_tensors(ratio, GRAINS)
        errors = [_wave_error(grid, tensor, wave) for grid in grids]
        what = f"Manufactured wave in a polycrystal, anisotropy up to {ratio:g}"
        rows += _convergence(what, sizes, errors, wave)
    return rows


def _wave_error(grid: Grid, tensor: Array, wave: float) -> float:
    """Potential given on the left, flux on all other sides."""
    (particle, transport), x = grid, grid[1].mesh.faceCenters.value[0]
    exact = np.sin(wave * particle.cell_centroid[:, 0] + 0.3)
    across = np.einsum("in,ni->n", transport.mesh.faceNormals, tensor[grain_inside(grid), :, 0])
    outflow = -across * wave * np.cos(wave * x + 0.3)
    source = -tensor[0, 0, 0] * wave**2 * exact
    datum = np.sin(wave * x + 0.3)
    return _l2(particle, fitted(transport, tensor[particle.grain], datum, source, outflow=outflow), exact)


def strips_of_unlike_crystals(sizes: Sequence[float] = (1 / 24, 1 / 48, 1 / 96)) -> list[Row]:
    """Waves over four tensors, joined, behind a resistance, and blocked (`Strips`)."""
    rows, wave = [], (4 * np.pi, 3.0)
    grids = [strips(size) for size in sizes]
    for ratio in (10.0, 100.0):
        tensor = rotated(ratio, [0.3, -1.1, 0.8, 2.0], [1.0, 0.1, 3.0, 0.3])
        cases = {
            "joined": (np.inf, Strips.joined(tensor, 1.0, 1.0 + 0.5j, np.inf, wave)),
            "interface resistance": (2.0, Strips.joined(tensor, 1.0, 1.0 + 0.5j, 2.0, wave)),
            "blocked": (0.0, Strips(tensor, np.array([1, -0.7, 0.4j, 1]), 0.0, wave)),
        }
        for name, (conductance, field) in cases.items():
            errors = [_strip_error(grid, field, conductance) for grid in grids]
            what = f"Strips of unlike crystals, anisotropy {ratio:g}, {name}"
            rows += _convergence(what, sizes, errors, float(np.hypot(*wave)))
    return rows


def _strip_error(grid: Grid, field: Strips, conductance: float) -> float:
    particle, mesh = grid
    at_cells = (*particle.cell_centroid.T, particle.grain)
    at_faces = (*mesh.mesh.faceCenters.value, grain_inside(grid))
    tensor, datum = field.tensor[particle.grain], field.potential(*at_faces)
    computed = fitted(mesh, tensor, datum, field.divergence(*at_cells), conductance)
    return _l2(particle, computed, field.potential(*at_cells))


def _rms(particle: Particle, values: Array) -> float:
    """Root mean square over the section."""
    return float(np.sqrt(particle.cell_area @ values**2 / particle.area))


def _l2(particle: Particle, computed: Array, exact: Array) -> float:
    """L2 error over the L2 norm of the exact field."""
    return _rms(particle, computed - exact) / _rms(particle, exact)


def _convergence(problem: str, sizes: Sequence[float], errors: Sequence[float], wave: float) -> list[Row]:
    """Second order, and on the finest mesh at most four times the (k h)^2 / 8 of linear interpolation."""
    allowed = (wave * sizes[-1]) ** 2 / 2
    quantity = "L2 error over the field's size"
    finest = check(problem, f"{quantity}, finest mesh", errors[-1], 0.0, allowed, 1.0)
    return [finest, order_row(problem, quantity, sizes, errors, 2.0)]


# ---- materials and time


def straight_lattice(strain: Sequence[float]) -> LatticeCurve:
    """Strains (a, b, c) in proportion to x."""
    a, b, c = strain
    return LatticeCurve.from_table([0, 1], ["one", "one"], [1, 1 + c], [0, a], [0, b], reference=0.0)


SIMPLE = Material(
    name="simple",
    formula="AMO2",
    alkali="Na",
    molar_mass=0.1,
    c_max=4e4,
    initial_site_fraction=0.5,
    nominal_site_fraction_change=0.5,
    thermodynamics="ocv",
    diffusivity_kind="chemical",
    diffusivity_ab=1e-14,
    diffusivity_c=1e-14,
    exchange_current_density_half=1e6,  # far from limiting
    transfer_coefficient=0.5,
    stiffness=isotropic_stiffness(1e11, 0.3),
    critical_resolved_shear_stress=np.inf,
    interfaces={},
    voltage=VoltageCurve(np.array([0.0, 1.0]), np.array([4.5, 3.5]), 1e-6),
    lattice=straight_lattice([0, 0, 0]),
)
D, C_MAX = SIMPLE.diffusivity_ab, SIMPLE.c_max


def model_of(particle: Particle, material: Material) -> ParticleModel:
    """The particle's model without eigenstrains at rest."""
    return ParticleModel(particle, material, TEMPERATURE, np.zeros((particle.n_cells, 6)))


def transport_of(particle: Particle, material: Material, film: ArrayLike = 0.0) -> TransportStep:
    """Its implicit step, with the film resistance (surface faces,) or one for all."""
    resistance = np.broadcast_to(film, particle.n_surface).astype(float)
    return TransportStep(model_of(particle, material), outer_surface(particle, resistance))


def march(step: TransportStep, x: Array, times: Array, start: float = 4.0, **control: Any) -> Iterate:
    """Backward Euler through `times` (s), each step by Newton's method to round-off; no stress."""
    none, state = np.zeros(len(x)), Iterate(x, start, 0.0)
    for dt in np.diff(times):
        old = state.x
        for _ in range(25):
            new = step.iterate(old, state, none, none, float(dt), **control)
            change, state = np.abs(new.x - state.x).max(), new
            if change < NEWTON:
                break
        else:
            raise NotConverged(f"Newton's method still moves x by {change:.1e}")
    return state


def extrapolated(step: TransportStep, x: Array, times: Array, **control: Any) -> Iterate:
    """The same with every step halved, less the error of first order (Richardson)."""
    middle = np.sort(np.concatenate([times, (times[1:] + times[:-1]) / 2]))
    coarse, fine = (march(step, x, t, **control) for t in (times, middle))
    return Iterate(2 * fine.x - coarse.x, 2 * fine.voltage - coarse.voltage, fine.current)


# ---- cylinders (Crank)

RADIUS = 5e-6


def disc(size: float, grains: int = 1) -> Particle:
    """The pipeline's disc on gmsh's triangles."""
    lengths = {"radius": f"{RADIUS} m", "element_size": f"{size} m"}
    settings = MicrostructureSettings.model_validate({"shape": "disc", "grains": {"count": grains}} | lengths)
    return build_particle(settings, seed=1, root=Path())


def cylinder_flux(per_radius: Sequence[int] = (4, 8, 16)) -> list[Row]:
    """Constant current out of a disc: composition and voltage."""
    start, share, film, current = 0.8, 0.15, 0.02, 0.25  # film in ohm m2, current in A/m2
    material = replace(SIMPLE, exchange_current_density_half=2.0)
    drop = current * RADIUS / (FARADAY * C_MAX * D)

    def exact(r: ArrayLike) -> Array:
        return start - drop * cylinder_with_constant_flux(r, share)

    total = current * 2 * np.pi * RADIUS
    errors, voltage = _disc_errors(material, film, per_radius, start, share, exact, current=total)
    surface = float(exact(1.0))
    exchange = 4.0 * np.sqrt(surface * (1 - surface))
    kinetic = 2 * GAS_CONSTANT * TEMPERATURE / FARADAY * np.arcsinh(current / exchange / 2)
    expected = 4.5 - surface + kinetic + film * current
    problem, allowed = "Cylinder with constant surface flux (Crank)", per_radius[-1] ** -2.0
    return [
        *_disc_rows(problem, per_radius, errors),
        check(problem, "voltage (V), error over the drop of V_oc", voltage, expected, allowed, drop),
    ]


def cylinder_film(per_radius: Sequence[int] = (4, 8, 16)) -> list[Row]:
    """A disc held at a voltage behind a film: Crank's surface evaporation."""
    biot, share, start, end = 2.0, 0.15, 0.8, 0.3
    film = RADIUS / (biot * FARADAY * C_MAX * D)  # of a voltage that falls by 1 V per x

    def exact(r: ArrayLike) -> Array:
        return end + (start - end) * cylinder_with_surface_resistance(r, share, biot)

    errors, _ = _disc_errors(SIMPLE, film, per_radius, start, share, exact, voltage=4.5 - end)
    return _disc_rows("Cylinder behind a surface film (Crank)", per_radius, errors)


def _disc_errors(
    material: Material,
    film: float,
    per_radius: Sequence[int],
    start: float,
    share: float,
    exact: Callable[[Array], Array],
    **control: float,
) -> tuple[list[float], float]:
    """L2 error of x over its change at D t / R^2 = `share` on every mesh, and the last voltage."""
    times = share * RADIUS**2 / D * np.linspace(0, 1, 19) ** 2  # short steps first
    errors = []
    for n in per_radius:
        particle = disc(RADIUS / n)
        step = transport_of(particle, material, film)
        found = extrapolated(step, np.full(particle.n_cells, start), times, **control)
        expected = exact(np.hypot(*particle.cell_centroid.T) / RADIUS)
        errors.append(_l2(particle, found.x - start, expected - start))
    return errors, found.voltage


def _disc_rows(problem: str, per_radius: Sequence[int], errors: Sequence[float]) -> list[Row]:
    """Second order, and on the finest mesh at most the square of element over radius."""
    n, quantity = per_radius[-1], "x, L2 error over its change"
    finest = check(problem, f"{quantity}, {n} elements a radius", errors[-1], 0.0, n**-2.0, 1.0)
    return [finest, order_row(problem, quantity, [1 / n for n in per_radius], errors, 2.0)]


def time_step() -> list[Row]:
    """Backward Euler on one disc, against its own extrapolation."""
    particle, steps, total = disc(RADIUS / 5), (5, 10, 20), 0.25 * 2 * np.pi * RADIUS
    step, x, end = transport_of(particle, SIMPLE), np.full(particle.n_cells, 0.8), 0.2 * RADIUS**2 / D
    exact = extrapolated(step, x, np.linspace(0, end, 41), current=total).x
    found = [march(step, x, np.linspace(0, end, n + 1), current=total).x for n in steps]
    errors = [_l2(particle, last, exact) for last in found]
    return [order_row("Implicit time step", "x, L2 error over the step", [1 / n for n in steps], errors, 1.0)]


# ---- fronts between two phases

PLATEAU, BARRIER = 4.0, 0.02  # V
GAP = (0.3, 0.7)


def two_phases(width: float, **changes: Any) -> Material:
    """A gap between two phases in which V falls by 1 V per x; the mobility is the same everywhere."""
    (low, high), corner = GAP, 0.002
    x = np.array([0.0, low - corner, low, high, high + corner, 1.0])
    table = VoltageCurve(x, PLATEAU + np.maximum(low - x, 0) - np.maximum(x - high, 0), 1e-6)
    lattice = LatticeCurve.from_table([0, *GAP, 1], ["O2", "O2", "P2", "P2"], [1] * 4, [0] * 4, [0] * 4, 0.0)
    field = PhaseField.from_table(table, lattice.gaps, BARRIER, width)
    return replace(SIMPLE, lattice=lattice, phase_field=field, **changes)


def strip(length: float, n: int) -> Particle:
    """A strip of n squares with four triangles each."""
    return rectangle_particle((length, length / n), (n, 1), orientation=np.eye(3))


def front_at_rest(parts: Sequence[int] = (3, 6, 12)) -> list[Row]:
    """A front left alone: tanh profile, its width, and the plateau's voltage."""
    width, errors = 1e-6, []
    length = 10 * width
    for per_width in parts:
        particle = strip(length, 10 * per_width)
        z = particle.cell_centroid[:, 0]
        ramp = np.interp(z, [4 * width, 7 * width], GAP)  # neither its form nor its width
        times = np.concatenate([[0], np.geomspace(1e-2, 1e3, 26)]) * width**2 / D
        end = march(transport_of(particle, two_phases(width), CLOSED), ramp, times, current=0.0)
        share = (end.x - GAP[0]) / (GAP[1] - GAP[0])
        middle = length * (1 - particle.cell_area @ share / particle.area)  # by the balance
        errors.append(_rms(particle, share - front_profile(z - middle, width)))
    problem, allowed = "Front at rest", parts[-1] ** -2.0
    places, profile = _along(z, share)
    found, sizes = 1 / float(np.max(np.gradient(profile, places))), [1 / n for n in parts]
    return [
        check(
            problem, f"tanh profile, rms error, {parts[-1]} squares a width", errors[-1], 0.0, allowed, 1.0
        ),
        order_row(problem, "tanh profile, rms error", sizes, errors, 2.0),
        check(problem, "width, from the steepest slope (m)", found, width, allowed),
        check(problem, "voltage (V), error over the barrier", end.voltage, PLATEAU, 1e-3, BARRIER),
    ]


def _along(z: Array, values: Array) -> tuple[Array, Array]:
    """Places along a strip, and the means there over cells with equal z; both arguments (n_cells,)."""
    places, column = np.unique(np.round(z, 12), return_inverse=True)
    return places, np.bincount(column, values) / np.bincount(column)


def moving_front(widths: Sequence[float] = (1.2e-6, 0.6e-6, 0.3e-6)) -> list[Row]:
    """P2 to O2 at a held voltage: the front's place against Stefan's problem (Neumann's solution).

    Inside a front of finite width the flux fades, and less is dissipated than at a sharp one, by that over a
    length of integral u (1 - u) dz = width / 4: it runs ahead by up to a quarter of its width.
    """
    length, depth, problem = 10e-6, 0.1, "Front driven into a strip (Stefan, Neumann)"
    root = stefan_root(depth / (GAP[1] - GAP[0]))  # x1 less x at the surface, over the gap
    begin, goal, errors = 0.25 * length, 0.65 * length, []
    for width in widths:
        n = round(4 * length / width)
        particle = strip(length, n)
        z, outside = particle.cell_centroid[:, 0], particle.surface_midpoint[:, 0] > length / (4 * n)
        step = transport_of(particle, two_phases(width), np.where(outside, CLOSED, 0.0))
        behind = GAP[0] - depth * (1 - stefan_profile(z, begin, root))
        x = behind + (GAP[1] - GAP[0]) * front_profile(z - begin, width)
        path = np.linspace(begin, goal, round((goal - begin) / length * n) + 1)  # a square per step
        end = march(step, x, (path / (2 * root)) ** 2 / D, PLATEAU + depth, voltage=PLATEAU + depth)
        errors.append(abs(_place(z, end.x) / goal - 1))
    allowed = widths[-1] / goal / 2  # a quarter of the width, and as much for mesh and steps
    finest = check(problem, "place of the front, error", errors[-1], 0.0, allowed, 1.0)
    return [finest, order_row(problem, "place of the front over its width", widths, errors, 1.0)]


def _place(z: Array, x: Array) -> float:
    """Where x, which rises with z, crosses the middle of the gap."""
    places, mean = _along(z, x)
    k = int(np.argmax(mean > np.mean(GAP)))
    return float(np.interp(np.mean(GAP), mean[k - 1 : k + 1], places[k - 1 : k + 1]))


def growth_of_a_uniform_crystal() -> list[Row]:
    """The spinodal of an anisotropic box: the fastest wave, and one wave through a time step."""
    width, size, x0, problem = 1e-6, (5e-6, 2e-6), 0.5, "Uniform crystal inside its spinodal (Cahn)"
    material, gap = two_phases(width, diffusivity_c=3 * D), GAP[1] - GAP[0]
    slope = -3 * np.sqrt(3) * FARADAY * BARRIER / gap  # dmu/dx in the middle of the gap
    kappa = 3 * np.sqrt(3) / 8 * FARADAY * BARRIER * width**2 / gap
    rate = growth_of_waves(size, (D / FARADAY, 3 * D / FARADAY), slope, kappa)  # D against 1 V per x
    errors, along = [], (15, 30, 60)
    for n in along:
        particle = rectangle_particle(size, (n, 2 * n // 5))  # c along y
        step = transport_of(particle, material, CLOSED)
        wave = np.cos(2 * np.pi * particle.cell_centroid[:, 0] / size[0])
        dt = 1e-3 / rate[2, 0]
        end = march(step, x0 + 1e-5 * wave, np.array([0, dt]), current=0.0)
        gain = (particle.cell_area @ (wave * (end.x - x0))) / (particle.cell_area @ wave**2) / 1e-5
        errors.append(abs((1 - 1 / gain) / dt / rate[2, 0] - 1))  # implicit Euler: gain = 1 / (1 - rate dt)
    fastest = step.growth_rate(np.full(particle.n_cells, x0))
    allowed = (2 * np.pi / along[-1]) ** 2
    return [
        check(problem, "growth of one wave, error, 60 elements", errors[-1], 0.0, allowed, 1.0),
        order_row(problem, "growth of one wave", [1 / n for n in along], errors, 2.0),
        check(problem, "fastest growth (1/s)", fastest, float(rate.max()), 1e-2),  # the eigensolver's 1 %
    ]


# ---- stress and whole runs


def run(
    particle: Particle, material: Material, x: float, steps: Sequence[Step], film: ArrayLike, **numerics: Any
) -> History:
    """A run of the pipeline's cycler with elastic mechanics, from a uniform x."""
    model, resistance = model_of(particle, material), np.broadcast_to(film, particle.n_surface).astype(float)
    settings = Settings(**{"tolerance": STEP, "largest_step": 0.01, "frames": 1} | numerics)
    cycler = Cycler(model, outer_surface(particle, resistance), BondedMechanics(model), settings)
    history = cycler.run(np.full(particle.n_cells, x), steps, cycles=1)
    if history.status != "ok":
        raise NotConverged(history.message)
    return history


def _allowed(elements: int, history: History, spread: float) -> float:
    """Square of element over size, and over the spread of x what the iteration and all steps may leave."""
    return elements**-2.0 + (SITE_FRACTION_TOLERANCE + STEP * len(history.series["time"])) / spread


def stressed_cylinder() -> list[Row]:
    """A free cylinder that swells alike in all directions diffuses with D (1 + K / mu').

    tr sigma = 2 E (mean strain - strain) / (1 - nu) is local but for a mean (Timoshenko and Goodier, Theory
    of Elasticity, thermal stress of long cylinders), so that K = 2 E eps'^2 / ((1 - nu) c_max).
    """
    start, rate, share, problem = 0.9, 5.0, 0.3, "Free cylinder, stress-assisted diffusion"
    strain, slope, young, poisson, per_radius = 0.07, 0.2, 1e11, 0.3, 14
    voltage = VoltageCurve(np.array([0.0, 1.0]), np.array([4.1, 4.1 - slope]), 1e-6)
    stiffness = isotropic_stiffness(young, poisson)
    material = replace(SIMPLE, voltage=voltage, stiffness=stiffness, lattice=straight_lattice([strain] * 3))
    stiff = 2 * young * strain**2 / ((1 - poisson) * C_MAX)
    faster = 1 + stiff / (FARADAY * slope)
    charge = [Step("current", c_rate=rate, duration_s=share * RADIUS**2 / (D * faster))]
    particle = disc(RADIUS / per_radius)
    history = run(particle, material, start, charge, 0.0)
    flux = rate * material.nominal_site_fraction_change / 3600 * RADIUS / 2  # of x, m/s
    drop = flux * RADIUS / (D * faster)
    r = np.hypot(*particle.cell_centroid.T) / RADIUS
    exact = start - drop * cylinder_with_constant_flux(r, share)
    surface = start - drop * float(cylinder_with_constant_flux(1.0, share))
    drift = stiff * (start - 2 * drop * share - surface) / FARADAY  # from the mean less the surface, V
    spread, expected = float(np.ptp(exact)), 4.1 - slope * surface + drift
    error = _rms(particle, history.field("site_fraction")[-1] - exact) / spread
    allowed = _allowed(per_radius, history, spread)
    fall, found = slope * faster * spread, float(history.column("voltage")[-1])
    return [
        check(problem, "x, rms error over its spread", error, 0.0, allowed, 1.0),
        check(problem, "voltage (V), error over the fall within", found, expected, allowed, fall),
    ]


def stressed_plate() -> list[Row]:
    """A plate whose layers swell across its plane, with nonlinear laws, against the method of lines.

    Without Poisson's ratio the stress is E (mean strain - strain) along z, for any profile.
    """
    length, start, time, problem = 12e-6, 0.65, 900.0, "Plate with nonlinear laws, stress-assisted diffusion"
    young, table, rate, squares = 1.5e11, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 1.0, 48
    spacing = [1 + 0.1 * x**2 for x in table]
    material = replace(
        SIMPLE,
        diffusivity_kind="self",
        stiffness=isotropic_stiffness(young, 0.0),
        voltage=VoltageCurve(np.array(table), np.array([4.3, 4.15, 4.05, 4.0, 3.9, 3.7]), 1e-6),
        lattice=LatticeCurve.from_table(table, ["one"] * 6, spacing, [0] * 6, [0] * 6, 0.0),
    )

    def potential(x: Array) -> Array:
        strain, by_x = material.lattice_strain(x)[:, 2], material.lattice_strain_slope(x)[:, 2]
        return -FARADAY * material.voltage(x) - by_x * young * (strain.mean() - strain) / C_MAX

    def mobility(x: Array) -> Array:
        return D * x * (1 - x) / (GAS_CONSTANT * TEMPERATURE)

    particle = strip(length, squares)
    closed = np.where(particle.surface_midpoint[:, 0] < length * (1 - 1e-9), CLOSED, 0.0)
    history = run(particle, material, start, [Step("current", c_rate=rate, duration_s=time)], closed)
    outflow = rate * material.nominal_site_fraction_change / 3600 * length
    z, exact, end = sheet_by_lines(start, length, time, outflow, potential, mobility)
    expected = np.interp(particle.cell_centroid[:, 0], z, exact)
    spread, fall = float(np.ptp(exact)), float(np.ptp(potential(exact))) / FARADAY
    error = _rms(particle, history.field("site_fraction")[-1] - expected) / spread
    allowed = _allowed(squares, history, spread)
    found = float(history.column("voltage")[-1])
    return [
        check(problem, "x, rms error over its spread", error, 0.0, allowed, 1.0),
        check(problem, "voltage (V), error over the fall within", found, -end / FARADAY, allowed, fall),
    ]


def mass_balance() -> list[Row]:
    """Charge, hold and discharge of an anisotropic polycrystal, and a charge across a plateau."""
    crystal = replace(
        SIMPLE,
        diffusivity_c=D / 100,
        exchange_current_density_half=1.0,
        stiffness=hexagonal_stiffness(2.8e11, 1.1e11, 6e10, 1.7e11, 5e10),
        lattice=straight_lattice([0.01, 0.01, -0.03]),
    )
    steps = [
        Step("current", c_rate=1.0, until_voltage=4.2),
        Step("voltage", voltage=4.2, duration_s=600.0),
        Step("current", c_rate=-1.0, duration_s=600.0),
    ]
    coarse = {"tolerance": 2e-3, "largest_step": 0.05}
    whole = run(disc(RADIUS / 6, grains=8), crystal, 0.8, steps, 1e-3, **coarse)
    particle, fronted = strip(8e-6, 32), two_phases(1e-6, exchange_current_density_half=1.0)
    closed = np.where(particle.surface_midpoint[:, 0] > 1e-9, CLOSED, 0.0)
    front = run(particle, fronted, 0.72, [Step("current", c_rate=0.1, duration_s=3600.0)], closed, **coarse)
    balance = "alkali lost less charge, over a half-cycle"
    cutoff = whole.column("voltage")[whole.column("step_index") == 0][-1]
    return [
        check("Mass balance, polycrystal", balance, max(whole.series["mass_balance_error"]), 0.0, 1e-10, 1.0),
        check("Mass balance, front", balance, max(front.series["mass_balance_error"]), 0.0, 1e-10, 1.0),
        check("Charge to a cutoff", "voltage (V)", cutoff, 4.2, EVENT_TOLERANCE),
    ]


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    problem.__name__: problem
    for problem in (
        patch_test,
        wave_in_a_polycrystal,
        strips_of_unlike_crystals,
        cylinder_flux,
        cylinder_film,
        time_step,
        front_at_rest,
        moving_front,
        growth_of_a_uniform_crystal,
        stressed_cylinder,
        stressed_plate,
        mass_balance,
    )
}
