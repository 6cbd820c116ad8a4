"""Formulas of layered oxides: which ion sits where, what valence it has, and how many electrons it gives.

A formula unit AxMO2 has one alkali site, one metal site and two oxygen atoms, which take four charges.
"""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from faultline.config.estimates import MechanismConstants
from faultline.config.tree import nearest

CHARGES = 4.0  # of two oxygen atoms
# Lowest and highest valence in a layered oxide as synthesised.
VALENCES: dict[str, tuple[int, int]] = {
    **{ion: (1, 1) for ion in ("Li", "Na", "K")},
    **{ion: (2, 2) for ion in ("Mg", "Ca", "Sr", "Ba", "Zn", "Cu")},
    **{ion: (3, 3) for ion in ("Al", "B", "Y", "La", "Co", "Fe")},
    **{ion: (4, 4) for ion in ("Ti", "Zr", "Sn", "Si")},
    **{ion: (5, 5) for ion in ("Sb", "Nb", "Ta")},
    **{ion: (6, 6) for ion in ("Mo", "W", "Te")},
    "Ni": (2, 3),
    "Mn": (3, 4),
    "Ru": (4, 5),
}
PILLAR_CHARGES = {ion: float(lowest) for ion, (lowest, _) in VALENCES.items()}
RAISED = ("Mn", "Ru", "Ni")  # in this order metals leave their lowest valence: by redox potential
ACTIVE = ("Ni", "Mn", "Co", "Fe", "Cu", "Ru")
LOW_VALENT = ("Li", "Mg", "Zn")  # they keep alkali beside them, which balances their charge
IONIC = ("Li", "Mg")  # they share no electrons with the oxygen beside them
# Too large for the metal layer (Shannon, Acta Cryst. A 32, 751 (1976): from 0.95 A, Ni2+ has 0.69 A).
LARGE = ("Na", "K", "Ca", "Sr", "Ba", "La")
# Dissociation energies of the diatomic oxides, kJ/mol, rounded from Luo, Comprehensive Handbook of Chemical
# Bond Energies (2007): they order how strongly metals hold oxygen at a boundary.
BOND_ENERGIES = {
    **{"Li": 341, "Na": 270, "K": 272, "Mg": 358, "Ca": 383, "Sr": 426, "Ba": 562, "Zn": 250, "Cu": 287},
    **{"Al": 502, "B": 809, "Y": 714, "La": 798, "Co": 397, "Fe": 407, "Ti": 667, "Zr": 766, "Sn": 528},
    **{"Si": 800, "Sb": 434, "Nb": 727, "Ta": 839, "Mo": 502, "W": 720, "Te": 377, "Ni": 366, "Mn": 362},
    "Ru": 528,
}
LEAST_ALKALI = 0.3  # per formula unit: the layered oxides with less are not made by firing
LEAST_METAL = 0.6

_PART = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d*)?(?:/\d+)?)?")


class CompositionError(ValueError):
    """A formula, or what is put into it, that cannot be; `key` is the key of `mechanisms` at fault."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class Composition:
    """An oxide by its sites; all amounts per formula unit.

    Attributes:
        content: alkali that moves.
        metals: in the metal layer.
        pillars: other ions on alkali sites.
        vacancies: empty sites of the metal layer.
        valences: of the metals, as synthesised.
        molar_mass: kg/mol.
    """

    content: float
    metals: Mapping[str, float]
    pillars: Mapping[str, float]
    vacancies: float
    valences: Mapping[str, float]
    molar_mass: float

    def share(self, ions: tuple[str, ...]) -> float:
        """Share of the metal sites that these ions take."""
        return sum(amount for ion, amount in self.metals.items() if ion in ions)

    @property
    def inactive(self) -> float:
        """Share of the metal sites whose metal keeps its valence on charge."""
        return sum(self.metals.values()) - self.share(ACTIVE)

    @property
    def guests(self) -> float:
        """Share of the metal sites that are empty or hold a low-valent metal."""
        return self.share(LOW_VALENT) + self.vacancies

    @property
    def pillar_share(self) -> float:
        """Share of the alkali sites that pillars take."""
        return sum(self.pillars.values())

    @property
    def entropy(self) -> float:
        """Ideal entropy of mixing on the metal sites, in units of R."""
        parts = [*self.metals.values(), self.vacancies]
        return -sum(p / sum(parts) * math.log(p / sum(parts)) for p in parts if p > 0)

    @property
    def bond_energy(self) -> float:
        """Mean dissociation energy of the metals' bonds with oxygen, kJ/mol."""
        total = sum(self.metals.values())
        return sum(BOND_ENERGIES[ion] * amount for ion, amount in self.metals.items()) / total

    def metal_electrons(self, c: MechanismConstants) -> float:
        """Electrons that metals other than manganese give on charge, per formula unit."""
        highest = {"Ni": 4.0, "Ru": 5.0, "Co": 4.0, "Cu": 3.0, "Fe": 3 + c.iron_share}
        return sum(
            amount * max(highest[ion] - self.valences[ion], 0.0)
            for ion, amount in self.metals.items()
            if ion in highest
        )

    @property
    def oxidisable_manganese(self) -> float:
        """Mn3+ as synthesised: electrons that manganese gives on charge."""
        return self.metals.get("Mn", 0.0) * (4 - self.valences.get("Mn", 4.0))

    @property
    def reducible_manganese(self) -> float:
        """Mn4+ as synthesised: electrons that manganese takes on discharge below the pristine voltage."""
        return self.metals.get("Mn", 0.0) * (self.valences.get("Mn", 3.0) - 3)

    def oxygen_electrons(self, c: MechanismConstants) -> float:
        """Electrons that oxygen gives on charge, per formula unit.

        Each oxygen atom has three metal sites beside it. With a share q of them empty or ionic, evenly
        spread, 1 - (1 - q)^3 of the atoms have at least one.
        """
        bare = min(self.share(IONIC) + self.vacancies, 1.0)
        return 2 * (1 - (1 - bare) ** 3) * c.oxygen_electrons


def parse_formula(text: str) -> dict[str, float]:
    """Amounts by element, for two oxygen atoms: `Na2/3Ni1/3Mn2/3O2`, `Na0.9[Ni0.4Mn0.6]O2`.

    Brackets group and do nothing else. Raises ValueError with a sentence for the user.
    """
    plain = re.sub(r"[\s\[\]]", "", text)
    parts = list(_PART.finditer(plain))
    if not plain or "".join(part[0] for part in parts) != plain:
        raise ValueError(f"'{text}' cannot be read; expected: a formula such as Na2/3Ni1/3Mn2/3O2")
    amounts: dict[str, float] = {}
    for part in parts:
        element, number = part[1], part[2] or "1"
        if element not in VALENCES and element != "O":
            raise ValueError(f"'{element}' in '{text}' is not known here{nearest(element, [*VALENCES, 'O'])}")
        amounts[element] = amounts.get(element, 0.0) + _amount(number, text)
    if not amounts.get("O"):
        raise ValueError(f"'{text}' holds no oxygen; expected: a layered oxide, such as Na2/3Ni1/3Mn2/3O2")
    return {element: 2 * amount / amounts["O"] for element, amount in amounts.items() if amount > 0}


def check_elements(key: str, amounts: Mapping[str, float]) -> None:
    """Raise CompositionError for an element without valence and bond energy here."""
    for element in amounts:
        if element not in VALENCES:
            raise CompositionError(key, f"'{element}' is not known here{nearest(element, VALENCES)}")


def _amount(number: str, text: str) -> float:
    top, _, bottom = number.partition("/")
    if bottom and int(bottom) == 0:
        raise ValueError(f"'{number}' in '{text}' divides by zero")
    return float(Fraction(top) / int(bottom or 1))


def compose(
    formula: str,
    alkali: str,
    pillars: Mapping[str, float] | None = None,
    vacancies: float | None = None,
    constants: MechanismConstants | None = None,
) -> Composition:
    """The oxide of a formula with pillars: its sites, and the valences that balance its charge.

    Pillars that the formula holds move from the metal to the alkali layer, others are added. Ions too large
    for the metal layer move too. Sites that no ion takes are empty, unless `vacancies` says otherwise.

    Raises CompositionError.
    """
    c = constants or MechanismConstants()
    try:
        amounts = parse_formula(formula)
    except ValueError as error:
        raise CompositionError("formula", str(error)) from None
    amounts.pop("O")
    content = amounts.pop(alkali, 0.0)
    if not LEAST_ALKALI <= content <= 1 + c.occupancy_tolerance:
        found = f"{content:.3g} {alkali}" if content else f"no {alkali}, which the host moves"
        message = f"'{formula}' holds {found}; allowed: {LEAST_ALKALI:g} to 1 {alkali} for two oxygen atoms"
        raise CompositionError("formula", message)
    metals, on_alkali_sites = _placed(amounts, alkali, dict(pillars or {}))
    pillar_share = sum(on_alkali_sites.values())
    if pillar_share > 1 - LEAST_ALKALI:
        message = f"{pillar_share:.3g} ions block the alkali's sites; allowed: up to {1 - LEAST_ALKALI:g}"
        raise CompositionError("pillars" if pillars else "formula", message)
    content = min(content, 1 - pillar_share)  # one ion for a site
    metal = sum(metals.values())
    empty = _vacancies(formula, metal, metal + pillar_share, vacancies, c)
    valences = _balanced(formula, content, metals, on_alkali_sites, c)
    everything = {alkali: content, "O": 2.0}
    for ion, amount in [*metals.items(), *on_alkali_sites.items()]:
        everything[ion] = everything.get(ion, 0.0) + amount
    mass = sum(amount * atomic_mass(ion) for ion, amount in everything.items())
    return Composition(content, metals, on_alkali_sites, empty, valences, mass)


def _placed(
    amounts: Mapping[str, float], alkali: str, pillars: dict[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Ions of the metal layer, and those on alkali sites."""
    metals, placed = dict(amounts), {}
    check_elements("pillars", pillars)
    for ion, amount in pillars.items():
        held = metals.get(ion, 0.0)
        if ion == alkali:
            raise CompositionError("pillars", f"{ion} moves between the pillars; name another element")
        if 0 < held < amount * (1 - 1e-9):
            message = f"{amount:g} {ion} is more than the {held:.3g} that the formula holds"
            raise CompositionError("pillars", message)
        placed[ion] = amount
        metals[ion] = max(held - amount, 0.0)
    for ion in LARGE:
        if ion != alkali and metals.get(ion, 0.0) > 0:
            placed[ion] = placed.get(ion, 0.0) + metals.pop(ion)
    return {i: a for i, a in metals.items() if a > 1e-9}, {i: a for i, a in placed.items() if a > 0}


def _vacancies(
    formula: str, metal: float, cations: float, given: float | None, c: MechanismConstants
) -> float:
    """Empty sites of the metal layer, from what all ions but the alkali would fill where none are given."""
    empty = max(1 - cations, 0.0) if given is None else given
    filled = metal + empty if given is not None else cations + empty
    if metal < LEAST_METAL or abs(filled - 1) > 0.1:
        words = f"{metal:.3g} metals" + (f" and {given:g} vacancies" if given is not None else "")
        message = f"{words} for one site of the metal layer of '{formula}'; allowed: 0.9 to 1.1 together"
        at_fault = "vacancies" if given is not None else "formula"
        raise CompositionError(at_fault, f"{message}, of which at least {LEAST_METAL:g} metals")
    return empty if empty > c.occupancy_tolerance or given is not None else 0.0


def _balanced(
    formula: str,
    content: float,
    metals: Mapping[str, float],
    pillars: Mapping[str, float],
    c: MechanismConstants,
) -> dict[str, float]:
    """Valences of the metals: the lowest; manganese, ruthenium and nickel are raised to balance charges."""
    valences = {ion: float(VALENCES[ion][0]) for ion in metals}
    ions = [(1.0, content), *((PILLAR_CHARGES[ion], amount) for ion, amount in pillars.items())]
    ions += [(valences[ion], amount) for ion, amount in metals.items()]
    missing = CHARGES - sum(charge * amount for charge, amount in ions)
    for ion in RAISED:
        if ion in metals and missing > 0:
            raised = min(missing / metals[ion], VALENCES[ion][1] - valences[ion])
            valences[ion] += raised
            missing -= raised * metals[ion]
    if abs(missing) > c.charge_tolerance:
        words = "too few" if missing > 0 else "too many"
        found = ", ".join(f"{ion}{valence:.3g}+" for ion, valence in valences.items())
        message = (
            f"'{formula}' has {CHARGES - missing:.3g} positive charges ({found}), {words} for two oxygen"
        )
        allowed = f"allowed: {CHARGES:g} within {c.charge_tolerance:g}"
        raise CompositionError("formula", f"{message} atoms; {allowed}")
    return valences


@functools.cache
def atomic_mass(element: str) -> float:
    """Standard atomic weight, kg/mol."""
    import periodictable  # most studies need no formula, and stages none at all

    return float(periodictable.elements.symbol(element).mass) * 1e-3
