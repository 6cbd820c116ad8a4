"""Dislocations that the misfits of a cycle leave behind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline.config.estimates import DefectConstants
from faultline.config.loader import load_study
from faultline.config.models import DefectSettings
from faultline.config.slices import stage_slice
from faultline.config.stage import from_slice
from faultline.defects import Defects, defects_dataset, defects_from_dataset, generate_defects
from faultline.defects.activation import (
    Misfit,
    _gradients,
    activate,
    largest_misfit,
    misfit_density,
    near_interfaces,
)
from faultline.defects.remodelling import remodel, retained_share_from
from faultline.errors import UserError
from faultline.materials import LatticeCurve
from faultline.materials.particle_model import ParticleModel
from faultline.microstructure import BASAL_PLANE, GRAIN_BOUNDARY, rectangle_particle
from faultline.statistics import Statistic, write_statistics
from faultline.verification.transport import SIMPLE

ROOT = Path(__file__).parents[1]
C = DefectConstants()
XX, YY, ZZ, YZ, XZ, XY = range(6)
LAYERED = replace(  # shrinks by 6 % along c and widens by 1 % along a while x falls from 0.6 to 0.3
    SIMPLE,
    initial_site_fraction=0.6,
    lattice=LatticeCurve.from_table(
        [0.2, 0.6, 0.8],
        ["P2"] * 3,
        [0.92 * 5e-10, 5e-10, 5.2e-10],
        [4e-3 / 0.3, 0, 0],
        [4e-3 / 0.3, 0, 0],
        0.6,
    ),
)


def plate(n=10, **kwargs):
    return rectangle_particle((2e-6, 2e-6), (n, n), **kwargs)


def pair(n=10):
    """Two crystals side by side, the second turned by a right angle, with basal planes."""
    turned = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    first = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    return plate(
        n,
        grain_of=lambda p: p[:, 0] > 1e-6,
        block_of=lambda p: p[:, 1] // 0.5e-6,
        orientation=np.stack([first, turned @ first]),
    )


def density(particle, strain):
    return misfit_density(strain, _gradients(particle))


def inner(particle):
    """Cells away from the outline, where the mean gradient is that of the field."""
    return ((particle.cell_centroid > 0.3e-6) & (particle.cell_centroid < 1.7e-6)).all(axis=1)


@pytest.mark.parametrize(
    ("component", "axis", "share"),
    [
        (YY, 0, 1.0),
        (XX, 1, 1.0),
        (ZZ, 0, 1.0),
        (ZZ, 1, 1.0),
        (XX, 0, 0.0),
        (YY, 1, 0.0),
        (XY, 0, 0.5),
        (XY, 1, 0.5),
    ],
)
def test_a_gradient_needs_dislocations_unless_it_fits_together(component, axis, share):
    """Nye: only what bends planes counts, and an engineering shear counts by half."""
    particle, slope = plate(), 1e4
    strain = np.zeros((particle.n_cells, 6))
    strain[:, component] = slope * particle.cell_centroid[:, axis]
    found = density(particle, strain)[inner(particle)]
    area = particle.cell_area[inner(particle)]
    assert_allclose(np.average(found, weights=area), share * slope, rtol=0.02, atol=1e-6 * slope)


@pytest.mark.parametrize("n", [6, 12, 24])
def test_the_dislocations_of_a_boundary_do_not_depend_on_the_mesh(n):
    particle = plate(n, grain_of=lambda p: p[:, 0] > 1e-6)
    strain = np.zeros((particle.n_cells, 6))
    strain[:, YY] = 0.01 * (particle.grain == 1)
    content = particle.cell_area @ density(particle, strain)
    assert_allclose(content, 0.01 * 2e-6)  # misfit times length: over b, the number of dislocations
    strain[:, YY], strain[:, XX] = 0, strain[:, YY]  # across the boundary it opens no misfit
    assert_allclose(density(particle, strain), 0, atol=1e-3)


def test_a_rotated_misfit_needs_as_many():
    """The norm does not know the axes: the same jump across a level and an upright boundary."""
    upright = plate(12, grain_of=lambda p: p[:, 0] > 1e-6)
    level = plate(12, grain_of=lambda p: p[:, 1] > 1e-6)
    first, second = (np.zeros((plate_.n_cells, 6)) for plate_ in (upright, level))
    first[upright.grain == 1] = [0.002, 0.01, -0.003, 0, 0, 0]
    second[level.grain == 1] = [0.01, 0.002, -0.003, 0, 0, 0]
    contents = [p.cell_area @ density(p, s) for p, s in ((upright, first), (level, second))]
    assert_allclose(contents[0], contents[1])


def history(particle, spread=0.0):
    """Composition of a cycle, down and back; x falls faster on the right by `spread`."""
    mean = np.concatenate([np.linspace(0.6, 0.3, 6), np.linspace(0.3, 0.6, 6)[1:]])
    side = particle.cell_centroid[:, 0] / 2e-6 - 0.5
    return mean[:, None] + np.outer(0.6 - mean, spread * side)


def model_of(particle):
    return ParticleModel(particle, LAYERED, 298.15, np.zeros((particle.n_cells, 6)))


def misfit_of(particle):
    model = model_of(particle)
    return largest_misfit(particle, [model.eigenstrain(x) for x in history(particle)], C)


def test_the_largest_misfit_is_that_at_the_end_of_charge():
    particle = pair()
    found = misfit_of(particle)
    assert (found.frame[found.density > 0.1 * found.density.max()] == 5).all()
    principal = LAYERED.lattice_strain(np.array([0.6, 0.3]))
    in_plane, across = principal[1, 0] - principal[0, 0], principal[1, 2] - principal[0, 2]
    assert across < -0.05
    assert in_plane > 0.005
    boundary = np.isclose(particle.interface_midpoint[:, 0], 1e-6)
    length = particle.interface_length[boundary].sum()
    assert_allclose(
        particle.cell_area @ found.density, abs(across - in_plane) * length / C.burgers, rtol=1e-6
    )


def test_a_share_stays_as_dislocations_strain_faults_and_weaker_interfaces():
    particle = pair()
    given = DefectSettings.model_validate({"dislocations": {"density": "1e13 1/m^2"}})
    before = generate_defects(particle, given, 1)
    misfit = misfit_of(particle)
    after, half = (activate(particle, before, misfit, given, 1, share) for share in (None, 0.05))
    assert isinstance(after, Defects)
    assert_allclose(after.dislocation_density - before.dislocation_density, 0.1 * misfit.density, atol=1e4)
    assert_allclose(half.dislocation_density - before.dislocation_density, 0.05 * misfit.density, atol=1e4)
    assert (after.stacking_fault_probability > 0).all()
    assert_allclose(after.stacking_fault_probability, 2 * half.stacking_fault_probability)
    boundary = np.isclose(particle.interface_midpoint[:, 0], 1e-6)
    assert (after.strength_factor[boundary] < 0.99 * before.strength_factor[boundary]).all()
    basal = particle.interface_kind == BASAL_PLANE
    assert (after.strength_factor[basal] < before.strength_factor[basal]).all()
    assert np.array_equal(after.toughness_factor, before.toughness_factor)
    strained = np.linalg.norm(after.residual_strain - before.residual_strain, axis=1)
    strong = misfit.density > 1e10
    assert strained[~strong].max() < 1e-3 * strained[strong].mean()
    again = activate(particle, before, misfit, given, 1)
    assert np.array_equal(after.residual_strain, again.residual_strain)
    assert not np.array_equal(
        after.residual_strain, activate(particle, before, misfit, given, 2).residual_strain
    )


def test_weakening_at_a_boundary_does_not_depend_on_the_mesh():
    weaker = []
    for n in (16, 32):
        particle = pair(n)
        before = generate_defects(particle, DefectSettings(), 1)
        misfit = misfit_of(particle)
        after = activate(particle, before, misfit, DefectSettings(), 1)
        x, y = particle.interface_midpoint.T
        boundary = np.isclose(x, 1e-6) & (np.abs(y - 1e-6) < 0.5e-6)
        weaker.append(1 - (after.strength_factor / before.strength_factor)[boundary].mean())
    assert weaker[0] > 0.01
    assert_allclose(weaker[1], weaker[0], rtol=0.1)


def test_without_misfit_nothing_changes():
    particle = plate()
    before = generate_defects(particle, DefectSettings(), 1)
    none = Misfit(np.zeros(particle.n_cells), np.zeros(particle.n_cells, dtype=int))
    after = activate(particle, before, none, DefectSettings(), 1)
    for name, values in vars(before).items():
        assert np.array_equal(getattr(after, name), values), name


def test_near_is_one_element_from_a_boundary_or_from_the_front_at_that_time():
    particle = pair()
    right = particle.cell_centroid[:, 1] > 1e-6
    phase = np.stack([np.zeros(particle.n_cells, int), right.astype(int)])
    boundary = near_interfaces(particle, phase, np.zeros(particle.n_cells, int))
    edges = particle.interface_faces[particle.interface_kind == GRAIN_BOUNDARY]
    assert np.array_equal(boundary, np.isin(particle.cells, edges).any(axis=1))
    both = near_interfaces(particle, phase, np.ones(particle.n_cells, int))
    assert (both & ~boundary).any()
    assert (np.abs(particle.cell_centroid[both & ~boundary, 1] - 1e-6) < 0.2e-6).all()


# ---- the stage


def stage(tmp_path=None, **defects):
    """Slice of a shipped case, a pair of its crystals, and a cycle."""
    case = load_study(ROOT / "config/config.yaml", ROOT).case("o3-nm.s1")
    case = case.__class__(**{**vars(case), "settings": with_defects(case.settings, defects)})
    settings = from_slice(stage_slice(case, "activation"))
    particle = pair(20)
    before = generate_defects(particle, case.settings.defects, case.seed)
    start = case.material.initial_site_fraction.value
    x = start + (history(particle, 0.2) - 0.6)
    inputs = {
        "defects": defects_dataset(particle, before),
        "cycling": xr.Dataset({"site_fraction": (("frame", "cell"), x)}),
    }
    return particle, inputs, settings, before


def with_defects(settings, changes):
    return settings.model_copy(update={"defects": DefectSettings.model_validate(changes)})


def test_defects_rise_where_the_misfit_is_while_the_lattice_comes_back():
    particle, inputs, settings, before = stage(dislocations={"density": "1e13 1/m^2"})
    result = remodel(particle, inputs, settings)
    facts = result.attrs
    assert facts["activated"]
    assert_allclose(facts["dislocation_density_before"], 1e13)
    assert facts["dislocation_density_after"] > 1.5e13
    assert facts["increase_near_interfaces"] > 0.8
    assert facts["area_near_interfaces"] < 0.4
    assert abs(facts["lattice_change_c"]) < 1e-9 < 1e-3 < facts["lattice_swing_c"]
    assert abs(facts["lattice_change_a"]) < 1e-9
    after = defects_from_dataset(result)
    mean = particle.cell_area @ after.dislocation_density / particle.area
    assert_allclose(mean, facts["dislocation_density_after"])
    assert np.array_equal(after.site_fraction_shift, before.site_fraction_shift)


def test_switched_off_it_hands_the_defects_on():
    particle, inputs, settings, before = stage(activation={"enabled": False})
    assert settings.material is None
    result = remodel(particle, inputs, settings)
    assert not result.attrs["activated"]
    assert np.array_equal(defects_from_dataset(result).residual_strain, before.residual_strain)


def test_statistics_of_the_nanoscale_replace_the_estimate(tmp_path):
    file = tmp_path / "statistics.json"
    found = {"retained_share": Statistic(0.3, "1"), "retained_dislocation_density": Statistic(4e13, "1/m2")}
    write_statistics(found, file)
    particle, inputs, settings, _ = stage()
    by_estimate, by_file = (
        remodel(particle, inputs, settings, share) for share in (None, retained_share_from(str(file)))
    )
    assert by_file.attrs["retained_share"] == 0.3
    assert_allclose(by_file["dislocation_density"], 3 * by_estimate["dislocation_density"])


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "lacks it"),
        ({"retained_share": Statistic(1.7, "1")}, "says 1.7"),
        ({"retained_share": Statistic(float("nan"), "1")}, "nan"),
    ],
)
def test_statistics_that_do_not_serve_are_refused(tmp_path, found, words):
    file = tmp_path / "statistics.json"
    write_statistics(found, file)
    with pytest.raises(UserError, match=words):
        retained_share_from(str(file))
