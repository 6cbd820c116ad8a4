"""A FiPy diffusion term for full tensors that jump from cell to cell, exact for linear fields."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from fipy.matrices.scipyMatrix import _ScipyMeshMatrix
from fipy.terms import TermMultiplyError
from fipy.terms.unaryTerm import _UnaryTerm
from fipy.variables.cellVariable import CellVariable
from fipy.variables.faceVariable import FaceVariable
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, diags_array, issparse

from faultline.transport.operator import MultipointOperator, MultipointStencil, operator_of

__all__ = ["MultipointDiffusionTerm", "MultipointOperator", "MultipointStencil"]

Array = NDArray[np.float64]


@dataclass
class _Assembly:
    """The latest stencil of a term, kept for as long as its coefficients stay the same."""

    inputs: tuple[Any, ...] = ()
    stencil: MultipointStencil | None = None


class MultipointDiffusionTerm(_UnaryTerm):
    r"""The diffusion term of second order, with multipoint fluxes.

    .. math:: \int_V \nabla \cdot (K \nabla \phi) \, dV \simeq \sum_f \sum_c F_{fc} \phi_c

    The flux through a face draws on all cells around its two vertices (see
    `faultline.transport.operator`), so that one implicit solve treats a full tensor without the explicit
    corrections of `DiffusionTerm`: linear fields are exact on any triangles, fluxes are conserved face by
    face, and the error is of second order also where K jumps along faces.

    Args:
        coeff: K per cell: a number, a (dim, dim) tensor, an array (cells,) or (dim, dim, cells), or a
            `CellVariable` of rank 0 or 2.
        interface_conductance: (faces,) array or `FaceVariable` h with flux = h times the jump of phi; inf
            where there is no interface, 0 where it is blocked.
        var: the variable to solve for.
        slope: (cells,) array or rank-0 `CellVariable` s.  The term is then div(K grad(s phi)), which is what
            Newton's method asks of a flux in a potential mu(phi) with s = dmu/dphi.  Where the potential of
            a cell depends on others too (gradient energy), s is a sparse matrix (cells, cells).
        potential: (cells,) array or `CellVariable` p: an explicit part, the term then being
            div(K grad(p + s phi)); Newton's method asks for p = mu(phi_k) - s phi_k.
        outflow: pair (a, b) of (faces,) arrays or `FaceVariable`: the flux density a + b phi leaves through
            exterior faces, phi being that of the cell inside, or b a sparse matrix (faces, cells).  Taking
            the same flux out as a source of the cell would cost the second order, for then the fluxes
            around do not know of it.
        source: pair (a, b) of (cells,) arrays: a - b phi is created per volume and time. A step of backward
            Euler has b = c / dt and a = b phi_old; as a part of this term it costs next to nothing, while
            FiPy's own `TransientTerm` outweighs everything else on a mesh of a thousand cells.

    Exterior faces are closed unless `phi.constrain` or `phi.faceGrad.constrain` says otherwise; a closed
    face stays closed for every K.  Both constraints speak of phi itself: s is taken from the cell inside.

    >>> from fipy import CellVariable, Tri2D, TransientTerm
    >>> mesh = Tri2D(nx=4, ny=4, dx=0.25, dy=0.25)
    >>> x, y = mesh.cellCenters.value
    >>> phi = CellVariable(mesh=mesh, hasOld=True)
    >>> phi.constrain(0.0, where=mesh.facesLeft)
    >>> phi.constrain(1.0, where=mesh.facesRight)
    >>> term = MultipointDiffusionTerm(coeff=2.0)
    >>> term.solve(var=phi)
    >>> bool(np.allclose(phi.value, x))
    True

    A tensor that points across the mesh, and a term on the right of an equation:

    >>> phi.setValue(x + y)
    >>> flow = MultipointDiffusionTerm(coeff=[[2.0, 1.0], [1.0, 3.0]])
    >>> psi = CellVariable(mesh=mesh, value=x - y)
    >>> psi.constrain(mesh.faceCenters[0] - mesh.faceCenters[1], where=mesh.exteriorFaces)
    >>> (TransientTerm() == flow).solve(var=psi, dt=10.0)
    >>> bool(np.allclose(psi.value, x - y))
    True

    Terms scale and change sign as FiPy's own do:

    >>> 3 * -MultipointDiffusionTerm(coeff=2.0)
    -3.0 * MultipointDiffusionTerm(coeff=2.0)

    Raises:
        TypeError: the variable or the coefficient is of a rank or kind the term cannot use.
        ValueError: shapes disagree with the mesh, a constraint sits on an interior face, or there is one
            while s is a matrix.
    """

    def __init__(
        self,
        coeff: Any = 1.0,
        interface_conductance: Any = None,
        var: CellVariable | None = None,
        slope: Any = None,
        potential: Any = None,
        outflow: tuple[Any, Any] | None = None,
        source: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        if isinstance(coeff, FaceVariable):
            raise TypeError("the multipoint term needs the coefficient on cells, not on faces")
        super().__init__(coeff=coeff, var=var)
        self.interface_conductance = interface_conductance
        self.slope = slope
        self.potential = potential
        self.outflow = outflow
        self.source = source
        self._factor = 1.0
        self._assembly = _Assembly()  # shared by scaled copies, which have the same stencil

    def __mul__(self, other: float) -> MultipointDiffusionTerm:
        if not isinstance(other, int | float):
            raise TermMultiplyError
        scaled = copy(self)
        scaled._factor *= other
        return scaled

    __rmul__ = __mul__

    def __neg__(self) -> MultipointDiffusionTerm:
        return self * -1

    def __repr__(self) -> str:
        factor = "" if self._factor == 1 else f"{self._factor} * "
        return factor + super().__repr__()

    def operator(self, mesh: Any = None) -> csr_matrix:
        """Return T (cells, cells), T @ phi the integrals of div(K grad phi); closed outside, no slope."""
        mesh = self._known_mesh() if mesh is None else mesh
        return self._stencil(mesh, np.zeros(mesh.numberOfFaces, bool)).matrix

    def divergence(self, values: ArrayLike, mesh: Any = None) -> Array:
        """Return T @ values (cells,) by the matrix that the implicit part uses (closed outside, no slope)."""
        return self.operator(mesh) @ np.asarray(values, dtype=float)

    def boundary(self, mesh: Any = None) -> csr_matrix:
        """Return B (cells, faces): what an outward flux density on exterior faces adds to the integrals.

        Its columns sum to minus the faces' areas.
        """
        mesh = self._known_mesh() if mesh is None else mesh
        return self._stencil(mesh, np.zeros(mesh.numberOfFaces, bool)).boundary

    def face_flux(self, values: ArrayLike, mesh: Any = None) -> Array:
        """Return (faces,) -K grad(values) . n A, from a face's first cell to its second; closed outside."""
        mesh = self._known_mesh() if mesh is None else mesh
        return self._stencil(mesh, np.zeros(mesh.numberOfFaces, bool)).face_flux(values)

    def _known_mesh(self) -> Any:
        for source in (self.var, self.coeff, self.slope, self.interface_conductance):
            if hasattr(source, "mesh"):
                return source.mesh
        raise ValueError("the term does not know its mesh: give it, or make coeff or var a CellVariable")

    @property
    def _diffusionVars(self) -> list[CellVariable]:
        return self._vars

    def _stencil(self, mesh: Any, dirichlet: NDArray[np.bool_]) -> MultipointStencil:
        """The stencil for today's coefficients, kept until one of them changes."""
        tensor = _cell_tensor(self.coeff, mesh)
        given = self.interface_conductance
        conductance = None if given is None else np.array(given, dtype=float)
        inputs = (mesh, tensor, conductance, dirichlet)
        if self._assembly.stencil is None or not _same(inputs, self._assembly.inputs):
            self._assembly.stencil = operator_of(mesh).stencil(tensor, conductance, dirichlet)
            self._assembly.inputs = inputs
        return self._assembly.stencil

    def _slopes(self, mesh: Any) -> Array | None:
        """Slope per cell, of a matrix its diagonal; None without one."""
        if self.slope is None:
            return None
        if issparse(self.slope):
            return np.asarray(self.slope.diagonal(), dtype=float)
        slope = np.asarray(self.slope, dtype=float)
        if slope.shape != (mesh.numberOfCells,):
            raise ValueError(f"slope must be ({mesh.numberOfCells},) numbers, not of shape {slope.shape}")
        return slope

    def _buildMatrix(
        self,
        var: CellVariable,
        SparseMatrix: Any,
        boundaryConditions: Any = (),
        dt: Any = None,
        transientGeomCoeff: Any = None,
        diffusionGeomCoeff: Any = None,
    ) -> tuple[CellVariable, Any, Array]:
        """FiPy's call: the matrix L and vector b of L phi - b = integral of div(K grad(s phi)) per cell."""
        if var.rank != 0:
            raise TypeError("the multipoint term solves for scalar variables; couple several with &")
        if boundaryConditions:
            raise TypeError("use var.constrain and var.faceGrad.constrain in place of boundaryConditions")
        mesh = var.mesh
        slope = self._slopes(mesh)
        fixed, datum = self._boundary_data(var, slope)
        stencil = self._stencil(mesh, fixed)
        if issparse(self.slope) and (fixed.any() or datum.any()):
            raise ValueError("constraints on phi say nothing of a potential whose slope is a matrix")
        if issparse(self.slope):
            block = csr_matrix(stencil.matrix @ self.slope)
        else:
            block = stencil.matrix.copy()  # the stencil is kept
            block.data *= 1.0 if slope is None else slope[block.indices]
        vector = np.zeros(mesh.numberOfCells)
        if self.outflow is not None:
            constant, rate = self.outflow
            datum = datum + np.where(fixed, 0.0, np.broadcast_to(np.asarray(constant, float), fixed.shape))
            block = block + _outflow_part(stencil.boundary, rate, ~fixed, mesh)
        if self.source is not None:
            volume = np.asarray(mesh.cellVolumes)
            vector -= volume * np.asarray(self.source[0], float)
            block.setdiag(block.diagonal() - volume * np.asarray(self.source[1], float))
        if datum.any():
            vector -= stencil.boundary @ datum
        if self.potential is not None:
            vector -= stencil.matrix @ np.asarray(self.potential, float)
        return var, self._as_fipys(block, mesh, SparseMatrix), self._factor * vector

    def _as_fipys(self, block: csr_matrix, mesh: Any, SparseMatrix: Any) -> Any:
        """The matrix of the term, taken over as it is where FiPy lets that."""
        block.data *= self._factor
        if SparseMatrix is _ScipyMeshMatrix:
            return SparseMatrix(mesh=mesh, matrix=block)
        coo, matrix = block.tocoo(), SparseMatrix(mesh=mesh, nonZerosPerRow=np.diff(block.indptr))
        matrix.addAt(coo.data, coo.row, coo.col)
        return matrix

    def _boundary_data(self, var: CellVariable, slope: Array | None) -> tuple[NDArray[np.bool_], Array]:
        """Dirichlet mask (faces,), and potential or outward flux density (faces,) from FiPy's constraints."""
        mesh = var.mesh
        fixed = np.array(var.arithmeticFaceValue.constraintMask.value, dtype=bool)
        sloped = np.array(var.faceGrad.constraintMask.value, dtype=bool) & ~fixed
        datum = np.zeros(mesh.numberOfFaces)
        if not (fixed.any() or sloped.any()):
            return fixed, datum
        if np.any((fixed | sloped) & ~np.asarray(mesh.exteriorFaces.value)):
            raise ValueError("the multipoint term takes constraints on exterior faces only")
        inner = operator_of(mesh).inner
        scale = np.ones(mesh.numberOfFaces) if slope is None else slope[inner]
        datum[fixed] = (scale * np.asarray(var.arithmeticFaceValue.value))[fixed]
        if sloped.any():
            tensor = _cell_tensor(self.coeff, mesh)[inner[sloped]]
            gradient = np.asarray(var.faceGrad.value)[:, sloped]
            normal = np.asarray(mesh.faceNormals)[:, sloped]
            datum[sloped] = -scale[sloped] * np.einsum("in,nij,jn->n", normal, tensor, gradient)
        return fixed, datum

    def _getDiffusionGeomCoeff(self, var: CellVariable) -> FaceVariable | None:
        return _NormalCoefficient(self, var.mesh) if var is self.var or self.var is None else None


class _NormalCoefficient(FaceVariable):
    """n . K . n A / d per face, from which convection terms, where there are any, take the Peclet number."""

    def __init__(self, term: MultipointDiffusionTerm, mesh: Any) -> None:
        super().__init__(mesh=mesh, elementshape=(1,))
        self._term = term
        self._markStale()

    def _calcValue(self) -> Array:
        mesh, term = self.mesh, self._term
        slope, tensor = term._slopes(mesh), _cell_tensor(term.coeff, mesh)
        if slope is not None:
            tensor = tensor * slope[:, None, None]
        first, second = (np.asarray(ids) for ids in mesh._adjacentCellIDs)
        normal = np.asarray(mesh.faceNormals)
        mean = (tensor[first] + tensor[second]) / 2
        value = np.einsum("in,nij,jn->n", normal, mean, normal) * np.asarray(mesh._faceAreas)
        return np.asarray(term._factor * value / np.asarray(mesh._cellDistances))[np.newaxis]


def _cell_tensor(coeff: Any, mesh: Any) -> Array:
    """Broadcast a coefficient of any allowed kind to (cells, dim, dim)."""
    value = np.array(coeff, dtype=float)  # a copy: what it is compared with later must not change
    dim, cells = int(mesh.dim), int(mesh.numberOfCells)
    if value.shape == (cells,) and (isinstance(coeff, CellVariable) or cells != dim):
        return value[:, None, None] * np.eye(dim)
    if value.shape == ():
        return np.broadcast_to(value * np.eye(dim), (cells, dim, dim))
    if value.shape == (dim, dim):
        return np.broadcast_to(value, (cells, dim, dim))
    if value.shape == (dim, dim, cells):
        return np.ascontiguousarray(np.moveaxis(value, -1, 0))
    raise ValueError(
        f"coefficient of shape {value.shape}: the multipoint term takes a number, a ({dim}, {dim}) tensor, "
        f"({cells},) or ({dim}, {dim}, {cells}) values, or a CellVariable of rank 0 or 2"
    )


def _outflow_part(boundary: csr_matrix, rate: Any, free: NDArray[np.bool_], mesh: Any) -> csr_matrix:
    """What an outflow b phi (none where a potential is given) adds to the matrix (cells, cells)."""
    if issparse(rate):
        return csr_matrix(boundary @ (diags_array(free.astype(float)) @ rate))
    values = np.where(free, np.asarray(rate, float), 0.0)[boundary.indices] * boundary.data
    entries = (values, operator_of(mesh).inner[boundary.indices], boundary.indptr)
    return csr_matrix(entries, shape=(mesh.numberOfCells, mesh.numberOfCells))


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(
        a is b or (isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.array_equal(a, b))
        for a, b in zip(one, other, strict=True)
    )
