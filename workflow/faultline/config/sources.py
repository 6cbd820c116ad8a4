"""Material values with where they come from, as rows of a table for the reports."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from faultline.config.models import Sourced
from faultline.config.validation import quantity_of


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
