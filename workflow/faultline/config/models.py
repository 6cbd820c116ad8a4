"""Every key a user may write: types, defaults, bounds and descriptions.

These models are the single source: they validate, and the reference and the JSON schema are generated from
them. Quantities hold SI floats after validation. A block declared with ``_optional`` may be missing from a
file; the loader reports it where a case needs it, so code that runs may rely on it being there.
"""

from typing import Annotated, Any, Generic, Literal, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from faultline import quantities as q
from faultline.config.synthesis import defects_from_synthesis

T = TypeVar("T")
Status = Literal["stated", "literature", "estimate"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")]


class Settings(BaseModel):
    """Base of all blocks: unknown keys are errors, values do not change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


def _optional(description: str) -> Any:
    return Field(default=None, validate_default=False, description=description)


def _default(text: str, description: str) -> Any:
    """A quantity with its default as a user would write it."""
    return Field(default=text, description=description)


# ---- microstructure


class GrainSettings(Settings):
    """The grains inside the particle."""

    count: int = Field(
        default=1, ge=1, le=20000, description="Number of grains in the section; 1 is a single crystal."
    )
    relaxation: int = Field(default=5, ge=0, le=200, description="Lloyd steps that even out the grain sizes.")
    size_spread: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Relative spread of the Laguerre weights (grain sizes); 0 is Voronoi.",
    )
    elongation: float = Field(
        default=1.0, ge=1, le=20, description="Length over width of the grains, along the radius."
    )
    orientation: Literal["random", "radial", "textured"] = Field(
        default="random",
        description="Uniform over rotations; layers running outwards; or c along `direction`.",
    )
    spread: q.Angle = _default("10 deg", "Standard deviation of the misorientation (radial, textured).")
    tilt_out_of_plane: bool = Field(default=True, description="Let the c axis leave the section plane.")
    direction: q.Angle = _default("90 deg", "Direction of c in the section from x (textured).")
    orientation_table: str | None = Field(
        default=None,
        min_length=1,
        description="Measured orientations in place of `orientation`: a csv file with columns `grain`, or "
        "`x_um`, `y_um`, and the Euler angles of Bunge, `phi1_deg`, `Phi_deg`, `phi2_deg`.",
    )


class BasalPlaneSettings(Settings):
    """Potential cracks along the basal planes inside the grains."""

    spacing: q.Length = Field(description="Distance between neighbouring potential cracks.")


class ShellSettings(Settings):
    """A layer of another material around the particle: passivation layer, coating, rock salt.

    It lies outside the particle's radius or size, whichever way it is modelled. A film takes no room: it is
    a membrane on the surface and a resistance in series with the reaction, first order in its thickness. A
    meshed shell stores alkali as the core does and counts as active material.
    """

    thickness: q.Length = Field(description="Thickness of the shell, on top of the particle's radius.")
    model: Literal["auto", "meshed", "film"] = Field(
        default="auto",
        description="A ring of cells whose bond may crack, or a film; auto: film if thinner than an element.",
    )
    material: str = Field(
        default="", description="Name of the shell's folder under `config/materials/`; required."
    )


class ImageSettings(Settings):
    """A label image as the section: every grain its own integer."""

    file: str = Field(min_length=1, description="TIFF, PNG or npy file, relative to the project folder.")
    pixel_size: q.Length = Field(description="Edge length of a pixel.")
    background: int = Field(default=0, description="Label of what is not particle.")


class MicrostructureSettings(Settings):
    """Geometry of the particle and its mesh."""

    shape: Literal["disc", "platelet", "image"] = Field(
        default="disc", description="Section of the particle."
    )
    radius: q.Length = _default("5 um", "Radius of the spherical particle without its shell (disc).")
    section: Literal["equal_diffusion_time", "equal_surface_to_volume"] = Field(
        default="equal_diffusion_time", description="What the disc shares with the sphere of that radius."
    )
    size: tuple[q.Length, q.Length] | None = Field(default=None, description="Width and height (platelet).")
    image: ImageSettings | None = Field(default=None, description="Label image (image).")
    grains: GrainSettings = Field(default_factory=GrainSettings, description="The grains.")
    basal_planes: BasalPlaneSettings | None = Field(
        default=None, description="Potential basal cracks; null for none."
    )
    shell: ShellSettings | None = Field(default=None, description="Shell around the particle; null for none.")
    element_size: q.Length = _default("0.3 um", "Edge length of the triangles.")

    @property
    def shell_model(self) -> Literal["meshed", "film"] | None:
        """How the shell is modelled; None without one."""
        if self.shell is None:
            return None
        if self.shell.model != "auto":
            return self.shell.model
        return "film" if self.shell.thickness < self.element_size else "meshed"

    @property
    def extent(self) -> float:
        """Half the smallest width of the particle (m); infinite for an image, whose size is not known yet."""
        if self.shape == "platelet" and self.size:
            return min(self.size) / 2
        return self.radius if self.shape == "disc" else float("inf")


# ---- defects and exposure


class RandomFieldSettings(Settings):
    """A correlated Gaussian field over the section."""

    amplitude: q.Fraction = Field(
        default=0.0, description="Standard deviation of the field; 0 switches it off."
    )
    correlation_length: q.Length = _default("0.5 um", "Correlation length.")


class SegregationSettings(RandomFieldSettings):
    """Uneven mixing of the transition metals, by the deviation s of the alkali content x0 that goes with it.

    The start of cycling has it, and the alkali then levels out. The metals stay: where there is s / x0 more
    redox metal, the lattice moves that much more than its table says. Boundaries lose strength with |s|.
    """


class MicrostrainMapSettings(Settings):
    """Microstrain measured on a grid whose centre lies at the particle's; values between pixels are linear.

    Rows run downwards, as in an image. It must cover the whole particle.
    """

    file: str = Field(min_length=1, description="npy, TIFF or csv file, relative to the project folder.")
    pixel_size: q.Length = Field(description="Edge length of a pixel.")
    quantity: Literal["rms", "layer_strain"] = Field(
        default="rms",
        description="Local RMS of a random strain, or the signed strain of the layer spacing, along c.",
    )


class MicrostrainSettings(RandomFieldSettings):
    """Residual strain as a stored eigenstrain; its RMS over the section is the same in either arrangement.

    `amplitude` is the root mean square of the normal strain over all directions.
    """

    arrangement: Literal["uniform", "clustered"] = Field(
        default="uniform", description="Equally strong everywhere, or concentrated in clusters."
    )
    cluster_share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the area that the clusters take (clustered)."
    )
    cluster_size: q.Length = _default("1 um", "Mean width of a cluster along a line (clustered).")
    map: MicrostrainMapSettings | None = Field(
        default=None, description="Measured map in place of `amplitude` and `arrangement`; null for none."
    )


class DislocationDensitySettings(Settings):
    """Dislocations from synthesis: they strain the lattice and weaken the interfaces beside them.

    The strain varies like that of `microstrain` and adds to it in squares; where that is clustered, so are
    they. What they do below the size of an element acts as a loss of strength.
    """

    density: q.DislocationDensity = _default("0 1/m^2", "Mean dislocation density.")


class StackingFaultSettings(Settings):
    """Stacking faults, drawn for every grain: they weaken its basal planes and broaden 00l peaks."""

    probability: q.Fraction = Field(
        default=0.0, description="Mean share of layers that are faulted, at most 0.5."
    )
    spread: float = Field(default=0.5, ge=0, description="Spread between grains, relative to the mean.")


class UnderSinteredSettings(Settings):
    """Grain boundaries without bond. They count as failed once they open."""

    share: q.Fraction = Field(default=0.0, description="Share of the boundaries' length, in whole facets.")
    location: Literal["random", "surface"] = Field(
        default="random", description="Anywhere, or the facets nearest to the surface first."
    )


class PorositySettings(Settings):
    """Closed pores on grain boundaries: strength and toughness hold for the bonded share of the area."""

    fraction: q.Fraction = Field(default=0.0, description="Mean share of a facet's area taken by pores.")
    spread: float = Field(default=0.5, ge=0, description="Spread between facets, relative to the mean.")


class SynthesisSettings(Settings):
    """How the powder was made; the values of the keys beside this one follow where they are not written.

    The map orders syntheses. It rests on estimates, which are listed at the end of this page.
    """

    calcination_temperature: q.Temperature = Field(description="Temperature of calcination.")
    calcination_time: q.Time = Field(description="Time at that temperature.")
    cooling_rate: q.CoolingRate = Field(description="Rate of cooling afterwards.")
    precursor_homogeneity: q.Fraction = Field(
        description="How well the precursor is mixed, 1 on the scale of atoms."
    )


class GradientSettings(Settings):
    """Composition that varies with depth: gradient particles, and cores with a shell of like kind.

    It acts as segregation does, by the deviation s of the alkali content x0 that goes with it: the surface
    starts with it, and the lattice moves by s / x0 more than its table says. The core has the formula.
    """

    surface: q.Strain = Field(description="Deviation of the alkali content at the surface, such as -20 %.")
    depth: q.Length = Field(description="Depth at which the core's composition is reached.")
    profile: Literal["linear", "step"] = Field(
        default="linear", description="Even fall from the surface, or a shell of even composition."
    )
    strength: q.Ratio = _default("1", "Factor on strength and toughness of grain boundaries at the surface.")


class RedoxRegionSettings(Settings):
    """Hard regions inside the grains, whose oxygen takes part in redox, in a softer rest.

    Charged, they contract beyond their table, evenly in all directions, which makes them denser, and they
    are stiffer all along; their layers withstand glide better by the same factor.
    """

    share: float = Field(
        default=0.33,
        gt=0,
        lt=1,
        description="Share of the area (an estimate, 0.15 to 0.6: lithium on a ninth of the metal sites, "
        "gathered where it fills a third of them, as in a honeycomb).",
    )
    size: q.Length = _default(
        "0.5 um",
        "Mean width of a region along a line (an estimate, 0.05 um to 1 um: uneven mixing of precursors).",
    )
    onset: q.Fraction = _default(
        "50 %",
        "Share of the alkali extracted from which oxygen takes part (an estimate, 40 % to 70 %: what the "
        "transition metals of lithium-substituted oxides can give).",
    )
    complete: q.Fraction = _default(
        "80 %",
        "Share of the alkali extracted at which the contraction is complete (an estimate, 60 % to 100 %).",
    )
    contraction: q.Strain = _default(
        "1 %",
        "Linear contraction beyond the table's (an estimate, 0.3 % to 2 %: volume changes of 1 % to 6 % "
        "along oxygen plateaus of layered oxides).",
    )
    stiffness: q.Ratio = _default(
        "1.5",
        "Stiffness over that of the rest (an estimate, 1.1 to 2: slabs held closer, with bonds between "
        "oxygen atoms).",
    )


class ActivationSettings(Settings):
    """What the block of cycles makes of the defects, in a file of its own; cycling does not feel it yet."""

    enabled: bool = Field(default=True, description="Work it out.")
    statistics: Name | None = Field(
        default=None,
        description="Run of the dislocations stage whose `retained_share` replaces the estimate.",
    )


class DefectSettings(Settings):
    """What synthesis leaves behind."""

    synthesis: SynthesisSettings | None = Field(
        default=None, description="Gives the values of keys not written; null for none."
    )
    microstrain: MicrostrainSettings = Field(
        default_factory=MicrostrainSettings, description="Residual strain as a stored eigenstrain."
    )
    segregation: SegregationSettings = Field(
        default_factory=SegregationSettings,
        description="Shift of the alkali content from uneven precursor mixing, with lattice and strength.",
    )
    dislocations: DislocationDensitySettings = Field(
        default_factory=DislocationDensitySettings, description="Dislocations from synthesis."
    )
    stacking_faults: StackingFaultSettings = Field(
        default_factory=StackingFaultSettings, description="Stacking faults of the grains."
    )
    under_sintered: UnderSinteredSettings = Field(
        default_factory=UnderSinteredSettings, description="Grain boundaries without bond."
    )
    porosity: PorositySettings = Field(
        default_factory=PorositySettings, description="Closed pores on grain boundaries."
    )
    gradient: GradientSettings | None = Field(
        default=None, description="Composition that varies with depth; null for none."
    )
    redox_regions: RedoxRegionSettings | None = Field(
        default=None, description="Hard regions of oxygen redox inside the grains; null for none."
    )
    strength_spread: float = Field(
        default=0.1, ge=0, le=2, description="Spread of facet strength: standard deviation of its logarithm."
    )
    activation: ActivationSettings = Field(
        default_factory=ActivationSettings, description="What cycling makes of the defects."
    )

    @property
    def synthesised(self) -> dict[str, dict[str, float | str]]:
        """Values by block and key that `synthesis` gives: of the keys that are not written."""
        if self.synthesis is None:
            return {}
        s = self.synthesis
        values = defects_from_synthesis(
            s.calcination_temperature, s.calcination_time, s.cooling_rate, s.precursor_homogeneity
        )
        if self.microstrain.map is not None:
            del values["microstrain"]
        return {
            block: {k: v for k, v in keys.items() if k not in getattr(self, block).model_fields_set}
            for block, keys in values.items()
        }

    @property
    def resolved(self) -> Self:
        """The same with the values from `synthesis` filled in, and without it."""
        blocks = {
            name: getattr(self, name).model_copy(update=values) for name, values in self.synthesised.items()
        }
        return self.model_copy(update={**blocks, "synthesis": None})


class DryingSettings(Settings):
    """Drying after storage, in vacuum or inert gas: hydroxide gives its alkali back, carbonate does not."""

    duration: q.Time = Field(description="How long.")
    temperature: q.Temperature = _default("25 degC", "Temperature.")


class ExposureSettings(Settings):
    """Storage in a gas before cycling."""

    environment: str | None = Field(
        default=None, description="Name of a gas under `config/environments/`; null for none."
    )
    duration: q.Time | None = Field(default=None, description="How long; required with an environment.")
    drying: DryingSettings | None = Field(default=None, description="Drying afterwards; null for none.")
    weaken: bool = Field(
        default=True,
        description="Let exposure weaken interfaces; false keeps only strain and lost alkali.",
    )


# ---- cycling, cracks, interface


class CyclingSettings(Settings):
    """Transport and stress during charge and discharge."""

    coupling: Literal["auto", "one_way", "two_way"] = Field(
        default="auto",
        description="Cracks after the run, or in each step; auto follows the lattice table.",
    )
    stress_drift: bool = Field(default=True, description="Let stress drive diffusion.")
    front: Literal["solid_solution", "phase_field"] = Field(
        default="solid_solution",
        description="Two-phase gaps: composition varies through them, or a double well makes fronts.",
    )
    front_width: q.Length | None = Field(
        default=None, description="Width of a resolved front, four elements at least; with phase_field."
    )
    tolerance: float = Field(
        default=1e-3, gt=0, lt=1, description="Largest error of x in a time step, mean over the area."
    )
    largest_step: float = Field(
        default=0.02, gt=0, le=0.5, description="Largest change of mean site fraction in a step."
    )
    frames: int = Field(default=40, ge=2, le=2000, description="Number of stored fields.")


class FatigueSettings(Settings):
    """Damage by repeated opening below the strength that is left (Roe and Siegmund 2003).

    dD = |d lambda| / (length_factor delta_f) < T / (T0 (1 - D)) - endurance >
    """

    length_factor: float = Field(
        default=10.0,
        gt=0,
        le=1e6,
        description="Accumulated opening, in separations delta_f, that wears out an interface (an estimate).",
    )
    endurance: float = Field(
        default=0.25,
        ge=0,
        lt=1,
        description="Share of the remaining strength below which cycles do no harm (an estimate).",
    )


class CrackSettings(Settings):
    """Numerics and options of the cohesive cracks."""

    penalty_stiffness: q.PressurePerLength = _default("1e18 Pa/m", "Stiffness of an intact interface.")
    viscosity: q.PressurePerLength = _default(
        "2e13 Pa/m",
        "Viscous regularisation per half-cycle; its work is reported. A thousandth acts on parted faces.",
    )
    mixed_mode_exponent: float = Field(
        default=1.75, gt=0, le=5, description="Exponent of Benzeggagh and Kenane."
    )
    failed_damage: float = Field(
        default=0.99, gt=0, le=1, description="Damage from which an interface counts as failed."
    )
    fatigue: FatigueSettings | None = Field(
        default=None, description="Damage by cycling; null lets only opening beyond the past one harm."
    )
    glide: bool = Field(
        default=True, description="Let layers glide where the critical shear stress is reached."
    )


class InterfaceSettings(Settings):
    """Electrolyte in the cracks."""

    electrolyte: str | None = Field(
        default=None,
        description="Name of an electrolyte under `config/environments/`; null for no corrosion.",
    )
    capillary_opening: q.Length = _default("5 nm", "Crack opening from which electrolyte enters.")


# ---- material


# ---- life


class JumpSettings(Settings):
    """Cycles that are passed over, and the error that is allowed for it."""

    largest: int = Field(
        default=50, ge=1, le=10000, description="Cycles from one simulated cycle to the next; 1 jumps none."
    )
    growth: float = Field(
        default=5.0, ge=1, le=100, description="By how much a jump may exceed the one before."
    )
    damage_step: q.Fraction = _default("50 %", "Damage that a jump may add anywhere.")
    damage_tolerance: q.Fraction = _default(
        "1 %", "Allowed error of the damage in a jump, mean over the interface length."
    )
    point_error: float = Field(
        default=0.5,
        gt=0,
        le=10,
        description="Allowed error of the damage at any one point, over `damage_step`; 1 and above for all "
        "that the mean allows.",
    )
    layer_step: q.Length = _default("10 nm", "Reconstructed layer that a jump may add anywhere.")
    layer_tolerance: q.Length = _default("1 nm", "Allowed error of the layer in a jump, mean over the faces.")

    @model_validator(mode="after")
    def _allows_some(self) -> Self:
        if not (self.damage_step > 0 and self.damage_tolerance > 0):
            raise ValueError("damage_step and damage_tolerance must be above 0; `largest: 1` jumps none")
        return self


class LifeNumericsSettings(Settings):
    """Accuracy of each simulated cycle; as in `cycling`, coarser since there are many."""

    tolerance: float = Field(
        default=5e-3, gt=0, lt=1, description="Largest error of x in a time step, mean over the area."
    )
    largest_step: float = Field(
        default=0.05, gt=0, le=0.5, description="Largest change of mean site fraction in a step."
    )
    frames: int = Field(default=10, ge=2, le=2000, description="Fields looked at in a half-cycle.")


class AgingSettings(Settings):
    """What decides on a cycle and on what it leaves to the next one."""

    cell: Literal["half_cell", "full_cell"] = Field(
        default="half_cell",
        description="Half cell with unlimited alkali, or full cell that counts what is left of it.",
    )
    anode_loss: q.Fraction = _default(
        "8 %", "Share of the alkali that the anode binds in the first cycle (full cell; an estimate)."
    )
    reserve: q.Fraction = _default(
        "0 %", "Alkali from elsewhere, such as a sacrificial salt, over what the cathode holds (full cell)."
    )
    weakening: bool = Field(
        default=True,
        description="Let corrosion weaken the interfaces; false leaves that step of the loop out.",
    )
    renewal: q.LengthOrNone = _default(
        "40 nm",
        "Layer to which oxide at 25 degC and the reference voltage passivates where strain tears it; "
        "0: layers that stretch (calibrated: six published retentions come out least wrong; 10 to 160 nm).",
    )
    tear_depth: q.Length = _default(
        "20 nm",
        "Layer over which the share of its tears that reach the oxide falls to 1/e (calibrated with "
        "`renewal`; 5 to 50 nm).",
    )
    third_dimension: q.Fraction = _default(
        "30 %",
        "Share of blocks that touch conducting neighbours above or below the section (an estimate).",
    )
    closed_opening: q.Length = _default("2 nm", "Opening below which failed faces still touch.")
    closed_conductance: q.Fraction = _default(
        "10 %", "Conductance of a failed contact that touches, over a sound one (an estimate)."
    )
    film_decay: q.Length = _default(
        "1 nm",
        "Reconstructed layer between touching faces by which their electronic conductance falls to 1/e (an "
        "estimate, 0.3 to 5 nm).",
    )
    closed_ion_conductance: q.AreaConductanceOrNone = _default(
        "100 S/m^2",
        "Ionic conductance of a failed contact that touches and is dry; 0 lets no alkali through (an "
        "estimate, 1 to 1e4 S/m^2: spots a tenth of the area, 0.1 um apart, in oxide of 5e-5 S/m).",
    )
    contact_conductance: q.AreaConductance = _default(
        "1e3 S/m^2", "Electronic conductance of a sound contact between grains (an estimate)."
    )
    jump: JumpSettings = Field(default_factory=JumpSettings, description="Cycles that are passed over.")


class LifeSettings(AgingSettings):
    """Many cycles, with the loop from cracks to corrosion to cracks."""

    cycles: int = Field(ge=1, le=100000, description="Cycles of the life.")
    block: int = Field(
        default=50,
        ge=1,
        le=100000,
        description="Cycles of a job; a longer life adds blocks and keeps those that are there.",
    )
    numerics: LifeNumericsSettings = Field(
        default_factory=LifeNumericsSettings, description="Accuracy of each simulated cycle."
    )

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """First and last cycle of every block."""
        starts = range(1, self.cycles + 1, self.block)
        return tuple((first, min(first + self.block - 1, self.cycles)) for first in starts)


class Sourced(Settings, Generic[T]):
    """A material value with where it comes from."""

    value: T = Field(description="The value with its unit.")
    source: str = Field(
        default="", description="Document, citation, or the reason for an estimate; required."
    )
    status: Status | None = Field(default=None, description="stated, literature or estimate; required.")
    range: tuple[T, T] | None = Field(
        default=None, description="Plausible lowest and highest value; required for an estimate."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_slice(cls, given: Any, info: ValidationInfo) -> Any:
        canonical = bool(info.context and info.context.get("canonical"))
        if canonical and not isinstance(given, dict):
            return {"value": given}
        if isinstance(given, dict | cls):
            return given
        raise ValueError(
            f"{given!r} stands alone; write {{value: {given}, source: where it is from, status: stated}}"
        )

    @model_validator(mode="after")
    def _is_accounted_for(self, info: ValidationInfo) -> Self:
        if info.context and info.context.get("canonical"):
            return self
        if self.status is None or not self.source.strip():
            missing = "status" if self.status is None else "source"
            allowed = "a source and a status (stated, literature, estimate)"
            raise ValueError(f"{missing} is missing; every material value needs {allowed}")
        if self.status == "estimate" and self.range is None:
            raise ValueError("an estimate needs its plausible range: [lowest, highest]")
        ends = self.range
        if ends is not None and not ends[0] <= self.value <= ends[1]:  # type: ignore[operator]
            raise ValueError("the value lies outside its range")
        return self


class DiffusivitySettings(Settings):
    """Diffusion of the alkali ion."""

    ab: Sourced[q.Diffusivity] = Field(description="Diffusivity within the layers.")
    c: Sourced[q.Diffusivity] = Field(description="Diffusivity across the layers.")
    kind: Literal["self", "chemical"] = Field(
        default="self", description="Whether the thermodynamic factor is contained."
    )


class KineticsSettings(Settings):
    """Charge transfer at the surface (Butler-Volmer)."""

    exchange_current_density: Sourced[q.CurrentDensity] = Field(
        description="Exchange current density at half filling."
    )
    transfer_coefficient: Sourced[q.Fraction] = Field(description="Anodic transfer coefficient.")


class ElasticitySettings(Settings):
    """Hexagonal constants, or Young's modulus and Poisson's ratio."""

    c11: Sourced[q.Pressure] = _optional("Stiffness C11 (hexagonal).")
    c12: Sourced[q.SignedPressure] = _optional("Stiffness C12 (hexagonal).")
    c13: Sourced[q.SignedPressure] = _optional("Stiffness C13 (hexagonal).")
    c33: Sourced[q.Pressure] = _optional("Stiffness C33 (hexagonal).")
    c44: Sourced[q.Pressure] = _optional("Stiffness C44 (hexagonal).")
    youngs_modulus: Sourced[q.Pressure] = _optional("Young's modulus (isotropic).")
    poisson_ratio: Sourced[q.Strain] = _optional("Poisson's ratio (isotropic).")

    @property
    def isotropic(self) -> bool:
        """Whether Young's modulus and Poisson's ratio are given instead of the hexagonal constants."""
        return self.youngs_modulus is not None

    @property
    def largest_modulus(self) -> float:
        """Young's modulus, or the larger of C11 and C33 (Pa), for length estimates."""
        return self.youngs_modulus.value if self.isotropic else max(self.c11.value, self.c33.value)

    @model_validator(mode="after")
    def _is_complete_and_stable(self) -> Self:
        given = self.model_fields_set
        hexagonal = {"c11", "c12", "c13", "c33", "c44"}
        isotropic = {"youngs_modulus", "poisson_ratio"}
        if given not in (hexagonal, isotropic):
            kinds = "c11, c12, c13, c33, c44 (hexagonal) or youngs_modulus, poisson_ratio (isotropic)"
            raise ValueError(f"give {kinds}, all of one kind")
        if given == isotropic:
            if not -1 < self.poisson_ratio.value < 0.5:
                raise ValueError("poisson_ratio must lie between -1 and 0.5")
            return self
        c11, c12, c13, c33 = (x.value for x in (self.c11, self.c12, self.c13, self.c33))
        if not (c11 > abs(c12) and (c11 + c12) * c33 > 2 * c13**2):  # Born stability of a hexagonal crystal
            raise ValueError("the constants are unstable; needed: c11 > |c12| and (c11 + c12) c33 > 2 c13^2")
        return self


class CohesiveSettings(Settings):
    """Traction-separation law of one kind of interface."""

    tensile_strength: Sourced[q.Pressure] = Field(description="Peak traction in opening.")
    shear_strength: Sourced[q.Pressure] = Field(description="Peak traction in sliding.")
    toughness_normal: Sourced[q.SurfaceEnergy] = Field(description="Energy to separate in opening.")
    toughness_shear: Sourced[q.SurfaceEnergy] = Field(description="Energy to separate in sliding.")


class InterfacePropertySettings(Settings):
    """Strength and toughness by kind of interface."""

    grain_boundary: CohesiveSettings = _optional("Grain boundaries; needed with more than one grain.")
    basal: CohesiveSettings = _optional("Basal planes inside grains; needed with `basal_planes`.")
    shell: CohesiveSettings = _optional(
        "Bond between the particle and a meshed shell; that in the shell's own folder goes before."
    )


class SofteningSettings(Settings):
    """Loss of resistance to glide with slip, so that glide gathers in bands: tau_c / (1 + slip / half_slip).

    Slip is the mean over a neighbourhood, which sets the width of the bands.
    """

    half_slip: Sourced[q.Ratio] = Field(description="Shear by slip at which half of the resistance is left.")
    length: Sourced[q.Length] = Field(
        description="Radius of the neighbourhood, at least two elements: about the width of a band."
    )


class GlideSettings(Settings):
    """Glide of layers in the bulk."""

    critical_resolved_shear_stress: Sourced[q.Pressure] = Field(
        description="Shear stress at which layers glide."
    )
    softening: SofteningSettings = _optional("Loss of resistance with slip; without it glide never softens.")


class AirSettings(Settings):
    """Reaction with moist gas through a water film: exchange of alkali for protons, oxidation, rock salt.

    Exchange: r = k a_w (theta_A - theta_H a_A / (K a_H)); it stops itself where the film turns alkaline.
    """

    exchange_rate: Sourced[q.SurfaceRate] = Field(
        description="Rate constant k of the exchange at saturated water."
    )
    exchange_equilibrium: Sourced[q.Ratio] = Field(
        description="Equilibrium constant K of alkali against protons (cation competition)."
    )
    oxidation_rate: Sourced[q.SurfaceRate] = Field(
        description="Rate of alkali extraction by oxygen at 1 bar O2 and saturated water."
    )
    reconstruction_time: Sourced[q.Time] = Field(
        description="Life of an oxidised site at the surface before it turns to rock salt."
    )
    reconstruction_depth: Sourced[q.Length] = Field(description="Depth over which rock salt forms this fast.")
    activation_energy: Sourced[q.MolarEnergy] = Field(
        description="Activation energy of rates and of proton diffusion; all hold at 25 degC."
    )
    proton_diffusivity: Sourced[q.Diffusivity] = Field(
        description="Interdiffusion of protons and alkali in the layer, along the slabs."
    )
    host_proton_diffusivity: Sourced[q.Diffusivity] = Field(
        description="The same ahead of the layer, where no protons hold the slabs apart."
    )
    layer_composition: Sourced[q.Fraction] = Field(
        description="Share of sites with protons or rock salt from which the oxide counts as layer."
    )
    boundary_diffusivity: Sourced[q.Diffusivity] = Field(
        description="Interdiffusion along grain boundaries: how deep they are weakened."
    )
    water_monolayer: Sourced[q.Length] = Field(
        description="Thickness of one adsorbed layer of water (BET film)."
    )
    hydroxide_solubility: Sourced[q.Concentration] = Field(
        description="Alkali in a saturated hydroxide solution."
    )
    carbonate_solubility: Sourced[q.Concentration] = Field(
        description="Carbonate in a saturated solution of alkali carbonate."
    )
    proton_strain_ab: Sourced[q.Strain] = Field(description="In-plane strain at full exchange.")
    proton_strain_c: Sourced[q.Strain] = Field(description="Strain along c at full exchange.")
    rock_salt_strain_ab: Sourced[q.Strain] = Field(
        description="In-plane strain of the rock salt against the layered oxide."
    )
    rock_salt_strain_c: Sourced[q.Strain] = Field(
        description="Strain along c of the rock salt against the layered oxide."
    )
    layer_diffusivity: Sourced[q.Diffusivity] = Field(description="Alkali diffusivity in the reaction layer.")
    residual_strength: Sourced[q.Fraction] = Field(
        description="Strength left on a fully exchanged facet, as a factor."
    )
    residual_toughness: Sourced[q.Fraction] = Field(
        description="Toughness left on a fully exchanged facet, as a factor."
    )


class ElectrolyteCorrosionSettings(Settings):
    """Reconstructed layer on wetted faces: linear, then parabolic growth."""

    linear_rate: Sourced[q.Velocity] = Field(
        description="Initial growth rate at the reference HF, voltage and 25 degC."
    )
    parabolic_rate: Sourced[q.Diffusivity] = Field(
        description="Parabolic constant: thickness squared per time."
    )
    reference_hf: Sourced[q.Concentration] = Field(description="HF concentration the rates refer to.")
    reference_voltage: Sourced[q.Voltage] = Field(description="Voltage the rates refer to.")
    voltage_scale: Sourced[q.PositiveVoltage] = Field(
        description="Voltage step that multiplies the rates by e."
    )
    activation_energy: Sourced[q.MolarEnergy] = Field(
        description="Activation energy of the rates and of diffusion along boundaries; all hold at 25 degC."
    )
    layer_diffusivity: Sourced[q.Diffusivity] = Field(description="Alkali diffusivity in the layer.")
    transition_metal_loss: Sourced[q.Fraction] = Field(
        description="Share of the layer's transition metal that dissolves."
    )
    alkali_loss: Sourced[q.Fraction] = Field(description="Share of the layer's alkali that is lost.")
    embrittlement_depth: Sourced[q.Length] = Field(
        description="Layer thickness at which the weakening is complete."
    )
    boundary_diffusivity: Sourced[q.Diffusivity] = Field(
        description="Interdiffusion along grain boundaries: how far the attack gets ahead of the electrolyte."
    )
    residual_strength: Sourced[q.Fraction] = Field(
        description="Strength left on a fully corroded facet, as a factor."
    )
    residual_toughness: Sourced[q.Fraction] = Field(
        description="Toughness left on a fully corroded facet, as a factor."
    )


class CoatingSettings(Settings):
    """A shell that is a film: it holds acid off, is used up by what it binds, and cracks under tension.

    A shell with cells of its own has its bond instead, and meets acid as the oxide does.
    """

    reference_thickness: Sourced[q.Length] = Field(description="Thickness that `acid_permeability` is of.")
    acid_permeability: Sourced[q.Fraction] = Field(
        description="Share of the acid that passes a film so thick; falls exponentially with thickness."
    )
    acid_uptake: Sourced[q.SurfaceRate] = Field(
        description="Acid that comes to the film per area, at the reference of `electrolyte_corrosion`."
    )
    acid_capacity: Sourced[q.Concentration] = Field(
        description="Hydrofluoric acid that a volume of film binds before it is gone."
    )
    toughness: Sourced[q.SurfaceEnergy] = Field(description="Energy per area of a crack through the film.")
    residual_stress: Sourced[q.SignedPressure] = Field(
        description="Equibiaxial stress of the film as deposited, tension positive."
    )

    @model_validator(mode="after")
    def _lets_some_through(self) -> Self:
        if not 0 < self.acid_permeability.value < 1:
            raise ValueError("acid_permeability must lie between 0 and 1, both left out")
        if self.acid_capacity.value == 0:
            raise ValueError("acid_capacity must be above 0; a film that binds none has an acid_uptake of 0")
        return self


class HeatSettings(Settings):
    """Oxygen release of the charged oxide in heat: layered oxide becomes rock salt with pores.

    df/dt = (1 - f) / release_time (1 - x / stable_site_fraction) exp(-Ea/R (1/T - 1/T_ref)), x below stable.
    """

    release_time: Sourced[q.Time] = Field(
        description="Time in which a fully charged oxide turns to rock salt at the reference, to 1/e."
    )
    reference_temperature: Sourced[q.Temperature] = Field(description="Temperature of that time.")
    activation_energy: Sourced[q.MolarEnergy] = Field(description="Activation energy of oxygen release.")
    stable_site_fraction: Sourced[q.Fraction] = Field(
        description="Alkali per formula unit from which the lattice keeps its oxygen."
    )
    pore_collapse: Sourced[q.Fraction] = Field(
        description="Share of the vacated volume that the solid closes by contracting; the rest are pores."
    )
    rock_salt_strain_ab: Sourced[q.Strain] = Field(
        description="In-plane strain of the rock salt against the layered oxide."
    )
    rock_salt_strain_c: Sourced[q.Strain] = Field(
        description="Strain along c of the rock salt against the layered oxide."
    )


class LatticeTable(Settings):
    """Columns of lattice.csv; rows by ascending site fraction, slab spacing in m."""

    site_fraction: list[q.Fraction] = Field(min_length=2, description="Alkali per formula unit.")
    phase: list[str] = Field(description="Name of the phase.")
    slab_spacing: list[q.Length] = Field(
        description="Distance between neighbouring layers: c over layers per cell."
    )
    strain_a: list[q.Strain] = Field(description="In-plane strain along a against the initial state.")
    strain_b: list[q.Strain] = Field(description="In-plane strain along b (across a).")
    source: list[str] = _optional("Where each row is from.")
    status: list[Status] = _optional("Status of each row.")


class OcvTable(Settings):
    """Columns of ocv.csv; rows by ascending site fraction."""

    site_fraction: list[q.Fraction] = Field(min_length=2, description="Alkali per formula unit.")
    voltage: list[q.Voltage] = Field(description="Open-circuit voltage, falling with site fraction.")
    source: list[str] = _optional("Where each row is from.")
    status: list[Status] = _optional("Status of each row.")


class MaterialSettings(Settings):
    """One folder under `config/materials/`."""

    name: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text.")
    formula: str = Field(default="", description="Chemical formula.")
    alkali: Literal["Na", "Li"] = _optional("The mobile ion.")
    molar_mass: Sourced[q.MolarMass] = _optional("Mass of one formula unit.")
    maximum_concentration: Sourced[q.Concentration] = _optional("Alkali concentration at site fraction 1.")
    initial_site_fraction: Sourced[q.Fraction] = _optional("Alkali per formula unit as synthesised.")
    in_plane_parameter: Sourced[q.Length] = _optional(
        "In-plane lattice parameter a as synthesised, for diffraction; default: from `maximum_concentration`."
    )
    nominal_site_fraction_change: Sourced[q.Fraction] = _optional(
        "Change of site fraction that 1C passes in an hour."
    )
    thermodynamics: Literal["ocv", "ideal"] = Field(
        default="ocv", description="Chemical potential in the bulk: from the OCV, or an ideal solution."
    )
    minimum_ocv_slope: Sourced[q.PositiveVoltage] = _optional("Least slope -dV/dx kept on plateaus.")
    spinodal_overpotential: Sourced[q.PositiveVoltage] = _optional(
        "How far past a plateau a uniform crystal parts on its own; needed with `front: phase_field`."
    )
    diffusivity: DiffusivitySettings = _optional("Diffusion of the alkali.")
    kinetics: KineticsSettings = _optional("Charge transfer at the surface.")
    elasticity: ElasticitySettings = _optional("Elastic constants.")
    interfaces: InterfacePropertySettings = _optional("Strength and toughness.")
    glide: GlideSettings = _optional("Glide of layers; needed with `cracks.glide` and two_way coupling.")
    air: AirSettings = _optional("Reaction with moist gas; needed with `exposure`.")
    electrolyte_corrosion: ElectrolyteCorrosionSettings = _optional(
        "Reaction with the electrolyte; needed with `interface`."
    )
    coating: CoatingSettings = _optional(
        "Acid and cracks in a shell that is a film; without it the film does nothing but resist."
    )
    heat: HeatSettings = _optional("Oxygen release in heat; needed with a `Heat to ...` step.")
    lattice_table: str = Field(default="lattice.csv", description="File with the lattice table.")
    ocv_table: str = Field(default="ocv.csv", description="File with the open-circuit voltage.")
    lattice: LatticeTable = _optional("Read from `lattice_table`; do not write it here.")
    ocv: OcvTable = _optional("Read from `ocv_table`; do not write it here.")


# ---- environments, protocols


class GasSettings(Settings):
    """A gas for storage before cycling."""

    kind: Literal["gas"] = Field(description="gas")
    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text.")
    p_H2O: q.PartialPressure = Field(description="Partial pressure of water.")
    p_CO2: q.PartialPressure = Field(description="Partial pressure of carbon dioxide.")
    p_O2: q.PartialPressure = Field(description="Partial pressure of oxygen.")
    temperature: q.Temperature = _default("25 degC", "Temperature.")
    stated_duration: q.Time | None = Field(
        default=None, description="How long the source stored in this gas; reports compare at this time too."
    )
    source: str = Field(default="", description="Where the values are from.")
    status: Status | None = Field(default=None, description="stated, literature or estimate.")


class InterphaseSettings(Settings):
    """The film that an electrolyte leaves on the cathode (CEI), against that of plain carbonates."""

    hf_permeability: q.Fraction = Field(
        default=1.0, description="Share of the acid that reaches the oxide; 1 for plain carbonates."
    )
    layer_transport: q.Ratio = _default("1", "Factor on transport through the reconstructed layer.")
    dissolution: q.Fraction = Field(
        default=1.0, description="Factor on the transition metal and alkali that the layer loses."
    )
    resistance: q.AreaResistance = _default("0 ohm m^2", "Resistance of the film, in series.")


class ElectrolyteSettings(Settings):
    """An electrolyte."""

    kind: Literal["electrolyte"] = Field(description="electrolyte")
    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text.")
    hf: q.Concentration | None = Field(
        default=None, description="Concentration of hydrofluoric acid; default: from salt, water and age."
    )
    anion: Literal["PF6", "FSI"] = Field(default="PF6", description="Anion of the salt, which water attacks.")
    concentration: q.Concentration = _default("1 mol/L", "Concentration of the salt.")
    density: q.Density = _default("1.2 g/cm^3", "Density, which the water's concentration follows from.")
    water: q.Fraction = Field(default=0.0, description="Water by mass, such as 20 ppm.")
    age: q.Time = _default("30 d", "Time since water and salt met, before the first cycle.")
    cei: InterphaseSettings = Field(
        default_factory=InterphaseSettings, description="Film on the cathode; default: that of carbonates."
    )
    salt: str = Field(default="", description="Salt and solvent.")
    temperature: q.Temperature | None = Field(
        default=None, description="Temperature; default: that of the case's cycling."
    )
    source: str = Field(default="", description="Where the values are from.")
    status: Status | None = Field(default=None, description="stated, literature or estimate.")


EnvironmentSettings = GasSettings | ElectrolyteSettings


class ProtocolSettings(Settings):
    """A file under `config/protocols/`."""

    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text.")
    steps: list[str] = Field(min_length=1, description="Sentences such as `Charge at C/10 until 4.3 V`.")


# ---- case and study


def _name_or_sentences(given: object) -> str | list[str]:
    sentences = isinstance(given, list) and given and all(isinstance(s, str) for s in given)
    if sentences or (isinstance(given, str) and given):
        return given  # type: ignore[return-value]
    raise ValueError(f"{given!r} is neither the name of a protocol nor a list of sentences")


# ---- strategy

StrategyGroup = Literal[
    "electronic", "strain-phase", "interphase", "single-crystal", "environment", "defects", "cycling"
]
Lever = Literal[
    "capacity_path",
    "phase_path",
    "strength",
    "homogeneity",
    "architecture",
    "coating",
    "gradient",
    "electrolyte",
    "storage",
]
_CLASS: dict[str, Any] = {  # a word of Python, so no attribute of a class body can have this name
    "class": (str, Field(default="", description="Class of rules that its values follow, `cosubstitution`."))
}
_RuleClass: Any = create_model("_RuleClass", __base__=Settings, **_CLASS)


class StrategySettings(_RuleClass):
    """What a case stands for in a catalogue of strategies; no stage depends on it."""

    group: StrategyGroup = Field(description="Chapter of the catalogue that it belongs to.")
    reference: int | list[int] | None = Field(
        default=None, description="Number, or numbers, in the review; null for a control without one."
    )
    control: str | None = Field(
        default=None,
        description="Case it is compared with; default: the case it extends; null for a control.",
    )
    cycles: int | None = Field(
        default=None,
        ge=2,
        le=100000,
        description="Cycles after which the source states a retention; null for none.",
    )
    levers: list[Lever] = Field(default_factory=list, description="What it acts on.")

    @property
    def references(self) -> tuple[int, ...]:
        """Numbers in the review."""
        found = self.reference
        return () if found is None else (found,) if isinstance(found, int) else tuple(found)


class MeasuredSettings(Settings):
    """Measurements of the same electrode, which reports lay over the computed curves.

    No stage depends on them. Each is a csv file, relative to the project folder; lines that start with `#`
    are comments. Capacities count from the start of a half-cycle (`half_cycle` is `charge` or `discharge`).
    """

    voltage: str | None = Field(
        default=None,
        min_length=1,
        description="First cycle: columns `half_cycle`, `capacity_mAh_g`, `voltage_V`.",
    )
    xrd: str | None = Field(
        default=None,
        min_length=1,
        description="Peaks in the first cycle, one a row: columns `half_cycle`, `capacity_mAh_g`, "
        "`reflection` (such as 003), `two_theta_deg`, and `width_deg` if it is known.",
    )
    retention: str | None = Field(
        default=None, min_length=1, description="Columns `cycle`, `discharge_capacity_mAh_g`."
    )
    wavelength: q.Length = _default("1.5406 angstrom", "Wavelength of `xrd`; Cu K-alpha 1.")

    @model_validator(mode="after")
    def _is_of_x_rays(self) -> Self:
        if not 0.1e-10 <= self.wavelength <= 2.5e-10:
            given = f"{self.wavelength * 1e10:g} angstrom"
            raise ValueError(f"wavelength is {given}; allowed: 0.1 angstrom to 2.5 angstrom")
        return self


# ---- mechanisms

PhasePath = Literal["auto", "P2-O2", "P2-OP4", "P2-solid-solution", "O3-P3-O3'", "O3-P3", "O3-solid-solution"]


def _known_path(given: object) -> object:
    if given not in get_args(PhasePath):
        raise ValueError(f"'{given}' is not allowed; allowed: {', '.join(get_args(PhasePath))}")
    return given


class MechanismSettings(Settings):
    """What changes against the host, the oxide that `material` names, by rules for classes of changes.

    The rules act on what all other keys give, `material_changes` too, and by what differs from the host's own
    formula. They make the voltage and lattice tables, amounts, strength and defects that the stages use.
    They rest on estimates, which are listed at the end of this page; `explain` shows what comes out.
    """

    formula: str | None = Field(
        default=None,
        min_length=1,
        description="Formula, `Na0.9Ni0.4Fe0.1Mn0.5O2` or `Na2/3Ni1/3Mn2/3O2`; default: the host's.",
    )
    pillars: dict[str, q.Fraction] = Field(
        default_factory=dict,
        description="Ions on alkali sites, per formula unit: `{Mg: 0.05}`; moved there from the metal layer "
        "where the formula holds them, else added.",
    )
    vacancies: q.Fraction | None = Field(
        default=None,
        description="Empty sites of the metal layer, per formula unit; default: what the formula leaves.",
    )
    boundary_dopants: dict[str, q.Fraction] = Field(
        default_factory=dict,
        description="Metals gathered at grain boundaries, per formula unit: `{B: 0.02}`.",
    )
    mixing: Literal["plain", "declustered", "high_entropy"] = Field(
        default="plain", description="How evenly the metals are spread; plain is as in the host."
    )
    phase_path: Annotated[PhasePath, BeforeValidator(_known_path)] = Field(
        default="auto", description="Phases on charge; auto: the host's, changed by the rules."
    )
    lattice_change: Sourced[q.Ratio] | None = Field(
        default=None,
        description="Factor on the host's strains, where a source states it, in place of the rule's.",
    )


class CaseSettings(Settings):
    """A file under `config/cases/`, or under `config/strategies/` where it belongs to a catalogue."""

    title: str = Field(default="", description="Name for figures and tables; not inherited.")
    comment: str = Field(default="", description="Free text; not inherited.")
    extends: str | None = Field(default=None, description="Case whose keys this one takes over: its control.")
    material: str = Field(description="Name of a folder under `config/materials/`.")
    material_changes: dict[str, Any] = Field(
        default_factory=dict,
        description="Changes to the material: dotted key and value, or {value, source, status, range}.",
    )
    seeds: int = Field(
        default=1, ge=1, le=1000, description="Number of random realisations, each a case of its own."
    )
    sweep: dict[str, list[Any]] = Field(
        default_factory=dict,
        description="Dotted key and the values it takes, each a case of its own; not inherited.",
    )
    microstructure: MicrostructureSettings = Field(
        default_factory=MicrostructureSettings, description="Geometry and mesh."
    )
    defects: DefectSettings = Field(
        default_factory=DefectSettings, description="Residual strain, segregation, weak facets."
    )
    exposure: ExposureSettings = Field(
        default_factory=ExposureSettings, description="Storage before cycling."
    )
    protocol: Annotated[
        str | list[str], PlainValidator(_name_or_sentences, json_schema_input_type=str | list[str])
    ] = Field(description="Name of a file under `config/protocols/`, or a list of sentences.")
    cycles: int = Field(default=1, ge=1, le=100000, description="How often the protocol is repeated.")
    temperature: q.Temperature = _default("25 degC", "Temperature during cycling.")
    cycling: CyclingSettings = Field(default_factory=CyclingSettings, description="Transport and stress.")
    cracks: CrackSettings = Field(default_factory=CrackSettings, description="Cohesive cracks.")
    interface: InterfaceSettings = Field(
        default_factory=InterfaceSettings, description="Electrolyte that enters the cracks."
    )
    life: LifeSettings | None = Field(
        default=None, description="Many cycles, after the detailed look at the first; null for none."
    )
    measured: MeasuredSettings | None = Field(
        default=None, description="Measured curves to compare with; null for none; not inherited."
    )
    mechanisms: MechanismSettings | None = Field(
        default=None, description="What changes against the host, by rules; null for nothing."
    )
    strategy: StrategySettings | None = Field(
        default=None, description="Its place in a catalogue of strategies; null for none; not inherited."
    )


class ComparisonSettings(Settings):
    """A case against its control."""

    name: Name = Field(description="Name of the comparison.")
    case: str = Field(description="Case of this study.")
    control: str = Field(description="Case of this study it is compared with.")
    metric: str = Field(description="Key of metrics.json.")
    expect: Literal["greater", "less"] = Field(
        description="What the case's metric should be against the control's."
    )
    note: str = Field(default="", description="Why.")


class PlotSettings(Settings):
    """How figures look; no simulation depends on it."""

    colormap: str = Field(default="viridis", description="Colours of one-sided fields (matplotlib name).")
    diverging_colormap: str = Field(
        default="RdBu_r", description="Colours of signed fields (matplotlib name)."
    )
    dpi: int = Field(default=120, ge=30, le=1200, description="Resolution of figures.")

    @field_validator("colormap", "diverging_colormap")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in ("viridis", "RdBu_r"):
            from matplotlib import colormaps  # takes a while, and few ask for other colours

            if name not in colormaps:
                raise ValueError(f"matplotlib has no colormap '{name}'; it has viridis, cividis, RdBu_r, ...")
        return name


def _one_or_many(given: object) -> object:
    """A single name, or none, as a list."""
    return [] if given is None else [given] if isinstance(given, str) else given


class StudySettings(Settings):
    """A study file such as `config/config.yaml`."""

    title: str = Field(default="", description="Title for the reports.")
    comment: str = Field(default="", description="Free text.")
    results: str = Field(
        default="results", min_length=1, description="Folder for results, relative to the project folder."
    )
    cases: list[str] = Field(min_length=1, description="Names of the cases.")
    overrides: dict[str, Any] = Field(default_factory=dict, description="Case keys merged into every case.")
    seeds: int | None = Field(
        default=None, ge=1, le=1000, description="Number of seeds for every case; default: each case's own."
    )
    comparisons: list[ComparisonSettings] = Field(
        default_factory=list, description="Cases against their controls."
    )
    claims: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(
        default_factory=list,
        description="File, or files, under `config/` of claims that the study's numbers are judged by.",
    )
    thresholds: list[str] = Field(
        default_factory=list, description="Names of threshold studies under `config/thresholds/`."
    )
    gases: list[str] = Field(
        default_factory=list, description="Names of studies of gases under `config/gases/`."
    )
    rankings: list[str] = Field(
        default_factory=list, description="Names of rankings of variables under `config/rankings/`."
    )
    sensitivity: list[str] = Field(
        default_factory=list,
        description="Names of screenings of estimates under `config/sensitivity/`; "
        "run by the target `sensitivity`, not by the study.",
    )
    catalogue: str | None = Field(
        default=None, description="Name of a catalogue of strategies under `config/catalogues/`."
    )
    dislocations: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(
        default_factory=list,
        description="Name, or names, of nanoscale dislocation studies under `config/dislocations/`.",
    )
    plots: PlotSettings = Field(default_factory=PlotSettings, description="How figures look.")
    verify: bool = Field(
        default=True,
        description="Solve the verification problems too, and hold the reports back if one fails.",
    )
    backend: Literal["cpu", "gpu"] = Field(
        default="cpu",
        description="Where cracks, condensation and fine transport are solved: cpu, or gpu (NVIDIA, CuPy). "
        "Results agree to the tolerance of the solvers; a change runs nothing again.",
    )

    @field_validator("cases")
    @classmethod
    def _leave_folders_free(cls, names: list[str]) -> list[str]:
        folders = {"study", "logs", "benchmarks", "microstructures", "quick", "tiny", "verification"}
        folders |= {"dislocations", "strategies"}
        taken = sorted(folders & set(names))
        if taken:
            raise ValueError(f"{', '.join(taken)}: name of a folder under results; rename the case")
        return names

    @field_validator("results")
    @classmethod
    def _stays_inside(cls, folder: str) -> str:
        if folder.startswith(("/", "~")) or ".." in folder.split("/"):
            raise ValueError(f"'{folder}' leaves the project folder; give a folder inside it")
        if not all(letter.isalnum() or letter in "_.+-/ " for letter in folder) or len(folder) > 100:
            raise ValueError(
                f"'{folder[:100]}' is no name for a folder here; allowed: letters, digits, and _ . + - / "
                "in up to 100 places"
            )
        return folder
