"""Keys of a screening: which of the estimates that no document states move a short life most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from faultline.config.estimates import Estimate
from faultline.config.models import Name, Settings
from faultline.config.sources import material_values
from faultline.config.tree import KeyPath, nearest

if TYPE_CHECKING:  # a case holds screenings, which are made of this module
    from faultline.config.case import Case

Scale = Literal["linear", "logarithmic"]
Path = tuple[str, ...]
DECADE = 10.0
_SHARED = ("microstructure", "material", "extends", "seeds", "sweep", "cycles")  # by twins
RESERVED = ("manifest",)  # files beside those of the screenings

# Estimates that belong to no material: their defaults stand in the models of a case, their ranges here alone.
SETTINGS = (
    Estimate(
        "cracks.fatigue.length_factor",
        10.0,
        "",
        "accumulated opening that wears an interface out, in separations: Roe and Siegmund (Eng. Fract. "
        "Mech. 70, 209, 2003) take a few for adhesives; brittle boundaries may last ten times as long",
        "estimate",
        (4.0, 40.0),
    ),
    Estimate(
        "cracks.fatigue.endurance",
        0.25,
        "",
        "share of the strength that is left below which cycles do no harm: a quarter in Roe and Siegmund; "
        "half of it in ceramics that hardly tire",
        "estimate",
        (0.1, 0.5),
    ),
    Estimate(
        "life.third_dimension",
        0.3,
        "",
        "blocks that touch conducting neighbours outside of the section: few where cracks run through the "
        "whole particle, most where they end nearby",
        "estimate",
        (0.05, 0.7),
    ),
    Estimate(
        "life.closed_conductance",
        0.1,
        "",
        "conductance of a failed contact that touches: share of its area that does",
        "estimate",
        (0.01, 0.5),
    ),
    Estimate(
        "life.renewal",
        40e-9,
        "m",
        "chosen so that six published retentions come out least wrong; half and twice of it do hardly worse",
        "estimate",
        (10e-9, 160e-9),
    ),
    Estimate(
        "life.tear_depth",
        20e-9,
        "m",
        "chosen with `life.renewal`; half of it, with twice that layer, does hardly worse",
        "estimate",
        (5e-9, 50e-9),
    ),
    Estimate(
        "life.film_decay",
        1e-9,
        "m",
        "layers that conduct electrons badly end a contact when they are a few nanometres thick",
        "estimate",
        (0.3e-9, 5e-9),
    ),
    Estimate(
        "life.closed_ion_conductance",
        100.0,
        "S/m^2",
        "contact spots a tenth of the area and 0.1 um apart, in oxide of 5e-5 S/m, each off by a decade",
        "estimate",
        (1.0, 1e4),
    ),
    Estimate(
        "life.contact_conductance",
        1e3,
        "S/m^2",
        "oxide of 1e-6 to 1e-4 S/m over the 1 nm to 10 nm of a boundary",
        "estimate",
        (1e2, 1e5),
    ),
    Estimate(
        "life.anode_loss",
        0.08,
        "",
        "alkali that hard carbon or graphite binds in the first cycle",
        "estimate",
        (0.05, 0.2),
    ),
)

# Values that one rule ties in the materials, so that they are wrong together.
GROUPS: dict[str, list[str]] = {
    "diffusivity": ["diffusivity.ab", "diffusivity.c"],
    "stiffness": [f"elasticity.{key}" for key in ("c11", "c12", "c13", "c33", "c44", "youngs_modulus")],
    **{
        f"{words}-{amount}": [f"interfaces.{kind}.{key}" for key in keys]
        for kind, words in (("grain_boundary", "boundary"), ("basal", "basal"), ("shell", "shell"))
        for amount, keys in (
            ("strength", ("tensile_strength", "shear_strength")),
            ("toughness", ("toughness_normal", "toughness_shear")),
        )
    },
    "left-by-air": ["air.residual_strength", "air.residual_toughness"],
    "left-by-corrosion": [f"electrolyte_corrosion.residual_{key}" for key in ("strength", "toughness")],
}


@dataclass(frozen=True)
class Parameter:
    """An estimate that is varied over its plausible range.

    Attributes:
        key: dotted, of the material, or of the case for one that is no material's.
        path: of the value within a stage's slice.
        value: of the case, SI, like `low` and `high`.
        scale: logarithmic where the range spans a decade or more.
    """

    key: str
    path: Path
    value: float
    low: float
    high: float
    unit: str
    source: str

    @property
    def scale(self) -> Scale:
        """Of the steps between both ends."""
        wide = self.low > 0 and self.high >= DECADE * self.low * (1 - 1e-9)
        return "logarithmic" if wide else "linear"


class ContrastSettings(Settings):
    """What a comparison of the case with a changed one says, wherever the estimates are in their ranges."""

    title: str = Field(min_length=1, description="Name for figures and tables: what is compared.")
    keys: dict[str, Any] = Field(min_length=1, description="Case keys of the changed case.")
    output: Literal["failed_fraction", "mean_damage", "retention"] = Field(
        default="mean_damage", description="What is compared at the end of the life."
    )
    expect: Literal["greater", "less"] = Field(
        description="What the case's output should be against that of the changed one."
    )

    @field_validator("keys")
    @classmethod
    def _share_particle_and_life(cls, keys: dict[str, Any]) -> dict[str, Any]:
        taken = [key for key in _SHARED if key in keys]
        if taken:
            raise ValueError(f"{', '.join(taken)} cannot differ between twins; write it in `overrides`")
        return keys


class SensitivitySettings(Settings):
    """A file under `config/sensitivity/`: estimates screened by what they do to a short life (Morris 1991).

    Every estimate with a plausible range that the life of the case uses takes part. Each trajectory starts
    at a random point of all ranges and moves one parameter, or one group, at a time.
    """

    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text; reports show it.")
    case: str = Field(description="Case whose estimates are varied.")
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="Case keys merged into it, such as a coarser `microstructure`."
    )
    cycles: int = Field(default=10, ge=1, le=100000, description="Cycles of the life.")
    trajectories: int = Field(
        default=6, ge=1, le=1000, description="Steps of each parameter; more add to those that are there."
    )
    seeds: int = Field(
        default=3, ge=1, le=1000, description="Random particles that the trajectories take in turn."
    )
    levels: int = Field(default=4, ge=2, le=100, description="Levels of each parameter, an even number.")
    job: int = Field(default=1, ge=1, le=1000, description="Number of trajectories that share a job.")
    only: list[str] | None = Field(
        default=None, min_length=1, description="Keys, or blocks of them, that take part; default: all."
    )
    leave_out: list[str] = Field(default_factory=list, description="Keys, or blocks, that stay as they are.")
    contrasts: dict[Name, ContrastSettings] = Field(
        default_factory=dict,
        description="Comparisons that are made anew at the first and last point of every trajectory.",
    )
    groups: dict[Name, list[str]] | None = Field(
        default=None,
        description="Keys that move together, each over its own range; default: those tied by one rule.",
    )

    @field_validator("levels")
    @classmethod
    def _is_even(cls, levels: int) -> int:
        if levels % 2:
            raise ValueError(f"{levels} is odd; steps go over half of the levels, so give an even number")
        return levels

    @property
    def jobs(self) -> tuple[tuple[int, int], ...]:
        """First and last trajectory of every job."""
        starts = range(1, self.trajectories + 1, self.job)
        return tuple((first, min(first + self.job - 1, self.trajectories)) for first in starts)


def known_parameters(case: Case, stages: Mapping[str, Any]) -> dict[str, Parameter]:
    """Estimates with a range that the stages use, by key: of material, shell and settings.

    Args:
        case: where they are from.
        stages: slices by stage.
    """
    core, shell = _of_material(case.material, "material"), _of_material(case.shell, "shell")
    found = [*core, *shell, *_of_settings()]
    used = [parameter for parameter in found if parameter.low < parameter.high and _used(parameter, stages)]
    return {parameter.key: _here(parameter, stages) for parameter in used}


def _of_material(material: Any, part: str) -> Iterator[Parameter]:
    prefix = "" if part == "material" else "shell."
    for row in material_values(material) if material is not None else ():
        if row["status"] == "estimate" and row["range"] and isinstance(row["value"], float | int):
            key, path, (low, high) = prefix + row["key"], (part, *row["key"].split(".")), row["range"]
            yield Parameter(key, path, row["value"], low, high, row["unit"], row["source"])


def _of_settings() -> Iterator[Parameter]:
    for known in SETTINGS:
        path = tuple(known.name.split("."))
        yield Parameter(known.name, path, known.value, *known.range, known.unit, known.source)


def _used(parameter: Parameter, stages: Mapping[str, Any]) -> bool:
    return any(value_at(plain, parameter.path) is not None for plain in stages.values())


def _here(parameter: Parameter, stages: Mapping[str, Any]) -> Parameter:
    """The same with the value that the stages have."""
    value = next(v for plain in stages.values() if (v := value_at(plain, parameter.path)) is not None)
    return replace(parameter, value=float(value))


def value_at(plain: Any, path: Path) -> Any:
    """Value at a path in a slice, None where the path ends early."""
    for key in path:
        if not isinstance(plain, Mapping):
            return None
        plain = plain.get(key)
    return plain


def covers(entry: str, key: str) -> bool:
    """Whether an entry of `only` or `leave_out` is a key or a block that it stands in."""
    return key == entry or key.startswith(f"{entry}.")


def chosen(settings: SensitivitySettings, known: Iterable[str]) -> list[str]:
    """Keys that take part, in the order in which they are known."""
    only, out = settings.only, settings.leave_out
    return [
        key
        for key in known
        if (only is None or any(covers(entry, key) for entry in only))
        and not any(covers(entry, key) for entry in out)
    ]


def grouped(settings: SensitivitySettings, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Keys by what moves at once: a group of two or more that take part, or a key under its own name."""
    written = GROUPS if settings.groups is None else settings.groups
    members = {name: tuple(key for key in keys if key in group) for name, group in written.items()}
    together = {name: found for name, found in members.items() if len(found) > 1}
    of_key = {key: name for name, found in together.items() for key in found}
    return {of_key.get(key, key): together.get(of_key.get(key, ""), (key,)) for key in keys}


def mistakes(settings: SensitivitySettings, known: Iterable[str]) -> Iterator[tuple[KeyPath, str]]:
    """Where something is wrong, and what: entries that name nothing, a key in two groups, too few of them."""
    known = list(known)
    for name, entries in (("only", settings.only or []), ("leave_out", settings.leave_out)):
        for i, entry in enumerate(entries):
            if not any(covers(entry, key) for key in known):
                yield (name, i), _unknown(entry, known)
    seen: dict[str, str] = {}
    for group, keys in (settings.groups or {}).items():
        if group in known:
            yield ("groups", group), "is the name of a parameter; choose another one"
        for i, key in enumerate(keys):
            if key not in known:
                yield ("groups", group, i), _unknown(key, known)
            if key in seen:
                yield ("groups", group, i), f"'{key}' stands in the group '{seen[key]}' too; keep one"
            seen[key] = group
    if len(grouped(settings, chosen(settings, known))) < 2:
        yield ((), "fewer than two parameters or groups take part; a screening compares at least two")


def _unknown(entry: str, known: Sequence[str]) -> str:
    words = "is no estimate with a range that the life of this case uses"
    return f"'{entry}' {words}{nearest(entry, known)}"
