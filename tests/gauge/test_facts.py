"""What a gauge says of itself survives JSON, and another schema is refused."""

from __future__ import annotations

import json

import pytest

from gonogo.errors import GonogoError
from gonogo.gauge.facts import SCHEMA, Facts, digest
from tests.helpers import grey_geometry, make_facts

FACTS = make_facts(grey_geometry(20, 30, crop=(1, 2, 10, 12), reduce=2))


def test_facts_survive_json():
    assert Facts.from_json(json.loads(json.dumps(FACTS.to_json())), "x") == FACTS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": SCHEMA + 1}, f"has schema {SCHEMA + 1}, expected {SCHEMA}"),
        ({"schema": None}, "has schema None"),
        ({"decision": {}}, "classes"),
        ({"geometry": {"height": 10}}, "needs the camera's height and width"),
        ({"geometry": {"hight": 10}}, "did you mean 'height'"),
        ({"heatmap": {"stride": 2}}, "lacks 'first'"),
        ({"about": ...}, "lacks 'about'"),
    ],
)
def test_facts_that_lack_something_are_refused(change: dict[str, object], words: str):
    values = {key: value for key, value in (FACTS.to_json() | change).items() if value is not ...}
    with pytest.raises(GonogoError) as caught:
        Facts.from_json(values, "file")
    assert words in str(caught.value)


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_what_are_no_facts_is_refused(values: object):
    with pytest.raises(GonogoError, match="schema None"):
        Facts.from_json(values, "file")


def test_the_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
