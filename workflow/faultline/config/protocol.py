"""Cycling protocols in the sentences that PyBaMM users know."""

import re
from dataclasses import dataclass
from typing import Literal

from faultline.quantities import parse_quantity

ALLOWED_SENTENCES = (
    "Charge at C/10 until 4.3 V",
    "Discharge at 1C for 30 minutes or until 2.0 V",
    "Hold at 4.3 V until C/50",
    "Hold at 4.3 V for 2 hours or until C/50",
    "Rest for 1 hour",
    "Heat to 200 degC for 2 hours",
)
_CURRENT = re.compile(r"(charge|discharge) at (.+?)(?: (for|until) (.+))?", re.IGNORECASE)
_HOLD = re.compile(r"hold at (.+?)(?: (for|until) (.+))?", re.IGNORECASE)
_HEAT = re.compile(
    r"(?:heat to|hold at) (.+?(?:deg ?[CF]|°C|kelvin|celsius|\d ?K))(?: (for|until) (.+))?", re.IGNORECASE
)
_REST = re.compile(r"rest (for) (.+)", re.IGNORECASE)
_OR = re.compile(r" or (?:(?:until|for) )?", re.IGNORECASE)
_RATE = re.compile(r"C ?/ ?(\d+\.?\d*)|(\d+\.?\d*|\.\d+) ?C", re.IGNORECASE)
LOWEST_HEAT, HIGHEST_HEAT = 273.15, 1273.15  # K
_VOLTAGE = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)? ?m?V", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """One step of a protocol; it ends at the first of its conditions. Units: V, 1/h (C-rate), s, K."""

    kind: Literal["current", "voltage", "rest", "thermal"]
    c_rate: float = 0.0
    """Positive on charge, when the alkali leaves the cathode."""
    voltage: float | None = None
    """Held voltage."""
    until_voltage: float | None = None
    until_c_rate: float | None = None
    """Magnitude of the current at which a hold ends."""
    duration_s: float | None = None
    text: str = ""
    temperature: float | None = None
    """Of a thermal step: heat without current."""

    @property
    def label(self) -> str:
        """The step in words, also where its sentence was left out (a stage's settings hold none)."""
        if self.text:
            return self.text
        verb = {"voltage": "Hold", "rest": "Rest", "thermal": "Heat"}.get(
            self.kind, "Charge" if self.c_rate > 0 else "Discharge"
        )
        rate = f" at {abs(self.c_rate):g}C" if self.kind == "current" else ""
        held = f" at {self.voltage:g} V" if self.voltage is not None else ""
        held = f" to {self.temperature:g} K" if self.temperature is not None else held
        ends = [f"for {self.duration_s:g} s"] if self.duration_s is not None else []
        ends += [f"until {self.until_voltage:g} V"] if self.until_voltage is not None else []
        ends += [f"until {self.until_c_rate:g}C"] if self.until_c_rate is not None else []
        return " ".join([verb + rate + held, " or ".join(ends)]).strip()


def parse_step(sentence: str) -> Step:
    """Read one sentence. Raises ValueError that shows the allowed sentences."""
    text = " ".join(sentence.split())
    try:
        if match := _CURRENT.fullmatch(text):
            sign = 1.0 if match[1].lower() == "charge" else -1.0
            return _checked(Step("current", c_rate=sign * _rate(match[2]), text=text, **_ends(match[4])))
        if match := _HEAT.fullmatch(text):
            return _checked(Step("thermal", temperature=_temperature(match[1]), text=text, **_ends(match[3])))
        if match := _HOLD.fullmatch(text):
            return _checked(Step("voltage", voltage=_voltage(match[1]), text=text, **_ends(match[3])))
        if match := _REST.fullmatch(text):
            return _checked(Step("rest", text=text, **_ends(match[2])))
        raise ValueError("the sentence is not understood")
    except ValueError as error:
        shown = "; ".join(f"'{s}'" for s in ALLOWED_SENTENCES)
        raise ValueError(f"'{sentence}': {error}; allowed sentences: {shown}") from None


def _ends(conditions: str | None) -> dict[str, float]:
    """End conditions of a sentence, from "4.3 V", "C/50 or 5 hours", "30 minutes or until 2.0 V"."""
    ends: dict[str, float] = {}
    for condition in _OR.split(conditions) if conditions else []:
        if _RATE.fullmatch(condition):
            key, value = "until_c_rate", _rate(condition)
        elif _VOLTAGE.fullmatch(condition):
            key, value = "until_voltage", _voltage(condition)
        else:
            key, value = "duration_s", _duration(condition)
        if key in ends:
            raise ValueError("two end conditions of the same kind")
        ends[key] = value
    return ends


def _checked(step: Step) -> Step:
    """The step, if its end conditions suit its kind."""
    wrong = {
        "current": step.until_c_rate is not None and "a step at constant current cannot end at a current",
        "voltage": step.until_voltage is not None and "a step at constant voltage cannot end at a voltage",
        "rest": (step.until_c_rate is not None or step.until_voltage is not None)
        and "a rest ends after a time",
        "thermal": (step.until_c_rate is not None or step.until_voltage is not None)
        and "heating ends after a time",
    }[step.kind]
    if wrong:
        raise ValueError(wrong)
    if step.until_voltage is None and step.until_c_rate is None and step.duration_s is None:
        raise ValueError("the step has no end")
    return step


def _rate(text: str) -> float:
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a C-rate such as C/10 or 0.5C")
    number = float(match[1] or match[2])
    rate = number if match[2] else 1.0 / number if number else 0.0
    if not 1e-6 <= rate <= 1e4:
        raise ValueError("the C-rate must lie between 1e-6 and 1e4")
    return rate


def _voltage(text: str) -> float:
    if not _VOLTAGE.fullmatch(text):
        raise ValueError(f"'{text}' is not a voltage such as 4.3 V")
    return parse_quantity(text, "V")


def _temperature(text: str) -> float:
    try:
        kelvin = parse_quantity(text.replace("°C", "degC"), "K")
    except ValueError:
        raise ValueError(f"'{text}' is not a temperature such as 200 degC") from None
    if not LOWEST_HEAT <= kelvin <= HIGHEST_HEAT:
        raise ValueError(f"{kelvin - 273.15:g} degC is out of range; allowed: 0 degC to 1000 degC")
    return kelvin


def _duration(text: str) -> float:
    try:
        seconds = parse_quantity(text, "s")
    except ValueError:
        raise ValueError(f"'{text}' is not an end condition (a voltage, a C-rate or a time)") from None
    if seconds <= 0:
        raise ValueError("the duration must be above zero")
    return seconds
