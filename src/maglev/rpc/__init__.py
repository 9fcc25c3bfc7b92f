"""The gRPC face of maglevd."""
