"""What `adapt` makes of the zoo's models: `make test-zoo`.

Each is adapted with at most one hint. Its sites are the expected ones, it answers as the model
does, a patch at any site equals a forward hook on the original, by the trace and live, a traversal
and measures of its latents come out; or it is refused in one clear line. `python tests/test_zoo.py`
writes the table of all this into nbs/06_adapt.ipynb.
"""
import functools
import re
import sys
import warnings
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from zoo import ZOO

from vae_circuits.adapt import adapt
from vae_circuits.answers import carriers
from vae_circuits.causal_graph import causal_graph
from vae_circuits.circuits import find_circuit
from vae_circuits.core import InputError, refused
from vae_circuits.explorers import explore_latents, explore_patching
from vae_circuits.interventions import responses, traverse
from vae_circuits.levels import at_level
from vae_circuits.mediation import mediate
from vae_circuits.metrics import latent_metrics
from vae_circuits.observed import from_images, from_table
from vae_circuits.pages import latents_page, patching_page
from vae_circuits.patching import patch_sweep
from vae_circuits.addresses import Address, ancestors
from vae_circuits.wiring import edge_error

NOTEBOOK = Path(__file__).parent.parent / "nbs" / "06_adapt.ipynb"
warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def made(case):
    "The model of a case, as it comes, and images for it."
    torch.manual_seed(0)
    model = case.make()
    model = model if case.after is None else case.after(model)
    like = next(model.parameters())
    return model, torch.rand(4, *case.shape, generator=torch.Generator().manual_seed(1)).to(like)


def close(a, b): torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@functools.cache
def taken(title):
    "A case, its model, what `adapt` makes of it, and images."
    case = ZOO[title]
    model, x = made(case)
    return case, model, adapt(model, image_shape=case.shape, **case.hint), x


@pytest.fixture(params=[t for t, c in ZOO.items() if not c.refused])
def adapted(request): return taken(request.param)


@pytest.mark.parametrize("title", [t for t, c in ZOO.items() if c.refused])
def test_refused_in_one_line(title):
    case = ZOO[title]
    model, _ = made(case)
    with pytest.raises(InputError, match=case.refused) as told:
        adapt(model, image_shape=case.shape, **case.hint)
    assert "\n" not in str(told.value)


def test_sites(adapted):
    case, model, vae, x = adapted
    assert vae.sites["z" if "z" in vae.sites else "z1"].shape == case.latents
    assert {name: vae.sites[name].units for name in case.sites} == case.sites
    assert re.search(case.says, repr(vae)), repr(vae)
    assert (vae.untraced() is None) != case.slow, vae.untraced()


def test_answers_as_the_model_does(adapted):
    case, model, vae, x = adapted
    with torch.no_grad():
        was = [m.training for m in model.modules()]
        run = vae.run(x)
        assert was == [m.training for m in model.modules()]
        model.eval()
        close(run.recon, case.natural(model, x))
        if case.logvar: close(run.logvar, case.logvar(model, x))


def by_hook(vae, case, model, x, site, value):
    "The reconstruction with the output of one module replaced by a hook on the original."
    inner = getattr(model, "module", getattr(model, "_orig_mod", model))
    path = next((n for n in vae.names[site] if n in dict(inner.named_modules())), None)
    if path is None: return None
    def hook(module, args, out): return value.reshape(out.shape)
    handle = inner.get_submodule(path).register_forward_hook(hook)
    try:
        with torch.compiler.set_stance("force_eager"): return case.natural(model, x)
    finally: handle.remove()


@torch.no_grad()
def test_patches_equal_hooks(adapted):
    case, model, vae, x = adapted
    model.eval()
    donor, compared = vae.run(x.flip(0)), 0
    for site in vae.sites:
        ours = vae.run(x, {site: donor})
        live = vae.run(x, {site: donor}, live=True)
        for s in vae.sites: close(ours[s], live[s])
        if (hooked := by_hook(vae, case, model, x, site, donor[site])) is not None:
            close(ours.recon, hooked)
            compared += 1
    assert compared or case.slow
    z = [s for s in vae.network.latents]
    close(vae.run(x, {s: donor for s in z}).recon, donor.recon)
    if not vae.keeps: close(vae.run(do={s: donor for s in z}).recon, donor.recon)


def test_traversal_and_measures(adapted):
    case, model, vae, x = adapted
    if len(case.latents) > 1 or "mu" not in vae.sites: pytest.skip("latents are not flat")
    z = vae.run(x).z
    moved = traverse(vae, z, [0], [0.0, 1.0])
    assert moved.shape == (4, 1, 2, *vae.sites["recon"].shape)
    close(moved[:, 0, 1], vae.run(do={"z": z.index_fill(1, torch.tensor(0), 1.0)}).recon)
    assert latent_metrics(vae, z).notna().all().all()


PLANS = "delta", "resume", "hooks"


@torch.no_grad()
def test_every_plan_sweeps_alike(adapted):
    case, model, vae, x = adapted
    plans = [p for p in PLANS if p == "hooks" or not case.slow]
    donor, sites = vae.run(x.flip(0)), [s for s in vae.sites if not vae.sites[s].discrete]
    sites = [s for s in sites if s != "recon"][:6]
    found = {p: patch_sweep(vae, x[:2], x.flip(0)[:2], sites, readout="recon", plan=p).array
             for p in plans}
    slow = torch.as_tensor(found["hooks"].values)
    for effects in found.values(): close(torch.as_tensor(effects.values), slow)
    last = sites[-1]
    changed = vae.run(x, {f"{last}[0]": donor}, live=True).recon - vae.run(x).recon
    effect = found["hooks"].sel(unit=f"{last}[0]").values
    close(torch.as_tensor(effect), changed[:2].flatten(1).to(torch.as_tensor(effect)))


CIRCUITS = "mu, logvar", "only forward, with noise", "conditional: encode(x, y), decode(z, y)"


@pytest.mark.parametrize("title", CIRCUITS)
def test_a_circuit(title):
    case = ZOO[title]
    model, x = made(case)
    world = from_images(torch.rand(16, *case.shape, generator=torch.Generator().manual_seed(2)))
    vae = taken(title)[2]
    circuit = find_circuit(vae, world, of="z[0]")
    sites = [Address.parse(member, vae.sites).site for member in circuit.members]
    assert sites and {*sites} <= ancestors(vae.sites, ["z"])


@functools.cache
def world(shape):
    "Pictures of three kinds, with and without a pattern, with a little noise."
    dice = torch.Generator().manual_seed(2)
    def drawn(*sizes): return torch.rand(*sizes, *shape, generator=dice)
    kinds, pattern = drawn(3), drawn()
    rows = [(kind, on) for kind in range(3) for on in range(2) for _ in range(10)]
    pictures = [0.5 * kinds[kind] + 0.4 * on * pattern + 0.1 * drawn() for kind, on in rows]
    table = pd.DataFrame(rows, columns=["kind", "on"])
    return from_table(torch.stack(pictures), table, quiet=True)


def both_ways(vae, data):
    "The indirect effect of a unit is that of its patch, by another road."
    a, b = data.sample(8, 0).images.split(4)
    for unit in ("channel", "site"):
        found = mediate(vae, a, b, unit=unit, readout="recon")
        patched = patch_sweep(vae, a, b, unit=unit, readout="recon").array
        close(torch.as_tensor(found.nie.array.values), torch.as_tensor(patched.values))
    return found.te.array


def answered(vae, data):
    "Every factor has a response, and carriers with shares."
    found = responses(vae, data, data.sample(8, 0)).array
    table = carriers(vae, data, "on", pairs=8, resamples=10)
    return found.notnull().all() and table.share.notna().any()


def searched(vae, data, unit):
    circuit = find_circuit(vae, data, "on", pairs=8, edge_pairs=4, unit=unit)
    return circuit.score(resamples=10).sentence.startswith("on, encoder")


def shown(vae, data):
    "Pages that their own test passes, or a line that says what no page can do; explorers."
    pictures = data.sample(6, 0).images.to(vae.like)
    for make in (latents_page, patching_page):
        try: assert make(vae, pictures).text
        except InputError as e: assert re.match("a page (cannot|shows at most)", str(e)), e
    explorers = explore_latents(vae, pictures), explore_patching(vae, pictures)
    return all(explorer.pictures for explorer in explorers)


QUESTIONS = {
    "mediation": both_ways,
    "carriers": answered,
    "a circuit": lambda vae, data: searched(vae, data, "channel"),
    "a circuit of sites": lambda vae, data: searched(vae, data, "site"),
    "pages and explorers": shown,
    "a causal graph": lambda vae, data: "on" in causal_graph(vae, data, n=16, resamples=10),
}
NUMBERS = ("mu, logvar", "only forward, the narrowest place", "points that are put on a sphere",
           "only forward, flat out, a loss before the picture", "a whole number as label",
           "flat pictures, view(-1, 64)", "both halves, by channel", "a transformer over patches",
           "batch norm and ReLU in place", "video")
OTHERS = "VQ, a book in buffers", "a ladder of two levels"


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("title", NUMBERS)
def test_questions(title, question):
    case, model, vae, x = taken(title)
    found = QUESTIONS[question](vae, world(case.shape))
    assert found.any() if hasattr(found, "any") else found


@pytest.mark.parametrize("title", OTHERS)
def test_models_without_a_mean_say_what_to_pass(title):
    case, model, vae, x = taken(title)
    asked = [(latents_page, x), (explore_latents, x), (causal_graph, world(case.shape)),
             (carriers, world(case.shape), "on")]
    for function, *given in asked:
        line = refused(function, vae, *given)
        assert re.search("readout=|at_level", line) and "\n" not in line


def test_numbers_keep_the_precision_of_the_model():
    _, model, vae, x = taken("float64")
    assert vae.run(x, {"z[0]": 0.7}).z[0, 0].item() == 0.7


def test_runs_know_all_names(adapted):
    case, model, vae, x = adapted
    run = vae.run(x)
    for name, site in vae.sites.aliases.items(): assert run[name] is run[site] and name in run


@torch.no_grad()
@pytest.mark.parametrize("title", [t for t, c in ZOO.items() if {"z1", "z2"} <= {*c.sites}])
def test_each_level_by_itself(title):
    case, model, vae, x = taken(title)
    for level in vae.network.latents:
        view, others = at_level(vae, level, x), [s for s in vae.network.latents if s != level]
        z, theirs = view.run(x).z, vae.run(x)
        close(z, theirs[level])
        means = {s: theirs[s].mean(0, keepdim=True).expand_as(theirs[s]) for s in others}
        for live in (False, True):
            close(view.run(do={"z": z}, live=live).recon, vae.run(do={**means, level: z}).recon)
            close(view.run(x, {"z": 0.0}, live=live).recon, vae.run(x, {level: 0.0}).recon)
        if z.ndim == 2: assert latent_metrics(view, z).notna().all().all()


def test_a_model_with_a_branch_is_asked_without_a_trace():
    case, model, vae, x = taken("a branch that looks at the numbers")
    world = from_images(torch.rand(16, *case.shape, generator=torch.Generator().manual_seed(2)))
    for part in ("encoder", "decoder"):
        for method in ("pruning", "EAP"):
            circuit = find_circuit(vae, world, of="z[0]", part=part, method=method, pairs=8)
            trial = circuit.trial(vae, world)
            assert edge_error(trial, circuit, circuit.edges) <= 1
            assert circuit.score().sentence
    with pytest.raises(InputError, match="zoo.py, line") as told: latents_page(vae, x)
    assert "\n" not in str(told.value)


def test_inputs_follow_the_model():
    case, model, vae, x = taken("conditional: encode(x, y), decode(z, y)")
    single = vae.run(x)
    try:
        model.double()
        double = vae.run(x.double())
        assert double.recon.dtype == double["y"].dtype == torch.float64
        close(double.recon.float(), single.recon)
    finally: model.float()


def test_limits_from_the_first_images():
    case, model, vae, x = taken("mu, logvar")
    vae = adapt(model, image_shape=case.shape, image_limits="from data")
    vae.run(2 * x - 1)
    assert vae.image_limits == (-1, 1) and "image_limits: -1 to 1" in repr(vae)
    with pytest.raises(InputError, match="in \\[-1, 1\\]"): vae.run(3 * x)


@pytest.mark.parametrize("title", ["signals", "sequences, GRU", "video", "channels last"])
def test_explorers_draw_what_there_is(title):
    case, model, vae, x = taken(title)
    def row(values): return values.ravel()[None]
    for explorer in (explore_latents(vae, x), explore_patching(vae, x, show=row)):
        assert all(bytes(p.png).startswith(b"\x89PNG") for p in explorer.pictures.values())


# The table of the zoo

def works(title) -> str:
    "What works with a model, tried."
    case, model, vae, x = taken(title)
    found = [f"{len(vae.sites)} sites", *(["trace"] if vae.reason is None else ["hooks"])]
    latents = vae.network.latents
    if not vae.keeps: found.append("decodes")
    if len(latents) == 1 and "mu" in vae.sites:
        try: traverse(vae, vae.run(x).z, [0], [0.0])
        except (InputError, RuntimeError, IndexError): pass
        else: found.append("traversal")
    if any(name.startswith("logvar") for name in vae.sites): found.append("noise")
    return ", ".join(found)


def row(title) -> str:
    case = ZOO[title]
    hint = ", ".join(f"`{k}=…`" for k in case.hint)
    if case.refused:
        try: adapt(made(case)[0], image_shape=case.shape)
        except InputError as e: return f"| {title} | {hint} | refused: {str(e).split(';')[0]} | |"
    said = [s for s in taken(title)[2]._told()[1:] if not s.startswith(("no trace", "in training"))]
    return f"| {title} | {hint} | {'; '.join(said)} | {works(title)} |"


def table() -> str:
    head = ["| model | hint | what was taken for what | what works |", "|---|---|---|---|"]
    return "\n".join([*head, *map(row, ZOO)])


def stored():
    "The notebook that shows the table, and its cell."
    notebook = nbformat.read(NOTEBOOK, 4)
    return notebook, next(c for c in notebook.cells if c.id == "06-zoo")


@torch.no_grad()
def test_the_table_is_what_comes_out():
    assert stored()[1].source == table(), "run: python tests/test_zoo.py"


if __name__ == "__main__":
    notebook, cell = stored()
    cell.source = table()
    nbformat.write(notebook, NOTEBOOK)
