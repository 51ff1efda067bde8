"""OpenTelemetry's protocol: how anything is delivered to a collector, whatever it is."""
