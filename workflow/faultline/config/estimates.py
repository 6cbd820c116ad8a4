"""Constants of the defect models that no document states, each with its reason and plausible range."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Estimate:
    """One constant: its value and plausible range in `unit` (SI), and where it is from."""

    name: str
    value: float
    unit: str
    source: str
    status: Literal["literature", "estimate"]
    range: tuple[float, float]

    @property
    def text(self) -> str:
        """Value with unit."""
        return f"{self.value:.6g} {self.unit}".rstrip()


def estimates(constants: Any) -> list[Estimate]:
    """The constants of a block of them, in order."""
    return [Estimate(f.name, getattr(constants, f.name), **_origin(f.metadata)) for f in fields(constants)]


def _origin(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: metadata[key] for key in ("unit", "source", "status", "range")}


def _constant(
    value: float,
    unit: str,
    bounds: tuple[float, float],
    source: str,
    status: Literal["literature", "estimate"] = "estimate",
) -> Any:
    return field(default=value, metadata={"unit": unit, "source": source, "status": status, "range": bounds})


@dataclass(frozen=True)
class DefectConstants:
    """What defects do to lattice strain and strength."""

    burgers: float = _constant(
        0.29e-9,
        "m",
        (0.16e-9, 0.48e-9),
        "a/3 <11-20> with a of layered Na and Li oxides: perfect basal dislocations; partials are shorter, "
        "dislocations across the layers as long as a layer is high",
    )
    microstrain_of_dislocations: float = _constant(
        0.26,
        "",
        (0.13, 0.38),
        "k in eps_rms = k b sqrt(rho): 1 / sqrt(14.4) of Williamson and Smallman (Phil. Mag. 1, 34, 1956); "
        "sqrt(C f / 4 pi) of Wilkens (1970) with contrast C 0.1 to 0.3 and f 2 to 6 gives the range",
        "literature",
    )
    half_strength_density: float = _constant(
        1.2e15,
        "1/m^2",
        (3e14, 1e16),
        "density at which the internal stress alpha G b sqrt(rho) (Taylor, Proc. R. Soc. A 145, 362, 1934) "
        "reaches an interface's strength: alpha 0.3, G 50 GPa, 150 MPa",
    )
    fault_weakening: float = _constant(
        2.0,
        "",
        (1.0, 5.0),
        "loss of basal strength per stacking-fault probability: each fault spoils the bond of the layers on "
        "both of its sides",
    )
    segregation_weakening: float = _constant(
        3.0,
        "",
        (0.0, 10.0),
        "loss of grain-boundary strength per deviation of the alkali content that uneven mixing of the "
        "metals leaves: misfit and second phases at the boundary",
    )
    unbonded: float = _constant(
        1e-3,
        "",
        (1e-4, 1e-2),
        "strength and toughness of a facet without bond: small beside every other one, and not zero, which "
        "the cohesive law needs",
    )
    retained_share: float = _constant(
        0.1,
        "",
        (0.01, 0.5),
        "share of the misfit of a cycle that dislocations take up and that stays; most of it is elastic or "
        "runs back",
    )
    layer_spacing: float = _constant(
        0.5e-9, "m", (0.44e-9, 0.57e-9), "distance of neighbouring layers in Na and Li oxides", "literature"
    )
    faulted_length: float = _constant(
        1e-7,
        "m",
        (1e-8, 1e-6),
        "length of fault that a basal dislocation leaves behind it: the ribbon between its partials and what "
        "it swept",
    )


@dataclass(frozen=True)
class SynthesisConstants:
    """How synthesis leaves defects; rates hold at `reference_temperature`."""

    reference_temperature: float = _constant(
        1123.15, "K", (1023.0, 1223.0), "850 degC, a usual calcination of layered oxides"
    )
    interdiffusivity: float = _constant(
        2.3e-17,
        "m^2/s",
        (1e-18, 1e-16),
        "interdiffusion of the metals: they mix over 1 um in half a day, as phase-pure powders from "
        "coprecipitates show",
    )
    mixing_energy: float = _constant(
        250e3, "J/mol", (200e3, 350e3), "activation energy of cation diffusion in close-packed oxides"
    )
    precursor_wavelength: float = _constant(
        4e-6, "m", (1e-6, 10e-6), "distance over which the composition of a precursor particle varies"
    )
    unmixed_amplitude: float = _constant(
        0.1, "", (0.03, 0.3), "deviation of the alkali content where the precursors are not mixed at all"
    )
    misfit_of_segregation: float = _constant(
        0.05, "", (0.01, 0.1), "strain per deviation of the alkali content: slope of c in lattice tables"
    )
    expansion_difference: float = _constant(
        1e-5, "1/K", (5e-6, 2e-5), "thermal expansion of layered oxides along c less that along a"
    )
    relaxing_rate: float = _constant(
        1.0,
        "K/s",
        (0.05, 20.0),
        "cooling rate at which half of the thermal misfit freezes in; creep relieves it when slower",
    )
    sintering_time: float = _constant(
        1.8e4, "s", (3.6e3, 7.2e4), "time until the necks between primary particles span their boundaries"
    )
    sintering_energy: float = _constant(
        200e3, "J/mol", (150e3, 400e3), "activation energy of diffusion along grain boundaries"
    )
    unannealed_faults: float = _constant(
        0.2, "", (0.05, 0.4), "stacking-fault probability before any annealing"
    )
    fault_life: float = _constant(
        3.6e3, "s", (7e2, 3.6e4), "time that halves it; long calcination gives sharp 00l lines"
    )
