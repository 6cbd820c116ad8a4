"""Label images as microstructures."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faultline.config.models import MicrostructureSettings
from faultline.errors import UserError
from faultline.microstructure import BASAL_PLANE, Particle
from faultline.microstructure.build import build_particle
from faultline.microstructure.image import read_labels

PIXEL = 50e-9


def voronoi_labels(n: int, count: int, seed: int) -> np.ndarray:
    """Return an n x n image of a round particle of `count` grains, labelled from 1, background 0."""
    from scipy.spatial import KDTree

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:n, :n]
    seeds = rng.uniform(0.15 * n, 0.85 * n, (count, 2))
    labels = KDTree(seeds).query(np.stack([x, y], axis=-1).reshape(-1, 2))[1].reshape(n, n) + 1
    labels[np.hypot(x - n / 2, y - n / 2) > 0.42 * n] = 0
    return labels


def build(root: Path, labels: np.ndarray, **more) -> Particle:
    np.save(root / "labels.npy", labels)
    given = {
        "shape": "image",
        "image": {"file": "labels.npy", "pixel_size": "50 nm"},
        "element_size": "0.25 um",
    }
    return build_particle(MicrostructureSettings.model_validate(given | more), 1, root)


def test_grain_areas_match_the_image(tmp_path):
    labels = voronoi_labels(160, 8, 4)
    particle = build(tmp_path, labels)
    found = np.sort(np.bincount(particle.grain, particle.cell_area))
    pixels = np.sort(np.bincount(labels.ravel())[1:]) * PIXEL**2
    assert particle.area == pytest.approx(pixels.sum(), rel=0.005)
    assert np.allclose(found, pixels, rtol=0.02)
    assert particle.cell_quality.min() > 0.1
    assert (
        np.abs((particle.cell_centroid * particle.cell_area[:, None]).sum(axis=0) / particle.area).max()
        < PIXEL
    )


def test_the_first_row_is_at_the_top(tmp_path):
    labels = np.ones((60, 40), int)
    labels[:20] = 2  # a third of the image, at the top
    particle = build(tmp_path, labels)
    small = np.argmin(np.bincount(particle.grain, particle.cell_area))
    assert particle.cell_centroid[particle.grain == small, 1].min() > 0
    assert np.ptp(particle.vertices, axis=0) == pytest.approx((40 * PIXEL, 60 * PIXEL))


def test_pores_inclusions_and_noise(tmp_path):
    labels = voronoi_labels(160, 4, 2)
    y, x = np.mgrid[:160, :160]
    labels[np.hypot(x - 60, y - 80) < 12] = 0
    labels[np.hypot(x - 100, y - 80) < 12] = 9
    grains = (labels > 0).sum()
    labels[40, 80] = 7  # one odd pixel
    labels[2, 2] = 3  # dust outside
    particle = build(
        tmp_path, labels, basal_planes={"spacing": "0.5 um"}, grains={"tilt_out_of_plane": False}
    )
    assert particle.n_grains == 5
    assert particle.area == pytest.approx(grains * PIXEL**2, rel=0.01)
    # Euler: vertices - edges + faces = 1 - number of holes
    edges = (3 * particle.n_cells + particle.n_surface) // 2
    assert particle.n_vertices - edges + particle.n_cells == 0
    assert (particle.interface_kind == BASAL_PLANE).any()


def test_one_label_in_two_places_makes_two_grains(tmp_path):
    labels = np.ones((40, 120), int)
    labels[:, 40:80] = 2
    assert build(tmp_path, labels).n_grains == 3


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 4))
def test_any_image_of_one_piece_makes_a_sound_particle(tmp_path_factory, seed, size, count):
    """Blocks of random labels meet in all ways, four at a corner included."""
    coarse = np.random.default_rng(seed).integers(1, count + 1, (size, size))
    labels = np.kron(coarse, np.ones((10, 10), int))
    particle = build(tmp_path_factory.mktemp("image"), labels)
    assert particle.area == pytest.approx(labels.size * PIXEL**2, rel=0.02)
    assert particle.cell_quality.min() > 0.08
    edges = (3 * particle.n_cells + particle.n_surface) // 2
    assert particle.n_vertices - edges + particle.n_cells == 1


@pytest.mark.parametrize("ending", ["png", "tif", "npy"])
def test_formats(tmp_path, ending):
    labels = voronoi_labels(40, 3, 1).astype(np.uint8)
    path = tmp_path / f"labels.{ending}"
    if ending == "npy":
        np.save(path, labels)
    elif ending == "png":
        Image.fromarray(labels).save(path)
    else:
        import tifffile

        tifffile.imwrite(path, labels)
    read = read_labels(path.name, tmp_path, 0)
    assert ((read == -1) == (labels == 0)).all()
    assert len(np.unique(read)) == 4


def colour(path: Path) -> None:
    Image.fromarray(np.ones((8, 8, 3), np.uint8)).save(path)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("missing.png", lambda path: None, "does not exist"),
        ("../outside.png", lambda path: None, "outside the project"),
        ("/etc/labels.png", lambda path: None, "outside the project"),
        ("colour.png", colour, "colour picture"),
        ("broken.png", lambda path: path.write_bytes(b"nonsense"), "cannot be read"),
        ("broken.tif", lambda path: path.write_bytes(b"II*\0"), "cannot be read"),
        ("objects.npy", lambda path: np.save(path, np.array([[{}]], object)), "cannot be read"),
        ("reals.npy", lambda path: np.save(path, np.ones((4, 4))), "labels are integers"),
        ("empty.npy", lambda path: np.save(path, np.zeros((4, 4), int)), "is empty"),
        ("nothing.npy", lambda path: np.save(path, np.zeros((0, 4), int)), "pixels"),
        ("labels.jpg", lambda path: path.write_bytes(b""), "ending"),
    ],
)
def test_unusable_images_are_named(tmp_path, name, write, message):
    if name[0] not in "./":
        write(tmp_path / name)
    with pytest.raises(UserError, match=message) as error:
        read_labels(name, tmp_path, 0)
    assert "microstructure.image.file" in str(error.value)


def test_two_particles_in_one_image_are_refused(tmp_path):
    labels = np.ones((40, 80), int)
    labels[:, 35:45] = 0
    with pytest.raises(UserError, match="2 separate particles"):
        build(tmp_path, labels)
