"""Keys of a ranking: which of several variables moves the cracks of a particle most, from end to end."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from faultline.config.models import Name, Settings, Status

End = Literal["low", "high"]
ENDS: tuple[End, End] = ("low", "high")
_NOT_OF_AN_END = ("microstructure", "material", "extends", "seeds", "sweep", "cycles", "life")


class VariableSettings(Settings):
    """One variable, from its good end to its bad end as a user would meet them; the rest stays as it is."""

    title: str = Field(min_length=1, description="Name for figures and tables.")
    low: dict[str, Any] = Field(
        description="Case keys at the good end; their `title` says in words and units what it is."
    )
    high: dict[str, Any] = Field(description="Case keys at the bad end, with a `title` too.")
    source: str = Field(min_length=1, description="Where the two ends are from.")
    status: Status = Field(description="stated, literature or estimate.")
    note: str = Field(default="", description="What of the variable the model leaves out; reports show it.")

    @field_validator("low", "high")
    @classmethod
    def _is_an_end(cls, keys: dict[str, Any]) -> dict[str, Any]:
        taken = [key for key in _NOT_OF_AN_END if key in keys]
        if taken:
            raise ValueError(
                f"{', '.join(taken)} cannot differ between ends, which share particle and life; write it in "
                "the ranking's `overrides`, and `cycles` and `seeds` beside them"
            )
        title = keys.get("title")
        if not isinstance(title, str) or not title.strip():
            raise ValueError("title is missing; say in words and units what this end is, `2 h at 30 %`")
        return keys

    @model_validator(mode="after")
    def _has_two_ends(self) -> Self:
        low, high = ({k: v for k, v in end.items() if k != "title"} for end in (self.low, self.high))
        if low == high:
            raise ValueError("low and high hold the same keys; a variable needs two ends")
        if self.low["title"] == self.high["title"]:
            raise ValueError("low and high have the same title; say in each what it is")
        return self


class RankingSettings(Settings):
    """A file under `config/rankings/`: variables ranked by what each does to the cracks of a short life.

    Each is moved from its low to its high end while all others stay as in the case. All runs of a seed share
    grains and facet strengths, so that effects are differences of twins.
    """

    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text; reports show it.")
    case: str = Field(description="Case that all ends change.")
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="Case keys merged into it, such as a coarser `microstructure`."
    )
    cycles: int = Field(default=20, ge=1, le=100000, description="Cycles of the life; cracks are its last.")
    seeds: int = Field(default=5, ge=2, le=1000, description="Number of random realisations.")
    group: int = Field(default=1, ge=1, le=1000, description="Number of seeds that share a job.")
    variables: dict[Name, VariableSettings] = Field(min_length=2, description="Variables by name.")

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Seeds by job."""
        seeds = tuple(range(1, self.seeds + 1))
        return tuple(seeds[i : i + self.group] for i in range(0, self.seeds, self.group))
