"""Material values with where they come from, as rows of a table for the reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from faultline.config.models import Sourced
from faultline.config.validation import quantity_of

if TYPE_CHECKING:  # a case holds dislocation studies, which read this module
    from faultline.config.case import Case


def material_values(material: BaseModel) -> list[dict[str, Any]]:
    """Every sourced value of a material or other block: dotted key, SI value, unit, status, source, range."""
    return list(_rows(material, ""))


def _rows(block: BaseModel, prefix: str) -> Iterator[dict[str, Any]]:
    for name, field in type(block).model_fields.items():
        value = getattr(block, name)
        if isinstance(value, Sourced):
            quantity = quantity_of(field)
            yield {
                "key": prefix + name,
                "value": value.value,
                "unit": quantity.symbol if quantity else "",
                "status": value.status,
                "source": value.source,
                "range": list(value.range) if value.range else None,
            }
        elif isinstance(value, BaseModel):
            yield from _rows(value, f"{prefix}{name}.")


def life_settings(case: Case) -> dict[str, Any] | None:
    """What a report says of a case's life, with every setting as a row; None without a life."""
    life = case.settings.life
    if life is None:
        return None
    names = ("cycles", "cell", "weakening")
    return {name: getattr(life, name) for name in names} | {
        "electrolyte": case.settings.interface.electrolyte,
        "settings": list(_setting_rows(life, "")),
    }


def _setting_rows(block: BaseModel, prefix: str) -> Iterator[dict[str, Any]]:
    """Settings that are no material's: estimated or calibrated if the description says so, else chosen."""
    for name, field in type(block).model_fields.items():
        value, words = getattr(block, name), field.description or ""
        if isinstance(value, BaseModel):
            yield from _setting_rows(value, f"{prefix}{name}.")
            continue
        quantity = quantity_of(field)
        yield {
            "key": prefix + name,
            "value": value,
            "unit": quantity.symbol if quantity else "",
            "status": next((word for word in ("estimate", "calibrated") if word in words), "choice"),
            "source": words,
            "range": None,
        }
