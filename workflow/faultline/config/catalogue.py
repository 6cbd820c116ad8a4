"""Keys of a catalogue of strategies: which cases are compared with their controls, and how finely."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from faultline.config.models import Settings

_NOT_IN_OVERRIDES = ("strategy", "material", "extends", "seeds", "sweep", "title")


class CatalogueSettings(Settings):
    """A file under `config/catalogues/`: strategies against their controls, all seeds of each in one job.

    Strategies are the cases under `config/strategies/`; a control may lie under `config/cases/` too and runs
    even where it is not listed. All share the seeds, so that effects are differences of twins.
    """

    title: str = Field(default="", description="Name for figures and tables.")
    comment: str = Field(default="", description="Free text; reports show it.")
    strategies: list[str] | None = Field(
        default=None, min_length=1, description="Names of cases; default: all under `config/strategies/`."
    )
    seeds: int = Field(default=5, ge=1, le=1000, description="Number of random realisations of each.")
    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Case keys that go over what strategies take from `config/cases`, such as a coarser "
        "`microstructure`; what a file under `config/strategies` writes stands.",
    )
    cycles: int | None = Field(
        default=None,
        ge=2,
        le=100000,
        description="Longest life that is run; null for as long as the sources state.",
    )

    @property
    def misplaced(self) -> list[str]:
        """Keys of `overrides` that cannot be the same for all."""
        return [key for key in _NOT_IN_OVERRIDES if key in self.overrides]


def ends_of(stated: Iterable[int | None], cap: int | None) -> tuple[int, ...]:
    """Stated cycles in order, each once, none beyond the cap."""
    return tuple(sorted({min(cycles, cap or cycles) for cycles in stated if cycles is not None}))
