"""The Prometheus face of maglevd."""
