"""Build of the compiled reader; everything else is in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup

extensions = [
    Extension(
        "maglev._statseg",
        ["src/maglev/_statseg.pyx"],
        extra_compile_args=["-O3", "-Wall", "-Wextra", "-Wno-unused-parameter"],
    )
]

setup(ext_modules=cythonize(extensions, language_level=3, annotate=False))
