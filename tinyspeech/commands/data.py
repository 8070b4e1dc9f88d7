"""`data`: what recordings are here, and how to get them."""

from __future__ import annotations

from pathlib import Path

from tinyspeech.commands._common import add_actions, add_command, add_json, add_out, out_folder, show
from tinyspeech.errors import UserError
from tinyspeech.paths import BUNDLED, TAKES, TALK


def add(commands) -> None:
    actions = add_actions(
        add_command(commands, "data", "what clips are here; rebuild the bundled ones; fetch Speech Commands"))
    info = add_command(actions, "info", "count clips by split and class")
    info.add_argument("folder", nargs="?", default=str(BUNDLED), help="folder in Speech Commands layout")
    add_json(info)
    info.set_defaults(run=run_info)
    synthesize = add_command(actions, "synthesize", "make the bundled clips again with offline speech engines")
    add_out(synthesize, "them", "data/bundled")
    synthesize.set_defaults(run=run_synthesize)
    talk = add_command(actions, "talk", "make the radio talk of chapter 11 again with two of these engines")
    add_out(talk, "it", "data/talk")
    talk.set_defaults(run=run_talk)
    takes = add_command(actions, "takes", "make the takes of chapter \"Your own words\" again with the same engines")
    add_out(takes, "them", "data/takes")
    takes.set_defaults(run=run_takes)
    download = add_command(actions, "download", "fetch Speech Commands v0.02 (2.3 GB) from its official address")
    download.add_argument("--out", help="folder to make (default: the archive's name)")
    download.add_argument("--test-set", action="store_true",
                          help="in its place the official test set of 12 classes (113 MB), for finished networks")
    download.set_defaults(run=run_download)


def run_info(args) -> None:
    from tinyspeech.sound import datasets  # here: it loads numpy and soundfile

    result = datasets.info(args.folder)
    lines = [f"{result['folder']}: {result['clips']} clips of {result['words']} words, {result['bytes'] / 1e6:.1f} MB",
             "clips: " + ", ".join(f"{n} {s}" for s, n in result["splits"].items()),
             "speakers: " + ", ".join(f"{n} {s}" for s, n in result["speakers"].items())]
    lines += [f"{split}_list.txt names {n} clips more that are not here"
              for split, n in result["listed_without_file"].items()]
    show(result, args.json, "\n".join(lines))


def run_synthesize(args) -> None:
    from tinyspeech.sound import synthesis  # here: it loads numpy and soundfile

    out = out_folder(args.out, BUNDLED)
    for engine, row in sorted(synthesis.synthesize(out)["compared"].items()):
        print(f"{engine}: {row['same']} clips the same as before, {row['different']} different")
    print(f"wrote {out}")


def run_talk(args) -> None:
    from tinyspeech.sound import talk  # here: it loads numpy and soundfile

    out = out_folder(args.out, TALK)
    same = talk.make(out)
    print(f"wrote {out}: {'the samples that were there before' if same else 'other samples than before, if any'}")


def run_takes(args) -> None:
    from tinyspeech.sound import takes  # here: it loads numpy and soundfile

    out = out_folder(args.out, TAKES)
    same = takes.make(out)
    print(f"wrote {out}: {'the samples that were there before' if same else 'other samples than before, if any'}")


def run_download(args) -> None:
    from tinyspeech.sound import datasets  # here: it loads numpy and soundfile
    from tinyspeech.sound import download as sound_download

    if args.test_set:
        what, url, sha256 = "The official test set", sound_download.TEST_SET_URL, sound_download.TEST_SET_SHA256
    else:
        what, url, sha256 = "Speech Commands", sound_download.URL, sound_download.SHA256
    out = args.out or url.rsplit("/", 1)[-1].removesuffix(".tar.gz")
    if Path(out).exists() and args.test_set != (Path(out) / datasets.SILENCE).is_dir() and any(Path(out).glob("*/*")):
        raise UserError(f"{out} is in the way: it holds words, but of another set")
    print(f"{what} is in {sound_download.download(out, url, sha256)}")
