"""Hard regions of oxygen redox: where they lie, what they add, and the stress that follows."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from faultline.config.models import DefectSettings
from faultline.config.stage import StageSettings
from faultline.crystal import isotropic_stiffness
from faultline.cycling.mechanics import BondedMechanics
from faultline.cycling.setup import basal_glide
from faultline.defects import defects_dataset, defects_from_dataset, generate_defects
from faultline.defects.regions import redox_class, redox_regions
from faultline.materials.particle_model import ParticleModel
from faultline.materials.regions import RedoxRegions
from faultline.mechanics import BondedSolid
from faultline.microstructure import rectangle_particle
from faultline.observables.mechanisms import near_rim, region_metrics, rim
from faultline.verification.mechanics import (
    AXIAL,
    CORE_RADIUS,
    DISC_RADIUS,
    HOOP,
    RADIAL,
    Phase,
    composite_stress,
    polar_components,
    relative_l2,
    round_section,
)
from faultline.verification.transport import SIMPLE

UM = 1e-6
SETTINGS = DefectSettings.model_validate({"redox_regions": {"share": 0.3, "size": "0.5 um"}})
REGIONS = SETTINGS.redox_regions


@pytest.fixture(scope="module")
def particle():
    return rectangle_particle((4 * UM, 4 * UM), (30, 30))


def regions(hard, **changes):
    given = {"onset": 0.5, "complete": 0.2, "contraction": 0.01, "stiffness": 1.5}
    return RedoxRegions(np.asarray(hard), **given | changes)


def model(particle, found=None, **changes):
    return ParticleModel(
        particle, replace(SIMPLE, **changes), 298.15, np.zeros((particle.n_cells, 6)), regions=found
    )


# ---- where


def test_regions_take_their_share_and_are_as_wide_as_asked_for(particle):
    widths = []
    for seed in range(6):
        hard = redox_class(particle, REGIONS, seed)
        assert hard @ particle.cell_area / particle.area == pytest.approx(0.3, abs=1e-3)
        # along a line through the rows of squares: width of a region is length inside over entries
        lines = hard.reshape(30, 30, 4)[:, :, 0]
        entries = np.count_nonzero(~lines[:, :-1] & lines[:, 1:]) + np.count_nonzero(lines[:, 0])
        widths.append(lines.sum() * (4 / 30) / entries)
    assert np.mean(widths) == pytest.approx(0.5, rel=0.25)


def test_a_seed_gives_one_field_and_leaves_the_other_defects_alone(particle):
    plain = DefectSettings.model_validate({"segregation": {"amplitude": 0.02}})
    both = plain.model_copy(update={"redox_regions": REGIONS})
    with_regions, without = (generate_defects(particle, each, 3) for each in (both, plain))
    for name in ("residual_strain", "site_fraction_shift", "strength_factor", "toughness_factor"):
        assert_array_equal(getattr(with_regions, name), getattr(without, name))
    assert without.redox_region is None
    assert_array_equal(with_regions.redox_region, redox_class(particle, REGIONS, 3))
    assert (redox_class(particle, REGIONS, 3) != redox_class(particle, REGIONS, 4)).any()


def test_the_file_of_defects_keeps_them_and_has_no_field_without_them(particle):
    plain, both = (defects_dataset(particle, generate_defects(particle, s, 3))
                   for s in (DefectSettings(), SETTINGS))  # fmt: skip
    assert set(both) - set(plain) == {"redox_region"}
    assert_array_equal(defects_from_dataset(both).redox_region, both["redox_region"].values.astype(bool))
    assert defects_from_dataset(plain).redox_region is None


def test_the_model_has_the_regions_of_its_settings_and_seed(particle):
    found = redox_regions(particle, SETTINGS, 3, initial_site_fraction=0.8)
    assert (found.onset, found.complete) == pytest.approx((0.4, 0.16))
    assert_array_equal(found.hard, redox_class(particle, REGIONS, 3))
    assert redox_regions(particle, DefectSettings(), 3, 0.8) is None
    assert redox_regions(particle, StageSettings().defects, 3, 0.8) is None


# ---- what they add


def test_contraction_sets_in_at_the_threshold_and_its_slope_is_its_derivative():
    x = np.linspace(0.0, 1.0, 401)
    found = regions(np.ones(401, bool))
    strain = found.strain(x)
    assert_allclose(strain[x >= 0.5], 0, atol=1e-18)
    assert_allclose(strain[x <= 0.2], -0.01, rtol=1e-12)
    h = 1e-6
    assert_allclose(found.slope(x), (found.strain(x + h) - found.strain(x - h)) / (2 * h), atol=1e-6)
    assert_array_equal(regions(np.zeros(401, bool)).strain(x), 0)


def test_drift_follows_from_the_energy_of_the_added_strain(particle):
    hard = particle.cell_centroid[:, 0] < 2 * UM
    found, x = model(particle, regions(hard)), np.full(particle.n_cells, 0.35)
    stress = np.random.default_rng(0).standard_normal((particle.n_cells, 6)) * 1e8
    h = 1e-6
    work = [np.einsum("ni,ni->n", stress, found.eigenstrain(x + d)) for d in (h, -h)]
    assert_allclose(found.drift(x, stress), (work[0] - work[1]) / (2 * h) / SIMPLE.c_max, rtol=1e-5)


def test_without_regions_all_is_exactly_as_before_and_with_even_ones_as_well(particle):
    x = np.linspace(0.3, 0.9, particle.n_cells)
    plain = model(particle)
    even = model(particle, regions(redox_class(particle, REGIONS, 1), contraction=0.0, stiffness=1.0))
    assert_array_equal(plain.stiffness, even.stiffness)
    assert_array_equal(plain.eigenstrain(x), even.eigenstrain(x))
    assert_array_equal(plain.eigenstrain_slope(x), even.eigenstrain_slope(x))


def test_hard_layers_withstand_glide_by_the_same_factor(particle):
    hard = particle.cell_centroid[:, 0] < 2 * UM
    glide = basal_glide(model(particle, regions(hard), critical_resolved_shear_stress=1e8))
    assert_allclose(glide.critical, np.where(hard, 1.5e8, 1e8))
    assert_allclose(glide.shear_modulus, np.where(hard, 1.5, 1.0) * SIMPLE.stiffness[3, 3])
    assert glide.stiffest == pytest.approx(1.5 * SIMPLE.stiffness[3, 3])


# ---- the stress


def test_bar_with_a_hard_core_layer_shares_load_as_parallel_springs():
    """Layers of biaxial modulus E / (1 - nu) side by side: sum of t M (eps - e) = 0, alike in both layers."""
    modulus, poisson, contraction, factor = 100e9, 0.25, 0.01, 2.0
    bar = rectangle_particle((16 * UM, 0.9 * UM), (160, 9))
    hard = np.abs(bar.cell_centroid[:, 1] - 0.45 * UM) < 0.15 * UM  # a third of the bar
    stiffness = isotropic_stiffness(modulus, poisson)
    found = model(bar, regions(hard, contraction=contraction, stiffness=factor), stiffness=stiffness)
    mechanics, x = BondedMechanics(found), np.full(bar.n_cells, 0.2)
    strain = found.eigenstrain(x) - model(bar, stiffness=stiffness).eigenstrain(x)
    stress = mechanics.solid.solve(strain).stress
    middle = np.abs(bar.cell_centroid[:, 0] - 8 * UM) < 1 * UM
    soft, stiff = modulus / (1 - poisson), factor * modulus / (1 - poisson)
    stretch = -contraction * stiff / (stiff + 2 * soft)
    for layer, known in ((hard, stiff * (stretch + contraction)), (~hard, soft * stretch)):
        assert_allclose(stress[middle & layer][:, [0, 2]], known, rtol=2e-3)
    assert np.abs(stress[middle][:, [1, 5]]).max() < 1e-3 * stiff * contraction


def test_round_hard_region_is_the_inclusion_of_eshelby():
    modulus, poisson, contraction, factor = 100e9, 0.25, 0.01, 3.0
    ratio, errors = CORE_RADIUS / DISC_RADIUS, []
    for size in (0.3 * CORE_RADIUS, 0.15 * CORE_RADIUS):
        disc = round_section([CORE_RADIUS, DISC_RADIUS], size)
        found = model(disc, regions(disc.grain == 0, contraction=contraction, stiffness=factor),
                      stiffness=isotropic_stiffness(modulus, poisson))  # fmt: skip
        strain = np.zeros((disc.n_cells, 6))
        strain[:, :3] = found.regions.strain(np.full(disc.n_cells, 0.2))[:, None]
        stress = polar_components(disc, BondedSolid(disc, found.stiffness).solve(strain).stress)
        r = np.linalg.norm(disc.cell_centroid, axis=1) / CORE_RADIUS
        inner, outer = Phase(factor * modulus, poisson, -contraction), Phase(modulus, poisson, 0.0)
        exact = composite_stress(r, inner, outer, ratio)
        errors.append(relative_l2(disc, stress, exact))
    assert errors[1] < 0.7 * errors[0] and errors[1] < 0.1
    deep = r < 0.6
    for part in (RADIAL, HOOP, AXIAL):
        assert_allclose(stress[deep, part].mean(), exact[deep, part].mean(), rtol=0.02)


# ---- metrics


def test_metrics_tell_near_from_far_of_the_rim():
    import xarray as xr

    particle = rectangle_particle(
        (4 * UM, 2 * UM), (20, 10), block_of=lambda p: (p[:, 1] // (0.5 * UM)).astype(int)
    )
    hard = particle.cell_centroid[:, 0] < 2 * UM
    assert_allclose(rim(particle, hard)[:, 0], 2 * UM)
    near = near_rim(particle, hard, particle.interface_midpoint)
    distance = np.abs(particle.interface_midpoint[:, 0] - 2 * UM)
    assert near.any() and distance[near].max() < distance[~near].min() + 1e-12
    step = np.where(hard, 1e8, 2e8)
    cycling = xr.Dataset({
        "hydrostatic_stress": ("cell", step), "site_fraction": ("cell", np.full(particle.n_cells, 0.3)),
        "redox_strain": ("cell", np.where(hard, -0.01, 0.0)),
    })  # fmt: skip
    cracks = xr.Dataset({"damage": ("interface", near.astype(float))}, attrs={"failed_damage": 0.99})
    found = region_metrics(particle, hard, cycling, cracks)
    assert found["failed_fraction_near_regions"] == 1 and found["failed_fraction_far_from_regions"] == 0
    assert np.isnan(found["region_crack_concentration"])  # nothing failed far away
    assert np.isnan(found["region_stress_concentration"])  # no gradient far away
    assert found["region_densification"] == pytest.approx(0.99**-3 - 1)
    ramp = cycling.assign(hydrostatic_stress=("cell", step + 1e13 * particle.cell_centroid[:, 0]))
    assert region_metrics(particle, hard, ramp, cracks)["region_stress_concentration"] > 3
