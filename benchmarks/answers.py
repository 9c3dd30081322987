"""How long from a question to its answer? Run: python benchmarks/answers.py [--against COMMIT]
[--only WORD] [--network NAME] [--write]

Each question is asked in a process of its own, on one thread, of three networks: the paper's (a
shipped model), one of pythae's, and a small AutoencoderKL (both with random weights), with pictures
of dSprites. What can be prepared, imports and the first trace, is not part of the question, but
where it is the question. The commands of a terminal are timed from start to end; they may use all
cores. With --against, a copy of the package as it was at that commit is asked the same beside it.
With --only, only questions in whose name the word is; with --network, which may be given again,
only these networks. With --write, benchmarks/README.md gets the figures; other rows stay."""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from _shared import rows_of, table, write_section

ROOT = Path(__file__).resolve().parent.parent

START = """
import json, sys, time
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from _shared import gmacs, rate
import vae_circuits as vc

def paper(): return vc.load_pretrained("beta_vae", "dsprites")

def pythae():
    from pythae.models import VAE, VAEConfig
    torch.manual_seed(0)
    return VAE(VAEConfig(input_dim=(1, 64, 64), latent_dim=10)).eval()

def kl():
    from diffusers import AutoencoderKL
    torch.manual_seed(0)
    return AutoencoderKL(in_channels=1, out_channels=1, sample_size=64, latent_channels=2,
                         block_out_channels=(8, 16, 16), norm_num_groups=4,
                         down_block_types=("DownEncoderBlock2D",) * 3,
                         up_block_types=("UpDecoderBlock2D",) * 3).eval()

def held(what):
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

def measured(call):
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return {"wall": time.perf_counter() - wall, "CPU": time.process_time() - cpu,
            "MiB": round(held("VmHWM") - before)}

world, made = vc.dataset("dsprites"), {NETWORK}()
sample = world.sample({PAIRS}, 0)
"""

ADAPTED = """
vae = vc.adapt(made)
vc.patch_sweep(vae, sample.images[:2], sample.images[2:4], unit="site")  # traces the network
pairs = dict(pairs={PAIRS})
"""

FOUND = """
circuit = vc.find_circuit(vae, world, "posX", edge_pairs=2, tolerance=0.5, **pairs)
"""

ASK = """
before = held("VmRSS")
answer = measured(lambda: {CALL})
if {COUNTED}:
    with torch.no_grad(): needed, a_pass = gmacs(lambda: {CALL}), gmacs(vae.run, sample.images)
    answer["passes"], answer["floor"] = needed / a_pass, needed / rate()
print(json.dumps(answer))
"""

QUESTIONS = {  # the code before, the code that is timed, and whether its products are counted
    "adapt": ("", "vc.adapt(made).sites", False),
    "responses": (ADAPTED, "vc.responses(vae, world, sample)", True),
    "carriers": (ADAPTED, "vc.carriers(vae, world, 'posX', **pairs)", True),
    "find_circuit, encoder": (ADAPTED, "vc.find_circuit(vae, world, 'posX', **pairs)", True),
    "find_circuit, decoder": (ADAPTED, "vc.find_circuit(vae, world, 'posX', 'decoder', **pairs)",
                              True),
    "score_circuit": (ADAPTED + FOUND, "vc.score_circuit(circuit, circuit.trial(**pairs))", True),
    "causal_graph": (ADAPTED, "vc.causal_graph(vae, world, {PAIRS})", False),
    "score_suite": (ADAPTED, "vc.score_suite(world, vae, batches=False)", False),
    "report": (ADAPTED + "import tempfile\nfolder = tempfile.mkdtemp()",
               "vc.report(vae, world, folder, ['posX'], True, "
               "vc.Asked(pairs={PAIRS}, circuit_pairs={PAIRS}))", False),
}
NETWORKS = {"paper": 32, "pythae": 32, "kl": 8}  # and how many pairs it is asked with
LONG = {"kl": ["score_suite", "causal_graph", "report", "find_circuit, decoder"]}  # not asked

TERMINAL = "import sys; sys.argv[1:] = {}; from vae_circuits.cli import main; main()"
MODEL = "vae_circuits/checkpoints/beta_vae_dsprites.safetensors"
COMMANDS = {"import": ["-c", "import vae_circuits"],
            "--help": ["-c", TERMINAL.format(["--help"])],
            "analyze --help": ["-c", TERMINAL.format(["analyze", "--help"])],
            "analyze": ["-c", TERMINAL.format(["analyze", MODEL, "--out", "MADE"])],
            "paper --preset quick": ["-c", TERMINAL.format(["paper", "--out", "MADE"])],
            "score_suite, full": ["-c", "import vae_circuits as vc; vc.score_suite(vc.dataset("
                                  "'dsprites'), vc.load_pretrained('vae', 'dsprites'), "
                                  "'locatello2019', batches=False)"]}

COUNT = """
import contextlib, io, json, os, sys, tempfile
os.cpu_count = lambda: 1  # one process, in which operations can be counted
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from _shared import gmacs, rate
from vae_circuits.paper_results import write_analysis, write_paper
with contextlib.redirect_stderr(io.StringIO()), tempfile.TemporaryDirectory() as folder:
    needed = gmacs(lambda: {CALL})
print(json.dumps({"floor": needed / rate() / 2}))  # two cores
"""

COUNTED = {  # commands whose operations are counted, as calls
    "analyze": f"write_analysis({MODEL!r}, folder + '/made')",
    "paper --preset quick": "write_paper('quick', folder + '/made')"}

GOALS = {  # seconds on two free cores
    "import": 0.1, "--help": 1.0, "analyze": 30.0, "paper --preset quick": 75.0,
    "score_suite, full": 60.0, "adapt": 0.5, "find_circuit, encoder": 3.0,
    "find_circuit, decoder": 6.0, "score_circuit": 4.0}

NOTES = (
    "One question in a process of its own, on one thread, pictures of dSprites, the factor posX; "
    "32 pairs, and 8 of the AutoencoderKL (`kl`), which is small and random. *CPU*, *wall*: "
    "seconds. *passes*: multiply-adds of products and convolutions in those of a pass of the whole "
    "network over the pictures of the pairs. *floor*: seconds that those multiply-adds take at the "
    "rate of a large matrix product, on one thread, and of the two commands on both. *goal*: "
    "seconds on two free cores.",
    "*MiB*: the most that the process ever held beyond what it held before the question. *before*: "
    "the same at an older commit, asked in one run with what was new then; some were asked "
    "again since.",
    "What stays above its goal, and why: the commands decode thousands of pictures, at half the "
    "rate of a product, which is what PyTorch's transposed convolutions have, and form clusters "
    "anew for every resample of coherence; the decoder's circuit follows every edge's change "
    "through dense transposed convolutions; `adapt` imports PyTorch's exporter and runs it once; "
    "the full suite of scores is scikit-learn's boosting, whose trees are the published ones.")


def asked(name: str, network: str, package: Path) -> dict:
    """Seconds and MiB of one question, to the package in a folder; of this version also what is
    computed, for which the question is asked once more."""
    setup, call, counted = QUESTIONS[name]
    counted = counted and package == ROOT
    code = START + setup + ASK
    values = {"NETWORK": network, "PAIRS": NETWORKS[network], "CALL": call, "COUNTED": counted}
    for _ in range(2):  # what is filled in may have holes of its own
        for key, value in values.items(): code = code.replace(f"{{{key}}}", str(value))
    return answer(["-c", code, str(ROOT/"benchmarks")], package)


def floor_of(call: str) -> dict:
    "The floor of a command of this version, whose call is made once more in a single process."
    code = COUNT.replace("{CALL}", call)
    return answer(["-c", code, str(ROOT/"benchmarks")], ROOT)


def answer(command: list, package: Path) -> dict:
    "What a process of Python prints as JSON."
    surroundings = os.environ | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, env=surroundings, cwd=package)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1], flush=True)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def started(command: list, package: Path) -> dict:
    "Seconds and MiB of a process of Python from its start to its end."
    code = ("import json, resource, subprocess, sys, time\n"
            "start = time.perf_counter()\n"
            "subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL,\n"
            "               stderr=subprocess.DEVNULL)\n"
            "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
            "print(json.dumps({'wall': time.perf_counter() - start, 'CPU': used.ru_utime + "
            "used.ru_stime, 'MiB': round(used.ru_maxrss / 1024)}))")
    with tempfile.TemporaryDirectory() as made:
        return answer(["-c", code, *(part.replace("MADE", made) for part in command)], package)


def row(question: str, network: str, now: dict, was: dict) -> dict:
    "A row of the table, the numbers of before beside those of now."
    found = {"question": f"`{question}`", "network": network, "goal": GOALS.get(question, "")}
    for key in ("CPU", "wall", "floor", "passes", "MiB"):
        if was and key not in ("floor", "passes"): found[f"{key} before"] = was.get(key, "")
        found[key] = now.get(key, "")
    return found


def rows(packages: list, only: str, networks: list):
    "All questions to all networks, one after the other."
    for name, command in COMMANDS.items():
        if only not in name: continue
        found = [started(command, p) for p in packages]
        if name in COUNTED: found[0] |= floor_of(COUNTED[name])
        yield name, "", found
    for network in networks:
        for name in QUESTIONS:
            if only in name and name not in LONG.get(network, ()):
                yield name, network, [asked(name, network, p) for p in packages]


def write(found: list, against: str):
    "Put what was found into README.md, beside what it has of other questions and of before."
    old = re.search(r"\*before\* is commit .*", (ROOT/"benchmarks"/"README.md").read_text())
    before = f"*before* is commit {against}." if against else old[0] if old else ""
    kept = {(r["question"], r["network"]): r for r in rows_of("Answers")}
    for r in found:
        key = r["question"], r["network"]
        kept[key] = kept.get(key, {}) | {k: v for k, v in r.items() if v != ""}
    order = [f"`{name}`" for name in (*COMMANDS, *QUESTIONS)]
    places = ["", *NETWORKS]
    rows = sorted(kept.values(), key=lambda r: (places.index(r["network"]),
                                                order.index(r["question"])))
    columns = ["question", "network", "goal", "CPU before", "CPU", "wall before", "wall", "floor",
               "passes", "MiB before", "MiB"]
    write_section("Answers", [*table(rows, columns, 2), "", *NOTES, before])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", help="a commit of this repository")
    parser.add_argument("--only", default="", help="a word in the name of a question")
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--write", action="store_true", help="put the figures into README.md")
    options = parser.parse_args()
    networks = options.network or [*NETWORKS]
    with tempfile.TemporaryDirectory() as folder:
        packages, git = [ROOT], ["git", "-C", str(ROOT)]
        if options.against:
            old = Path(folder)/"old"
            subprocess.run([*git, "worktree", "add", "--detach", old, options.against], check=True)
            packages.append(old)
        try:
            found = []
            for name, network, (now, *was) in rows(packages, options.only, networks):
                found.append(row(name, network, now, *(was or [{}])))
                print("  ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}"
                                for k, v in found[-1].items()), flush=True)
        finally:
            if options.against:
                subprocess.run([*git, "worktree", "remove", "--force", old], check=True)
    if options.write: write(found, options.against)
