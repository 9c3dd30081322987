"""Odd input, in every argument of the functions that are used most: a right result or one clear
line, and nothing else.

Each call is made once as it should be. Then, one argument at a time, it gets what people pass by
mistake. Allowed are a result and an `InputError` of one line. Random state, gradient mode, threads
and training flags must be as they were, and no call may hang."""
import copy
import os
import random
import signal
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from vae_circuits.abstraction import align, interchange
from vae_circuits.adapt import adapt
from vae_circuits.alterations import covering
from vae_circuits.altered import altered
from vae_circuits.circuits import find_circuit
from vae_circuits.patterns import match_units, modules, motifs, redundant_pairs
from vae_circuits.proof import areas, faithfulness_curve, random_members, score_circuit
from vae_circuits.trials import Trial, factor_trial
from vae_circuits.worth import unit_scores
from vae_circuits.core import InputError
from vae_circuits.data import SyntheticCausal
from vae_circuits.factors import Factor
from vae_circuits.ablation import optimal_ablation
from vae_circuits.attribution import attribute, attribute_edges
from vae_circuits.edges import edge_sweep, interactions, path_patch
from vae_circuits.interventions import (
    activation_changes,
    latent_changes,
    latent_differences,
    mean_over,
    noised,
    responses,
    traverse,
)
from vae_circuits.mediation import controlled, mediate, mediate_factor, mediate_path
from vae_circuits.metrics import (
    cluster_coherence,
    distance,
    latent_effects,
    latent_metrics,
    levels,
    modularity,
    modularity_readings,
    monosemantic_share,
    polysemanticity,
)
from vae_circuits.models import ConvVAE
from vae_circuits.patching import patch, patch_sweep
from vae_circuits.sweeps import prepare
from vae_circuits.planted import planted_vae
from vae_circuits.information import mig, unsupervised_scores
from vae_circuits.predictors import dci, modularity_explicitness, sap
from vae_circuits.robustness import irs
from vae_circuits.scorable import represent
from vae_circuits.votes import beta_vae_score, factor_vae_score
from vae_circuits.recipes import TrainConfig
from vae_circuits.uncertainty import bootstrap, jackknife, rank_stability, sign_flips

SEED = int(os.environ.get("FUZZ_SEED", "0"))
EACH = int(os.environ.get("FUZZ_EACH", "40"))  # odd values tried in each argument
SECONDS = 20  # after which a call counts as hanging

torch.manual_seed(0)
VAE = ConvVAE(latent_dim=6, channels=(2, 2, 2)).eval().requires_grad_(False)
DATA = SyntheticCausal()
SAMPLE = DATA.sample(4, seed=0)
X, Y = SAMPLE.images, DATA.interventions(SAMPLE, "shape").images
Z = VAE.run(X).mu
CODES = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.random.default_rng(1).integers(0, 3, size=(60, 2))
R = np.abs(np.random.default_rng(2).normal(size=(3, 6)))
TRIAL = factor_trial(VAE, DATA, "shape", pairs=4, sites=["encoder_conv_2", "mu"])
SCORES = unit_scores(TRIAL)
CIRCUIT = find_circuit(VAE, DATA, "shape", pairs=4, sites=["encoder_conv_2", "mu"], edge_pairs=2)
OTHER = find_circuit(VAE, DATA, "size", pairs=4, sites=["encoder_conv_2", "mu"], edge_pairs=2)
CURVE = faithfulness_curve(TRIAL, SCORES, (0, 0.5, 1.0), controls=1, resamples=5)
EFFECTS = patch_sweep(VAE, X, Y, ["mu"]).array

ODD = {
    "nothing": None,
    "text": "shap",
    "number as text": "3",
    "long text": "e" * 3000,
    "empty text": "",
    "minus one": -1,
    "zero": 0,
    "fraction": 2.5,
    "nan": float("nan"),
    "infinity": float("inf"),
    "huge": 10**15,
    "true": True,
    "empty list": [],
    "list": ["shape", "shape"],
    "numbers": [1, 2],
    "dictionary": {},
    "wrong dictionary": {"nowhere": 1.0},
    "object": object(),
    "function": lambda run: 1.0,
    "empty array": np.zeros((0, 3)),
    "nan array": np.full((4, 3), np.nan),
    "vector": np.ones(3),
    "words": np.array([["a", "b"]]),
    "masked": np.ma.masked_all((4, 3)),
    "tensor": torch.ones(2, 2),
    "whole numbers": torch.ones(4, 1, 64, 64, dtype=torch.long),
    "one image": X[0],
    "other size": X[:, :, :32],
    "too bright": X * 300,
    "complex": torch.ones(4, 3, dtype=torch.complex64),
    "set": {1, 2},
    "bytes": b"ab",
}

# what questions of units, and of edges, have in common
UNITS = dict(vae=VAE, clean=X, donor=Y, sites=["mu"], unit="channel", readout="mu")
EDGES = dict(vae=VAE, clean=X, donor=Y, sender="encoder_conv_2", receiver="mu", readout="mu")

CALLS = {
    "run": (VAE.run, dict(x=X, do={"z[0]": 1.0}, eps=None, given=None, record=["mu"], live=False)),
    "encode": (VAE.encode, dict(x=X)),
    "decode": (VAE.decode, dict(z=Z)),
    "adapt": (adapt, dict(model=VAE)),
    "patch": (patch, dict(vae=VAE, clean=X, donor=Y, address="mu[0]", readout="mu", eps=None)),
    "patch_sweep": (patch_sweep, UNITS | dict(eps=None, plan="auto", chunk=None, max_memory=2**28)),
    "prepare": (prepare, dict(vae=VAE, clean=X, donor=Y, sites=["mu"], readout="mu", eps=None)),
    "optimal_ablation": (
        optimal_ablation,
        dict(vae=VAE, images=X, sites=["mu"], readout="mu", unit="channel", steps=1, lr=0.1),
    ),
    "path_patch": (
        path_patch,
        dict(
            vae=VAE, clean=X, donor=Y, path=["encoder_conv_2[0]", "mu[1]"], readout="mu", eps=None
        ),
    ),
    "edge_sweep": (edge_sweep, EDGES | dict(eps=None, max_memory=2**28)),
    "attribute": (attribute, UNITS | dict(steps=0, eps=None, sample=2, top=3)),
    "attribute_edges": (attribute_edges, EDGES | dict(steps=0, sample=1, top=3)),
    "interactions": (
        interactions,
        dict(vae=VAE, clean=X, donor=Y, pairs=[("mu[0]", "mu[1]")], readout="mu", eps=None),
    ),
    "activation_changes": (
        activation_changes,
        dict(vae=VAE, clean=X, changed=Y, sites=["mu"], unit="channel", chunk=64),
    ),
    "latent_changes": (latent_changes, dict(vae=VAE, clean=X, changed=Y)),
    "responses": (
        responses,
        dict(
            vae=VAE,
            data=DATA,
            sample=SAMPLE,
            factors=["shape"],
            sites=["mu"],
            seed=0,
            unit="channel",
        ),
    ),
    "mean_over": (mean_over, dict(vae=VAE, images=X, sites=["mu"], chunk=64)),
    "noised": (noised, dict(vae=VAE, images=X, scale=1.0, sites=["mu"], seed=0)),
    "traverse": (traverse, dict(vae=VAE, z=Z, latents=[0], values=[0.0, 1.0])),
    "latent_differences": (
        latent_differences,
        dict(vae=VAE, z=Z, measures={"distance": distance}, values=[0.0], chunk=8),
    ),
    "mediate": (mediate, dict(vae=VAE, clean=X, changed=Y, sites=["mu"], readout="mu")),
    "mediate_factor": (
        mediate_factor,
        dict(
            vae=VAE,
            data=DATA,
            sample=SAMPLE,
            factor="shape",
            value=None,
            sites=["mu"],
            readout="mu",
            seed=0,
        ),
    ),
    "mediate_path": (
        mediate_path,
        dict(vae=VAE, clean=X, changed=Y, path=["encoder_conv_2[0]"], readout="mu", eps=None),
    ),
    "controlled": (
        controlled,
        dict(vae=VAE, clean=X, changed=Y, value=0.0, sites=["mu"], readout="mu"),
    ),
    "latent_effects": (latent_effects, dict(vae=VAE, z=Z, values=[0.0, 1.0], eps=1e-8, chunk=8)),
    "latent_metrics": (
        latent_metrics,
        dict(vae=VAE, z=Z, values=[0.0, 1.0], eps=1e-8, resamples=5),
    ),
    "modularity": (modularity, dict(changes=R[:, None] - 1, reading="signed")),
    "modularity of magnitudes": (modularity, dict(changes=R, reading="magnitude")),
    "modularity_readings": (
        modularity_readings,
        dict(signed=R[:, None] - 1, magnitudes=R, draws=2, seed=0),
    ),
    "levels": (levels, dict(responses=R, draws=2, seed=0), (np.mean,)),
    "polysemanticity": (polysemanticity, dict(responses=R)),
    "monosemantic_share": (monosemantic_share, dict(responses=R)),
    "cluster_coherence": (cluster_coherence, dict(responses=R, k=2, seed=0)),
    "mig": (mig, dict(codes=CODES, factors=LABELS, bins=5)),
    "dci": (
        dci,
        dict(
            codes=CODES,
            factors=LABELS,
            codes_test=CODES,
            factors_test=LABELS,
            trees=2,
            jobs=1,
            seed=0,
        ),
    ),
    "sap": (sap, dict(codes=CODES, factors=LABELS, codes_test=CODES, factors_test=LABELS)),
    "modularity_explicitness": (
        modularity_explicitness,
        dict(codes=CODES, factors=LABELS, codes_test=CODES, factors_test=LABELS),
    ),
    "irs": (irs, dict(codes=CODES, factors=LABELS)),
    "unsupervised_scores": (unsupervised_scores, dict(codes=CODES)),
    "represent": (represent, dict(encoder=VAE, images=X, chunk=8)),
    "beta_vae_score": (
        beta_vae_score,
        dict(data=DATA, encoder=VAE, train=20, test=10, batch=4, seed=0),
    ),
    "factor_vae_score": (
        factor_vae_score,
        dict(
            data=DATA, encoder=VAE, train=20, test=10, batch=4, variance=20, threshold=0.05, seed=0
        ),
    ),
    "bootstrap": (
        bootstrap,
        dict(over="pair", outer=None, level=0.9, resamples=5, seed=0),
        (lambda mean: mean, EFFECTS),
    ),
    "jackknife": (
        jackknife,
        dict(groups=3, level=0.9, seed=0),
        (lambda a: np.asarray(a, float).mean(), CODES),
    ),
    "rank_stability": (
        rank_stability,
        dict(over="pair", axis="unit", top=2, resamples=5, seed=0),
        (lambda mean: mean, EFFECTS.mean("readout")),
    ),
    "sign_flips": (sign_flips, dict(over="pair", draws=19, seed=0), (EFFECTS.mean("readout"),)),
    "Trial": (
        Trial,
        dict(
            vae=VAE,
            clean=X,
            changed=Y,
            part="encoder",
            sites=["mu"],
            readout=None,
            ablation="resample",
            reference=None,
        ),
    ),
    "find_circuit": (
        find_circuit,
        dict(
            vae=VAE,
            data=DATA,
            factor="shape",
            part="encoder",
            method="patching",
            ablation="resample",
            tolerance=0.2,
            pairs=4,
            edge_pairs=2,
            seed=0,
            sites=["mu"],
        ),
    ),
    "score_circuit": (
        score_circuit,
        dict(trial=TRIAL, draws=1, controls=1, seed=0, resamples=5),
        (CIRCUIT,),
    ),
    "faithfulness_curve": (
        faithfulness_curve,
        dict(trial=TRIAL, scores=SCORES, fractions=(0, 1), controls=1, seed=0, resamples=5),
    ),
    "areas": (areas, dict(curve=CURVE)),
    "motifs": (motifs, dict(circuits=[CIRCUIT, OTHER])),
    "modules": (modules, dict(responses=R, most=3, seed=0)),
    "match_units": (match_units, dict(a=R, b=R)),
    "random_members": (random_members, dict(rng=0), (CIRCUIT,)),
    "redundant_pairs": (
        redundant_pairs,
        dict(trial=TRIAL, scores=SCORES, top=2, surplus=1.5, least=0.05),
        (CIRCUIT,),
    ),
    "Circuit.score": (
        CIRCUIT.score,
        dict(vae=VAE, data=DATA, pairs=4, seed=1, draws=1, controls=1, resamples=5),
    ),
    "interchange": (interchange, dict(vae=VAE, base=X, source=Y, part=[0], chunk=8)),
    "align": (align, dict(vae=VAE, data=DATA, size=1, n=8, seed=0)),
    "planted_vae": (
        planted_vae,
        dict(factors=2, group=1, dead=0, mixing=0.0, repair=0.0, noise=0.0, parts=False),
    ),
    "TrainConfig": (
        TrainConfig,
        dict(
            model="vae",
            dataset="dsprites",
            seed=0,
            epochs=1,
            batch_size=8,
            lr=1e-3,
            beta=4.0,
            precision="float32",
            evaluation_images=8,
        ),
    ),
    "Factor": (Factor, dict(name="width", kind="continuous", values=(0.0, 1.0), labels=())),
    "render": (DATA.render, dict(factors=dict(shape=1, size=10.0))),
    "draw": (DATA.draw, dict(factors=SAMPLE.factors)),
    "altered": (altered, dict(images=X, alterations=["turn"], edge=0.0)),
    "pairs": (
        altered(X, ["turn"]).pairs,
        dict(sample=altered(X, ["turn"]).sample(4, seed=0), factor="turn", seed=0, value=9),
    ),
    "covering": (covering, dict(where=np.s_[:3], fill=0.5, name="covered")),
    "sample": (DATA.sample, dict(n=2, seed=0)),
    "interventions": (DATA.interventions, dict(sample=SAMPLE, factor="shape", seed=0)),
}


def states() -> dict:
    "Everything of the process and the model that a call has to leave alone."
    return {
        "NumPy": np.random.get_state()[1].tobytes(),
        "random": random.getstate(),
        "torch": torch.get_rng_state().numpy().tobytes(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),
        "training": [m.training for m in VAE.modules()],
        "type": torch.get_default_dtype(),
        "hooks": sum(len(m._forward_hooks) for m in VAE.modules()),
    }


@contextmanager
def limited(seconds):
    "A call that takes longer is stopped with a `TimeoutError`."
    def late(*_): raise TimeoutError(f"no answer after {seconds} s")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try: yield
    finally: signal.alarm(0)


def fault(function, args, kwargs) -> str | None:
    "What is wrong with how the call ended, or None."
    before = states()
    try:
        with limited(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*args, **kwargs)
    except InputError as e:
        if "\n" in str(e) or not str(e): return f"its message is not one line: {e}"
    except Exception as e: return f"{type(e).__name__}: {str(e)[:150]}"
    changed = [name for name, state in states().items() if state != before[name]]
    return f"it changed {', '.join(changed)}" if changed else None


@pytest.mark.parametrize("name", CALLS)
def test_only_right_results_and_one_clear_line(name):
    function, good, *rest = CALLS[name]
    args = rest[0] if rest else ()
    assert fault(function, args, good) is None, "the call as it should be"
    function(*args, **good)
    rng, found = random.Random(f"{SEED} {name}"), []
    places = [*range(len(args)), *good]
    for place in places:
        for odd in rng.sample(sorted(ODD), min(EACH, len(ODD))):
            if isinstance(place, int):
                call = [ODD[odd] if i == place else a for i, a in enumerate(args)], good
            else:
                call = args, {**good, place: ODD[odd]}
            if wrong := fault(function, *call): found.append(f"{place}={odd}: {wrong}")
    assert not found, "\n".join([f"{len(found)} faults of {name}", *found])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision(kind):
    "What takes a model or a trial takes one in half precision, with images in single and in half."
    half = copy.deepcopy(VAE).to(kind)
    trial = factor_trial(half, DATA, "shape", pairs=4, sites=["encoder_conv_2", "mu"])
    here = {id(VAE): half, id(TRIAL): trial, id(SCORES): unit_scores(trial),
            id(CIRCUIT): CIRCUIT.members}  # found in VAE, and refused elsewhere if it says so
    halved, tried = {**here, id(X): X.to(kind), id(Y): Y.to(kind)}, []
    for name, (function, good, *rest) in CALLS.items():
        own = getattr(function, "__self__", None) is VAE
        if not own and not {id(VAE), id(TRIAL)}.intersection(map(id, good.values())): continue
        if name == "Circuit.score": continue
        if own: function = getattr(half, function.__name__)
        for others in (here, halved):
            args = tuple(others.get(id(a), a) for a in (rest[0] if rest else ()))
            kwargs = {k: others.get(id(v), v) for k, v in good.items()}
            assert fault(function, args, kwargs) is None, name
        tried.append(name)
    assert len(tried) > 30
