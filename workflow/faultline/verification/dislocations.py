"""Stress and motion of dislocations against closed forms and against independent formalisms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faultline.config.dislocations import shipped_constants
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness
from faultline.dislocations import Crystal, Settings, Slab, environment, initial_state, run
from faultline.dislocations.anisotropic import (
    energy_factor,
    in_section,
    solve_stroh,
    stiffness_tensor,
    stroh_gradient,
    stroh_stress,
)
from faultline.dislocations.composition import Environment
from faultline.dislocations.dynamics import dislocation_stress
from faultline.dislocations.files import settings_from
from faultline.dislocations.lattice import eigenstrain
from faultline.dislocations.misfit import grid, misfit_stress
from faultline.dislocations.stress import edge_stress, row_stress
from faultline.verification.rows import Row, check

Array = NDArray[np.float64]

NM = 1e-9
SETTINGS, _ = settings_from(shipped_constants())
# C11, C12, C13, C33, C44 of NMC811, Pa: constants of a layered oxide with a marked anisotropy
LAYERED = hexagonal_stiffness(259e9, 107e9, 75e9, 194e9, 59e9)
EXACT = 1e-3


def ring(count: int = 24, radius: float = 2 * NM) -> tuple[Array, Array]:
    """Points on a circle, m, none of them on an axis."""
    angle = 2 * np.pi * (np.arange(count) + 0.3) / count
    return radius * np.cos(angle), radius * np.sin(angle)


def worst(problem: str, quantity: str, computed: Array, reference: Array, tolerance: float) -> Row:
    """Row of the component with the largest difference, relative to the largest reference."""
    k = np.unravel_index(np.argmax(np.abs(computed - reference)), computed.shape)
    largest = float(np.abs(reference).max())
    return check(problem, quantity, float(computed[k]), float(reference[k]), tolerance, scale=largest)


# -- isotropic ---------------------------------------------------------------------------------------------


def isotropic_rows() -> list[Row]:
    """A row of dislocations: the closed sum, the sum term by term, its screening, its tilt."""
    problem = "tilt wall of edge dislocations"
    period, d, core = 6 * NM, SETTINGS.strength, SETTINGS.core_width
    x, y = ring()
    copies = np.arange(-20000, 20001)
    summed = edge_stress(x[:, None], y[:, None] - copies * period, d, core).sum(axis=-1)
    closed = row_stress(x, y, period, d, core)
    far = row_stress(3 * period, 0.4 * period, period, d)
    modulus = 2 * SETTINGS.shear_modulus * (1 + SETTINGS.poisson_ratio)
    solution = solve_stroh(isotropic_stiffness(modulus, SETTINGS.poisson_ratio))
    gradient = [
        stroh_gradient(solution, [SETTINGS.burgers, 0, 0], s * 9 * period, 0.0, period) for s in (-1, 1)
    ]
    tilt = [(along[1] - across[0]) / 2 for along, across in gradient]
    return [
        worst(problem, "stress against 40001 terms, Pa", closed[[0, 2]], summed[[0, 2]], 1e-4),
        check(problem, "stress 3 spacings off over D / L", float(np.abs(far).max()), 0.0, 1e-4, d / period),
        check(
            problem,
            "tilt between both sides, b / L, rad",
            abs(tilt[1] - tilt[0]),
            SETTINGS.burgers / period,
            1e-5,
        ),
    ]


def free_surface() -> list[Row]:
    """Head's image force -D b / (2 d) on a dislocation near a free surface, and what the surfaces carry."""
    problem = "dislocation near a free surface"
    slab = Slab(-150 * NM, 150 * NM, 400 * NM, harmonics=1500)
    place, d = np.array([slab.left + 2 * NM]), SETTINGS.strength
    here = np.zeros(1)
    sharp = replace(SETTINGS, core_width=1e-4 * NM)
    force = dislocation_stress(slab, sharp, place, here, place, here, np.ones(1))[1]
    small = Slab(-10 * NM, 10 * NM, 20 * NM)
    y = np.linspace(0, small.period, 50)
    x, signs = np.array([-7.0, 4.0]) * NM, np.array([1.0, -1.0])
    left = dislocation_stress(small, SETTINGS, np.full(50, small.left), y, x, x, signs)
    inside = dislocation_stress(small, SETTINGS, np.full(50, small.left + 3 * NM), y, x, x, signs)
    rest = float(np.abs(left).max())
    return [
        check(problem, "image stress 2 nm deep, Pa", float(force[0]), -d / (4 * NM), 5e-3),
        check(
            problem,
            "traction left on a face over stress inside",
            rest,
            0.0,
            1e-6,
            float(np.abs(inside).max()),
        ),
    ]


def inclusion() -> list[Row]:
    """Stress inside a round region of other lithium content (Eshelby; Mura, Micromechanics, section 11)."""
    problem = "round domain of other lithium content"
    slab = Slab(-80 * NM, 80 * NM, 160 * NM)
    x, y = grid(slab, 0.5 * NM)
    radius = np.hypot(x[:, None], y[None, :] - slab.period / 2)
    inside = 0.25 - 0.1 * (1 - np.tanh((radius - 5 * NM) / (0.6 * NM))) / 2
    centre = misfit_stress(slab, SETTINGS, inside)[:, len(x) // 2, len(y) // 2]
    (a, c), (a0, c0) = eigenstrain(0.15), eigenstrain(0.25)
    ea, ec, nu = float(a - a0), float(c - c0), SETTINGS.poisson_ratio
    modulus = 2 * SETTINGS.shear_modulus / (1 - nu)
    xx = -modulus / 8 * (3 * ea + ec) - modulus * nu / 2 * ea
    yy = -modulus / 8 * (ea + 3 * ec) - modulus * nu / 2 * ea
    return [
        check(problem, "stress along the layers, Pa", float(centre[0]), xx, 0.02),
        check(problem, "stress across the layers, Pa", float(centre[1]), yy, 0.02),
    ]


# -- anisotropic -------------------------------------------------------------------------------------------


def integral_stress(stiffness: Array, burgers: Array, x: Array, y: Array, count: int = 720) -> Array:
    r"""Stress (6, n) by the integral formalism, which needs no roots and knows no degeneracy.

    Bacon, Barnett and Scattergood, Prog. Mater. Sci. 23, 51 (1979), with (ab)_jk = a_i C_ijkl b_l
    and m, n the radial and the tangential unit vector:

    .. math::

        u_{k,l} = \frac{1}{2 \pi r} \{-m_l S + n_l (nn)^{-1} [4 \pi B + (nm) S]\}_{ks} b_s
    """
    c = stiffness_tensor(stiffness)

    def vectors(angle: Array) -> tuple[Array, Array]:
        zero = np.zeros_like(angle)
        m = np.stack([np.cos(angle), np.sin(angle), zero], axis=-1)
        return m, np.stack([-np.sin(angle), np.cos(angle), zero], axis=-1)

    def product(first: Array, second: Array) -> Array:
        return np.einsum("...i,ijkl,...l->...jk", first, c, second)

    m, n = vectors(2 * np.pi * np.arange(count) / count)
    inverse, nm = np.linalg.inv(product(n, n)), product(n, m)
    s = -(inverse @ nm).mean(axis=0)
    b = (product(m, m) - product(m, n) @ inverse @ nm).mean(axis=0) / (4 * np.pi)
    m, n = vectors(np.arctan2(y, x))
    turned = np.linalg.inv(product(n, n)) @ (4 * np.pi * b + product(n, m) @ s) @ burgers
    gradient = -np.einsum("k,nl->nkl", s @ burgers, m) + np.einsum("nk,nl->nkl", turned, n)
    gradient /= 2 * np.pi * np.hypot(x, y)[:, None, None]
    full = np.einsum("ijkl,nkl->nij", c, gradient)
    return np.stack([full[:, i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])


def sextic() -> list[Row]:
    """Stroh's solution in the isotropic limit, in the slab's section, and along c where it degenerates."""
    problem = "anisotropic stress of an edge dislocation"
    x, y = ring()
    b = np.array([SETTINGS.burgers, 0, 0])
    modulus = 2 * SETTINGS.shear_modulus * (1 + SETTINGS.poisson_ratio)
    isotropic = solve_stroh(isotropic_stiffness(modulus, SETTINGS.poisson_ratio))
    section, along_c = solve_stroh(in_section(LAYERED)), solve_stroh(LAYERED)
    rows = [
        worst(
            problem,
            "isotropic limit against the closed form, Pa",
            stroh_stress(isotropic, b, x, y)[[0, 1, 5]],
            edge_stress(x, y, SETTINGS.strength),
            EXACT,
        )
    ]
    for name, solution in (("line along <1-100>", section), ("line along c, degenerate", along_c)):
        computed = stroh_stress(solution, b, x, y)
        reference = integral_stress(solution.stiffness, b, x, y)
        rows.append(worst(problem, f"{name}, against the integral formalism, Pa", computed, reference, EXACT))
        factor, known = energy_factor(solution, b), orthotropic_factor(solution.stiffness)
        rows.append(check(problem, f"{name}, energy factor K, Pa", factor, known, EXACT))
    return rows + against_atomman(problem)


def orthotropic_factor(stiffness: Array) -> float:
    """K in Pa of an edge dislocation, b along x, where x, y, z are axes of symmetry.

    Foreman, Acta Metall. 3, 322 (1955); Hirth and Lothe, Theory of Dislocations (1982), chapter 13.
    """
    c11, c22, c12, c66 = (float(stiffness[i, j]) for i, j in ((0, 0), (1, 1), (0, 1), (5, 5)))
    mean = np.sqrt(c11 * c22)
    return float((mean + c12) * np.sqrt(c66 * (mean - c12) / (c22 * (mean + c12 + 2 * c66))))


def against_atomman(problem: str) -> list[Row]:
    """The same stress from atomman's Stroh solution, where that package is installed."""
    try:
        import atomman
    except ImportError:
        return []
    x, y = ring()
    stiffness, b = in_section(LAYERED), np.array([SETTINGS.burgers, 0, 0])
    # its checks are absolute: numbers near one, GPa and nm
    constants = atomman.ElasticConstants(Cij=stiffness / 1e9)
    solution = atomman.defect.Stroh(constants, b / NM, m=np.array([1.0, 0, 0]), n=np.array([0, 1.0, 0]))
    theirs = 1e9 * solution.stress(np.stack([x, y, np.zeros_like(x)], axis=1) / NM)
    reference = np.stack([theirs[:, i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])
    computed = stroh_stress(solve_stroh(stiffness), b, x, y)
    return [worst(problem, "line along <1-100>, against atomman, Pa", computed, reference, EXACT)]


# -- motion ------------------------------------------------------------------------------------------------


def even(slab: Slab, settings: Settings) -> Environment:
    """Fully lithiated crystal: no misfit and no chemical drive."""
    x, y = grid(slab, slab.period / 16)
    return environment(slab, settings, [0.0], np.ones((1, len(x), len(y))), slab.period / 16)


def pairs() -> list[Row]:
    """A dipole that glides together on one plane, and one on two planes that finds its 45 degrees."""
    problem = "gliding dipole"
    slab = Slab(-100 * NM, 100 * NM, 200 * NM, harmonics=16)
    free = replace(SETTINGS, glide_friction=0.0, climb_mobility=0.0)
    start = 6 * NM
    history = run(
        Crystal(slab, free, even(slab, free)),
        initial_state([-start / 2, start / 2], [0, 0], [1, -1], 0),
        20.0,
        20.0,
        nucleation=False,
    )
    # met at the end of a step, a little closer than the capture distance
    d, a, end = free.strength, free.core_width, history.events[0].separation
    time = ((start**2 - end**2) / 2 + a**2 * np.log(start / end)) / (2 * free.glide_mobility * d)
    sharp = replace(free, core_width=1e-3 * NM)
    height = 2 * NM
    rest = run(
        Crystal(slab, sharp, even(slab, sharp)),
        initial_state([0, 1.2 * NM], [0, height], [1, -1], 0),
        60.0,
        60.0,
        nucleation=False,
    ).states[-1]
    return [
        check(problem, "time to annihilation from 6 nm, s", history.events[0].time, time, 0.01),
        check(problem, "offset at rest over height", float(rest.x[1] - rest.x[0]) / height, 1.0, 0.01),
    ]


PROBLEMS: dict[str, Callable[[], list[Row]]] = {
    "dislocation wall": isotropic_rows,
    "dislocation at a free surface": free_surface,
    "misfit of a round domain": inclusion,
    "anisotropic dislocation": sextic,
    "dislocation dipole": pairs,
}
