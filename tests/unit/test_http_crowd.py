"""Who has to go where others wait."""

import math

from probe.http_crowd import GRACE_S, SLOW_S, STALLED_S, Visit, first_to_go, next_spare_s


def test_nobody_has_to_go_who_was_given_no_time() -> None:
    assert first_to_go([Visit("a", 10.0)], 10.0 + GRACE_S / 2) is None
    assert first_to_go([reading(10.0)], 10.0 + STALLED_S / 2) is None


def reading(since: float) -> Visit:
    visit = Visit("a", 0.0)
    visit.enters("body", since)
    return visit


def test_who_reads_on_has_some_time_for_it_and_no_more() -> None:
    visit = reading(10.0)
    visit.goes_on(10.0 + SLOW_S - 0.1)
    assert first_to_go([visit], 10.0 + SLOW_S - 0.05) is None
    assert first_to_go([visit], 10.0 + SLOW_S) is visit


def test_whose_page_is_being_made_stays() -> None:
    visits = [Visit("a", 0.0, "page")]
    assert first_to_go(visits, 1000.0) is None
    assert next_spare_s(visits, 1000.0) == math.inf


def test_the_one_that_has_waited_longest_goes_first() -> None:
    older, newer = Visit("a", 0.0), Visit("a", 1.0)
    assert first_to_go([newer, older], 100.0) is older


def test_an_address_with_many_connections_gives_way_to_the_others() -> None:
    alone, *many = Visit("a", 0.0), Visit("b", 50.0), Visit("b", 60.0)
    assert first_to_go([alone, *many], 100.0) is many[0]


def test_who_was_answered_goes_before_all() -> None:
    done = Visit("a", 99.9, "done")
    assert first_to_go([Visit("b", 0.0), Visit("b", 0.0), done], 100.0) is done


def test_when_the_next_place_may_be_given_away() -> None:
    assert next_spare_s([Visit("a", 10.0), Visit("a", 10.1)], 10.0) == GRACE_S
    assert next_spare_s([Visit("a", 0.0)], 10.0) == 0.0
