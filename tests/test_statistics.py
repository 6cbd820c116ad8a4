"""Statistics as files."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import UserError
from faultline.statistics import Statistic, of_samples, read_statistics, write_statistics


@given(st.lists(st.floats(-1e6, 1e6), max_size=8))
def test_range_holds_the_mean(samples):
    found = of_samples(samples, "V")
    assert found.count == len(samples)
    if len(samples) > 1:
        assert found.low <= found.value <= found.high


def test_missing_samples_do_not_count():
    assert of_samples([1.0, math.nan, 3.0], "V").count == 2
    assert math.isnan(of_samples([math.nan], "V").value)


def test_what_is_written_is_read(tmp_path):
    given = {"a": of_samples([1.0, 2.0], "V", "two"), "b": Statistic(2.5, "nm")}
    write_statistics(given, tmp_path / "s.json")
    found = read_statistics(tmp_path / "s.json")
    assert found["a"] == given["a"]
    assert found["b"].value == 2.5 and math.isnan(found["b"].low)
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": {"value": 1, "colour": 2}}', '{"a": {}}'])
def test_foreign_files_are_named(tmp_path, text):
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not a file of statistics"):
        read_statistics(path)
