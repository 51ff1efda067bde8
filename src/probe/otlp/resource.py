"""What all that is sent says of its sender: no host, process or command line."""

from collections.abc import Mapping

SERVICE = "voice-probe"


def resource(version: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """The service, and what the configuration adds."""
    return {**attributes, "service.name": SERVICE, "service.version": version}
