// Tries this till: `node check.mjs vectors FOLDER` holds it against the golden vectors, `node check.mjs day ORIGIN CODE
// CARD STRANGER FOLDER` plays a day with a head office. Each prints one JSON object; what is not as expected ends it with 1.
import { deepStrictEqual as same } from "node:assert";
import { randomBytes, randomUUID, verify } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { settle, takeBack, Unsupported } from "./settle.mjs";
import { Till } from "./till.mjs";
import { certified, chained, GENESIS, leased, Line, privateKey, publicBytes, publicKey, signatureBase, signedHeaders, token } from "./wire.mjs";

const rows = (file) => fs.readFileSync(file, "utf8").split("\n").filter((row) => /^[^#]/.test(row)).map((row) => row.split(" "));
const json = (file) => JSON.parse(fs.readFileSync(file, "utf8"));
const list = (folder, end) => fs.readdirSync(folder).filter((name) => name.endsWith(end)).sort().map((name) => path.join(folder, name));

function vectors(folder) {
  const counts = { tokens: 0, chain: 0, keys: 0, requests: 0, packed: 0, signed: 0, vouched: 0, mirror: 0, conversation: 0, settlements: 0, beyond: 0 };
  const agree = (kind, made, expected) => { same(made, expected); counts[kind] += 1; };
  for (const [key, number, expected] of rows(`${folder}/card_tokens.txt`)) agree("tokens", token(Buffer.from(key, "hex"), number), expected);
  let digest = GENESIS;
  for (const [number, expected] of rows(`${folder}/chain/digests.txt`)) {
    digest = chained(digest, fs.readFileSync(`${folder}/chain/entry-${number}.json`));
    agree("chain", digest, expected);
  }
  const keys = json(`${folder}/keys.json`), hq = publicKey(Buffer.from(keys.head_office.public, "base64")), key = (name) => privateKey(Buffer.from(keys[name].seed, "hex"));
  for (const name of ["terminal", "next", "head_office"]) agree("keys", publicBytes(key(name)).toString("base64"), keys[name].public);
  for (const file of list(`${folder}/requests`, ".http")) {
    const raw = fs.readFileSync(file), end = raw.indexOf("\r\n\r\n");
    const [first, ...sent] = raw.subarray(0, end).toString().split("\r\n"), [method, target] = first.split(" ");
    const keyid = target === "/v1/terminals" ? "enrol" : keys.terminal.id, created = 1774958400;
    const made = signedHeaders(method, target, raw.subarray(end + 4), key("terminal"), keyid, created, "pyhms");
    for (const [name, value] of sent.map((row) => row.split(/: (.*)/s))) if (name in made) same(made[name], value);
    if (sent.includes("Content-Encoding: zstd")) {
      const { entries, prev_digest, head_digest } = JSON.parse(zstdDecompressSync(raw.subarray(end + 4)));
      agree("packed", entries.reduce(chained, prev_digest), head_digest);
    }
    agree("requests", signatureBase(method, target, made["Content-Digest"], created, keyid)[0], fs.readFileSync(file.replace(/http$/, "base"), "utf8"));
  }
  const steps = list(`${folder}/conversation`, ".json").map(json).filter((step) => step.call), { terminal: { id } } = keys;
  for (const { call, body, status, answer } of steps) {
    if (body?.entries && status === 200) agree("conversation", body.entries.reduce(chained, body.prev_digest), body.head_digest);
    if (answer.certificate)
      agree("vouched", certified(hq, id, answer.epoch, publicBytes(key(call.endsWith("epochs") ? "next" : "terminal")), answer.certificate), true);
    for (const lease of (answer.changes ?? [answer].flat().flatMap((part) => part.rows ?? [])).filter((row) => row.kind === "lease"))
      agree("vouched", leased(hq, lease), true);
  }
  for (const file of list(`${folder}/signed`, ".bin"))
    agree("signed", verify(null, fs.readFileSync(file), hq, Buffer.from(fs.readFileSync(file.replace(/bin$/, "sig"), "utf8"), "base64")), true);
  const parts = steps.find((step) => step.call === "GET /v1/snapshot").answer, page = steps.filter((step) => step.answer.changes).at(-1).answer;
  const knows = (rows) => {
    const till = new Till(folder, "");
    Object.assign(till, { hq, terminal: id, epoch: page.epoch });
    for (const row of rows) till.take(row);
    return [till.accounts, till.cards, till.leases];
  };
  agree("mirror", knows(parts.flatMap((part) => part.rows)), knows(page.changes)); // the whole at once, or all that ever changed
  for (const vector of list(`${folder}/settlements`, ".json").map(json)) {
    try {
      const { sale, before, back, programme, basket, tier, rewards, settlement } = vector;
      agree("settlements", sale ? takeBack(sale, before, back) : { basket, settlement: settle(programme, basket, tier, rewards) }, { basket, settlement });
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      counts.beyond += 1;
    }
  }
  return counts;
}

const DAY = "2026-03-31";
const line = (line_id, sku, quantity, gross_minor) => ({ line_id, sku, gtin: null, category: "", text: sku, quantity, gross_minor, eligible: true });
const refusal = (promise) => promise.then(() => "taken", (error) => error.code ?? String(error));

async function day(origin, code, card, stranger, folder) {
  const till = new Till(folder, origin);
  await till.enrol(code, "second till");
  await till.compare();
  await till.mirror();
  const account = till.cards.get(token(till.cardKey, card)).account, balance = () => till.accounts.get(account).points;
  const opening = balance();
  await till.sell(card, DAY, [line("1", "cheese", 347, 1250)]);
  await till.sell(stranger, DAY, [line("1", "cheese", 1000, 500)]);
  const held = await till.sell(card, DAY, [line("1", "pie", 1000, 1440), line("2", "bread", 2000, 300)], ["five-off"]);
  const first = till.journal.batch(till.terminal, 1, 1, till.clock());
  const sent = await till.send();
  const again = await till.line.call("POST", "/v1/entries", first);
  await till.mirror();
  const leased = await till.sell(card, DAY, [line("1", "pie", 1000, 2000)], ["five-off"]);
  const broken = new Till(folder, origin); // as after a restart: all of it from the folder
  const back = broken.goodsBack(held, { 2: 1000 });
  broken.undo(leased);
  await broken.compare();
  const next = broken.journal.batch(till.terminal, 1, 4, till.clock());
  const refused = {
    gap: await refusal(broken.line.call("POST", "/v1/entries", broken.journal.batch(till.terminal, 1, 5, till.clock()))),
    digest: await refusal(broken.line.call("POST", "/v1/entries", { ...next, head_digest: GENESIS })),
    schema: await refusal(broken.line.call("POST", "/v1/entries", { ...next, schema: 2 })),
    cursor: await refusal(broken.line.call("GET", "/v1/changes/till?cursor=nonsense")),
    key: await refusal(new Line(origin, privateKey(randomBytes(32)), till.terminal).call("GET", "/v1/stream")),
    short: await refusal(broken.line.call("POST", "/v1/holds", { id: randomUUID(), card: held.card, points: 100_000, session: "s", expires_s: 60 })),
  };
  broken.line.offset = -365 * 24 * 3600 * 1000; // a clock a year off: refused once, then signed with head office's time
  const rest = await broken.send();
  broken.cursor = undefined;
  await broken.mirror();
  const free = broken.accounts.get(account).points - [...broken.leases.values()].reduce((all, one) => all + broken.left(one), 0);
  const hold = (points, expires_s) => ({ id: randomUUID(), card: held.card, points, session: "s", expires_s });
  const all = hold(free, 1), one = hold(1, 60);
  await broken.line.call("POST", "/v1/holds", all);
  const tries = []; // another hold of the account is refused until the first one ran out; captured after that, it is late
  do tries.push(await refusal(broken.line.call("POST", "/v1/holds", one))); while (tries.at(-1) === "points_short" && tries.length < 2000);
  const late = await broken.line.call("POST", `/v1/holds/${all.id}/capture`);
  await broken.line.call("DELETE", `/v1/holds/${one.id}`);
  return { account, opening, sent, again: again.results.map((one) => one.outcome), authority: [held.authority, leased.authority],
    refused, rest, clock: Math.abs(broken.line.offset) < 60_000, expiry: [tries[0], tries.at(-1), late.state], back: back.points,
    balance: broken.accounts.get(account).points, agree: await broken.agree(DAY) };
}

const [what, ...more] = process.argv.slice(2);
console.log(JSON.stringify(what === "vectors" ? vectors(...more) : await day(...more)));
