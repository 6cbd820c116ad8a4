"""Constants of the models that no document states, each with its reason and plausible range."""

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


@dataclass(frozen=True)
class MechanismConstants:
    """What `mechanisms` make of a host: of its voltage, its lattice, its strength and its defects."""

    charge_tolerance: float = _constant(
        0.2,
        "",
        (0.05, 0.3),
        "charges per formula unit by which a formula may miss its balance: rounded subscripts, and up to 0.1 "
        "oxygen more or less than two",
    )
    occupancy_tolerance: float = _constant(
        0.03,
        "",
        (0.01, 0.05),
        "metal sites by which a formula may miss one without vacancies: accuracy of chemical analysis",
    )
    iron_share: float = _constant(
        0.5,
        "",
        (0.3, 0.8),
        "electrons that Fe3+ gives on charge: beyond half of it iron leaves for the alkali layer and the "
        "rest is lost",
    )
    oxygen_electrons: float = _constant(
        0.5,
        "",
        (0.2, 1.0),
        "electrons that an oxygen atom gives which has Li, Mg or an empty site among its three metal "
        "neighbours: one of its 2p orbitals is then without a metal to mix with (Seo et al., Nat. Chem. 8, "
        "692 (2016); Maitra et al., Nat. Chem. 10, 288 (2018)); half of the one electron that leaves O-",
    )
    oxygen_potential: float = _constant(
        4.3, "V", (4.1, 4.5), "plateau of oxygen redox in layered sodium oxides, 4.1 to 4.5 V", "literature"
    )
    oxygen_width: float = _constant(
        0.08, "V", (0.03, 0.2), "scale of the logistic step at that plateau, which is nearly flat on charge"
    )
    manganese_potential: float = _constant(
        2.9,
        "V",
        (2.6, 3.2),
        "Mn3+/4+ at half filling, against sodium: P2-Na2/3MnO2 and O3-NaMnO2 are near 2.9 V there",
    )
    manganese_slope_full: float = _constant(
        2.0, "V", (1.0, 3.0), "its fall per alkali above half filling: 2.6 V at 2/3, below 2 V when full"
    )
    manganese_slope_empty: float = _constant(
        3.5, "V", (2.0, 5.0), "its rise per alkali taken out below half filling: near 3.9 V at 0.2"
    )
    lithium_shift: float = _constant(
        0.33,
        "V",
        (0.3, 0.35),
        "standard potential of Na/Na+ less that of Li/Li+ (-2.71 and -3.04 V)",
        "literature",
    )
    lowest_voltage: float = _constant(
        1.5, "V", (1.0, 2.0), "where the last alkali goes in: end of the voltage table, with full sites"
    )
    highest_voltage: float = _constant(
        4.6,
        "V",
        (4.5, 4.8),
        "up to which the voltage table of a host goes on, at its end slope, while redox electrons are left",
    )
    fixed_content: float = _constant(
        1 / 3,
        "",
        (0.2, 0.45),
        "alkali content below which phases keep their composition, whatever was there at first: what is left "
        "holds the layers apart; above it phases move with the pristine content",
    )
    ordering_width: float = _constant(
        0.06,
        "",
        (0.03, 0.1),
        "half the range of alkali content over which full disorder of the metals smears voltage steps and "
        "plateaus: about the extent of an ordered state at 1/2",
    )
    disorder_entropy: float = _constant(
        1.0,
        "R",
        (0.5, 1.5),
        "ideal entropy of mixing beyond the host's that makes disorder full: orderings of the alkali follow "
        "those of the metals, and high-entropy oxides (1.5 R against 0.7 R of two metals) show none",
    )
    damping: float = _constant(
        1.0,
        "",
        (0.0, 2.0),
        "loss of the change of slab spacing per share of inactive metal: mean over metals of which only the "
        "active ones change their bonds",
    )
    closing_share: float = _constant(
        0.5,
        "",
        (0.3, 1.0),
        "share of inactive, strongly bonded metal that closes a two-phase gap: dilution takes away what "
        "drives the parts asunder",
    )
    narrowest_gap: float = _constant(
        0.2, "", (0.0, 0.5), "least width of a two-phase gap over the host's: layers glide all at once"
    )
    guest_sites: float = _constant(
        7.0,
        "",
        (4.0, 13.0),
        "metal sites that one guest keeps from gliding with the rest: its own and its six neighbours; 13 "
        "with the next shell",
    )
    pillar_weight: float = _constant(
        2.0,
        "",
        (1.0, 4.0),
        "guests that a pillar in the alkali layer stands for: it holds both slabs beside it",
    )
    gliding_share: float = _constant(
        0.5,
        "",
        (0.2, 0.8),
        "share of the interlayer change that goes with gliding from octahedral to prismatic sites; a solid "
        "solution has only the rest",
    )
    charged_content: float = _constant(
        0.5,
        "",
        (0.3, 1.0),
        "alkali per formula unit that holds the layers in the charged state, beside pillars; ions count by "
        "the square of their charge",
    )
    blocking: float = _constant(
        2.0,
        "",
        (1.0, 4.0),
        "loss of alkali diffusivity per share of sites that pillars block: percolation on triangles, half of "
        "whose sites must be free",
    )
    boundary_sites: float = _constant(
        0.005,
        "",
        (0.001, 0.02),
        "dopant per formula unit that fills the boundaries to 1 - 1/e: 3 w / d with a width w of 1 nm and "
        "grains of 0.6 um",
    )
    declustered_segregation: float = _constant(
        0.3, "", (0.1, 0.6), "uneven mixing left by declustered metals, over plain: even to a few cells"
    )
    declustered_gap: float = _constant(
        0.8, "", (0.6, 1.0), "two-phase gaps with declustered metals, over plain: no clusters that part first"
    )
    declustered_spread: float = _constant(
        0.7, "", (0.5, 1.0), "spread of facet strength with declustered metals; follows composition in part"
    )
    high_entropy_segregation: float = _constant(
        0.5, "", (0.2, 0.9), "uneven mixing left in high-entropy oxides, over plain: entropy favours mixing"
    )
    high_entropy_gap: float = _constant(
        0.6, "", (0.4, 0.9), "two-phase gaps in high-entropy oxides, over plain: no order that phases share"
    )
    high_entropy_spread: float = _constant(
        0.8, "", (0.5, 1.0), "spread of facet strength in high-entropy oxides; follows composition in part"
    )
