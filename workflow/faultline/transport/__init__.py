"""Alkali transport on FiPy meshes: the multipoint diffusion term, surface kinetics and the bordered solver.

Names load on first use, because importing FiPy takes longer than most stages that do not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faultline.transport.kinetics import SurfaceCurrent, butler_volmer, surface_current
    from faultline.transport.mesh import TransportMesh, fipy_mesh
    from faultline.transport.multipoint import MultipointDiffusionTerm
    from faultline.transport.operator import MultipointOperator, MultipointStencil, operator_of
    from faultline.transport.solver import Border, BorderedLUSolver

_HOME = {
    "Border": "solver",
    "BorderedLUSolver": "solver",
    "MultipointDiffusionTerm": "multipoint",
    "MultipointOperator": "operator",
    "MultipointStencil": "operator",
    "SurfaceCurrent": "kinetics",
    "TransportMesh": "mesh",
    "butler_volmer": "kinetics",
    "fipy_mesh": "mesh",
    "operator_of": "operator",
    "surface_current": "kinetics",
}

__all__ = [
    "Border",
    "BorderedLUSolver",
    "MultipointDiffusionTerm",
    "MultipointOperator",
    "MultipointStencil",
    "SurfaceCurrent",
    "TransportMesh",
    "butler_volmer",
    "fipy_mesh",
    "operator_of",
    "surface_current",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
