"""What the service does: one module, one class for each service of the contract."""
