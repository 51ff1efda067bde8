"""The messages of Riva's speech service as far as they are needed here, described in code: names, numbers, types."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import (  # type: ignore[import-untyped]  # has no stubs
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]  # as above
from google.protobuf.message_factory import GetMessages  # type: ignore[import-untyped]  # as above

PACKAGE = "reference"
# By message: its fields, each with its number and its type, which may be a message of this list; `*` repeats.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "RequestId": {"value": (1, "string")},
    "SynthesizeSpeechRequest": {
        "text": (1, "string"),
        "language_code": (2, "string"),
        "encoding": (3, "int32"),
        "sample_rate_hz": (4, "int32"),
        "voice_name": (5, "string"),
        "id": (100, "RequestId"),
    },
    "SynthesizeSpeechResponse": {"audio": (1, "bytes"), "id": (100, "RequestId")},
    "RivaSynthesisConfigRequest": {"model_name": (1, "string")},
    # A map is a list of pairs.
    "Parameter": {"key": (1, "string"), "value": (2, "string")},
    "Config": {"model_name": (1, "string"), "parameters": (2, "*Parameter")},
    "RivaSynthesisConfigResponse": {"model_config": (1, "*Config")},
    "EndpointingConfig": {"stop_history": (3, "int32")},
    "RecognitionConfig": {
        "encoding": (1, "int32"),
        "sample_rate_hertz": (2, "int32"),
        "language_code": (3, "string"),
        "audio_channel_count": (7, "int32"),
        "model": (13, "string"),
        "endpointing_config": (25, "EndpointingConfig"),
    },
    "StreamingRecognitionConfig": {"config": (1, "RecognitionConfig"), "interim_results": (2, "bool")},
    "StreamingRecognizeRequest": {
        "streaming_config": (1, "StreamingRecognitionConfig"),
        "audio_content": (2, "bytes"),
        "id": (100, "RequestId"),
    },
    "SpeechRecognitionAlternative": {"transcript": (1, "string"), "confidence": (2, "float")},
    "StreamingRecognitionResult": {
        "alternatives": (1, "*SpeechRecognitionAlternative"),
        "is_final": (2, "bool"),
        "channel_tag": (5, "int32"),
        "audio_processed": (6, "float"),
    },
    "StreamingRecognizeResponse": {"results": (1, "*StreamingRecognitionResult"), "id": (100, "RequestId")},
    "HealthCheckRequest": {"service": (1, "string")},
    "HealthCheckResponse": {"status": (1, "int32")},
}
_TYPES = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "float": FieldDescriptorProto.TYPE_FLOAT,
}


def _described(name: str, fields: Mapping[str, tuple[int, str]]) -> DescriptorProto:
    found = DescriptorProto(name=name)
    for each, (number, kind) in fields.items():
        field = found.field.add(name=each, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if kind.startswith("*"):
            field.label = FieldDescriptorProto.LABEL_REPEATED
        plain = kind.removeprefix("*")
        field.type = _TYPES.get(plain, FieldDescriptorProto.TYPE_MESSAGE)
        if plain not in _TYPES:
            field.type_name = f".{PACKAGE}.{plain}"
    return found


_FILE = FileDescriptorProto(
    name="reference.proto",
    package=PACKAGE,
    syntax="proto3",
    message_type=[_described(name, fields) for name, fields in _MESSAGES.items()],
)
_CLASSES: Mapping[str, Any] = GetMessages([_FILE], DescriptorPool())

SpeechRequest = _CLASSES[f"{PACKAGE}.SynthesizeSpeechRequest"]
SpeechResponse = _CLASSES[f"{PACKAGE}.SynthesizeSpeechResponse"]
ConfigRequest = _CLASSES[f"{PACKAGE}.RivaSynthesisConfigRequest"]
ConfigResponse = _CLASSES[f"{PACKAGE}.RivaSynthesisConfigResponse"]
RecognizeRequest = _CLASSES[f"{PACKAGE}.StreamingRecognizeRequest"]
RecognizeResponse = _CLASSES[f"{PACKAGE}.StreamingRecognizeResponse"]
HealthRequest = _CLASSES[f"{PACKAGE}.HealthCheckRequest"]
HealthResponse = _CLASSES[f"{PACKAGE}.HealthCheckResponse"]
