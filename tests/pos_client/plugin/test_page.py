"""The JavaScript client and the minimal till, in a real Chromium, against a real till that is killed and comes back."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from examples.minimal_till.serve import serving
from pos_client.plugin.client import TillClient
from tests.support.browser import chromium
from tests.support.process import TillProcess
from tests.support.till import FATIMA, JORIS, SANNE, closed_port

PAGE = Path(__file__).parents[3] / "examples" / "minimal_till" / "index.html"
BASKET = "{currency: 'EUR', lines: [{line_id: '1', sku: 'bread', gross_minor: 1000}]}"


@contextlib.contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = serving(0)
    with running(made):
        yield f"http://127.0.0.1:{made.server_port}"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, server: str) -> Iterator[TillProcess]:
    folder = tmp_path_factory.mktemp("page")
    with TillProcess(
        folder, till={"language": "en"}, plugin={"origins": [server]}, adapters={"odoo_origins": [server]}
    ) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def page(window: Page, server: str) -> Page:
    """A page of the named origin with nothing on it. It comes from this machine, or Chromium would ask first."""
    window.goto(f"{server}/blank")  # what the test before left in it is gone
    return window


def run(page: Page, process: TillProcess, script: str, **settings: Any) -> Any:
    """Run `script`, which has `till` and the module's names, and give what it returns."""
    return page.evaluate(
        f"""async ([settings]) => {{
            const {{ Till, SpaarpuntProblem }} = await import("/spaarpunt.js");
            const till = new Till(settings);
            {script}
        }}""",
        [{"address": process.address, "token": process.token, **settings}],
    )


def test_a_sale_in_javascript(page: Page, process: TillProcess) -> None:
    told = run(
        page,
        process,
        f"""
        const hello = await till.hello();
        const {{ session }} = await till.openSession();
        await till.setBasket(session, {BASKET}, 0);
        const quote = await till.identify(session, "{SANNE.card}");
        const taken = await till.redeem(session, "koffie");
        const without = await till.unredeem(session, "koffie");
        await till.tender(session, "cash");
        const booked = await till.commit(session);
        const again = await till.commit(session);
        const back = await till.returnGoods(session + "-back", session, {{ 1: 1000 }});
        const dropped = await till.voidSale((await till.openSession()).session);
        const late = await till.attachLate({{ receipt: session + "-late", card: "{SANNE.card}", ...{BASKET} }});
        const receipt = await till.receipt(late.session);
        const {{ member }} = await till.balance("{SANNE.card}");
        const status = await till.status();
        return [hello.till, quote.member.first_name, taken.settlement.points_spent, without.settlement.points_spent,
            booked.entry.points, again.entry.id === booked.entry.id, back.entry.points, dropped.entry, status.till,
            late.entry.points, receipt.entry === late.entry.id, member.balance.queued];
        """,
    )
    assert told == ["kassa 2", "Sanne", 250, 0, 15, True, -15, None, "kassa 2", 15, True, 15]


def test_a_problem_in_javascript(page: Page, process: TillProcess) -> None:
    told = run(
        page,
        process,
        f"""
        const {{ session }} = await till.openSession();
        await till.setBasket(session, {BASKET}, 0);
        const said = [];
        for (const act of [() => till.commit("never"), () => till.setBasket(session, {{ lines: [] }}, 0),
            () => new Till({{ ...settings, token: "wrong" }}).status(), () => till.enterPin(session, "1"),
            () => till.useCoupon(session, "NOPE"), () => till.exchange(session, "none", {{ 1: 1000 }}),
            () => till.printReceipt(session)])
          await act().catch((error) => said.push([error instanceof SpaarpuntProblem, error.code, error.status]));
        await till.setBasket(session, {{ lines: [] }}, 0).catch((error) => said.push(error.problem.current.version));
        return said;
        """,
    )
    assert told == [
        [True, "unknown_session", 404],
        [True, "basket_stale", 409],
        [True, "unauthorized", 401],
        [True, "no_card", 409],
        [True, "no_card", 409],
        [True, "unknown_receipt", 404],
        [True, "unknown_receipt", 404],
        1,
    ]


def test_killed_between_booking_and_answer_it_is_booked_once(page: Page, process: TillProcess) -> None:
    process.stop()
    process.start(dies=True)
    process.start_again_when_it_dies()
    killed = process.pid
    told = run(
        page,
        process,
        f"""
        const {{ session }} = await till.openSession();
        await till.setBasket(session, {BASKET}, 0);
        await till.identify(session, "{JORIS.card}");
        const before = (await till.status()).queue_length;
        const booked = await till.commit(session);
        return [booked.entry.points, (await till.status()).queue_length - before];
        """,
    )
    process.back()
    assert (told, process.pid != killed) == ([10, 1], True)


def test_patience_ends_in_javascript(page: Page, process: TillProcess) -> None:
    said = run(
        page,
        process,
        "return till.status().catch((error) => error.code);",
        address=f"http://127.0.0.1:{closed_port()}",
        patienceMs=300,
    )
    assert said == "till_unreachable"


def test_events_go_on_after_the_till_was_killed(page: Page, process: TillProcess) -> None:
    page.evaluate(
        """async ([settings]) => {
            const { Till } = await import("/spaarpunt.js");
            window.ends = new AbortController();
            window.heard = [];
            window.over = (async () => {
                const till = new Till(settings);
                for await (const { event } of till.events({ signal: window.ends.signal })) window.heard.push(event);
            })();
        }""",
        [{"address": process.address, "token": process.token}],
    )

    def drop_a_sale() -> None:
        with TillClient(process.address, process.token) as client:
            client.void(client.open_session().session)

    for _ in range(20):
        drop_a_sale()
        if page.evaluate("window.heard.length"):
            break
        page.wait_for_timeout(100)
    assert "session_changed" in page.evaluate("window.heard")
    process.kill()
    process.start()
    page.wait_for_function("() => window.heard.includes('events_missed')")
    page.evaluate("window.heard.length = 0")
    drop_a_sale()
    page.wait_for_function("() => window.heard.includes('session_changed')")
    page.evaluate("window.ends.abort()")
    assert page.evaluate("window.over.then(() => 'over')") == "over"


def test_odoos_page_reaches_the_hardware_and_another_does_not(
    page: Page, process: TillProcess, browser: Browser
) -> None:
    asked = """async ([address]) => {
        const hello = await fetch(`${address}/hw_proxy/hello`).then((answer) => answer.text());
        const rpc = await fetch(`${address}/hw_proxy/handshake`, {
            method: "POST", headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ jsonrpc: "2.0", method: "call", params: {}, id: 7 }) });
        return [hello, await rpc.json()];
    }"""
    assert page.evaluate(asked, [process.address]) == ["ping", {"jsonrpc": "2.0", "id": 7, "result": True}]
    other = serving(0)
    with running(other), browser.new_context() as context:
        stranger = context.new_page()
        stranger.goto(f"http://127.0.0.1:{other.server_port}/blank")
        with pytest.raises(Error, match="Failed to fetch"):
            stranger.evaluate(asked, [process.address])


def test_a_page_pairs_by_itself(page: Page, process: TillProcess, browser: Browser) -> None:
    screen = browser.new_page()
    screen.goto(process.address + "/")
    page.evaluate(
        "async ([address]) => { const { Till } = await import('/spaarpunt.js');"
        " window.till = new Till({ address }); await window.till.askToPair('Webkassa', ['sell', 'read']); }",
        [process.address],
    )
    message = screen.locator(".message .text")
    expect(message).to_contain_text("Webkassa", timeout=20_000)
    code = re.search(r"\b(\d{3}) (\d{3})\b", message.inner_text())
    assert code is not None, message.inner_text()
    token = page.evaluate("([code]) => window.till.pair(code)", [code[1] + code[2]])
    assert run(page, process, "return (await till.status()).till;", token=token) == "kassa 2"
    screen.close()


@pytest.fixture(params=[(1280, 800), (1024, 600)], ids=["large", "small"])
def shop(request: pytest.FixtureRequest, browser: Browser, server: str, process: TillProcess) -> Iterator[Page]:
    """The minimal till, paired before."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    made = context.new_page()
    made.add_init_script(f"localStorage.setItem('spaarpunt-token', '{process.token}')")
    made.goto(f"{server}/?till={process.address}")
    yield made
    context.close()


def test_the_minimal_till_sells_redeems_and_takes_back(shop: Page, process: TillProcess) -> None:
    for article in ("Bread", "Apple pie", "Bread"):
        shop.get_by_role("button", name=article).click()
        expect(shop.locator("#says.wrong")).to_have_count(0)
    expect(shop.locator("#lines li")).to_have_count(2)
    expect(shop.locator("#total")).to_have_text("+ 21 points€21.30")
    with TillClient(process.address, process.token) as client:
        before = client.status().queue_length
    shop.get_by_placeholder("Scan or type").fill(FATIMA.card)
    shop.keyboard.press("Enter")
    expect(shop.locator("#who")).to_have_text("Fatima")
    shop.get_by_role("button", name="Free coffee").click()
    expect(shop.locator("#total")).to_have_text("+ 18 points€18.80")
    look(shop, "sale")
    shop.get_by_role("button", name="Free coffee").click()
    expect(shop.locator("#total")).to_have_text("+ 21 points€21.30")
    shop.get_by_role("button", name="Free coffee").click()
    shop.get_by_role("button", name="Pay").click()
    expect(shop.locator("#says")).to_have_text("Booked.")
    shop.locator("li", has_text="Apple pie").get_by_role("button", name="Return").click()
    expect(shop.locator("li", has_text="Apple pie")).to_contain_text("returned")
    expect(shop.locator("#says")).to_have_text("Taken back.")
    look(shop, "taken-back")
    with TillClient(process.address, process.token) as client:
        assert client.status().queue_length == before + 2
    shop.get_by_role("button", name="Next customer").click()
    expect(shop.locator("#lines li")).to_have_count(0)
    inside = shop.evaluate(
        "[document.documentElement.scrollWidth, innerWidth, document.body.scrollHeight, innerHeight]"
    )
    assert inside[0] <= inside[1]
    assert inside[2] <= inside[3]


def test_the_minimal_till_says_what_is_wrong(shop: Page) -> None:
    shop.get_by_role("button", name="Bread").click()
    shop.get_by_placeholder("Scan or type").fill("4111111111111111")
    shop.keyboard.press("Enter")
    expect(shop.locator("#says.wrong")).to_contain_text("bank card")
    assert "411111" not in shop.content()


def test_the_minimal_till_goes_on_when_the_till_was_restarted(shop: Page, process: TillProcess) -> None:
    shop.get_by_role("button", name="Bread").click()
    shop.get_by_placeholder("Scan or type").fill(SANNE.card)
    shop.keyboard.press("Enter")
    expect(shop.locator("#who")).to_have_text("Sanne")
    process.kill()
    process.start()
    shop.get_by_role("button", name="Tea").click()
    expect(shop.locator("#total")).to_contain_text("€6.30")
    expect(shop.locator("#who")).to_have_text("Sanne")
    shop.get_by_role("button", name="Pay").click()
    expect(shop.locator("#says")).to_have_text("Booked.")


def look(page: Page, name: str) -> None:
    """Keep a picture where a person asked for one: PICTURES=folder."""
    if folder := os.environ.get("PICTURES"):
        size = page.viewport_size or {}
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=f"{folder}/minimal-till-{name}-{size.get('width')}-{scheme}.png")


def test_the_minimal_till_is_short() -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= 150
