"""holdfast: a resilient Python service out of a .proto contract and a YAML resilience spec."""

__version__ = "0.1.0"
