"""The loops, in trio; they speak to the world through the Protocols of ports.py only."""
