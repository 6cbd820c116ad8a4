"""What the cycling file says of elastic strain."""

from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline.crystal import lab_strain, rotate_stiffness
from faultline.crystal.stiffness import hexagonal_stiffness
from faultline.cycling.files import _crystal_strain


def test_elastic_strain_along_the_axes_of_a_turned_crystal_is_what_was_put_in():
    turned = Rotation.random(5, rng=np.random.default_rng(3)).as_matrix()
    strain = np.random.default_rng(4).normal(size=(5, 6))  # in the crystal, engineering shear
    stiffness = rotate_stiffness(hexagonal_stiffness(210e9, 75e9, 40e9, 100e9, 25e9), turned)
    stress = np.einsum("nij,nj->ni", stiffness, lab_strain(strain, turned))
    model = SimpleNamespace(stiffness=stiffness, particle=SimpleNamespace(cell_orientation=turned))
    assert_allclose(_crystal_strain(model, stress[None])[0], strain, atol=1e-12)
