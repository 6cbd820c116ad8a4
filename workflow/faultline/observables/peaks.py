"""Diffraction peaks: their profile, what is read off them, and what Williamson and Hall make of their widths.

Angles and widths are in radians of 2 theta; widths are full widths at half maximum unless stated otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SCHERRER = 0.9  # K of widths at half maximum (Langford and Wilson, J. Appl. Cryst. 11, 102, 1978)
GAUSS_WIDTH = 2 * math.sqrt(2 * math.log(2))  # full width of a normal distribution over its deviation
LEAST_PROMINENCE = 0.05  # of the highest maximum: what is still seen as a peak of its own


# -- profile --------------------------------------------------------------------------------------------


def pseudo_voigt(offset: ArrayLike, width: ArrayLike, mixing: ArrayLike) -> Floats:
    """Return the pseudo-Voigt of unit area: `mixing` times a Lorentzian, and the rest a Gaussian."""
    t, eta = 2 * np.asarray(offset, float) / width, np.asarray(mixing, float)
    lorentz = 1 / (np.pi * (1 + t**2))
    gauss = np.sqrt(np.log(2) / np.pi) * np.exp(-np.log(2) * t**2)
    return 2 / np.asarray(width, float) * (eta * lorentz + (1 - eta) * gauss)


def joined_width(gauss: ArrayLike, lorentz: ArrayLike) -> tuple[Floats, Floats]:
    """Return width and mixing of the pseudo-Voigt that stands for a Gaussian folded with a Lorentzian.

    Thompson, Cox and Hastings, J. Appl. Cryst. 20, 79, 1987, eqs. 1 and 2.

    Args:
        gauss: width of the Gaussian part.
        lorentz: width of the Lorentzian part; one of the two is above 0.
    """
    g, w = np.asarray(gauss, float), np.asarray(lorentz, float)
    fifth = g**5 + 2.69269 * g**4 * w + 2.42843 * g**3 * w**2 + 4.47163 * g**2 * w**3 + 0.07842 * g * w**4
    width = np.asarray((fifth + w**5) ** 0.2)
    q = w / width
    return width, np.asarray(1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3)


def parted_width(width: ArrayLike, mixing: ArrayLike) -> tuple[Floats, Floats]:
    """Return the widths of the Gaussian and the Lorentzian that a pseudo-Voigt stands for.

    The inverse of `joined_width`, by a table: where one part is small, a polynomial fit is not good enough to
    take the instrument off in squares.
    """
    lorentz = np.linspace(0, 1, 4001)
    joined, eta = joined_width(1 - lorentz, lorentz)
    w, m = np.asarray(width, float), np.asarray(mixing, float)
    return w * np.interp(m, eta, (1 - lorentz) / joined), w * np.interp(m, eta, lorentz / joined)


# -- what is read off a pattern -------------------------------------------------------------------------


@dataclass(frozen=True)
class Peak:
    """A pseudo-Voigt fitted to a peak: where, how wide, how Lorentzian (0 to 1), and its area."""

    position: float
    width: float
    mixing: float
    area: float


def maximum_position(two_theta: Floats, intensity: Floats) -> float:
    """Return where a pattern (m,) on an even grid is highest, by a parabola through three points.

    NaN where nothing reflects.
    """
    top = int(np.argmax(intensity))
    if not intensity[top] > 0:
        return math.nan
    if top in (0, len(intensity) - 1):
        return float(two_theta[top])
    return _vertex(two_theta, intensity, top)


def peak_positions(two_theta: Floats, intensity: Floats) -> Floats:
    """Return where a pattern (m,) has maxima of their own, ascending: several where phases coexist."""
    from scipy.signal import find_peaks  # slow to import, and few need it

    found, _ = find_peaks(intensity, prominence=LEAST_PROMINENCE * float(intensity.max()))
    return np.array([_vertex(two_theta, intensity, int(top)) for top in found])


def full_width(two_theta: Floats, intensity: Floats) -> float:
    """Return the full width at half maximum of the highest peak of a pattern (m,).

    From where intensity first falls to half on either side; NaN where nothing reflects or it does not fall.
    """
    top = int(np.argmax(intensity))
    half = intensity[top] / 2
    below = np.flatnonzero(intensity < half)
    left, right = below[below < top], below[below > top]
    if not half > 0 or not left.size or not right.size:
        return math.nan
    return _crossing(two_theta, intensity, half, right[0] - 1) - _crossing(
        two_theta, intensity, half, left[-1]
    )


def fit_peak(two_theta: Floats, intensity: Floats) -> Peak:
    """Fit a pseudo-Voigt to a pattern (m,) of one peak by least squares.

    Raises:
        ValueError: nothing reflects, or the peak leaves the pattern.
    """
    from scipy.optimize import curve_fit  # as above

    width = full_width(two_theta, intensity)
    if math.isnan(width):
        raise ValueError("no whole peak in the pattern")
    centre, scale = maximum_position(two_theta, intensity), float(intensity.max())
    near = np.abs(two_theta - centre) < 8 * width  # tails further out say more of the grid than of the peak

    def profile(t: Floats, shift: float, factor: float, mixing: float, area: float) -> Floats:
        return area * pseudo_voigt(t - shift, abs(factor), mixing)

    t = (two_theta[near] - centre) / width  # numbers of order one
    bounds = ([-2, 0.1, 0, 0], [2, 10, 1, np.inf])
    (shift, factor, mixing, area), _ = curve_fit(
        profile, t, intensity[near] / scale, p0=(0, 1, 0.5, 1.2), bounds=bounds
    )
    return Peak(centre + shift * width, factor * width, float(mixing), area * scale * width)


def sample_width(peak: Peak, instrument: float) -> float:
    """Return the width that a peak has without the instrument, whose own Gaussian width is given."""
    gauss, lorentz = sample_parts(peak, instrument)
    return float(joined_width(gauss, lorentz)[0]) if gauss + lorentz > 0 else 0.0


def sample_parts(peak: Peak, instrument: float) -> tuple[float, float]:
    """Return the Gaussian and the Lorentzian width of a peak without the instrument's Gaussian one."""
    gauss, lorentz = parted_width(peak.width, peak.mixing)
    return math.sqrt(max(float(gauss) ** 2 - instrument**2, 0.0)), float(lorentz)


def _vertex(two_theta: Floats, intensity: Floats, top: int) -> float:
    low, middle, high = intensity[top - 1 : top + 2]
    curvature = low - 2 * middle + high
    shift = 0.5 * (low - high) / curvature if curvature < 0 else 0.0
    return float(two_theta[top] + shift * (two_theta[1] - two_theta[0]))


def _crossing(two_theta: Floats, intensity: Floats, level: float, k: int) -> float:
    """Angle between points k and k + 1 at which the intensity passes a level."""
    share = (level - intensity[k]) / (intensity[k + 1] - intensity[k])
    return float(two_theta[k] + share * (two_theta[k + 1] - two_theta[k]))


# -- Williamson and Hall --------------------------------------------------------------------------------


@dataclass(frozen=True)
class WilliamsonHall:
    """A straight line through widths, beta cos theta = K lambda / D + 4 eps sin theta.

    Williamson and Hall, Acta Metall. 1, 22, 1953. Standard errors are those of the least squares; NaN for two
    points, which any line meets.

    Attributes:
        slope, slope_error: eps, apparent strain.
        intercept, intercept_error: K lambda / D, rad.
        wavelength: m.
    """

    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    wavelength: float

    @property
    def rms_strain(self) -> float:
        """RMS of a normal distribution of strain with this slope.

        Its peak is 2 tan(theta) GAUSS_WIDTH rms wide, so that slope = GAUSS_WIDTH rms / 2.
        """
        return 2 * self.slope / GAUSS_WIDTH

    @property
    def rms_strain_error(self) -> float:
        """Standard error of `rms_strain`."""
        return 2 * self.slope_error / GAUSS_WIDTH

    @property
    def size(self) -> float:
        """Coherent length D, m; infinite where the line meets the axis at or below 0."""
        return SCHERRER * self.wavelength / self.intercept if self.intercept > 0 else math.inf


def williamson_hall(two_theta: ArrayLike, width: ArrayLike, wavelength: float) -> WilliamsonHall:
    """Fit the line of Williamson and Hall to peaks.

    Args:
        two_theta: (n,) positions, rad; two or more, each another.
        width: (n,) widths without the instrument, rad of 2 theta.
        wavelength: m.
    """
    theta, beta = np.asarray(two_theta, float) / 2, np.asarray(width, float)
    design = np.column_stack([4 * np.sin(theta), np.ones(len(theta))])
    line, *_ = np.linalg.lstsq(design, beta * np.cos(theta), rcond=None)
    left_over, spare = beta * np.cos(theta) - design @ line, len(theta) - 2
    variance = float(left_over @ left_over) / spare if spare > 0 else math.nan
    errors = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
    return WilliamsonHall(float(line[0]), float(errors[0]), float(line[1]), float(errors[1]), wavelength)
