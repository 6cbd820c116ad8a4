"""The settings of one stage, rebuilt from the plain numbers of its slice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from faultline.config.models import (
    AgingSettings,
    CrackSettings,
    CyclingSettings,
    DefectSettings,
    ElectrolyteSettings,
    ExposureSettings,
    GasSettings,
    InterfaceSettings,
    MaterialSettings,
    MicrostructureSettings,
)
from faultline.config.protocol import Step
from faultline.errors import UserError

_ABSENT: Any = None  # a stage may rely on what its slice holds, so the types below leave None out


@dataclass(frozen=True)
class StageSettings:
    """What one stage works with; only the parts that belong to the stage are set, in SI units.

    ``environment`` and ``electrolyte`` are None where the case names none, ``shell`` where there is none;
    ``shell_thickness`` is given for a film only, as a meshed shell has its cells.
    """

    seed: int = _ABSENT
    microstructure: MicrostructureSettings = _ABSENT
    image_sha256: str | None = None
    orientation_sha256: str | None = None
    map_sha256: str | None = None
    defects: DefectSettings = _ABSENT
    exposure: ExposureSettings = _ABSENT
    environment: GasSettings | None = None
    cycling: CyclingSettings = _ABSENT
    steps: tuple[Step, ...] = _ABSENT
    cycles: int = _ABSENT
    temperature: float = _ABSENT
    cracks: CrackSettings = _ABSENT
    interface: InterfaceSettings = _ABSENT
    life: AgingSettings = _ABSENT
    electrolyte: ElectrolyteSettings | None = None
    material: MaterialSettings = _ABSENT
    shell: MaterialSettings | None = None
    shell_thickness: float | None = None
    formula: str = _ABSENT


_MODELS: dict[str, type[BaseModel]] = {
    "microstructure": MicrostructureSettings,
    "defects": DefectSettings,
    "exposure": ExposureSettings,
    "environment": GasSettings,
    "cycling": CyclingSettings,
    "cracks": CrackSettings,
    "interface": InterfaceSettings,
    "life": AgingSettings,
    "electrolyte": ElectrolyteSettings,
    "material": MaterialSettings,
    "shell": MaterialSettings,
}


def from_slice(plain: Mapping[str, Any]) -> StageSettings:
    """Typed settings from a slice of plain SI values (``slices.stage_slice``). UserError if it is not one."""
    try:
        parts = {key: _rebuilt(key, value) for key, value in plain.items()}
        return StageSettings(**parts)
    except (ValidationError, TypeError) as error:
        raise UserError(f"stage settings are not a slice of a case: {error}") from None


def _rebuilt(key: str, value: Any) -> Any:
    if key == "steps":
        return tuple(Step(**step) for step in value)
    model = _MODELS.get(key)
    return model.model_validate(value, context={"canonical": True}) if model and value is not None else value
