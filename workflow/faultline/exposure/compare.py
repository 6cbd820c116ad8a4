"""Gases side by side on one face: at equal hours, and at the hours of the source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from faultline.exposure.apply import film_resistance
from faultline.exposure.chemistry import REFERENCE_TEMPERATURE, AirChemistry, Drying, Gas, WaterFilm
from faultline.exposure.column import Column, Host
from faultline.materials import Material


@dataclass(frozen=True)
class GasOutcome:
    """One gas after `duration` (s) on a face in which slabs end.

    layer_thickness in m, film_resistance in ohm m2, residual_alkali in percent of the particle's mass,
    surface_proton and surface_rock_salt in shares of the alkali sites of the outermost cell; alkali_lost and
    alkali_returned (by `drying`, where it was given) in shares of what the particle held and of what it lost.
    """

    gas: str
    duration: float
    layer_thickness: float
    film_resistance: float
    surface_proton: float
    surface_rock_salt: float
    residual_alkali: float
    alkali_lost: float
    alkali_returned: float
    balance_error: float


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
    host = Host(material.c_max, material.initial_site_fraction, material.diffusivity_ab, material.voltage)
    column = Column(host, air, depth)
    return [
        outcome
        for name, gas in gases.items()
        for outcome in _one_gas(column, material, name, gas, durations[name], drying)
    ]


def _one_gas(
    column: Column, material: Material, name: str, gas: Gas, durations: Iterable[float], drying: Drying | None
) -> list[GasOutcome]:
    film = WaterFilm(column.air, gas, material.alkali)
    times = np.unique([0.0, *durations])
    held = column.host.c_max * column.host.site_fraction * column.depth
    outcomes = []
    for duration, state in zip(times[1:], column.advance(column.fresh(), film, times)[1:], strict=True):
        returned = 0.0
        if drying is not None and state.film[0] > 0:
            dry = WaterFilm(column.air, drying.gas, material.alkali, film.carbonate(state.film))
            dried = column.advance(state, dry, np.array([0.0, drying.duration]))[-1]
            returned = 1 - float(dried.film[0] / state.film[0])
        outcomes.append(
            GasOutcome(
                gas=name,
                duration=float(duration),
                layer_thickness=float(column.layer_thickness(state)[0]),
                film_resistance=float(film_resistance(column, state, REFERENCE_TEMPERATURE)[0]),
                surface_proton=float(state.proton[0, 0]),
                surface_rock_salt=float(state.rock_salt[0, 0]),
                residual_alkali=100
                * float(film.residue_mass(state.film)[0])
                / (column.depth * material.density),
                alkali_lost=float(state.film[0]) / held,
                alkali_returned=returned,
                balance_error=column.balance_error(state),
            )
        )
    return outcomes
