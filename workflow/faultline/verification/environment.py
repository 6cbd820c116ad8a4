"""Moist gas, electrolyte and heat against closed forms, and the balance of alkali."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import erf, erfc

from faultline.exposure import AirChemistry, Column, ColumnState, Drying, Gas, Host, WaterFilm, ledger
from faultline.exposure.chemistry import WATER_PRODUCT
from faultline.exposure.column import FIRST_CELL
from faultline.exposure.column import GROWTH as RATIO
from faultline.interface import Growth, advance, fresh_layers
from faultline.materials import VoltageCurve, heat
from faultline.materials.heat import Heat
from faultline.microstructure import Particle, rectangle_particle
from faultline.verification.rows import Row, check, order_row

Array = NDArray[np.float64]

HOUR, DAY = 3600.0, 86400.0
HOST = Host(40000.0, 1.0, 1e-15, VoltageCurve(np.array([0.0, 1.0]), np.array([4.2, 2.4]), 0.02))
AIR = AirChemistry(
    exchange_rate=5e-7,
    exchange_equilibrium=1e12,
    oxidation_rate=1e-8,
    reconstruction_time=1000.0,
    reconstruction_depth=2e-9,
    activation_energy=50e3,
    proton_diffusivity=2e-21,
    host_proton_diffusivity=2e-22,
    layer_composition=0.05,
    boundary_diffusivity=2e-18,
    water_monolayer=0.3e-9,
    hydroxide_solubility=19000.0,
    carbonate_solubility=2800.0,
    proton_strain_ab=0.0,
    proton_strain_c=0.04,
    rock_salt_strain_ab=-0.008,
    rock_salt_strain_c=-0.094,
    layer_diffusivity=1e-17,
    residual_strength=0.5,
    residual_toughness=0.5,
)
GASES = {
    "water vapour": Gas(1900.0, 0.0, 0.0),
    "H2O + O2": Gas(1900.0, 0.0, 21.3e3),
    "H2O + CO2": Gas(1900.0, 42.0, 0.0),
    "humid air": Gas(1900.0, 42.0, 21.3e3),
}
GROWTH = Growth(
    linear_rate=5e-15,
    parabolic_rate=1e-22,
    reference_hf=2.5,
    reference_voltage=4.0,
    voltage_scale=0.3,
    activation_energy=50e3,
    layer_diffusivity=1e-17,
    transition_metal_loss=0.1,
    alkali_loss=0.8,
    embrittlement_depth=5e-9,
    boundary_diffusivity=2e-18,
    residual_strength=0.5,
    residual_toughness=0.5,
)
HEAT = Heat(
    release_time=36000.0,
    reference_temperature=473.15,
    activation_energy=120e3,
    stable_site_fraction=0.5,
    pore_collapse=0.5,
    rock_salt_strain_ab=0.02,
    rock_salt_strain_c=-0.14,
)


def dried(column: Column, gas: Gas, stored: float, drying: Drying) -> tuple[ColumnState, ColumnState]:
    """The column after its time in the gas (s), and after drying."""
    film = WaterFilm(column.air, gas, "Na")
    wet = column.advance(column.fresh(), film, np.array([0.0, stored]))[-1]
    dry = WaterFilm(column.air, drying.gas, "Na", film.carbonate(wet.film))
    return wet, column.advance(wet, dry, np.array([0.0, drying.duration]))[-1]


def mass_conservation() -> list[Row]:
    """Alkali in oxide and residue, wet and dried, on open and on nearly closed faces."""
    column, drying = Column(HOST, AIR, 0.8e-6, (1.0, 0.1)), Drying(12 * HOUR, 353.15)
    rows = []
    for name, gas in GASES.items():
        wet, dry = dried(column, gas, 48 * HOUR, drying)
        worst = max(column.balance_error(state) for state in (wet, dry))
        found = ledger(column, wet, WaterFilm(AIR, gas, "Na"))
        total = found.core + found.layer + found.hydroxide + found.carbonate
        what = "alkali gained or lost, of what the oxide held"
        parts = "core, layer, hydroxide and carbonate together, of the alkali that the oxide held"
        rows.append(check(f"storage in {name}, then drying", what, worst, 0.0, 1e-8, 1.0))
        rows.append(check(f"storage in {name}", parts, total, 1.0, 1e-8))
    return rows


def reversibility() -> list[Row]:
    """Hydration in water alone goes back on drying; what carbonate or oxygen took stays outside."""
    column, drying = Column(HOST, AIR, 0.8e-6), Drying(240 * HOUR, 353.15)
    back = {}
    for name in ("water vapour", "H2O + O2", "H2O + CO2"):
        wet, dry = dried(column, GASES[name], 12 * HOUR, drying)
        back[name] = 1 - float(dry.film[0] / wet.film[0])
    what = "alkali that 10 d of drying at 80 degC give back, of what was lost (1)"
    return [
        check("water vapour", what, back.pop("water vapour"), 1.0, 0.05),
        *(check(name, what, value, 0.0, 0.005, 1.0) for name, value in back.items()),
    ]


def two_layers(surface: float, time: float) -> tuple[float, float]:
    """Thickness (m) of the layer and alkali taken up (mol/m2) on a half space whose surface is held.

    The layer's diffusivity ends where its composition is reached, and flux and composition go on there:
    Danckwerts, Trans. Faraday Soc. 46, 701 (1950); Crank, The Mathematics of Diffusion (1975), section 13.2.
    """
    inner, outer, edge = AIR.proton_diffusivity, AIR.host_proton_diffusivity, AIR.layer_composition
    ratio = inner / outer

    def excess(k: float) -> float:
        ahead = edge * np.exp(-ratio * k**2) / erfc(k * np.sqrt(ratio))
        return float(np.sqrt(ratio) * (surface - edge) * np.exp(-(k**2)) / erf(k) - ahead)

    k = brentq(excess, 1e-3, 3.0)
    uptake = HOST.c_max * 2 * (surface - edge) / erf(k) * np.sqrt(inner * time / np.pi)
    return 2 * k * np.sqrt(inner * time), float(uptake)


def held_surface(
    surface: float, time: float, front_width: float, first_cell: float = FIRST_CELL, growth: float = RATIO
) -> tuple[Column, ColumnState]:
    """A column whose surface holds a share of protons from the start, after `time` (s).

    A reaction far faster than diffusion, beside a saturated film too thin to count, does that:
    a_w (1 - h) = h [A+][OH-] / (K K_w).
    """
    gas = GASES["H2O + CO2"]
    film = WaterFilm(AIR, gas, "Na")
    product = float(film.saturation * film.hydroxide(film.saturation) / WATER_PRODUCT)
    constant = product * surface / (gas.relative_humidity * (1 - surface))
    air = replace(AIR, exchange_rate=1e-2, exchange_equilibrium=constant, water_monolayer=1e-15)
    column = Column(HOST, air, 2e-6, (1.0,), first_cell, growth, front_width)
    return column, column.advance(column.fresh(), replace(film, air=air), np.array([0.0, time]))[-1]


def growing_layer() -> list[Row]:
    """Layer and uptake against Danckwerts' solution, and their order in the grid."""
    surface, time = 0.5, 48 * HOUR
    thickness, uptake = two_layers(surface, time)
    name = "growing layer, surface held at 0.5 protons, 48 h"
    column, state = held_surface(surface, time, front_width=0.1)
    rows = [
        check(name, "thickness (m)", float(column.layer_thickness(state)[0]), thickness, 0.03),
        check(name, "alkali exchanged (mol/m2)", float(state.film[0]), uptake, 0.003),
        check(name, "the same by FiPy's terms (mol/m2)", fipy_uptake(column, surface, time), uptake, 0.01),
    ]
    sizes = (1.6e-9, 0.8e-9, 0.4e-9)  # first cell; the ratio of neighbours goes to 1 with it
    found = [held_surface(surface, time, 0.1, size, 1 + size / 10e-9)[1].film[0] for size in sizes]
    errors = [abs(float(value) / uptake - 1) for value in found]
    return [*rows, order_row(name, "alkali exchanged, in the cell size", sizes, errors, 2.0)]


def fipy_uptake(column: Column, surface: float, time: float, steps: int = 120) -> float:
    """Alkali exchanged (mol/m2) by FiPy: implicit steps in the logarithm of time, on the column's cells."""
    from fipy import CellVariable, DiffusionTerm, Grid1D, TransientTerm  # needed here alone
    from fipy.tools import numerix

    air = column.air
    proton = CellVariable(mesh=Grid1D(dx=column.width), hasOld=True)
    proton.constrain(surface, proton.mesh.facesLeft)
    past = (proton.arithmeticFaceValue - air.layer_composition) / (column.front_width * air.layer_composition)
    opened = (air.proton_diffusivity - air.host_proton_diffusivity) * (1 + numerix.tanh(past)) / 2
    equation = TransientTerm() == DiffusionTerm(air.host_proton_diffusivity + opened)
    for step in np.diff(np.append(0.0, np.geomspace(1e-4 * time, time, steps))):
        proton.updateOld()
        for _ in range(3):
            equation.sweep(proton, dt=step)
    return float(column.amount(np.asarray(proton.value)))


def one_boundary(length: float, faces: int) -> Particle:
    """Two grains and a straight boundary between them, from surface to surface, in so many faces."""
    return rectangle_particle(
        (2e-6, length),
        (2, faces),
        grain_of=lambda p: (p[:, 0] > 1e-6).astype(int),
        orientation=np.stack([np.eye(3)] * 2),
    )


def along_a_boundary() -> list[Row]:
    """Attack of a sound boundary of 8 um from both of its ends, in faces longer and shorter than it goes.

    In linear growth the layer is as thick as its age, and its volume from either end is
    k int sqrt(D t) dt = 2/3 k sqrt(D) t^(3/2).
    """
    linear, time = replace(GROWTH, parabolic_rate=1e-10), 20 * DAY
    length = 2 * np.sqrt(GROWTH.boundary_diffusivity * time)
    volume = 2 / 3 * length * GROWTH.linear_rate * time

    def left(faces: int, cycles: int) -> tuple[float, float]:
        particle = one_boundary(8e-6, faces)
        none = np.zeros(particle.n_interfaces, dtype=bool)
        part = time / cycles
        layers = advance(fresh_layers(particle), particle, linear, none, part, part, cycles)
        at = particle.interface_length
        return float(at @ layers.attacked_share), float(at @ layers.corroded_depth)

    rows, name = [], "sound boundary, 20 d beside electrolyte"
    for faces in (4, 20, 200):
        attacked, reacted = left(faces, 400)
        what = f"{faces} faces"
        rows.append(check(name, f"attacked length in {what} (m), 2 sqrt(D t)", attacked, length, 1e-9))
        rows.append(check(name, f"volume of its layer in {what} (m2)", reacted, volume, 5e-3))
    counts = (25, 50, 100)
    errors = [abs(left(20, count)[1] / volume - 1) for count in counts]
    rows.append(order_row(name, "volume, in the length of a cycle", [1 / n for n in counts], errors, 1.0))
    return rows


def linear_parabolic() -> list[Row]:
    """The layer on a wetted face against its differential equation over a charge, and block by block."""
    particle = one_boundary(2e-6, 4)
    wetted = np.ones(particle.n_interfaces, dtype=bool)
    time = np.linspace(0, DAY, 401)
    voltage = 4.0 + 0.3 * np.sin(2 * np.pi * time / DAY)
    worth, cycles = GROWTH.effective_time(time, voltage, 5.0, 313.15), 100

    def speed(t: float, thickness: Array) -> Array:
        heat_factor = np.exp(-50e3 / GAS_CONSTANT * (1 / 313.15 - 1 / 298.15))
        drive = 2.0 * heat_factor * np.exp(np.sin(2 * np.pi * t / DAY))
        return drive / (2 * thickness / GROWTH.parabolic_rate + 1 / GROWTH.linear_rate)

    solved = solve_ivp(speed, (0, 10 * DAY), [0.0], rtol=1e-9, atol=1e-18, max_step=DAY / 20).y[0, -1]
    ten = advance(fresh_layers(particle), particle, GROWTH, wetted, worth, DAY, 10).corroded_depth.max()
    once = advance(fresh_layers(particle), particle, GROWTH, wetted, worth, DAY, cycles).corroded_depth.max()
    layers = fresh_layers(particle)
    for _ in range(cycles):
        layers = advance(layers, particle, GROWTH, wetted, worth, DAY)
    early, late = GROWTH.grow(np.zeros(1), 1.0)[0], GROWTH.grow(np.zeros(1), 1e13)[0]
    name = "reconstructed layer"
    return [
        check(name, "thickness after 10 cycles (m), dL/dt = g / (2 L / B + 1 / k)", ten, solved, 1e-4),
        check(name, "early: k t (m)", early, GROWTH.linear_rate, 1e-6),
        check(name, "late: root of B t (m)", late, np.sqrt(GROWTH.parabolic_rate * 1e13), 1e-3),
        check(
            name,
            f"{cycles} calls of one cycle against one call (m)",
            layers.corroded_depth.max(),
            once,
            1e-12,
        ),
    ]


def oxygen_release() -> list[Row]:
    """Rock salt after heat against the closed form, and along a ramp against quadrature."""
    x, hold = np.array([0.1]), 2 * HOUR
    name = "oxygen release"
    found = heat.advance(heat.fresh(1), HEAT, x, 493.15, hold)
    factor = np.exp(-120e3 / GAS_CONSTANT * (1 / 493.15 - 1 / 473.15))
    exact = 1 - np.exp(-(hold / 36000.0) * factor * (1 - 0.1 / 0.5))
    rows = [
        check(f"{name}, 2 h at 220 degC", "rock salt (1)", float(found.rock_salt[0]), exact, 1e-12),
        check(
            f"{name}, 2 h at 220 degC",
            "O2 per formula unit (1)",
            float(found.vacated[0]),
            0.45 * exact,
            1e-12,
        ),
    ]
    start, slope = 423.15, 150.0 / hold  # 150 K in 2 h
    integral = quad(lambda t: float(HEAT.rate(0.1, start + slope * t)), 0, hold, epsrel=1e-12)[0]
    errors, counts = [], (8, 16, 32)
    for count in counts:
        state, step = heat.fresh(1), hold / count
        for k in range(count):
            state = heat.advance(state, HEAT, x, start + slope * (k + 0.5) * step, step)
        errors.append(abs(float(state.rock_salt[0]) / (1 - np.exp(-integral)) - 1))
    return [*rows, order_row(f"{name}, ramp to 300 degC", "rock salt", [1 / n for n in counts], errors, 2.0)]


PROBLEMS = {
    "mass conservation": mass_conservation,
    "reversibility": reversibility,
    "growing layer": growing_layer,
    "linear-parabolic growth": linear_parabolic,
    "attack along a boundary": along_a_boundary,
    "oxygen release": oxygen_release,
}
