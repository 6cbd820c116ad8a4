"""Quantities with units, and protocol sentences."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from faultline import quantities as q
from faultline.config.protocol import ALLOWED_SENTENCES, Step, parse_step
from faultline.quantities import Quantity, parse_quantity, rounded

LENGTH_UNITS = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "micron": 1e-6, "nm": 1e-9, "angstrom": 1e-10}
TYPES = [value for name, value in vars(q).items() if hasattr(value, "__metadata__")]
magnitudes = st.floats(min_value=1e-6, max_value=1e6)


class Sizes(BaseModel):
    radius: q.Length
    water: q.Fraction = 0.0


@given(magnitudes, st.sampled_from(sorted(LENGTH_UNITS)))
def test_a_length_is_read_in_any_unit(number, unit):
    assert Sizes(radius=f"{number!r} {unit}").radius == pytest.approx(number * LENGTH_UNITS[unit], rel=1e-11)


@given(magnitudes)
def test_two_spellings_are_the_same_number(number):
    text = f"{number:.9g}"
    thousandfold = f"{float(text) * 1000:.12g}"
    assert parse_quantity(f"{text} um", "m") == parse_quantity(f"{thousandfold} nm", "m")


@given(st.sampled_from(TYPES), st.floats(min_value=1e-3, max_value=0.99))
def test_what_is_shown_can_be_read_again(kind, value):
    (quantity,) = kind.__metadata__
    shown = quantity.show(value)
    offset = 273.15 if quantity.unit == "K" else 0.0  # shown in degC, to six digits of that number
    assert parse_quantity(shown, quantity.unit) == pytest.approx(value, rel=1e-5, abs=1e-5 * offset)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__metadata__[0].dimension)
def test_the_example_in_the_message_is_valid(kind):
    (quantity,) = kind.__metadata__
    for example in quantity.example.split(" or "):
        assert math.isfinite(TypeAdapter(kind).validate_python(example))


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_sentence(text):
    quantity = Quantity("a length", "m", "5 um", gt=0)
    try:
        assert quantity.read(text) > 0
    except ValueError as refusal:
        assert "a length" in str(refusal) or "allowed: above 0 m" in str(refusal)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("25 degC", "K", 298.15),
        ("25 °C", "K", 298.15),
        ("300 K", "K", 300.0),
        ("7e-15 m2/s", "m**2/s", 7e-15),
        ("7e-15 m²/s", "m**2/s", 7e-15),
        ("63887 mol/m3", "mol/m**3", 63887.0),
        ("1e6 MPa/um", "Pa/m", 1e18),
        ("1 nmol/(m^2 s)", "mol/m**2/s", 1e-9),
        ("48 h", "s", 172800.0),
        ("20 ppm", "dimensionless", 2e-5),
        ("-2.5 %", "dimensionless", -0.025),
    ],
)
def test_units_that_people_write(text, unit, value):
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize(
    "text", ["5", "um", "5 V", "5 um 2", "5 m**9**9**9**9", "1e400 m", "5 __class__", "nan m", "5 degC"]
)
def test_text_that_is_no_length(text):
    with pytest.raises(ValueError, match="5" if "5" in text else "is not"):
        parse_quantity(text, "m")


def test_bare_numbers_are_for_slices_and_fractions_only():
    with pytest.raises(ValidationError, match="has no unit"):
        Sizes(radius=5e-6)
    assert Sizes.model_validate({"radius": 5e-6}, context={"canonical": True}).radius == 5e-6
    assert Sizes(radius="1 um", water=0.25).water == 0.25


def test_true_is_no_number():
    with pytest.raises(ValidationError, match="is not a quantity"):
        Sizes(radius="1 um", water=True)


def test_rounding_keeps_twelve_digits():
    assert rounded(4.9999999999999996e-06) == 5e-6
    assert rounded(1.23456789012e-6) == 1.23456789012e-6


# ---- protocols

rates = st.floats(min_value=1e-3, max_value=100).map(lambda rate: float(f"{rate:.6g}"))
voltages = st.floats(min_value=0, max_value=6).map(lambda volt: float(f"{volt:.4f}"))
minutes = st.integers(min_value=1, max_value=10_000)


@given(st.sampled_from(["Charge", "discharge"]), rates, voltages, st.one_of(st.none(), minutes))
def test_current_step(word, rate, voltage, time):
    text = f"{word} at {rate!r}C until {voltage!r} V" + (f" or {time} minutes" if time else "")
    sign = 1 if word == "Charge" else -1
    duration = 60.0 * time if time else None
    assert parse_step(text) == Step(
        "current", c_rate=sign * rate, until_voltage=voltage, duration_s=duration, text=text
    )


@given(voltages, st.integers(min_value=1, max_value=500), st.one_of(st.none(), minutes))
def test_hold(voltage, divisor, time):
    text = f"Hold at {voltage!r} V until C/{divisor}" + (f" or {time} min" if time else "")
    step = parse_step(text)
    assert (step.kind, step.voltage, step.until_c_rate) == ("voltage", voltage, 1 / divisor)
    assert step.duration_s == (60.0 * time if time else None)


@given(minutes)
def test_rest(time):
    assert parse_step(f"Rest for {time} minutes") == Step(
        "rest", duration_s=60.0 * time, text=f"Rest for {time} minutes"
    )


@given(st.text(max_size=60) | st.sampled_from(ALLOWED_SENTENCES).map(lambda sentence: sentence[:-2]))
def test_any_sentence_is_read_or_refused_with_the_allowed_ones(text):
    try:
        step = parse_step(text)
    except ValueError as refusal:
        assert all(sentence in str(refusal) for sentence in ALLOWED_SENTENCES)
    else:
        assert step.kind in ("current", "voltage", "rest", "thermal")


@pytest.mark.parametrize("sentence", ALLOWED_SENTENCES)
def test_the_sentences_shown_as_allowed_are_allowed(sentence):
    assert parse_step(sentence).text == sentence


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Charge at C/10", "no end"),
        ("Charge at C/0 until 4 V", "must lie between"),
        ("Charge at 2 A until 4 V", "not a C-rate"),
        ("Charge at 1C until C/50", "cannot end at a current"),
        ("Hold at 4 V until 4.1 V", "cannot end at a voltage"),
        ("Hold at C/10 until C/50", "not a voltage"),
        ("Rest for 4 V", "ends after a time"),
        ("Rest for 0 h", "above zero"),
        ("Charge at 1C until 4 V or 4.1 V", "two end conditions"),
        ("Charge at 1C until full", "not an end condition"),
    ],
)
def test_wrong_sentences_say_why(sentence, reason):
    with pytest.raises(ValueError, match=reason):
        parse_step(sentence)
