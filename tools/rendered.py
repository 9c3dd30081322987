"""Keeps rendered pages from loading anything from another host: python tools/rendered.py [folder]

Quarto runs it after rendering. For every page with an HTML output it adds require.js and jQuery
from a content network, which nothing here
uses: they are taken out. What else a page would load from elsewhere is an error."""
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

# what Quarto adds: the two libraries, and a script that tells the one of the other
ADDED = (
    r"""<script\b[^>]*\bsrc=["']https://cdnjs\.cloudflare\.com/ajax/libs/(?:require\.js|jquery)/[^>]*>\s*</script>\s*""",
    r"""<script\b[^>]*>\s*define\(\s*["']jquery["'][^<]*</script>\s*""",
)

# attributes whose address is loaded when the page is shown; an <a> is only followed
LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("img", "srcset"),
    ("source", "src"),
    ("source", "srcset"),
    ("iframe", "src"),
    ("embed", "src"),
    ("object", "data"),
    ("audio", "src"),
    ("video", "src"),
    ("video", "poster"),
    ("track", "src"),
    ("input", "src"),
    ("body", "background"),
    ("image", "href"),
    ("image", "xlink:href"),
    ("use", "href"),
    ("use", "xlink:href"),
}
NOT_LOADED = {"canonical", "alternate", "license", "author", "next", "prev", "help", "search"}
ELSEWHERE = re.compile(r"(?:^\s*|,\s+)((?:https?:)?//[^\s,]+)", re.I)
IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^\s"')]+)""", re.I)


def strip(html):
    "The page without the scripts that Quarto adds for HTML outputs."
    for script in ADDED: html = re.sub(script, "", html)
    return html


def outside(html):
    "Addresses on other hosts that the page would load, those in a frame's `srcdoc` included."
    page = Page()
    page.feed(html)
    page.close()
    return page.found


class Page(HTMLParser):
    "Gathers in `found` what a page loads from elsewhere."
    def __init__(self):
        super().__init__()
        self.found, self.in_style = [], False

    def handle_starttag(self, tag, attrs):
        attrs = {name: value or "" for name, value in attrs}
        self.in_style = tag == "style"
        for name, value in attrs.items():
            if (tag, name) in LOADED: self.found += ELSEWHERE.findall(value)
        if tag == "link" and not NOT_LOADED & set(attrs.get("rel", "").lower().split()):
            self.found += ELSEWHERE.findall(attrs.get("href", ""))
        self.found += IN_STYLE.findall(attrs.get("style", ""))
        self.found += outside(attrs.get("srcdoc", ""))

    def handle_endtag(self, tag): self.in_style = False

    def handle_data(self, text):
        if self.in_style: self.found += IN_STYLE.findall(text)


def clean(folder):
    """Strip every page of a rendered site and return what its pages and style sheets would still
    load from elsewhere."""
    left = []
    pages = sorted(Path(folder).rglob("*.html"))
    for path in pages:
        before = path.read_text(encoding="utf-8")
        after = strip(before)
        if after != before: path.write_text(after, encoding="utf-8")
        left += [f"{path.name}: {address}" for address in outside(after)]
    for path in sorted(Path(folder).rglob("*.css")):
        left += [
            f"{path.name}: {address}"
            for address in IN_STYLE.findall(path.read_text(encoding="utf-8"))
        ]
    return pages, left


if __name__ == "__main__":
    folder = (
        sys.argv[1] if len(sys.argv) > 1 else os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", "_docs")
    )
    pages, left = clean(folder)
    if not pages: sys.exit(f"no pages in {folder}")
    if left: sys.exit("loaded from elsewhere:\n" + "\n".join(left))
    print(f"{len(pages)} pages load nothing from elsewhere")
