"""The policies as pure state machines: no I/O and no asyncio; the time is an argument, randomness is injected."""
