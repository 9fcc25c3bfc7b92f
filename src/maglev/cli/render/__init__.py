"""Messages of the API -> pages -> lines of text, plain functions; must not know where they came from or go to."""
