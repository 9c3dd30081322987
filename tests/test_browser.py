"""What people click, in a real browser: pages opened from disk with the network cut off, the
explorers in JupyterLab and in Voila.

Needs Chromium (`apt install chromium`, or the path of one in the environment variable CHROMIUM).
Any request to another host and any error in the browser's console fails the test."""
import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import zlib
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError as NotInTime
from playwright.sync_api import expect, sync_playwright
from torch import nn
from torch.nn import functional as F

from vae_circuits.adapt import adapt
from vae_circuits.circuits import find_circuit
from vae_circuits.data import dataset
from vae_circuits.pages import Page, circuits_page, grid, latents_page, patching_page
from vae_circuits.anatomy import Settings
from vae_circuits.paper_results import write_analysis
from vae_circuits.shipped import load_pretrained

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT/"nbs"
sys.path.insert(0, str(ROOT/"tools"))
from browser import chromium

HERE = (
    "file:",
    "data:",
    "blob:",
    "about:",
    "http://localhost",
    "ws://localhost",
    "http://127.0.0.1",
    "ws://127.0.0.1",
)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as play:
        found = chromium(play)
        yield found
        found.close()


@pytest.fixture
def tab(browser):
    """A page in which every error and every request to elsewhere is noted, and fails the test in
    the end."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000}, has_touch=True)
    page, wrong = context.new_page(), []
    page.on(
        "console",
        lambda m: (
            wrong.append(f"console: {m.text} {m.location['url']}") if m.type == "error" else None
        ),
    )
    page.on("pageerror", lambda e: wrong.append(f"error: {e}"))
    page.on(
        "request",
        lambda r: wrong.append(f"request: {r.url}") if not r.url.startswith(HERE) else None,
    )
    yield page
    wrong = [w for w in wrong if not theirs(w)]
    context.close()
    assert not wrong, "\n".join(wrong)


def theirs(text) -> bool:
    """What is not ours: JupyterLab asks its own server for settings that need not exist, and its
    debugger for a kernel that was changed; Voila's page asks for an icon font."""
    return any(words in text for words in ("404 (Not Found)", "debugger state", "fontawesome"))


@pytest.fixture(scope="module")
def model():
    return load_pretrained("beta_vae", "dsprites"), dataset("dsprites")


def opened(tab, page, folder):
    "The page, saved and opened from disk with the network cut off."
    page.save(path := folder/"page.html")
    tab.context.set_offline(True)
    tab.goto(path.as_uri())
    tab.wait_for_selector("body[data-ready]")
    return tab


def drawn(tab, caption, size: int = 64) -> torch.Tensor:
    "What a canvas shows, from 0 to 1: `[h, w]`."
    tab.wait_for_timeout(150)
    pixels = tab.evaluate(
        "caption => { const c = document.querySelector(`canvas[aria-label='${caption}']`); return"
        " Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data); }",
        caption,
    )
    return torch.tensor(pixels).view(size, size, 4)[:, :, 0] / 255


def off(picture, image) -> float:
    return (picture - image[0, 0]).abs().mean().item()


def row(data, plan, start):
    return grid(data)[1][plan["start"] if start is None else plan["start"][start]][None]


def plan_of(tab):
    return json.loads(tab.locator("#plan").text_content())


def test_latents_page_agrees_with_the_model(tab, model, tmp_path):
    vae, data = model
    opened(tab, latents_page(vae, data), tmp_path)
    x = row(data, plan_of(tab), None)
    assert off(drawn(tab, "rebuilt"), vae.run(x).recon) < 0.01
    still = drawn(tab, "changed")
    expect(tab.get_by_role("status")).to_have_text("nothing is changed")
    slider = tab.get_by_role("slider", name="z5", exact=True)
    slider.focus()
    for _ in range(20):
        tab.keyboard.press("ArrowRight")
    value = float(slider.input_value())
    after = drawn(tab, "changed")
    assert not after.equal(still) and off(after, vae.run(x, do={"z[5]": value}).recon) < 0.01
    strength = (vae.run(x, do={"z[5]": value}).recon - vae.run(x).recon).norm().item()
    assert (
        abs(float(tab.get_by_role("status").text_content().split()[2].rstrip(",")) / strength - 1)
        < 0.05
    )
    tab.get_by_role("button", name="Back to the image").tap()
    assert drawn(tab, "changed").equal(still)
    tab.get_by_role("slider", name="posX").fill("0")
    assert off(drawn(tab, "image"), x) > 0.01


def test_patching_page_agrees_with_the_model(tab, model, tmp_path):
    vae, data = model
    opened(tab, patching_page(vae, data), tmp_path)
    a, b = (vae.run(row(data, plan_of(tab), i)) for i in (0, 1))
    assert off(drawn(tab, "patched"), a.recon) < 0.01
    for unit in (3, 4, 8):
        tab.get_by_role("button", name=f"encoder_conv_0[{unit}]", exact=True).tap()
    tab.get_by_role("button", name="encoder_conv_1 (").click()
    tab.get_by_role("button", name="encoder_conv_1[7]", exact=True).press("Enter")
    patched = vae.run(given=a, do={"encoder_conv_0[3,4,8]": b, "encoder_conv_1[7]": b})
    assert off(drawn(tab, "patched"), patched.recon) < 0.01
    shown = [float(v) for v in tab.locator("tbody tr td:nth-child(3)").all_text_contents()]
    assert np.abs(np.array(shown) - patched.mu[0].numpy()).max() < 0.1
    tab.get_by_role("button", name="Patch all of the site").click()
    expect(tab.get_by_role("status")).to_have_text(
        "67 units patched: the latents went 100% of the way from clean to donor"
    )
    assert off(drawn(tab, "patched"), b.recon) < 0.01


def test_circuits_page_agrees_with_the_model(tab, model, tmp_path):
    vae, data = model
    circuits = [find_circuit(vae, data, f, pairs=16) for f in ("posX", "scale")]
    opened(tab, circuits_page(vae, data, circuits), tmp_path)
    tab.get_by_role("button", name="scale").click()
    expect(tab.get_by_role("img", name="Circuit of scale")).to_be_visible()
    plan = plan_of(tab)
    x, changed = row(data, plan, None), None
    sizes = [len(f["labels"]) for f in plan["factors"]]
    at = list(np.unravel_index(plan["start"], sizes))
    at[1] = sizes[1] - 1
    changed = grid(data)[1][np.ravel_multi_index(at, sizes)][None]
    a, b = vae.run(x), vae.run(changed)
    for caption, follows in (
        ("only the circuit follows", True),
        ("all but the circuit follow", False),
    ):
        held = {
            s: lambda v, s=s, m=torch.tensor(m): torch.where((m == follows)[:, None, None], v, a[s])
            for s, m in circuits[1].members.items()
        }
        assert off(drawn(tab, caption), vae.run(changed, held).recon) < 0.01
    assert off(drawn(tab, "changed, rebuilt"), b.recon) < 0.01


def one_circuit(vae, data):
    return circuits_page(vae, data, [find_circuit(vae, data, "posX", pairs=8)])


every_page = pytest.mark.parametrize("make", [latents_page, patching_page, one_circuit])


def says(page, sound: bool):
    "Whether the page's own test passes, and a visible word says so if it does not."
    page.wait_for_selector(f"body[data-sound={'yes' if sound else 'no'}]")
    expect(page.get_by_role("alert")).to_have_count(0 if sound else 1)
    if not sound:
        expect(page.get_by_role("alert")).to_be_visible()


@every_page
def test_pages_pass_their_own_test(tab, model, tmp_path, make):
    says(opened(tab, make(*model), tmp_path), True)


@pytest.mark.parametrize("summed", [True, False], ids=["network", "checksum"])
def test_spoiled_page_says_so(tab, model, tmp_path, summed):
    "Of one weight, or of the weights of a layer with the checksum put right."
    page = latents_page(*model)
    facts, numbers = (page.text.split(f'id="{name}">')[1].split("</script>")[0]
                      for name in ("plan", "numbers"))
    plan, block = json.loads(facts), bytearray(zlib.decompress(base64.b64decode(numbers)))
    layer = plan["arrays"][plan["steps"][0]["weight"]]
    if summed:
        block[layer["at"]:layer["at"] + layer["length"]] = bytes(layer["length"])
    else:
        block[layer["at"] + 3] ^= 1
    plan["sum"] = zlib.adler32(block) if summed else plan["sum"]
    packed = base64.b64encode(zlib.compress(bytes(block))).decode()
    text = page.text.replace(numbers, packed).replace(facts, json.dumps(plan))
    opened(tab, Page(page.title, text, page.height), tmp_path)
    says(tab, False)
    expect(tab.get_by_role("alert")).to_contain_text("computes wrongly here")


class Odd(nn.Module):
    """Operations that numbers in a row invite one to get wrong; latents far from 0; a site whose
    name is a word of JavaScript, one with signs of HTML."""
    def __init__(self):
        super().__init__()
        self.mu, self.logvar, self.start = nn.Linear(256, 3), nn.Linear(256, 3), nn.Linear(3, 256)
        self.constructor, self.deep = nn.Linear(8, 8, bias=False), nn.Conv2d(1, 4, 3, 2, 1)
        self.turn = nn.Conv2d(4, 8, 3, padding="same", groups=2, dilation=2)
        self.add_module("a<b>&", nn.ConvTranspose2d(12, 1, 4, 2, 1))

    def encode(self, x):
        h = self.deep(x).relu().flatten(1)
        return self.mu(h) + torch.tensor([9., -7.2, 0]), self.logvar(h)

    def decode(self, z):
        h = self.constructor(self.start(z / 10).view(-1, 4, 8, 8))
        h = self.turn(h[:, :1] + (h + h) * h.sigmoid())
        return getattr(self, "a<b>&")(torch.cat([h.permute(0, 1, 3, 2), 1 - h[:, 4:]], 1)).sigmoid()


@pytest.fixture(scope="module")
def odd():
    torch.manual_seed(0)
    # a page shows units that lie along the first axis
    vae = adapt(Odd().eval(), image_shape=(1, 16, 16), axes={"constructor": 0})
    return vae, torch.rand(3, 1, 16, 16)


def test_odd_latents_page(tab, odd, tmp_path):
    vae, x = odd
    opened(tab, latents_page(vae, x, {"image": 2}), tmp_path)
    says(tab, True)
    run = vae.run(x[2:])
    expect(tab.get_by_role("status")).to_have_text("nothing is changed")
    for i, v in enumerate(run.mu[0].tolist()):
        assert abs(float(tab.get_by_role("slider", name=f"z{i}").input_value()) - v) < 0.03
    assert off(drawn(tab, "rebuilt", 16), run.recon) < 0.01
    for key in ("ArrowRight", "ArrowRight", "Home"):
        slider = tab.get_by_role("slider", name="z0")
        slider.press(key)
        changed = vae.run(x[2:], do={"z[0]": float(slider.input_value())})
        assert off(drawn(tab, "changed", 16), changed.recon) < 0.01
        expect(tab.get_by_role("status")).to_contain_text("effect strength")


def test_odd_patching_page(tab, odd, tmp_path):
    vae, x = odd
    opened(tab, patching_page(vae, x, 1, {"image": 0}), tmp_path)
    says(tab, True)
    a, b = vae.run(x[1:2]), vae.run(x[:1])
    tab.get_by_role("button", name="constructor (").click()
    for unit in (0, 2):
        tab.get_by_role("button", name=f"constructor[{unit}]", exact=True).click()
    assert off(drawn(tab, "patched", 16), vae.run(given=a, do={"constructor[0,2]": b}).recon) < 0.01


def test_a_page_begins_at_a_site(tab, odd, tmp_path):
    vae, x = odd
    opened(tab, patching_page(vae, x, 1, {"image": 0}, start="start"), tmp_path)
    says(tab, True)
    a, b = vae.run(x[1:2]), vae.run(x[:1])
    assert off(drawn(tab, "clean, rebuilt", 16), a.recon) < 0.01
    assert tab.get_by_role("table").count() == 0
    tab.get_by_role("button", name="turn (").click()
    for unit in (0, 5):
        tab.get_by_role("button", name=f"turn[{unit}]", exact=True).click()
    assert off(drawn(tab, "patched", 16), vae.run(given=a, do={"turn[0,5]": b}).recon) < 0.01
    expect(tab.get_by_role("status")).to_contain_text("2 units patched: the picture went")


class Sequences(nn.Module):
    "A recurrent encoder, and a decoder with norms and attention."
    def __init__(self):
        super().__init__()
        self.rnn, self.heads = nn.GRU(4, 6, 2, bidirectional=True), nn.Linear(12, 6)
        self.up, self.out = nn.Linear(3, 48), nn.Linear(8, 4)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def encode(self, x): return self.heads(self.rnn(x.transpose(0, 1))[1].sum(0)
                                           .repeat(1, 2)).chunk(2, 1)

    def decode(self, z):
        h = self.block(self.up(z).view(-1, 6, 8)).transpose(1, 2)
        return self.out(F.normalize(F.group_norm(h, 2), dim=1).transpose(1, 2))


@pytest.mark.parametrize("make", [latents_page, patching_page])
def test_pages_of_sequences_pass_their_own_test(tab, tmp_path, make):
    torch.manual_seed(0)
    vae = adapt(Sequences().eval(), image_shape=(6, 4))
    opened(tab, make(vae, torch.rand(3, 6, 4)), tmp_path)
    says(tab, True)


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(tab, model, tmp_path, make, scheme):
    tab.emulate_media(color_scheme=scheme)
    opened(tab, make(*model), tmp_path)
    found = Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()


def test_page_in_a_frame(tab, model, tmp_path):
    "As a notebook or the site shows it."
    (path := tmp_path / "frame.html").write_text(
        f"<!doctype html><title>frame</title>{latents_page(*model)._repr_html_()}"
    )
    tab.context.set_offline(True)
    tab.goto(path.as_uri())
    frame = tab.frame_locator("iframe")
    frame.get_by_role("slider", name="z5", exact=True).press("ArrowRight")
    expect(frame.get_by_role("status")).to_contain_text("effect strength")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    "The page of one of our models, by few images."
    from importlib.resources import files
    checkpoint = files("vae_circuits")/"checkpoints"/"beta_vae_dsprites.safetensors"
    little = Settings(images=16, pairs=4, circuit_pairs=4, points=200, every_circuit=False)
    return write_analysis(checkpoint, tmp_path_factory.mktemp("report")/"report", little)


def test_report_opens_from_disk(tab, report):
    "A report with its explorers, by a reader with no Python."
    tab.context.set_offline(True)
    tab.goto(report.as_uri())
    tab.locator("summary", has_text="latents, β-VAE on dSprites").click()
    frame = tab.frame_locator("iframe").first
    frame.get_by_role("slider", name="z5", exact=True).press("ArrowRight")
    expect(frame.get_by_role("status")).to_contain_text("effect strength")
    assert report.stat().st_size < 5e6


@pytest.mark.parametrize("width", [420, 1300])
def test_report_fits_the_screen(tab, report, width):
    "Nothing of it slides sideways but what is inside its own frame, also when all is unfolded."
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(report.as_uri())
    tab.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    found = tab.evaluate("[...document.querySelectorAll('section h2')].map(h => h.textContent)")
    assert found[:2] == ["Findings", "Proof"] and found[-2:] == ["See for yourself",
                                                                 "How these numbers were made"]
    assert tab.locator("nav details").evaluate("d => d.open") is (width > 1000)


def test_report_tables_are_sorted_and_unfolded(tab, report):
    "A click sorts by numbers, another turns it round; a link opens what it leads to."
    tab.goto(report.as_uri() + "#table-latents")
    table = tab.locator("#table-latents table")
    expect(table).to_be_visible()
    cells = table.locator("td:nth-child(2)")
    column = lambda: [float(t.split()[0]) for t in cells.all_inner_texts() if t != "–"]
    before = column()
    table.get_by_role("button", name="value").click()
    assert column() == sorted(before) != before
    table.get_by_role("button", name="value").click()
    assert column() == sorted(before, reverse=True)


def serve(command, folder):
    "A local server, started; the function that ends it comes second."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = open(folder/"server.log", "w")
    process = subprocess.Popen(
        [sys.executable, "-m", *command, f"--port={port}", "--no-browser"],
        cwd=folder,
        stdout=log,
        stderr=log,
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(folder / "config")},
    )
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://localhost:{port}/", timeout=60)
        except OSError:
            assert process.poll() is None, (folder/"server.log").read_text()
            time.sleep(0.2)
        else:
            break
    return f"http://localhost:{port}", process


KERNEL = {"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}}


def write_notebook(path, cells):
    cells = [nbformat.v4.new_code_cell(c) for c in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)


IMPORTS = """from vae_circuits.explorers import explore_latents, explore_patching
from vae_circuits.data import dataset
from vae_circuits.shipped import load_pretrained
vae, data = load_pretrained("factor_vae", "dsprites"), dataset("dsprites")"""


@pytest.fixture
def lab(tmp_path):
    "A server of JupyterLab, with the cells of the lesson that show an explorer."
    lesson = nbformat.read(NBS/"20_explorers.ipynb", 4).cells
    shown = [c.source for c in lesson if c.source.startswith("#| eval: false\nexplore_")]
    assert len(shown) >= 2
    write_notebook(tmp_path/"explorers.ipynb", [IMPORTS, *shown])
    settings = {
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
        "notebook-extension/tracker": '{"windowingMode": "none"}',
    }
    for name, text in settings.items():
        path = tmp_path/"config"/"lab"/"user-settings"/"@jupyterlab"/f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    url, process = serve(
        [
            "jupyterlab",
            "--allow-root",
            "--IdentityProvider.token=",
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={tmp_path}",
        ],
        tmp_path,
    )
    ask = urllib.request.Request(
        f"{url}/api/sessions",
        json.dumps({
            "path": "explorers.ipynb",
            "name": "explorers.ipynb",
            "type": "notebook",
            "kernel": {"name": "python3"},
        }).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(ask)
    yield url
    process.terminate()
    process.wait(30)


def changes(picture, act):
    "Whether the image gets another source when `act` is called."
    before = picture.get_attribute("src")
    act()
    expect(picture).not_to_have_attribute("src", before, timeout=20_000)


def captioned(where, caption):
    return where.locator(
        ".widget-vbox", has=where.page.get_by_text(caption, exact=True)
    ).last.locator("img")


def run_all(tab, until, tries=3):
    """Asks for all cells until one answers: a question that reaches a kernel while the page still
    connects to it is lost. On a busy machine JupyterLab may ask something first, such as which
    kernel is meant; it gets the answer that it proposes."""
    dialog = tab.locator(".jp-Dialog").first
    def agree():
        print("JupyterLab asks:", dialog.inner_text())
        dialog.locator(".jp-mod-accept").click()
    tab.add_locator_handler(dialog, agree)
    idle = tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    for _ in range(tries):
        try:
            expect(idle).to_be_visible(timeout=60_000)
            tab.get_by_role("menuitem", name="Run", exact=True).click()
            tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            return expect(until).to_be_visible(timeout=120_000)
        except (AssertionError, NotInTime):
            seen = tab.locator("body").inner_text()
    raise AssertionError(f"after {tries} runs the page says:\n{seen}")


def test_explorers_in_jupyterlab(tab, lab):
    tab.set_default_timeout(60_000)
    tab.goto(f"{lab}/doc/tree/explorers.ipynb")
    latents = tab.locator(
        ".jp-OutputArea-output .widget-vbox", has=tab.get_by_text("Back to the image")
    ).first
    run_all(tab, latents)
    # until the kernel is idle, it hears no slider
    tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=120_000)
    latents.scroll_into_view_if_needed()
    # the browser has not moved a slider to a step of its own
    expect(latents.get_by_text("nothing is changed")).to_be_visible()
    slider = latents.get_by_role("slider").nth(8)
    changes(captioned(latents, "changed"), lambda: slider.press("ArrowRight"))
    patching = tab.locator(
        ".jp-OutputArea-output .widget-vbox", has=tab.get_by_text("donor, rebuilt")
    ).first
    patching.scroll_into_view_if_needed()
    patching.get_by_role("button", name="encoder_conv_1", exact=True).click()
    changes(
        captioned(patching, "patched"),
        lambda: patching.get_by_role("button", name="4", exact=True).click(),
    )
    expect(patching.get_by_text("1 of 64 units of encoder_conv_1")).to_be_visible()
    expect(patching.get_by_text("1 units patched")).to_be_visible()
    tab.goto("about:blank")  # or the end of the server would be an error of the page


FAILING = """vae = load_pretrained('vae', 'synthetic')
decode = vae.decode
def fails(z):
    if z[0, 3] > 3.9: raise RuntimeError("no picture <i>out here</i>\\nand more")
    return decode(z)
vae.decode = fails
explore_latents(vae, dataset('synthetic'))"""


def test_explorers_in_voila(tab, tmp_path):
    "One also says that a move failed, until the next."
    cells = [
        (
            "from vae_circuits.explorers import explore_patching, explore_latents\nfrom"
            " vae_circuits.data import dataset\nfrom vae_circuits.training import load_pretrained"
        ),
        FAILING,
    ]
    write_notebook(tmp_path/"app.ipynb", cells)
    url, process = serve(["voila", "app.ipynb"], tmp_path)
    try:
        tab.set_default_timeout(60_000)
        tab.goto(url)
        tab.get_by_text("Back to the image").wait_for()
        slider = tab.get_by_role("slider").nth(8)
        changes(captioned(tab.locator("body"), "changed"), lambda: slider.press("ArrowRight"))
        slider.press("End")
        words = tab.get_by_text("RuntimeError: no picture <i>out here</i>", exact=True)
        expect(words).to_be_visible()
        expect(tab.get_by_text("changed (out of date)", exact=True)).to_be_visible()
        expect(tab.locator(".vae-old .vae-pixels").first).to_have_css("opacity", "0.25")
        slider.press("Home")
        expect(tab.get_by_text("effect strength")).to_be_visible()
        expect(tab.get_by_text("changed", exact=True)).to_be_visible()
        expect(tab.locator(".vae-old")).to_have_count(0)
        tab.goto("about:blank")  # or the end of the server would be an error of the page
    finally:
        process.terminate()
        process.wait(30)
