"""Finds the packages: the folders `modalities` and `recipes` are installed under longer names."""

from setuptools import find_packages, setup

FOLDERS = {"inrc": "inrc", "inrc_modalities": "modalities", "inrc_recipes": "recipes"}

setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{inner}" for inner in find_packages(folder)))
    ],
)
