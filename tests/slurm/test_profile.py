"""The profile for Slurm names rules that there are, and asks for more with every attempt."""

import re

import pytest
import yaml

from conftest import ROOT

PROFILE = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
FILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
RULES = {name for file in FILES for name in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)}
LOCAL = re.search(r"^localrules:\n((?: +\w+,\n)+)", (ROOT / "Snakefile").read_text(), re.MULTILINE)


def test_rules_of_the_profile_exist_and_are_sent_to_the_cluster() -> None:
    assert LOCAL is not None
    local = set(re.findall(r"\w+", LOCAL[1]))
    assert {"all", "gate"} <= local < RULES
    assert set(PROFILE["set-resources"]) | set(PROFILE["groups"]) <= RULES - local


@pytest.mark.parametrize("rule", ["default", *PROFILE["set-resources"]])
def test_each_attempt_gets_more(rule: str) -> None:
    asked = PROFILE["default-resources"] if rule == "default" else PROFILE["set-resources"][rule]
    for name in {"mem_mb", "runtime"} & set(asked):
        values = [eval(asked[name], {"attempt": attempt}) for attempt in range(1, PROFILE["retries"] + 2)]
        assert values == [attempt * values[0] for attempt in (1, 2, 3)]


def test_members_of_groups_state_their_time_and_groups_hold_one_component() -> None:
    """Times add up in a group; a case that always fails holds up only those in its group."""
    assert all("runtime" in PROFILE["set-resources"][rule] for rule in PROFILE["groups"])
    assert PROFILE["group-components"] == dict.fromkeys(PROFILE["groups"].values(), 1)
    assert PROFILE["resources"]["lanes"] == PROFILE["default-resources"]["lanes"] == 1
    assert "observables" in PROFILE["groups"]
    assert PROFILE["groups"]["observables"] != PROFILE["groups"]["interface"]  # a life lies between them
