"""Acme's templates for holdfast; they lie beside this module."""
