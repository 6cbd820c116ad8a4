"""A thin shell as a film against the exact coated cylinder, and against the same shell meshed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.spatial.transform import Rotation

from faultline.config.models import MicrostructureSettings
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness, rotate_stiffness, rotate_strain
from faultline.cycling.transport import TransportStep
from faultline.materials import FARADAY, Material
from faultline.materials.particle_model import ParticleModel, PassiveLayer
from faultline.mechanics import BondedSolid
from faultline.microstructure import Particle
from faultline.microstructure.build import build_particle
from faultline.microstructure.particle import CORE
from faultline.transport.surface import outer_surface
from faultline.verification.rows import Row, check, order_row
from faultline.verification.transport import C_MAX, RADIUS, SIMPLE, TEMPERATURE, D, march

Array = NDArray[np.float64]

THICKNESS = (0.04, 0.02, 0.01)  # of the radius
THINNEST = f"thickness {THICKNESS[-1]:g} R"
ALLOWED = 2 * THICKNESS[-1]  # a film is first order: its relative error is about thickness over radius
ELEMENT = 0.04  # of the radius, for stress; polygon and ring of linear triangles err by its square
COAT = isotropic_stiffness(190e9, 0.35)
CRYSTAL = hexagonal_stiffness(260e9, 105e9, 75e9, 195e9, 60e9)
SWELLING = np.array([0.01, 0.01, 0.01])  # along a, b and c
BREATHING = np.array([-0.01, -0.01, 0.02])


def disc(model: str, thickness: float, size: float) -> Particle:
    """The pipeline's disc in a shell of `thickness` radii, "meshed" or as "film"; `size` of its elements."""
    shell = {"thickness": f"{thickness * RADIUS} m", "material": "coat", "model": model}
    settings = {"radius": f"{RADIUS} m", "element_size": f"{size * RADIUS} m", "shell": shell}
    return build_particle(MicrostructureSettings.model_validate(settings), seed=1, root=Path())


# ---- stress


def coated_cylinder(core: Array, misfit: Array, shell: Array, ratio: float) -> tuple[Array, float]:
    """Exact stress in the core (radial and axial, Pa), and the axial strain, of a free coated cylinder.

    Lame: u = A r in the core and A2 r + B / r in the shell (r in units of the core radius), one axial strain
    e. With s = C11 + C12 and d = C11 - C12 of materials isotropic about the axis,

        sigma_r = s A - d B / r^2 + C13 e - s e_a - C13 e_c,    sigma_z = 2 C13 (A - e_a) + C33 (e - e_c).

    Continuous displacement and radial stress, free surface, no axial resultant.

    Args:
        core, shell: (6, 6) stiffness, Pa.
        misfit: (3,) eigenstrain of the core, across (twice) and along the axis.
        ratio: outer radius over core radius.
    """
    s, s2 = (m[0, 0] + m[0, 1] for m in (core, shell))
    d2, ring = shell[0, 0] - shell[0, 1], ratio**2 - 1
    held = s * misfit[0] + core[0, 2] * misfit[2]
    held_axial = 2 * core[0, 2] * misfit[0] + core[2, 2] * misfit[2]
    system = np.array(
        [
            [1.0, -1.0, -1.0, 0.0],
            [s, -s2, d2, core[0, 2] - shell[0, 2]],
            [0.0, s2, -d2 / ratio**2, shell[0, 2]],
            [2 * core[0, 2], 2 * ring * shell[0, 2], 0.0, core[2, 2] + ring * shell[2, 2]],
        ]
    )
    stretch, _, _, axial = np.linalg.solve(system, [0.0, held, 0.0, held_axial])
    radial = s * stretch + core[0, 2] * axial - held
    return np.array([radial, 2 * core[0, 2] * stretch + core[2, 2] * axial - held_axial]), float(axial)


def equilibrium(model: str, thickness: float, axes: Array, misfit: Array, core: Array) -> tuple[Array, float]:
    """Mean stress in the core (6,), Pa, and axial strain of a crystal in a shell of `thickness` radii."""
    particle = replace(disc(model, thickness, ELEMENT), orientation=axes[None])
    inside = particle.region == CORE
    rotation = particle.cell_orientation
    stiffness = np.where(inside[:, None, None], rotate_stiffness(core, rotation), COAT)
    eigenstrain = np.where(inside[:, None], rotate_strain(np.tile(misfit, (len(inside), 1)), rotation), 0.0)
    film = thickness * RADIUS * COAT if model == "film" else None
    state = BondedSolid(particle, stiffness, film=film).solve(eigenstrain)
    return np.average(state.stress[inside], axis=0, weights=particle.cell_area[inside]), state.axial_strain


def coated(problem: str, core: Array, misfit: Array) -> list[Row]:
    """Film and meshed ring on a core that swells, isotropic about the axis, against the exact solution."""
    found: dict[str, list[Array]] = {"film": [], "meshed": []}
    exact = []
    for thickness in THICKNESS:
        (radial, axial_stress), axial = coated_cylinder(core, misfit, COAT, 1 + thickness)
        exact.append(np.array([radial, axial_stress, axial - misfit[2]]))
        for model, results in found.items():
            mean, strain = equilibrium(model, thickness, np.eye(3), misfit, core)
            results.append(np.array([(mean[0] + mean[1]) / 2, mean[2], strain - misfit[2]]))
    rows = []
    names = ["radial stress in the core, Pa", "axial stress in the core, Pa", "axial strain held back"]
    for model, tolerance in (("film", ALLOWED), ("meshed", ELEMENT**2)):
        for name, value, known in zip(names, found[model][-1], exact[-1], strict=True):
            rows.append(check(problem, f"{name}, {model}, {THINNEST}", value, known, tolerance))
    for name, reference in (("exact solution", exact), ("meshed ring", found["meshed"])):
        gaps = [float(np.abs(f / r - 1).max()) for f, r in zip(found["film"], reference, strict=True)]
        rows.append(order_row(problem, f"film less {name}, relative", THICKNESS, gaps, 1.0))
    return rows


def isotropic_core() -> list[Row]:
    """Isotropic core and shell."""
    return coated("Coated cylinder (Lame), isotropic", isotropic_stiffness(200e9, 0.25), SWELLING)


def layered_core() -> list[Row]:
    """Layered crystal, c along the axis, that swells across its layers."""
    return coated("Coated cylinder (Lame), layered crystal, c along the axis", CRYSTAL, BREATHING)


def tilted_core() -> list[Row]:
    """Layered crystal at a general orientation, so that the section warps: film against meshed ring."""
    problem = "Coated crystal at a general orientation"
    axes = Rotation.from_euler("zxz", [20, 50, 10], degrees=True).as_matrix()
    stress_gaps, strain_gaps = [], []
    free = rotate_strain(BREATHING[None], axes[None])[0, 2]
    for thickness in THICKNESS:
        film, meshed = (equilibrium(m, thickness, axes, BREATHING, CRYSTAL) for m in ("film", "meshed"))
        stress_gaps.append(float(np.linalg.norm(film[0] - meshed[0]) / np.linalg.norm(meshed[0])))
        strain_gaps.append(abs((film[1] - meshed[1]) / (meshed[1] - free)))
    rows = []
    for name, gaps in (("mean stress in the core", stress_gaps), ("axial strain held back", strain_gaps)):
        quantity = f"{name}, film less meshed ring, relative"
        rows.append(check(problem, f"{quantity}, {THINNEST}", gaps[-1], 0.0, ALLOWED, 1.0))
        rows.append(order_row(problem, quantity, THICKNESS, gaps, 1.0))
    return rows


# ---- transport

BIOT = 2.0  # of the shell: D_L R / (D delta)
SHARE = 0.15  # of the time R^2 / D


def emptied(model: str, thickness: float, material: Material, speed: float) -> tuple[float, float]:
    """Mean change of x in a disc after a voltage step, and the resistance of the film, ohm m2.

    `speed` is the chemical diffusivity over D. The shell's resistance does not depend on its thickness.
    """
    particle = disc(model, thickness, 0.2)
    start, change = material.initial_site_fraction, material.nominal_site_fraction_change
    known = thickness * RADIUS if model == "film" else None
    layer = PassiveLayer(COAT, BIOT * thickness * D, C_MAX, known)
    laws = ParticleModel(particle, material, TEMPERATURE, np.zeros((particle.n_cells, 6)), layer)
    surface = outer_surface(particle, np.full(particle.n_surface, laws.film_resistance))
    times = SHARE * RADIUS**2 / (speed * D) * np.linspace(0, 1, 13) ** 2  # short steps first
    voltage = float(material.open_circuit_voltage(start - change))
    found = march(TransportStep(laws, surface), np.full(particle.n_cells, start), times, voltage=voltage)
    inside = particle.region == CORE
    return float(
        np.average(found.x[inside] - start, weights=particle.cell_area[inside])
    ), laws.film_resistance


def voltage_step() -> list[Row]:
    """A disc at another voltage, behind a shell: the film lets through what the meshed ring lets through."""
    thermal = GAS_CONSTANT * TEMPERATURE / FARADAY
    chemical = replace(SIMPLE, initial_site_fraction=0.8, nominal_site_fraction_change=0.5)
    ions = replace(
        SIMPLE, diffusivity_kind="self", initial_site_fraction=0.51, nominal_site_fraction_change=0.02
    )
    rows = []
    for kind, material, speed in (("chemical", chemical, 1.0), ("self", ions, 0.25 / thermal)):
        problem = f"Voltage step behind a shell, {kind}-diffusivity"
        gaps = []
        for thickness in THICKNESS:
            film, meshed = (emptied(model, thickness, material, speed) for model in ("film", "meshed"))
            gaps.append(abs(film[0] / meshed[0] - 1))
        known = RADIUS / (BIOT * FARADAY * C_MAX * D * speed)  # the voltage falls by 1 V per x
        flux = "alkali that left the core, film less meshed ring, relative"
        rows += [
            check(problem, "film resistance, ohm m2", film[1], known, 1e-3),
            check(problem, f"{flux}, {THINNEST}", gaps[-1], 0.0, ALLOWED, 1.0),
            order_row(problem, flux, THICKNESS, gaps, 1.0),
        ]
    return rows


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    "isotropic core": isotropic_core,
    "layered core": layered_core,
    "tilted core": tilted_core,
    "voltage step": voltage_step,
}
