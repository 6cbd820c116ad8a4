"""YAML files as trees that remember where every value was written, and the list of mistakes found in them."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from faultline.errors import UserError

KeyPath = tuple[str | int, ...]
_MOST_NODES = 100_000  # far above any real file; stops nested aliases from growing without end
_DEEPEST = 50  # levels; real files have seven, and the C parser overflows its stack at some 50 000
_MOST_MISTAKES = 500
_LARGEST_INTEGER = 10**18
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Origin:
    """Where a value was written: file (relative to the project), line, and key path in that file."""

    file: str
    line: int | None = None
    path: KeyPath = ()

    @property
    def key(self) -> str:
        """The key as a user would say it: ``microstructure.grains.count``, ``cases[2]``."""
        return dotted(self.path)

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


def dotted(path: Iterable[str | int]) -> str:
    """Key path as one word."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass
class Problems:
    """Mistakes collected over all files, reported together."""

    lines: dict[str, None] = field(default_factory=dict)

    def add(self, origin: Origin, message: str) -> None:
        """Note a mistake once, however many cases share it, on one line that any terminal can show."""
        key = f"{origin.key}: " if origin.key else ""
        self.lines.setdefault(_printable(f"{origin}: {key}{message}"))
        if len(self.lines) >= _MOST_MISTAKES:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Raise one UserError with every mistake on its own line; of very many the first."""
        if self.lines:
            count = len(self.lines)
            many = f"at least {count} mistakes" if count >= _MOST_MISTAKES else f"{count} mistakes"
            title = f"{'1 mistake' if count == 1 else many} in the configuration:"
            raise UserError("\n".join([title, *(f"  {line}" for line in self.lines)]))


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def nearest(word: object, allowed: Iterable[str]) -> str:
    """The ending "; allowed: a, b; did you mean b?" of a message."""
    names = sorted(allowed)
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    listed = f"; allowed: {', '.join(names)}" if names else ""
    return listed + (f"; did you mean {close[0]}?" if close else "")


@dataclass(frozen=True)
class Tree:
    """Nested dictionaries and lists from YAML, with the origin of every key path."""

    data: dict[str, Any]
    origins: Mapping[KeyPath, Origin]

    def origin(self, path: Sequence[str | int]) -> Origin:
        """Origin of a key path; of a missing key, what its file and line would be."""
        for length in range(len(path), -1, -1):
            known = self.origins.get(tuple(path[:length]))
            if known is not None:
                return Origin(known.file, known.line, known.path + tuple(path[length:]))
        raise KeyError(path)

    def without(self, *keys: str) -> "Tree":
        """The tree less some top-level keys."""
        return Tree(
            {key: value for key, value in self.data.items() if key not in keys},
            {path: origin for path, origin in self.origins.items() if not path or path[0] not in keys},
        )

    def branch(self, key: str) -> "Tree":
        """The block under a top-level key as a tree of its own (empty if absent)."""
        inner = {path[1:]: origin for path, origin in self.origins.items() if path[:1] == (key,)}
        return Tree(self.data.get(key) or {}, inner or {(): self.origin((key,))})

    def replaced(self, path: Sequence[str], value: Any, origin: Origin) -> "Tree":
        """The tree with one value set, blocks on the way made where they are missing."""
        nested, origins = value, dict(_origins_below(value, tuple(path), origin))
        for length in range(len(path) - 1, -1, -1):
            nested = {path[length]: nested}
            origins[tuple(path[:length])] = origin
        return merge(self, Tree(nested, origins), replace_at=tuple(path))


def _origins_below(value: Any, path: KeyPath, origin: Origin) -> Iterator[tuple[KeyPath, Origin]]:
    yield path, origin
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _origins_below(inner, (*path, key), origin)


def merge(base: Tree, child: Tree, replace_at: KeyPath | None = None) -> Tree:
    """Child over base: blocks are merged key by key; all else, and what is at ``replace_at``, is replaced.

    A block that both have keeps the base's origin: what it lacks is missing there.
    """
    replaced: set[KeyPath] = set()

    def over(old: Any, new: Any, path: KeyPath) -> Any:
        if isinstance(old, dict) and isinstance(new, dict) and path != replace_at:
            return old | {key: over(old.get(key), value, (*path, key)) for key, value in new.items()}
        replaced.add(path)
        return new

    def is_replaced(path: KeyPath) -> bool:
        return any(path[:length] in replaced for length in range(len(path) + 1))

    data = over(base.data, child.data, ())
    kept = {path: origin for path, origin in base.origins.items() if not is_replaced(path)}
    return Tree(data, kept | {path: origin for path, origin in child.origins.items() if is_replaced(path)})


def read_yaml(path: Path, shown: str, problems: Problems) -> Tree | None:
    """Read a YAML file safely; duplicate keys, loops and anything but a mapping are mistakes."""
    top = Origin(shown)
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text, shown)
        node = yaml.compose(text, Loader=_Loader)
        builder = _Builder(shown)
        data = builder.build(node, ())
    except (OSError, UnicodeDecodeError) as error:
        problems.add(top, f"cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'})")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        problems.add(Origin(shown, line), f"not valid YAML: {error.problem or error.context}")
        return None
    except yaml.YAMLError as error:
        problems.add(top, f"not valid YAML: {str(error).splitlines()[0]}")
        return None
    except _Mistake as mistake:
        problems.add(mistake.origin, str(mistake))
        return None
    if not isinstance(data, dict):
        problems.add(top, "holds no keys; expected lines such as `title: My study`")
        return None
    return Tree(data, builder.origins)


class _Mistake(Exception):
    def __init__(self, origin: Origin, message: str) -> None:
        super().__init__(message)
        self.origin = origin


def _check_depth(text: str, file: str) -> None:
    """Refuse what is nested too deeply: a stream of events needs no stack, what is made of it does."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _Mistake(
                Origin(file, event.start_mark.line + 1), f"nested too deeply; allowed: {_DEEPEST} levels"
            )


class _Builder:
    """Turns YAML nodes into plain data and notes the line of every key."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.origins: dict[KeyPath, Origin] = {(): Origin(file)}
        self._open: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def build(self, node: Any, path: KeyPath) -> Any:
        if node is None:
            return None
        origin = Origin(self.file, node.start_mark.line + 1, path)
        if id(node) in self._open or len(self.origins) > _MOST_NODES:
            raise _Mistake(origin, "the aliases (&, *) form a loop or grow without end")
        if path:
            self.origins.setdefault(path, origin)
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise _Mistake(origin, f"the tag {node.tag} is not read; write a plain value")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, origin)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Mistake(Origin(self.file, key_node.start_mark.line + 1, path), "a key must be a word")
            key = key_node.value
            origin = Origin(self.file, key_node.start_mark.line + 1, (*path, key))
            if key == "<<":
                raise _Mistake(origin, "merge keys are not read; use `extends` in the case")
            if key in data:
                raise _Mistake(origin, "the key stands twice in this block; keep one")
            self.origins[(*path, key)] = origin
            data[key] = self.build(value_node, (*path, key))
        return data

    def _scalar(self, node: Any, origin: Origin) -> Any:
        if node.tag.endswith(":timestamp"):  # a title may look like a date
            return node.value
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError) as error:  # a tag that the text does not suit
            reason = str(error).splitlines()[0] if str(error) else "empty"
            raise _Mistake(origin, f"'{node.value[:60]}' cannot be read ({reason})") from None
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            raise _Mistake(origin, f"'{node.value[:60]}' is too large a number")
        return value
