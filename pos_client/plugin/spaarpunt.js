/**
 * The client of Spaarpunt's loopback API for web pages: one module, nothing else needed. Copy it, or take it from here.
 *
 * Amounts are integers in minor units, points are integers, quantities thousandths. Answers are as docs/openapi.json has
 * them. A call that got no answer is made again with the same Idempotency-Key until the till answers: it is carried out
 * once, also when the till was killed and started in between. Every call rejects with a SpaarpuntProblem.
 */

/** How long a call is made again, in milliseconds: a till that was killed is back within this. */
export const PATIENCE_MS = 15_000;
/** A call takes milliseconds; a disk that needs longer than this is failing. */
export const TIMEOUT_MS = 10_000;
/** Longer than the till waits for a printer that takes no data. */
const PRINT_TIMEOUT_MS = 60_000;
/** The stream sends a comment every 15 seconds: after three of those in silence the till is gone. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;
/** Problems that pass: the same call, with the same key, may succeed a moment later. */
const AGAIN = new Set(["till_unreachable", "idempotency_key_under_way", "rate_limited"]);

/** The till said no. `code` never changes (docs/plugin.md lists them); `status` is 0 when there was no answer at all. */
export class SpaarpuntProblem extends Error {
  constructor(code, status, detail, problem = {}) {
    super(`${detail} (${code})`);
    this.name = "SpaarpuntProblem";
    this.code = code;
    this.status = status;
    this.detail = detail;
    /** The whole of RFC 9457's problem details: `errors` of a wrong body, `current` of a stale basket. */
    this.problem = problem;
  }
}

/** One till. */
export class Till {
  #address;
  #token;
  #patience;

  /**
   * @param {{address?: string, token?: string | null, patienceMs?: number}} [settings] `token` from an earlier pairing.
   */
  constructor({ address = "http://127.0.0.1:8321", token = null, patienceMs = PATIENCE_MS } = {}) {
    this.#address = address.replace(/\/+$/, "");
    this.#token = token;
    this.#patience = patienceMs;
  }

  /** Who is there. Needs no token. */
  hello() {
    return this.#call("GET", "/v1/hello");
  }

  /** Ask for a token: the cashier's screen shows a code of six digits, which `pair` takes. */
  askToPair(name, scopes = ["sell", "read"]) {
    return this.#call("POST", "/v1/pair", { body: { name, scopes } });
  }

  /** Take the token with the code, and use it from now on. Keep it: it is told this once. @returns {Promise<string>} */
  async pair(code) {
    const paired = await this.#call("POST", "/v1/pair", { body: { code } });
    this.#token = paired.token;
    return paired.token;
  }

  /** Start a sale; with an id of your own, the same id again is the same session. `cashier`: who serves. */
  openSession(id, cashier) {
    return this.#call("POST", "/v1/sessions", { body: { id, cashier }, once: id === undefined });
  }

  /** Put the whole basket, `{currency, lines}`, made from the one that `version` is the `basket_version` of; 0 at first. */
  setBasket(session, basket, version) {
    return this.#call("PUT", path(session, "basket"), { body: { ...basket, version } });
  }

  /** Give the sale a card by its number. */
  identify(session, card) {
    return this.#call("POST", path(session, "identify"), { body: { card } });
  }

  /** Prove the card by the member's PIN. */
  enterPin(session, pin) {
    return this.#call("POST", path(session, "pin"), { body: { pin } });
  }

  /** What the sale comes to now. */
  quote(session) {
    return this.#call("POST", path(session, "quote"));
  }

  /** Take a reward. `amountMinor`: for points as part payment, what is paid with them. */
  redeem(session, reward, amountMinor) {
    return this.#call("POST", path(session, "redeem"), { body: { reward, amount_minor: amountMinor }, once: true });
  }

  /** Take a chosen reward off the sale again. */
  unredeem(session, reward) {
    return this.#call("DELETE", `${path(session, "redeem")}/${encodeURIComponent(reward)}`, { once: true });
  }

  /** Take the coupon with this single-use code. */
  useCoupon(session, code) {
    return this.#call("POST", path(session, "coupons"), { body: { code }, once: true });
  }

  /** Say that the customer begins to pay: "cash", "card" or "other". */
  tender(session, kind) {
    return this.#call("POST", path(session, "tender"), { body: { kind } });
  }

  /** Book the sale. When this resolves it is on the till's disk. */
  commit(session) {
    return this.#call("POST", path(session, "commit"), { once: true });
  }

  /** Drop an open sale, or reverse a booked one. */
  voidSale(session) {
    return this.#call("POST", path(session, "void"), { once: true });
  }

  /** Take goods back from a sale: `lines` are thousandths by line id. */
  returnGoods(id, sale, lines) {
    return this.#call("POST", "/v1/returns", { body: { id, sale, lines: listed(lines) }, once: true });
  }

  /** Take goods back from `sale` and book the open `session` in one. */
  exchange(session, sale, lines) {
    return this.#call("POST", "/v1/exchanges", { body: { session, sale, lines: listed(lines) }, once: true });
  }

  /** Book a sale that was paid while the till did not answer: `{receipt, card, currency, lines, cashier, tender}`. */
  attachLate(sale) {
    return this.#call("POST", "/v1/late", { body: sale, once: true });
  }

  /** What the holder of a card has, by its number. */
  balance(card) {
    return this.#call("GET", `/v1/members/${encodeURIComponent(card)}/balance`);
  }

  /** A receipt of this till as text, by the number on it or its entry's id. */
  receipt(number) {
    return this.#call("GET", `/v1/receipts/${encodeURIComponent(number)}?form=json`);
  }

  /** Print a receipt of this till; resolves when it is on paper. */
  printReceipt(receipt) {
    const to = `/v1/receipts/${encodeURIComponent(receipt)}/print`;
    return this.#call("POST", to, { once: true, timeoutMs: PRINT_TIMEOUT_MS });
  }

  /** How the till is doing. */
  status() {
    return this.#call("GET", "/v1/status");
  }

  /**
   * What happens at the till, for ever: `for await (const { id, event, data } of till.events({ signal }))`.
   *
   * A stream that breaks is opened again and goes on after the last event; `events_missed` says that some are lost.
   * Ends when `signal` is aborted; throws for what waiting does not mend (no token, too many listeners).
   * @param {{lastId?: string, signal?: AbortSignal}} [from]
   */
  async *events({ lastId, signal } = {}) {
    let last = lastId;
    for (let fault = 0; !signal?.aborted; fault += 1) {
      const silence = new AbortController();
      const ends = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
      let timer = setTimeout(() => silence.abort(), SILENCE_MS);
      try {
        const headers = { ...this.#headers(), Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
        const response = await fetch(`${this.#address}/v1/events`, { headers, signal: ends, cache: "no-store" });
        if (!response.ok) throw await problemOf(response);
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        fault = 0;
        for (let rest = "", read = await reader.read(); !read.done; read = await reader.read()) {
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENCE_MS);
          const blocks = (rest + read.value).split("\n\n");
          rest = blocks.pop();
          for (const event of blocks.map(parsed).filter(Boolean)) {
            last = event.id ?? last;
            yield { ...event, id: last };
          }
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof SpaarpuntProblem && !AGAIN.has(error.code)) throw error;
      } finally {
        clearTimeout(timer);
        silence.abort(); // a page that breaks out of its loop leaves no stream open behind it
      }
      await pause(fault, 0);
    }
  }

  #headers() {
    return this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
  }

  async #call(method, to, { body, once = false, timeoutMs = TIMEOUT_MS } = {}) {
    const headers = this.#headers();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (once) headers["Idempotency-Key"] = key();
    const request = { method, headers, cache: "no-store", body: body && JSON.stringify(body) };
    const until = Date.now() + this.#patience;
    for (let tries = 0; ; tries += 1) {
      try {
        return await ask(this.#address + to, { ...request, signal: AbortSignal.timeout(timeoutMs) });
      } catch (error) {
        if (!AGAIN.has(error.code) || Date.now() >= until) throw error;
        await pause(tries, error.waitMs ?? 0);
      }
    }
  }
}

async function ask(url, request) {
  let response;
  try {
    response = await fetch(url, request);
    if (response.ok) return await response.json();
  } catch (error) {
    throw new SpaarpuntProblem("till_unreachable", 0, `the till does not answer (${error.message}): is it running?`);
  }
  throw await problemOf(response);
}

async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `expected a till, got an answer of status ${response.status}`;
  const found = new SpaarpuntProblem(problem.code ?? "unexpected_answer", response.status, detail, problem);
  found.waitMs = 1000 * (Number(response.headers.get("Retry-After")) || 0);
  return found;
}

/** One event of the stream (HTML Living Standard, 9.2); null for a comment. */
function parsed(block) {
  const fields = {};
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name) fields[name] = value;
  }
  if (fields.data === undefined) return null;
  return { id: fields.id, event: fields.event ?? "message", data: JSON.parse(fields.data) };
}

function pause(tries, leastMs) {
  const grown = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries) + FIRST_WAIT_MS * Math.random();
  return new Promise((resolve) => setTimeout(resolve, Math.max(leastMs, grown)));
}

/** 128 random bits. Not `crypto.randomUUID`, which pages without TLS have not. */
function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function path(session, call) {
  return `/v1/sessions/${encodeURIComponent(session)}/${call}`;
}

function listed(lines) {
  return Object.entries(lines).map(([line_id, quantity]) => ({ line_id, quantity }));
}
