"""Misfit stress of an uneven lithium content in the slab, coherent everywhere (no dislocations)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from faultline.dislocations.lattice import eigenstrain
from faultline.dislocations.parameters import Settings
from faultline.dislocations.strip import Slab, amplitudes

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def grid(slab: Slab, spacing: float) -> tuple[Array, Array]:
    """Nodes x (nx,) with both surfaces among them, and y (ny,) of one period, about `spacing` (m) apart."""
    nx = round((slab.right - slab.left) / spacing) + 1
    ny = 2 * next_fast_len(round(slab.period / spacing / 2))
    return np.linspace(slab.left, slab.right, nx), np.arange(ny) * slab.period / ny


def misfit_stress(slab: Slab, settings: Settings, content: Array) -> Array:
    r"""Stress xx, yy, xy (3, nx, ny) in Pa for the lithium site fraction `content` (nx, ny) on `grid`.

    Plane strain, isotropic, eigenstrain e_a along x and z, e_c along y: Airy's function obeys

    .. math::

        \nabla^4 \chi = -E' [(1 + \nu) e_{a,yy} + (e_c + \nu e_a)_{,xx}], \qquad E' = \frac{E}{1 - \nu^2}.

    Solved in Fourier space in a box that continues the field smoothly beyond both surfaces, whose tractions
    `strip` then removes. The mean force along y vanishes (the slab is free to shorten).
    """
    nu = settings.poisson_ratio
    modulus = 2 * settings.shear_modulus / (1 - nu)
    nx, ny = content.shape
    dx = (slab.right - slab.left) / (nx - 1)
    strain_a, strain_c = (_continued(strain, nx) for strain in eigenstrain(content))
    total = len(strain_a)
    kx = 2 * np.pi * np.fft.fftfreq(total, dx)[:, None]
    ky = 2 * np.pi * np.fft.rfftfreq(ny, slab.period / ny)[None, :]
    square = kx**2 + ky**2
    square[0, 0] = 1.0
    source = ky**2 * (1 + nu) * np.fft.rfft2(strain_a) + kx**2 * np.fft.rfft2(strain_c + nu * strain_a)
    airy = modulus * source / square**2
    airy[0, 0] = 0.0
    if total % 2 == 0:
        airy[total // 2] = 0.0  # a Nyquist wave has no first derivative
    airy[:, -1] = 0.0
    waves = np.fft.ifft(np.stack([-(ky**2) * airy, -(kx**2) * airy, kx * ky * airy]), axis=1)[:, :nx]
    waves = waves + _freed(slab, waves, nx, ny)
    stress = np.fft.irfft(waves, ny, axis=2)
    stress[1] -= stress[1].mean()
    return stress


def _continued(strain: Array, nx: int) -> Array:
    """Field (about 2 nx, ny) whose last rows lead smoothly from the right surface back to the left one."""
    gap = next_fast_len(2 * nx) - nx
    s = np.arange(1, gap + 1)[:, None] / (gap + 1)
    blend = s**3 * (10 - 15 * s + 6 * s**2)
    return np.concatenate([strain, (1 - blend) * strain[-1] + blend * strain[0]])


def _freed(slab: Slab, waves: Complex, nx: int, ny: int) -> Complex:
    """Harmonics (3, nx, ny // 2 + 1), scaled as by rfft, of the correction that frees both surfaces."""
    m = ny // 2 - 1
    fine = Slab(slab.left, slab.right, slab.period, slab.wall, m)
    scale = 2 / ny  # from rfft to the amplitude of a real part
    edge = waves[:, [0, -1], 1 : m + 1] * scale
    amplitude = amplitudes(fine, edge[0], edge[2])
    x = np.linspace(slab.left, slab.right, nx)
    value, slope = fine.basis(x)
    d = np.multiply.outer(x - slab.left, fine.wave)
    e = np.multiply.outer(slab.right - x, fine.wave)
    curve = np.stack([value[0], (d - 2) * np.exp(-d), value[2], (e - 2) * np.exp(-e)])
    square = fine.wave**2
    added = np.zeros_like(waves)
    for row, (shape, factor) in enumerate(((value, -1.0), (curve, 1.0), (slope, -1j))):
        added[row, :, 1 : m + 1] = factor * square * np.einsum("pnm,pm->nm", shape, amplitude) / scale
    return added
