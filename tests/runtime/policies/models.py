"""How long models are compared with what they model."""

from hypothesis import settings

STEPS = 100
EXAMPLES = 100


def compared() -> settings:
    """10,000 steps; ten times as many in the fuzz profile."""
    many = settings.get_current_profile_name() == "fuzz"
    return settings(settings.default, max_examples=EXAMPLES * (10 if many else 1), stateful_step_count=STEPS)
