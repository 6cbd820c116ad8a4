"""Reaction and diffusion along the normal of a face: protons, oxidised sites, rock salt under a water film.

Per site of the oxide, with x0 the alkali as synthesised: h protons in the place of alkali, u alkali taken
out by oxygen, r such sites turned to rock salt; x0 - h - u - r of the alkali is left. Over the depth z

    dh/dt = d/dz (D_H dh/dz)                      exchange with alkali moving the other way
    du/dt = d/dz (D_A du/dz) - u exp(-z / l) / t_r
    dr/dt = u exp(-z / l) / t_r                   the metal is reduced again, oxygen leaves

and at the surface, with the film's concentrations in mol/L,

    exchange   k (a_w theta_A - h [A+][OH-] / (K K_w))          AMO2 + H2O = HMO2 + A+ + OH-
    oxidation  k_O a_w p_O2 theta_A tanh(F (E_O2 - V_oc) / 2RT)  zero where oxygen holds the oxide

Both put their alkali into the film, so that the sum of oxide and film stays what it was.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.constants import bar
from scipy.integrate import solve_ivp
from scipy.sparse import csc_array, lil_array

from faultline.exposure.chemistry import WATER_PRODUCT, AirChemistry, WaterFilm
from faultline.materials import FARADAY, VoltageCurve

Array = NDArray[np.float64]
FIRST_CELL, GROWTH = 0.2e-9, 1.1  # m and ratio: finer than the thinnest layer, coarse where nothing happens


@dataclass(frozen=True)
class Host:
    """The oxide behind the face: sites (mol/m3), alkali per site, in-plane diffusivity (m2/s), voltage."""

    c_max: float
    site_fraction: float
    diffusivity: float
    voltage: VoltageCurve


@dataclass(frozen=True)
class ColumnState:
    """Per-site protons, oxidised sites and rock salt by depth, (n,) each, and alkali in the film, mol/m2."""

    proton: Array
    oxidised: Array
    rock_salt: Array
    film: float

    @property
    def lost(self) -> Array:
        """(n,) alkali per site that the oxide has lost."""
        return self.proton + self.oxidised + self.rock_salt

    @property
    def reacted(self) -> Array:
        """(n,) sites that are no longer layered oxide with alkali or vacancies: protons and rock salt."""
        return self.proton + self.rock_salt


@dataclass(frozen=True)
class Column:
    """Finite volumes from the surface to `depth` (m), the particle's volume over its surface."""

    host: Host
    air: AirChemistry
    depth: float

    @cached_property
    def edges(self) -> Array:
        """(n + 1,) depths of the cell edges, m, in geometric progression from the surface."""
        count = int(np.ceil(np.log1p((GROWTH - 1) * self.depth / FIRST_CELL) / np.log(GROWTH)))
        edges = FIRST_CELL * (GROWTH ** np.arange(count + 1) - 1) / (GROWTH - 1)
        return edges * self.depth / edges[-1]

    @cached_property
    def width(self) -> Array:
        """(n,) cell widths, m."""
        return np.diff(self.edges)

    @cached_property
    def centre(self) -> Array:
        """(n,) cell centres, m."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    def fresh(self) -> ColumnState:
        """Oxide as synthesised under a film without alkali."""
        zero = np.zeros(len(self.width))
        return ColumnState(zero, zero, zero, 0.0)

    def amount(self, per_site: Array) -> float:
        """Integral over the depth, mol/m2."""
        return float(self.host.c_max * np.sum(self.width * per_site))

    def balance_error(self, state: ColumnState) -> float:
        """Alkali gained or lost by oxide and film together, relative to what the oxide held at first."""
        held = self.host.c_max * self.host.site_fraction * self.depth
        return abs(self.amount(state.lost) - state.film) / held

    def layer_thickness(self, state: ColumnState, threshold: float = 0.05) -> float:
        """Depth (m) to which more than `threshold` of the sites hold protons or rock salt."""
        reacted = state.reacted
        below = np.flatnonzero(reacted < threshold)
        if not len(below) or below[0] == 0:
            return 0.0 if len(below) else self.depth
        k = below[0]
        share = (reacted[k - 1] - threshold) / (reacted[k - 1] - reacted[k])
        return float(self.centre[k - 1] + share * (self.centre[k] - self.centre[k - 1]))

    def advance(self, state: ColumnState, film: WaterFilm, times: Array) -> list[ColumnState]:
        """States at ascending `times` (s, the first being the time of `state`) in one gas.

        Raises:
            RuntimeError: the integration did not reach the last time.
        """
        n = len(self.width)
        film_scale = (
            self.host.c_max * FIRST_CELL
        )  # the film counted in first cells of oxide, so that all are of order 1
        start = np.concatenate(
            [np.stack([state.proton, state.oxidised, state.rock_salt], 1).ravel(), [state.film / film_scale]]
        )
        rates = _Rates(self, film, film_scale)
        solution = solve_ivp(
            rates,
            (times[0], times[-1]),
            start,
            method="BDF",
            t_eval=times,
            jac_sparsity=rates.sparsity,
            rtol=1e-6,
            atol=1e-10,
        )
        if not solution.success:
            raise RuntimeError(f"surface reaction stopped at {solution.t[-1]:g} s: {solution.message}")
        fields = solution.y[:-1].T.reshape(-1, n, 3)
        return [
            ColumnState(values[:, 0], values[:, 1], values[:, 2], film=float(alkali * film_scale))
            for values, alkali in zip(fields, solution.y[-1], strict=True)
        ]


class _Rates:
    """Right-hand side of the system; unknowns (h, u, r) cell by cell, then the film."""

    def __init__(self, column: Column, film: WaterFilm, film_scale: float) -> None:
        self.column, self.film, self.film_scale = column, film, film_scale
        host, air = column.host, column.air
        factor = air.arrhenius(film.gas.temperature)
        self.exchange_rate = air.exchange_rate * factor * film.mobile
        self.oxidation_rate = air.oxidation_rate * factor * film.water_activity * film.gas.p_O2 / bar
        self.thermal = GAS_CONSTANT * film.gas.temperature / FARADAY
        self.diffusivity = np.array([air.proton_diffusivity * factor, host.diffusivity])
        self.reconstruction = (
            np.exp(-column.centre / air.reconstruction_depth) * factor / air.reconstruction_time
        )

    def surface_fluxes(self, surface: Array, film: float) -> tuple[float, float]:
        """Exchange and oxidation, mol/(m2 s), alkali from oxide to film positive."""
        host, a_w = self.column.host, self.film.water_activity
        h, u, r = surface
        alkali = self.film.concentration(film)
        left = host.site_fraction - h - u - r
        product = (
            alkali * self.film.hydroxide(alkali) / (self.column.air.exchange_equilibrium * WATER_PRODUCT)
        )
        exchange = self.exchange_rate * (a_w * left - h * product)
        if self.oxidation_rate == 0:
            return exchange, 0.0
        drive = self.film.oxygen_voltage(alkali) - float(host.voltage(host.site_fraction - u))
        return exchange, self.oxidation_rate * left * np.tanh(drive / (2 * self.thermal))

    def __call__(self, time: float, unknowns: Array) -> Array:
        fields = unknowns[:-1].reshape(-1, 3)
        exchange, oxidation = self.surface_fluxes(fields[0], unknowns[-1] * self.film_scale)
        column, c_max = self.column, self.column.host.c_max
        flux = np.zeros((len(fields) + 1, 2))
        flux[0] = exchange / c_max, oxidation / c_max
        flux[1:-1] = -self.diffusivity * np.diff(fields[:, :2], axis=0) / np.diff(column.centre)[:, None]
        change = np.empty_like(fields)
        change[:, :2] = -np.diff(flux, axis=0) / column.width[:, None]
        converted = self.reconstruction * np.maximum(fields[:, 1], 0)
        change[:, 1] -= converted
        change[:, 2] = converted
        return np.append(change.ravel(), (exchange + oxidation) / self.film_scale)

    @property
    def sparsity(self) -> csc_array:
        """Which unknowns each rate depends on: neighbours in depth, and the film at the surface."""
        n = len(self.column.width)
        pattern = lil_array((3 * n + 1, 3 * n + 1))
        for offset in (-3, -2, -1, 0, 1, 2, 3):
            pattern.setdiag(1, offset)
        pattern[:3, -1] = pattern[-1, :3] = 1
        return csc_array(pattern)
