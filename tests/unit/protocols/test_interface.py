"""The values of the interface are frozen."""

from types import ModuleType

import pytest
from msgspec import Struct

from probe.protocols import base as interface
from probe.protocols.base import Send, Token
from probe.protocols.inquiries import Inquiry
from probe.transport.framing import base as frames
from probe.transport.framing.base import Request


def structs(module: ModuleType) -> list[type[Struct]]:
    of_it = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    return [each for each in of_it if issubclass(each, Struct)]


@pytest.mark.parametrize("value", [*structs(interface), *structs(frames)])
def test_a_value_is_frozen(value: type[Struct]) -> None:
    assert value.__struct_config__.frozen


def test_equal_values_are_equal_and_say_what_they_are() -> None:
    assert {Token("a"), Token("a"), Token("a", "reasoning")} == {Token("a"), Token("a", "reasoning")}
    assert repr(Token("a")) == "Token(text='a', kind='answer')"


def test_what_has_headers_is_shown_without_them() -> None:
    headers = {"authorization": "Bearer abc"}
    shown = repr(Send(Request("POST", "/v1?x=1", headers, b"{}")))
    assert shown == "Send(frame=Request(method='POST', target='/v1?x=1', body=b'{}'))"
    assert repr(Inquiry("http://spark/v1", len, headers)) == (
        "Inquiry(url='http://spark/v1', read=<built-in function len>, statuses=(200,))"
    )
