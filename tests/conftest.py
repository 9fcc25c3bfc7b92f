"""How Hypothesis works here: a run draws the examples of the run before, so that what is green stays so.

New ones are looked for with `pytest --hypothesis-profile=search`. Machines that run tests are shared: the time that one
example took says nothing.
"""

from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False, max_examples=1000)
settings.load_profile("same")
