"""maglevc, the command line; it speaks gRPC only."""
