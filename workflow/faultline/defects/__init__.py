"""What synthesis leaves in a particle: residual strain, uneven composition, weak spots."""

from faultline.defects.fields import gaussian_field
from faultline.defects.files import defects_dataset, defects_from_dataset
from faultline.defects.generate import Defects, generate_defects
from faultline.defects.measured import map_on_cells, read_map

__all__ = [
    "Defects",
    "defects_dataset",
    "defects_from_dataset",
    "gaussian_field",
    "generate_defects",
    "map_on_cells",
    "read_map",
]
