"""The configuration, pure: text in, values or one error out."""
