"""A speech server as NVIDIA's are: `RivaSpeechSynthesis` over gRPC, and the same engine over a NIM's HTTP."""
