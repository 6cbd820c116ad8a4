"""A device without a device: arrays that behave as CuPy's do, in the memory of the host.

They refuse to become NumPy arrays or to meet them, have no generalised ufuncs and no functions or methods
beyond those listed here, and return arrays of no dimension where NumPy returns numbers. Every copy between
host and device is counted, and so is every number that is read.
"""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

from faultline.backend import Backend

COPIES: Counter[str] = Counter()  # "put" and "get" count arrays, "read" numbers
FUNCTIONS = {
    *(np.where, np.einsum, np.zeros_like, np.empty_like, np.clip, np.mean),
    *(np.linalg.norm, np.linalg.inv, np.linalg.solve),
}


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the device."""

    def __init__(self, data):
        self._data = np.asarray(data)

    shape = property(lambda self: self._data.shape)
    ndim = property(lambda self: self._data.ndim)
    size = property(lambda self: self._data.size)
    dtype = property(lambda self: self._data.dtype)

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if method != "__call__" or ufunc.signature is not None:
            return NotImplemented
        if out is not None:
            kwargs["out"] = tuple(map(bare, out))
        return on_device(ufunc(*map(bare, inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        if function not in FUNCTIONS:
            return NotImplemented
        return on_device(function(*map(bare, args), **{key: bare(value) for key, value in kwargs.items()}))

    def __matmul__(self, other):
        return on_device(bare(self) @ bare(other))

    def __getitem__(self, key):
        return on_device(self._data[index(key)])

    def __setitem__(self, key, value):
        self._data[index(key)] = bare(value)

    def __len__(self):
        return len(self._data)

    def __iter__(self):
        return iter([self[i] for i in range(len(self))])

    def _number(self, kind):
        COPIES["read"] += 1
        return kind(self._data)

    __float__, __bool__, __int__ = (
        lambda self: self._number(float),
        lambda self: self._number(bool),
        lambda self: self._number(int),
    )

    def ravel(self):
        return on_device(self._data.ravel())

    def reshape(self, *shape):
        return on_device(self._data.reshape(*shape))

    def transpose(self, *axes):
        return on_device(self._data.transpose(*axes))

    def copy(self):
        return on_device(self._data.copy())

    def max(self):
        return on_device(self._data.max())

    def sum(self, axis=None):
        return on_device(self._data.sum(axis=axis))

    def any(self):
        return on_device(self._data.any())


class DeviceMatrix:
    """A sparse matrix on the device, by rows."""

    def __init__(self, parts, shape):
        self._data = scipy.sparse.csr_array(tuple(map(bare, parts)), shape=shape)
        self.shape = shape

    @classmethod
    def of(cls, matrix):
        matrix = scipy.sparse.csr_array(matrix)
        parts = (matrix.data, matrix.indices, matrix.indptr)
        return cls(tuple(map(DeviceArray, parts)), shape=matrix.shape)

    def __matmul__(self, other):
        if isinstance(other, DeviceMatrix):
            return DeviceMatrix.of(self._data @ other._data)
        return on_device(self._data @ bare(other))

    def __add__(self, other):
        return DeviceMatrix.of(self._data + other._data)

    def __rmul__(self, factor):
        return DeviceMatrix.of(float(factor) * self._data)

    def eliminate_zeros(self):
        self._data.eliminate_zeros()

    def toarray(self):
        return on_device(self._data.toarray())


def on_device(value):
    """Everything that a function returns stays on the device."""
    if isinstance(value, list | tuple):
        return type(value)(map(on_device, value))
    return DeviceArray(value)


def bare(value):
    """What lies behind an argument; one that lies on the host is an error, if it is no plain number."""
    if isinstance(value, DeviceArray):
        return value._data
    if isinstance(value, list | tuple):
        return type(value)(map(bare, value))
    if isinstance(value, np.ndarray) or scipy.sparse.issparse(value):
        raise TypeError(f"a {type(value).__name__} of the host meets an array of the device")
    return value


def index(key):
    return tuple(map(bare, key)) if isinstance(key, tuple) else bare(key)


def put(array):
    COPIES["put"] += 1
    return DeviceArray(array.copy())


def get(array):
    COPIES["get"] += 1
    return bare(array).copy()


def lu_factor(matrix):
    return tuple(map(DeviceArray, scipy.linalg.lu_factor(bare(matrix))))


def lu_solve(factors, right):
    return DeviceArray(scipy.linalg.lu_solve(bare(factors), bare(right)))


def bicgstab(matrix, right, rtol, maxiter):
    found, code = scipy.sparse.linalg.bicgstab(matrix._data, bare(right), rtol=rtol, maxiter=maxiter)
    return DeviceArray(found), code


FAKE = Backend(
    "gpu",
    "a device that is none",
    SimpleNamespace(
        asarray=put,
        zeros=lambda shape: DeviceArray(np.zeros(shape)),
        arange=lambda n: DeviceArray(np.arange(n)),
    ),
    SimpleNamespace(
        csr_array=DeviceMatrix,
        eye_array=lambda n, format: DeviceMatrix.of(scipy.sparse.eye_array(n, format=format)),
    ),
    SimpleNamespace(lu_factor=lu_factor, lu_solve=lu_solve),
    SimpleNamespace(bicgstab=bicgstab),
    get,
)
