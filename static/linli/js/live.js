/* The client of the /ws/ protocol (docs/ui.md, "live.js"): a topic's events arrive once each, in
 * order, without holes, whatever the network does. It knows nothing of pages. */

const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
const STABLE_AFTER_MS = 10_000;
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
const ASKS_BEFORE_RESET = 3;
const OPEN = 1;
const SIGNED_OUT = 4401;

/** Wait before retry number `attempt` (0, 1, …): full jitter, so a town does not return at once. */
export function backoff(attempt, random = Math.random) {
  return Math.floor(random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 16)));
}

/** "/ws/" → "wss://host/ws/" on the page's own host. */
export function socketUrl(url, location = globalThis.location) {
  if (/^wss?:/.test(url)) return url;
  const absolute = new URL(url, location.href);
  absolute.protocol = absolute.protocol === "https:" ? "wss:" : "ws:";
  return absolute.href;
}

/**
 * Follow topics and return `{subscribe, unsubscribe, seqs, reconnect, close}`.
 *
 * topics    {name: since}; since = the seq the page was rendered at, or null for "from now"
 * onEvent   (event {topic, seq, type, at, data}); an exception in it is logged, never fatal
 * onReset   (topic, seq): reload that view, the stream goes on from seq
 * onState   ("connecting" | "live" | "reconnecting" | "offline" | "closed")
 * onSignedOut ()  the session ended (the server said so, or `isSignedOut` after a refused handshake)
 * isSignedOut ()  → promise of true when the session has ended; asked when a socket never opened
 * onError   ({code, topic}): the server refused; a refused topic is dropped
 */
export function connect({ url = "/ws/", topics = {}, onEvent, onReset, onState, onSignedOut, isSignedOut, onError, env = {} }) {
  const Socket = env.WebSocket ?? globalThis.WebSocket;
  const setTimer = env.setTimeout ?? ((fn, ms) => globalThis.setTimeout(fn, ms));
  const clearTimer = env.clearTimeout ?? ((id) => globalThis.clearTimeout(id));
  const random = env.random ?? Math.random;
  const win = env.window ?? globalThis.window;
  const doc = env.document ?? globalThis.document;
  const online = () => (env.navigator ?? globalThis.navigator)?.onLine !== false;
  const target = socketUrl(url, env.location ?? globalThis.location);

  const held = new Map(); // name → {last, asking, fresh, settled, asks}
  let socket = null;
  let attempt = 0;
  let state = "";
  let over = false;
  let retryTimer = null;
  let pingTimer = null;
  let pongTimer = null;
  let stableTimer = null;

  const add = (name, since) =>
    held.set(name, { last: since ?? null, asking: false, fresh: true, settled: false, asks: 0 });
  for (const [name, since] of Object.entries(topics)) add(name, since);

  function tell(next) {
    if (next === state) return;
    state = next;
    call(onState, next);
  }

  function call(fn, ...args) {
    try {
      fn?.(...args);
    } catch (error) {
      console.error(error);
    }
  }

  function send(frame) {
    if (socket?.readyState === OPEN) socket.send(JSON.stringify(frame));
  }

  function ask(name, topic) {
    topic.asking = true;
    send({ do: "subscribe", topic: name, since: topic.last });
  }

  function settle(topic) {
    if (topic) {
      topic.settled = true;
      topic.asking = false;
    }
    if (socket?.readyState === OPEN && [...held.values()].every((each) => each.settled)) tell("live");
  }

  // ── frames ──────────────────────────────────────────────────────────────────────────────────

  function receive(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame === null || typeof frame !== "object") return;
    heard();
    const topic = held.get(frame.topic);
    switch (frame.do) {
      case undefined:
        if (topic) take(frame, topic);
        break;
      case "subscribed":
        if (topic) subscribed(frame, topic);
        break;
      case "reset":
        if (topic) reset(frame.topic, frame.seq, topic);
        break;
      case "check":
        send({ do: "check", n: frame.n });
        break;
      case "error":
        if (topic && frame.code !== "bad_request") held.delete(frame.topic);
        call(onError, { code: frame.code, topic: frame.topic });
        settle(held.get(frame.topic));
        break;
      default: // pong, and words of a later protocol
    }
  }

  function take(event, topic) {
    topic.fresh = false;
    if (topic.last !== null && event.seq <= topic.last) return; // seen: a replay overlaps the stream
    if (topic.last !== null && event.seq > topic.last + 1) return hole(event, topic);
    topic.last = event.seq;
    topic.asks = 0;
    call(onEvent, event);
  }

  /* A hole: drop what is beyond it and ask for everything since the last seq held. A server that
   * does not fill it after a few asks can't: then reload the view, which is always right. */
  function hole(event, topic) {
    if (topic.asking) return;
    topic.asks += 1;
    if (topic.asks > ASKS_BEFORE_RESET) return reset(event.topic, event.seq, topic);
    ask(event.topic, topic);
  }

  function subscribed(frame, topic) {
    if (topic.last === null) topic.last = frame.seq;
    else if (topic.fresh && frame.seq < topic.last) {
      return reset(frame.topic, frame.seq, topic); // the server went back (a restored backup)
    }
    topic.fresh = false;
    settle(topic);
  }

  function reset(name, seq, topic) {
    Object.assign(topic, { last: seq, asks: 0, fresh: false });
    call(onReset, name, seq);
    settle(topic);
  }

  // ── the connection ──────────────────────────────────────────────────────────────────────────

  function open() {
    stopTimers();
    if (over) return;
    if (!online()) return tell("offline");
    tell(state === "" ? "connecting" : "reconnecting");
    const mine = new Socket(target);
    let opened = false;
    socket = mine;
    mine.onopen = () => {
      if (socket !== mine) return;
      opened = true;
      for (const [name, topic] of held) {
        Object.assign(topic, { fresh: true, settled: false, asks: 0 });
        ask(name, topic);
      }
      settle();
      stableTimer = setTimer(() => (attempt = 0), STABLE_AFTER_MS);
      pingTimer = setTimer(ping, PING_EVERY_MS);
    };
    mine.onmessage = (message) => socket === mine && receive(message.data);
    mine.onclose = (event) => {
      if (socket !== mine) return;
      if (event?.code === SIGNED_OUT) return signedOut();
      lost();
      if (!opened) askWhy();
    };
    mine.onerror = () => {}; // a close always follows
  }

  /* A script cannot see why a handshake was refused: a 403 looks like a dead network. */
  async function askWhy() {
    if (over || !online()) return;
    try {
      if (await isSignedOut?.()) signedOut();
    } catch {
      // no answer either: the network, not the session
    }
  }

  function signedOut() {
    if (over) return;
    close();
    call(onSignedOut);
  }

  function lost() {
    drop();
    if (over) return;
    if (!online()) return tell("offline");
    tell("reconnecting");
    retryTimer = setTimer(open, backoff(attempt, random));
    attempt += 1;
  }

  /* Let go of the socket at once: close() on a dead network can take minutes to report. */
  function drop() {
    stopTimers();
    const old = socket;
    socket = null;
    if (!old) return;
    old.onopen = old.onmessage = old.onclose = old.onerror = null;
    try {
      old.close();
    } catch {
      // already closed
    }
  }

  function stopTimers() {
    for (const id of [retryTimer, pingTimer, pongTimer, stableTimer]) if (id !== null) clearTimer(id);
    retryTimer = pingTimer = pongTimer = stableTimer = null;
  }

  function ping() {
    if (pingTimer !== null) clearTimer(pingTimer);
    pingTimer = setTimer(ping, PING_EVERY_MS);
    send({ do: "ping" });
    pongTimer ??= setTimer(lost, PONG_WITHIN_MS);
  }

  /* Any frame proves the line. */
  function heard() {
    if (pongTimer !== null) clearTimer(pongTimer);
    pongTimer = null;
  }

  function reconnect() {
    if (over) return;
    if (socket?.readyState === OPEN) return ping();
    drop();
    attempt = 0;
    open();
  }

  function close() {
    over = true;
    drop();
    win?.removeEventListener?.("online", onOnline);
    win?.removeEventListener?.("offline", onOffline);
    win?.removeEventListener?.("pageshow", onVisible);
    doc?.removeEventListener?.("visibilitychange", onVisible);
    tell("closed");
  }

  const onOnline = () => reconnect();
  const onOffline = () => {
    drop();
    tell("offline");
  };
  const onVisible = () => doc.visibilityState === "visible" && reconnect();
  win?.addEventListener?.("online", onOnline);
  win?.addEventListener?.("offline", onOffline);
  win?.addEventListener?.("pageshow", onVisible);
  doc?.addEventListener?.("visibilitychange", onVisible);

  open();

  return {
    /** Follow one more topic (or, if already followed, change nothing). */
    subscribe(name, since = null) {
      if (held.has(name)) return;
      add(name, since);
      if (socket?.readyState === OPEN) ask(name, held.get(name));
    },
    unsubscribe(name) {
      if (held.delete(name)) send({ do: "unsubscribe", topic: name });
      settle();
    },
    /** The last seq held, by topic. */
    seqs: () => Object.fromEntries([...held].map(([name, topic]) => [name, topic.last])),
    reconnect,
    close,
  };
}
