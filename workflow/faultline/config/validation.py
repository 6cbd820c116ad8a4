"""Pydantic's findings in the words of a user: which file and key, what is wrong, what is allowed."""

import re
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from faultline.config.tree import KeyPath, Problems, Tree, nearest
from faultline.quantities import Quantity

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], tree: Tree, problems: Problems) -> M | None:
    """The tree as a settings object; its mistakes go to ``problems`` and None comes back."""
    try:
        return model.model_validate(tree.data)
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            path = _path(error, tree.data)
            message = _message(model, error, path)
            problems.add(tree.origin(path or _spoken_of(message, tree.data)), message)
        return None


def _path(error: ErrorDetails, data: Any) -> KeyPath:
    """The error's key path, without the names pydantic adds for unions and validators."""
    path: list[str | int] = []
    for part in error["loc"]:
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        present = part in data if isinstance(data, dict) else in_list
        if present:
            data = data[part]
            path.append(part)
        elif error["type"] == "missing":
            path.append(part)
    return tuple(path)


def _spoken_of(message: str, data: Any) -> KeyPath:
    """The key at the top that a message about the whole file begins with, or quotes, where it was written."""
    words = re.findall(r"^\w+|(?<=`)\w+(?=`)", message)
    return tuple(word for word in words if isinstance(data, dict) and word in data)[:1]


def _message(model: type[BaseModel], error: ErrorDetails, path: KeyPath) -> str:
    parent, last = _model_at(model, path[:-1]), str(path[-1]) if path else ""
    given = error["input"]
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key{nearest(last, parent.model_fields if parent else ())}"
        case "missing":
            field = parent.model_fields.get(last) if parent else None
            quantity = quantity_of(field)
            wanted = quantity.expected if quantity else f"expected: {field.description}" if field else ""
            return f"is missing; {wanted}".rstrip("; ")
        case "literal_error":
            # the context quotes the allowed words: 'disc', 'platelet' or 'image'
            words = error["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            return f"'{given}' is not allowed{nearest(given, words)}"
        case "value_error":
            return str(error["ctx"]["error"])
        case "quantity":
            return error["msg"]
        case "model_type" | "model_attributes_type" | "dict_type":
            inner = _model_at(model, path)
            keys = nearest("", inner.model_fields) if inner else ""
            return f"{_shown(given)} stands where a block of keys is expected{keys}"
        case _:
            return f"{_shown(given)} is not allowed; {error['msg'][0].lower()}{error['msg'][1:]}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def quantity_of(field: Any) -> Quantity | None:
    """The physical quantity a field holds, also within a tuple, a list or ``Sourced``."""
    pending = [*getattr(field, "metadata", ()), getattr(field, "annotation", None)]
    for part in pending:
        if isinstance(part, Quantity):
            return part
        if isinstance(part, type) and issubclass(part, BaseModel):
            if "value" in part.model_fields:
                pending.append(part.model_fields["value"].annotation)
                pending.extend(part.model_fields["value"].metadata)
            continue
        pending.extend(get_args(part))
        pending.extend(getattr(part, "__metadata__", ()))
    return None


def model_of(field: Any) -> type[BaseModel] | None:
    """The settings class a field holds, if it holds one (also optional, or in a list)."""
    pending = [getattr(field, "annotation", None)]
    for part in pending:
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
        pending.extend(get_args(part))
    return None


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if current else None
        current = model_of(field) if field else None
    return current
