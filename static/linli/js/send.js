/* POST JSON exactly once in effect: every attempt has an Idempotency-Key that is kept, with its
 * body, until the server has answered; so a tap in a dead spot can be sent again as it was. */

const PREFIX = "linli:unsent:";
const ANSWER_WITHIN_MS = 20_000;

export function uuid() {
  if (globalThis.crypto?.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // pages served without TLS
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function csrf(doc = globalThis.document) {
  return doc?.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

const memory = new Map(); // where storage is refused (private windows)
function keep(slot, attempt) {
  try {
    localStorage.setItem(PREFIX + slot, JSON.stringify(attempt));
  } catch {
    memory.set(slot, attempt);
  }
}
function kept(slot) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + slot)) ?? memory.get(slot) ?? null;
  } catch {
    return memory.get(slot) ?? null;
  }
}
function forget(slot) {
  memory.delete(slot);
  try {
    localStorage.removeItem(PREFIX + slot);
  } catch {
    // nothing was kept
  }
}

/** The attempt of this member that still has no answer, or null. Another member's is not theirs. */
export function unsent(slot, member = "") {
  const attempt = kept(slot);
  return attempt && attempt.member === member ? attempt : null;
}

/**
 * Send `body` once; an attempt of `slot` that still has no answer is sent instead, as it was.
 *
 * → {outcome: "done", status, data, replayed} · {outcome: "refused", status, problem} (the key is
 * spent: the next try is a new attempt) · {outcome: "unsent", reason: "network" | "busy" | "broken"
 * | "signed_out", after} (the key is kept).
 */
export async function sendOnce({ slot, url, body, member = "", fetch = globalThis.fetch }) {
  let attempt = unsent(slot, member);
  if (!attempt) {
    attempt = { key: uuid(), url, body, member };
    keep(slot, attempt);
  }
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ANSWER_WITHIN_MS);
  let response;
  let data;
  try {
    response = await fetch(attempt.url, {
      method: "POST",
      credentials: "same-origin",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, application/problem+json",
        "X-CSRFToken": csrf(),
        "Idempotency-Key": attempt.key,
      },
      body: JSON.stringify(attempt.body),
      signal: abort.signal,
    });
    data = await response.json().catch((error) => {
      if (error.name === "SyntaxError") return {};
      throw error; // cut in the middle of the answer: the outcome is not known
    });
  } catch {
    return { outcome: "unsent", reason: "network" };
  } finally {
    clearTimeout(timer);
  }
  const { status } = response;
  if (response.ok) {
    forget(slot);
    return { outcome: "done", status, data, replayed: response.headers.get("Idempotent-Replayed") === "true" };
  }
  if (status === 429) {
    return { outcome: "unsent", reason: "busy", after: Number(response.headers.get("Retry-After")) || 10 };
  }
  if (status >= 500 || status === 408) return { outcome: "unsent", reason: "broken" };
  if (status === 401 || data.code === "not_authenticated" || data.code === "csrf_failed") {
    return { outcome: "unsent", reason: "signed_out" };
  }
  forget(slot);
  return { outcome: "refused", status, problem: data };
}
