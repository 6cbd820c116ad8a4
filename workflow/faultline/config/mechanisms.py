"""What the block `mechanisms` makes of a host: another material and other defects, by rules for classes.

Everything acts relative to the host's own formula, so that this formula changes nothing; only the voltage
table then goes on to the ends that its rule gives it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faultline.config.composition import (
    BOND_ENERGIES,
    PILLAR_CHARGES,
    Composition,
    CompositionError,
    atomic_mass,
    check_elements,
    compose,
)
from faultline.config.estimates import MechanismConstants
from faultline.config.models import (
    CohesiveSettings,
    DefectSettings,
    LatticeTable,
    MaterialSettings,
    MechanismSettings,
    OcvTable,
)
from faultline.config.phase_path import (
    Array,
    PhaseRows,
    RedoxChange,
    as_one_phase,
    evened,
    moved,
    moved_voltage,
    narrowed,
    plain,
    rounded_rows,
    scaled,
    stacking,
    with_collapse,
)
from faultline.config.tree import KeyPath, nearest

NEEDED = ("alkali", "molar_mass", "initial_site_fraction", "lattice", "ocv")
MOST_DOPANT = 0.1  # per formula unit at boundaries; more is a second phase
LEAST_DIFFUSIVITY = 0.05  # of the host's, between the densest pillars
# Stacking of the host, share of the layers that collapse, and whether it is all one phase.
PATHS = {
    "P2-O2": ("P2", 1.0, False),
    "P2-OP4": ("P2", 0.5, False),
    "P2-solid-solution": ("P2", 0.0, True),
    "O3-P3-O3'": ("O3", 1.0, False),
    "O3-P3": ("O3", 0.0, False),
    "O3-solid-solution": ("O3", 0.0, True),
}


@dataclass(frozen=True)
class Resolved:
    """The material and the defects that the stages see.

    `follows` names, by part ("material", "case") and key path, the key of `mechanisms` behind each new value;
    an empty one stands for the whole block.
    """

    material: MaterialSettings
    defects: DefectSettings
    follows: Mapping[str, Mapping[KeyPath, str]]


@dataclass(frozen=True)
class Substitution:
    """A host and what the block makes of it: oxides by their sites, and the constants of the rules."""

    given: MechanismSettings
    host: MaterialSettings
    before: Composition
    after: Composition
    c: MechanismConstants

    @property
    def key(self) -> str:
        """Key of the block that the composition follows."""
        return "formula" if self.given.formula else "pillars" if self.given.pillars else ""

    @property
    def kept(self) -> float:
        """Share of its nominal alkali that the host keeps."""
        return self.host.initial_site_fraction.value / self.before.content

    @property
    def start(self) -> float:
        """Pristine content of the host."""
        return self.host.initial_site_fraction.value

    @property
    def new_start(self) -> float:
        """Pristine content of what becomes of it."""
        return round(min(self.after.content * self.kept, 1 - self.after.pillar_share), 6)

    @property
    def rows(self) -> PhaseRows:
        """Lattice table of the host."""
        t = self.host.lattice
        x, spacing, a, b = (
            np.array(column) for column in (t.site_fraction, t.slab_spacing, t.strain_a, t.strain_b)
        )
        return PhaseRows(x, tuple(t.phase), spacing, a, b)


@dataclass(frozen=True)
class Path:
    """How the phases of the host change: factors, 1 where nothing does.

    Attributes:
        collapse: share of the layers that collapse.
        gap: width of two-phase gaps.
        interlayer, planar: change of the slab spacing, and in the plane.
        disorder: of the metals beyond the host's, 0 to 1.
        simple: without monoclinic phases.
        single: without any gap.
    """

    collapse: float
    gap: float
    interlayer: float
    planar: float
    disorder: float
    simple: bool
    single: bool

    def gaps(self, rows: PhaseRows, start: float) -> Array:
        """Factor on the width of every gap; that of a collapse closes with the collapse."""
        factors = np.full(len(rows.gaps), 0.0 if self.single else self.gap)
        if rows.collapsed(start):
            factors[0] *= self.collapse
        return factors


@dataclass
class _Changes:
    """A material while it changes, and what changed."""

    material: MaterialSettings
    follows: dict[KeyPath, str] = field(default_factory=dict)

    def scale(self, path: KeyPath, factor: float, key: str, rule: str) -> None:
        """One value times a factor, where the material has it."""
        found = _at(self.material, path)
        if found is not None:
            self.put(path, found.value * factor, key, f"{rule}; before: {_short(found.source)}")

    def put(self, path: KeyPath, value: float, key: str, rule: str, most: float = math.inf) -> None:
        """One value in place of another; its range holds those with and without the change."""
        before = _at(self.material, path)
        if math.isclose(value, before.value, rel_tol=1e-9):
            return
        low, high = before.range or (before.value, before.value)
        factor = value / before.value
        ends = (min(low, low * factor, value), min(max(high, high * factor, value), most))
        update = {"value": value, "source": rule, "status": "estimate", "range": ends}
        self.material = _with(self.material, path, before.model_copy(update=update))
        self.follows[path] = key

    def replace(self, name: str, value: Any, key: str) -> None:
        """One block in place of another."""
        self.material = self.material.model_copy(update={name: value})
        self.follows[name,] = key


def resolve(
    given: MechanismSettings,
    host: MaterialSettings,
    defects: DefectSettings,
    constants: MechanismConstants | None = None,
) -> Resolved:
    """The material and the defects of a case with `mechanisms`. Raises CompositionError."""
    both = substitution(given, host, constants or MechanismConstants())
    changes = _Changes(host)
    _change_amounts(changes, both)
    path = phase_path(both)
    voltage = _change_voltage(changes, both, path)
    _change_lattice(changes, both, path, voltage)
    _change_pillared(changes, both)
    _change_boundaries(changes, both)
    if both.before != both.after or given.model_copy(update={"formula": None}) != MechanismSettings():
        changes.replace("name", f"{host.name}, modified", "")
    new_defects, follows = _changed_defects(given, defects, both.c)
    return Resolved(changes.material, new_defects, {"material": changes.follows, "case": follows})


def substitution(given: MechanismSettings, host: MaterialSettings, c: MechanismConstants) -> Substitution:
    """Both oxides by their sites. Raises CompositionError."""
    missing = [key for key in NEEDED if getattr(host, key) is None]
    if missing:
        raise CompositionError("", f"the host '{host.name}' lacks {', '.join(missing)}")
    try:
        before = compose(host.formula, host.alkali, constants=c)
    except CompositionError as error:
        message = f"the host '{host.name}' needs a formula that can be read: {error}"
        raise CompositionError("", message) from None
    if given.vacancies is not None and given.formula is None:
        raise CompositionError("vacancies", "needs a `formula` beside it that leaves these sites free")
    check_elements("boundary_dopants", given.boundary_dopants)
    after = compose(given.formula or host.formula, host.alkali, given.pillars, given.vacancies, c)
    return Substitution(given, host, before, after, c)


# ---- amounts and tables


def _change_amounts(changes: _Changes, both: Substitution) -> None:
    """Formula, molar mass and pristine content, by what differs from the host's formula."""
    given, host, before, after = both.given, both.host, both.before, both.after
    dopants = sum(amount * atomic_mass(ion) for ion, amount in given.boundary_dopants.items())
    mass = host.molar_mass.value + after.molar_mass - before.molar_mass + dopants
    rule = "rule: standard atomic weights, the host's mass and what differs from its formula"
    changes.put(("molar_mass",), mass, both.key, rule)
    rule = f"rule: {after.content:.4g} of the formula times {both.kept:.3g}, the share that the host keeps"
    changes.put(("initial_site_fraction",), both.new_start, both.key, rule, most=1.0)
    if given.formula is not None and before != after:
        changes.replace("formula", given.formula, both.key)


def _change_voltage(changes: _Changes, both: Substitution, path: Path) -> tuple[Array, Array]:
    """Voltage by the electrons of both formulas; its rows come back."""
    table, given = both.host.ocv, both.given
    x, v = np.array(table.site_fraction), np.array(table.voltage)
    change = redox_change(both, path)
    if given.formula is None and not given.pillars and change.smear == 0:
        return x, v
    x, v = moved_voltage(x, v, change, both.c)
    columns = {"site_fraction": rounded_rows(x, 6), "voltage": rounded_rows(v, 6)}
    rule = (
        f"rule: table of {both.host.name}, its electrons x {change.share:.3g}, {change.manganese:.3g} more "
        f"of Mn3+, {change.oxygen:.3g} more of oxygen, steps smeared over +-{change.smear:.2g}"
    )
    if columns["site_fraction"] != list(table.site_fraction) or columns["voltage"] != list(table.voltage):
        changes.replace("ocv", _table(OcvTable, columns, rule), both.key)
    return x, v


def _change_lattice(changes: _Changes, both: Substitution, path: Path, voltage: tuple[Array, Array]) -> None:
    """Lattice along the changed path, as far as the voltage reaches."""
    rows, ends = both.rows, voltage[0][[0, -1]]
    if ("ocv",) in changes.follows:
        low, high = min(ends[0], rows.site_fraction[0]), max(ends[1], both.new_start)
        rows = moved(rows, both.start, both.new_start, float(low), float(high), both.c.fixed_content)
    rows = changed_rows(rows, both.new_start, path)
    if not _same(rows, both.rows):
        single = ", one phase" if path.single else ""
        rule = (
            f"rule: table of {both.host.name}, {path.collapse:.2g} of the layers collapsing, gaps x "
            f"{path.gap:.2g}, change of spacing x {path.interlayer:.3g}{single}"
        )
        key = both.key if both.given.phase_path == "auto" else "phase_path"
        changes.replace("lattice", _table(LatticeTable, plain(rows), rule), key)


def redox_change(both: Substitution, path: Path) -> RedoxChange:
    """What the electrons of both formulas make of the host's voltage table."""
    before, after, c, host = both.before, both.after, both.c, both.host
    manganese = (before.oxidisable_manganese, after.oxidisable_manganese)
    oxygen = (before.oxygen_electrons(c), after.oxygen_electrons(c))
    total = before.metal_electrons(c) + manganese[0] + oxygen[0]
    if total <= 0:
        raise CompositionError("", f"nothing in the host '{host.formula}' gives electrons on charge")
    fall = max(host.ocv.site_fraction[-1] - both.start, 0.0)
    return RedoxChange(
        host_start=both.start,
        start=both.new_start,
        host_electrons=total,
        share=(after.metal_electrons(c) + min(manganese) + min(oxygen)) / total,
        manganese=max(manganese[1] - manganese[0], 0.0),
        oxygen=max(oxygen[1] - oxygen[0], 0.0),
        full=min(1 - after.pillar_share, both.new_start + max(fall, after.reducible_manganese)),
        smear=_smear(both.rows, both.start, path, c),
        shift=c.lithium_shift if host.alkali == "Li" else 0.0,
    )


def phase_path(both: Substitution) -> Path:
    """How the host's phases change: by rule, or as `phase_path` says."""
    given, before, after, c = both.given, both.before, both.after, both.c
    kind = stacking(both.rows, both.start)
    inactive = max(after.inactive - before.inactive, 0.0)
    disorder = min(max((after.entropy - before.entropy) / c.disorder_entropy, 0.0), 1.0)
    mixing = {"plain": 1.0, "declustered": c.declustered_gap, "high_entropy": c.high_entropy_gap}
    gap = max((1 - inactive / c.closing_share) * mixing[given.mixing], c.narrowest_gap)
    guests = max(after.guests - before.guests, 0.0) if kind == "P2" else inactive
    pillars = max(after.pillar_share - before.pillar_share, 0.0)
    # share of the sites that have no guest on themselves or beside them
    collapse = ((1 - guests) * (1 - pillars) ** c.pillar_weight) ** c.guest_sites
    named = given.phase_path != "auto"
    single = False
    if named:
        collapse, single = _named_path(both, kind)
    interlayer = given.lattice_change.value if given.lattice_change else max(1 - c.damping * inactive, 0.0)
    planar = given.lattice_change.value if given.lattice_change else 1.0
    if single and kind == "O3":
        interlayer *= 1 - c.gliding_share
    return Path(collapse, gap, interlayer, planar, disorder, named and kind == "O3", single)


def _named_path(both: Substitution, kind: str) -> tuple[float, bool]:
    """Share that collapses, and whether it is all one phase, where the user names the path."""
    name = both.given.phase_path
    wanted, collapse, single = PATHS[name]
    if wanted != kind:
        allowed = [path for path, (stack, *_) in PATHS.items() if stack == kind]
        message = f"'{name}' is of {wanted} oxides, and the host is {kind}"
        raise CompositionError("phase_path", message + nearest(name, ["auto", *allowed]))
    if collapse > 0 and not both.rows.collapsed(both.start):
        message = f"'{name}' ends in a collapse, which the lattice table of the host does not hold"
        raise CompositionError("phase_path", f"{message}; name another `material`, or `auto`")
    return collapse, single


def changed_rows(rows: PhaseRows, start: float, path: Path) -> PhaseRows:
    """The rows along the changed path; `start` is the pristine content."""
    rows = with_collapse(rows, start, path.collapse)
    rows = evened(rows, 1.0 if path.simple else path.disorder)
    rows = scaled(rows, start, path.interlayer, path.planar)
    return (
        as_one_phase(rows, stacking(rows, start)) if path.single else narrowed(rows, path.gaps(rows, start))
    )


def _smear(rows: PhaseRows, start: float, path: Path, c: MechanismConstants) -> float:
    """Half the range over which voltage steps are smeared: by disorder, or as far as a gap has closed."""
    widths = np.diff(rows.site_fraction)[rows.gaps]
    lost = float(np.max((1 - path.gaps(rows, start)) * widths, initial=0.0)) / 2
    return max(c.ordering_width * path.disorder, lost)


# ---- strength and defects


def _change_pillared(changes: _Changes, both: Substitution) -> None:
    """Basal planes by the ions that hold them, and the paths that those block.

    Toughness by 1 + sum(p z^2) / x; strength, as all ideal strengths, by the root of the bonds' energy.
    """
    held, c = both.before.pillars, both.c
    new = {ion: max(p - held.get(ion, 0.0), 0.0) for ion, p in both.after.pillars.items()}
    if not any(new.values()):
        return
    key = "pillars" if both.given.pillars else "formula"
    tougher = 1 + sum(p * PILLAR_CHARGES[ion] ** 2 for ion, p in new.items()) / c.charged_content
    rule = f"rule: bonds across the layers x {tougher:.3g} with pillars, strength by the root"
    _strengthen(changes, "basal", tougher, key, rule)
    changes.scale(("glide", "critical_resolved_shear_stress"), math.sqrt(tougher), key, rule)
    slower = max(1 - c.blocking * sum(new.values()), LEAST_DIFFUSIVITY)
    for axis in ("ab", "c"):
        rule = f"rule: x {slower:.3g}, as pillars block alkali sites"
        changes.scale(("diffusivity", axis), slower, key, rule)


def _change_boundaries(changes: _Changes, both: Substitution) -> None:
    """Grain boundaries by the bonds of what gathers there, over those of the oxide's own metals."""
    amounts = both.given.boundary_dopants
    total = sum(amounts.values())
    if total > MOST_DOPANT:
        message = f"{total:g} per formula unit is more than boundaries hold; allowed: up to {MOST_DOPANT:g}"
        raise CompositionError("boundary_dopants", message)
    if total == 0:
        return
    bond = sum(BOND_ENERGIES[ion] * amount for ion, amount in amounts.items()) / total
    filled = -math.expm1(-total / both.c.boundary_sites)
    tougher = 1 + filled * (bond / both.after.bond_energy - 1)
    rule = f"rule: bonds at boundaries x {tougher:.3g}, {filled:.0%} filled with {bond:.0f} kJ/mol"
    _strengthen(changes, "grain_boundary", tougher, "boundary_dopants", f"{rule}, strength by the root")


def _strengthen(changes: _Changes, kind: str, tougher: float, key: str, rule: str) -> None:
    """Toughness of one kind of interface by a factor, its strength by the root."""
    for name in CohesiveSettings.model_fields:
        factor = tougher if name.startswith("toughness") else math.sqrt(tougher)
        changes.scale(("interfaces", kind, name), factor, key, rule)


def _changed_defects(
    given: MechanismSettings, defects: DefectSettings, c: MechanismConstants
) -> tuple[DefectSettings, dict[KeyPath, str]]:
    """Uneven mixing and spread of strength, by how evenly the metals are spread."""
    if given.mixing == "plain":
        return defects, {}
    factors = {
        "declustered": (c.declustered_segregation, c.declustered_spread),
        "high_entropy": (c.high_entropy_segregation, c.high_entropy_spread),
    }
    even, narrow = factors[given.mixing]
    amplitude = defects.resolved.segregation.amplitude * even
    segregation = defects.segregation.model_copy(update={"amplitude": amplitude})
    update = {"segregation": segregation, "strength_spread": defects.strength_spread * narrow}
    paths: list[KeyPath] = [("defects", "segregation", "amplitude"), ("defects", "strength_spread")]
    return defects.model_copy(update=update), {path: "mixing" for path in paths}


# ---- parts


def _at(material: MaterialSettings, path: KeyPath) -> Any:
    """What stands at a key path, None where the path ends early."""
    found: Any = material
    for key in path:
        found = getattr(found, str(key), None)
    return found


def _with(block: Any, path: KeyPath, value: Any) -> Any:
    """The block with one value in it replaced."""
    key, *rest = path
    inner = _with(getattr(block, str(key)), tuple(rest), value) if rest else value
    return block.model_copy(update={str(key): inner})


def _short(source: str) -> str:
    words = " ".join(source.split())
    return words if len(words) <= 80 else words[:77] + "..."


def _table(model: type[Any], columns: dict[str, Any], rule: str) -> Any:
    """A table all of whose rows follow one rule."""
    count = len(columns["site_fraction"])
    named = {"source": [rule] * count, "status": ["estimate"] * count}
    return model.model_validate({**columns, **named}, context={"canonical": True})


def _same(rows: PhaseRows, others: PhaseRows) -> bool:
    """Whether the rows are alike but for rounding."""
    if rows.phase != others.phase:
        return False
    return all(
        np.allclose(getattr(rows, name) * unit, getattr(others, name) * unit, rtol=1e-6, atol=1e-9)
        for name, unit in (("site_fraction", 1), ("slab_spacing", 1e10), ("strain_a", 1), ("strain_b", 1))
    )
