"""One active material: every law that transport, mechanics and surface reactions ask for, in SI units."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R as GAS_CONSTANT
from scipy.constants import physical_constants

from faultline.config.models import (
    CohesiveSettings,
    ElasticitySettings,
    GlideSettings,
    InterfacePropertySettings,
    MaterialSettings,
    Sourced,
)
from faultline.crystal import hexagonal_stiffness, isotropic_stiffness
from faultline.materials.phase_field import PhaseField
from faultline.materials.tables import LatticeCurve, VoltageCurve

FARADAY = physical_constants["Faraday constant"][0]  # C/mol
Array = NDArray[np.float64]

# A full (or empty) lattice has no vacancies to jump into (no ions that jump): the self-diffusion law then
# gives a mobility of zero and the linear system becomes singular. A hundredth of the sites keeps it
# solvable.
LEAST_VACANCY_PRODUCT = 0.01
# The ideal solution diverges at 0 and 1.
IDEAL_MARGIN = 1e-4

_ABSENT: Any = None


@dataclass(frozen=True)
class Cohesive:
    """Strengths (Pa) and toughnesses (J/m2) of one kind of interface."""

    tensile_strength: float
    shear_strength: float
    toughness_normal: float
    toughness_shear: float


@dataclass(frozen=True)
class GlideSoftening:
    """Slip at which half of the resistance to glide is left, and the radius (m) of its mean."""

    half_slip: float
    length: float


@dataclass(frozen=True)
class Material:
    """Laws of one material; `x` (site fractions) may have any shape, principal strains add an axis (a, b, c).

    Attributes:
        name, formula, alkali: names; `alkali` is Na or Li.
        molar_mass: kg per mole of formula units as synthesised.
        c_max: alkali concentration at x = 1, mol/m3.
        initial_site_fraction: x as synthesised; lattice strains are zero there.
        nominal_site_fraction_change: change of x that 1C passes in an hour.
        thermodynamics: "ocv" takes the bulk potential from the open-circuit voltage, "ideal" an ideal
            solution (the open-circuit voltage then acts at the surface only).
        diffusivity_kind: "self" holds no thermodynamic factor; "chemical" holds it.
        diffusivity_ab, diffusivity_c: m2/s, within and across the layers.
        exchange_current_density_half: A/m2 at x = 1/2; transfer_coefficient: anodic.
        stiffness: (6, 6) in the crystal frame, Pa.
        critical_resolved_shear_stress: of basal glide, Pa; infinite where none is given.
        interfaces: cohesive data by kind (grain_boundary, basal, shell).
        voltage, lattice: the curves through the tables.
        phase_field: double wells in the two-phase gaps, where fronts are resolved; None without.
        glide_softening: of basal glide; None where it does not soften.
    """

    name: str
    formula: str
    alkali: Literal["Na", "Li"]
    molar_mass: float
    c_max: float
    initial_site_fraction: float
    nominal_site_fraction_change: float
    thermodynamics: Literal["ocv", "ideal"]
    diffusivity_kind: Literal["self", "chemical"]
    diffusivity_ab: float
    diffusivity_c: float
    exchange_current_density_half: float
    transfer_coefficient: float
    stiffness: Array
    critical_resolved_shear_stress: float
    interfaces: dict[str, Cohesive]
    voltage: VoltageCurve
    lattice: LatticeCurve
    phase_field: PhaseField | None = None
    glide_softening: GlideSoftening | None = None

    @property
    def site_fraction_range(self) -> tuple[float, float]:
        """Lowest and highest x that both tables cover."""
        low = max(self.voltage.site_fraction[0], self.lattice.site_fraction[0])
        high = min(self.voltage.site_fraction[-1], self.lattice.site_fraction[-1])
        return float(low), float(high)

    @property
    def density(self) -> float:
        """Mass per volume (kg/m3) that `c_max` and `molar_mass` imply."""
        return self.c_max * self.molar_mass

    def clip(self, x: ArrayLike) -> tuple[Array, int]:
        """`x` bounded to the tables, and how many values lay outside."""
        x, (low, high) = np.asarray(x, float), self.site_fraction_range
        return np.clip(x, low, high), int(np.count_nonzero((x < low) | (x > high)))

    def open_circuit_voltage(self, x: ArrayLike) -> Array:
        """Open-circuit voltage of a uniform crystal against the alkali metal, V."""
        return self.voltage(x) if self.phase_field is None else self.phase_field(x)

    def open_circuit_slope(self, x: ArrayLike) -> Array:
        """dV/dx, V; falling everywhere, unless a phase field has its spinodal there."""
        return self.voltage.slope(x) if self.phase_field is None else self.phase_field.slope(x)

    @property
    def gradient_energy(self) -> float:
        """kappa (J m2/mol) of the potential's share -kappa lap(x); zero without a phase field."""
        return 0.0 if self.phase_field is None else self.phase_field.gradient_energy(FARADAY)

    def site_fraction_at(self, voltage: float) -> float:
        """x of a particle at rest at `voltage`."""
        return self.voltage.site_fraction_at(voltage)

    def chemical_potential(self, x: ArrayLike, temperature: float) -> Array:
        """Stress-free chemical potential of the alkali, J/mol: -F V_oc(x), or R T ln(x / (1 - x))."""
        if self.thermodynamics == "ocv":
            return -FARADAY * self.open_circuit_voltage(x)
        y = np.clip(x, IDEAL_MARGIN, 1 - IDEAL_MARGIN)
        return GAS_CONSTANT * temperature * (np.log(y / (1 - y)) + (np.asarray(x) - y) / (y * (1 - y)))

    def chemical_potential_slope(self, x: ArrayLike, temperature: float) -> Array:
        """d(chemical potential)/dx, J/mol; negative inside the spinodal of a phase field only."""
        if self.thermodynamics == "ocv":
            return -FARADAY * self.open_circuit_slope(x)
        y = np.clip(x, IDEAL_MARGIN, 1 - IDEAL_MARGIN)
        return GAS_CONSTANT * temperature / (y * (1 - y))

    def vacancy_product(self, x: ArrayLike) -> Array:
        """x (1 - x): share of jumps that find an ion and an empty site, bounded below to stay solvable."""
        x = np.clip(x, 0.0, 1.0)
        floor = 0.0 if self.thermodynamics == "ideal" else LEAST_VACANCY_PRODUCT
        return np.maximum(x * (1 - x), max(floor, IDEAL_MARGIN * (1 - IDEAL_MARGIN)))

    def mobility_per_diffusivity(self, x: ArrayLike, temperature: float) -> Array:
        """M / D (...), mol2/(J m3), of the flux -M grad(mu).

        A self-diffusivity gives c_max x (1 - x) / (R T). A chemical diffusivity gives c_max / (dmu/dx), so
        that an unstressed flux is D grad(c) exactly, while stress still acts against the measured slope of
        mu: with an ideal solution in its place, ten times softer, elastic energy would unmix the particle.
        """
        if self.diffusivity_kind == "chemical":
            if self.phase_field is not None:  # measured on the table, whose slope never changes sign
                return self.c_max / (-FARADAY * self.voltage.slope(x))
            return self.c_max / self.chemical_potential_slope(x, temperature)
        return self.c_max * self.vacancy_product(x) / (GAS_CONSTANT * temperature)

    def exchange_current_density(self, x: ArrayLike) -> Array:
        """A/m2, 2 i0 sqrt(x (1 - x)): ions and vacancies both take part; i0 is the value at x = 1/2."""
        return 2 * self.exchange_current_density_half * np.sqrt(self.vacancy_product(x))

    def lattice_strain(self, x: ArrayLike) -> Array:
        """Principal strains (n, 3) along a, b, c against the pristine lattice."""
        return self.lattice.strain_at(x)

    def lattice_strain_slope(self, x: ArrayLike) -> Array:
        """d(strain)/dx (n, 3); divided by c_max it is the partial molar volume tensor, m3/mol."""
        return self.lattice.slope_at(x)

    @property
    def phase_names(self) -> tuple[str, ...]:
        """Phases in order of rising site fraction."""
        return self.lattice.phase_names

    def phase(self, x: ArrayLike) -> NDArray[np.int64]:
        """Index into `phase_names` of the prevailing phase, (n,)."""
        return self.lattice.phase_at(x)


def material_from_settings(settings: MaterialSettings, front_width: float | None = None) -> Material:
    """Material from its validated settings; with a `front_width` (m) its phases part (`PhaseField`).

    A stage's slice holds only what the stage uses, and a passive shell has neither voltage nor lattice table:
    numbers that are not given become NaN, and laws that are not given None, so that they cannot be used
    unnoticed.
    """
    diffusivity, kinetics, glide = settings.diffusivity, settings.kinetics, settings.glide
    voltage = _voltage_curve(settings) if settings.ocv else _ABSENT
    lattice = _lattice_curve(settings) if settings.lattice else _ABSENT
    field = None
    if front_width is not None:
        overpotential = settings.spinodal_overpotential.value
        field = PhaseField.from_table(voltage, lattice.gaps, overpotential, front_width)
    return Material(
        name=settings.name,
        formula=settings.formula,
        alkali=settings.alkali,
        molar_mass=_value(settings.molar_mass),
        c_max=_value(settings.maximum_concentration),
        initial_site_fraction=_value(settings.initial_site_fraction),
        nominal_site_fraction_change=_value(settings.nominal_site_fraction_change),
        thermodynamics=settings.thermodynamics,
        diffusivity_kind=diffusivity.kind if diffusivity else "self",
        diffusivity_ab=_value(diffusivity.ab if diffusivity else None),
        diffusivity_c=_value(diffusivity.c if diffusivity else None),
        exchange_current_density_half=_value(kinetics.exchange_current_density if kinetics else None),
        transfer_coefficient=_value(kinetics.transfer_coefficient if kinetics else None),
        stiffness=stiffness_from_settings(settings.elasticity) if settings.elasticity else _ABSENT,
        critical_resolved_shear_stress=glide.critical_resolved_shear_stress.value if glide else np.inf,
        interfaces=_interfaces(settings.interfaces) if settings.interfaces else {},
        voltage=voltage,
        lattice=lattice,
        phase_field=field,
        glide_softening=_softening(glide) if glide else None,
    )


def _value(sourced: Sourced[float] | None) -> float:
    return float("nan") if sourced is None else sourced.value


def _softening(glide: GlideSettings) -> GlideSoftening | None:
    given = glide.softening
    return GlideSoftening(given.half_slip.value, given.length.value) if given else None


def _voltage_curve(settings: MaterialSettings) -> VoltageCurve:
    table = settings.ocv
    return VoltageCurve(
        np.array(table.site_fraction), np.array(table.voltage), settings.minimum_ocv_slope.value
    )


def _lattice_curve(settings: MaterialSettings) -> LatticeCurve:
    t, pristine = settings.lattice, settings.initial_site_fraction.value
    return LatticeCurve.from_table(
        t.site_fraction, t.phase, t.slab_spacing, t.strain_a, t.strain_b, reference=pristine
    )


def stiffness_from_settings(elasticity: ElasticitySettings) -> Array:
    """Stiffness (6, 6) in the crystal frame, Pa."""
    e = elasticity
    if e.isotropic:
        return isotropic_stiffness(e.youngs_modulus.value, e.poisson_ratio.value)
    return hexagonal_stiffness(e.c11.value, e.c12.value, e.c13.value, e.c33.value, e.c44.value)


def _interfaces(settings: InterfacePropertySettings) -> dict[str, Cohesive]:
    given = {kind: getattr(settings, kind) for kind in ("grain_boundary", "basal", "shell")}
    return {kind: _cohesive(values) for kind, values in given.items() if values is not None}


def _cohesive(settings: CohesiveSettings) -> Cohesive:
    return Cohesive(
        tensile_strength=settings.tensile_strength.value,
        shear_strength=settings.shear_strength.value,
        toughness_normal=settings.toughness_normal.value,
        toughness_shear=settings.toughness_shear.value,
    )
