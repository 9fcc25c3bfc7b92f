"""The adapter to VPP: the only package that speaks its wire format and maps its stats segment."""
