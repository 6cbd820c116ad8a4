"""Constants of the nanoscale dislocation model, with where each comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from faultline.errors import UserError

Status = Literal["stated", "literature", "estimate", "calibration"]

BOLTZMANN = 1.380649e-23  # J/K
WANG = "Wang et al., PNAS 122, e2409494122 (2025)"


def constant(
    value: float, unit: str, status: Status, source: str, bounds: tuple[float, float] | None = None
) -> Any:
    """Field of a dataclass of constants that carries its origin along."""
    origin = {"unit": unit, "status": status, "source": source, "range": bounds}
    return field(default=value, metadata=origin)


@dataclass(frozen=True)
class Settings:
    """Constants of the model in SI units; `PARAMETERS` lists value, unit, status, source and range of each.

    Slip system: b = a/3 <11-20> along x, basal glide plane, line along <1-100> out of the section, c along
    y. A dislocation of sign +1 has its extra half plane above it (y larger).
    """

    shear_modulus: float = constant(
        68.4e9,
        "Pa",
        "estimate",
        "Voigt-Reuss-Hill mean of C11, C12, C13, C33, C44 = 259, 107, 75, 194, 59 GPa, which the supplement "
        "on NMC811 states; LiNiO2 itself, and delithiated, is likely softer",
        (30e9, 80e9),
    )
    poisson_ratio: float = constant(0.282, "", "estimate", "the same mean of the same constants", (0.2, 0.33))
    burgers: float = constant(
        0.2877e-9,
        "m",
        "estimate",
        "a/3 <11-20> with a of LiNiO2: perfect basal dislocation as in LiCoO2 (Gabrisch, Yazami and Fultz, "
        f"Electrochem. Solid-State Lett. 5, A111, 2002); {WANG} gives no Burgers vector, line or slip plane",
        (0.16e-9, 0.2877e-9),
    )
    layer_spacing: float = constant(0.47e-9, "m", "stated", f"(003) spacing, {WANG}, fig. 5")
    core_width: float = constant(
        0.65e-9,
        "m",
        "estimate",
        "d / (1 - nu) with d the layer spacing: twice the half width of a core spread on its basal plane "
        "(Peierls and Nabarro; Hirth and Lothe, Theory of Dislocations, chapter 8), once for each of two "
        "cores that interact",
        (0.15e-9, 0.9e-9),
    )
    glide_mobility: float = constant(
        1.31e-18, "m/(s Pa)", "calibration", f"mean glide velocity 0.38 nm/s, {WANG}, results and fig. 2D"
    )
    climb_mobility: float = constant(
        1.69e-18,
        "m/(s Pa)",
        "calibration",
        f"mean climb velocity 0.18 nm/s, {WANG}, results and fig. 2C (its discussion swaps the two numbers)",
    )
    glide_friction: float = constant(
        0.2e9,
        "Pa",
        "estimate",
        "resistance of point defects (Ni in the Li layers); the Peierls stress of the wide basal planes is "
        "below 1 MPa by the formula of Peierls and Nabarro",
        (0.05e9, 0.5e9),
    )
    climb_friction: float = constant(
        0.4e9,
        "Pa",
        "estimate",
        "normal stress that a jog needs to form; twice the glide friction",
        (0.1e9, 1e9),
    )
    temperature: float = constant(
        298.15, "K", "estimate", "room temperature; beam heating neglected", (293, 350)
    )
    formula_volume: float = constant(
        33.9e-30, "m3", "literature", "sqrt(3)/2 a^2 c / 3 with a = 0.2877 nm, c = 1.419 nm (JCPDS 9-63)"
    )
    antisite_fraction: float = constant(
        0.03,
        "",
        "estimate",
        "Li-layer sites open to transition metals at full lithiation: typical off-stoichiometry of LiNiO2",
        (0.01, 0.06),
    )
    nucleation_stress: float = constant(
        3.0e9,
        "Pa",
        "estimate",
        "shear stress at which a dipole forms without a defect: mu / 23, the ideal strength of a lattice "
        "plane being mu / 30 to mu / 6",
        (2e9, 7e9),
    )
    nucleation_interval: float = constant(
        0.1, "s", "estimate", "waiting time between two nucleations in the slab", (0.01, 1.0)
    )
    capture_distance: float = constant(
        0.5e-9, "m", "estimate", "opposite cores closer than this annihilate: 1.7 b", (0.3e-9, 1e-9)
    )
    exit_distance: float = constant(
        0.3e-9, "m", "estimate", "a core closer than b to a free surface leaves through it", (0.15e-9, 0.6e-9)
    )
    wall_width: float = constant(
        2.5e-9, "m", "estimate", "half width of the band that counts as domain wall", (1e-9, 4e-9)
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) < 0:
                raise UserError(f"dislocations: {item.name} is negative; it must be zero or more")
        for name in ("shear_modulus", "burgers", "core_width", "nucleation_interval", "antisite_fraction"):
            if getattr(self, name) == 0:
                raise UserError(f"dislocations: {name} is zero; it must be positive")
        if self.poisson_ratio >= 0.5:
            raise UserError(f"dislocations: poisson_ratio is {self.poisson_ratio}; it must be below 0.5")

    @property
    def strength(self) -> float:
        """D = mu b / (2 pi (1 - nu)), N/m: the stress of an edge dislocation is D / r times its angle."""
        return self.shear_modulus * self.burgers / (2 * math.pi * (1 - self.poisson_ratio))

    @property
    def thermal_stress(self) -> float:
        """kT / Omega, Pa: osmotic stress of one unit of ln(supersaturation)."""
        return BOLTZMANN * self.temperature / self.formula_volume


@dataclass(frozen=True)
class Parameter:
    """One line of the parameter table: value in `unit` (SI), plausible range where it is an estimate."""

    name: str
    value: float
    unit: str
    source: str
    status: Status
    range: tuple[float, float] | None


def parameter_table(settings: Any) -> list[Parameter]:
    """Constants of a dataclass in use; a value that differs from its default is the user's, and says so."""
    rows = []
    for item in fields(settings):
        value, origin = getattr(settings, item.name), item.metadata
        rows.append(_row(item.name, value, value == item.default, origin))
    return rows


def _row(name: str, value: float, default: bool, origin: Mapping[str, Any]) -> Parameter:
    source = origin["source"] if default else "set by the user"
    status: Status = origin["status"] if default else "estimate"
    return Parameter(name, value, origin["unit"], source, status, origin["range"])


PARAMETERS = tuple(parameter_table(Settings()))
