"""The cohesive law: irreversible bilinear softening in mixed mode, contact, viscous regularisation.

Bilinear law with a damage variable after Camanho and Davila (NASA/TM-2002-211737) and Turon et al. (Mech.
Mater. 38, 1072, 2006): onset by the quadratic stress criterion, toughness after Benzeggagh and Kenane
(Compos. Sci. Technol. 56, 439, 1996). The mode mix is frozen within a step, so that the traction derives
from one potential (an incremental one, since damage is irreversible) and its tangent is symmetric.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NORMAL = 0
SMALLEST_JUMP = 1e-3  # of that at onset: the mode of a smaller one is rounding


@dataclass(frozen=True)
class Fatigue:
    """Damage by repeated opening below the strength that is left.

    After Roe and Siegmund, Eng. Fract. Mech. 70, 209 (2003):

        dD = |d lambda| / (m delta_f) <T / (T0 (1 - D)) - C_f>

    D is the part of the toughness spent, T0 (1 - D) the traction that the damaged interface could still
    bear, delta_f the jump at which it separates.

    Attributes:
        length_factor: m, accumulated jump in units of delta_f that wears an interface out near its strength.
        endurance: C_f, share of the remaining strength below which cycles do no harm.
    """

    length_factor: float
    endurance: float


@dataclass(frozen=True)
class CohesiveProperties:
    """What holds the interfaces together.

    Attributes:
        normal_strength: (n_interfaces,) t_n, Pa.
        shear_strength: (n_interfaces,) t_s, Pa.
        toughness_normal: (n_interfaces,) G_Ic, J/m2, area under the traction-separation curve in mode I.
        toughness_shear: (n_interfaces,) G_IIc, J/m2.
        mixed_mode_exponent: exponent of Benzeggagh and Kenane.
        penalty_stiffness: K of the intact interface and of contact, Pa/m.
        viscosity: eta, Pa/m: traction per jump rate, the rate counted per half-cycle.
        fatigue: damage below the strength; None for an interface that only monotonic opening harms.
    """

    normal_strength: Floats
    shear_strength: Floats
    toughness_normal: Floats
    toughness_shear: Floats
    mixed_mode_exponent: float
    penalty_stiffness: float
    viscosity: float
    fatigue: Fatigue | None = None

    def __post_init__(self) -> None:
        """Check that every interface softens: its elastic energy at onset is below its toughness."""
        strength = np.stack([self.normal_strength, self.shear_strength])
        toughness = np.stack([self.toughness_normal, self.toughness_shear])
        smallest = min(strength.min(initial=np.inf), toughness.min(initial=np.inf), self.penalty_stiffness)
        if smallest <= 0 or self.viscosity < 0:
            raise ValueError(
                "strengths, toughnesses and the penalty must be positive, viscosity not negative"
            )
        floor = float((strength**2 / (2 * toughness)).max(initial=0.0))
        if self.penalty_stiffness <= floor:
            raise ValueError(
                f"penalty stiffness {self.penalty_stiffness:.3g} Pa/m must exceed strength^2/(2 toughness) = "
                f"{floor:.3g} Pa/m, or the interface breaks before it softens"
            )

    def at_points(self) -> "CohesiveProperties":
        """Return the properties at the integration points, the two ends of every interface in turn."""
        return replace(
            self,
            normal_strength=np.repeat(self.normal_strength, 2),
            shear_strength=np.repeat(self.shear_strength, 2),
            toughness_normal=np.repeat(self.toughness_normal, 2),
            toughness_shear=np.repeat(self.toughness_shear, 2),
        )


@dataclass(frozen=True)
class Softening:
    """The bilinear curve of every point for one mode mix: traction T0 at jump d0, zero at jump df."""

    onset: Floats
    final: Floats
    peak: Floats
    toughness: Floats

    def traction(self, jump: Floats) -> Floats:
        """Traction on the softening branch, Pa, for jumps of at least the onset."""
        return np.maximum(self.peak * (self.final - jump) / (self.final - self.onset), 0.0)

    def threshold_at(self, spent: Floats) -> Floats:
        """Equivalent jump r up to which a point is elastic after this part of its toughness is spent."""
        return self.onset + spent * (self.final - self.onset)

    def threshold(self, stiffness_loss: Floats) -> Floats:
        """Largest equivalent jump so far, from the stiffness loss D: d0 df / (df - D (df - d0))."""
        return self.onset * self.final / (self.final - stiffness_loss * (self.final - self.onset))

    def stiffness_loss(self, threshold: Floats) -> Floats:
        """D = 1 - T(r) / (K r) of the largest equivalent jump r."""
        reached = np.minimum(threshold, self.final)
        return self.final * (reached - self.onset) / (reached * (self.final - self.onset))

    def spent(self, threshold: Floats) -> Floats:
        """Part of the toughness dissipated up to the largest equivalent jump r: (r - d0) / (df - d0)."""
        return np.clip((threshold - self.onset) / (self.final - self.onset), 0.0, 1.0)


def mode_mix(jump: Floats, fallback: Floats, smallest: Floats | float = 0.0) -> Floats:
    """Return the energy share of shear, (n,), of jumps (n, m); `fallback` where none exceeds `smallest`, m.

    With one penalty stiffness for all modes G_II / (G_I + G_II) = d_s^2 / (<d_n>^2 + d_s^2).
    """
    shear = (jump[:, 1:] ** 2).sum(axis=1)
    total = shear + np.maximum(jump[:, NORMAL], 0) ** 2
    moved = total > np.square(smallest)
    return np.where(moved, shear / np.where(moved, total, 1.0), fallback)


def softening(properties: CohesiveProperties, mix: Floats) -> Softening:
    """Return the bilinear curve for a mode mix B (n,).

    Onset: (T0 cos / t_n)^2 + (T0 sin / t_s)^2 = 1 with sin^2 = B; toughness: G_Ic + (G_IIc - G_Ic) B^eta.
    """
    p = properties
    peak = 1 / np.sqrt((1 - mix) / p.normal_strength**2 + mix / p.shear_strength**2)
    toughness = p.toughness_normal + (p.toughness_shear - p.toughness_normal) * mix**p.mixed_mode_exponent
    return Softening(peak / p.penalty_stiffness, 2 * toughness / peak, peak, toughness)


@dataclass(frozen=True)
class IncrementalLaw:
    """Potential, traction and tangent of every point within one step; jumps are (n, m), normal first.

    The potential per area is psi(lambda) + K <-d_n>^2 / 2 + c |d - d_old|^2 / 2 with the equivalent jump
    lambda = (<d_n>^2 + |d_s|^2)^(1/2). Below the threshold r the point is elastic with its damaged stiffness,
    psi = T(r) lambda^2 / (2 r); above it the work of further damage adds to that.

    Attributes:
        properties: at the points.
        mix: (n,) energy share of shear, frozen.
        lost: (n,) stiffness loss D at the start of the step.
        damping: (n,) c = viscosity / (part of a half-cycle passed), Pa/m; far less where nothing holds.
        jump_old: (n, m) at the start of the step, m.
    """

    properties: CohesiveProperties
    mix: Floats
    lost: Floats
    damping: Floats
    jump_old: Floats

    @cached_property
    def curve(self) -> Softening:
        """Softening curves of the frozen mode mix."""
        return softening(self.properties, self.mix)

    @cached_property
    def threshold(self) -> Floats:
        """Equivalent jump (n,) up to which the step starts elastically, m."""
        return self.curve.threshold(self.lost)

    def mode_mix(self, jump: Floats) -> Floats:
        """Energy share of shear (n,) of jumps (n, m), the frozen one where they are too small to tell."""
        return mode_mix(jump, self.mix, SMALLEST_JUMP * self.curve.onset)

    @property
    def penalty_stiffness(self) -> float:
        """Stiffness of contact, Pa/m."""
        return self.properties.penalty_stiffness

    @cached_property
    def _grip(self) -> Floats:
        """Stiffness (n,) below the threshold, Pa/m."""
        return self.curve.traction(self.threshold) / self.threshold

    def potential(self, jump: Floats) -> Floats:
        """Incremental potential (n,), J/m2."""
        equivalent, moved = _equivalent(jump), jump - self.jump_old
        reversible = np.minimum(equivalent, self.threshold)
        beyond = np.minimum(np.maximum(equivalent, self.threshold), self.curve.final)
        traction = self._grip * self.threshold + self.curve.traction(beyond)
        damage_work = traction * (beyond - self.threshold)
        contact = self.penalty_stiffness * np.minimum(jump[:, NORMAL], 0) ** 2
        viscous = self.damping * np.einsum("ij,ij->i", moved, moved)
        return (self._grip * reversible**2 + damage_work + contact + viscous) / 2

    def secant(self, jump: Floats) -> Floats:
        """Traction over equivalent jump of the cohesive part (n,), Pa/m."""
        reached = np.maximum(_equivalent(jump), self.threshold)
        return self.curve.traction(reached) / reached

    def traction(self, jump: Floats) -> Floats:
        """Traction (n, m), Pa."""
        traction = self.secant(jump)[:, None] * _opening(jump)
        traction[:, NORMAL] += self.penalty_stiffness * np.minimum(jump[:, NORMAL], 0)
        traction += self.damping[:, None] * (jump - self.jump_old)
        return traction

    def tangent(self, jump: Floats, convex: bool = False) -> Floats:
        """Derivative of the traction (n, m, m), Pa/m: symmetric, indefinite on the softening branch.

        A `convex` one is flat where the traction falls.
        """
        equivalent, curve = _equivalent(jump), self.curve
        softens = (equivalent > self.threshold) & (equivalent < curve.final)
        slope = 0.0 if convex else -curve.peak / (curve.final - curve.onset)
        drop = np.where(softens, slope - self.secant(jump), 0.0)
        along = _opening(jump) / np.where(softens, equivalent, 1.0)[:, None]
        tangent = (drop[:, None] * along)[:, :, None] * along[:, None, :]
        diagonal = self.stabilised_stiffness(jump)
        for axis in range(jump.shape[1]):
            tangent[:, axis, axis] += diagonal[:, axis]
        return tangent

    def stabilised_stiffness(self, jump: Floats) -> Floats:
        """Diagonal (n, m) of a positive stand-in for the tangent: secant, contact and damping."""
        stiffness = np.empty_like(jump)
        stiffness[:] = (self.secant(jump) + self.damping)[:, None]
        contact = self.penalty_stiffness + self.damping
        stiffness[:, NORMAL] = np.where(jump[:, NORMAL] <= 0, contact, stiffness[:, NORMAL])
        return stiffness

    def stored_energy(self, jump: Floats) -> Floats:
        """Recoverable energy (n,), J/m2, with the damage that this jump leaves behind."""
        contact = self.penalty_stiffness * np.minimum(jump[:, NORMAL], 0) ** 2
        return (self.secant(jump) * _equivalent(jump) ** 2 + contact) / 2

    def viscous_work(self, jump: Floats) -> Floats:
        """Work of the viscous traction in the step (n,), J/m2."""
        return self.damping * ((jump - self.jump_old) ** 2).sum(axis=1)

    def fracture_work(self, jump: Floats) -> Floats:
        """Work dissipated by damage in the step (n,), J/m2."""
        return self.curve.toughness * (self.spent(jump) - self.curve.spent(self.threshold))

    def spent(self, jump: Floats) -> Floats:
        """Part of the toughness spent when the step ends with this jump (n,)."""
        return self.curve.spent(np.maximum(self.threshold, _equivalent(jump)))

    def stiffness_loss(self, jump: Floats) -> Floats:
        """Stiffness loss D when the step ends with this jump (n,)."""
        return self.curve.stiffness_loss(np.maximum(self.threshold, _equivalent(jump)))

    def fatigue_growth(self, jump: Floats) -> Floats:
        """Part of the toughness (n,) that fatigue adds when the step ends with this jump.

        T / (T0 (1 - D)) is the equivalent jump over its threshold.
        """
        if self.properties.fatigue is None:
            return np.zeros(len(jump))
        fatigue, equivalent, spent = self.properties.fatigue, _equivalent(jump), self.spent(jump)
        load = np.minimum(equivalent / self.curve.threshold_at(spent), 1.0)
        moved = np.abs(equivalent - _equivalent(self.jump_old)) / (fatigue.length_factor * self.curve.final)
        return np.minimum(moved * np.maximum(load - fatigue.endurance, 0.0), 1 - spent)


def _opening(jump: Floats) -> Floats:
    """The jump with its interpenetration cut off."""
    opening = jump.copy()
    opening[:, NORMAL] = np.maximum(jump[:, NORMAL], 0)
    return opening


def _equivalent(jump: Floats) -> Floats:
    opening = _opening(jump)
    return np.sqrt(np.einsum("ij,ij->i", opening, opening))
