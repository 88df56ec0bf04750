"""The resilience runtime: everything between a socket and a handler."""
