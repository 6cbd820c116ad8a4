"""What moist gas does to a particle before cycling: one surface chemistry for every gas."""

from faultline.exposure.apply import Exposure, expose, unexposed
from faultline.exposure.chemistry import AirChemistry, Gas, WaterFilm
from faultline.exposure.column import Column, ColumnState, Host
from faultline.exposure.files import exposure_dataset

__all__ = [
    "AirChemistry",
    "Column",
    "ColumnState",
    "Exposure",
    "Gas",
    "Host",
    "WaterFilm",
    "expose",
    "exposure_dataset",
    "unexposed",
]
