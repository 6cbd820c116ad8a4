"""Claims: what a document states, beside the number of the study that answers it.

A claim says of itself what agreement is worth. `input`: put in by hand, so it must agree. `calibration`: a
constant was fitted to it. `prediction`: a number that nothing was fitted to. `ordering`: a sign, as of a case
against its control. `possible`: the situation was set up so that it can arise;
the constants allow it. `not_modelled`: left out, with the reason.
Rates of success count predictions and
orderings only. A tolerance is one of few classes, fixed for all claims, and never a number of one claim.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, Field, PlainValidator, model_validator

from faultline.config.models import Name, Settings, Sourced
from faultline.config.tree import Problems, Tree, nearest
from faultline.config.validation import quantity_of, validate

if TYPE_CHECKING:  # a study holds claims
    from faultline.config.case import Case
    from faultline.config.dislocations import Dislocations

Kind = Literal["input", "calibration", "prediction", "ordering", "possible", "not_modelled"]
Tolerance = Literal["retention", "strain", "capacity", "voltage", "velocity", "time", "ordering", "exists"]
Sense = Literal["greater", "less"]

MANY_CLAIMS = 20  # below it one in ten is less than two
MOST_NOT_MODELLED = 0.1  # share of all claims
_SENSES: tuple[Sense, ...] = get_args(Sense)
_NEEDS_REASON = ("input", "calibration", "possible", "not_modelled")
_NUMERIC = tuple(name for name in get_args(Tolerance) if name != "ordering")

# what names a computed number, and what may be added to it
_FORMS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"case", "metric"}), frozenset({"expect"})),
    (frozenset({"case", "control", "metric", "expect"}), frozenset()),
    (frozenset({"case", "parameter"}), frozenset({"at", "expect"})),
    (frozenset({"dislocations", "statistic"}), frozenset({"expect"})),
    (frozenset({"dislocations", "statement"}), frozenset()),
    (frozenset({"dislocations", "parameter"}), frozenset()),
    (frozenset({"thresholds", "statistic"}), frozenset({"expect"})),
    (frozenset({"gases", "statistic"}), frozenset({"expect"})),
    (frozenset({"strategy", "quantity"}), frozenset({"cycles", "expect"})),
    (frozenset({"strategy", "quantity", "against", "expect"}), frozenset({"cycles"})),
    (frozenset({"strategy", "parameter"}), frozenset({"at", "expect"})),
)
_FORMS_SHOWN = (
    "{case, metric}, {case, control, metric, expect: greater or less}, {case, parameter}, "
    "{dislocations, statistic}, {dislocations, statement}, {dislocations, parameter}, "
    "{thresholds, statistic}, {gases, statistic}, {strategy, quantity}, "
    "{strategy, quantity, against: control, expect: greater or less}, {strategy, parameter}"
)

Expectation = Sense | dict[Sense, float | str]


def _expectation(given: object) -> Expectation:
    if isinstance(given, str) and given in _SENSES:
        return given
    if isinstance(given, dict) and len(given) == 1:
        ((sense, bound),) = given.items()
        if sense in _SENSES and isinstance(bound, int | float | str) and not isinstance(bound, bool):
            return {sense: bound if isinstance(bound, str) else float(bound)}
    raise ValueError(
        f"{given!r} is not allowed; allowed: greater, less (than the control), or {{greater: bound}}, "
        "{less: bound} with a number in the claim's unit or the name of another statistic or metric"
    )


class ComputedSettings(Settings):
    """Where the study's number is found: exactly one form."""

    case: str | None = Field(default=None, description="Name of a case; its seeds are taken together.")
    control: str | None = Field(default=None, description="Case that it is compared with, seed by seed.")
    metric: str | None = Field(default=None, description="Key of metrics.json.")
    parameter: str | None = Field(
        default=None,
        description="A number put in: dotted key of the case's material, such as `lattice.slab_spacing`, of "
        "its shell, `shell.diffusivity.ab`, of the case itself, `microstructure.radius`, or a constant of a "
        "dislocations run.",
    )
    at: float | None = Field(
        default=None, ge=0, le=1, description="Site fraction at which a column of a table is read."
    )
    dislocations: str | None = Field(default=None, description="Run of the dislocations stage.")
    thresholds: str | None = Field(default=None, description="Name of a study of crack thresholds.")
    gases: str | None = Field(default=None, description="Name of a study of gases.")
    strategy: str | None = Field(default=None, description="Name of a case of the catalogue of strategies.")
    quantity: str | None = Field(default=None, description="Name of one of the catalogue's quantities.")
    against: Literal["control"] | None = Field(
        default=None, description="`control`: the strategy less its control, seed by seed."
    )
    cycles: int | None = Field(
        default=None,
        ge=1,
        description="Cycles that the stated number refers to; a shorter life has no answer.",
    )
    statistic: str | None = Field(default=None, description="Name of one of its statistics.")
    statement: str | None = Field(
        default=None, description="Name of one of its statements, 1 if it holds there: for `exists`."
    )
    expect: (
        Annotated[Expectation, PlainValidator(_expectation, json_schema_input_type=Expectation)] | None
    ) = Field(
        default=None,
        description="Ordering: `greater` or `less` than the control, or `{greater: bound}`, `{less: bound}`.",
    )
    deterministic: bool = Field(
        default=False,
        description="The number has no random part, so a single one is enough to judge an ordering by.",
    )

    @property
    def sense(self) -> Sense | None:
        """Direction that is expected."""
        return next(iter(self.expect)) if isinstance(self.expect, dict) else self.expect

    @property
    def bound(self) -> float | str | None:
        """What the number is compared with: a number in the claim's unit, or the name of another one."""
        return next(iter(self.expect.values())) if isinstance(self.expect, dict) else None

    @property
    def shown(self) -> str:
        """Where the number is from, in few words."""
        if self.case:
            return f"{self.case} against {self.control}" if self.control else self.case
        if self.strategy:
            return f"{self.strategy} against its control" if self.against else self.strategy
        kind, name = self.run
        return f"{kind}: {name}"

    @property
    def run(self) -> tuple[str, str]:
        """Kind and name of the run, or study of its own, whose statistics are read."""
        runs = {"dislocations": self.dislocations, "thresholds": self.thresholds, "gases": self.gases}
        return next((kind, name) for kind, name in runs.items() if name)

    @model_validator(mode="after")
    def _is_one_form(self) -> Self:
        given = {key for key in self.model_fields_set if getattr(self, key) is not None} - {"deterministic"}
        if not any(needed <= given <= needed | optional for needed, optional in _FORMS):
            keys = ", ".join(sorted(given)) or "nothing"
            raise ValueError(f"{keys} together name no number; allowed: {_FORMS_SHOWN}")
        compared = self.control is not None or self.against is not None
        if not compared and self.expect is not None and self.bound is None:
            raise ValueError(f"expect: {self.expect} than what? Write {{{self.expect}: bound}}")
        if compared and self.bound is not None:
            raise ValueError(f"expect: the control is the bound; write {self.sense}")
        if self.parameter is not None and isinstance(self.bound, str):
            raise ValueError(f"expect: '{self.bound}' is not allowed; a parameter is held against a number")
        return self


class ClaimSettings(Settings):
    """One claim."""

    id: Name = Field(description="Name of the claim.")
    source: str = Field(min_length=1, description="Where it is stated: document, section, DOI.")
    statement: str = Field(min_length=1, description="The statement in one sentence of our own.")
    quantity: str = Field(min_length=1, description="What the number is.")
    unit: str = Field(default="", description="Unit of all numbers of the claim; none for a plain number.")
    stated: float | None = Field(
        default=None, description="The stated number; 1 (yes) or 0 (no) where the tolerance is `exists`."
    )
    spread: float | None = Field(
        default=None, gt=0, description="Stated spread of a velocity (half a range, or a deviation)."
    )
    kind: Kind = Field(description="What an agreement is worth.")
    tolerance: Tolerance | None = Field(
        default=None,
        description="Class: retention (10 points), strain (25 %), capacity (10 %), voltage (25 %), velocity "
        "(the stated spread, else 25 %), time (25 %), ordering (sign, above the spread over seeds), exists "
        "(yes or no).",
    )
    computed: ComputedSettings | None = Field(default=None, description="Where the study's number is found.")
    why: str = Field(
        default="",
        description="Reason for the kind; required for input, calibration, possible and not_modelled.",
    )
    miss: str = Field(
        default="",
        description="Why the model does not give what is stated: what is left out, or what the source does "
        "not state. One to three sentences, written after a miss; it changes no verdict.",
    )

    @model_validator(mode="after")
    def _agrees_with_its_kind(self) -> Self:
        wrong = list(self._contradictions())
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _contradictions(self) -> Iterable[str]:
        if self.kind in _NEEDS_REASON and not self.why.strip():
            yield f"why: is missing; kind {self.kind} needs a reason"
        if self.kind == "not_modelled":
            if self.miss:
                yield "miss: is for what was computed; the reason of kind not_modelled stands in `why`"
            if self.computed or self.tolerance:
                yield "kind: not_modelled has neither `computed` nor `tolerance`; remove them"
            return
        if self.computed is None or self.tolerance is None:
            missing = "computed" if self.computed is None else "tolerance"
            yield f"{missing}: is missing; only kind not_modelled has none"
            return
        yield from self._tolerance_contradictions(self.computed, self.tolerance)

    def _tolerance_contradictions(self, computed: ComputedSettings, tolerance: Tolerance) -> Iterable[str]:
        if (self.kind == "ordering") and tolerance != "ordering":
            yield f"tolerance: kind ordering cannot have the class {tolerance}; allowed: ordering"
        if self.kind == "prediction" and tolerance == "ordering":
            yield f"tolerance: kind prediction cannot have the class ordering; allowed: {', '.join(_NUMERIC)}"
        if (tolerance == "ordering") != (computed.expect is not None):
            yield "tolerance: the class ordering and `computed.expect` go together; give both or neither"
        if tolerance in _NUMERIC and self.stated is None:
            yield f"stated: is missing; the class {tolerance} needs a number"
        if tolerance == "exists" and self.stated not in (None, 0, 1):
            yield f"stated: {self.stated:g} is not allowed; allowed: 1 (yes), 0 (no)"
        if tolerance == "retention" and self.unit != "%":
            yield f"unit: '{self.unit}' is not allowed; the class retention counts points of %"
        if self.spread is not None and tolerance != "velocity":
            yield "spread: is read for the class velocity only; remove it"
        if computed.statement is not None and tolerance != "exists":
            yield f"tolerance: {tolerance} is not allowed for a statement; allowed: exists"
        if computed.parameter is not None and self.kind != "input":
            yield f"kind: {self.kind} is not allowed for a parameter; a number put in is an input"


class ClaimsFile(Settings):
    """A file such as `config/claims.yaml`."""

    comment: str = Field(default="", description="Free text.")
    claims: list[ClaimSettings] = Field(min_length=1, description="The claims.")


@dataclass(frozen=True)
class Known:
    """Names that claims may use; None where any name is allowed."""

    cases: Collection[str] | None = None
    dislocations: Collection[str] | None = None
    thresholds: Collection[str] | None = None
    gases: Collection[str] | None = None
    strategies: Collection[str] | None = None


def read_claims(trees: Sequence[Tree], known: Known, problems: Problems) -> list[tuple[ClaimSettings, ...]]:
    """The claims of each file; every mistake goes to `problems`, within claims and across all of them."""
    files = [(tree, _entries(tree)) for tree in trees]
    for tree, entries in files:
        _check_names(entries, tree, known, problems)
    _check_twins(files, problems)
    _check_left_out(files, problems)
    read = [validate(ClaimsFile, tree, problems) for tree in trees]
    return [tuple(settings.claims) if settings else () for settings in read]


def _entries(tree: Tree) -> list[Any]:
    given = tree.data.get("claims")
    return given if isinstance(given, list) else []


def left_out(kinds: Iterable[str]) -> float:
    """Share of claims of the kind not_modelled."""
    counts = Counter(kinds)
    return counts["not_modelled"] / max(counts.total(), 1)


def given_values(
    claims: Iterable[ClaimSettings],
    cases: "Iterable[Case]",
    dislocations: "Iterable[Dislocations]" = (),
    strategies: "Iterable[Case]" = (),
) -> dict[str, tuple[float, str]]:
    """Numbers put in, SI value and unit by claim id; a claim on what is not among these has none."""
    holders = _holders(cases, dislocations, strategies)
    asked = {claim.id: claim.computed for claim in claims if claim.computed and claim.computed.parameter}
    return {
        name: _parameter(holders[where], str(computed.parameter), computed.at)
        for name, computed in asked.items()
        if (where := _holder(computed)) in holders
    }


def check_parameters(
    claims: Iterable[ClaimSettings],
    cases: "Iterable[Case]",
    dislocations: "Iterable[Dislocations]",
    tree: Tree,
    problems: Problems,
    strategies: "Iterable[Case]" = (),
) -> None:
    """Note claims that name a parameter which their case, or their run, does not have."""
    holders = _holders(cases, dislocations, strategies)
    for i, claim in enumerate(claims):
        computed = claim.computed
        if computed is None or computed.parameter is None:
            continue
        holder = holders.get(_holder(computed))
        try:
            if holder is not None:
                _parameter(holder, computed.parameter, computed.at)
        except ValueError as error:
            problems.add(tree.origin(("claims", i, "computed", "parameter")), str(error))


_Holder = tuple[str, str | None]


def _holder(computed: ComputedSettings) -> _Holder:
    """What holds the parameter: kind and name."""
    kinds = ("case", "strategy", "dislocations")
    return next((kind, name) for kind in kinds if (name := getattr(computed, kind)) is not None)


def _holders(
    cases: "Iterable[Case]", dislocations: "Iterable[Dislocations]", strategies: "Iterable[Case]"
) -> dict[_Holder, tuple[BaseModel | None, ...]]:
    """Blocks that hold numbers put in, the first that has a key counts; of seeds the first one."""
    found: dict[_Holder, tuple[BaseModel | None, ...]] = {}
    for kind, members in (("case", cases), ("strategy", strategies)):
        for case in reversed(list(members)):
            found[kind, case.name] = (case.material, case.settings, case.shell)
    return found | {("dislocations", run.name): (run.settings.constants,) for run in dislocations}


def _parameter(holder: tuple[BaseModel | None, ...], key: str, at: float | None) -> tuple[float, str]:
    """SI value and unit of a value, or of a table's column at a site fraction (linear between)."""
    *path, last = key.split(".")
    block: Any
    if path[:1] == ["shell"] and len(holder) > 1:
        block, path = holder[-1], path[1:]
    else:
        first = (path or [last])[0]
        written = (block for block in holder if block and first in type(block).model_fields)
        block = next(written, holder[0])
    for part in path:
        block = _member(block, part, key)
    value = _member(block, last, key)
    quantity = quantity_of(type(block).model_fields[last]) if isinstance(block, BaseModel) else None
    unit = quantity.symbol if quantity else ""
    if isinstance(value, Sourced):
        value = value.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), unit
    column = value if isinstance(value, list) else []
    if column and at is not None and all(isinstance(entry, float) for entry in column):
        return float(np.interp(at, block.site_fraction, column)), unit
    raise ValueError(f"'{key}' is neither a value nor a column of numbers read `at` a site fraction")


def _member(block: Any, name: str, key: str) -> Any:
    if isinstance(block, Mapping) and name in block:
        return block[name]
    fields = type(block).model_fields if isinstance(block, BaseModel) else {}
    if name not in fields or getattr(block, name) is None:
        present = [field for field in fields if getattr(block, field) is not None]
        raise ValueError(f"there is no '{key}' here{nearest(name, present)}")
    return getattr(block, name)


# ---- across claims, on what was written, so that one mistake does not hide another


def _check_names(entries: list[Any], tree: Tree, known: Known, problems: Problems) -> None:
    folders = {
        "case": known.cases,
        "control": known.cases,
        "dislocations": known.dislocations,
        "thresholds": known.thresholds,
        "gases": known.gases,
        "strategy": known.strategies,
    }
    for i, entry in enumerate(entries):
        computed = entry.get("computed") if isinstance(entry, Mapping) else None
        for key, names in folders.items():
            named = computed.get(key) if isinstance(computed, Mapping) else None
            if isinstance(named, str) and names is not None and not _is_known(named, names):
                where = tree.origin(("claims", i, "computed", key))
                what = "case" if key == "control" else key
                problems.add(where, f"there is no {what} '{named}'{nearest(named, names)}")


def _is_known(name: str, names: Collection[str]) -> bool:
    """Whether this is one of the names, or a member of its sweep."""
    return name in names or any(re.match(rf"{re.escape(known)}\.", name) for known in names)


def _check_twins(files: Iterable[tuple[Tree, list[Any]]], problems: Problems) -> None:
    seen: set[str] = set()
    for tree, entries in files:
        for i, entry in enumerate(entries):
            name = entry.get("id") if isinstance(entry, Mapping) else None
            if not isinstance(name, str):
                continue
            if name in seen:
                problems.add(tree.origin(("claims", i, "id")), f"'{name}' stands twice; ids must differ")
            seen.add(name)


def _check_left_out(files: Iterable[tuple[Tree, list[Any]]], problems: Problems) -> None:
    """Of all files together; the one that leaves out most is named."""
    kinds = {
        tree.origin(("claims",)): [str(entry.get("kind")) for entry in entries if isinstance(entry, Mapping)]
        for tree, entries in files
    }
    together = list(chain.from_iterable(kinds.values()))
    if len(together) >= MANY_CLAIMS and left_out(together) > MOST_NOT_MODELLED:
        problems.add(
            max(kinds, key=lambda origin: kinds[origin].count("not_modelled")),
            f"{together.count('not_modelled')} of {len(together)} claims are not_modelled; "
            "allowed: at most one in ten",
        )
