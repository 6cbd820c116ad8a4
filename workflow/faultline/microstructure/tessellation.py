"""Grains as a power diagram (Voronoi, or Laguerre where sizes are spread) of a disc or a rectangle.

Elongated grains come from a tessellation in warped coordinates, in which they are equiaxed. In a disc the
warp is the power law r -> r^(1/e), the one radial map whose ratio of tangential to radial stretch is e
everywhere; in a rectangle it shrinks x by e.
"""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from faultline.microstructure.network import CORNER, JUNCTION, OUTLINE, Network, loop_area
from faultline.microstructure.particle import Floats, Ints

SAMPLES_PER_GRAIN = 200
WEIGHT_STEPS = 100
AREA_TOLERANCE = 0.05  # of the mean area; the samples count it to about a hundredth
WEIGHT_STEPS_WHILE_RELAXING = 8  # the seeds move anyway
# d(area)/d(weight) of a hexagonal cell: six edges of length L at distance d, L / (2 d) each, L = d / sqrt(3)
AREA_PER_WEIGHT = sqrt(3)


@dataclass(frozen=True)
class Domain:
    """Outline of the section to fill, and the coordinates in which its grains are equiaxed.

    Attributes:
        outline: (n, 2) corner points, counter-clockwise, m.
        corner_rank: rank of the outline's points: CORNER where they must stay, OUTLINE where they may slide.
        elongation: length over width of the grains.
        radial: True for a disc about the origin of radius `radius`, False for a rectangle (along x).
        radius: radius of the disc, m.
    """

    outline: Floats
    corner_rank: int
    elongation: float = 1.0
    radial: bool = False
    radius: float = 0.0

    @property
    def area(self) -> float:
        """Area inside the outline, m2."""
        return loop_area(self.outline, np.arange(len(self.outline)))

    def warp(self, points: Floats) -> Floats:
        """Map positions (n, 2) to the coordinates in which grains are equiaxed."""
        return self._map(points, 1 / self.elongation)

    def unwarp(self, points: Floats) -> Floats:
        """Map back: the inverse of `warp`."""
        return self._map(points, self.elongation)

    def _map(self, points: Floats, exponent: float) -> Floats:
        if not self.radial:
            return points * (exponent, 1.0)
        r = np.linalg.norm(points, axis=1, keepdims=True) / self.radius
        return points * np.maximum(r, 1e-12) ** (exponent - 1)

    def stretch(self, warped: Floats) -> Floats:
        """Return (n,) the ratio of real to warped area at warped positions."""
        if not self.radial:
            return np.full(len(warped), self.elongation)
        r = np.linalg.norm(warped, axis=1) / self.radius
        return self.elongation * np.maximum(r, 1e-3) ** (2 * (self.elongation - 1))

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Return about `n` positions (n, 2) spread evenly over the section: one at random in each square."""
        low, high = self.outline.min(axis=0), self.outline.max(axis=0)
        step = sqrt(self.area / n)
        counts = np.ceil((high - low) / step).astype(int)
        squares = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1).reshape(-1, 2)
        points = low + (squares + rng.random(squares.shape)) / counts * (high - low)
        return points[np.linalg.norm(points, axis=1) < self.radius] if self.radial else points


def disc(radius: float, size: float, elongation: float = 1.0) -> Domain:
    """Return a disc about the origin whose outline is a polygon of edges `size` long."""
    angle = np.linspace(0, 2 * pi, max(12, round(2 * pi * radius / size)), endpoint=False)
    outline = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Domain(outline, OUTLINE, elongation, radial=True, radius=radius)


def rectangle(size: tuple[float, float], elongation: float = 1.0) -> Domain:
    """Return a rectangle about the origin, width along x and height along y."""
    half = np.array(size) / 2
    return Domain(half * [[-1, -1], [1, -1], [1, 1], [-1, 1]], CORNER, elongation)


def tessellate(
    domain: Domain, count: int, relaxation: int, size_spread: float, rng: np.random.Generator
) -> Network:
    """Fill a domain with grains.

    Args:
        domain: what to fill.
        count: number of grains.
        relaxation: Lloyd steps: seeds move to the centroids of their cells.
        size_spread: standard deviation of the logarithm of the grains' equivalent diameters. Above 0 the
            weights of the power diagram are fitted to areas drawn with this spread (after Bourne, Kok,
            Roper and Spanjer, Philos. Mag. 100 (2020) 2677); at 0 the diagram is Voronoi's.
        rng: source of the seeds and sizes.
    """
    seeds = domain.warp(domain.sample(count * SAMPLES_PER_GRAIN, rng))
    seeds = rng.permutation(seeds)[:count]
    samples = domain.warp(domain.sample(count * SAMPLES_PER_GRAIN, rng))
    shares = np.exp(2 * size_spread * rng.standard_normal(count))  # areas go with the square of diameters
    shares /= shares.sum()
    weights = np.zeros(count)
    for step in range(relaxation + 1):
        if size_spread > 0:
            steps = WEIGHT_STEPS_WHILE_RELAXING if step < relaxation else WEIGHT_STEPS
            weights = _fit_weights(domain, seeds, weights, samples, shares, steps)
        if step < relaxation:
            seeds = _centroids(samples, _nearest(samples, seeds, weights), seeds)
    return _power_diagram(domain, seeds, weights)


def _nearest(points: Floats, seeds: Floats, weights: Floats) -> Ints:
    """Return the seed of least power distance |x - s|^2 - w for each point.

    With a third coordinate sqrt(max w - w) of the seeds the power distance is a plain one, up to a constant.
    """
    from scipy.spatial import KDTree

    lift = np.sqrt(weights.max() - weights)
    tree = KDTree(np.column_stack([seeds, lift]))
    return tree.query(np.column_stack([points, np.zeros(len(points))]))[1]


def _centroids(points: Floats, owner: Ints, fallback: Floats) -> Floats:
    counts = np.bincount(owner, minlength=len(fallback))
    sums = np.stack([np.bincount(owner, points[:, k], len(fallback)) for k in (0, 1)], axis=1)
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], fallback)


def _fit_weights(
    domain: Domain, seeds: Floats, weights: Floats, samples: Floats, shares: Floats, steps: int
) -> Floats:
    """Move the weights until each cell holds its share of the samples.

    Newton's steps with the diagonal of a hexagonal cell; half steps, since neighbours move as well.
    """
    area_per_weight = AREA_PER_WEIGHT * domain.stretch(seeds) / domain.area
    for _ in range(steps):
        found = np.bincount(_nearest(samples, seeds, weights), minlength=len(seeds)) / len(samples)
        if np.abs(found - shares).max() < AREA_TOLERANCE / len(seeds):
            break
        weights = weights + 0.5 * (shares - found) / area_per_weight
    return weights


def _power_diagram(domain: Domain, seeds: Floats, weights: Floats) -> Network:
    """Return the exact cells of the power diagram, clipped to the domain, in real coordinates.

    A vertex is known by the three things that meet there (seeds, or edges of the outline counted from -1
    downwards), so that neighbouring cells share it without comparing coordinates.
    """
    outline = domain.warp(domain.outline)
    number: dict[tuple[int, ...], int] = {}
    positions: list[Floats] = []
    rank: list[int] = []
    loops, grain = [], []
    for cell in range(len(seeds)):
        corners, sides = _clip_cell(cell, outline, seeds, weights)
        if not len(corners):
            continue
        loop = []
        for corner, after, before in zip(corners, sides, np.roll(sides, 1), strict=True):
            key = tuple(sorted((int(before), int(after)) + ((cell,) if max(before, after) >= 0 else ())))
            if key not in number:
                number[key] = len(positions)
                positions.append(corner)
                on_outline = min(before, after) < 0
                pure = max(before, after) < 0
                rank.append(domain.corner_rank if pure else OUTLINE if on_outline else JUNCTION)
            loop.append(number[key])
        loops.append(np.array(loop))
        grain.append(cell)
    return Network(domain.unwarp(np.array(positions)), np.array(rank), tuple(loops), np.array(grain))


def _clip_cell(cell: int, outline: Floats, seeds: Floats, weights: Floats) -> tuple[Floats, Ints]:
    """Return corners (k, 2) of one cell and the neighbour (k,) beyond the side from each corner."""
    corners, sides = outline, -1 - np.arange(len(outline))
    scale = np.ptp(outline, axis=0).max() ** 2
    while len(corners):
        power = ((corners[:, None] - seeds) ** 2).sum(axis=2) - weights
        excess = power - power[:, [cell]]
        k, rival = np.unravel_index(np.argmin(excess), excess.shape)
        if excess[k, rival] > -1e-12 * scale:
            break
        corners, sides = _clip(corners, sides, excess[:, rival], int(rival))
    return corners, sides


def _clip(corners: Floats, sides: Ints, height: Floats, rival: int) -> tuple[Floats, Ints]:
    """Keep the part of a convex polygon where `height`, given at its corners and linear, is not negative."""
    after = np.roll(height, -1)
    following = np.roll(corners, -1, axis=0)
    new_corners, new_sides = [], []
    for k in range(len(corners)):
        if height[k] >= 0:
            new_corners.append(corners[k])
            new_sides.append(sides[k])
        if (height[k] >= 0) != (after[k] >= 0):
            fraction = height[k] / (height[k] - after[k])
            new_corners.append(corners[k] * (1 - fraction) + following[k] * fraction)
            new_sides.append(rival if height[k] >= 0 else sides[k])
    return np.array(new_corners).reshape(-1, 2), np.array(new_sides, dtype=np.int64)
