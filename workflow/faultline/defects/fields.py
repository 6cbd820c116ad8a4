"""Correlated Gaussian fields on the section."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

Array = NDArray[np.float64]
POINTS_PER_LENGTH = 4  # grid points per correlation length: cubic interpolation then adds under 1 % error
LARGEST_GRID = 1024


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
