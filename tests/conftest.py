"""How Hypothesis works here: machines that run tests are shared, so the time that one example took says nothing."""

from hypothesis import settings

settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")
