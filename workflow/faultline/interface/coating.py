"""A coating on the outer surface: it holds acid off, is used up by the acid it binds, and may crack.

Acid is bound on its way through, at every depth in proportion to what gets there, so that a thickness h lets
exp(-h / l) of it pass. What is bound takes film with it: with u the acid that arrives per area and time and
N what a volume binds,

    dh/dt = -(u / N) (1 - exp(-h / l)),    so that exp(h / l) - 1 decays as exp(-u t / (N l)).

Time is that of the layers below, at the reference acid, voltage and temperature (`Growth.effective_time`).

A film under tension cracks along channels down to the oxide where the energy released per area of crack,

    G = Z sigma^2 h / E',    Z = 1.976,    E' = E / (1 - nu^2),

reaches its toughness: Hutchinson and Suo, Adv. Appl. Mech. 29, 63 (1992), for a substrate as stiff as the
film. So thick films crack and thin ones do not.

Simplified: a cracked face counts as bare, although pieces of film stay on it and go on binding acid; the
film keeps its stiffness in the mechanics while it thins; crack faces are not coated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faultline.config.models import MaterialSettings
from faultline.materials.material import stiffness_from_settings
from faultline.mechanics.plane import XX, plane_stress_stiffness

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

CHANNEL = 1.976  # Z of a channel crack


@dataclass(frozen=True)
class Film:
    """A coating as cycles have left it.

    Attributes:
        acid_time: (n_surface,) time at the reference during which acid has come to it, s.
        cracked: (n_surface,) bare for good.
    """

    acid_time: Array
    cracked: Bools


def fresh_film(n_surface: int) -> Film:
    """A film as deposited."""
    return Film(np.zeros(n_surface), np.zeros(n_surface, dtype=bool))


@dataclass(frozen=True)
class Coating:
    """Constants of a film (SI).

    Attributes:
        thickness: as deposited, m.
        depth: over which acid falls to 1/e, m.
        uptake: acid that comes to it at the reference, mol/(m2 s).
        capacity: acid that a volume binds before it is gone, mol/m3.
        modulus: plane-strain modulus E', Pa.
        toughness: J/m2.
        residual_stress: equibiaxial, as deposited, Pa.
    """

    thickness: float
    depth: float
    uptake: float
    capacity: float
    modulus: float
    toughness: float
    residual_stress: float

    @classmethod
    def from_settings(cls, shell: MaterialSettings | None, thickness: float | None) -> Coating | None:
        """A shell as a film of `thickness` (m); None for a meshed one and one without the block `coating`."""
        if shell is None or shell.coating is None or thickness is None:
            return None
        known = shell.coating
        stiffness = plane_stress_stiffness(stiffness_from_settings(shell.elasticity))
        return cls(
            thickness=thickness,
            depth=-known.reference_thickness.value / math.log(known.acid_permeability.value),
            uptake=known.acid_uptake.value,
            capacity=known.acid_capacity.value,
            modulus=float(stiffness[XX, XX]),
            toughness=known.toughness.value,
            residual_stress=known.residual_stress.value,
        )

    # -- acid ----------------------------------------------------------------------------------------------

    def left(self, film: Film) -> Array:
        """Thickness (n_surface,) that the acid has left, m."""
        whole = self.thickness / self.depth
        start = whole + math.log(-math.expm1(-whole))  # ln(exp(h/l) - 1)
        spent = self.uptake * film.acid_time / (self.capacity * self.depth)
        return self.depth * np.logaddexp(0.0, start - spent)

    def bound(self, film: Film) -> Array:
        """Acid (n_surface,) that the film has bound, mol/m2."""
        return self.capacity * (self.thickness - self.left(film))

    def worn(self, film: Film, time: float) -> tuple[Film, Array]:
        """The film after more time at the reference, s, and the part (n_surface,) of it that came through.

        The oxide below has aged by that part: all of it where the film is cracked. Acid is conserved, u times
        the time is what is bound and u times the part; any split of the time gives the same.
        """
        after = replace(film, acid_time=film.acid_time + time)
        if self.uptake > 0:
            through = np.clip(time - (self.bound(after) - self.bound(film)) / self.uptake, 0.0, time)
        else:
            through = np.exp(-self.left(film) / self.depth) * time
        return after, np.where(film.cracked, time, through)

    # -- cracks --------------------------------------------------------------------------------------------

    def covering(self, film: Film) -> Array:
        """Thickness (n_surface,) over that as deposited, 0 where the film is cracked."""
        return np.where(film.cracked, 0.0, self.left(film) / self.thickness)

    def open_share(self, film: Film) -> Array:
        """Share (n_surface,) of the oxide below that acid reaches at once: all where the film is cracked."""
        return np.where(film.cracked, 1.0, np.exp(-self.left(film) / self.depth))

    def energy_release(self, stress: Array, thickness: Array | float) -> Array:
        """Energy (n_surface,) per area of a channel crack, J/m2, in a film under tension `stress` (Pa)."""
        return CHANNEL * np.maximum(stress, 0.0) ** 2 * thickness / self.modulus

    def strained(self, film: Film, tension: Array) -> Film:
        """The film after the largest `tension` (n_surface,) of its membrane, N/m as deposited."""
        released = self.energy_release(tension / self.thickness + self.residual_stress, self.left(film))
        return replace(film, cracked=film.cracked | (released >= self.toughness))
