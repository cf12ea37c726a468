"""Options in words, and what contradicts what."""

from __future__ import annotations

from typing import Any

import pytest

from gonogo.errors import UsageError
from gonogo.evaluate.options import parse_rate, policy_from
from gonogo.evaluate.policies import BestBalancedAccuracy, BestF1, Costs, LabelSets, MaxEscape


@pytest.mark.parametrize(
    ("text", "rate"), [("1%", 0.01), ("1 %", 0.01), ("0.01", 0.01), (0.01, 0.01), (" .5% ", 0.005), ("1e-3", 0.001)]
)
def test_a_rate_is_read_from_percent_or_a_share(text: str | float, rate: float):
    assert parse_rate(text) == pytest.approx(rate, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "--max-escape is 5, expected a rate above 0 and below 1, such as 0.01; write 5% for percent"),
        ("-1%", "--max-escape is -0.01"),
        ("100%", "--max-escape is 1, expected"),
        ("0", "no number of parts proves a rate of 0"),
        ("few", "--max-escape is 'few', expected a rate such as 1% or 0.01"),
        ("nan", "--max-escape is 'nan'"),
        ("1%%", "--max-escape is '1%%'"),
    ],
)
def test_what_is_no_rate_is_refused_in_one_line(text: str, message: str):
    with pytest.raises(UsageError) as error:
        parse_rate(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "policy"),
    [
        ({}, BestBalancedAccuracy()),
        ({"max_escape": "1%"}, MaxEscape(0.01, 0.95)),
        ({"max_escape": "1%", "confidence": "99%"}, MaxEscape(0.01, 0.99)),
        ({"max_escape": 0.01, "confidence": 0.9, "max_overkill": "5%"}, MaxEscape(0.01, 0.9, 0.05)),
        ({"cost_escape": "500", "cost_overkill": 3}, Costs(500, 3)),
        ({"cost_escape": 500, "cost_overkill": 3, "cost_review": 1, "prevalence": "2%"}, Costs(500, 3, 1, 0.02)),
        ({"best_f1": True}, BestF1()),
        ({"set_error": "5%"}, LabelSets(0.05)),
        ({"set_error": "5%", "confidence": 0.9}, LabelSets(0.05, 0.9)),
    ],
)
def test_options_make_a_policy(options: dict[str, Any], policy: object):
    assert policy_from(**options) == policy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_escape": "1%", "cost_escape": 1, "cost_overkill": 1}, "--max-escape and --cost-escape both choose"),
        ({"max_escape": "1%", "cost_overkill": 1}, "--max-escape and --cost-overkill both choose"),
        ({"max_escape": "1%", "best_f1": True}, "--max-escape and --best-f1 both choose"),
        ({"cost_escape": 1, "cost_overkill": 1, "best_f1": True}, "--cost-escape and --best-f1"),
        ({"max_escape": "1%", "set_error": "1%"}, "--max-escape and --set-error"),
        ({"cost_escape": 1}, "--cost-escape says nothing without --cost-overkill"),
        ({"cost_overkill": 1}, "--cost-overkill says nothing without --cost-escape"),
        ({"confidence": 0.9}, "--confidence says nothing without --max-escape or --set-error"),
        ({"max_overkill": "1%"}, "--max-overkill says nothing without --max-escape"),
        ({"cost_review": 1}, "--cost-review says nothing without"),
        ({"prevalence": 0.1, "best_f1": True}, "--prevalence says nothing without"),
        ({"cost_escape": "much", "cost_overkill": 1}, "--cost-escape is 'much', expected a cost such as 500"),
        ({"cost_escape": -1, "cost_overkill": 1}, "--cost-escape is -1, expected a cost of 0 or more"),
        ({"max_escape": "1%", "confidence": 1}, "--confidence is 1, expected above 0 and below 1"),
        ({"max_escape": "1%", "confidence": "sure"}, "--confidence is 'sure', expected such as 0.95"),
        ({"max_escape": 2}, "--max-escape is 2, expected a rate above 0 and below 1"),
    ],
)
def test_contradictions_are_refused_in_one_line(options: dict[str, Any], message: str):
    with pytest.raises(UsageError) as error:
        policy_from(**options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
