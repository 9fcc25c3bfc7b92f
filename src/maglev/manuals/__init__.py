"""The manual pages of both programs, from the tables that they run by; no program imports this."""
