"""Transport against known solutions: reacting surfaces, and drift by stress.

Every problem runs the engine of the pipeline: `TransportStep` where a surface reacts, and `Cycler` with
`BondedMechanics` where stress drives the alkali.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R as GAS_CONSTANT

from faultline.config.models import MicrostructureSettings
from faultline.config.protocol import Step
from faultline.crystal import isotropic_stiffness
from faultline.cycling.history import History
from faultline.cycling.mechanics import BondedMechanics
from faultline.cycling.run import SITE_FRACTION_TOLERANCE, Cycler, Settings
from faultline.cycling.transport import Iterate, TransportStep
from faultline.errors import NotConverged
from faultline.materials import FARADAY, LatticeCurve, Material, VoltageCurve
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure import Particle, rectangle_particle
from faultline.microstructure.build import build_particle
from faultline.transport.surface import outer_surface
from faultline.verification.diffusion import l2, rms
from faultline.verification.references import (
    cylinder_with_constant_flux,
    cylinder_with_surface_resistance,
    sheet_by_lines,
)
from faultline.verification.rows import Row, check, order_row

Array = NDArray[np.float64]

TEMPERATURE = 298.15
CLOSED = 1e12  # film resistance that shuts a face, ohm m2
STEP = 1e-5  # error of x allowed to one step of a run
NEWTON = 1e-9  # change of x at which its iteration ends


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
        errors.append(l2(particle, found.x - start, expected - start))
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
    errors = [l2(particle, last, exact) for last in found]
    return [order_row("Implicit time step", "x, L2 error over the step", [1 / n for n in steps], errors, 1.0)]


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
    error = rms(particle, history.field("site_fraction")[-1] - exact) / spread
    allowed = _allowed(per_radius, history, spread)
    fall, found = slope * faster * spread, float(history.column("voltage")[-1])
    return [
        check(problem, "x, rms error over its spread", error, 0.0, allowed, 1.0),
        check(problem, "voltage (V), error over the fall within", found, expected, allowed, fall),
    ]


def strip(length: float, n: int) -> Particle:
    """A strip of n squares with four triangles each."""
    return rectangle_particle((length, length / n), (n, 1), orientation=np.eye(3))


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
    error = rms(particle, history.field("site_fraction")[-1] - expected) / spread
    allowed = _allowed(squares, history, spread)
    found = float(history.column("voltage")[-1])
    return [
        check(problem, "x, rms error over its spread", error, 0.0, allowed, 1.0),
        check(problem, "voltage (V), error over the fall within", found, -end / FARADAY, allowed, fall),
    ]


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    problem.__name__: problem
    for problem in (
        cylinder_flux,
        cylinder_film,
        time_step,
        stressed_cylinder,
        stressed_plate,
    )
}
