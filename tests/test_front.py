"""The whole way, from somebody's model and pictures to a report, by the front door and by the
command line: `make test-front`.

Four little networks that the library has never seen, trained for a second on scikit-learn's digits.
And all that goes wrong at first: a slip costs one line and exit code 2, and nothing is written.
"""
import html
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import vae_circuits as vc
from vae_circuits.alterations import ALTERATIONS
from vae_circuits.answers import Asked
from vae_circuits.archives import WORLDS
from vae_circuits.cli import main
from vae_circuits.anatomy import Settings
from vae_circuits.engines import ENGINES
from vae_circuits.recipes import MODELS, TrainConfig

FEW = "pairs=16,circuit_pairs=8,searches=1,resamples=20"
DIGITS = load_digits()
PICTURES = torch.from_numpy(DIGITS.images / 16).float()[:600, None]
TABLE = pd.DataFrame({"digit": DIGITS.target[:600], "ink": PICTURES.mean((1, 2, 3)).double()})

# The four networks, as they would stand in somebody's file.
NETWORKS = '''
import torch
from pathlib import Path
from torch import nn

class Dense(nn.Module):
    def __init__(self, latents=3):
        super().__init__()
        self.into = nn.Sequential(nn.Linear(64, 24), nn.Tanh())
        self.mean, self.spread = nn.Linear(24, latents), nn.Linear(24, latents)
        self.out = nn.Sequential(nn.Linear(latents, 24), nn.Tanh(), nn.Linear(24, 64), nn.Sigmoid())
    def encode(self, x):
        h = self.into(x.flatten(1))
        return self.mean(h), self.spread(h)
    def decode(self, z): return self.out(z).view(-1, 1, 8, 8)

class Conv(nn.Module):
    def __init__(self, latents=3):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.GELU(), nn.Flatten(),
                                     nn.Linear(128, 2 * latents), Halves())
        self.decoder = nn.Sequential(nn.Linear(latents, 128), nn.GELU(), nn.Unflatten(1, (8, 4, 4)),
                                     nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Sigmoid())

class Halves(nn.Module):
    def forward(self, h): return dict(zip(("mu", "logvar"), h.chunk(2, 1)))

class Residual(nn.Module):
    def __init__(self, latents=3):
        super().__init__()
        self.up, self.norm = nn.Conv2d(1, 8, 1), nn.GroupNorm(2, 8)
        self.conv, self.head = nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(512, 2 * latents)
        self.back, self.last = nn.Linear(latents, 24), nn.Linear(24, 64)
    def encode(self, x):
        h = self.up(x)
        h = h + self.conv(nn.functional.silu(self.norm(h)))
        mu, spread = self.head(h.flatten(1)).chunk(2, 1)
        return torch.distributions.Normal(mu, nn.functional.softplus(spread) + 1e-3)
    def decode(self, z):
        h = nn.functional.softplus(self.back(z))
        return self.last(h).sigmoid().view(-1, 1, 8, 8)

class Patches(nn.Module):
    def __init__(self, latents=2):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(1, 16, 2, 2), nn.LayerNorm(16)
        self.attend = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 2 * latents)
        self.out = nn.Sequential(nn.Linear(latents, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid(),
                                 nn.Unflatten(1, (1, 8, 8)))
    def encode(self, x):
        h = self.norm(self.embed(x).flatten(2).transpose(1, 2))
        return self.head((h + self.attend(h, h, h, need_weights=False)[0]).mean(1)).chunk(2, 1)
    def decode(self, z): return self.out(z)

def load(kind=Dense):
    model = kind()
    model.load_state_dict(torch.load(Path(__file__).parent/f"{kind.__name__}.pt"))
    return model

def conv(): return load(Conv)
def residual(): return load(Residual)
def patches(): return load(Patches)
'''


def mean_and_spread(out):
    "Mean and standard deviation, of whatever the encoders give."
    if isinstance(out, torch.distributions.Normal): return out.loc, out.scale
    mu, logvar = out.values() if isinstance(out, dict) else out
    return mu, (logvar / 2).exp()


def trained(kind, steps=250):
    "A plain VAE, in a loop that knows nothing of this library."
    torch.manual_seed(0)
    model = kind()
    adam = torch.optim.Adam(model.parameters(), 4e-3)
    half = lambda name: getattr(model, name, None) or getattr(model, f"{name}r")
    encode, decode = half("encode"), half("decode")
    for _ in range(steps):
        x = PICTURES[torch.randint(len(PICTURES), (64,))]
        mu, spread = mean_and_spread(encode(x))
        loss = (decode(mu + torch.randn_like(mu) * spread) - x).square().sum((1, 2, 3)) * 4
        loss = loss + 0.5 * (mu**2 + spread**2 - 1).sum(1) - spread.log().sum(1)
        adam.zero_grad(), loss.mean().backward(), adam.step()
    return model.eval()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A folder such as people have: a model file, weights, pictures, tables."
    home = tmp_path_factory.mktemp("home")
    (home/"my_model.py").write_text(NETWORKS)
    names = {}
    exec(NETWORKS, names)
    for kind in ("Dense", "Conv", "Residual", "Patches"):
        torch.save(trained(names[kind]).state_dict(), home/f"{kind}.pt")
    (home/"pictures").mkdir()
    files = [f"{i:03}.png" for i in range(len(PICTURES))]
    brighter = [f"{i:03}_after.png" for i in range(60)]
    for name, picture in zip(files, PICTURES): save(home/"pictures"/name, picture)
    (home/"both").mkdir()
    for name, after, picture in zip(files, brighter, PICTURES):
        save(home/"both"/name, picture), save(home/"both"/after, (picture * 1.5).clamp(max=1))
    TABLE.assign(file=files).to_csv(home/"labels.csv", index=False)
    pairs = pd.DataFrame({"before": files[:60], "after": brighter, "factor": "pressure"})
    pairs.to_csv(home/"pairs.csv", index=False)
    return home


def save(path, picture):
    Image.fromarray((picture[0].numpy() * 255).astype(np.uint8)).save(path)


# (a) pictures and a table in memory, (b) a folder and a table in a file, (c) pairs, (d) no labels
SCRIPTS = {
    "memory": """
import vae_circuits as vc
vae = vc.adapt(load(), image_shape=(1, 8, 8), image_limits=(0, 1))
world = vc.from_table(PICTURES, TABLE)
found = vc.carriers(vae, world, "ink", pairs=16, resamples=20)
circuit = vc.find_circuit(vae, world, "ink", "decoder", method="EAP-IG", pairs=8)
scores = circuit.score(pairs=8, searches=2, resamples=20)
asked = vc.Asked(pairs=16, circuit_pairs=8, searches=1, resamples=20)
page = vc.report(vae, world, "memory", factors=["ink"], asked=asked)
""",
    "folder": """
import vae_circuits as vc
world = vc.from_table("pictures", "labels.csv", kinds={"digit": "categorical"})
vae = vc.adapt(conv(), image_shape=world.image_shape)
found = vc.carriers(vae, world, "digit", pairs=16, resamples=20)
circuit = vc.find_circuit(vae, world, "digit", "encoder", method="EAP-IG", pairs=8)
scores = circuit.score(pairs=8, searches=2, resamples=20)
asked = vc.Asked(pairs=16, circuit_pairs=8, searches=1, resamples=20)
page = vc.report(vae, world, "folder", factors=["digit"], asked=asked)
""",
    "pairs": """
import vae_circuits as vc
world = vc.from_pairs("both", table="pairs.csv")
vae = vc.adapt(residual(), image_shape=world.image_shape)
found = vc.carriers(vae, world, "pressure", pairs=16, resamples=20)
circuit = vc.find_circuit(vae, world, "pressure", "decoder", method="EAP-IG", pairs=8)
scores = circuit.score(pairs=8, searches=2, resamples=20)
asked = vc.Asked(pairs=16, circuit_pairs=8, searches=1, resamples=20)
page = vc.report(vae, world, "pairs", asked=asked)
""",
    "plain": """
import vae_circuits as vc
vae = vc.adapt(patches(), image_shape=(1, 8, 8))
world = vc.from_images("pictures")
brighter = vc.altered(PICTURES, ["brightness"])
found = vc.carriers(vae, brighter, "brightness", pairs=16, resamples=20)
circuit = vc.find_circuit(vae, world, "z[0]", "decoder", method="EAP-IG", pairs=8)
scores = circuit.score(pairs=8, searches=2, resamples=20)
asked = vc.Asked(pairs=16, circuit_pairs=8, searches=1, resamples=20)
page = vc.report(vae, world, "plain", asked=asked)
"""}
ASKED_OF = {"memory": "ink", "folder": "digit", "pairs": "pressure", "plain": "z[0]"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name, home, monkeypatch, capsys):
    script = SCRIPTS[name].strip()
    assert len(script.splitlines()) <= 15
    monkeypatch.chdir(home)
    names = {"PICTURES": PICTURES, "TABLE": TABLE, "__file__": str(home/"my_model.py")}
    exec(NETWORKS, names), exec(script, names)
    found, scores = names["found"], names["scores"]
    assert {"latents", "encoder", "decoder"} == set(found.part)
    assert found.share.between(found.low, found.high).all()
    assert found[found.part == "latents"].share.max() > 0.2  # somebody carries it
    assert scores.sentence.startswith(f"{ASKED_OF[name]}, ")
    assert np.isfinite(scores.loc["faithfulness"].value)
    page = names["page"]  # a path that says what it found
    assert page.is_file() and f"{ASKED_OF[name]}, decoder" in page.findings
    assert page.circuits[ASKED_OF[name], "decoder"].part == "decoder"
    if name in ("memory", "folder"): assert {"read", "accuracy", "idle"} <= {*found}
    checked(home/name, ASKED_OF[name])


def checked(folder, question):
    "The report in a folder is whole, and `question` was asked."
    whole = {"report.html", "results.json", "tables", "figures", "circuits", "explorers"}
    assert whole <= set(os.listdir(folder))
    circuits = pd.read_csv(folder/"tables"/"circuits.csv", index_col=0)
    assert {f"{question}, encoder", f"{question}, decoder"} <= set(circuits.index)
    assert f"{question}, decoder" in (folder/"report.html").read_text("utf-8")


def command(capsys, *args):
    "Exit code and what was said on standard error."
    with pytest.MonkeyPatch.context() as here, pytest.raises(SystemExit) as left:
        here.setattr(sys, "argv", ["vae-circuits", *map(str, args)])
        main()
    return left.value.code, capsys.readouterr().err


COMMANDS = {
    "labels": ("digit", "--model", "my_model.py:conv", "--images", "pictures/", "--labels",
               "labels.csv", "--kind", "digit=categorical", "--factors", "digit"),
    "brought": ("pressure", "--model", "my_model.py:residual", "--images", "both", "--pairs",
                "pairs.csv"),
    "none": ("z[1]", "--model", "my_model.py:patches", "--images", "pictures"),
    "altered": ("brightness", "--model", "my_model.py", "--images", "pictures", "--transforms",
                "brightness,mirror", "--factors", "brightness", "--image-limits", "0,1"),
    "both": ("brightness", "--model", "my_model.py", "--images", "pictures", "--labels",
             "labels.csv", "--transforms", "brightness", "--factors", "ink,brightness",
             "--image-limits", "0,1")}


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name, home, monkeypatch, capsys):
    question, *args = COMMANDS[name]
    monkeypatch.chdir(home)
    code, said = command(capsys, "analyze", *args, "--out", f"results/{name}", "--asked", FEW)
    assert code == 0, said
    checked(home/"results"/name, question)


def tables(folder): return {p.name: p.read_bytes() for p in (folder/"tables").iterdir()}


def test_settings(home, monkeypatch, capsys, tmp_path):
    "The file beside a result makes it again, from anywhere, byte for byte; options go before it."
    monkeypatch.chdir(home)
    args = "analyze", *COMMANDS["labels"][1:], "--out", "results/first", "--asked", FEW
    assert command(capsys, *args)[0] == 0
    monkeypatch.chdir(tmp_path)
    file = home/"results"/"first"/"settings.toml"
    assert command(capsys, "analyze", "--settings", file, "--out", "again")[0] == 0
    assert tables(tmp_path/"again") == tables(home/"results"/"first")
    assert (tmp_path/"again"/"settings.toml").read_bytes() == file.read_bytes()
    more = "--factors", "ink", "--seed", 1
    assert command(capsys, "analyze", "--settings", file, "--out", "other", *more)[0] == 0
    checked(tmp_path/"other", "ink")
    text = (tmp_path/"other"/"settings.toml").read_text()
    assert "seed = 1\n" in text and 'factors = ["ink"]' in text and "pairs = 16\n" in text


def test_settings_by_hand(home, monkeypatch, capsys):
    "Paths in a file are seen from where it lies; a slip is told the nearest name."
    monkeypatch.chdir("/")
    good = 'model = "my_model.py:patches"\nimages = "pictures"\nlabels = "lables.csv"\n'
    (home/"my.toml").write_text(good)
    code, said = command(capsys, "analyze", "--settings", home/"my.toml", "--out", home/"x")
    assert code == 2 and f"there is no table at {home/'lables.csv'}" in said
    (home/"my.toml").write_text('modle = "my_model.py"\n')
    code, said = command(capsys, "analyze", "--settings", home/"my.toml", "--out", home/"x")
    assert code == 2 and "Did you mean 'model'?" in said


EVERY = np.arange(len(TABLE))
DICE = """import torch
from torch import nn
class Dice(nn.Module):
    def encode(self, x): return torch.randn(len(x), 2), torch.randn(len(x), 2)
    def decode(self, z): return z.sum(1).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
load = Dice
"""
MODELS_OF_SLIPS = {
    "bad": "import torch\n\nimport moon\n", "odd": "def load(:\n",
    "late": "def load():\n    x = 1\n    return x / 0\n", "five": "def load(): return 5\n",
    "blank": "x = 1\n",
    "line": "from torch import nn\nload = nn.Linear(64, 2)\n", "dice": DICE}
ARRAYS = {"few": (20, 1, 8, 8), "red": (20, 3, 8, 8), "big": (20, 1, 16, 16),
          "many": (10_000, 1, 8, 8)}
TABLES = {
    "one": {"digit": TABLE.digit, "same": 3}, "only": {"same": np.full(len(TABLE), 3)},
    "twins": {"a": EVERY % 5, "b": EVERY % 5 * 2},
    "rare": {"a": EVERY[:20] % 2, "b": EVERY[:20] / 7, "c": EVERY[:20]**2 % 23 / 3},
    "people": {"who": [f"person {i}" for i in range(10_000)]}}


@pytest.fixture(scope="module")
def spoiled(home):
    "The same folder, with all kinds of files that cannot be meant."
    dice = np.random.default_rng(0)
    for name, text in MODELS_OF_SLIPS.items(): (home/f"{name}.py").write_text(text)
    for name, shape in ARRAYS.items(): np.save(home/name, dice.random(shape).astype("float32"))
    for name, columns in TABLES.items():
        found = pd.DataFrame(columns)
        if len(found) == len(TABLE): found["file"] = [f"{i:03}.png" for i in EVERY]
        found.to_csv(home/f"{name}.csv", index=False)
    twice = TABLE.assign(file=[f"{i:03}.png" for i in EVERY])
    pd.concat([twice, twice[7:8]]).to_csv(home/"twice.csv", index=False)
    for folder in ("spoiled", "mixed"):
        (home/folder).mkdir()
        for i in range(40): save(home/folder/f"{i}.png", PICTURES[i])
    (home/"spoiled"/"not.png").write_bytes(b"no picture")
    Image.new("L", (8, 9)).save(home/"mixed"/"wide.png")
    return home


M, I, L = ("--model", "my_model.py"), ("--images", "pictures"), ("--labels", "labels.csv")
SHAPES = "the pictures are {} (colors, height, width), and the model takes 1x8x8"

# what is asked, and words that stand in the one line of the answer
SLIPS = {
    "no model": (("--model", "mine.py:load", *I), "there is no model file at mine.py"),
    "no import": (("--model", "bad.py", *I), "bad.py, line 3: ModuleNotFoundError: No module"),
    "no syntax": (("--model", "odd.py", *I), "odd.py, line 1: SyntaxError"),
    "no function": (("--model", "my_model.py:patch", *I), "Did you mean 'patches'?"),
    "fails": (("--model", "late.py", *I), "late.py, line 3: ZeroDivisionError: division by zero"),
    "no module": (("--model", "five.py", *I), "load in five.py gives 5; expected a torch module"),
    "no load": (("--model", "blank.py", *I), "there is no load in blank.py"),
    "refused": (("--model", "line.py", *I), "the model failed on images of shape [3, 1, 8, 8]"),
    "random": (("--model", "dice.py", *I), "it draws random numbers"),
    "rows": ((*M, "--images", "few.npy", *L), "the table has 600 rows and there are 20 pictures"),
    "colors": ((*M, "--images", "red.npy"), SHAPES.format("3x8x8")),
    "size": ((*M, "--images", "big.npy"), SHAPES.format("1x16x16")),
    "unreadable": ((*M, "--images", "spoiled"), "1 of 41 pictures cannot be used (not.png)"),
    "mixed": ((*M, "--images", "mixed"), "wide.png has 9x8 pixels, the first picture 8x8; pass "
                                         "--size (as in 64 or 64x48) to bring all to one size"),
    "one value": ((*M, *I, "--labels", "one.csv", "--factors", "same"), "same has one value only"),
    "nothing else": ((*M, *I, "--labels", "only.csv"), "no column of the table can be a factor"),
    "categories": ((*M, "--images", "many.npy", "--labels", "people.csv"),
                   "who has 10,000 categories; expected at most 100"),
    "twins": ((*M, *I, "--labels", "twins.csv"), "a and b determine each other"),
    "few": ((*M, "--images", "few.npy", "--labels", "rare.csv"),
            "pairs of pictures differ in a and agree in all else"),
    "both": ((*M, *I, *L, "--pairs", "pairs.csv"), "--transforms; got --labels and --pairs"),
    "no folder": ((*M, "--images", "pixels", *L), "there is no folder of pictures at pixels"),
    "transform": ((*M, *I, "--transforms", "shift x,tern"), "Did you mean 'turn'?"),
    "kind": ((*M, *I, *L, "--kind", "digit=categoric"), "Did you mean 'categorical'?"),
    "asked": ((*M, *I, *L, "--asked", "piars=3"), "Did you mean 'pairs'?"),
    "factor": ((*M, *I, *L, "--factors", "inc"), "Did you mean 'ink'?"),
    "nothing": ((), "expected a model: one of vae-circuits train, as in vae-circuits analyze"),
    "no images": (M, "expected --images, given or in settings"),
    "weights": (("--model", "Dense.pt", *I), "a pickle: it holds weights, no model"),
    "twice": ((*M, *I, "--labels", "twice.csv"), "names the same file for 1 of 600: 007.png has 2"),
    "asked number": ((*M, *I, "--asked", "seed=-1"), "--asked: seed must be a whole number"),
    "to one size": ((*M, "--images", "big.npy", *L), "the table has 600 rows"),
    "limits": ((*M, *I, "--image-limits", "1,0"), "expected --image-limits as lowest and"),
    "unset size": ((*M, *I, "--size", "x"), "expected --size as numbers, such as 0,1"),
    "alone": ((*M, *I, "--groups", "who"), "--groups says something about --labels"),
    "ours": ((*M, *I, "--points", "500"), "--points is an option with a checkpoint"),
    "two models": (("model.safetensors", *M), "expected a checkpoint or --model; got both"),
    "theirs": (("model.safetensors", *L), "--labels is an option with --model"),
    "count": (("model.safetensors", *I), "of a checkpoint, --images is a number; got 'pictures'")}


@pytest.mark.parametrize("name", SLIPS)
def test_slip(name, spoiled, monkeypatch, capsys):
    args, words = SLIPS[name]
    monkeypatch.chdir(spoiled)
    before = sorted(os.listdir())
    asked = () if "model.safetensors" in args else ("--asked", FEW)
    code, said = command(capsys, "analyze", *asked, *args, "--out", "x")
    lines = [line for line in said.strip().splitlines() if not line.startswith("questions")]
    assert code == 2 and len(lines) == 1 and words in lines[0], said
    assert sorted(os.listdir()) == before


def test_skipped(spoiled, monkeypatch, capsys):
    "What cannot be read is left out if that is wished, and named, be it the first."
    monkeypatch.chdir(spoiled)
    (spoiled/"spoiled"/"000 first.png").write_bytes(b"no picture")
    code, said = command(capsys, "analyze", "--model", "my_model.py:patches", "--images", "spoiled",
                         "--skip-unreadable", "--out", "results/skipped", "--asked", FEW)
    assert code == 0, said
    checked(spoiled/"results"/"skipped", "z[0]")


def test_first(home, monkeypatch, capsys):
    """What puts all the rest in doubt is said first, at the terminal, in the title and on the page:
    a model that rebuilds nothing, pictures without a row, columns that cannot be asked about."""
    monkeypatch.chdir(home)
    (home/"newborn.py").write_text("from my_model import Dense\n"
                                   "def load():\n    torch.manual_seed(1)\n    return Dense()\n"
                                   .replace("from", "import torch\nfrom", 1))
    rare = np.where(np.arange(500) < 3, "yes", "no")
    table = TABLE[:500].assign(file=[f"{i:03}.png" for i in range(500)], rare=rare, camera="A")
    table.to_csv(home/"odd.csv", index=False, sep=";", decimal=",")
    args = "analyze", "--model", "newborn.py", "--images", "pictures", "--labels", "odd.csv"
    with pytest.MonkeyPatch.context() as here, pytest.raises(SystemExit) as left:
        here.setattr(sys, "argv", ["vae-circuits", *args, "--out", "results/odd", "--asked", FEW])
        main()
    said = capsys.readouterr().out
    assert left.value.code == 0
    text = html.unescape((home/"results"/"odd"/"report.html").read_text("utf-8"))
    for words in ("The model does not rebuild these pictures: what it makes of them has ",
                  "100 of 600 pictures have no row in the table (500.png, ",
                  "rare: not asked, since only ", "camera: not asked, since camera has one value"):
        assert words in said and words in text
    assert "(not asked: rare, camera)</title>" in text
    assert text.split('class="findings"><li>')[1].startswith("The model does not rebuild")
    assert "or let pairs be less alike (--caliper)" in said


def fresh(code):
    "What a new process prints, and the seconds of CPU that it took."
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    after = os.times()
    assert done.returncode == 0, done.stderr
    cpu = [times.children_user + times.children_system for times in (before, after)]
    return done.stdout.strip(), cpu[1] - cpu[0]


LIGHT = """
import atexit, sys
sys.argv = ["vae-circuits", "WHAT"]
atexit.register(lambda: print({"torch", "numpy", "pandas", "matplotlib"} & {*sys.modules}))
from vae_circuits.cli import main
main()
"""


def test_light():
    "Neither the import nor the list of commands wait for PyTorch."
    tries = [fresh(LIGHT.replace("WHAT", "--help")) for _ in range(3)]
    said, seconds = min(tries, key=lambda found: found[1])
    assert "analyze" in said and said.endswith("set()") and seconds < 1
    assert fresh(LIGHT.replace("WHAT", "--version"))[0].split() == [vc.__version__, "set()"]
    assert len(dir(vc)) < 60 and "np" not in dir(vc)
    assert all(callable(getattr(vc, name)) for name in {*vc.__all__} - {"ALTERATIONS"})


def test_help(capsys, monkeypatch):
    "What the help of a command says is what its code uses."
    monkeypatch.setenv("COLUMNS", "100")
    words = {}
    for name in ("train", "analyze", "sweep"):
        with pytest.MonkeyPatch.context() as here, pytest.raises(SystemExit):
            here.setattr(sys, "argv", ["vae-circuits", name, "--help"])
            main()
        words[name] = " ".join(capsys.readouterr().out.split())
        assert "{" not in words[name]
    config = TrainConfig()
    for name in TrainConfig.__dataclass_fields__:
        line = words["train"].split(f"--{name.replace('_', '-')} <")[1].split(" --")[0]
        assert name == "epoch_images" or f"[default: {getattr(config, name)}]" in line, line
    for name, value in vars(Asked()).items(): assert f"{name}={value}" in words["analyze"]
    for name in ("factor", "points"):
        line = words["analyze"].split(f"--{name} <")[1].split(" --")[0]
        assert f"[default: {getattr(Settings, name)}" in line
    for some in (MODELS, WORLDS): assert f"One of {', '.join(some)}." in words["train"]
    assert ", ".join(ALTERATIONS) in words["analyze"]
    assert f"one of {', '.join(ENGINES)}." in words["sweep"]
