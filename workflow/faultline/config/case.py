"""A study and its cases, with every name resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from faultline.config.catalogue import CatalogueSettings
from faultline.config.claims import ClaimSettings
from faultline.config.dislocations import Dislocations
from faultline.config.gases import GasStudySettings
from faultline.config.models import (
    CaseSettings,
    CohesiveSettings,
    ElectrolyteSettings,
    GasSettings,
    LatticeTable,
    MaterialSettings,
    StudySettings,
)
from faultline.config.protocol import Step
from faultline.config.rankings import RankingSettings
from faultline.config.sensitivity import Parameter, SensitivitySettings
from faultline.config.thresholds import ThresholdSettings
from faultline.config.tree import KeyPath, Origin, nearest
from faultline.errors import UserError

MILD_INTERLAYER_CHANGE = 0.05  # above it cracks and glide relieve stress within a step: two-way
Coupling = Literal["one_way", "two_way"]


@dataclass(frozen=True)
class Case:
    """One simulation: settings, the materials and environments it names, and where each value was written."""

    id: str
    name: str
    seed: int
    control: str | None
    """Id of the case that this one extends, at the same seed, where it belongs to the study."""
    settings: CaseSettings
    material: MaterialSettings
    shell: MaterialSettings | None
    environment: GasSettings | None
    electrolyte: ElectrolyteSettings | None
    steps: tuple[Step, ...]
    image_sha256: str | None
    orientation_sha256: str | None
    """Hash of the table of measured orientations, where there is one."""
    map_sha256: str | None
    """Hash of the measured map of microstrain, where there is one."""
    measured_sha256: Mapping[str, str]
    """Hashes of the files under `measured`, by key."""
    origins: Mapping[str, Mapping[KeyPath, Origin]]
    """Origins by part: "case", "material", "shell", "environment", "electrolyte", "protocol"."""

    @cached_property
    def interlayer_change(self) -> float:
        """Largest change of the slab spacing in the lattice table, relative to the initial state."""
        return interlayer_change(self.material.lattice, self.material.initial_site_fraction.value)

    @property
    def shell_bond(self) -> CohesiveSettings | None:
        """What holds a meshed shell: as the shell's own material says, or else the core's."""
        known = (part.interfaces for part in (self.shell, self.material) if part and part.interfaces)
        return next((interfaces.shell for interfaces in known if interfaces.shell), None)

    @property
    def bonds(self) -> dict[str, CohesiveSettings]:
        """Cohesive laws that are known, by kind of interface."""
        own = self.material.interfaces
        laws = {kind: getattr(own, kind, None) for kind in ("grain_boundary", "basal")}
        return {kind: law for kind, law in {**laws, "shell": self.shell_bond}.items() if law}

    @property
    def coupling(self) -> Coupling:
        """Whether cracks evolve after the run or inside each step."""
        chosen = self.settings.cycling.coupling
        if chosen != "auto":
            return chosen
        return "two_way" if self.interlayer_change > MILD_INTERLAYER_CHANGE else "one_way"

    @property
    def coupling_reason(self) -> str:
        """Why, in words."""
        if self.settings.cycling.coupling != "auto":
            return "as set in the case"
        side = "above" if self.coupling == "two_way" else "not above"
        return (
            f"auto: the interlayer distance changes by {100 * self.interlayer_change:.1f} %, "
            f"{side} {100 * MILD_INTERLAYER_CHANGE:.0f} %"
        )


def interlayer_change(table: LatticeTable, initial_site_fraction: float) -> float:
    """Span of the slab spacing over the table, relative to its value nearest the initial site fraction."""
    spacing = table.slab_spacing
    start = min(range(len(spacing)), key=lambda i: abs(table.site_fraction[i] - initial_site_fraction))
    return (max(spacing) - min(spacing)) / spacing[start]


@dataclass(frozen=True)
class Threshold:
    """A threshold study and the case whose particle it cracks, with the study's overrides."""

    name: str
    settings: ThresholdSettings
    case: Case


@dataclass(frozen=True)
class GasStudy:
    """A study of gases with the material and the gases that it names, in its order."""

    name: str
    settings: GasStudySettings
    material: MaterialSettings
    gases: Mapping[str, GasSettings]


@dataclass(frozen=True)
class Ranking:
    """A ranking and the case at each end of its variables: `ends[variable]["low"]`."""

    name: str
    settings: RankingSettings
    ends: Mapping[str, Mapping[str, Case]]


@dataclass(frozen=True)
class Sensitivity:
    """A screening, its case, the parameters that move at once, by group or key, and its changed cases."""

    name: str
    settings: SensitivitySettings
    case: Case
    factors: Mapping[str, tuple[Parameter, ...]]
    contrasts: Mapping[str, Case]


@dataclass(frozen=True)
class Strategy:
    """A case of a catalogue, with the catalogue's overrides, of which one seed stands for all."""

    name: str
    case: Case
    control: str | None
    """Name of the strategy of the same catalogue that it is compared with."""
    end: int | None
    """Cycle at which its own retention is looked at; None for the first cycle alone."""
    ends: tuple[int, ...]
    """Cycles at which its life is looked at: its own end and those of all that it is the control of."""


@dataclass(frozen=True)
class Catalogue:
    """A catalogue with its strategies and their controls by name."""

    name: str
    settings: CatalogueSettings
    strategies: Mapping[str, Strategy]


@dataclass(frozen=True)
class Study:
    """A study file with all its cases."""

    settings: StudySettings
    file: str
    root: Path
    cases: tuple[Case, ...]
    claims: tuple[ClaimSettings, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    dislocations: tuple[Dislocations, ...] = ()
    gases: tuple[GasStudy, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    catalogue: Catalogue | None = None
    sensitivities: tuple[Sensitivity, ...] = ()

    @property
    def results(self) -> Path:
        """Results folder, relative to the project folder."""
        return Path(self.settings.results)

    def case(self, case_id: str) -> Case:
        """The case with this id; UserError with the nearest id otherwise."""
        by_id = {case.id: case for case in self.cases}
        if case_id not in by_id:
            raise UserError(f"{self.file}: cases: there is no case '{case_id}'{nearest(case_id, by_id)}")
        return by_id[case_id]

    def ids_of(self, name: str) -> tuple[str, ...]:
        """Ids of all seeds (and sweep members) of a case named in the study."""
        return tuple(case.id for case in self.cases if case.name == name)
