"""Crystal orientations of the grains."""

import numpy as np

from faultline.microstructure.particle import Floats


def random_orientations(n: int, rng: np.random.Generator, tilt_out_of_plane: bool = True) -> Floats:
    """Return (n, 3, 3) orientations, uniform on SO(3), or with c in the section and b along z."""
    if not tilt_out_of_plane:
        return c_in_section(rng.uniform(0, 2 * np.pi, n))
    from scipy.spatial.transform import Rotation

    return Rotation.random(n, rng=rng).as_matrix()


def radial_orientations(
    centroids: Floats, spread: float, rng: np.random.Generator, tilt_out_of_plane: bool = True
) -> Floats:
    """Return orientations whose a axis points away from the origin and whose c axis is tangential.

    Args:
        centroids: (n, 2) centres of the grains, m.
        spread: standard deviation of the misorientation about each axis, rad.
        rng: source of the misorientations.
        tilt_out_of_plane: whether they also turn c out of the section.
    """
    outwards = np.arctan2(centroids[:, 1], centroids[:, 0])
    return _misorient(c_in_section(outwards - np.pi / 2), spread, rng, tilt_out_of_plane)


def textured_orientations(
    n: int, direction: float, spread: float, rng: np.random.Generator, tilt_out_of_plane: bool = True
) -> Floats:
    """Return (n, 3, 3) orientations with c at the angle `direction` (rad) from x, with `spread`."""
    return _misorient(c_in_section(np.full(n, direction)), spread, rng, tilt_out_of_plane)


def c_in_section(angle: Floats) -> Floats:
    """Return (n, 3, 3) orientations with c at `angle` (n,) from x in the section, b = z and a = b x c."""
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    a = np.stack([-np.sin(angle), np.cos(angle), zero], axis=1)
    b = np.stack([zero, zero, one], axis=1)
    c = np.stack([np.cos(angle), np.sin(angle), zero], axis=1)
    return np.stack([a, b, c], axis=2)


def _misorient(ideal: Floats, spread: float, rng: np.random.Generator, out_of_plane: bool) -> Floats:
    from scipy.spatial.transform import Rotation

    turn = spread * rng.standard_normal((len(ideal), 3))
    if not out_of_plane:
        turn[:, :2] = 0.0
    return Rotation.from_rotvec(turn).as_matrix() @ ideal
