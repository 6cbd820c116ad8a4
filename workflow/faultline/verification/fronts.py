"""Fronts between two phases against known solutions, and the balance of whole runs with and without one.

Every problem runs the engine of the pipeline: `TransportStep` where a front moves, `Cycler` with
`BondedMechanics` for a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.config.protocol import Step
from faultline.crystal import hexagonal_stiffness
from faultline.cycling.run import EVENT_TOLERANCE
from faultline.materials import FARADAY, LatticeCurve, Material, VoltageCurve
from faultline.materials.phase_field import PhaseField
from faultline.microstructure import rectangle_particle
from faultline.verification.diffusion import rms
from faultline.verification.references import front_profile, growth_of_waves, stefan_profile, stefan_root
from faultline.verification.rows import Row, check, order_row
from faultline.verification.transport import (
    CLOSED,
    RADIUS,
    SIMPLE,
    D,
    disc,
    march,
    run,
    straight_lattice,
    strip,
    transport_of,
)

Array = NDArray[np.float64]

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
        errors.append(rms(particle, share - front_profile(z - middle, width)))
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
        front_at_rest,
        moving_front,
        growth_of_a_uniform_crystal,
        mass_balance,
    )
}
