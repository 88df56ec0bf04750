"""Messages of the contract, as protoc makes them."""
