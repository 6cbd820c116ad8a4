"""Where the heavy arrays live: on the processor (NumPy, SciPy), or on one GPU (CuPy, which mirrors both).

A study says `backend: cpu` or `backend: gpu`. It reaches the processes of a run as an environment variable,
since it is no setting that a result depends on: both backends agree to the tolerance of their solvers, and
switching must not run a study again. Stage files name the backend in their attribute `solver`.

Functions that work on either take their arrays as they come: NumPy's functions and operators act on the
arrays of CuPy where they lie (NEP 13 and 18), and refuse to mix them with those of the host. So a copy
between the two is always a `put` or a `get`. What runs on a device is said in `cracks.newton`,
`mechanics.condensation` and `transport.solver`; everything else stays on the host.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

from faultline.errors import UserError

VARIABLE = "FAULTLINE_BACKEND"
NAMES = ("cpu", "gpu")
OLDEST_CUPY = 14  # the first one with sparse arrays and BiCGStab
LARGEST_DENSE = 32_000  # unknowns of a system that a device factorises as a dense matrix: 8 GB, and a copy
_INSTALL = "install it with `tools/setup.sh --group gpu` (NVIDIA, CUDA 12), or set `backend: cpu`"


@dataclass(frozen=True)
class Backend:
    """One place for arrays, and the modules that work there under the names of NumPy and SciPy.

    Attributes:
        name: as in a study file.
        words: for provenance.
        numpy: namespace of its arrays.
        sparse, linalg, krylov: its `scipy.sparse`, `scipy.linalg` and `scipy.sparse.linalg`.
        get_array: copies one of its arrays to the host; None where that is the host.
    """

    name: str
    words: str
    numpy: Any
    sparse: Any
    linalg: Any
    krylov: Any
    get_array: Callable[[Any], Any] | None = None

    @property
    def on_host(self) -> bool:
        """Whether its arrays are those of NumPy."""
        return self.get_array is None

    def put(self, value: Any) -> Any:
        """An array, a sparse matrix or a dataclass of these from the host, here; anything else as it is."""
        if self.on_host:
            return value
        if isinstance(value, np.ndarray):
            return self.numpy.asarray(value)
        if scipy.sparse.issparse(value):
            parts = (value.data, value.indices, value.indptr)
            return self.sparse.csr_array(tuple(map(self.put, parts)), shape=value.shape)
        if is_dataclass(value) and not isinstance(value, type):
            return _with_fields(value, self.put)
        return value

    def get(self, array: Any) -> Any:
        """An array from here, on the host."""
        return array if self.get_array is None else self.get_array(array)

    def factorised(self, matrix: Any, shift: float = 0.0, **options: Any) -> Callable[[Any], Any]:
        """Solver of a sparse positive definite matrix plus `shift` on its diagonal.

        On the host SuperLU takes the `options`. On a device the matrix is made dense: CuPy's sparse LU
        factorises on the host, and the levels of its triangular solves leave a device idle.
        """
        n = matrix.shape[0]
        if self.on_host:
            shifted = matrix + shift * scipy.sparse.eye_array(n, format="csc") if shift else matrix
            return scipy.sparse.linalg.splu(scipy.sparse.csc_array(shifted), **options).solve
        dense, i = matrix.toarray(), self.numpy.arange(n)
        dense[i, i] += shift
        factors = self.linalg.lu_factor(dense)
        return lambda right: self.linalg.lu_solve(factors, right)


CPU = Backend("cpu", "arrays on the CPU", np, scipy.sparse, scipy.linalg, scipy.sparse.linalg)


def current() -> Backend:
    """The backend that this process was told to use.

    Raises:
        UserError: it is none, or there is no GPU, or no CuPy to use it.
    """
    return named(os.environ.get(VARIABLE, "cpu"))


_asked_for: dict[str, Backend] = {}


def named(name: str) -> Backend:
    """The backend of a name; see `current`."""
    if name not in NAMES:
        raise UserError(f"backend: {name!r} is none; allowed are {' and '.join(NAMES)}")
    if name not in _asked_for:
        _asked_for[name] = CPU if name == "cpu" else _gpu()
    return _asked_for[name]


def in_use() -> list[str]:
    """What this process has asked for so far, for provenance; a stage that needs none asks for none."""
    return [backend.words for backend in _asked_for.values()]


def _gpu() -> Backend:
    try:
        import cupy
    except ImportError as error:
        raise UserError(f"backend: gpu needs CuPy, which is missing ({error}); {_INSTALL}") from None
    if int(cupy.__version__.split(".")[0]) < OLDEST_CUPY:
        raise UserError(
            f"backend: gpu needs CuPy {OLDEST_CUPY} or later, this is {cupy.__version__}; {_INSTALL}"
        )
    if not cupy.is_available():
        raise UserError(
            f"backend: gpu, but CuPy finds no GPU on {platform.node()}, or no driver for it: run where there "
            "is one (on a cluster with profiles/gpu), or set `backend: cpu`"
        )
    try:
        import cupyx.scipy.linalg
        import cupyx.scipy.sparse
        import cupyx.scipy.sparse.linalg
    except ImportError as error:
        what = str(error).splitlines()[0]
        raise UserError(f"backend: gpu, but libraries of CUDA are missing ({what}); {_INSTALL}") from None
    device = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    scipy_of = cupyx.scipy
    return Backend(
        "gpu",
        f"cupy {cupy.__version__} on {device}",
        cupy,
        scipy_of.sparse,
        scipy_of.linalg,
        scipy_of.sparse.linalg,
        cupy.asnumpy,
    )


def _with_fields(value: Any, change: Callable[[Any], Any]) -> Any:
    """Copy of a dataclass with its fields changed; not checked again, and without what it has cached."""
    copy = object.__new__(type(value))
    for field in fields(value):
        object.__setattr__(copy, field.name, change(getattr(value, field.name)))
    return copy
