"""Train the runs of a study on one CUDA device, most wanted first: python tools/fleet.py

    python tools/fleet.py --only dsprites-vae-default-0 --only dsprites-vae-default-1
    python tools/fleet.py --seconds 540 --pack packs
    python tools/fleet.py --unpack packs
    python tools/fleet.py --preset study --setting default --finished --pack study --small

Runs that are finished in --out are not trained again, and cut ones go on; `vae-circuits sweep`
analyzes them there. --pack writes finished models into at most 8 files of at most 16 MiB: in
float16, but for the median seed of each setting `default`; --small: all in float16, and compressed.
--finished trains nothing. --unpack makes run folders of packs: `make study` does so with study/.
"""
import argparse
import io
import json
import sys
import tarfile
from pathlib import Path, PurePosixPath

from safetensors.torch import load, save

from vae_circuits.core import InputError, json_object, one_of
from vae_circuits.folders import mark, place, write_atomic
from vae_circuits.fleet import COMMAND, fleet
from vae_circuits.studies import STUDIES
from vae_circuits.recipes import TrainConfig, build
from vae_circuits.checkpoints import load_checkpoint, save_checkpoint

FILES, SIZE = 8, 16 * 2**20
SETTINGS, MODEL = "training/config.json", "training/model.safetensors"
HALF, CARD = "half.safetensors", "card.json"


def chosen(preset: str, only, setting=None) -> list:
    "The runs of a preset, or those of them that are named, or of one setting."
    runs = {run.name: run for run in STUDIES[one_of(preset, STUDIES, "preset")].runs()
            if setting in (None, run.setting)}
    return [runs[one_of(name, runs, "run")] for name in only or runs]


def middle(cards: dict) -> tuple:
    "The names of `cards` in the order of their `nats`, and the one in the middle."
    order = sorted(cards, key=lambda name: nats(cards[name]))
    return order, order[(len(order) - 1) // 2]


def nats(card: dict) -> float:
    "Reconstruction above its floor, and the KL where there is one."
    found = card["evaluation"]
    return found["recon"] - found["floor"] + found.get("kl", 0)


def medians(cards: dict, runs: list) -> set:
    "The median seed, by recon + KL, of each dataset and model in the setting `default`: names."
    groups = {}
    for run in runs:
        if run.setting != "default": continue
        group = groups.setdefault((run.config.dataset, run.config.model), {})
        group[run.name] = cards[run.name]
    return {middle(group)[1] for group in groups.values()}


def parts(folder: Path, card: dict, whole: bool) -> dict:
    "Name -> bytes of what is packed of a run."
    found, weights = {SETTINGS: (folder/SETTINGS).read_bytes()}, (folder/MODEL).read_bytes()
    if whole: return found | {MODEL: weights}
    halves = {name: value.half() for name, value in load(weights).items()}
    return found | {HALF: save(halves), CARD: json.dumps(card).encode()}


def pack(runs: list, home: Path, out: Path, small: bool = False):
    "Finished runs into tar files, whole ones first; says which had no room. small: none is whole."
    done = [run for run in runs if (home/run.name/MODEL).is_file()]
    cards = {run.name: load_checkpoint(home/run.name/MODEL).card for run in done}
    whole, files, left = set() if small else medians(cards, done), [], []
    for name in sorted(cards, key=lambda name: name not in whole):
        found = parts(home/name, cards[name], name in whole)
        size = sum(len(data) + 1024 for data in found.values())  # with header and padding
        room = next((f for f in files if f["size"] + size <= SIZE), None)
        if room is None and len(files) < FILES:
            room = {"size": 10_240, "entries": {}}  # the end of a tar file
            files.append(room)
        if room is None:
            left.append(name)
            continue
        room["size"] += size
        room["entries"] |= {f"{name}/{key}": data for key, data in found.items()}
    out.mkdir(parents=True, exist_ok=True)
    for i, file in enumerate(files):
        write_atomic(out/f"pack{i}.tar{'.xz' * small}", tarred(file["entries"], "xz" * small))
    print(f"{len(cards) - len(left)} runs in {len(files)} files in {out}, "
          f"{len(whole)} of them whole{'; no room for ' * bool(left)}{', '.join(left)}")


def tarred(entries: dict, kind: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as tar:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def unpack(packs: Path, home: Path):
    "Run folders from the tar files in `packs`; runs that are there already stay as they are."
    files, names = sorted(packs.glob("*.tar*")), []
    if not files:
        raise InputError(f"{packs} holds no file *.tar or *.tar.xz; expected what --pack writes")
    home.mkdir(parents=True, exist_ok=True)
    mark(home)
    for file in files:
        for name, found in read(file).items():
            if (home/name/MODEL).is_file(): continue
            mark(home/name)
            (home/name/"training").mkdir(exist_ok=True)
            write_atomic(home/name/SETTINGS, found[SETTINGS])
            if MODEL in found: write_atomic(home/name/MODEL, found[MODEL])
            else: widen(found, home/name/MODEL)
            names.append(name)
    print(f"{len(names)} runs unpacked to {home}")


def read(file: Path) -> dict:
    "Run -> name -> bytes, of a tar file; `InputError` for anything else in it."
    runs = {}
    with tarfile.open(file) as tar:
        for info in tar:
            run, *rest = PurePosixPath(info.name).parts
            if run == ".." or "/".join(rest) not in (SETTINGS, MODEL, HALF, CARD):
                raise InputError(f"{file} holds {info.name}; expected what --pack writes")
            runs.setdefault(run, {})["/".join(rest)] = tar.extractfile(info).read()
    return runs


def widen(found: dict, path: Path):
    "The model of float16 weights, whose card says that they were rounded."
    card = json_object(found[CARD], CARD)
    model, _ = build(TrainConfig(**card["config"]))
    model.load_state_dict({name: value.float() for name, value in load(found[HALF]).items()})
    save_checkpoint(path, model, {**card, "rounded": "float16"})


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="full", help=f"one of {', '.join(STUDIES)}")
    parser.add_argument("--only", action="append", metavar="NAME", help="of a run; may be repeated")
    parser.add_argument("--setting", help="only runs of this setting")
    parser.add_argument("--out", type=place, default="runs/study/runs", help="the runs' folder")
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--lanes", type=int, default=3, help="groups of seeds side by side")
    parser.add_argument("--every", type=float, default=60, help="seconds between states; 0: none")
    parser.add_argument("--pack", type=Path, metavar="FOLDER")
    parser.add_argument("--small", action="store_true", help="of --pack: float16, compressed")
    parser.add_argument("--finished", action="store_true", help="train nothing")
    parser.add_argument("--unpack", type=Path, metavar="FOLDER")
    return parser.parse_args()


def main():
    args = arguments()
    if args.unpack: return unpack(args.unpack, args.out)
    runs = chosen(args.preset, args.only, args.setting)
    if args.pack and args.finished: return pack(runs, args.out, args.pack, args.small)
    preset = "" if args.preset == "full" else f" --preset {args.preset}"
    left = fleet({run.name: run.config for run in runs}, args.out, args.seconds, args.lanes,
                 every=args.every, say=lambda line: print(line, flush=True),
                 command=COMMAND + preset)
    if left: print(f"{len(left)} of {len(runs)} runs are not finished: {', '.join(left)}")
    if args.pack: pack(runs, args.out, args.pack, args.small)


if __name__ == "__main__":
    try: main()
    except InputError as e: sys.exit(f"error: {e}")
