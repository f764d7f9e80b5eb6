"""Serves the minimal till to a browser on this machine: its page, and the client from the installed package.

Run it, and name its address in the till's configuration: `[plugin] origins = ["http://127.0.0.1:8330"]`.
"""

from __future__ import annotations

import argparse
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

PAGES = {
    "/": ("text/html; charset=utf-8", (Path(__file__).parent / "index.html").read_bytes()),
    "/spaarpunt.js": ("text/javascript", files("pos_client.plugin").joinpath("spaarpunt.js").read_bytes()),
}


class Handler(BaseHTTPRequestHandler):
    """Two files and nothing else."""

    def do_GET(self) -> None:
        """Answer with one of them."""
        kind, page = PAGES.get(self.path.partition("?")[0], ("text/plain", b"no such page"))
        known = kind != "text/plain"
        self.send_response(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a till's terminal is for its own words."""


def serving(port: int) -> ThreadingHTTPServer:
    """A server on loopback, not yet running; port 0 for any that is free."""
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=8330)
    server = serving(arguments.parse_args().port)
    print(f"The minimal till: http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
