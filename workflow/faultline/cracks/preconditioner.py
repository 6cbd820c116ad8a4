"""Preconditioners of the cohesive Newton-CG: block by block while faces hold, of the whole once they part.

While most faces hold, springs of a known stiffness stand in for the neighbours of a block, and CG needs some
twenty iterations. Between loose fragments that touch here and there it needs hundreds. Then factors of the
whole system pay: parted faces couple nothing, so that they fill little, and they serve many Newton steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faultline.backend import LARGEST_DENSE
from faultline.cracks.law import IncrementalLaw

if TYPE_CHECKING:
    from faultline.cracks.newton import InterfaceSystem

Floats = NDArray[np.float64]


class Preconditioner:
    """Approximate inverse of the tangent, kept between solves: of the blocks until that is slow.

    Then of the whole; cracks do not heal, so that there is no way back.
    """

    SLOW = 50  # iterations after which the blocks are looked at again
    FEW = 15
    COSTLY = 50  # mean iterations with the blocks, beyond which the whole is cheaper; measured on a CPU
    MOST, PATIENCE = 500, 30  # iterations of a direction, and of one by factors of an earlier state
    MEMORY = 0.9  # of the mean: about the last ten directions
    MOSTLY = 0.6  # parted share of the points, from where the blocks are not even tried

    def __init__(self, system: InterfaceSystem) -> None:
        self._system = system
        self._used: BlockInverses | WholeFactors = BlockInverses(system)
        self._count, self._mean, self._old = 0, 0.0, False

    @property
    def largest_forcing(self) -> float:
        """Largest share of the gradient that a direction may leave: where iterations are few, less."""
        return 0.1 if isinstance(self._used, BlockInverses) else 0.01

    @property
    def patience(self) -> int:
        """Iterations that a direction may take; one that takes them all with old factors is sought anew."""
        return self.PATIENCE if self._old and isinstance(self._used, WholeFactors) else self.MOST

    def prepare(self, law: IncrementalLaw, jump: Floats, new_load: bool) -> None:
        """Renew what has become stale, before a direction from jumps (n_points, m)."""
        if isinstance(self._used, BlockInverses):
            slow = self._mean > self.COSTLY or float(np.mean(law.lost >= 1)) > self.MOSTLY
            if slow and (self._system.backend.on_host or self._system.stacks.size <= LARGEST_DENSE):
                self._used, self._old = WholeFactors(self._system, law, jump), False
            elif new_load or self._count > self.SLOW:
                self._used.refresh(law, jump)
        elif self._count > self.FEW:
            self.renew(law, jump)

    def renew(self, law: IncrementalLaw, jump: Floats) -> None:
        """Make what is used that of the jumps (n_points, m)."""
        self._used.refresh(law, jump)
        self._old = False

    def learn(self, count: int) -> None:
        """Take note of how many iterations a direction took."""
        self._count, self._old = count, True
        self._mean = self.MEMORY * self._mean + (1 - self.MEMORY) * count

    def __call__(self, residual: Floats) -> tuple[Floats, Floats]:
        """Approximate displacement z of a residual, and S z."""
        return self._used(residual)


class BlockInverses:
    """Additive: the dense inverse of each block on its springs, and the rigid motions of all blocks.

    The springs are the secant stiffness of the interfaces, which stays positive where the tangent does not. A
    small part of intact springs is added so that a block which nothing holds stays invertible. Residuals have
    no part along free rigid motions but for rounding; a smaller addition would magnify that.
    One inverse serves many solves: `refresh` renews the blocks whose springs have changed.
    """

    SHIFT = 1e-5
    HOLD = 2.0  # the opposite faces give way too: D + D bounds the coupling [[D, -D], [-D, D]]
    CHANGE = 4.0

    def __init__(self, system: InterfaceSystem) -> None:
        self.system = system
        springs, stacks, put = system.host.springs, system.stacks, system.backend.put
        own = stacks.block[springs.row] == stacks.block[springs.column]
        row, column = springs.row[own], springs.column[own]
        self._own_springs = put(springs.add_diagonal[own])
        indptr = np.searchsorted(row, np.arange(stacks.size + 1)).astype(np.int32)
        self._pattern = put(column), put(indptr)
        self._entry, self._block = put(stacks.entry(row, column)), stacks.block[row]
        on_diagonal = np.flatnonzero(row == column)
        self._diagonal, self._diagonal_block = put(on_diagonal), self._block[on_diagonal]
        self._springs = put(np.zeros(len(row)))
        self._inverse = stacks.split(np.zeros_like(system.schur))

    def refresh(self, law: IncrementalLaw, jump: Floats) -> None:
        """Renew the blocks whose springs have changed."""
        system, stacks, backend = self.system, self.system.stacks, self.system.backend
        point = law.stabilised_stiffness(jump)
        shift = self.SHIFT * law.penalty_stiffness * float(system.weight.max())
        springs = self.HOLD * (self._own_springs @ point.ravel())
        springs[self._diagonal] += shift
        old, new = self._springs[self._diagonal], springs[self._diagonal]
        changed = backend.get((new > self.CHANGE * old) | (old > self.CHANGE * new))
        if not changed.any():
            return
        stale = np.zeros(stacks.block.max() + 1, dtype=bool)
        stale[self._diagonal_block[changed]] = True
        self._springs = np.where(backend.put(stale[self._block]), springs, self._springs)
        csr, shape = type(self._own_springs), (stacks.size, stacks.size)
        self._matrix = csr((self._springs, *self._pattern), shape=shape)
        flat = system.schur.copy()
        flat[self._entry] += self._springs
        for stack, inverse, block in zip(stacks.split(flat), self._inverse, stacks.members, strict=True):
            renewed = backend.put(np.flatnonzero(stale[block]))
            inverse[renewed] = np.linalg.inv(stack[renewed])
        coarse = system.rigid_transposed @ (system.springs(point) @ system.rigid)
        self._coarse = backend.factorised(coarse, shift)

    def __call__(self, residual: Floats) -> tuple[Floats, Floats]:
        """Approximate displacement z of a residual, and S z.

        S z costs no product: rigid motions add nothing, and held = (S + D)^-1 r gives S held = r - D held.
        """
        held = self.system.stacks.product(self._inverse, residual)
        rigid = self._coarse(self.system.rigid_transposed @ residual)
        return held + self.system.rigid @ rigid, residual - self._matrix @ held


class WholeFactors:
    """LU of all blocks on the convex part of their springs, at the jumps of the last `refresh`.

    A small part of intact springs holds fragments that nothing else does; the axial term is left out. On a
    device the matrix is dense, so that large systems there stay with `BlockInverses`.
    """

    SHIFT = 1e-9

    def __init__(self, system: InterfaceSystem, law: IncrementalLaw, jump: Floats) -> None:
        self.system = system
        self._elasticity = system.elasticity_matrix()
        self.refresh(law, jump)

    def refresh(self, law: IncrementalLaw, jump: Floats) -> None:
        """Factorise for the springs at jumps (n_points, m)."""
        backend = self.system.backend
        shift = self.SHIFT * law.penalty_stiffness * float(self.system.weight.max())
        springs = self.system.springs(law.tangent(jump, convex=True))
        self._springs = springs + shift * backend.sparse.eye_array(springs.shape[0], format="csr")
        self._springs.eliminate_zeros()  # of parted faces: less fill
        self._solve = backend.factorised(
            self._elasticity + self._springs,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def __call__(self, residual: Floats) -> tuple[Floats, Floats]:
        """Approximate displacement z of a residual, and S z = r - D z."""
        z = self._solve(residual)
        return z, residual - self._springs @ z
