"""Pages of metrics of LLM servers, as they report themselves."""

import pytest

from probe.protocols.server_page import state
from probe.server_state import ServerState, figures

VLLM = b"""\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 1000.0
vllm:prefix_cache_queries_created{engine="0",model_name="m"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 600.0
vllm:request_queue_time_seconds_bucket{engine="0",le="0.3",model_name="m"} 9.0
vllm:request_queue_time_seconds_count{engine="0",model_name="m"} 10.0
vllm:request_queue_time_seconds_sum{engine="0",model_name="m"} 1.5
vllm:time_to_first_token_seconds_count{engine="0",model_name="m"} 11.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="m"} 4.5
"""
TWO_ENGINES = b"""\
vllm:num_requests_running{engine="0"} 1
vllm:num_requests_running{engine="1"} 2
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.5
"""
LLAMA = b"""\
llamacpp:prompt_tokens_total 42
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 1
llamacpp:requests_deferred 3
"""


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (VLLM, ServerState(1, 2, 0.25, 1.5, 10, 4.5, 11, 1000, 600)),
        (LLAMA, ServerState(1, 3)),
        (b'sglang:num_running_reqs{m="x"} 1\nsglang:token_usage{m="x"} 0.5\n', ServerState(1, None, 0.5)),
        (b"num_requests_waiting 4\ngpu_cache_usage_perc 1.5\n", ServerState(None, 4)),
        (TWO_ENGINES, ServerState(3)),
        (b"vllm:num_requests_running -1\n", None),
        (b"process_cpu_seconds_total 5\n", None),
        (LLAMA + b"process_start_time_seconds 1.76e+09\n", ServerState(1, 3, started=1.76e9)),
        (LLAMA + b"process_start_time_seconds NaN\nprocess_start_time_seconds 0\n", ServerState(1, 3)),
    ],
)
def test_what_a_server_reports(page: bytes, found: ServerState | None) -> None:
    assert state(page) == found


@pytest.mark.parametrize("count", [b"1e30", b"1e308\nvllm:time_to_first_token_seconds_count 1e308"])
def test_absurd_counts_are_none_and_spoil_no_run(count: bytes) -> None:
    page = b"vllm:num_requests_running 1\nvllm:time_to_first_token_seconds_count " + count
    found = state(page)
    assert found is not None and found.begun is None
    assert figures(found, found).requests is None
