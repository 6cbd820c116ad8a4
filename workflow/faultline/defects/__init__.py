"""What synthesis leaves in a particle: residual strain, uneven composition, weak spots."""

from faultline.defects.fields import gaussian_field
from faultline.defects.generate import Defects, defects_dataset, generate_defects

__all__ = ["Defects", "defects_dataset", "gaussian_field", "generate_defects"]
