from probe.reference.llm_slots import Slots


def test_slots_run_out_and_come_back() -> None:
    slots = Slots(2)
    first, second = slots.take(), slots.take()
    assert first
    assert second
    assert {first.index, second.index} == {0, 1}
    assert slots.take() is None
    assert slots.taken == 2
    slots.give_back(first)
    assert slots.taken == 1
    assert slots.take() is first


def test_slot_used_last_is_taken_first_because_its_cache_may_serve_again() -> None:
    slots = Slots(3)
    slot = slots.take()
    assert slot
    slots.give_back(slot)
    assert slots.take() is slot
