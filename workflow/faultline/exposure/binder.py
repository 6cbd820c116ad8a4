"""What residual alkali does to the binder: an index for reports, which no simulation reads.

Alkali takes hydrogen fluoride out of poly(vinylidene fluoride), -CH2-CF2- + AOH = -CH=CF- + AF + H2O, and
the chain loses the groups that hold on to oxide and current collector. No measurement links the two by
number, so both shares below are estimates.
"""

from dataclasses import dataclass
from typing import Literal

MONOMER_MASS = 64.034e-3  # kg/mol of C2H2F2, IUPAC atomic weights
FLUORIDE_MASS = {"Na": 41.988e-3, "Li": 25.938e-3}  # kg/mol, same source
BINDER_SHARE = 0.05  # kg per kg of oxide, estimate (0.02 to 0.1): usual laboratory electrodes
REACTED_SHARE = 0.1  # of the residual alkali, estimate (0.01 to 1): most stays away from the binder


@dataclass(frozen=True)
class Binder:
    """Fluoride (percent of the oxide's mass) and the adhesion that is left, from 1 down to 0."""

    fluoride_wt_percent: float
    adhesion_index: float


def attack_binder(alkali: float, metal: Literal["Na", "Li"] = "Na") -> Binder:
    """The binder beside `alkali` mol of residue per kg of oxide; adhesion falls with the monomers left."""
    monomers = BINDER_SHARE / MONOMER_MASS
    fluoride = min(REACTED_SHARE * alkali, monomers)
    return Binder(100 * fluoride * FLUORIDE_MASS[metal], 1 - fluoride / monomers)
