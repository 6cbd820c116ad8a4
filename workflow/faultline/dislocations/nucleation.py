"""Nucleation of dislocation dipoles where the shear stress exceeds a threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultline.dislocations.parameters import Settings
from faultline.dislocations.state import (
    NUCLEATION,
    Event,
    State,
    pack_generator,
    unpack_generator,
    unsettled,
)
from faultline.dislocations.strip import Slab

Array = NDArray[np.float64]
Shear = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Sites:
    """Places (n,) in m where a dipole may form."""

    x: Array
    y: Array


def candidate_sites(slab: Slab, settings: Settings) -> Sites:
    """Between all basal planes, two Burgers vectors apart along them; a dipole's length off the surfaces."""
    clear = reach(settings)
    x = np.arange(slab.left + clear, slab.right - clear, 2 * settings.burgers)
    y = settings.layer_spacing * (np.arange(round(slab.period / settings.layer_spacing)) + 0.5)
    grid = np.meshgrid(x, y, indexing="ij")
    return Sites(grid[0].ravel(), grid[1].ravel())


def reach(settings: Settings) -> float:
    """Largest separation (m) of new cores: where the attraction D r / (r^2 + a^2) balances the threshold.

    At least the core width, where the attraction is largest.
    """
    half = settings.strength / (settings.nucleation_stress - settings.glide_friction) / 2
    if half <= settings.core_width:
        return settings.core_width
    return float(half + np.sqrt(half**2 - settings.core_width**2))


def nucleate(
    state: State, slab: Slab, settings: Settings, x: Array, y: Array, shear: Shear
) -> tuple[State, list[Event]]:
    """Set one glide dipole at one of the places (n,), m, if any bears it; drawn with the excess as weight.

    `shear` gives sigma_xy (Pa) at any points. A place bears a dipole if the shear there exceeds the threshold
    and the cores, somewhere within `reach`, are driven apart: a closer pair would fall back at once. Places
    closer to a dislocation than `reach` are shut: there the stress of a core, which linear elasticity
    overrates, would count. Dipoles form by shear alone: to insert or remove a plane takes atoms that have to
    come by diffusion.
    """
    away = clear_of(state, slab, x, y, reach(settings))
    x, y = x[away], y[away]
    local = shear(x, y)
    excess = np.abs(local) - settings.nucleation_stress
    high = excess > 0
    if not high.any():
        return state, []
    x, y, toward, excess = x[high], y[high], np.sign(local[high]), excess[high]
    half = half_separation(settings, x, y, toward, shear)
    places = np.flatnonzero(np.isfinite(half))
    if not len(places):
        return state, []
    generator = unpack_generator(state.random)
    k = int(generator.choice(places, p=excess[places] / excess[places].sum()))
    state = replace(state, random=pack_generator(generator))
    return add_dipole(state, float(x[k]), float(y[k]), (float(half[k] * toward[k]), 0.0))


def half_separation(settings: Settings, x: Array, y: Array, toward: Array, shear: Shear) -> Array:
    """Half the smallest separation (n,), m, at which both cores at places (n,) are driven apart, else NaN.

    The positive core lies towards `toward` (+1, -1) along x. Shear averaged over both cores, less friction,
    against the attraction D r / (r^2 + a^2).
    """
    apart = np.linspace(1.2 * settings.capture_distance, reach(settings), 12)
    offset = np.multiply.outer(toward, apart / 2)
    at_x = np.stack([x[:, None] + offset, x[:, None] - offset])
    at_y = np.broadcast_to(y[:, None], at_x.shape)
    outward = toward[:, None] * shear(at_x.ravel(), at_y.ravel()).reshape(at_x.shape).mean(axis=0)
    attraction = settings.strength * apart / (apart**2 + settings.core_width**2)
    grows = outward - settings.glide_friction > attraction
    return np.where(grows.any(axis=1), apart[grows.argmax(axis=1)] / 2, np.nan)


def clear_of(state: State, slab: Slab, x: Array, y: Array, distance: float) -> NDArray[np.bool_]:
    """Whether points (n,) are farther than `distance` (m) from every dislocation."""
    if not len(state):
        return np.ones(len(x), bool)
    dy = np.subtract.outer(y, state.y)
    dy -= slab.period * np.round(dy / slab.period)
    return np.hypot(np.subtract.outer(x, state.x), dy).min(axis=1) > distance


def add_dipole(state: State, x: float, y: float, offset: tuple[float, float]) -> tuple[State, list[Event]]:
    """Add a positive dislocation at (x, y) + `offset` and a negative one at (x, y) - `offset`, m."""
    first, second = state.next_ident, state.next_ident + 1
    added: dict[str, list[float]] = {
        "x": [x + offset[0], x - offset[0]],
        "y": [y + offset[1], y - offset[1]],
        "sign": [1.0, -1.0],
        "ident": [first, second],
        "partner": [second, first],
        "born": [state.time] * 2,
        "glide": [0.0] * 2,
        "climb": [0.0] * 2,
        "vx": [np.nan] * 2,
        "vy": [np.nan] * 2,
    }
    grown: dict[str, Any] = {name: np.append(getattr(state, name), new) for name, new in added.items()}
    event = Event(state.time, NUCLEATION, (first, second), x, y, 2 * float(np.hypot(*offset)))
    return unsettled(replace(state, next_ident=second + 1, **grown)), [event]
