"""Packaging: everything comes from settings.ini."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(here/"settings.ini", encoding="utf-8")
settings = config["DEFAULT"]

names = ("wandb", "datasets", "sweep", "transforms", "cluster", "benchmarks", "notebooks", "dev")
extras = {name: settings[f"{name}_requirements"].split() for name in names}
extras["dev"] += extras["notebooks"]

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=settings["author"],
    author_email=settings["author_email"],
    license="Apache-2.0",
    url=settings["git_url"],
    keywords=settings["keywords"],
    classifiers=[
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)),
    ],
    packages=find_packages(include=["vae_circuits", "vae_circuits.*"]),
    package_data={
        "vae_circuits": [
            "checkpoints/*.safetensors",
            "checkpoints/*.md",
            "checkpoints/*.png",
            "assets/*",
            "results/*.csv",
            "results/*.parquet",
        ]
    },
    python_requires=f">={settings['min_python']}",
    install_requires=settings["requirements"].split(),
    extras_require=extras,
    # with the second, names in the text of the notebooks become links to where they are defined
    entry_points={
        "console_scripts": settings["console_scripts"].split(),
        "nbdev": ["vae_circuits=vae_circuits._modidx:d"],
    },
)
