"""Keys of a threshold study: at which voltage a particle cracks, by the residual strain it was made with."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from faultline import quantities as q
from faultline.config.models import Settings

Arrangement = Literal["uniform", "clustered"]


def _default(text: str, description: str) -> Any:
    return Field(default=text, description=description)


class RampSettings(Settings):
    """A slow charge of particles with ever more residual strain: what its runs depend on."""

    amplitudes: list[q.Fraction] = Field(
        min_length=2, description="Amplitudes of the residual microstrain; 0 for none."
    )
    arrangements: list[Arrangement] = Field(
        default=["uniform", "clustered"],
        min_length=1,
        description="How the strain lies in the particle (`defects.microstrain.arrangement`).",
    )
    failed_fraction: q.Fraction = _default(
        "1 %", "Failed share of the interface length at which the particle counts as cracked."
    )
    stop: q.Fraction = _default("10 %", "Failed share at which a run ends: enough to draw its curve.")
    last_site_fraction: q.Fraction = Field(description="Site fraction at which a run ends at the latest.")
    steps: int = Field(
        default=80, ge=5, le=5000, description="Steps to there from the initial site fraction."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if len(set(self.amplitudes)) < len(self.amplitudes) or max(self.amplitudes) == 0:
            raise ValueError("amplitudes must differ, and one be above 0")
        if len(set(self.arrangements)) < len(self.arrangements):
            raise ValueError("arrangements must differ")
        if not 0 < self.failed_fraction < self.stop:
            raise ValueError("failed_fraction must lie above 0 and below stop")
        return self


class ThresholdSettings(RampSettings):
    """A file under `config/thresholds/`: one particle, charged slowly, with ever more residual microstrain.

    The composition is even throughout and falls along the open-circuit voltage (the limit of a slow charge).
    All amplitudes and arrangements of a seed share grains and facet strengths. An amplitude is the root mean
    square, over the section and over directions, of the residual normal strain: every realisation is scaled
    to hold it exactly.
    """

    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text.")
    case: str = Field(description="Case whose material, particle, defects and crack settings are used.")
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="Case keys merged into it, such as `microstructure`."
    )
    seeds: int = Field(default=20, ge=1, le=1000, description="Number of random realisations.")
    group: int = Field(default=5, ge=1, le=1000, description="Number of seeds that share a job.")

    @property
    def ramp(self) -> RampSettings:
        """What the runs depend on."""
        return RampSettings(**{key: getattr(self, key) for key in RampSettings.model_fields})

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Seeds by job."""
        seeds = tuple(range(1, self.seeds + 1))
        return tuple(seeds[i : i + self.group] for i in range(0, self.seeds, self.group))
