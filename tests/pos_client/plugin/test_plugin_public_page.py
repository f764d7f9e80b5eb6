"""A till's page on the internet, in a real Chromium: the browser lets it reach this machine only when it may.

The page comes by https from a name that Chromium takes for one of the internet. Whether it may is a permission of the
cashier's, or the policy file of docs/policy.
"""

from __future__ import annotations

import datetime
import functools
import http.server
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, Page

from tests.pos_client.plugin.conftest import TOKEN
from tests.pos_client.plugin.pages import OPEN_SOCKET, STREAM, pair_and_sell
from tests.support.browser import chromium
from tests.support.missing import missing
from tests.support.till import make_runtime

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "docs" / "policy" / "spaarpunt.json"
NAME = "till.example"
FIRST = 142
"""The first Chromium that asks."""
# The whole of a machine's policies, seen by this one browser alone: nothing outside it changes.
WITH_POLICY = """#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs none /etc/chromium && mkdir -p /etc/chromium/policies/managed &&
  cp "{policy}" /etc/chromium/policies/managed/ && exec chromium "$@"' sh "$@"
"""


EXPECTING = """([url, targetAddressSpace]) =>
  fetch(url, {targetAddressSpace}).then(() => 'answered', () => 'refused')"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A till at `till`, and its page on "the internet" at `site`."""

    till: str
    site: str

    @property
    def flags(self) -> list[str]:
        port = self.site.rpartition(":")[2]
        return [
            f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
            f"--ip-address-space-overrides=127.0.0.1:{port}=public",
            "--ignore-certificate-errors",
        ]

    def open(self, browser: Browser) -> tuple[Page, list[str]]:
        """The page, and what the browser says about it. A Chromium that does not ask yet is not for these tests."""
        if int(browser.version.partition(".")[0]) < FIRST:
            missing(f"Chromium {browser.version} asks nobody: {FIRST} is the first that does; install a newer one")
        page = browser.new_context(ignore_https_errors=True).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{self.site}/")
        assert page.evaluate("isSecureContext")
        return page, said


def certificate(folder: Path) -> Path:
    """A key and its own certificate for `NAME`, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<!doctype html><title>a till</title><link rel=icon href=data:,>")
    make_runtime(folder / "till").store.close()
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder / "site")))
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(certificate(folder))
    site.socket = secured.wrap_socket(site.socket, server_side=True)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    page = f"https://{NAME}:{site.server_address[1]}"
    command = [sys.executable, "-m", "tests.pos_client.plugin.serving_till", str(folder / "till"), page]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield Scene(process.stdout.readline().strip(), page)
        finally:
            process.terminate()
            site.shutdown()


def test_without_the_permission_it_reaches_nothing_and_with_it_it_sells(scene: Scene) -> None:
    with chromium(*scene.flags) as browser:
        page, said = scene.open(browser)
        with pytest.raises(Exception, match="Failed to fetch"):
            page.evaluate(STREAM, [f"{scene.till}/v1/hello", ""])
        assert any("loopback" in line for line in said), said
        socket = f"ws://{scene.till.removeprefix('http://')}/v1/events"
        assert page.evaluate(OPEN_SOCKET, [socket, ["spaarpunt", f"bearer.{TOKEN}"]]) == "refused"
        page.context.close()

        page, _ = scene.open(browser)
        page.context.grant_permissions(["local-network-access"], origin=scene.site)  # loopback is part of it
        pair_and_sell(page, browser.new_context().new_page(), scene.till, "web-1")
        # docs/adapters.md, of Odoo: this machine is no "local" one, and Chromium holds a page to what it says.
        said = [page.evaluate(EXPECTING, [f"{scene.till}/v1/hello", space]) for space in ("loopback", "local")]
        assert said == ["answered", "refused"]


def test_with_the_policy_file_nobody_is_asked(scene: Scene, tmp_path: Path) -> None:
    namespace = "mount -t tmpfs none /etc/chromium"
    if subprocess.run(["unshare", "--mount", "sh", "-c", namespace], capture_output=True, check=False).returncode:
        missing("a browser with policies of its own needs root, unshare and a Chromium that reads /etc/chromium")
    assert NAME in json.loads(POLICY.read_text(encoding="utf-8"))["LoopbackNetworkAllowedForUrls"][0]
    starter = tmp_path / "chromium"
    starter.write_text(WITH_POLICY.format(policy=POLICY))
    starter.chmod(0o755)
    with chromium(*scene.flags, starter=starter) as browser:
        page, _ = scene.open(browser)
        asked = "navigator.permissions.query({name: 'loopback-network'}).then(it => it.state)"
        assert page.evaluate(asked) == "granted"
        assert page.evaluate(STREAM, [f"{scene.till}/v1/hello", ""]) == 200
        pair_and_sell(page, browser.new_context().new_page(), scene.till, "web-2")
