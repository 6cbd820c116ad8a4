"""From how a powder was made to the defects in its particles: a map of estimates, for keys not written.

It orders syntheses: more time, heat and mixing leave less behind, and quenching leaves more. It does not
replace a measured defect, whose key wins where it is written.
"""

import math

from scipy.constants import R as GAS_CONSTANT

from faultline.config.estimates import SynthesisConstants

ROOM_TEMPERATURE = 298.15  # K
Values = dict[str, dict[str, float | str]]


def defects_from_synthesis(
    temperature: float,
    time: float,
    cooling_rate: float,
    homogeneity: float,
    constants: SynthesisConstants | None = None,
) -> Values:
    """Values of the keys of `defects` by block (SI) after calcination.

    Args:
        temperature: of calcination, K.
        time: at that temperature, s.
        cooling_rate: K/s.
        homogeneity: of the precursor, 0 to 1; 1 is mixed perfectly.
        constants: of the map; its estimates by default.
    """
    c = constants or SynthesisConstants()
    segregation = left_segregation(temperature, time, homogeneity, c)
    uneven = c.misfit_of_segregation * segregation
    quenched = quench_strain(temperature, cooling_rate, c)
    # mean square gradient of a wave in any direction of the plane: (2 pi / lambda)^2 / 2 = 1 / l^2
    length = c.precursor_wavelength / (math.sqrt(2) * math.pi)
    gap = 1 - bonded_share(temperature, time, c)
    return {
        "microstrain": {
            "amplitude": math.hypot(uneven, quenched),
            "arrangement": "clustered" if uneven > quenched else "uniform",
            "cluster_size": 2 * length,
        },
        "segregation": {"amplitude": segregation, "correlation_length": length},
        "stacking_faults": {"probability": fault_probability(temperature, time, c)},
        # boundaries miss their bond where both sides do; the others keep pores: (1 - g^2) (1 - f) = 1 - g
        "under_sintered": {"share": gap**2},
        "porosity": {"fraction": gap / (1 + gap)},
    }


def left_segregation(temperature: float, time: float, homogeneity: float, c: SynthesisConstants) -> float:
    """Amplitude of the alkali content's deviation that diffusion leaves, A (1 - h) exp(-(2 pi L / lambda)^2).

    A wave of length lambda decays at the rate D (2 pi / lambda)^2; L = sqrt(D t).
    """
    mixed = c.interdiffusivity / _slowing(c.mixing_energy, temperature, c) * time  # L^2
    wave = 2 * math.pi / c.precursor_wavelength
    return c.unmixed_amplitude * (1 - homogeneity) * math.exp(-(wave**2) * mixed)


def quench_strain(temperature: float, cooling_rate: float, c: SynthesisConstants) -> float:
    """Thermal misfit between neighbouring grains that cooling freezes in."""
    frozen = cooling_rate / (cooling_rate + c.relaxing_rate)
    return c.expansion_difference * max(temperature - ROOM_TEMPERATURE, 0.0) * frozen


def bonded_share(temperature: float, time: float, c: SynthesisConstants) -> float:
    """Share of the boundaries' area that necks span: their radius grows as t^(1/6), their area as t^(1/3).

    Grain-boundary diffusion: Coble, J. Am. Ceram. Soc. 41, 55 (1958).
    """
    needed = c.sintering_time * _slowing(c.sintering_energy, temperature, c)
    return min(1.0, (time / needed) ** (1 / 3))


def fault_probability(temperature: float, time: float, c: SynthesisConstants) -> float:
    """Stacking-fault probability left; faults meet and annihilate (second order), as fast as metals move."""
    return c.unannealed_faults / (1 + time / (c.fault_life * _slowing(c.mixing_energy, temperature, c)))


def _slowing(energy: float, temperature: float, c: SynthesisConstants) -> float:
    """How many times slower than at the reference temperature (Arrhenius)."""
    return math.exp(energy / GAS_CONSTANT * (1 / temperature - 1 / c.reference_temperature))
