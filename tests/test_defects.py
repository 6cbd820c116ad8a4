"""Random fields have the statistics they promise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from faultline.config.models import DefectSettings
from faultline.crystal import lab_strain
from faultline.defects import defects_dataset, gaussian_field, generate_defects
from faultline.defects.generate import facet_factors, residual_strain
from faultline.microstructure import rectangle_particle


@pytest.fixture(scope="module")
def particle():
    orientation = Rotation.random(4, random_state=0).as_matrix()
    return rectangle_particle(
        (4e-6, 2e-6),
        (24, 12),
        grain_of=lambda p: (p[:, 0] // 1e-6).astype(int),
        block_of=lambda p: (p[:, 0] // 1e-6).astype(int) * 10 + (p[:, 1] // 0.5e-6).astype(int),
        orientation=orientation,
    )


def settings(**changes) -> DefectSettings:
    given = {
        "microstrain": {"amplitude": 1e-3, "correlation_length": "0.4 um"},
        "segregation": {"amplitude": 0.02, "correlation_length": "0.5 um"},
        "strength_spread": 0.2,
    }
    return DefectSettings.model_validate(given | changes)


def test_field_has_unit_variance_and_the_given_correlation():
    length = 0.3e-6
    offset = np.array([0.0, 0.5, 1.0, 2.0, 4.0]) * length
    points = np.column_stack([offset, np.zeros(5)])
    samples = gaussian_field(points, length, 1500, np.random.default_rng(1))
    correlation = samples.T @ samples / 1500
    assert_allclose(correlation[0], np.exp(-(offset**2) / (2 * length**2)), atol=0.1)
    assert_allclose(np.diag(correlation), 1, atol=0.12)


def test_residual_strain_has_no_preferred_direction(particle):
    rng = np.random.default_rng(2)
    draws = [residual_strain(particle, 1e-3, 0.2e-6, rng, traceless=False) for _ in range(60)]
    strain = np.concatenate(draws)
    assert_allclose(strain.std(axis=0), 1e-3 * np.array([1, 1, 1, *[np.sqrt(2)] * 3]), rtol=0.08)
    turned = lab_strain(
        strain, np.repeat(Rotation.random(random_state=5).as_matrix()[None], len(strain), axis=0)
    )
    assert_allclose(turned.std(axis=0), strain.std(axis=0), rtol=0.1)


def test_traceless_by_default(particle):
    strain = generate_defects(particle, settings(), 3).residual_strain
    assert_allclose(strain[:, :3].sum(axis=1), 0, atol=1e-17)
    assert strain.std() > 5e-4


def test_segregation_keeps_the_alkali(particle):
    shift = generate_defects(particle, settings(), 4).site_fraction_shift
    assert abs(particle.cell_area @ shift) < 1e-16 * particle.area
    assert 0.005 < shift.std() < 0.04


def test_facets_are_weak_or_strong_as_a_whole(particle):
    factor = facet_factors(particle, 0.2, np.random.default_rng(0))
    grains = np.sort(particle.grain[particle.interface_cells], axis=1)
    boundary = (grains == [0, 1]).all(axis=1)
    assert boundary.sum() > 4
    assert np.ptp(factor[boundary]) == 0
    assert len(np.unique(factor)) == 3 + 4 * 3  # three boundaries, three basal planes in each of four grains


def test_strength_is_log_normal_with_mean_one(particle):
    rng = np.random.default_rng(8)
    draws = np.concatenate([np.unique(facet_factors(particle, 0.2, rng)) for _ in range(300)])
    assert_allclose(draws.mean(), 1, atol=0.02)
    assert_allclose(np.log(draws).std(), 0.2, atol=0.01)


def test_seed_decides_and_fields_are_independent(particle):
    first, again, other = (generate_defects(particle, settings(), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.residual_strain, again.residual_strain)
    assert not np.array_equal(first.residual_strain, other.residual_strain)
    without = generate_defects(particle, settings(microstrain={"amplitude": 0}), 1)
    assert not without.residual_strain.any()
    assert np.array_equal(without.strength_factor, first.strength_factor)
    assert np.array_equal(without.site_fraction_shift, first.site_fraction_shift)


def test_dataset(particle):
    ds = defects_dataset(particle, generate_defects(particle, settings(), 1))
    assert ds["residual_strain"].dims == ("cell", "voigt")
    assert ds["strength_factor"].dims == ("interface",)
    assert ds["strength_factor"].attrs["units"] == "1"
