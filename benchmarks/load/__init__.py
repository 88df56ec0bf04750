"""Load generators: processes of their own, cheap enough that a server on another core is the bottleneck."""
