"""The water film on the surface: how thick, how alkaline, how oxidising. Only the gas differs between cases.

Alkali that leaves the oxide makes the film alkaline. Without carbon dioxide the hydroxide holds the
exchange with protons back; with it, carbonate takes the hydroxide up, precipitates, and the exchange goes
on. Oxygen dissolved in the film takes electrons from the oxide. In a dry gas hydroxide gives its alkali
back, while carbonate keeps it. Activities are taken as concentrations over 1 mol/L (ideal solution).
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.constants import atm, bar
from scipy.optimize import brentq

from faultline.config.models import AirSettings, DryingSettings, GasSettings
from faultline.materials import FARADAY

Array = NDArray[np.float64]

MOLAR = 1000.0  # mol/m3, the standard concentration
REFERENCE_TEMPERATURE = 298.15  # K, where the material's constants and the equilibria below hold
WATER_PRODUCT = 1.0e-14  # Stumm and Morgan, Aquatic Chemistry (1996): K_w at 25 degC
HENRY_CO2 = 3.4e-2  # mol/(L atm), same source
CARBONIC_1, CARBONIC_2 = 4.45e-7, 4.69e-11  # same source
BET_CONSTANT = 10.0  # estimate (3 to 100): hydrophilic oxide, in Brunauer, Emmett and Teller (1938)
OXYGEN_POTENTIAL = 1.229  # V against hydrogen at pH 0, Bard, Parsons and Jordan, Standard Potentials (1985)
ALKALI_POTENTIAL = {"Na": -2.714, "Li": -3.040}  # V against hydrogen, same source
ALKALI_MASS = {"Na": 22.990e-3, "Li": 6.94e-3}  # kg/mol, IUPAC
HYDROXIDE_MASS, CARBONATE_MASS = 17.007e-3, 60.009e-3  # kg/mol, IUPAC
LEAST_CONCENTRATION = 1e-6  # mol/L, keeps the logarithms of a fresh film finite


@dataclass(frozen=True)
class AirChemistry:
    """Constants of the reaction with moist gas; names and units as in the material's `air` block (SI)."""

    exchange_rate: float
    exchange_equilibrium: float
    oxidation_rate: float
    reconstruction_time: float
    reconstruction_depth: float
    activation_energy: float
    proton_diffusivity: float
    host_proton_diffusivity: float
    layer_composition: float
    boundary_diffusivity: float
    water_monolayer: float
    hydroxide_solubility: float
    carbonate_solubility: float
    proton_strain_ab: float
    proton_strain_c: float
    rock_salt_strain_ab: float
    rock_salt_strain_c: float
    layer_diffusivity: float
    residual_strength: float
    residual_toughness: float

    @classmethod
    def from_settings(cls, settings: AirSettings) -> "AirChemistry":
        """Values without their sources."""
        return cls(**{field.name: getattr(settings, field.name).value for field in fields(cls)})

    def arrhenius(self, temperature: float) -> float:
        """Factor on rates and solid-state diffusion against 25 degC."""
        return float(
            np.exp(-self.activation_energy / GAS_CONSTANT * (1 / temperature - 1 / REFERENCE_TEMPERATURE))
        )


@dataclass(frozen=True)
class Gas:
    """Partial pressures (Pa) and temperature (K)."""

    p_H2O: float
    p_CO2: float
    p_O2: float
    temperature: float = REFERENCE_TEMPERATURE

    @classmethod
    def from_settings(cls, settings: GasSettings) -> "Gas":
        """Values without titles and sources."""
        return cls(settings.p_H2O, settings.p_CO2, settings.p_O2, settings.temperature)

    @property
    def relative_humidity(self) -> float:
        """At most 0.99; saturation pressure after Buck, J. Appl. Meteorol. 20, 1527 (1981)."""
        celsius = self.temperature - 273.15
        saturation = 611.21 * np.exp((18.678 - celsius / 234.5) * celsius / (257.14 + celsius))
        return float(min(self.p_H2O / saturation, 0.99))


@dataclass(frozen=True)
class Drying:
    """Time (s) in an inert gas without water, and its temperature (K)."""

    duration: float
    temperature: float = REFERENCE_TEMPERATURE

    @classmethod
    def from_settings(cls, settings: DryingSettings) -> "Drying":
        """The same as plain numbers."""
        return cls(settings.duration, settings.temperature)

    @property
    def gas(self) -> Gas:
        """Nitrogen, argon or vacuum: neither water nor carbon dioxide nor oxygen."""
        return Gas(0.0, 0.0, 0.0, self.temperature)


@dataclass(frozen=True)
class WaterFilm:
    """Equilibrium of the film with one gas, as a function of the alkali it has taken up (mol/m2, any shape).

    `bound` (mol/m2) is alkali that an earlier gas left as carbonate: it stays where it is.
    """

    air: AirChemistry
    gas: Gas
    alkali: Literal["Na", "Li"]
    bound: ArrayLike = 0.0

    @property
    def layers(self) -> float:
        """Adsorbed layers of water by the isotherm of Brunauer, Emmett and Teller."""
        h, c = self.gas.relative_humidity, BET_CONSTANT
        return c * h / ((1 - h) * (1 - h + c * h))

    @property
    def water_activity(self) -> float:
        """Relative humidity; zero below one layer, which is bound to the surface and dissolves nothing.

        The step at one layer is a cliff: whether a gas near it reacts at all hangs on `BET_CONSTANT`.
        """
        return self.gas.relative_humidity if self.layers >= 1 else 0.0

    @property
    def mobile(self) -> bool:
        """Whether the residue reacts with the oxide: dissolved in more than bound water, or as hydroxide.

        Hydroxide gives its alkali back without a film, since that reaction makes its own water; carbonate
        crystallises as the film dries and keeps its alkali.
        """
        return self.layers >= 1 or self.saturation * MOLAR >= self.air.hydroxide_solubility

    @property
    def thickness(self) -> float:
        """Film thickness, m; what dries out keeps a tenth of a layer with the residue."""
        return self.air.water_monolayer * max(self.layers, 0.1)

    @cached_property
    def _carbonates(self) -> tuple[float, float]:
        """b1, b2 in [HCO3-] = b1 [OH-], [CO3(2-)] = b2 [OH-]^2 (mol/L), set by the gas (Henry's law)."""
        bicarbonate = CARBONIC_1 * HENRY_CO2 * self.gas.p_CO2 / atm / WATER_PRODUCT
        return bicarbonate, bicarbonate * CARBONIC_2 / WATER_PRODUCT

    def hydroxide(self, alkali: ArrayLike) -> Array:
        """[OH-] of a solution with `alkali` of Na+ or Li+ (mol/L), from its charge balance.

        [A+] = [OH-] + [HCO3-] + 2 [CO3(2-)]; protons are left out, as the film is never acid beside an oxide.
        """
        b1, b2 = self._carbonates
        alkali = np.asarray(alkali, dtype=float)
        return 2 * alkali / (1 + b1 + np.sqrt((1 + b1) ** 2 + 8 * b2 * alkali))

    @cached_property
    def saturation(self) -> float:
        """Alkali concentration (mol/L) at which hydroxide or carbonate precipitates; the film stays there."""
        hydroxide = self.air.hydroxide_solubility / MOLAR
        product = 4 * (self.air.carbonate_solubility / MOLAR) ** 3  # [A+]^2 [CO3(2-)] of A2CO3

        def excess(alkali: float) -> float:
            return float(alkali**2 * self._carbonates[1] * self.hydroxide(alkali) ** 2 - product)

        return hydroxide if excess(hydroxide) <= 0 else float(brentq(excess, 0.0, hydroxide))

    def concentration(self, alkali_per_area: ArrayLike) -> Array:
        """Dissolved alkali (mol/L) of a film that holds `alkali_per_area` (mol/m2), precipitate included."""
        free = np.maximum(np.asarray(alkali_per_area) - self.bound, 0.0)
        return np.minimum(free / self.thickness / MOLAR, self.saturation)

    def carbonate(self, alkali_per_area: ArrayLike) -> Array:
        """Alkali (mol/m2) that is carbonate, with what was bound before; shared as in the charge balance."""
        held = np.asarray(alkali_per_area, dtype=float)
        free = np.maximum(held - self.bound, 0.0)
        alkali = np.maximum(self.concentration(alkali_per_area), LEAST_CONCENTRATION)
        return np.minimum(np.asarray(self.bound), held) + free * (1 - self.hydroxide(alkali) / alkali)

    def oxygen_voltage(self, alkali: ArrayLike) -> Array:
        """Voltage against the alkali metal at which dissolved oxygen holds the oxide; -inf without oxygen.

        E(O2/H2O) - E(A+/A), both by Nernst.
        """
        alkali = np.maximum(alkali, LEAST_CONCENTRATION)
        if self.gas.p_O2 <= 0:
            return np.full(np.shape(alkali), -np.inf)
        thermal = GAS_CONSTANT * self.gas.temperature / FARADAY
        proton = np.minimum(WATER_PRODUCT / self.hydroxide(alkali), 1e-5)
        oxygen = OXYGEN_POTENTIAL + thermal * (np.log(proton) + np.log(self.gas.p_O2 / bar) / 4)
        return np.asarray(oxygen - ALKALI_POTENTIAL[self.alkali] - thermal * np.log(alkali))

    def hydroxide_mass(self, alkali_per_area: ArrayLike) -> Array:
        """Mass (kg/m2) of alkali (mol/m2) that is hydroxide."""
        return np.asarray(alkali_per_area) * (ALKALI_MASS[self.alkali] + HYDROXIDE_MASS)

    def carbonate_mass(self, alkali_per_area: ArrayLike) -> Array:
        """Mass (kg/m2) of alkali (mol/m2) that is carbonate."""
        return np.asarray(alkali_per_area) * (ALKALI_MASS[self.alkali] + CARBONATE_MASS / 2)

    def residue_mass(self, alkali_per_area: ArrayLike) -> Array:
        """Mass (kg/m2) of the residue, as hydroxide and as carbonate."""
        held, carbonate = np.asarray(alkali_per_area, dtype=float), self.carbonate(alkali_per_area)
        return np.asarray(self.hydroxide_mass(held - carbonate) + self.carbonate_mass(carbonate))
