"""Plan to files in memory."""
