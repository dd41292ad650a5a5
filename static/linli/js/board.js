/* Parts of a page that follow live topics: on an event their HTML is fetched again from the server.
 *
 *   data-live-topic    "community:3", or several with spaces between
 *   data-live-since    the seq each was rendered at, in the same order
 *   data-live-refresh  where the part's inner HTML comes from
 *   data-live-types    only these events: "seat.* shift.created" (all when absent)
 *   data-live-wait     milliseconds to gather events (300)
 *   data-live-announce, data-say-seat-claimed="…{open_seats}…"   what is read out
 *   data-live-key      on pieces inside: a piece whose text changed is lit for a moment
 */

import { connect } from "./live.js";
import { announce, fill, say } from "./words.js";

const LONGEST_WAIT_MS = 2000;
const parts = new Map(); // element → what is known of it
let connection = null;

const words = (text) => (text ?? "").split(/\s+/).filter(Boolean);

function wants(element, type) {
  const types = words(element.dataset.liveTypes);
  return !types.length || types.some((t) => (t.endsWith("*") ? type.startsWith(t.slice(0, -1)) : t === type));
}

export function wake() {
  const topics = new Map();
  for (const element of parts.keys()) if (!element.isConnected) parts.delete(element);
  for (const element of document.querySelectorAll("[data-live-topic]")) {
    if (parts.has(element)) continue;
    const names = words(element.dataset.liveTopic);
    const since = words(element.dataset.liveSince);
    parts.set(element, { topics: names, timer: null, first: 0, busy: false, dirty: false, tries: 0 });
    names.forEach((name, i) => {
      const seq = since[i] === undefined || since[i] === "" ? null : Number(since[i]);
      const known = topics.get(name);
      // two parts of one topic: from the older, a refresh too many does no harm
      topics.set(name, !topics.has(name) ? seq : known === null || seq === null ? known ?? seq : Math.min(known, seq));
    });
  }
  if (!topics.size) return;
  if (connection) {
    const held = connection.seqs();
    for (const [name, since] of topics) {
      if (!(name in held)) connection.subscribe(name, since);
      else if (since !== null && held[name] !== null && since < held[name]) {
        for (const [element, part] of parts) if (part.topics.includes(name)) soon(element);
      }
    }
    return;
  }
  connection = connect({
    url: document.body.dataset.liveUrl,
    topics: Object.fromEntries(topics),
    onEvent,
    onReset: (topic) => {
      for (const [element, part] of parts) if (part.topics.includes(topic)) soon(element);
    },
    onError: ({ code, topic }) => {
      if (code === "not_allowed" && topic) document.dispatchEvent(new CustomEvent("live:denied", { detail: { topic } }));
    },
    isSignedOut: async () => {
      const answer = await fetch("/api/v1/me", { credentials: "same-origin", cache: "no-store" });
      if (answer.ok) return String((await answer.json()).id) !== document.body.dataset.member; // somebody else now
      return answer.status === 401 || answer.status === 403;
    },
    onSignedOut: () => {
      document.body.hidden = true; // at once: the next to sit here must not read it
      location.replace(document.body.dataset.signIn);
    },
    onState: (state) => {
      showState(state);
      for (const [element, part] of parts) {
        element.classList.toggle("is-stale", state === "offline");
        if (state === "live" && part.dirty) soon(element);
      }
    },
  });
}

export function showState(state) {
  const box = document.getElementById("connection");
  if (!box) return;
  box.dataset.state = state === "closed" ? "idle" : state;
  box.querySelector(".connection__text").textContent = box.dataset[state] ?? "";
}

function onEvent(event) {
  document.dispatchEvent(new CustomEvent("live:event", { detail: event }));
  for (const [element, part] of parts) {
    if (!element.isConnected || !part.topics.includes(event.topic) || !wants(element, event.type)) continue;
    part.said =
      say(element, event.type, event.data) ??
      (element.dataset.liveAnnounce ? fill(element.dataset.liveAnnounce, event.data) : part.said);
    soon(element);
  }
}

/* Gather a burst, but never longer than two seconds. */
function soon(element, wait) {
  const part = parts.get(element);
  if (!part) return;
  part.dirty = true;
  const now = performance.now();
  if (part.timer === null) part.first = now;
  clearTimeout(part.timer);
  const gather = wait ?? Number(element.dataset.liveWait ?? 300);
  part.timer = setTimeout(() => {
    part.timer = null;
    refresh(element, part);
  }, wait ?? Math.max(0, Math.min(gather, part.first + LONGEST_WAIT_MS - now)));
}

async function refresh(element, part) {
  if (!element.isConnected || !element.dataset.liveRefresh) return;
  if (part.busy) return soon(element, 200);
  const active = document.activeElement;
  if (active && element.contains(active) && active.matches("input:not([type=checkbox],[type=radio]), textarea, select")) {
    return soon(element, 1500); // somebody is typing here
  }
  part.busy = true;
  part.dirty = false;
  try {
    const response = await fetch(element.dataset.liveRefresh, {
      credentials: "same-origin",
      cache: "no-store",
      headers: { "HX-Request": "true", Accept: "text/html" },
    });
    if (response.redirected || [401, 403, 404].includes(response.status)) return location.reload(); // signed out, or no longer theirs
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const html = await response.text();
    swap(element, html);
    part.tries = 0;
    if (part.said) announce(part.said);
    part.said = undefined;
  } catch {
    // no network, or the server is restarting: what is shown is old until this succeeds
    part.tries += 1;
    soon(element, Math.min(30_000, 1000 * 2 ** part.tries) * (0.5 + Math.random() / 2));
  } finally {
    part.busy = false;
  }
}

function swap(element, html) {
  const before = texts(element);
  if (globalThis.htmx?.swap) globalThis.htmx.swap(element, html, { swapStyle: "innerHTML" });
  else element.innerHTML = html;
  requestAnimationFrame(() => {
    for (const [key, { piece, text }] of texts(element)) {
      if (before.get(key)?.text !== text) piece.classList.add("is-new");
    }
  });
  element.dispatchEvent(new CustomEvent("live:refreshed", { bubbles: true }));
}

function texts(element) {
  const found = new Map();
  for (const piece of element.querySelectorAll("[data-live-key]")) {
    found.set(piece.dataset.liveKey, { piece, text: piece.textContent.replace(/\s+/g, " ") });
  }
  return found;
}
