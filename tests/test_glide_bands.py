"""Glide that softens: the law, bands of its own width, and what the layers do in them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from faultline.anderson import Anderson
from faultline.cracks.evolution import CrackEvolution
from faultline.cracks.fracture import FractureModel
from faultline.cracks.glide import BasalGlide, Softening
from faultline.cracks.law import CohesiveProperties
from faultline.cracks.layers import displacement_gradient, layer_fields, rotation
from faultline.crystal import hexagonal_stiffness, rotate_stiffness
from faultline.materials.material import GlideSoftening
from faultline.mechanics import BondedSolid
from faultline.microstructure import assemble_particle, rectangle_particle
from faultline.microstructure.particle import split
from faultline.observables.mechanisms import band_metrics, bands

UM = 1e-6
ELASTICITY = (210e9, 75e9, 60e9, 160e9, 25e9)
C44, CRSS = ELASTICITY[4], 125e6


def softening(particle, half_slip=0.04, length=0.4 * UM):
    return Softening.on(particle, np.ones(particle.n_cells, bool), GlideSoftening(half_slip, length))


# ---- the law


def test_even_slip_softens_everywhere_alike_and_half_of_it_is_left_at_the_half_slip():
    particle = rectangle_particle((2 * UM, 2 * UM), (10, 10))
    found = softening(particle)
    assert_allclose(found.mean.sum(axis=1), 1)
    for size, left in ((0.0, 1.0), (0.04, 0.5), (0.12, 0.25)):
        slip = np.tile([0.6 * size, -0.8 * size], (particle.n_cells, 1))
        assert_allclose(found.share_left(slip), left)


def test_one_slipped_cell_softens_its_neighbours_and_not_itself():
    particle = rectangle_particle((2 * UM, 2 * UM), (10, 10))
    slip = np.zeros((particle.n_cells, 2))
    middle = int(np.argmin(np.linalg.norm(particle.cell_centroid - UM, axis=1)))
    slip[middle, 0] = 0.1
    left = softening(particle).share_left(slip)
    assert left[middle] == 1.0 and left.min() < 1.0
    along = particle.cell_centroid - particle.cell_centroid[middle]
    reached = np.abs(along[left < 1.0])
    assert reached[:, 0].max() < 0.4 * UM < reached[:, 1].max()  # farther across the layers than along them


def test_a_neighbourhood_ends_at_the_grain():
    particle = rectangle_particle((2 * UM, 2 * UM), (10, 10), grain_of=lambda p: p[:, 0] > UM)
    row, column = softening(particle).mean.nonzero()
    assert_array_equal(particle.grain[row], particle.grain[column])


def test_glide_that_hardly_softens_is_perfectly_plastic_and_none_is_exactly_so():
    particle = rectangle_particle(
        (2 * UM, 2 * UM), (6, 6), orientation=Rotation.random(random_state=1).as_matrix()
    )
    axes, critical = particle.cell_orientation, np.full(particle.n_cells, CRSS)
    stress = 3e8 * np.random.default_rng(1).standard_normal((particle.n_cells, 6))
    slips = []
    for law in (None, softening(particle, half_slip=1e9), softening(particle, half_slip=0.01)):
        glide = BasalGlide(axes, C44, critical, particle.cell_area, law)
        start = np.tile([0.02, 0.0], (particle.n_cells, 1))
        slips.append(np.linalg.norm(glide.improved(start, start, stress) - start, axis=1))
    tau = BasalGlide(axes, C44, critical, particle.cell_area).resolved(stress)
    beyond = np.maximum(np.linalg.norm(tau, axis=1) - CRSS, 0.0) / C44
    assert_allclose(slips[0], beyond, rtol=1e-12, atol=1e-16)
    assert_allclose(slips[1], slips[0], rtol=1e-6)
    assert (slips[2] >= slips[0]).all() and slips[2].sum() > 1.2 * slips[0].sum()


# ---- bands


def framed_bar(per_um: int):
    """Bar of layers tilted by 30 degrees, 4 um by 0.6 um, held at its ends by a stiff frame; its cells."""
    base = rectangle_particle((6 * UM, 3 * UM), (6 * per_um, 3 * per_um))
    off = np.abs(base.cell_centroid - np.array([3, 1.5]) * UM)
    window = (off < np.array([2, 0.9]) * UM).all(axis=1)
    bar = window & (off[:, 1] < 0.3 * UM)
    kept = bar | ~window
    tilt = Rotation.from_euler("z", 30, degrees=True).as_matrix()
    axes = tilt @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # c across the bar, then turned
    one = np.zeros(int(kept.sum()), int)
    used, cells = np.unique(base.cells[kept], return_inverse=True)
    particle = assemble_particle(base.vertices[used], cells.reshape(-1, 3), one, one, axes[None])
    return particle, bar[kept]


def compressed(per_um: int, length: float | None, steps: int = 40):
    """Glide, its slip and its work once the frame has shortened by 3 %; one place is weaker by 5 %."""
    particle, bar = framed_bar(per_um)
    spot = np.linalg.norm(particle.cell_centroid - np.array([2.7, 1.5]) * UM, axis=1)
    critical = np.where(bar, CRSS * (1 - 0.05 * np.exp(-((spot / (0.3 * UM)) ** 2))), np.inf)
    law = None if length is None else Softening.on(particle, bar, GlideSoftening(0.04, length))
    glide = BasalGlide(particle.cell_orientation, C44, critical, particle.cell_area, law)
    stiffness = rotate_stiffness(hexagonal_stiffness(*ELASTICITY), particle.cell_orientation)
    solid = BondedSolid(particle, stiffness * np.where(bar, 1.0, 3.0)[:, None, None])
    shorter = np.zeros((particle.n_cells, 6))
    shorter[~bar, 0] = -0.03
    slip, stress, work = glide.none(), np.zeros((particle.n_cells, 6)), 0.0
    for step in range(steps):
        guess, mix, before = slip, Anderson(), stress
        for _ in range(100):
            stress = solid.solve((step + 1) / steps * shorter + glide.strain(guess)).stress
            image = glide.improved(guess, slip, stress)
            if np.abs(image - guess).max() < 0.02 * CRSS / C44:
                break
            guess = mix(guess.ravel(), image.ravel()).reshape(guess.shape)
        else:
            pytest.fail("slip does not settle")
        work += glide.work(stress, before, guess - slip)
        slip = guess
    return particle, glide, slip, work


def most_slipped(glide, slip) -> float:
    """Share of all slip in the most slipped tenth of the bar."""
    size = np.linalg.norm(slip, axis=1)
    order = np.argsort(-size)
    inside = np.cumsum(glide.area[order]) <= 0.1 * glide.area.sum()
    return float((glide.area * size)[order][inside].sum() / (glide.area @ size))


def test_softening_gathers_glide():
    (_, even, plain, _), (_, soft, gathered, _) = compressed(5, None), compressed(5, 0.4 * UM)
    assert most_slipped(soft, gathered) > 1.4 * most_slipped(even, plain)


def band_of_slip(per_um: int, width: float, along: int) -> tuple[float, float]:
    """Resistance left in the middle of a band and its least anywhere; it is narrow along x (0) or y (1)."""
    particle = rectangle_particle((2.5 * UM, 2.5 * UM), (5 * per_um // 2, 5 * per_um // 2))
    inside = np.abs(particle.cell_centroid[:, along] - 1.25 * UM) < width / 2
    left = softening(particle).share_left(np.where(inside, 0.04, 0.0)[:, None] * [0.0, 1.0])
    middle = np.linalg.norm(particle.cell_centroid - 1.25 * UM, axis=1).argmin()
    return float(left[middle]), float(left.min())


def test_a_band_as_thin_as_the_mesh_does_not_soften_and_a_wide_one_does_on_any_mesh():
    for per_um in (6, 10):
        assert band_of_slip(per_um, UM / per_um, 0)[0] == 1.0
        assert band_of_slip(per_um, 1.6 * UM, 0)[0] == pytest.approx(0.5, abs=0.01)
    coarse, fine = (band_of_slip(per_um, 0.5 * UM, 0) for per_um in (6, 10))
    assert coarse == pytest.approx(fine, abs=0.05) and coarse[0] < 0.65


def test_a_kink_band_softens_more_than_a_slip_band_of_its_width():
    kink, slip = (band_of_slip(10, 0.5 * UM, along)[0] for along in (0, 1))  # layers lie along x
    assert kink < 0.65 < slip


# ---- layers


def test_a_slip_band_leaves_the_layers_and_a_kink_turns_them():
    mesh = split(rectangle_particle((2 * UM, UM), (4, 2)))
    shear = 0.05
    x, y = mesh.nodes.T
    slip = np.zeros((len(mesh.triangles), 3, 3))
    slip[:, 0, 1] = shear  # s along x, c along y
    still = np.zeros(len(x))
    for moved, turn in ((np.stack([shear * y, still, still], 1), 0.0),
                        (np.stack([still, shear * x, still], 1), shear)):  # fmt: skip
        gradient = displacement_gradient(mesh, moved, 0.01)
        assert_allclose(gradient[:, 2, 2], 0.01)
        assert_allclose(rotation(gradient) - rotation(slip), turn, atol=1e-12)


def test_distortion_and_strain_of_a_slip_agree():
    particle = rectangle_particle((UM, UM), (2, 2), orientation=Rotation.random(random_state=2).as_matrix())
    glide = BasalGlide(particle.cell_orientation, C44, np.full(particle.n_cells, CRSS), particle.cell_area)
    slip = np.random.default_rng(0).standard_normal(glide.none().shape)
    d, strain = glide.distortion(slip), glide.strain(slip)
    both = d + d.transpose(0, 2, 1)
    for k, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        assert_allclose(strain[:, k], both[:, i, j] / (2 if i == j else 1), atol=1e-12)


@pytest.fixture
def fan():
    """One piece, the glide of its layers by law of softening, and an eigenstrain as no one piece can be."""
    particle = rectangle_particle((2 * UM, UM), (8, 4))
    bonds = CohesiveProperties(*[np.ones(0)] * 4, 1.75, 1e18, 2e13)
    stiffness = rotate_stiffness(hexagonal_stiffness(*ELASTICITY), particle.cell_orientation)
    critical = np.full(particle.n_cells, CRSS)
    strain = np.zeros((particle.n_cells, 6))
    strain[:, 5] = 0.1 * np.sign((particle.cell_centroid - [UM, UM / 2]).prod(axis=1))

    def glide(law=None):
        return BasalGlide(particle.cell_orientation, C44, critical, particle.cell_area, law)

    return FractureModel(particle, stiffness, bonds), glide, strain


def test_slip_goes_on_with_the_load_to_where_it_settles_without_that(fan):
    class Watched(CrackEvolution):
        def trial(self, eigenstrain, ramp, slip):
            self.guesses.append(slip)
            return super().trial(eigenstrain, ramp, slip)

        def guessed(self, eigenstrain):
            self.guesses = []
            self.follow(eigenstrain, 1.0)
            return self.guesses

    fracture, glide, strain = fan
    steady, fresh = Watched(fracture, glide()), Watched(fracture, glide())
    for part in (0.25, 0.5, 0.75):
        steady.guessed(part * strain)
    fresh.begin(steady.state, steady.slip, steady.eigenstrain)
    assert len(steady.guessed(strain)) < len(fresh.guessed(strain)) / 2
    assert np.abs(steady.slip).max() > 100 * steady.slip_tolerance
    assert_allclose(steady.slip, fresh.slip, atol=10 * steady.slip_tolerance)
    before = steady.slip
    first, *_ = steady.guessed(0.9 * strain)  # where the load turns back, nothing goes on
    assert_allclose(first, before, atol=2 * steady.slip_tolerance)


def test_record_holds_the_layers_where_glide_softens_and_only_there(fan):
    fracture, glide, strain = fan
    particle, found = fracture.particle, {}
    for name, law in (("plain", None), ("soft", softening(fracture.particle, length=0.6 * UM))):
        evolution = CrackEvolution(fracture, glide(law))
        evolution.follow(strain, 1.0)
        found[name] = evolution.record(0.99)
    extra = {"layer_slip", "layer_rotation", "layer_spacing_strain"}
    assert found["soft"].keys() - found["plain"].keys() == extra
    assert_allclose(found["soft"]["layer_slip"], found["soft"]["glide"], atol=1e-12)
    assert found["soft"]["layer_slip"].max() > 0
    assert abs(particle.cell_area @ found["soft"]["layer_rotation"]) < 1e-12 * particle.area
    assert np.ptp(found["soft"]["layer_rotation"]) > 0.01


def test_band_metrics_of_a_slip_in_one_place():
    import xarray as xr

    particle = rectangle_particle((4 * UM, UM), (40, 10), block_of=lambda p: p[:, 1] // (0.5 * UM))
    inside = np.abs(particle.cell_centroid[:, 0] - 2 * UM) < 0.2 * UM  # a tenth of the area
    at_band = inside[particle.interface_cells].any(axis=1)
    cracks = xr.Dataset(
        {
            "layer_slip": ("cell", np.where(inside, 0.2, 0.0)),
            "layer_rotation": ("cell", np.where(inside, -0.1, 0.01)),
            "layer_spacing_strain": ("cell", np.where(inside, 0.03, 0.01)),
            "damage": ("interface", at_band.astype(float)),
        },
        attrs={"failed_damage": 0.99},
    )
    assert_array_equal(bands(particle, cracks["layer_slip"].values), inside)
    found = band_metrics(particle, cracks)
    assert found["slip_localisation"] == pytest.approx(1)
    assert (found["band_rotation"], found["rotation_outside_bands"]) == pytest.approx((0.1, 0.01))
    assert found["band_spacing_change"] == pytest.approx(0.02)
    assert (found["failed_fraction_bands"], found["failed_fraction_outside_bands"]) == (1, 0)
    even = cracks.assign(layer_slip=("cell", np.full(particle.n_cells, 0.2)))
    assert band_metrics(particle, even)["slip_localisation"] == pytest.approx(0.1, abs=0.01)


def test_layer_fields_need_no_slip():
    particle = rectangle_particle((2 * UM, UM), (4, 2))
    none = np.zeros((particle.n_cells, 6))
    bonds = CohesiveProperties(*[np.ones(0)] * 4, 1.75, 1e18, 0.0)
    stiffness = rotate_stiffness(hexagonal_stiffness(*ELASTICITY), particle.cell_orientation)
    fracture = FractureModel(particle, stiffness, bonds)
    found = layer_fields(fracture, fracture.initial_state(), none, np.zeros((particle.n_cells, 3, 3)))
    assert all(np.abs(values).max() < 1e-12 for values in found.values())
