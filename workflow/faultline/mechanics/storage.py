"""Condensed blocks as datasets: computed once for a particle and its elasticity, read by all that cracks."""

import xarray as xr

from faultline.errors import UserError
from faultline.mechanics.condensation import CondensedBlocks

# field: (dimension, unit, description)
FIELDS = {
    "start": ("block_end", "1", "first interface unknown of each block, and their number"),
    "interface_dofs": ("unknown", "1", "degree of freedom of each interface unknown in the split mesh"),
    "interior_dofs": ("interior", "1", "eliminated degrees of freedom"),
    "schur": ("entry", "N m-2", "dense Schur complement of each block, row by row"),
    "axial_coupling": ("unknown", "N m-1", "condensed forces of a unit axial strain"),
}


def condensed_dataset(blocks: CondensedBlocks) -> xr.Dataset:
    """Return the blocks as a dataset of plain arrays, SI units."""
    fields = {
        name: (dimension, getattr(blocks, name), {"units": unit, "long_name": words})
        for name, (dimension, unit, words) in FIELDS.items()
    }
    sizes = {"components": blocks.components, "axial_stiffness": blocks.axial_stiffness}
    return xr.Dataset(fields, attrs=sizes)


def condensed_from_dataset(ds: xr.Dataset) -> CondensedBlocks:
    """Return the blocks stored in a dataset.

    Raises:
        UserError: the dataset holds no condensed blocks.
    """
    missing = [name for name in FIELDS if name not in ds] + [
        name for name in ("components", "axial_stiffness") if name not in ds.attrs
    ]
    if missing:
        source = ds.encoding.get("source", "the dataset")
        raise UserError(f"{source}: no file of condensed blocks; it lacks {', '.join(missing)}")
    fields = {name: ds[name].values for name in FIELDS}
    return CondensedBlocks(
        components=int(ds.attrs["components"]), axial_stiffness=float(ds.attrs["axial_stiffness"]), **fields
    )
