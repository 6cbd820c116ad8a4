"""Settings of the nanoscale dislocation stage: a file under `config/dislocations/`.

Constants have the names that the library gives them, so that a slice is handed over as it is.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import yaml
from pydantic import Field, model_validator

from faultline import quantities as q
from faultline.config.models import Settings, Sourced
from faultline.config.sources import material_values
from faultline.provenance import ROOT

T = TypeVar("T")

ScenarioName = Literal["velocities", "dipole", "pair", "single", "burst", "cycling"]
SCENARIO_NAMES: tuple[ScenarioName, ...] = ("velocities", "dipole", "pair", "single", "burst", "cycling")

Mobility = Annotated[float, q.Quantity("a mobility", "m/s/Pa", "1.3e-18 m/(s Pa)", ge=0)]
Volume = Annotated[float, q.Quantity("a volume", "m**3", "0.034 nm^3", gt=0)]
Rate = Annotated[float, q.Quantity("a rate", "1/s", "1e13 1/s", gt=0)]
Energy = Annotated[float, q.Quantity("an energy", "J", "1.45 eV", gt=0)]
PoissonRatio = Annotated[float, q.Quantity("a Poisson ratio", "dimensionless", "0.28", ge=0, le=0.499)]
PositiveTime = Annotated[float, q.Quantity("a time", "s", "0.1 s", gt=0)]
PositiveFraction = Annotated[float, q.Quantity("a fraction", "dimensionless", "0.03 or 3 %", gt=0, le=1)]


class Constant(Sourced[T], Generic[T]):
    """A constant with where it comes from; `calibration` marks one set on a stated number."""

    status: Literal["stated", "literature", "estimate", "calibration"] | None = Field(  # type: ignore[assignment]
        default=None, description="stated, literature, estimate or calibration; required."
    )


class DislocationConstants(Settings):
    """Constants of the dynamics, and of rock salt in long cycling."""

    shear_modulus: Constant[q.Pressure] = Field(description="Shear modulus, isotropic.")
    poisson_ratio: Constant[PoissonRatio] = Field(description="Poisson's ratio.")
    burgers: Constant[q.Length] = Field(description="Length of the Burgers vector, along a.")
    layer_spacing: Constant[q.Length] = Field(description="Distance of neighbouring layers, (003).")
    core_width: Constant[q.Length] = Field(description="Width over which a core is spread.")
    glide_mobility: Constant[Mobility] = Field(description="Glide velocity over stress beyond friction.")
    climb_mobility: Constant[Mobility] = Field(
        description="Climb velocity over stress beyond friction, in a crystal without lithium."
    )
    glide_friction: Constant[q.Pressure] = Field(description="Shear stress below which nothing glides.")
    climb_friction: Constant[q.Pressure] = Field(description="Normal stress below which nothing climbs.")
    temperature: Constant[q.Temperature] = Field(description="Temperature.")
    formula_volume: Constant[Volume] = Field(description="Volume of a formula unit.")
    antisite_fraction: Constant[PositiveFraction] = Field(
        description="Sites of the Li layers open to transition metal at full lithiation."
    )
    nucleation_stress: Constant[q.Pressure] = Field(
        description="Shear stress at which a dipole forms; above `glide_friction`."
    )
    nucleation_interval: Constant[PositiveTime] = Field(description="Waiting time between nucleations.")
    capture_distance: Constant[q.Length] = Field(description="Opposite cores closer than this annihilate.")
    exit_distance: Constant[q.Length] = Field(description="A core closer to a free surface leaves.")
    wall_width: Constant[q.Length] = Field(description="Half width of the band that counts as domain wall.")
    attempt_rate: Constant[Rate] = Field(description="Attempts of a site to turn to rock salt.")
    barrier: Constant[Energy] = Field(description="Barrier of rock-salt nucleation without stress.")
    activation_volume: Constant[Volume] = Field(
        description="Volume on which tension works to lower the barrier."
    )
    site_length: Constant[q.Length] = Field(description="Length of a site along the dislocation line.")
    foil: Constant[q.Length] = Field(description="Thickness of the crystal looked through.")
    cycling_time: Constant[PositiveTime] = Field(description="Time near full charge in long cycling.")

    @model_validator(mode="after")
    def _nucleates_above_friction(self) -> Self:
        if self.nucleation_stress.value <= self.glide_friction.value:
            raise ValueError("nucleation_stress must exceed glide_friction: a new pair would not move apart")
        return self


class ScenarioSeeds(Settings):
    """How often each scenario is drawn anew."""

    velocities: int = Field(
        default=16, ge=1, le=100, description="Slabs to calibrate on, and as many others."
    )
    dipole: int = Field(default=3, ge=1, le=100, description="Runs.")
    pair: int = Field(default=3, ge=1, le=100, description="Runs.")
    burst: int = Field(default=3, ge=1, le=100, description="Runs.")


class DislocationSettings(Settings):
    """A file under `config/dislocations/`."""

    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text.")
    scenarios: list[ScenarioName] = Field(
        default=list(SCENARIO_NAMES), min_length=1, description="Situations to simulate, each a job."
    )
    seeds: ScenarioSeeds = Field(default_factory=ScenarioSeeds, description="Runs per scenario.")
    constants: DislocationConstants = Field(description="One set of constants for all scenarios.")

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        twice = sorted({name for name in self.scenarios if self.scenarios.count(name) > 1})
        if twice:
            raise ValueError(f"scenarios: {', '.join(twice)} stands twice; keep one")
        return self


@dataclass(frozen=True)
class Dislocations:
    """The dislocation file that a study names."""

    name: str
    settings: DislocationSettings

    @property
    def scenarios(self) -> list[str]:
        """Names of the scenarios to run."""
        return list(self.settings.scenarios)

    def slice(self, scenario: str) -> dict[str, Any]:
        """What a scenario uses, as plain SI values: the params of its rule."""
        constants = self.constants
        used = {name: value for name, value in constants.items() if name not in _UNUSED[scenario]}
        return {"constants": used, "seeds": getattr(self.settings.seeds, scenario, 1)}

    @property
    def constants(self) -> dict[str, float]:
        """All constants by name, SI."""
        block = self.settings.constants
        return {name: q.rounded(getattr(block, name).value) for name in type(block).model_fields}

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """All constants with unit, status, source and range, for the reports."""
        return material_values(self.settings.constants)


def shipped_constants(name: str = "linio2") -> dict[str, float]:
    """Constants of a file under `config/dislocations/` by name, SI: for problems that belong to no study."""
    written = yaml.safe_load((ROOT / "config/dislocations" / f"{name}.yaml").read_text(encoding="utf-8"))
    return Dislocations(name, DislocationSettings.model_validate(written)).constants


# The constants a scenario does not use: an edit of one of them does not run it again. The band of the wall is
# counted from stored states, and matters to the burst alone.
_ROCK_SALT = ("attempt_rate", "barrier", "activation_volume", "site_length", "foil", "cycling_time")
_NUCLEATION = ("nucleation_stress", "nucleation_interval")
_MOTION = (
    "glide_mobility", "climb_mobility", "glide_friction", "climb_friction", "formula_volume",
    "antisite_fraction", "capture_distance", "exit_distance", *_NUCLEATION,
)  # fmt: skip
_UNUSED: dict[str, tuple[str, ...]] = {
    "velocities": (*_ROCK_SALT, *_NUCLEATION, "wall_width"),
    "dipole": (*_ROCK_SALT, "wall_width"),
    "pair": (*_ROCK_SALT, "wall_width"),
    "single": (*_ROCK_SALT, "wall_width"),
    "burst": _ROCK_SALT,
    "cycling": (*_MOTION, "wall_width"),
}
