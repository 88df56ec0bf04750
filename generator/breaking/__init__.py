"""What a change of the contract or the spec breaks, for whom, and how it could be made without."""
