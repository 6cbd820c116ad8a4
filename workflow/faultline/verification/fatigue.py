"""The fatigue law at one point of an interface, against the differential equation it stands for."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from faultline.cracks.law import CohesiveProperties, Fatigue, IncrementalLaw
from faultline.verification.rows import Row, check, order_row

Array = NDArray[np.float64]

STRENGTH, TOUGHNESS, PENALTY = 200e6, 1.0, 1e17
FATIGUE = Fatigue(length_factor=2.0, endurance=0.25)
AMPLITUDE = 0.8  # of the jump at onset
CYCLES = 40


def patch(fatigue: Fatigue = FATIGUE) -> IncrementalLaw:
    """One intact point without viscosity."""
    properties = CohesiveProperties(
        normal_strength=np.array([STRENGTH]),
        shear_strength=np.array([STRENGTH]),
        toughness_normal=np.array([TOUGHNESS]),
        toughness_shear=np.array([TOUGHNESS]),
        mixed_mode_exponent=1.75,
        penalty_stiffness=PENALTY,
        viscosity=0.0,
        fatigue=fatigue,
    )
    zero = np.zeros(1)
    return IncrementalLaw(properties, zero, zero, zero, np.zeros((1, 2)))


def opened_and_closed(law: IncrementalLaw, amplitude: float, steps: int) -> tuple[IncrementalLaw, float]:
    """Cycle between closed and `amplitude` (m), `steps` increments a half-cycle; law and D at the end."""
    half = np.linspace(0, amplitude, steps + 1)
    path = np.tile(np.concatenate([half[1:], half[-2::-1]]), CYCLES)
    spent = 0.0
    for opening in path:
        jump = np.array([[opening, 0.0]])
        spent = float(np.minimum(law.spent(jump) + law.fatigue_growth(jump), 1.0)[0])
        lost = law.curve.stiffness_loss(law.curve.threshold_at(np.array([spent])))
        law = replace(law, lost=lost, jump_old=jump)
    return law, spent


def spent_after(law: IncrementalLaw, amplitude: float) -> float:
    """D after the cycles: dD/ds = <lambda(s) / r(D) - C_f> / (m delta_f) along the way s of the jump."""
    onset, final = float(law.curve.onset[0]), float(law.curve.final[0])
    fatigue = law.properties.fatigue
    assert fatigue is not None

    def rate(way: float, spent: Array) -> Array:
        opening = amplitude - abs(way % (2 * amplitude) - amplitude)
        load = opening / (onset + spent * (final - onset))
        return np.maximum(load - fatigue.endurance, 0.0) / (fatigue.length_factor * final)

    way = 2 * amplitude * CYCLES
    found = solve_ivp(rate, (0, way), [0.0], rtol=1e-8, atol=1e-12, max_step=amplitude / 50)
    return float(found.y[0, -1])


def one_element_cycle() -> list[Row]:
    """Damage after cycles below onset: value and first order in the increment."""
    name = f"fatigue, {CYCLES} cycles to {AMPLITUDE:g} of the onset"
    amplitude = AMPLITUDE * float(patch().curve.onset[0])
    exact = spent_after(patch(), amplitude)
    steps = (10, 20, 40)
    found = [opened_and_closed(patch(), amplitude, n)[1] for n in steps]
    errors = [abs(value - exact) / exact for value in found]
    return [
        check(name, "part of the toughness spent (1)", found[-1], exact, 0.03),
        order_row(name, "part of the toughness spent", [1 / n for n in steps], errors, 1.0),
    ]


def endurance_limit() -> list[Row]:
    """Below the endurance limit nothing happens."""
    amplitude = 0.9 * FATIGUE.endurance * float(patch().curve.onset[0])
    spent = opened_and_closed(patch(), amplitude, 20)[1]
    return [
        check("fatigue below the endurance limit", "part of the toughness spent (1)", spent, 0.0, 1e-12, 1.0)
    ]


PROBLEMS = {"one-element cycle": one_element_cycle, "endurance limit": endurance_limit}
