"""Small-strain elasticity of a particle section in generalised plane strain."""

from faultline.mechanics.bonded import BondedSolid, ElasticState
from faultline.mechanics.condensation import CondensedBlocks, condense
from faultline.mechanics.plane import displacement_components

__all__ = ["BondedSolid", "CondensedBlocks", "ElasticState", "condense", "displacement_components"]
