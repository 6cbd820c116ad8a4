"""Keys of a study of gases: one material stored in one gas after the other, for equal hours."""

from typing import Self

from pydantic import Field, model_validator

from faultline import quantities as q
from faultline.config.models import DryingSettings, Settings


class StorageSettings(Settings):
    """How a particle is stored and dried: what the computation depends on, beside material and gases."""

    radius: q.Length | None = Field(
        default=None, description="Radius of a sphere; it stands for `volume_over_surface: radius / 3`."
    )
    volume_over_surface: q.Length | None = Field(
        default=None, description="Of a particle of another shape; instead of `radius`."
    )
    duration: q.Time = Field(
        description="Equal time of all gases. A gas with a `stated_duration` is shown after that time too."
    )
    drying: DryingSettings | None = Field(default=None, description="Drying afterwards; null for none.")
    frames: int = Field(default=60, ge=10, le=1000, description="Number of times of the curves.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.duration == 0 or (self.drying and self.drying.duration == 0):
            raise ValueError("duration and drying.duration must be above 0; write `drying: null` for none")
        if (self.radius is None) == (self.volume_over_surface is None):
            raise ValueError("give one of `radius` (of a sphere) and `volume_over_surface`, and not both")
        return self

    @property
    def depth(self) -> float:
        """Volume over surface, m: how deep the column under a square metre of surface is."""
        if self.volume_over_surface is not None:
            return self.volume_over_surface
        assert self.radius is not None  # one of the two is given
        return self.radius / 3


class GasStudySettings(StorageSettings):
    """A file under `config/gases/`: a material in gases side by side, on one face in which its slabs end.

    All gases act on the same face for equal hours, so that only the gas differs; where a source stored for
    another time, that time is shown as well.
    """

    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text.")
    material: str = Field(description="Folder under `config/materials/`; its file needs the block `air`.")
    gases: list[str] = Field(min_length=1, description="Names of gases under `config/environments/`.")

    @model_validator(mode="after")
    def _names_each_gas_once(self) -> Self:
        twice = sorted({name for name in self.gases if self.gases.count(name) > 1})
        if twice:
            raise ValueError(f"gases: {', '.join(twice)} stands twice; keep one")
        return self

    @property
    def storage(self) -> StorageSettings:
        """What the computation depends on."""
        plain = {key: getattr(self, key) for key in StorageSettings.model_fields}
        return StorageSettings.model_validate(plain, context={"canonical": True})
