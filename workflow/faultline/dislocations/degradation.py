"""What a core does to the crystal around it: lattice expansion, and rock salt over long cycling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.dislocations.parameters import BOLTZMANN, Parameter, Settings
from faultline.dislocations.stress import edge_stress

Array = NDArray[np.float64]

ELECTRONVOLT = 1.602176634e-19  # J

_SOURCE = "no source states it; chosen so that a core has nuclei within hundreds of hours, and bulk does not"
ROCK_SALT_PARAMETERS = (
    Parameter("attempt_rate", 1e13, "1/s", "Debye frequency", "estimate", (1e12, 1e14)),
    Parameter("barrier", 1.45 * ELECTRONVOLT, "J", _SOURCE, "estimate", (1.92e-19, 2.72e-19)),
    Parameter(
        "activation_volume",
        1.0e-29,
        "m3",
        "half the volume of an oxygen ion, which has to leave",
        "estimate",
        (0.5e-29, 2e-29),
    ),
    Parameter("site_length", 0.498e-9, "m", "repeat along <1-100>, sqrt(3) a", "literature", None),
    Parameter("foil", 30e-9, "m", "thickness of crystal seen through", "estimate", (10e-9, 60e-9)),
)
_VALUE = {p.name: p.value for p in ROCK_SALT_PARAMETERS}


@dataclass(frozen=True)
class CoreExpansion:
    """Largest values on the tension side of one core.

    Attributes:
        dilatation: e_xx + e_yy.
        across_layers: strain along c there, the change of the (003) spacing.
        tension: mean stress, Pa.
        place: distance from the core, m.
    """

    dilatation: float
    across_layers: float
    tension: float
    place: float


def core_expansion(settings: Settings) -> CoreExpansion:
    """Lattice expansion beside a spread core, linear elasticity: the embryo of a crack.

    Searched down to two layer spacings below the extra half plane, where an edge dislocation pulls. The core
    is as wide as for the force between two cores: an image of one core would show up to twice the strain.
    """
    depth = np.linspace(0.02, 2, 400) * settings.layer_spacing
    xx, yy, _ = edge_stress(0.0, -depth, settings.strength, settings.core_width)
    nu, mu = settings.poisson_ratio, settings.shear_modulus
    dilatation = (1 - 2 * nu) / (2 * mu) * (xx + yy)
    across = ((1 - nu) * yy - nu * xx) / (2 * mu)
    k = int(np.argmax(dilatation))
    tension = (1 + nu) / 3 * (xx + yy)[k]
    return CoreExpansion(float(dilatation[k]), float(across[k]), float(tension), float(depth[k]))


def rock_salt_rates(settings: Settings) -> tuple[float, float]:
    """Nucleation rates in 1/s per site, at a core and away from any.

    Thermally activated loss of oxygen, rate nu exp(-(Q - sigma V) / kT): the tension sigma beside a core
    lowers the barrier Q by its work on the activation volume V. Nothing else sets a core apart.
    """
    thermal = BOLTZMANN * settings.temperature
    helped = _VALUE["barrier"] - core_expansion(settings).tension * _VALUE["activation_volume"]
    core, bulk = np.exp(-np.array([helped, _VALUE["barrier"]]) / thermal) * _VALUE["attempt_rate"]
    return float(core), float(bulk)


def rock_salt_nuclei(settings: Settings, time: ArrayLike) -> tuple[Array, Array]:
    """Expected nuclei at one core through the foil, and at as many sites away from cores, after `time` s.

    `time` counts the hours near full charge; each site turns once.
    """
    sites = _VALUE["foil"] / _VALUE["site_length"]
    core, bulk = rock_salt_rates(settings)
    time = np.asarray(time, float)
    return -sites * np.expm1(-core * time), -sites * np.expm1(-bulk * time)
