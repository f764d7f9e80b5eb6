"""A till's software that takes a reward and then hangs, to be killed: address, token, session, card and reward."""

from __future__ import annotations

import http.client
import json
import sys
import threading

address, token, session, card, reward = sys.argv[1:]
LINES = [{"line_id": "1", "sku": "bread", "gross_minor": 1500}]


def ask(method: str, path: str, body: object) -> None:
    """One call, that has to go well."""
    till = http.client.HTTPConnection(address)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    till.request(method, path, json.dumps(body), headers)
    answer = till.getresponse()
    told = answer.read()
    assert answer.status == 200, told


ask("POST", "/v1/sessions", {"id": session})
ask("PUT", f"/v1/sessions/{session}/basket", {"lines": LINES, "version": 0})
ask("POST", f"/v1/sessions/{session}/identify", {"card": card})
ask("POST", f"/v1/sessions/{session}/redeem", {"reward": reward})
print("taken", flush=True)
threading.Event().wait()
