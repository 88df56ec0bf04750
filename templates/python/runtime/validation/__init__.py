"""Checks of requests beyond their wire form: required fields, and the rules of buf.validate."""
