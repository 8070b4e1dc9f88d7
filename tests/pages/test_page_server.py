"""The server of the book's pages, asked for what no page is."""

import functools
import http.client
import http.server
import threading

import pytest

from tinyspeech.pages import site


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """(status, content) of a path, as it is sent."""
    folder = tmp_path_factory.mktemp("html")
    (folder / "index.html").write_text("the book")
    (folder / "_static").mkdir()
    (folder / "_static" / "x.js").write_text("1")
    errors = []

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, address):
            errors.append(address)

    server = Server(("127.0.0.1", 0), functools.partial(site.Pages, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def asked(path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.putrequest("GET", path, skip_host=True)
        connection.endheaders()
        reply = connection.getresponse()
        assert not errors
        return reply.status, reply.read()

    yield asked
    server.shutdown()
    server.server_close()


def test_pages_are_there(ask):
    assert ask("/") == (200, b"the book") and ask("/_static/x.js") == (200, b"1")


@pytest.mark.parametrize("path", ["/%00", "/x%00.html", "/" + "a" * 5000, "/%ff", "/../../etc/passwd",
                                  "/%2e%2e/%2e%2e/x", "/_static/", "/_static/?x", "/%0d%0aX:%20y", "/_static/x.js/y"])
def test_what_is_no_page_is_not_found(ask, path):
    status, content = ask(path)
    assert status == 404 and b"x.js" not in content.replace(path.encode(), b"")
