"""The contract: .proto files read into frozen values."""
