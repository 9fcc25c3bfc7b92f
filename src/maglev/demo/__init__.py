"""`make demo`: maglevd at work against an embedded VPP, told as a story and checked step by step."""
