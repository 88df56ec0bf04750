"""The only code that touches a user's disk."""
