"""`sbom`: what is installed beside this library, and what is vendored in the clone, as a list for other programs.

The list is CycloneDX 1.6, as JSON: names, versions, package URLs and licences as the packages' own metadata gives them,
and who needs whom.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from tinyspeech import __version__, paths
from tinyspeech.commands._common import add_command, write

VENDORED = re.compile(r"^\| `(?P<name>[^`]+)` (?P<version>\S+) .*\| (?P<licence>[\w.-]+), `[^`]+` \|$", re.M)
"""A row of book/vendor/README.md: an npm package, its version and its licence."""


def add(commands) -> None:
    command = add_command(commands, "sbom", "list every package of this environment and every vendored script, with "
                          "versions and licences, as CycloneDX JSON")
    command.add_argument("--out", default=None, type=Path, metavar="FILE.json", help="write it there")
    command.set_defaults(run=run)


def run(args) -> None:
    text = bill().rstrip() + "\n"
    if args.out is None:
        print(text, end="")
    else:
        write(args.out, text)


def bill() -> str:
    """The list, as JSON."""
    from cyclonedx.contrib.license.factories import LicenseFactory  # here: only this command needs them
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    def component(kind: ComponentType, name: str, version: str, licence: str | None, registry: str | None) -> Component:
        group, _, short = name.rpartition("/")
        url = PackageURL(registry, group or None, short, version) if registry else None
        return Component(type=kind, name=name, version=version, bom_ref=str(url) if url else name, purl=url,
                         licenses=[licences.make_from_string(licence)] if licence else ())

    licences, library = LicenseFactory(), ComponentType.LIBRARY
    bom = Bom()
    bom.metadata.component = ours = component(ComponentType.APPLICATION, "tinyspeech", __version__, "MIT", None)
    packages = {_plain(one.name): (one, component(library, one.name, one.version, licence_of(one), "pypi"))
                for one in metadata.distributions() if one.name and _plain(one.name) != "tinyspeech"}
    others = [component(library, *row, "npm") for row in vendored()]
    bom.components.update([one for _, one in packages.values()], others)
    bom.register_dependency(ours, [*(one for _, one in packages.values()), *others])
    for distribution, one in packages.values():
        always = [line for line in distribution.requires or () if "extra ==" not in line]
        needs = {_plain(re.match(r"[\w.-]+", line)[0]) for line in always}
        bom.register_dependency(one, [packages[name][1] for name in sorted(needs & set(packages))])
    return JsonV1Dot6(bom).output_as_string(indent=2)


def vendored() -> list[tuple[str, str, str]]:
    """(name, version, licence) of each script that the clone keeps a copy of; none where only a wheel is installed."""
    table = paths.BOOK / "vendor" / "README.md"
    return VENDORED.findall(table.read_text("utf-8")) if table.exists() else []


def licence_of(distribution: metadata.Distribution) -> str | None:
    """What a package says of its licence, in a line; None where it says nothing."""
    about = distribution.metadata
    known = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", ()) if line.startswith("License :: ")]
    said = about.get("License-Expression") or about.get("License", "") or ", ".join(known)
    return (", ".join(known) if "\n" in said else said) or None  # some have the licence's whole text there


def _plain(name: str) -> str:
    """The one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()
