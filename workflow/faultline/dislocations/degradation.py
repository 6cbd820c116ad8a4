"""What a core does to the crystal around it: lattice expansion, and rock salt over long cycling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.dislocations.parameters import BOLTZMANN, Settings
from faultline.dislocations.stress import edge_stress, row_stress
from faultline.dislocations.strip import Slab

Array = NDArray[np.float64]

ELECTRONVOLT = 1.602176634e-19  # J

NEAR = 1e-9  # m from a core: two layers


@dataclass(frozen=True)
class RockSalt:
    """Constants of rock-salt nucleation, in SI units; values and sources as in `Settings`.

    Attributes:
        attempt_rate: 1/s.
        barrier: without stress, J; activation_volume: on which tension works to lower it, m3.
        site_length: along the dislocation line, m.
        foil: thickness of the crystal that is looked through, m.
        cycling_time: near full charge, s.
    """

    attempt_rate: float
    barrier: float
    activation_volume: float
    site_length: float
    foil: float
    cycling_time: float


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


def rock_salt_rate(settings: Settings, rock: RockSalt, tension: ArrayLike) -> Array:
    """Nucleation rate in 1/s per site under a mean stress `tension`, Pa.

    Thermally activated loss of oxygen, rate nu exp(-(Q - sigma V) / kT): tension lowers the barrier Q by its
    work on the activation volume V. Nothing else sets a core apart.
    """
    thermal = BOLTZMANN * settings.temperature
    barrier = rock.barrier - np.asarray(tension, float) * rock.activation_volume
    return np.asarray(rock.attempt_rate * np.exp(-barrier / thermal))


def core_tension(
    settings: Settings, slab: Slab, at_x: Array, at_y: Array, x: Array, y: Array, sign: Array
) -> Array:
    """Mean stress (nx, ny) in Pa on the grid `at_x` (nx,), `at_y` (ny,), m, of dislocations (m,).

    The free surfaces are left out: where cores keep nanometres away from them, they add little to the
    tension beside a core, which alone counts here.
    """
    nu = settings.poisson_ratio
    total = np.zeros((len(at_x), len(at_y)))
    for px, py, s in zip(x, y, sign, strict=True):
        dx, dy = np.broadcast_arrays(at_x[:, None] - px, at_y[None, :] - py)
        stress = row_stress(dx, dy, slab.period, settings.strength, settings.core_width)
        total += s * (1 + nu) / 3 * (stress[0] + stress[1])
    return total


@dataclass(frozen=True)
class Ageing:
    """Rock salt in a slab with old cores.

    Attributes:
        age: (times,) s near full charge.
        nuclei_near_cores, nuclei_elsewhere: (times,) expected nuclei within `NEAR` of a core, mean over the
            cores, and on as many sites elsewhere.
        site_x, site_y: columns of sites, m.
        tension: (nx, ny) mean stress, Pa.
        nuclei: (nx, ny) nuclei drawn at the last age, through the foil.
        core_x, core_y, core_sign: the cores, m.
    """

    age: Array
    nuclei_near_cores: Array
    nuclei_elsewhere: Array
    site_x: Array
    site_y: Array
    tension: Array
    nuclei: NDArray[np.int64]
    core_x: Array
    core_y: Array
    core_sign: Array


def age_slab(
    settings: Settings, rock: RockSalt, slab: Slab, x: Array, y: Array, sign: Array, age: Array, seed: int
) -> Ageing:
    """Nucleation on all columns of sites of a slab with cores at x, y (n,), m, at the times `age` (s)."""
    site_x: Array = np.arange(slab.left + settings.burgers, slab.right, settings.burgers)
    layers = round(slab.period / settings.layer_spacing)
    site_y: Array = settings.layer_spacing * (np.arange(float(layers)) + 0.5)
    tension = core_tension(settings, slab, site_x, site_y, x, y, sign)
    rate, columns = rock_salt_rate(settings, rock, tension), rock.foil / rock.site_length
    dy = np.subtract.outer(site_y, y)
    dy -= slab.period * np.round(dy / slab.period)
    near = (np.hypot(np.subtract.outer(site_x, x)[:, None], dy[None]) < NEAR).any(axis=2)
    turned = -np.expm1(-np.multiply.outer(age, rate))
    per_core = columns * near.sum() / len(x)
    drawn = np.random.default_rng(seed).binomial(round(columns), turned[-1])
    return Ageing(
        age=np.asarray(age, float),
        nuclei_near_cores=per_core * turned[:, near].mean(axis=1),
        nuclei_elsewhere=per_core * turned[:, ~near].mean(axis=1),
        site_x=site_x,
        site_y=site_y,
        tension=tension,
        nuclei=drawn,
        core_x=x,
        core_y=y,
        core_sign=sign,
    )
