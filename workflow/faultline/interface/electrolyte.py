"""Acid from salt and water, and the film that an electrolyte leaves on the cathode.

Water hydrolyses the anion, first order in both (PF6- + H2O = POF3 + 2 HF + F- and its like), so that after
a time t

    c_HF = y c_W (1 - exp(-k c_salt t)),      k = k_25 exp(-Ea/R (1/T - 1/T_ref)),

with c_W the water that was filled in and y the acid from each. Acid that dissolves oxide gives its water
back (MO + 2 HF = MF2 + H2O), so that none is used up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R as GAS_CONSTANT

from faultline.config.models import ElectrolyteSettings, InterphaseSettings

Array = NDArray[np.float64]
REFERENCE_TEMPERATURE = 298.15  # K, where rates hold
WATER_MASS = 18.015e-3  # kg/mol, IUPAC


@dataclass(frozen=True)
class Hydrolysis:
    """Acid per water, rate constant (m3/(mol s)) at 25 degC, and its activation energy (J/mol)."""

    acid_per_water: float
    rate: float
    activation_energy: float


# Estimates, one rule for both anions: acid from tens of ppm of water takes days to weeks beside 1 mol/L of
# hexafluorophosphate (rate within a factor of 10 either way); the S-F bond of FSI- is known as far more
# stable, here by a thousand (factor of 10 either way). Activation energies within 60 and 100 kJ/mol.
HYDROLYSIS = {
    "PF6": Hydrolysis(acid_per_water=2.0, rate=1e-9, activation_energy=80e3),
    "FSI": Hydrolysis(acid_per_water=2.0, rate=1e-12, activation_energy=80e3),
}


@dataclass(frozen=True)
class Interphase:
    """Film on the cathode against that of plain carbonates; names as in an electrolyte's `cei` (SI)."""

    hf_permeability: float = 1.0
    layer_transport: float = 1.0
    dissolution: float = 1.0
    resistance: float = 0.0

    @classmethod
    def from_settings(cls, settings: InterphaseSettings) -> "Interphase":
        """The same as plain numbers."""
        return cls(**settings.model_dump())


PLAIN = Interphase()


@dataclass(frozen=True)
class Electrolyte:
    """What decides on the acid: `given` (mol/m3, None to compute it), salt and water (mol/m3), age (s)."""

    given: float | None
    salt: float
    water: float
    age: float
    hydrolysis: Hydrolysis
    cei: Interphase = PLAIN

    @classmethod
    def from_settings(cls, settings: ElectrolyteSettings) -> "Electrolyte":
        """Water by mass becomes a concentration."""
        return cls(
            given=settings.hf,
            salt=settings.concentration,
            water=settings.water * settings.density / WATER_MASS,
            age=settings.age,
            hydrolysis=HYDROLYSIS[settings.anion],
            cei=Interphase.from_settings(settings.cei),
        )

    def acid(self, time: ArrayLike, temperature: float) -> Array:
        """(n,) hydrofluoric acid (mol/m3) at times (n,) in s since the first cycle began.

        `temperature` (K) holds from filling on. A given concentration stays as it is.
        """
        time = np.asarray(time, dtype=float)
        if self.given is not None:
            return np.full(time.shape, self.given)
        h = self.hydrolysis
        heat = np.exp(-h.activation_energy / GAS_CONSTANT * (1 / temperature - 1 / REFERENCE_TEMPERATURE))
        return h.acid_per_water * self.water * -np.expm1(-h.rate * heat * self.salt * (self.age + time))


def electrolyte_temperature(settings: ElectrolyteSettings | None, cycling: float) -> float:
    """Temperature of the electrolyte, K: that of the cycling where there is none or it says nothing."""
    if settings is None or settings.temperature is None:
        return cycling
    return settings.temperature
