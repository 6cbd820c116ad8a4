"""Physical quantities written with units, as field types of the configuration.

``Length``, ``Pressure``, ... are ``float`` to the type checker and hold SI values. Validation reads "5 um" or
"200 MPa" through pint and refuses bare numbers, except where the validation context says ``canonical``
(a stage slice, whose numbers are SI already). Values are rounded to 12 significant digits, so that "5 um" and
"5000 nm" are the same number.
"""

import functools
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import PydanticCustomError, core_schema

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*")
_BARE_POWER = re.compile(r"(?<=[A-Za-z])([23])(?![0-9])")  # people write m2/s, pint wants m**2/s
_UNIT = re.compile(r"[A-Za-zµμΩÅ°%²³·*/^(). 0-9-]{0,60}")
_NUMBER_POWER = re.compile(r"[0-9)]\s*(\*\*|\^)")  # 9**9**9: pint would compute it, and never end


_PREFIXES = {-12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


@functools.cache
def _registry() -> Any:
    import pint  # takes most of a second, and stage scripts read slices that hold plain numbers

    return pint.UnitRegistry()


def rounded(value: float) -> float:
    """Value to 12 significant digits: far finer than any input, coarser than unit conversion noise."""
    return float(f"{value:.12g}")


@functools.cache
def parse_quantity(text: str, unit: str) -> float:
    """SI value of a text such as "5 um", converted to ``unit`` (pint's name of the SI unit, e.g. "m").

    Raises ValueError with a sentence for the user: no number, no unit, an unknown one, a wrong dimension.
    """
    import pint

    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a number with a unit")
    number, unit_text = float(match[1]), _BARE_POWER.sub(r"**\1", match[2])
    if not _UNIT.fullmatch(match[2]) or _NUMBER_POWER.search(match[2]):
        raise ValueError(f"'{text}': the unit '{match[2]}' cannot be read")
    if not unit_text and unit != "dimensionless":
        raise ValueError(f"'{text}' has no unit")
    try:
        value = _registry().Quantity(number, unit_text.replace("%", "percent")).to(unit).magnitude
    except pint.DimensionalityError:
        raise ValueError(f"'{text}' has the wrong dimension") from None
    except pint.UndefinedUnitError:
        raise ValueError(f"'{text}': the unit '{match[2]}' is unknown") from None
    except Exception as error:  # pint's parser raises tokenizer, syntax and type errors on odd text
        raise ValueError(f"'{text}': the unit '{match[2]}' cannot be read") from error
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not finite")
    return rounded(value)


@dataclass(frozen=True)
class Quantity:
    """Marks a float field as a physical quantity: its dimension, SI unit, an example and its bounds (SI)."""

    dimension: str
    unit: str
    example: str
    gt: float | None = None
    ge: float | None = None
    le: float | None = None

    def read(self, given: object, canonical: bool = False) -> float:
        """SI value of what the user wrote; ValueError with a sentence if it is not acceptable."""
        return self._bounded(self._number(given, canonical), given)

    def _number(self, given: object, canonical: bool) -> float:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if is_number and (canonical or self.unit == "dimensionless"):
            if not math.isfinite(given):  # type: ignore[arg-type]
                raise ValueError(f"{given} is not finite")
            return rounded(float(given))  # type: ignore[arg-type]
        if is_number:
            raise ValueError(f"the number {given} has no unit; {self.expected}")
        if not isinstance(given, str):
            raise ValueError(f"{_shown(given)} is not a quantity; {self.expected}")
        try:
            return parse_quantity(given, self.unit)
        except ValueError as error:
            raise ValueError(f"{error}; {self.expected}") from None

    def _bounded(self, value: float, given: object) -> float:
        for bound, inside, words in (
            (self.gt, lambda b: value > b, "above"),
            (self.ge, lambda b: value >= b, "at least"),
            (self.le, lambda b: value <= b, "at most"),
        ):
            if bound is not None and not inside(bound):
                raise ValueError(
                    f"{_shown(given)} is out of range; allowed: {words} {bound:g} {self.symbol}".rstrip()
                )
        return value

    @property
    def symbol(self) -> str:
        """SI unit as printed: "m", "mol/m^3", nothing for a fraction."""
        return "" if self.unit == "dimensionless" else self.unit.replace("**", "^").replace("*", " ")

    @property
    def expected(self) -> str:
        """What to write here."""
        return f"expected: {self.dimension}, such as {self.example}"

    def show(self, value: float) -> str:
        """The SI value as a person would write it: "5 um", "25 degC", "200 MPa"."""
        if self.unit == "K":
            return f"{rounded(value - 273.15):.6g} degC"
        if self.unit == "rad":
            return f"{math.degrees(value):.6g} deg"
        exponent = 3 * math.floor(math.log10(abs(value)) / 3 + 1e-9) if value else 0
        if self.unit in ("m", "Pa", "V") and exponent in _PREFIXES:
            return f"{value / 10**exponent:.6g} {_PREFIXES[exponent]}{self.symbol}"
        return f"{value:.6g} {self.symbol}".rstrip()

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        text = {
            "type": "string",
            "examples": [self.example],
            "x-dimension": self.dimension,
            "x-unit": self.symbol,
        }
        return text if self.unit != "dimensionless" else text | {"type": ["number", "string"]}

    def _validate(self, given: object, info: ValidationInfo) -> float:
        try:
            return self.read(given, canonical=bool(info.context and info.context.get("canonical")))
        except ValueError as error:
            raise PydanticCustomError("quantity", "{reason}", {"reason": str(error)}) from None


def _shown(given: object) -> str:
    return f"'{given}'" if isinstance(given, str) else str(given)


Length = Annotated[float, Quantity("a length", "m", "5 um", gt=0)]
LengthOrNone = Annotated[float, Quantity("a length", "m", "5 nm", ge=0)]
Time = Annotated[float, Quantity("a time", "s", "24 h", ge=0)]
Temperature = Annotated[float, Quantity("a temperature", "K", "25 degC", gt=0)]
Voltage = Annotated[float, Quantity("a voltage", "V", "4.3 V")]
PositiveVoltage = Annotated[float, Quantity("a voltage", "V", "20 mV", gt=0)]
Pressure = Annotated[float, Quantity("a pressure or stress", "Pa", "200 MPa", gt=0)]
PartialPressure = Annotated[float, Quantity("a pressure", "Pa", "1.6 kPa", ge=0)]
SignedPressure = Annotated[float, Quantity("a pressure or stress", "Pa", "75 GPa")]
Angle = Annotated[float, Quantity("an angle", "rad", "10 deg")]
Diffusivity = Annotated[float, Quantity("a diffusivity", "m**2/s", "7e-15 m^2/s", gt=0)]
Concentration = Annotated[float, Quantity("a concentration", "mol/m**3", "63887 mol/m^3", ge=0)]
MolarMass = Annotated[float, Quantity("a molar mass", "kg/mol", "97.3 g/mol", gt=0)]
MolarEnergy = Annotated[float, Quantity("a molar energy", "J/mol", "50 kJ/mol", ge=0)]
SurfaceEnergy = Annotated[float, Quantity("an energy per area", "J/m**2", "1 J/m^2", gt=0)]
CurrentDensity = Annotated[float, Quantity("a current density", "A/m**2", "1 A/m^2", gt=0)]
PressurePerLength = Annotated[float, Quantity("a stress per length", "Pa/m", "1e6 MPa/um", ge=0)]
SurfaceRate = Annotated[float, Quantity("an amount per area and time", "mol/m**2/s", "1e-9 mol/m^2/s", ge=0)]
Velocity = Annotated[float, Quantity("a velocity", "m/s", "0.1 nm/h", ge=0)]
DislocationDensity = Annotated[float, Quantity("a length per volume", "1/m**2", "1e13 1/m^2", ge=0)]
CoolingRate = Annotated[float, Quantity("a cooling rate", "K/s", "5 K/min", gt=0)]
Density = Annotated[float, Quantity("a density", "kg/m**3", "1.2 g/cm^3", gt=0)]
AreaResistance = Annotated[float, Quantity("a resistance times area", "ohm*m**2", "1e-3 ohm m^2", ge=0)]
AreaConductance = Annotated[float, Quantity("a conductance per area", "S/m**2", "1e3 S/m^2", gt=0)]
AreaConductanceOrNone = Annotated[float, Quantity("a conductance per area", "S/m**2", "100 S/m^2", ge=0)]
Fraction = Annotated[float, Quantity("a fraction", "dimensionless", "0.05 or 5 %", ge=0, le=1)]
Ratio = Annotated[float, Quantity("a positive number", "dimensionless", "1e-3", gt=0)]
Strain = Annotated[float, Quantity("a strain", "dimensionless", "-0.02 or -2 %")]
