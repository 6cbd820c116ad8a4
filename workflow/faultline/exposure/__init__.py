"""What moist gas does to a particle before cycling: one surface chemistry for every gas."""

from faultline.exposure.apply import Exposure, expose, unexposed
from faultline.exposure.binder import Binder, attack_binder
from faultline.exposure.chemistry import AirChemistry, Drying, Gas, WaterFilm
from faultline.exposure.column import Column, ColumnState, Host
from faultline.exposure.compare import GasOutcome, compare_gases
from faultline.exposure.files import exposure_dataset

__all__ = [
    "AirChemistry",
    "Binder",
    "Column",
    "ColumnState",
    "Drying",
    "Exposure",
    "Gas",
    "GasOutcome",
    "Host",
    "WaterFilm",
    "attack_binder",
    "compare_gases",
    "expose",
    "exposure_dataset",
    "unexposed",
]
