"""Generated from proto/maglev.proto by `make proto`."""
