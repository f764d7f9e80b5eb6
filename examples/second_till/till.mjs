// A till: its journal, its mirror of head office, and what it sends. Written from docs/protocol.md and docs/entries.md.
import { randomBytes, randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { settle, takeBack } from "./settle.mjs";
import { certified, chained, GENESIS, leased, Line, privateKey, publicBytes, publicKey, Refused, token } from "./wire.mjs";

const MOST_ENTRIES = 500, MOST_BYTES = 512 * 1024, HOLD_S = 900;

/** Entries of one epoch, each flushed to disk before it counts. */
export class Journal {
  constructor(file) {
    this.handle = fs.openSync(file, "a+", 0o600);
    const kept = fs.readFileSync(file);
    const whole = kept.lastIndexOf("\n") + 1; // a line that a power cut left unfinished was never booked
    fs.ftruncateSync(this.handle, whole);
    this.rows = kept.subarray(0, whole).toString().split("\n").slice(0, -1);
    this.digests = [GENESIS];
    for (const text of this.rows) this.digests.push(chained(this.digests.at(-1), text));
  }

  append(text) {
    fs.writeSync(this.handle, text + "\n");
    fs.fsyncSync(this.handle);
    this.rows.push(text);
    this.digests.push(chained(this.digests.at(-1), text));
  }

  /** The batch from number `from`, as many entries as fit. */
  batch(terminal, epoch, from, clock) {
    const entries = [];
    for (let bytes = 0; entries.length < MOST_ENTRIES && from + entries.length <= this.rows.length; ) {
      const text = this.rows[from - 1 + entries.length];
      bytes += Buffer.byteLength(text);
      if (entries.length && bytes > MOST_BYTES) break;
      entries.push(text);
    }
    const to = from + entries.length - 1;
    return { terminal, epoch, from, to, prev_digest: this.digests[from - 1], head_digest: this.digests[to], schema: 1, clock, entries };
  }
}

export class Till {
  /** A till in a folder of its own; enrolled before when the folder says so. */
  constructor(folder, origin) {
    Object.assign(this, { folder, origin, accounts: new Map(), cards: new Map(), leases: new Map(), acknowledged: 0 });
    const file = path.join(folder, "till.json");
    this.said = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : null;
    if (this.said?.terminal) this.open();
  }

  /** Take this till's place at head office; the key is on disk before its public half goes out, and is used again. */
  async enrol(code, name) {
    this.keep({ seed: this.said?.seed ?? randomBytes(32).toString("hex") });
    const key = privateKey(Buffer.from(this.said.seed, "hex"));
    const request = { code, name, public_key: publicBytes(key).toString("base64"), software: "second-till/1" };
    const answer = await new Line(this.origin, key, "enrol").call("POST", "/v1/terminals", request);
    this.keep({ ...this.said, ...answer });
    this.open();
  }

  keep(said) {
    this.said = said;
    fs.writeFileSync(path.join(this.folder, "till.json"), JSON.stringify(said), { mode: 0o600, flush: true });
  }

  open() {
    const { seed, terminal, epoch, hq_public_key, card_key } = this.said;
    Object.assign(this, { terminal, epoch, key: privateKey(Buffer.from(seed, "hex")) });
    Object.assign(this, { hq: publicKey(Buffer.from(hq_public_key, "base64")), cardKey: Buffer.from(card_key, "base64") });
    this.line = new Line(this.origin, this.key, terminal);
    this.journal = new Journal(path.join(this.folder, `journal-${epoch}.ndjson`));
  }

  clock() { return { wall_ms: Date.now(), monotonic_ms: Math.floor(performance.now()), boot_id: "this process" }; }

  /** Ask where the stream stands, before the first sending; head office must vouch for our key. */
  async compare() {
    const { durable_to, head_digest, certificate } = await this.line.call("GET", "/v1/stream");
    if (!certified(this.hq, this.terminal, this.epoch, publicBytes(this.key), certificate)) throw new Error("not our head office");
    if (this.journal.digests[durable_to] !== head_digest) throw new Error("this journal was restored or copied: open the next epoch");
    this.acknowledged = durable_to;
  }

  /** Members, cards, programme and leases: whole at first, afterwards what changed. */
  async mirror() {
    try {
      for (let more = this.cursor !== undefined; more; ) {
        const page = await this.line.call("GET", `/v1/changes/till?cursor=${encodeURIComponent(this.cursor)}`);
        for (const change of page.changes) this.take(change);
        ({ cursor: this.cursor, more } = page);
      }
    } catch (error) {
      if (!["feed_dropped", "feed_epoch", "cursor"].includes(error.code)) throw error;
      this.cursor = undefined;
    }
    if (this.cursor !== undefined) return;
    for (const kept of [this.accounts, this.cards, this.leases]) kept.clear();
    const parts = await this.line.call("GET", "/v1/snapshot");
    for (const part of parts) for (const row of part.rows) this.take(row);
    if (parts.at(-1).section !== "cards" || parts.at(-1).upto !== null) throw new Error("the snapshot was cut");
    this.cursor = parts[0].cursor;
    await this.mirror();
  }

  take(row) {
    if (row.kind === "account") this.accounts.set(row.account, row);
    else if (row.kind === "card") this.cards.set(row.token, row);
    else if (row.kind === "account_gone") this.accounts.delete(row.account);
    else if (row.kind === "card_gone") this.cards.delete(row.token);
    else if (row.kind === "programme" && row.document.version >= (this.programme?.version ?? 0)) this.programme = row.document;
    else if (row.kind === "lease" && row.state !== "active") this.leases.delete(row.id);
    else if (row.kind === "lease" && row.terminal === this.terminal && row.epoch === this.epoch && leased(this.hq, row))
      this.leases.set(row.id, row);
  }

  /** What of a lease is left: by the journal, which was written first, or by head office for a till that lost its own. */
  left(lease) {
    const named = this.journal.rows.flatMap((text) => JSON.parse(text).authority ?? []).filter((one) => one.id === lease.id);
    return lease.points - Math.max(lease.spent, named.reduce((all, one) => all + one.points, 0));
  }

  /** Book a sale; lines as in an entry. Rewards are paid from leases, or from points held for it, or refused. */
  async sell(number, business_date, lines, rewards = []) {
    const card = token(this.cardKey, number), account = this.cards.get(card)?.account ?? null;
    const basket = { currency: this.programme.currency, lines };
    const tier = this.accounts.get(account)?.tier ?? this.programme.tiers[0].id;
    const settlement = settle(this.programme, basket, tier, rewards), session = randomUUID();
    const authority = await this.setAside(card, account, settlement.points_spent, session);
    const points = settlement.points_earned - settlement.points_spent;
    return this.write("sale", { session, business_date, card, account, tier, basket, settlement, points, ...(authority.length ? { authority } : {}) });
  }

  async setAside(card, account, points, session) {
    const authority = [];
    for (const lease of this.leases.values()) {
      const part = Math.min(points, this.left(lease));
      if (lease.account !== account || part <= 0 || lease.expires_ms <= Date.now() + this.line.offset) continue;
      points -= part;
      authority.push({ kind: "lease", id: lease.id, points: part });
    }
    if (!points) return authority;
    const held = await this.line.call("POST", "/v1/holds", { id: randomUUID(), card, points, session, expires_s: HOLD_S });
    return [...authority, { kind: "hold", id: held.id, points }];
  }

  /** Undo a whole sale, or take back some of it; `back` is thousandths by line id. */
  undo(sale) {
    return this.write("void", { ...this.about(sale), points: -sale.points, reverses: sale.id });
  }

  goodsBack(sale, back) {
    const { basket, settlement } = takeBack(sale, {}, back);
    const points = settlement.points_earned - settlement.points_spent;
    return this.write("return", { ...this.about(sale), basket, settlement, points, original: sale.id });
  }

  /** What an entry about a sale has of it: all but what is the entry's own, also the programme of then. */
  about({ authority, seq, id, ...sale }) {
    return { ...sale, session: randomUUID() };
  }

  write(kind, said) {
    const clock = { ...this.clock(), offset_ms: this.line.offset || null };
    const rules = said.programme ? {} : { programme: this.programme.id, programme_version: this.programme.version };
    const place = { terminal: this.terminal, epoch: this.epoch, seq: this.journal.rows.length + 1 };
    const entry = { ...said, ...rules, schema_version: 1, ...place, id: randomUUID(), kind, clock };
    this.journal.append(JSON.stringify(entry));
    return entry;
  }

  /** Hand over what head office does not have; it says what it made of each entry. */
  async send() {
    const results = [];
    while (this.acknowledged < this.journal.rows.length) {
      const batch = this.journal.batch(this.terminal, this.epoch, this.acknowledged + 1, this.clock());
      try {
        const answer = await this.line.call("POST", "/v1/entries", batch);
        results.push(...answer.results);
        this.acknowledged = answer.durable_to;
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== "gap") throw error;
        this.acknowledged = error.wanted_seq - 1;
      }
    }
    return results;
  }

  /** Whether head office counts this day of ours as we do. */
  async agree(day) {
    const { proof } = await this.line.call("GET", `/v1/proofs/${day}`);
    const ours = this.journal.rows.map((text) => JSON.parse(text)).filter((entry) => entry.business_date === day);
    const total = (name) => ours.reduce((all, entry) => all + (entry.kind === "void" ? -1 : 1) * entry.settlement[name], 0);
    const last = ours.at(-1)?.seq ?? 0;
    const own = { terminal: this.terminal, epoch: this.epoch, business_date: day, entries: ours.length, last_seq: last,
      points_earned: total("points_earned"), points_spent: total("points_spent"), head_digest: last ? this.journal.digests[last] : "" };
    return Object.keys({ ...own, ...proof }).every((name) => own[name] === proof[name]);
  }
}
