"""Every built page in headless Chromium, with no network: what a reader sees, at the width of a desk and of a phone.

Runs where a Chromium is installed (Debian: `apt-get install chromium`), else says that it was skipped; Playwright
drives it, and downloads nothing. The parts of it that need no browser, links and weight, always run.
"""

import functools
import http.server
import json
import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from support.scripts import CHROMIUM, QUIET

from tinyspeech.pages.site import toc_files
from tinyspeech.paths import ROOT

PAGES = [f"{name}.html" for name in toc_files(ROOT)]
WIDTHS = {"desk": (1280, 900), "phone": (390, 844)}
MAX_PAGE_BYTES, MAX_SITE_BYTES = 1_500_000, 40_000_000


class Links(HTMLParser):
    """Where a page leads to, and what in it can be led to."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]


@functools.cache
def links_of(page: Path) -> Links:
    return Links(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(site, name):
    page, broken = site / name, []
    for link in links_of(page).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if target.is_dir():
            target /= "index.html"
        if not target.exists():
            broken.append(link)
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in links_of(target).ids:
            broken.append(link)
    assert broken == []


def test_pages_and_site_are_light(site):
    sizes = {name: (site / name).stat().st_size for name in PAGES}
    assert {name: size for name, size in sizes.items() if size > MAX_PAGE_BYTES} == {}
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= MAX_SITE_BYTES


# ---------------------------------------------------------------- in the browser


@pytest.fixture(scope="module")
def address(site):
    """The site, served on a free port of this computer."""
    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, address):
    """A function that opens a page and returns it with all that went wrong on it."""
    contexts = []

    def open_(name, width="desk", scheme="light"):
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        page, wrong = contexts[-1].new_page(), []
        page.on("request", lambda r: r.url.startswith((address, "data:", "blob:")) or wrong.append(f"asks {r.url}"))
        page.on("response", lambda r: r.status < 400 or wrong.append(f"{r.status} {r.url}"))
        page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(address + name, wait_until="networkidle")
        return page, wrong

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_works_offline_and_fits(opened, name, width):
    page, wrong = opened(name, width)
    page.wait_for_function("!document.querySelector('mjx-container') || window.MathJax.startup.document")
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    blank = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    assert blank == []


@pytest.mark.parametrize("name", [name for name in PAGES if name[len("book/") : len("book/") + 2].isdigit()])
def test_interactive_parts_live_without_a_kernel(opened, name):
    page, wrong = opened(name)
    page.wait_for_selector(".jupyter-widgets, .ts-widget, #chip-page button", timeout=20_000)  # the page's own, too
    assert wrong == []


def test_figures_can_be_read_on_a_phone(opened):
    """They are wider than the screen, and scroll in a box that is not."""
    page, _ = opened("book/00_one_word.html", "phone")
    image, box = page.evaluate("""() => {
        const image = document.querySelector('.cell_output figure img');
        return [image, image.closest('figure')].map(e => e.getBoundingClientRect().width);
    }""")
    assert image > 1.4 * box and box < 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_stay_readable_in_either_mode(opened, scheme):
    """Figures are opaque and light: what is drawn on them in black is seen on a dark page, too."""
    page, _ = opened("book/00_one_word.html", scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")  # a script of the theme sets it
    corner = page.evaluate("""() => {
        const image = document.querySelector('.cell_output img'), canvas = document.createElement('canvas');
        canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
        canvas.getContext('2d').drawImage(image, 0, 0);
        return [...canvas.getContext('2d').getImageData(2, 2, 1, 1).data];
    }""")
    assert min(corner[:3]) > 220 and corner[3] == 255


def test_search_finds_a_word_of_the_book(opened):
    page, wrong = opened("search.html?q=condenser")
    page.wait_for_selector("#search-results li", timeout=20_000)
    assert "condenser" in page.locator("#search-results").inner_text().lower() and wrong == []


def test_the_painted_gates_are_those_of_the_condenser(opened):
    """A dot on the word: what the page computes against PyTorch, and how far the dot is felt."""
    import torch
    from torch.nn.functional import conv2d, max_pool2d

    page, wrong = opened("book/03_attention_condensers.html")
    here = page.locator("#gate-painter")
    here.scroll_into_view_if_needed()
    source = here.locator("xpath=following-sibling::script").first.text_content()
    net = json.loads(source[source.rindex("getElementById('gate-painter'), ") :].split(", ", 1)[1].rsplit(");", 1)[0])

    def after(values, layer):
        times, plus = (torch.tensor(layer[key])[:, None, None] for key in ("times", "plus"))
        return times * values + plus

    def gates(x):
        stem = torch.tensor(net["stem"]["weights"]).reshape(-1, 1, 3, 3)
        v = after(conv2d(x[None, None], stem, padding=1)[0], net["stem"]).relu()
        q = max_pool2d(v, net["pool"], ceil_mode=True)
        for layer in (net["squeeze"], net["expand"]):
            q = after(torch.einsum("oc,ctf->otf", torch.tensor(layer["weights"]), q), layer)
            q = q.relu() if layer is net["squeeze"] else q.sigmoid()
        big = q.repeat_interleave(net["pool"], 1).repeat_interleave(net["pool"], 2)
        return big[:, : net["time"], : net["bands"]].flatten(1)

    def shown():
        return torch.tensor(page.evaluate("document.getElementById('gate-painter').gates.map((map) => [...map])"))

    x = torch.tensor(net["word"]).reshape(net["time"], net["bands"])
    assert torch.allclose(shown(), gates(x), atol=1e-4)
    box = here.locator("[data-part=input]").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 10.5 / net["time"], box["y"] + box["height"] * 5.5 / net["bands"])
    x[10, net["bands"] - 1 - 5] = 3
    assert torch.allclose(shown(), gates(x), atol=1e-4)
    said = here.locator("[data-part=note]").inner_text()
    moved = re.search(r"moved: (\d+), within (\d+) frames and (\d+) coefficients", said)
    count, frames, coefficients = map(int, moved.groups())
    assert said.startswith("Painted: 1 of") and 0 < count <= 16 and frames <= 4 and coefficients <= 4
    here.locator("[data-part=again]").click()
    assert here.locator("[data-part=note]").inner_text().endswith("moved: 0.")
    assert wrong == []
