"""Constants of the nanoscale dislocation model; values, sources and ranges are in `config/dislocations/`."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from faultline.errors import UserError

BOLTZMANN = 1.380649e-23  # J/K


@dataclass(frozen=True)
class Settings:
    """Constants of the dynamics, in SI units.

    Slip system: b = a/3 <11-20> along x, basal glide plane, line along <1-100> out of the section, c along
    y. A dislocation of sign +1 has its extra half plane above it (y larger).

    Attributes:
        shear_modulus: Pa; poisson_ratio: of the same isotropic crystal.
        burgers, layer_spacing, core_width: m.
        glide_mobility, climb_mobility: velocity over stress beyond friction, m/(s Pa).
        glide_friction, climb_friction: stress below which nothing moves, Pa.
        temperature: K.
        formula_volume: m3.
        antisite_fraction: share of the sites of lithium that is open to transition metal.
        nucleation_stress: Pa; nucleation_interval: s.
        capture_distance, exit_distance: from an opposite core and from a free surface, m.
        wall_width: half width of the band that counts as domain wall, m.
    """

    shear_modulus: float
    poisson_ratio: float
    burgers: float
    layer_spacing: float
    core_width: float
    glide_mobility: float
    climb_mobility: float
    glide_friction: float
    climb_friction: float
    temperature: float
    formula_volume: float
    antisite_fraction: float
    nucleation_stress: float
    nucleation_interval: float
    capture_distance: float
    exit_distance: float
    wall_width: float

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
