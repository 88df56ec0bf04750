"""The resilience spec: YAML to checked, typed values that remember where they stood."""
