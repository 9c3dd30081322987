"""The site, as far as it can be checked without Quarto: colors, links, what pages would load, and
the cells for Colab."""
import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path

import nbformat
import pytest
import typer
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT/"nbs"
sys.path.insert(0, str(ROOT/"tools"))
import apidoc
import links
import notebooks
import rendered

FRAME = """<!doctype html><html><head><meta charset="utf-8">
<style>body { background: url("data:image/png;base64,AAAA") }</style></head>
<body><canvas></canvas><script>const where = "https://example.org/";</script></body></html>"""

OPTIONS = '{"type": "overlay", "language": {"search-submit-button-title": "Submit"}}'
CDN = "https://cdnjs.cloudflare.com/ajax/libs"
SAFE = 'integrity="sha512-abc==" crossorigin="anonymous"'
DEFINE = "define('jquery', [],function() {return window.jQuery;})"
COLAB = "https://colab.research.google.com/github/vae-circuits/vae_circuits/blob/main"

# a page with an HTML output, as Quarto renders it
PAGE = f"""<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en"><head>
<meta charset="utf-8">
<meta property="og:image" content="https://vae-circuits.github.io/vae_circuits/card.png">
<title>pages – vae_circuits</title>
<link rel="canonical" href="https://vae-circuits.github.io/vae_circuits/pages.html">
<link href="./favicon.svg" rel="icon" type="image/svg+xml">
<script src="site_libs/quarto-nav/quarto-nav.js"></script>
<link href="site_libs/bootstrap/bootstrap-icons.css" rel="stylesheet">
<script id="quarto-search-options" type="application/json">{OPTIONS}</script>
<script src="{CDN}/require.js/2.3.6/require.min.js" {SAFE}></script>
<script src="{CDN}/jquery/3.5.1/jquery.min.js" {SAFE} data-relocate-top="true"></script>
<script type="application/javascript">{DEFINE}</script>
</head><body>
<p><a href="{COLAB}/nbs/20b_pages.ipynb"><img src="colab.svg" alt="Open in Colab"></a></p>
<div class="cell-output">
<iframe title="latents" srcdoc="{escape(FRAME)}" sandbox="allow-scripts"></iframe></div>
<script type="application/javascript">
window.document.addEventListener("DOMContentLoaded", function (event) {{ const a = 1 < 2; }});
</script>
</body></html>
"""


def test_pages_lose_what_quarto_adds_and_nothing_else():
    assert len(rendered.outside(PAGE)) == 2
    stripped = rendered.strip(PAGE)
    assert rendered.outside(stripped) == []
    kept = [
        line for line in PAGE.splitlines() if "cdnjs" not in line and "define('jquery'" not in line
    ]
    assert stripped.splitlines() == kept


@pytest.mark.parametrize("tag", [
    '<script src="https://unpkg.com/@jupyter-widgets/html-manager@*/dist/embed-amd.js"></script>',
    '<SCRIPT SRC="//cdn.example.org/x.js"></SCRIPT>',
    '<link rel="stylesheet" href="https://fonts.example.org/css2?family=Inter">',
    '<link rel="preconnect" href="https://fonts.example.org">',
    '<link href="https://example.org/icon.svg" rel="icon">',
    '<img alt="a" src="http://example.org/badge.svg">',
    '<img srcset="small.png 1x, https://example.org/large.png 2x">',
    '<iframe src="https://example.org/"></iframe>',
    '<style>@import "https://fonts.example.org/css";</style>',
    '<style>@font-face { src: url(https://example.org/a.woff2) }</style>',
    '<p style="background: url(\'https://example.org/a.png\')">a</p>',
    '<svg><image href="https://example.org/a.png"/></svg>',
    f'<iframe srcdoc="{escape("""<script src="https://example.org/a.js"></script>""")}"></iframe>',
])
def test_what_would_be_loaded_is_found(tag): assert len(rendered.outside(rendered.strip(tag))) == 1


@pytest.mark.parametrize(
    "tag",
    [
        '<a href="https://example.org/">a</a>',
        '<img src="colab.svg">',
        '<img src="data:image/png;base64,//8A">',
        '<code>src="https://example.org"</code>',
        '<script>fetch("./search.json"); // https://example.org\n</script>',
        '<link rel="next" href="https://example.org/b.html">',
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_what_is_only_followed_or_said_is_not(tag):
    assert rendered.outside(tag) == []


def test_a_rendered_site_is_cleaned_as_quarto_would_have_it_cleaned(tmp_path):
    project, site = tmp_path/"_proc", tmp_path/"_proc"/"_docs"
    (site/"site_libs").mkdir(parents=True)
    (site/"pages.html").write_text(PAGE)
    (site/"site_libs"/"a.css").write_text("@font-face { src: url(./icons.woff) }")
    def run():
        return subprocess.run(
            [sys.executable, ROOT / "tools" / "rendered.py"],
            cwd=project,
            env={**os.environ, "QUARTO_PROJECT_OUTPUT_DIR": "_docs"},
            capture_output=True,
            text=True,
        )
    assert (done := run()).returncode == 0, done.stderr
    assert "cdnjs" not in (site/"pages.html").read_text()
    (site/"site_libs"/"a.css").write_text("@import url('https://fonts.example.org/css');")
    assert (done := run()).returncode == 1 and "a.css: https://fonts.example.org/css" in done.stderr


@pytest.mark.parametrize(
    "heading, identifier",
    [
        ("One patch by hand", "one-patch-by-hand"),
        ("patch_sweep", "patch_sweep"),
        ("Dogs?--in *my* house?", "dogsin-my-house"),
        ("3. Applications", "applications"),
        ("33", "section"),
        ("β-VAE, again", "β-vae-again"),
        ("SCM.run", "scm.run"),
        ("Named {#so}", "so"),
        ("`code` here", "code-here"),
    ],
)
def test_headings_have_the_identifiers_that_pandoc_gives(heading, identifier):
    assert links.read(f"## {heading}").anchors == [identifier]


def test_broken_links_are_found():
    anchors = links.numbered(["results", "results", "effects"])
    here = links.Page("09_patching.ipynb", "patching.html", anchors, links.Text(), {"a.png"})
    below = links.Page("engine/08_deltas.ipynb", "engine/deltas.html", set(), links.Text(), set())
    pages = {name: page for page in (here, below) for name in (page.source, page.name)}
    good = [
        "09_patching.ipynb",
        "09_patching.ipynb#results-1",
        "patching.html#effects.to_frame",
        "#results",
        f"{links.SITE}patching.html#effects",
        "https://arxiv.org",
        "https://github.com/vae-circuits/vae_circuits/tree/main/nbs",
        "https://github.com/vae-circuits/vae_circuits/blob/main/README.md#two-commands",
    ]
    bad = [
        "09_patchin.ipynb",
        "09_patching.ipynb#result",
        "#results-2",
        f"{links.SITE}patch.html",
        "nothing.png",
        "https://github.com/vae-circuits/vae_circuits/tree/main/nbz",
    ]
    assert [link for link in good + bad if links.broken(link, here, pages)] == bad
    assert not links.broken("engine/08_deltas.ipynb", here, pages)
    assert not links.broken("../09_patching.ipynb#results", below, pages)
    assert links.broken("09_patching.ipynb", below, pages)
    assert (
        links.missing("attachment:a.png", here) is None
        and links.missing("attachment:b.png", here)
        and links.missing("b.png", here)
    )
    assert links.missing("https://img.shields.io/a.svg", here) == "loaded from elsewhere"


def test_names_that_are_none_any_more_are_found():
    words = {"patch_sweep"}
    assert [
        name
        for name in (
            "patch_sweep",
            "patch_sweep()",
            "patch_sweeps",
            "SCM.run",
            "SCM.runs",
            "TrainConfig.epochs",
            "encoder_conv_i",
            "shape",
            "nn.Linear",
        )
        if links.gone(name, words)
    ] == ["patch_sweeps", "SCM.runs"]


def test_colab_cells_are_put_in_once_and_put_right():
    new = nbformat.v4
    plain = new.new_notebook(
        cells=[
            new.new_markdown_cell("# t\n\n> s", id="09-000"),
            new.new_code_cell("1", id="09-001"),
        ]
    )
    path = NBS/"09_patching.ipynb"
    once = notebooks.with_colab(plain, path)
    assert [c.id for c in once.cells] == ["09-000", "09-colab", "09-install", "09-001"]
    wanted = nbformat.writes(once)
    assert nbformat.writes(notebooks.with_colab(once, path)) == wanted
    once.cells[2].source, once.cells[1:3] = "!pip install something", once.cells[2:0:-1]
    assert nbformat.writes(notebooks.with_colab(once, path)) == wanted
    deeper = notebooks.with_colab(once, NBS/"engine"/"09_patching.ipynb").cells[1].source
    assert "(../colab.svg)" in deeper and "nbs/engine/09_patching.ipynb" in deeper
    assert not any(sign in (ROOT/"README.md").read_text() for sign in ("colab.svg", "google.colab"))


def colors(name):
    "The colors that a theme sets."
    return dict(re.findall(r"^\$([\w-]+):\s*(#[0-9a-f]{6});", (NBS/name).read_text(), re.M))


def contrast(a, b):
    "Contrast of two colors after WCAG 2: 1 to 21."
    def luminance(color):
        parts = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(
            w * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for w, c in zip((0.2126, 0.7152, 0.0722), parts)
        )
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# text colors of the highlight style a11y, as Quarto brings it
HIGHLIGHT = {
    "light.scss": "#545454 #d91e18 #a55a00 #008000 #696969 #06287e #007faa #7928a1",
    "dark.scss": "#f8f8f2 #ffa07a #ffd700 #abe338 #d4d0ab #00e0e0 #dcc6e0 #f5ab35",
}
PAIRS = [
    ("body-color", "body-bg"),
    ("link-color", "body-bg"),
    ("text-muted", "body-bg"),
    ("code-color", "code-bg"),
    ("navbar-fg", "navbar-bg"),
    ("navbar-hl", "navbar-bg"),
    ("sidebar-fg", "sidebar-bg"),
    ("sidebar-hl", "sidebar-bg"),
    ("footer-fg", "footer-bg"),
    ("link-color", "footer-bg"),
    ("body-color", "code-block-bg"),
]


@pytest.mark.parametrize("theme", HIGHLIGHT)
def test_text_can_be_read_in_both_themes(theme):
    set_ = colors(theme)
    pairs = {
        **{(a, b): contrast(set_[a], set_[b]) for a, b in PAIRS},
        **{
            (c, "code-block-bg"): contrast(c, set_["code-block-bg"])
            for c in HIGHLIGHT[theme].split()
        },
    }
    assert not {pair: round(value, 2) for pair, value in pairs.items() if value < 4.5}


def test_files_of_the_site_are_there_and_load_nothing():
    settings = yaml.safe_load((ROOT/"_quarto.yml").read_text())
    html, site = settings["format"]["html"], settings["website"]
    files = [
        *html["theme"]["light"][1:],
        *html["theme"]["dark"][1:],
        html["css"],
        site["favicon"],
        site["open-graph"]["image"],
        site["twitter-card"]["image"],
        *settings["project"]["resources"],
    ]
    assert [f for f in files if not (NBS/f).is_file()] == []
    assert (NBS/settings["project"]["post-render"]).resolve() == ROOT/"tools"/"rendered.py"
    assert (
        Image.open(NBS / "card.png").size == (1200, 630)
        and (NBS / "card.png").stat().st_size < 100_000
    )
    for path in (*NBS.glob("*.css"), *NBS.glob("*.scss")):
        assert rendered.IN_STYLE.findall(path.read_text()) == []
    for path in NBS.glob("*.svg"): assert rendered.outside(path.read_text()) == []


DOC = """What it does.

images: pictures `[n, c, h, w]`; a folder, or a world. low, high: of the range; or of: a latent,
which needs no labels. seed:
of the dice. `InputError` if nothing fits.

Where it is from: a paper."""


def test_arguments_of_a_docstring_become_rows():
    before, told, after = apidoc.arguments(DOC, ["images", "low", "high", "of", "seed"])
    assert before == "What it does."
    assert told == {"images": "pictures `[n, c, h, w]`; a folder, or a world.",
                    "low": "of the range.", "high": "of the range.",
                    "of": "a latent, which needs no labels.", "seed": "of the dice."}
    assert after == "`InputError` if nothing fits.\n\nWhere it is from: a paper."


def test_a_docstring_without_arguments_stays_as_it_is():
    for doc in ("", "Nothing: of this.", "`score`: mean over factors."):
        assert apidoc.arguments(doc, ["score", "of"]) == (doc, {}, "")


def test_a_name_is_shown_with_its_arguments():
    def cut(pictures, size: int = 64, *, often: bool = False) -> list:
        """Pictures, cut.

        size: of a side, in pixels | points. often: again and again"""
    shown = apidoc.Shown(cut, name="cut")._repr_markdown_()
    assert "cut(pictures, size: int = 64, *, often: bool = False) -> list" in shown
    assert "| <code>size</code> | <code>64</code> | of a side, in pixels \\| points. |" in shown
    assert "| <code>often</code> | <code>False</code> | again and again. |" in shown
    assert "<code>pictures" not in shown


def test_a_long_signature_is_broken_between_arguments():
    def call(first_argument: int = 1, second_argument: float = 2.5, third_argument: str = "three",
             fourth_argument: bool = False): "It is long."
    lines = apidoc.signature("call", call).splitlines()
    assert len(lines) == 4 and max(map(len, lines)) <= apidoc.WIDTH
    assert lines[1].endswith("second_argument: float = 2.5,") and lines[2].startswith("    third")


def test_options_of_the_command_line_are_shown_by_their_help():
    def command(out: str = typer.Option("here", help="the folder"),
                data: str = typer.Argument(..., help="one of {data.DATASETS}"),
                seed: int = typer.Option(lambda: 3, help="of the dice")): "Do it."
    rows = apidoc.description(command).splitlines()
    assert "| <code>out</code> | <code>&#x27;here&#x27;</code> | the folder |" in rows
    assert "| <code>data</code> |  | one of dsprites, synthetic |" in rows
    assert "| <code>seed</code> | <code>3</code> | of the dice |" in rows
    assert "OptionInfo" not in apidoc.signature("command", command)
