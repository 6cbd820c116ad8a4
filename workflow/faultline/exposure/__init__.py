"""What moist gas does to a particle before cycling: one surface chemistry for every gas."""

from faultline.exposure.apply import Exposure, expose, unexposed
from faultline.exposure.binder import Binder, attack_binder
from faultline.exposure.chemistry import AirChemistry, Drying, Gas, WaterFilm
from faultline.exposure.column import Column, ColumnState, Host
from faultline.exposure.compare import (
    Face,
    GasCourse,
    GasOutcome,
    Ledger,
    compare_gases,
    follow_gas,
    follow_gases,
    ledger,
)
from faultline.exposure.files import exposure_dataset

__all__ = [
    "AirChemistry",
    "Binder",
    "Column",
    "ColumnState",
    "Drying",
    "Exposure",
    "Face",
    "Gas",
    "GasCourse",
    "GasOutcome",
    "Host",
    "Ledger",
    "WaterFilm",
    "attack_binder",
    "compare_gases",
    "expose",
    "exposure_dataset",
    "follow_gas",
    "follow_gases",
    "ledger",
    "unexposed",
]
