"""Reaction and diffusion along the normal of a face: protons, oxidised sites, rock salt under a water film.

Per site of the oxide, with x0 the alkali as synthesised: h protons in the place of alkali, u alkali taken
out by oxygen, r such sites turned to rock salt; x0 - h - u - r of the alkali is left. Over the depth z

    dh/dt = d/dz (D_H dh/dz)                      exchange with alkali moving the other way
    du/dt = d/dz (D_A du/dz) - s u exp(-z / l) / t_r
    dr/dt = s u exp(-z / l) / t_r                 the metal is reduced again, oxygen leaves

The layer is where the sites that react, h + r, exceed h_l, and it grows: inside, water and protons hold the
slabs apart and D_H is that of the layer, ahead of it that of the oxide. Rock salt has no slabs to move
between: D_H and D_A go with the share of layered sites, s = 1 - r / x0. Both fall from their value along the
slabs, where these end in the face, to the one across them (`openness`). At the surface, with concentrations
in mol/L,

    exchange   k (a_w theta_A - h [A+][OH-] / (K K_w))          AMO2 + H2O = HMO2 + A+ + OH-
    oxidation  k_O a_w p_O2 theta_A tanh(F (E_O2 - V_oc) / 2RT)  zero where oxygen holds the oxide

Both put their alkali into the film, so that the sum of oxide and film stays what it was.

Finite volumes in depth; SciPy's backward differentiation formula takes the steps, which span eight decades
from the first second to days. FiPy's implicit terms solve the same column in the verification table.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.constants import bar
from scipy.integrate import solve_ivp
from scipy.sparse import coo_array, csc_array

from faultline.errors import NotConverged
from faultline.exposure.chemistry import WATER_PRODUCT, AirChemistry, WaterFilm
from faultline.materials import FARADAY, VoltageCurve

Array = NDArray[np.float64]
FIRST_CELL, GROWTH = 0.2e-9, 1.1  # m and ratio: finer than the thinnest layer, coarse where nothing happens
FRONT_WIDTH = 0.2  # of the layer's composition: where the diffusivity passes from the oxide's to the layer's
BALANCE_TOLERANCE = 1e-8  # alkali gained or lost, relative to what the oxide held


@dataclass(frozen=True)
class Host:
    """The oxide behind the face: sites (mol/m3), alkali per site, in-plane diffusivity (m2/s), voltage."""

    c_max: float
    site_fraction: float
    diffusivity: float
    voltage: VoltageCurve


@dataclass(frozen=True)
class ColumnState:
    """Per-site protons, oxidised sites and rock salt, (m, n) each by face and depth; film (m,), mol/m2."""

    proton: Array
    oxidised: Array
    rock_salt: Array
    film: Array

    @property
    def lost(self) -> Array:
        """(m, n) alkali per site that the oxide has lost."""
        return self.proton + self.oxidised + self.rock_salt

    @property
    def reacted(self) -> Array:
        """(m, n) sites that are no longer layered oxide with alkali or vacancies: protons and rock salt."""
        return self.proton + self.rock_salt


@dataclass(frozen=True)
class Column:
    """Finite volumes from the surface to `depth` (m), the particle's volume over its surface.

    `openness` (m,) is the diffusivity along each face's normal over that along the slabs. Cells grow from
    `first_cell` (m) by the ratio `growth`.
    """

    host: Host
    air: AirChemistry
    depth: float
    openness: tuple[float, ...] = (1.0,)
    first_cell: float = FIRST_CELL
    growth: float = GROWTH
    front_width: float = FRONT_WIDTH

    @cached_property
    def edges(self) -> Array:
        """(n + 1,) depths of the cell edges, m, in geometric progression from the surface."""
        first, ratio = self.first_cell, self.growth
        count = int(np.ceil(np.log1p((ratio - 1) * self.depth / first) / np.log(ratio)))
        edges = first * (ratio ** np.arange(count + 1) - 1) / (ratio - 1)
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
        zero = np.zeros((len(self.openness), len(self.width)))
        return ColumnState(zero, zero, zero, np.zeros(len(self.openness)))

    def amount(self, per_site: Array) -> Array:
        """(...,) integral of (..., n) over the depth, mol/m2."""
        return self.host.c_max * per_site @ self.width

    @property
    def held(self) -> float:
        """Alkali of the fresh oxide, mol/m2."""
        return self.host.c_max * self.host.site_fraction * self.depth

    def balance_error(self, state: ColumnState) -> float:
        """Alkali gained or lost by oxide and film together, relative to what the oxide held: worst face."""
        return float(np.max(np.abs(self.amount(state.lost) - state.film)) / self.held)

    def proton_diffusivity(self, reacted: Array) -> Array:
        """Of protons along the slabs at 25 degC (m2/s): the oxide's, or the layer's past its composition."""
        opened, closed = self.air.proton_diffusivity, self.air.host_proton_diffusivity
        return closed + (opened - closed) * (1 + np.tanh(self._past(reacted))) / 2

    def mean_diffusivity(self, here: Array, there: Array) -> Array:
        """Mean of it between two compositions: the flux through a layer's edge between two cells is exact."""
        step = there - here
        wide = np.abs(step) > 1e-6
        mean = (self.potential(there) - self.potential(here)) / np.where(wide, step, 1.0)
        return np.where(wide, mean, self.proton_diffusivity((here + there) / 2))

    def potential(self, reacted: Array) -> Array:
        """Integral of `proton_diffusivity` over the composition, m2/s."""
        opened, closed = self.air.proton_diffusivity, self.air.host_proton_diffusivity
        past = np.abs(self._past(reacted))
        log_cosh = past + np.log1p(np.exp(-2 * past)) - np.log(2)
        width = self.front_width * self.air.layer_composition
        return closed * reacted + (opened - closed) * (reacted + width * log_cosh) / 2

    def _past(self, reacted: Array) -> Array:
        composition = self.air.layer_composition
        return (reacted - composition) / (self.front_width * composition)

    def layer_thickness(self, state: ColumnState) -> Array:
        """(m,) depth (m) to which more than `layer_composition` of the sites hold protons or rock salt."""
        return np.array([self._reach(reacted) for reacted in state.reacted])

    def _reach(self, reacted: Array) -> float:
        edge = np.array(self.air.layer_composition)
        below = np.flatnonzero(reacted < edge)
        if not len(below) or below[0] == 0:
            return 0.0 if len(below) else self.depth
        k = below[0]
        inside, outside = self.potential(reacted[k - 1]), self.potential(reacted[k])
        share = (inside - self.potential(edge)) / (inside - outside)  # the flux is even, the slope is not
        return float(self.centre[k - 1] + share * (self.centre[k] - self.centre[k - 1]))

    def layer_mean(self, state: ColumnState, per_site: Array) -> Array:
        """(m,) mean of (m, n) over each layer; of the first cell where there is none."""
        reach = np.maximum(self.layer_thickness(state), self.width[0])[:, None]
        inside = np.clip(reach - self.edges[:-1], 0, self.width)
        return (per_site * inside).sum(axis=1) / inside.sum(axis=1)

    def advance(self, state: ColumnState, film: WaterFilm, times: Array) -> list[ColumnState]:
        """States at ascending `times` (s, the first being the time of `state`) in one gas.

        Raises:
            NotConverged: the integration did not reach the last time, or alkali was not conserved.
        """
        rates = _Rates(self, film)
        solution = solve_ivp(
            rates,
            (times[0], times[-1]),
            rates.pack(state),
            method="BDF",
            t_eval=times,
            jac_sparsity=rates.sparsity,
            rtol=1e-5,
            atol=1e-9,
        )
        if not solution.success:
            message = f"surface reaction stopped: {solution.message}"
            raise NotConverged(message, time=float(solution.t[-1]), step=len(solution.t))
        states = [rates.unpack(values) for values in solution.y.T]
        error = float(np.max([self.balance_error(state) for state in states]))
        if not error <= BALANCE_TOLERANCE:  # not a number is no balance either
            message = (
                f"oxide and residue gained or lost {error:.1e} of the alkali (allowed: {BALANCE_TOLERANCE:g})"
            )
            raise NotConverged(message, time=float(times[-1]), residual=error)
        return states


class _Rates:
    """Right-hand side of the system.

    Unknowns: h, u and r, each (m, n), then what in the films is not bound. Films count in first cells of
    oxide, so that all are of order 1.
    """

    def __init__(self, column: Column, film: WaterFilm) -> None:
        self.column, self.film = column, film
        host, air = column.host, column.air
        self.shape = (3, len(column.openness), len(column.width))
        self.film_scale = host.c_max * FIRST_CELL
        factor = air.arrhenius(film.gas.temperature)
        self.exchange_rate = air.exchange_rate * factor * film.mobile
        self.oxidation_rate = air.oxidation_rate * factor * film.water_activity * film.gas.p_O2 / bar
        self.thermal = GAS_CONSTANT * film.gas.temperature / FARADAY
        self.factor = factor
        self.reconstruction = (
            np.exp(-column.centre / air.reconstruction_depth) * factor / air.reconstruction_time
        )
        self.openness = np.array(column.openness)[:, None]

    def pack(self, state: ColumnState) -> Array:
        """Unknowns of a state."""
        fields = np.stack([state.proton, state.oxidised, state.rock_salt])
        return np.concatenate([fields.ravel(), (state.film - np.asarray(self.film.bound)) / self.film_scale])

    def unpack(self, unknowns: Array) -> ColumnState:
        """State of the unknowns."""
        fields, film = np.split(unknowns, [np.prod(self.shape)])
        proton, oxidised, rock_salt = fields.reshape(self.shape)
        return ColumnState(proton, oxidised, rock_salt, self.held(film))

    def held(self, unknown: Array) -> Array:
        """(m,) alkali in the films, mol/m2."""
        return unknown * self.film_scale + np.asarray(self.film.bound)

    def diffusivities(self, fields: Array) -> tuple[Array, Array]:
        """(m, n - 1) of protons and of oxidised sites at the faces between the cells, m2/s."""
        proton, rock_salt = fields[0], (fields[2, :, 1:] + fields[2, :, :-1]) / 2
        slabs, column = self.slabs(rock_salt), self.column
        of_protons = column.mean_diffusivity(proton[:, :-1] + rock_salt, proton[:, 1:] + rock_salt)
        return slabs * self.factor * of_protons, slabs * column.host.diffusivity

    def slabs(self, rock_salt: Array) -> Array:
        """(m, k) of a diffusivity along the slabs, what is left along the normal and around rock salt."""
        return self.openness * self.layered(rock_salt)

    def layered(self, rock_salt: Array) -> Array:
        """Share of sites that are not rock salt."""
        return np.clip(1 - rock_salt / self.column.host.site_fraction, 0, 1)

    def surface_fluxes(self, surface: Array, film: Array) -> tuple[Array, Array]:
        """(m,) exchange and oxidation, mol/(m2 s), alkali from oxide to film positive.

        `surface` (3, m) is the first cell. The exchange is linear in what the surface holds, which differs
        from it by the flux through half a cell.
        """
        host, a_w = self.column.host, self.film.water_activity
        h, u, r = surface
        alkali = self.film.concentration(film)
        left = host.site_fraction - h - u - r
        product = (
            alkali * self.film.hydroxide(alkali) / (self.column.air.exchange_equilibrium * WATER_PRODUCT)
        )
        first = self.slabs(r[:, None])[:, 0] * self.factor * self.column.proton_diffusivity(h + r)
        conductance = 2 * host.c_max * first
        way = 1 + self.exchange_rate * (a_w + product) * self.column.width[0] / conductance
        exchange = self.exchange_rate * (a_w * left - h * product) / way
        if self.oxidation_rate == 0:
            return exchange, np.zeros_like(exchange)
        drive = self.film.oxygen_voltage(alkali) - host.voltage(host.site_fraction - u)
        return exchange, self.oxidation_rate * left * np.tanh(drive / (2 * self.thermal))

    def __call__(self, time: float, unknowns: Array) -> Array:
        column, c_max = self.column, self.column.host.c_max
        flat, film = np.split(unknowns, [np.prod(self.shape)])
        fields = flat.reshape(self.shape)
        exchange, oxidation = self.surface_fluxes(fields[:, :, 0], self.held(film))
        flux = np.zeros((2, *self.shape[1:-1], self.shape[-1] + 1))
        flux[0, :, 0], flux[1, :, 0] = exchange / c_max, oxidation / c_max
        for k, diffusivity in enumerate(self.diffusivities(fields)):
            flux[k, :, 1:-1] = -diffusivity * np.diff(fields[k]) / np.diff(column.centre)
        change = np.zeros(self.shape)
        change[:2] = -np.diff(flux) / column.width
        converted = self.reconstruction * fields[1] * self.layered(fields[2])
        change[1] -= converted
        change[2] += converted
        return np.append(change.ravel(), (exchange + oxidation) / self.film_scale)

    @property
    def sparsity(self) -> csc_array:
        """Which unknowns each rate depends on: all of a cell and of its neighbours, and film and surface."""
        _, m, n = self.shape
        number = np.arange(3 * m * n).reshape(self.shape)
        films = 3 * m * n + np.arange(m)
        pairs = []
        for shift in (-1, 0, 1):
            here = number[:, :, max(-shift, 0) : n - max(shift, 0)]
            there = number[:, :, max(shift, 0) : n - max(-shift, 0)]
            pairs += [(here[a].ravel(), there[b].ravel()) for a in range(3) for b in range(3)]
        for field in number:
            pairs += [(field[:, 0], films), (films, field[:, 0])]
        pairs.append((films, films))
        rows, columns = (np.concatenate(part) for part in zip(*pairs, strict=True))
        return csc_array(coo_array((np.ones(len(rows)), (rows, columns)), shape=(3 * m * n + m,) * 2))
