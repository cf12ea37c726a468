"""What is promised, what is proved, and what is missing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from gonogo.errors import GaugeError
from gonogo.evaluate.guarantee import (
    Guarantee,
    from_order_statistic,
    from_split_conformal,
    needed_parts,
    order_for,
    part_extremes,
    percent,
    proven_rate,
)


def test_too_few_parts_are_told_how_many_are_needed():
    order, guarantee = from_order_statistic("escape", 57, "parts", 0.01, 0.95)
    assert (order, guarantee.misses, guarantee.needed, guarantee.met) == (1, 0, 299, False)
    assert guarantee.shortfall == "0 misses in 57 parts proves 5.1 %, not 1 %: 299 are needed (95 % confidence)"
    assert guarantee.rate == guarantee.proven > guarantee.asked


@pytest.mark.parametrize(
    ("about", "n", "unit", "asked", "confidence", "line"),
    [
        ("escape", 1, "parts", 0.05, 0.95, "0 misses in 1 part proves 95 %, not 5 %: 59 are needed (95 % confidence)"),
        (
            "overkill",
            6,
            "photos",
            0.02,
            0.99,
            "0 false alarms in 6 photos proves 53.6 %, not 2 %: 228 are needed (99 % confidence)",
        ),
        (
            "escape",
            298,
            "parts",
            0.01,
            0.95,
            "0 misses in 298 parts proves 1.0002 %, not 1 %: 299 are needed (95 % confidence)",
        ),
    ],
)
def test_the_line_that_says_what_is_missing(about: str, n: int, unit: str, asked: float, confidence: float, line: str):
    assert from_order_statistic(about, n, unit, asked, confidence)[1].shortfall == line  # type: ignore[arg-type]


def test_enough_parts_keep_the_promise_and_may_prove_more():
    order, guarantee = from_order_statistic("escape", 400, "parts", 0.01, 0.95)
    assert order == 1
    assert guarantee.met
    assert guarantee.shortfall is None
    assert guarantee.rate == 0.01
    assert guarantee.proven == pytest.approx(1 - 0.05 ** (1 / 400))
    assert from_order_statistic("escape", 473, "parts", 0.01, 0.95)[0] == 2


def test_the_promise_in_words():
    _, guarantee = from_order_statistic("escape", 400, "parts", 0.01, 0.95)
    assert guarantee.sentence == (
        "a new defective part is called go in any of its defective photos with probability 1 % at most "
        "(95 % confidence, from 400 parts)"
    )
    _, guarantee = from_order_statistic("overkill", 80, "photos", 0.05, 0.95)
    assert guarantee.sentence.startswith("a new good photo is called no-go with probability 5 % at most")
    _, guarantee = from_split_conformal("label set", 99, "parts", 0.01)
    assert "a new part has a photo whose set lacks its kind" in guarantee.sentence
    assert "on average over such data" in guarantee.sentence


def test_split_conformal_counts_one_part_more():
    order, guarantee = from_split_conformal("label set", 99, "parts", 0.05)
    assert (order, guarantee.rate, guarantee.needed, guarantee.confidence) == (5, 0.05, 19, None)
    order, guarantee = from_split_conformal("label set", 19, "parts", 0.05)
    assert (order, guarantee.met) == (1, True)
    order, guarantee = from_split_conformal("label set", 9, "parts", 0.05)
    assert (order, guarantee.met) == (1, False)
    assert guarantee.shortfall == "0 wrong sets in 9 parts supports 10 %, not 5 %: 19 are needed"


def test_the_worst_photo_of_each_part_counts():
    scores = np.array([0.9, 0.2, 0.7, 0.8, 0.1, 0.5], dtype=np.float32)
    photos = np.array([True, True, True, True, False, True])
    codes = np.array([0, 0, 1, 1, 1, 2])
    assert part_extremes(scores, photos, codes).tolist() == pytest.approx([0.2, 0.5, 0.7])
    assert part_extremes(scores, np.zeros(6, dtype=bool), codes).tolist() == []


def test_more_misses_prove_less_and_all_missed_proves_nothing():
    rates = proven_rate(20, np.arange(21), 0.95)
    assert (np.diff(rates) > 0).all()
    assert rates[-1] == 1.0


def test_nothing_proves_a_rate_with_no_parts():
    assert order_for(0, 0.05, 0.95) == 0
    # A promise as weak as this needs one part.
    assert needed_parts(0.96, 0.95) == 1


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        *[(0.01, "1 %"), (0.0512, "5.1 %"), (0.001, "0.1 %"), (0.00746, "0.75 %"), (0.95, "95 %"), (0.9999, "99.99 %")],
        *[(1.0, "100 %"), (0.0, "0 %"), (0.1, "10 %"), (0.2, "20 %")],
    ],
)
def test_rates_as_text(rate: float, text: str):
    assert percent(rate) == text


GUARANTEE = from_order_statistic("escape", 57, "parts", 0.01, 0.95)[1]


def test_a_guarantee_survives_json():
    for guarantee in (GUARANTEE, from_split_conformal("label set", 9, "photos", 0.05)[1]):
        plain = json.loads(json.dumps(guarantee.to_json()))
        assert Guarantee.from_json(plain) == guarantee
    assert {"rate", "confidence", "method", "unit", "n"} <= set(plain)
    assert plain["shortfall"] == guarantee.shortfall


@pytest.mark.parametrize(
    "change",
    [
        *[{"rate": 0.001}, {"confidence": 1.5}, {"unit": "days"}, {"about": "luck"}, {"misses": 57}, {"n": "many"}],
        *[{"rate": None}, {"asked": 0.0}],
    ],
)
def test_an_impossible_guarantee_is_refused(change: dict[str, object]):
    with pytest.raises(GaugeError, match="guarantee"):
        Guarantee.from_json(GUARANTEE.to_json() | change)


def test_a_guarantee_without_its_keys_is_refused():
    with pytest.raises(GaugeError, match="lacks 'asked'"):
        Guarantee.from_json({key: value for key, value in GUARANTEE.to_json().items() if key != "asked"})
    with pytest.raises(GaugeError, match="guarantee lacks"):
        Guarantee.from_json("95 %")


def test_a_guarantee_is_met_where_the_proof_is_at_least_as_good():
    assert replace(GUARANTEE, proven=0.01, rate=0.01).met
