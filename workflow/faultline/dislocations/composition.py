"""Lithium content of the slab over time, and the misfit stress that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultline.dislocations.misfit import grid, misfit_stress
from faultline.dislocations.parameters import Settings
from faultline.dislocations.strip import Slab

Array = NDArray[np.float64]

XX, XY, CONTENT = 0, 1, 2  # layers of a frame
EDGE = 0.2e-9  # m, half width of a composition step: the boundary is one layer wide (estimate)


@dataclass(frozen=True)
class Patch:
    """Rectangular region, centre (`x`, `y`), `width` along x, `height` along y, m, whose content differs.

    It takes on `content` between the times `start` and `full` (s) and turns back to the content around it
    between `leave` and `gone`. `angle` (rad) turns it counter-clockwise: fronts on {10-14} planes are
    inclined to the layers. From `full` on it travels along x with `drift` (m/s): a reaction front that moves.
    Smooth edges (`EDGE`); a patch may cross the period.
    """

    x: float
    y: float
    width: float
    height: float
    content: float
    start: float
    full: float
    leave: float = np.inf
    gone: float = np.inf
    angle: float = 0.0
    drift: float = 0.0

    def weight(self, time: float) -> float:
        """Share of the change that has happened at `time`, s."""
        rise = np.clip((time - self.start) / (self.full - self.start), 0, 1)
        fall = 0.0 if time <= self.leave else min((time - self.leave) / (self.gone - self.leave), 1.0)
        return float(rise * (1 - fall))

    def shape(self, x: Array, y: Array, period: float, time: float = 0.0) -> Array:
        """Smooth indicator (nx, ny) of the region at `time`, s."""
        dx = (x - self.x - self.drift * max(time - self.full, 0.0))[:, None]
        dy = ((y - self.y + period / 2) % period - period / 2)[None, :]
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return _box(cos * dx + sin * dy, self.width) * _box(cos * dy - sin * dx, self.height)


def _box(distance: Array, width: float) -> Array:
    return (np.tanh((distance + width / 2) / EDGE) - np.tanh((distance - width / 2) / EDGE)) / 2


def domains(x: Array, slab: Slab, first: float, second: float) -> Array:
    """Content (nx, 1): `first` in domain 1, left of the wall, and `second` right of it."""
    return (second + (first - second) * (1 - np.tanh((x - slab.wall) / EDGE)) / 2)[:, None]


@dataclass(frozen=True)
class Environment:
    """Misfit stress and lithium content on a grid, linear in time between frames.

    Attributes:
        times: (frames,) in s, ascending; before the first and after the last one nothing changes.
        frames: (frames, 3, nx, ny): sigma_xx and sigma_xy of the coherent slab in Pa, site fraction of Li.
        left, dx, dy: first node along x and node distances, m.
    """

    times: Array
    frames: Array
    left: float
    dx: float
    dy: float

    def at(self, time: float, x: Array, y: Array) -> Array:
        """sigma_xx, sigma_xy (Pa) and content, (3, n), at `time` s and points x, y (n,), m; bilinear."""
        low = int(np.clip(np.searchsorted(self.times, time) - 1, 0, max(len(self.times) - 2, 0)))
        pair = self.frames[low : low + 2]
        place, weight = self._corners(x, y)
        found = pair.reshape(3 * len(pair), -1).take(place, axis=1)
        found *= weight
        values = found.sum(axis=1).reshape(len(pair), 3, -1)
        if len(pair) == 1:
            return values[0]
        share = (time - self.times[low]) / (self.times[low + 1] - self.times[low])
        return values[0] + min(max(share, 0.0), 1.0) * (values[1] - values[0])

    def _corners(self, x: Array, y: Array) -> tuple[NDArray[np.intp], Array]:
        """Flat indices and weights (4, n) of the nodes around points (n,)."""
        _, _, nx, ny = self.frames.shape
        u = np.clip((x - self.left) / self.dx, 0, nx - 1)
        v = y / self.dy
        below = np.floor(v)
        i = np.minimum(u.astype(np.intp), nx - 2)
        j = below.astype(np.intp) % ny
        p, q = u - i, v - below
        row, above = i * ny, (j + 1) % ny
        weight = np.array([(1 - p) * (1 - q), (1 - p) * q, p * (1 - q), p * q])
        return np.array([row + j, row + above, row + ny + j, row + ny + above]), weight


def environment(
    slab: Slab, settings: Settings, times: Sequence[float] | Array, content: Array, spacing: float
) -> Environment:
    """Environment of the contents (frames, nx, ny) on `grid(slab, spacing)` at `times`, s."""
    x, y = grid(slab, spacing)
    if content.shape != (len(times), len(x), len(y)):
        raise ValueError(f"content has shape {content.shape}, not {(len(times), len(x), len(y))}")
    if content.min() < 0 or content.max() > 1:
        raise ValueError("a site fraction lies outside 0 to 1")
    frames = np.empty((len(times), 3, len(x), len(y)))
    stress, of = np.empty(0), np.empty(0)
    for frame, field in zip(frames, content, strict=True):
        if not np.array_equal(of, field):  # between two changes nothing happens
            stress, of = misfit_stress(slab, settings, field), field
        frame[XX], frame[XY], frame[CONTENT] = stress[0], stress[2], field
    return Environment(np.asarray(times, float), frames, slab.left, x[1] - x[0], y[1] - y[0])


def patched(
    slab: Slab,
    settings: Settings,
    first: float,
    second: float,
    patches: Sequence[Patch],
    end: float,
    spacing: float = 0.2e-9,
) -> Environment:
    """Environment of two domains (contents `first`, `second`) with `patches`, from 0 to `end` s.

    Frames stand where a patch starts or ends to change and at least every half second (a quarter if any
    patch travels).
    """
    x, y = grid(slab, spacing)
    apart = 0.25 if any(p.drift for p in patches) else 0.5
    marks = [t for p in patches for t in (p.start, p.full, p.leave, p.gone) if 0 < t < end]
    times = np.unique(np.concatenate([np.arange(0, end, apart), marks, [end]]))
    base = domains(x, slab, first, second)
    resting = {k: p.shape(x, y, slab.period) for k, p in enumerate(patches) if not p.drift}
    content = np.empty((len(times), len(x), len(y)))
    for field, time in zip(content, times, strict=True):
        field[:] = base
        for k, patch in enumerate(patches):
            weight = patch.weight(time)
            if weight > 0:
                shape = resting[k] if k in resting else patch.shape(x, y, slab.period, time)
                field += weight * shape * (patch.content - field)
    return environment(slab, settings, times, content, spacing)
