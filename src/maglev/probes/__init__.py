"""Probes of backends, one protocol a file."""
