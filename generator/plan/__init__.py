"""Contract and spec resolved into one language-neutral plan."""
