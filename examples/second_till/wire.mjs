// Keys, digests and signed requests: docs/protocol.md in JavaScript, with what Node has. Nothing here knows of loyalty.
import { createHash, createHmac, createPrivateKey, createPublicKey, sign as ed25519, verify } from "node:crypto";
import http from "node:http";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";

export const GENESIS = "0".repeat(64);
const PROTOCOL = "1", PATIENCE_MS = 10_000;
const der = (head, raw) => Buffer.concat([Buffer.from(head, "hex"), raw]); // RFC 8410: what stands before 32 bytes of key

export const privateKey = (seed) => createPrivateKey({ key: der("302e020100300506032b657004220420", seed), format: "der", type: "pkcs8" });
export const publicKey = (raw) => createPublicKey({ key: der("302a300506032b6570032100", raw), format: "der", type: "spki" });
export const publicBytes = (key) => createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

/** The digest of an entry after the one before it, in hex. */
export const chained = (previous, text) => sha256(Buffer.from(previous, "hex"), Buffer.from(text)).toString("hex");

/** The token of a card number. */
export const token = (key, number) => createHmac("sha256", key).update(number, "ascii").digest().subarray(0, 16).toString("hex");

/** Whether head office certified that `raw` is the terminal's key in `epoch`. */
export function certified(hq, terminal, epoch, raw, certificate) {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(epoch);
  const said = Buffer.concat([Buffer.from("spaarpunt terminal key\0"), number, raw, Buffer.from(terminal, "ascii")]);
  return verify(null, said, hq, Buffer.from(certificate, "base64"));
}

/** Whether a lease is head office's word. */
export function leased(hq, lease) {
  const names = ["account", "epoch", "expires_ms", "id", "points", "spent", "state", "terminal"]; // sorted
  const said = JSON.stringify(Object.fromEntries(names.map((name) => [name, lease[name]])));
  return verify(null, Buffer.from(said), hq, Buffer.from(lease.signature, "base64"));
}

/** What a signature is over (RFC 9421 2.5), and its parameters. */
export function signatureBase(method, target, digest, created, keyid) {
  const [path, query = ""] = target.split("?", 2);
  const parts = { "@method": method, "@path": path, "@query": `?${query}`, "spaarpunt-protocol": PROTOCOL, "content-digest": digest };
  const names = Object.keys(parts).map((name) => `"${name}"`).join(" ");
  const parameters = `(${names});created=${created};keyid="${keyid}";alg="ed25519"`;
  const lines = Object.entries(parts).map(([name, value]) => `"${name}": ${value}`);
  return [[...lines, `"@signature-params": ${parameters}`].join("\n"), parameters];
}

/** The headers of a signed request; `body` is the bytes as sent, `created` seconds. */
export function signedHeaders(method, target, body, key, keyid, created, label = "till") {
  const digest = `sha-256=:${sha256(body).toString("base64")}:`;
  const [base, parameters] = signatureBase(method, target, digest, created, keyid);
  const signature = ed25519(null, Buffer.from(base), key).toString("base64");
  return { "Spaarpunt-Protocol": PROTOCOL, "Content-Digest": digest,
    "Signature-Input": `${label}=${parameters}`, Signature: `${label}=:${signature}:` };
}

/** A refusal of head office: `status`, `code` and the other members of its problem. */
export class Refused extends Error {
  constructor(status, problem) {
    super(`${status} ${problem.code}: ${problem.detail}`);
    Object.assign(this, problem, { status });
  }
}

/** Send bytes, and get the answer's bytes; no redirects, one connection a call. */
export function exchange(origin, method, target, headers, body) {
  const length = body.length || method === "POST" ? { "Content-Length": body.length } : {};
  return new Promise((resolve, reject) => {
    const options = { method, path: target, headers: { ...headers, ...length }, timeout: PATIENCE_MS };
    const request = http.request(new URL(origin), options, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part)).on("error", reject);
      const { "content-encoding": encoding, "content-type": type = "", "spaarpunt-protocol": spoken } = answer.headers;
      const [ours, lines] = [spoken === PROTOCOL, type.includes("ndjson")];
      answer.on("end", () => resolve({ status: answer.statusCode, encoding, ours, lines, body: Buffer.concat(parts) }));
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${PATIENCE_MS} ms`))).on("error", reject).end(body);
  });
}

/** Signed calls under one key. The clock goes by head office's after its first `clock_skew`. */
export class Line {
  constructor(origin, key, keyid) { Object.assign(this, { origin, key, keyid, offset: 0 }); }

  async call(method, target, message = null) {
    const body = message === null ? Buffer.alloc(0) : zstdCompressSync(Buffer.from(JSON.stringify(message)));
    const packed = { "Accept-Encoding": "zstd", ...(body.length ? { "Content-Encoding": "zstd", "Content-Type": "application/json" } : {}) };
    for (let again = true; ; again = false) {
      const created = Math.floor((Date.now() + this.offset) / 1000);
      const headers = { ...signedHeaders(method, target, body, this.key, this.keyid, created), ...packed };
      const answer = await exchange(this.origin, method, target, headers, body);
      if (!answer.ours) throw new Error(`${answer.status}, and not from head office: kept, and tried again later`); // a proxy, say
      const text = (answer.encoding === "zstd" ? zstdDecompressSync(answer.body) : answer.body).toString();
      if (answer.status < 300) return answer.lines ? text.trim().split("\n").map((part) => JSON.parse(part)) : JSON.parse(text);
      const refusal = new Refused(answer.status, JSON.parse(text));
      if (refusal.code !== "clock_skew" || !again) throw refusal;
      this.offset = refusal.server_time_ms - Date.now();
    }
  }
}
