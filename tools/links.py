"""Checks the site before it is rendered, on the notebooks in _proc/ (tools/notebooks.py process
makes them): python tools/links.py

- Every notebook has its place in nbs/sidebar.yml, once.
- Every link to another page, a heading, a picture or a file of the repository leads somewhere.
- Names written as code are still names: `Class.attribute` of ours is there, and `an_identifier`
  stands somewhere in the code.
- Nothing shown is loaded from another host."""
import importlib
import inspect
import posixpath
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import mistune
import nbformat
import yaml
from gallery import listed
from notebooks import notebooks
from rendered import outside

ROOT = Path(__file__).resolve().parent.parent
NBS, PROC = ROOT/"nbs", ROOT/"_proc"
SITE = "https://vae-circuits.github.io/vae_circuits/"
REPO = re.compile(
    r"https://(?:github\.com|colab\.research\.google\.com/github)/vae-circuits/vae_circuits/(?:blob|tree|edit)/main/(.*)"
)
parse = mistune.create_markdown(renderer="ast", plugins=["table", "math"])


@dataclass
class Text:
    "What a piece of Markdown holds."
    anchors: list = field(default_factory=list)
    links: list = field(default_factory=list)
    images: list = field(default_factory=list)
    names: list = field(default_factory=list)
    loads: list = field(default_factory=list)


def read(markdown):
    "Headings, links, pictures, names in code and outside resources of a Markdown text."
    text = Text()
    for token in walk(parse(markdown)):
        kind, url = token["type"], token.get("attrs", {}).get("url")
        if kind == "heading": text.anchors.append(slug(plain(token)))
        elif kind == "link": text.links.append(url)
        elif kind == "image": text.images.append(url)
        elif kind == "codespan": text.names.append(token["raw"])
        elif kind in ("block_html", "inline_html"):
            text.loads += outside(token["raw"])
            text.anchors += re.findall(r"""\bid=["']([^"']+)""", token["raw"])
            text.links += re.findall(r"""<a\b[^>]*\bhref=["']([^"']+)""", token["raw"])
    return text


def walk(tokens):
    "All tokens, children after their parents."
    for token in tokens:
        yield token
        yield from walk(token.get("children", ()))


def plain(heading):
    "A heading's text without its formatting."
    return "".join(
        t["raw"] if "raw" in t else " "
        for t in walk(heading["children"])
        if "raw" in t or t["type"] == "softbreak"
    )


def slug(heading):
    "The identifier that Pandoc gives a heading, or the one that it is given by `{#...}`."
    if given := re.search(r"\{[^}]*#([\w.-]+)[^}]*\}\s*$", heading): return given[1]
    # two hyphens are a dash, and dashes are dropped like all signs
    kept = re.sub(r"--+|[^\w\s.-]", "", heading).strip().lower()
    return re.sub(r"\s+", "-", re.sub(r"^[\W\d_]+", "", kept)) or "section"


def numbered(anchors):
    "Pandoc numbers a heading that has come before: results, results-1."
    seen = Counter()
    made = set()
    for anchor in anchors:
        made.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return made


@dataclass
class Page:
    "A page of the site: its source and its address, its anchors, and what was found in it."
    source: str
    name: str
    anchors: set
    text: Text
    attachments: set


def page(path):
    "Read a processed notebook."
    notebook, text, attachments = nbformat.read(path, as_version=4), Text(), set()
    for cell in notebook.cells:
        parts = (
            [read(cell.source)]
            if cell.cell_type == "markdown"
            else [shown(o) for o in cell.get("outputs", ())]
        )
        for part in parts:
            for kind in vars(text): getattr(text, kind).extend(getattr(part, kind))
        attachments |= set(cell.get("attachments", ()))
    name = yaml.safe_load(notebook.cells[0].source.strip().strip("-"))["output-file"]
    source = path.relative_to(PROC)
    return Page(str(source), str(source.with_name(name)), numbered(text.anchors), text, attachments)


def shown(output):
    "What an output holds that a page would show."
    data = output.get("data", {})
    text = read(data.get("text/markdown", ""))
    for kind in ("text/html", "image/svg+xml"): text.loads += outside(data.get(kind, ""))
    if "application/javascript" in data: text.loads.append("a script as output")
    return text


def broken(link, here, pages):
    "Why a link of the page `here` leads nowhere, or None. pages: by source and by rendered name."
    if found := REPO.match(link):
        return (
            None
            if (ROOT / found[1].split("#")[0].split("?")[0]).exists()
            else "not in the repository"
        )
    folder = "" if link.startswith(SITE) or here is None else posixpath.dirname(here.source)
    target, _, anchor = link.removeprefix(SITE).partition("#")
    if re.match(r"[a-z]+:|//", target): return None
    if target: target = posixpath.normpath(posixpath.join(folder, target))
    there = pages.get(target) if target else here
    if there is None:
        return None if (PROC/target).is_file() and not anchor else "no such page or file"
    # nbdev links a method to its own anchor, which only some pages have; its class is near enough
    return (
        None
        if not anchor or {anchor, anchor.rpartition(".")[0]} & there.anchors
        else "no such heading"
    )


def missing(image, page):
    "Why a picture cannot be shown, or None."
    if image.startswith("data:"): return None
    if re.match(r"(https?:)?//", image): return "loaded from elsewhere"
    if image.startswith("attachment:"):
        return (
            None if image.removeprefix("attachment:") in page.attachments else "no such attachment"
        )
    there = (PROC/page.source).parent/image
    return None if there.is_file() else "no such picture"


def gone(name, words):
    """Why a name written as code is no name any more, or None where it is one or no rule knows.
    words: those of all code."""
    name = name.removesuffix("()")
    # a single letter at the end stands for a number
    if re.fullmatch(r"[a-z]\w*_[^\W_]{2,}", name):
        return None if name in words else "stands nowhere in the code"
    owner, _, attribute = name.partition(".")
    found = lookup()[owner] if re.fullmatch(r"[A-Z]\w+\.\w+", name) else None
    if found is None: return None
    cls = getattr(importlib.import_module(found[1].removesuffix(".py").replace("/", ".")), owner)
    there = hasattr(cls, attribute) or re.search(
        rf"^\s+{attribute}:|\bself\.{attribute}\b", inspect.getsource(cls), re.M
    )
    return None if there else f"{owner} has no {attribute}"


@cache
def lookup():
    "nbdev's own list of what is defined where."
    from nbdev.doclinks import NbdevLookup
    names = NbdevLookup()
    if "vae_circuits" not in names.entries:
        sys.exit(
            "nbdev knows no names of ours; install the package again: pip install --no-deps -e ."
        )
    return names


def sidebar():
    "What is wrong with nbs/sidebar.yml."
    named = listed(NBS)
    there = {str(p.relative_to(NBS)) for p in notebooks()}
    return (
        [f"sidebar.yml: {name} is not in it" for name in sorted(there - set(named))]
        + [f"sidebar.yml: {name} does not exist" for name in named if name not in there]
        + [
            f"sidebar.yml: {name} is in it twice"
            for name in sorted({n for n in named if named.count(n) > 1})
        ]
    )


def navbar(pages):
    "Links of the top bar that lead nowhere."
    bar = yaml.safe_load((ROOT/"_quarto.yml").read_text())["website"]["navbar"]
    return [
        f"_quarto.yml: {item['href']}: {why}"
        for side in ("left", "right")
        for item in bar.get(side, ())
        if (why := broken(item["href"], None, pages))
    ]


def files():
    "Links of the Markdown files beside the notebooks that lead nowhere."
    links = [
        (p, link)
        for p in sorted(ROOT.glob("*.md"))
        for text in [read(p.read_text(encoding="utf-8"))]
        for link in text.links + text.images
    ]
    return [
        f"{p.name}: {link}: no such file"
        for p, link in links
        if not re.match(r"[a-z]+:|#", link) and not (ROOT / link.split("#")[0]).exists()
    ]


def check():
    "All that is wrong, one line each."
    found = {str(p.relative_to(NBS)): page(PROC/p.relative_to(NBS)) for p in notebooks()}
    pages = {**found, **{p.name: p for p in found.values()}}
    words = {
        w
        for path in notebooks()
        for c in nbformat.read(path, as_version=4).cells
        if c.cell_type == "code"
        for w in re.findall(r"\w+", c.source)
    }
    wrong = sidebar() + navbar(pages) + files()
    for source, p in found.items():
        wrong += [
            f"{source}: {link}: {why}"
            for link in dict.fromkeys(p.text.links)
            if (why := broken(link, p, pages))
        ]
        wrong += [
            f"{source}: {image}: {why}"
            for image in dict.fromkeys(p.text.images)
            if (why := missing(image, p))
        ]
        wrong += [
            f"{source}: {name}: {why}"
            for name in dict.fromkeys(p.text.names)
            if (why := gone(name, words))
        ]
        wrong += [
            f"{source}: {address}: loaded from elsewhere" for address in dict.fromkeys(p.text.loads)
        ]
    return found, wrong


if __name__ == "__main__":
    found, wrong = check()
    if wrong: sys.exit("\n".join(wrong))
    print(
        f"{len(found)} pages: {sum(len(p.text.links) for p in found.values())} links and"
        f" {sum(len(p.text.images) for p in found.values())} pictures are where they should be"
    )
