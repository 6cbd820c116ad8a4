"""Anisotropic elasticity in Voigt notation and its rotation between crystal and laboratory frame.

Order of the six components: xx, yy, zz, yz, xz, xy. Strains carry engineering shear (gamma = 2 eps),
stresses do not. An orientation R has the crystal's a, b (in the basal plane, perpendicular to a) and c axes
as its columns, in the laboratory frame: v_lab = R v_crystal. Rotations follow Bond, J. Appl. Phys. 14, 380
(1943); the formulas are written out in Auld, Acoustic Fields and Waves in Solids (1973), section 3.D.
"""

from faultline.crystal.rotation import (
    lab_strain,
    rotate_stiffness,
    rotate_strain,
    rotate_voigt_strain_to_crystal,
    rotate_voigt_stress_to_crystal,
    rotate_voigt_stress_to_lab,
    strain_bond,
    stress_bond,
)
from faultline.crystal.stiffness import hexagonal_stiffness, is_stable, isotropic_stiffness

__all__ = [
    "hexagonal_stiffness",
    "is_stable",
    "isotropic_stiffness",
    "lab_strain",
    "rotate_stiffness",
    "rotate_strain",
    "rotate_voigt_strain_to_crystal",
    "rotate_voigt_stress_to_crystal",
    "rotate_voigt_stress_to_lab",
    "strain_bond",
    "stress_bond",
]
