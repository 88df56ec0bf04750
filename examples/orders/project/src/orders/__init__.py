"""orders: a service over REST and gRPC."""
