"""A speech server as NVIDIA's are: both of Riva's services over gRPC, and the same voices over a NIM's HTTP."""
