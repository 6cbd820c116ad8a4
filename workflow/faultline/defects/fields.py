"""Correlated random fields on the section: Gaussian ones, and the clusters that concentrate them."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]
POINTS_PER_LENGTH = 4  # grid points per correlation length: cubic interpolation then adds under 1 % error
LARGEST_GRID = 1024
EDGE = 0.25  # width of a cluster's edge in standard deviations of the field that it is cut from


def gaussian_field(points: Array, correlation_length: float, count: int, rng: np.random.Generator) -> Array:
    """Independent Gaussian fields (count, n) of unit variance at points (n, 2) (m).

    Covariance exp(-d^2 / (2 l^2)) with l the correlation length (m). White noise on a periodic grid is
    filtered in Fourier space with the square root of the spectral density, exp(-k^2 l^2 / 4) (Ripley,
    Spatial Statistics, 1981), and interpolated. The grid reaches 4 l beyond the points, so that opposite
    sides do not know of each other.
    """
    low = points.min(axis=0) - 2 * correlation_length
    extent = np.ptp(points, axis=0) + 4 * correlation_length
    shape = np.clip(np.ceil(extent / correlation_length * POINTS_PER_LENGTH), 8, LARGEST_GRID).astype(int)
    axes = [start + np.arange(n) * width / n for start, width, n in zip(low, extent, shape, strict=True)]
    wave = [2 * np.pi * np.fft.fftfreq(n, width / n) for width, n in zip(extent, shape, strict=True)]
    damping = np.exp(-(wave[0][:, None] ** 2 + wave[1][None, :] ** 2) * correlation_length**2 / 4)
    damping /= np.sqrt(np.mean(damping**2))  # unit variance at every grid point
    noise = rng.standard_normal((count, *shape))
    smooth = np.fft.ifft2(np.fft.fft2(noise) * damping).real
    grid = RegularGridInterpolator(tuple(axes), np.moveaxis(smooth, 0, -1), method="cubic")
    return np.ascontiguousarray(grid(points).T)


def length_of_clusters(share: float, size: float) -> float:
    """Correlation length l (m) of a Gaussian field whose highest `share` has the mean width `size` (m).

    The level crossings of Rice (Bell Syst. Tech. J. 24, 46, 1945), exp(-u^2 / 2) / (2 pi l) upwards per
    length, give the mean width 2 pi l share exp(u^2 / 2) along a line of what lies above the level u.
    """
    level = ndtri(1 - share)
    return float(size / (2 * np.pi * share * np.exp(level**2 / 2)))


def cluster_intensity(
    points: Array, area: Array, share: float, size: float, rng: np.random.Generator
) -> Array:
    """Factor w (n,) that gathers a field in clusters; the mean of w^2 over `area` (n,) is one.

    w^2 = Phi((g - u) / EDGE) / share with g a Gaussian field and Phi the normal distribution: nearly zero
    outside the clusters g > u and 1 / share inside, with edges as smooth as the field. The level u makes the
    clusters take `share` of this very section, so that every realisation of a field times w has the expected
    RMS of the field alone. The correlation length of g is `length_of_clusters`.
    """
    field = gaussian_field(points, length_of_clusters(share, size), 1, rng)[0]
    weight = area / area.sum()

    def excess(u: float) -> float:
        return float(weight @ ndtr((field - u) / EDGE)) - share

    spread = 10 * EDGE  # beyond it every point is outside, or inside
    u = brentq(excess, field.min() - spread, field.max() + spread)
    inside = ndtr((field - u) / EDGE)
    return np.sqrt(inside / (weight @ inside))
