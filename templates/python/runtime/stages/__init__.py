"""The built-in stages, one module each: a policy wrapped around an incoming call."""
