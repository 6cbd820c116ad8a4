"""Materials as the solvers see them: lattice, voltage, mobility and strength by site fraction."""

from faultline.materials.material import FARADAY, Cohesive, Material, material_from_settings
from faultline.materials.tables import LatticeCurve, VoltageCurve

__all__ = ["FARADAY", "Cohesive", "LatticeCurve", "Material", "VoltageCurve", "material_from_settings"]
