"""Anderson acceleration of a fixed-point iteration."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Anderson:
    """Combines the last iterates of x -> g(x) so that their residuals g(x) - x cancel best (least squares).

    The weights sum to one: a quantity that every g(x) conserves, the mixture conserves too. Walker and Ni,
    SIAM J. Numer. Anal. 49, 1715 (2011), type II.
    """

    def __init__(self, depth: int = 6) -> None:
        self.depth = depth
        self._images: list[Array] = []
        self._residuals: list[Array] = []

    def __call__(self, x: Array, image: Array) -> Array:
        """Next iterate (n,) from the last one and its image g(x), each (n,)."""
        self._images.append(image)
        self._residuals.append(image - x)
        del self._images[: -self.depth - 1], self._residuals[: -self.depth - 1]
        if len(self._images) == 1:
            return image
        d_residual = np.diff(self._residuals, axis=0).T
        d_image = np.diff(self._images, axis=0).T
        weights = np.linalg.lstsq(d_residual, self._residuals[-1], rcond=1e-10)[0]
        return np.asarray(image - d_image @ weights)
