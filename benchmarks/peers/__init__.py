"""The hand-written servers that an emitted service is measured against."""
