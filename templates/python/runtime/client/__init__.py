"""Calling the dependencies: what a call hands on to the calls it makes, and how those end."""
