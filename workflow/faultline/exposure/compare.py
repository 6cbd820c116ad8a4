"""Gases side by side on one face: at equal hours, and at the hours of the source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultline.errors import NotConverged, numbers_may_fail
from faultline.exposure.apply import boundary_attack, boundary_reach, film_resistance
from faultline.exposure.binder import attack_binder
from faultline.exposure.chemistry import REFERENCE_TEMPERATURE, AirChemistry, Drying, Gas, WaterFilm
from faultline.exposure.column import BALANCE_TOLERANCE, Column, ColumnState, Host
from faultline.materials import Material

Array = NDArray[np.float64]
NO_VALUES: Array = np.empty(0)
DRYING_FRAMES = 25


@dataclass(frozen=True)
class Ledger:
    """Where the alkali is, in shares of what the particle held when it was fresh.

    core: in the oxide behind the layer; layer: in the layer; hydroxide, carbonate: outside.
    """

    core: float
    layer: float
    hydroxide: float
    carbonate: float

    @property
    def error(self) -> float:
        """What was gained or lost, as a share of what the particle held."""
        return abs(self.core + self.layer + self.hydroxide + self.carbonate - 1)


@dataclass(frozen=True)
class GasOutcome:
    """One gas after `duration` (s) on a face in which slabs end.

    Attributes:
        layer_thickness: m; film_resistance: ohm m2.
        layer_alkali, layer_proton, layer_vacancy, layer_rock_salt: make-up of the layer per alkali site of
            the oxide as synthesised (they add up to one); of the outermost cell where there is no layer.
        surface_proton, surface_rock_salt: shares of alkali sites in the outermost cell.
        mismatch_strain_c, mismatch_strain_ab: stress-free strain of the layer along c and across it.
        strength_factor, toughness_factor: of a grain boundary where it meets the surface, before drying;
            boundary_reach: m, how deep such a boundary is attacked.
        residual_alkali, residual_hydroxide, residual_carbonate: percent of the particle's mass.
        adhesion_index: what the residue leaves of the binder's adhesion, 1 down to 0.
        alkali_lost: share of what the particle held; alkali_returned: share of that which drying gave back.
        place_of_proton, place_of_vacancy, place_of_rock_salt: shares of the particle's alkali sites that each
            of them took over; together `alkali_lost`.
        dried_layer_thickness (m), dried_residual_alkali (percent): after drying; as before it where there
            is none.
        ledger, dried_ledger: where the alkali is; balance_error: the larger error of the two.
        proton_profile, rock_salt_profile: (n,) shares of alkali sites over the column's depth.
        kept: (k,) alkali outside over its amount before drying, at the course's times of drying.
    """

    gas: str
    duration: float
    layer_thickness: float
    film_resistance: float
    layer_alkali: float
    layer_proton: float
    layer_vacancy: float
    layer_rock_salt: float
    surface_proton: float
    surface_rock_salt: float
    mismatch_strain_c: float
    mismatch_strain_ab: float
    strength_factor: float
    toughness_factor: float
    boundary_reach: float
    residual_alkali: float
    residual_hydroxide: float
    residual_carbonate: float
    adhesion_index: float
    alkali_lost: float
    alkali_returned: float
    place_of_proton: float
    place_of_vacancy: float
    place_of_rock_salt: float
    dried_layer_thickness: float
    dried_residual_alkali: float
    balance_error: float
    ledger: Ledger
    dried_ledger: Ledger
    proton_profile: Array
    rock_salt_profile: Array
    kept: Array


@dataclass(frozen=True)
class GasCourse:
    """One gas over time (n,), s, and its outcomes; empty where `failure` says that there was no solution.

    layer_thickness in m, alkali_lost in shares of what the particle held, residual_alkali in percent of its
    mass, surface_proton and surface_rock_salt in shares of alkali sites; depth (m) is that of the outcomes'
    profiles, drying_time (s) that of their `kept`.
    """

    gas: str
    failure: str = ""
    outcomes: tuple[GasOutcome, ...] = ()
    time: Array = field(default_factory=lambda: NO_VALUES)
    layer_thickness: Array = field(default_factory=lambda: NO_VALUES)
    alkali_lost: Array = field(default_factory=lambda: NO_VALUES)
    residual_alkali: Array = field(default_factory=lambda: NO_VALUES)
    surface_proton: Array = field(default_factory=lambda: NO_VALUES)
    surface_rock_salt: Array = field(default_factory=lambda: NO_VALUES)
    depth: Array = field(default_factory=lambda: NO_VALUES)
    drying_time: Array = field(default_factory=lambda: NO_VALUES)


def compare_gases(
    material: Material,
    air: AirChemistry,
    gases: Mapping[str, Gas],
    durations: Mapping[str, Iterable[float]],
    depth: float,
    drying: Drying | None = None,
) -> list[GasOutcome]:
    """Every gas at each of its durations (s), on a particle whose volume over its surface is `depth` (m).

    Raises:
        NotConverged: the integration failed, or alkali was not conserved.
    """
    face = Face.of(material, air, depth)
    return [
        outcome
        for name, gas in gases.items()
        for outcome in follow_gas(face, name, gas, durations[name], drying).outcomes
    ]


def follow_gases(
    material: Material,
    air: AirChemistry,
    gases: Mapping[str, Gas],
    durations: Mapping[str, Iterable[float]],
    depth: float,
    drying: Drying | None,
    times: ArrayLike,
) -> list[GasCourse]:
    """The course of every gas at `times` (s); one without a solution keeps its message and stops no other."""
    face = Face.of(material, air, depth)
    courses = []
    for name, gas in gases.items():
        try:
            courses.append(follow_gas(face, name, gas, durations[name], drying, times))
        except NotConverged as failure:
            courses.append(GasCourse(name, failure.message))
    return courses


@dataclass(frozen=True)
class Face:
    """A square metre of surface in which slabs end, with the oxide behind it."""

    column: Column
    material: Material

    @classmethod
    def of(cls, material: Material, air: AirChemistry, depth: float) -> "Face":
        """Of a particle whose volume over its surface is `depth` (m)."""
        host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
        return cls(Column(host, air, depth), material)

    @property
    def mass(self) -> float:
        """Of the fresh oxide, kg/m2."""
        return self.column.depth * self.material.density

    def film(self, gas: Gas, bound: ArrayLike = 0.0) -> WaterFilm:
        """Of water in a gas."""
        return WaterFilm(self.column.air, gas, self.material.alkali, bound)


@numbers_may_fail()
def follow_gas(
    face: Face,
    name: str,
    gas: Gas,
    durations: Iterable[float],
    drying: Drying | None = None,
    times: ArrayLike = (),
) -> GasCourse:
    """One gas: its course at `times` (s) and at the durations, and what came out at each duration.

    Raises:
        NotConverged: the integration failed, or alkali was not conserved.
    """
    column, film = face.column, face.film(gas)
    durations = sorted(set(durations))
    at = np.unique([0.0, *np.asarray(times, dtype=float), *durations])
    states = column.advance(column.fresh(), film, at)
    end = drying.duration if drying else 0.0
    drying_time = np.append(0.0, np.geomspace(end * 1e-4, end, DRYING_FRAMES)) if drying else np.zeros(1)
    return GasCourse(
        gas=name,
        outcomes=tuple(
            _outcome(
                face, name, gas, duration, states[int(np.searchsorted(at, duration))], drying, drying_time
            )
            for duration in durations
        ),
        time=at,
        layer_thickness=np.array([column.layer_thickness(state)[0] for state in states]),
        alkali_lost=np.array([state.film[0] for state in states]) / column.held,
        residual_alkali=np.array([100 * film.residue_mass(state.film)[0] for state in states]) / face.mass,
        surface_proton=np.array([state.proton[0, 0] for state in states]),
        surface_rock_salt=np.array([state.rock_salt[0, 0] for state in states]),
        depth=column.centre,
        drying_time=drying_time,
    )


def ledger(column: Column, state: ColumnState, film: WaterFilm) -> Ledger:
    """Where the alkali of the first face's state is, beneath a film.

    Raises:
        NotConverged: more was gained or lost than the tolerance.
    """
    host = column.host
    left = host.site_fraction - state.lost[0]
    inside = np.clip(column.layer_thickness(state)[0] - column.edges[:-1], 0, column.width)
    outside, carbonate = float(state.film[0]), float(film.carbonate(state.film)[0])
    found = Ledger(
        core=float(host.c_max * left @ (column.width - inside)) / column.held,
        layer=float(host.c_max * left @ inside) / column.held,
        hydroxide=(outside - carbonate) / column.held,
        carbonate=carbonate / column.held,
    )
    if not found.error <= BALANCE_TOLERANCE:  # not a number is no balance either
        message = (
            f"core, layer and residue gained or lost {found.error:.1e} of the alkali "
            f"(allowed: {BALANCE_TOLERANCE:g})"
        )
        raise NotConverged(message, residual=found.error)
    return found


def _outcome(
    face: Face,
    name: str,
    gas: Gas,
    duration: float,
    state: ColumnState,
    drying: Drying | None,
    drying_time: Array,
) -> GasOutcome:
    column, air, film = face.column, face.column.air, face.film(gas)
    dry_film, dried = film, [state]
    if drying is not None:
        dry_film = face.film(drying.gas, film.carbonate(state.film))
        dried = column.advance(state, dry_film, drying_time)
    thickness = float(column.layer_thickness(state)[0])
    proton, rock_salt, lost = (
        float(column.layer_mean(state, part)[0]) for part in (state.proton, state.rock_salt, state.lost)
    )
    reach = boundary_reach(air, gas.temperature, duration)
    attack = float(boundary_attack(state.reacted[0, :1], np.zeros(1), reach)[0])
    taken = (state.proton, state.oxidised, state.rock_salt)
    places = [float(column.amount(part)[0]) / column.held for part in taken]
    outside, carbonate = float(state.film[0]), float(film.carbonate(state.film)[0])
    wet, dry = ledger(column, state, film), ledger(column, dried[-1], dry_film)
    held_outside = np.array([float(later.film[0]) for later in dried])
    return GasOutcome(
        gas=name,
        duration=float(duration),
        layer_thickness=thickness,
        film_resistance=float(film_resistance(column, state, REFERENCE_TEMPERATURE)[0]),
        layer_alkali=1 - lost / column.host.site_fraction,
        layer_proton=proton / column.host.site_fraction,
        layer_vacancy=(lost - proton - rock_salt) / column.host.site_fraction,
        layer_rock_salt=rock_salt / column.host.site_fraction,
        surface_proton=float(state.proton[0, 0]),
        surface_rock_salt=float(state.rock_salt[0, 0]),
        mismatch_strain_c=proton * air.proton_strain_c + rock_salt * air.rock_salt_strain_c,
        mismatch_strain_ab=proton * air.proton_strain_ab + rock_salt * air.rock_salt_strain_ab,
        strength_factor=1 - (1 - air.residual_strength) * attack,
        toughness_factor=1 - (1 - air.residual_toughness) * attack,
        boundary_reach=reach,
        residual_alkali=100 * float(film.residue_mass(state.film)[0]) / face.mass,
        residual_hydroxide=100 * float(film.hydroxide_mass(outside - carbonate)) / face.mass,
        residual_carbonate=100 * float(film.carbonate_mass(carbonate)) / face.mass,
        adhesion_index=attack_binder(outside / face.mass, face.material.alkali).adhesion_index,
        alkali_lost=outside / column.held,
        alkali_returned=1 - float(held_outside[-1]) / outside if outside > 0 else 0.0,
        place_of_proton=places[0],
        place_of_vacancy=places[1],
        place_of_rock_salt=places[2],
        dried_layer_thickness=float(column.layer_thickness(dried[-1])[0]),
        dried_residual_alkali=100 * float(dry_film.residue_mass(dried[-1].film)[0]) / face.mass,
        balance_error=max(wet.error, dry.error),
        ledger=wet,
        dried_ledger=dry,
        proton_profile=state.proton[0],
        rock_salt_profile=state.rock_salt[0],
        kept=held_outside / outside if outside > 0 else np.full(len(held_outside), np.nan),
    )
