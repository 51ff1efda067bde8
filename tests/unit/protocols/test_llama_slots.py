"""The slots of llama.cpp: who is at work there, and when nobody knows."""

import pytest

from probe.protocols.llama_slots import slots_at_work


@pytest.mark.parametrize(
    ("slots", "users"),
    [
        (b'[{"id": 0, "is_processing": false}]', 0),
        (b'[{"is_processing": true}, {"is_processing": false}, {"is_processing": true}]', 2),
        (b'[{"id": 0, "state": 1}, {"id": 1, "state": 0}]', 1),
        (b'[{"id": 0, "state": 0}]', 0),
        (b'[{"id": 0}]', None),
        (b'[{"is_processing": "yes"}]', None),
        (b'[{"is_processing": false}, {"id": 1}]', None),
        (b"[]", None),
        (b'{"error": {"message": "This server does not support slots endpoint."}}', None),
        (b"[1]", None),
        (b"not json", None),
        (b"", None),
    ],
)
def test_who_is_at_work(slots: bytes, users: int | None) -> None:
    assert slots_at_work(slots) == users
