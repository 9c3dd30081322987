"""The site's gallery: the first figure of every notebook that has one, small, with a link to it.

`tools/notebooks.py process` writes it into _proc/; the figures are those that notebooks hold."""
import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from PIL import Image

WIDTH = 480  # dots of a thumbnail, shown at half of it
HEAD = """---
title: Gallery
toc: false
---

Every picture leads to the notebook that draws it.

::: {.gallery}
"""


@dataclass
class Tile:
    "A notebook's first figure: where it is from, what it shows, and its PNG."
    place: str
    title: str
    alt: str
    png: bytes

    @property
    def file(self): return f"gallery/{Path(self.place).stem}.png"

    @property
    def text(self): return f"[![{self.alt}]({self.file}) {self.title}]({self.place})\n"


def described(cell):
    "What a cell says that its picture shows, or None."
    found = re.search(r'^#\|\s*fig-alt: "(.*)"', cell.source, re.M)
    return found and found[1]


def first_figure(nbs, place):
    "The `Tile` of a notebook, or None."
    notebook = nbformat.read(nbs/place, as_version=4)
    title = re.match(r"#\s+(.+)", notebook.cells[0].source)[1]
    for cell in notebook.cells:
        alt = described(cell)
        for output in cell.get("outputs", ()) if alt else ():
            if found := output.get("data", {}).get("image/png"):
                return Tile(place, title, re.sub(r"([\[\]])", r"\\\1", alt),
                            base64.b64decode(found))


def small(png) -> bytes:
    "The picture, no wider than a thumbnail."
    picture, made = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    picture.thumbnail((WIDTH, WIDTH))
    picture.save(made, "PNG", optimize=True)
    return made.getvalue()


def listed(nbs) -> list:
    "The notebooks that the sidebar names, from top to bottom."
    bar = yaml.safe_load((nbs/"sidebar.yml").read_text(encoding="utf-8"))["website"]["sidebar"]
    return list(in_order(bar["contents"]))


def in_order(contents):
    "The notebooks of a part of the sidebar."
    for item in contents: yield from [item] if isinstance(item, str) else in_order(item["contents"])


def write(nbs, proc) -> int:
    "The page and its pictures; returns how many there are."
    tiles = [t for place in listed(nbs) if (t := first_figure(nbs, place))]
    (proc/"gallery").mkdir(exist_ok=True)
    for tile in tiles: (proc/tile.file).write_bytes(small(tile.png))
    text = HEAD + "\n".join(tile.text for tile in tiles) + ":::\n"
    (proc/"gallery.qmd").write_text(text, encoding="utf-8")
    return len(tiles)
