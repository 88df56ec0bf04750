"""What every service at Acme has."""
