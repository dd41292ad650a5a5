import assert from "node:assert/strict";
import { test } from "node:test";

import { backoff, connect, socketUrl } from "../../static/linli/js/live.js";

/** A browser with no network of its own: sockets, clock and connectivity are moved by hand. */
function aBrowser({ random = () => 0.5 } = {}) {
  const sockets = [];
  const timers = new Map();
  const seen = { events: [], resets: [], states: [], errors: [], signedOut: 0 };
  const listeners = new Map();
  let now = 0;
  let nextTimer = 1;

  class FakeSocket {
    readyState = 0;
    sent = [];
    constructor(url) {
      this.url = url;
      sockets.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {
      this.readyState = 3;
    }
    // the server's side
    accept() {
      this.readyState = 1;
      this.onopen();
    }
    say(...frames) {
      for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
    }
    cut() {
      this.readyState = 3;
      this.onclose?.({ code: 1006 });
    }
    end(code) {
      this.readyState = 3;
      this.onclose?.({ code });
    }
  }

  const target = {
    visibilityState: "visible",
    addEventListener: (name, fn) => listeners.set(name, fn),
    removeEventListener: (name) => listeners.delete(name),
  };
  const browser = {
    sockets,
    seen,
    timers,
    listeners,
    navigator: { onLine: true },
    get socket() {
      return sockets.at(-1);
    },
    fire: (name) => listeners.get(name)?.(),
    pass(ms) {
      const until = now + ms;
      for (;;) {
        const due = [...timers].filter(([, t]) => t.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
        if (!due) break;
        timers.delete(due[0]);
        now = due[1].at;
        due[1].fn();
      }
      now = until;
    },
    connect(topics, isSignedOut) {
      return connect({
        url: "/ws/",
        topics,
        onEvent: (event) => seen.events.push(event.seq),
        onReset: (topic, seq) => seen.resets.push([topic, seq]),
        onState: (state) => seen.states.push(state),
        onSignedOut: () => (seen.signedOut += 1),
        isSignedOut,
        onError: (error) => seen.errors.push(error),
        env: {
          WebSocket: FakeSocket,
          setTimeout: (fn, ms) => {
            timers.set(nextTimer, { fn, at: now + ms, ms });
            return nextTimer++;
          },
          clearTimeout: (id) => timers.delete(id),
          random,
          window: target,
          document: target,
          navigator: browser.navigator,
          location: { href: "https://linli.example/board" },
        },
      });
    },
  };
  return browser;
}

const T = "community:1";
const event = (seq, topic = T) => ({ topic, seq, type: "seat.claimed", at: "2025-01-01T20:00:00Z", data: {} });
const subscribed = (seq, topic = T) => ({ do: "subscribed", topic, seq });

function live(since = 41, head = since) {
  const b = aBrowser();
  const connection = b.connect({ [T]: since });
  b.socket.accept();
  b.socket.say(subscribed(head));
  return Object.assign(b, { connection });
}

test("addresses the page's own host over TLS when the page is", () => {
  assert.equal(socketUrl("/ws/", { href: "https://a.example/x" }), "wss://a.example/ws/");
  assert.equal(socketUrl("/ws/", { href: "http://127.0.0.1:8000/" }), "ws://127.0.0.1:8000/ws/");
});

test("subscribes with since, takes the replay and then the stream", () => {
  const b = live(41, 44);
  assert.deepEqual(b.socket.sent, [{ do: "subscribe", topic: T, since: 41 }]);
  b.socket.say(event(42), event(43), event(44), event(45));
  assert.deepEqual(b.seen.events, [42, 43, 44, 45]);
  assert.deepEqual(b.seen.states, ["connecting", "live"]);
});

test("since null starts at the head", () => {
  const b = live(null, 7);
  b.socket.say(event(7), event(8));
  assert.deepEqual(b.seen.events, [8]);
});

test("drops what it has seen", () => {
  const b = live(41);
  b.socket.say(event(42), event(42), event(41), event(43));
  assert.deepEqual(b.seen.events, [42, 43]);
});

test("fills a hole before going on, asking once", () => {
  const b = live(41);
  b.socket.say(event(42), event(45), event(46));
  assert.deepEqual(b.seen.events, [42]);
  assert.deepEqual(b.socket.sent.slice(1), [{ do: "subscribe", topic: T, since: 42 }]);
  b.socket.say(subscribed(46), event(43), event(44), event(45), event(46), event(47));
  assert.deepEqual(b.seen.events, [42, 43, 44, 45, 46, 47]);
});

test("a hole that can't be filled becomes a reset, not a loop", () => {
  const b = live(41);
  for (let i = 0; i < 6; i++) b.socket.say(event(50), subscribed(50));
  assert.deepEqual(b.seen.resets, [[T, 50]]);
  assert.equal(b.socket.sent.length, 1 + 3);
  b.socket.say(event(51));
  assert.deepEqual(b.seen.events, [51]);
});

test("reset moves to the server's seq and goes on from there", () => {
  const b = aBrowser();
  const connection = b.connect({ [T]: 3 });
  b.socket.accept();
  b.socket.say({ do: "reset", topic: T, seq: 900 }, event(901));
  assert.deepEqual(b.seen.resets, [[T, 900]]);
  assert.deepEqual(b.seen.events, [901]);
  assert.deepEqual(connection.seqs(), { [T]: 901 });
  assert.equal(b.seen.states.at(-1), "live");
});

test("a server whose head went back is a reset", () => {
  const b = live(41, 12);
  assert.deepEqual(b.seen.resets, [[T, 12]]);
  b.socket.say(event(13));
  assert.deepEqual(b.seen.events, [13]);
});

test("an event overtaking the answer to subscribe is no reset", () => {
  const b = aBrowser();
  b.connect({ [T]: 41 });
  b.socket.accept();
  b.socket.say(event(42), event(43), subscribed(42));
  assert.deepEqual(b.seen.resets, []);
  assert.deepEqual(b.seen.events, [42, 43]);
});

test("resumes by seq after a cut", () => {
  const b = live(41);
  b.socket.say(event(42), event(43));
  b.socket.cut();
  assert.equal(b.seen.states.at(-1), "reconnecting");
  b.pass(500);
  assert.equal(b.sockets.length, 2);
  b.socket.accept();
  assert.deepEqual(b.socket.sent, [{ do: "subscribe", topic: T, since: 43 }]);
  b.socket.say(subscribed(45), event(44), event(45));
  assert.deepEqual(b.seen.events, [42, 43, 44, 45]);
  assert.equal(b.seen.states.at(-1), "live");
});

test("frames of a socket already left are ignored", () => {
  const b = live(41);
  const old = b.socket;
  const late = old.onmessage;
  old.cut();
  b.pass(500);
  late({ data: JSON.stringify(event(42)) });
  assert.deepEqual(b.seen.events, []);
});

test("several topics keep their own count; live only when all have answered", () => {
  const b = aBrowser();
  b.connect({ [T]: 1, "cell:9": 5 });
  b.socket.accept();
  b.socket.say(subscribed(1));
  assert.equal(b.seen.states.at(-1), "connecting");
  b.socket.say(subscribed(5, "cell:9"), event(6, "cell:9"), event(2), event(1, "cell:404"));
  assert.equal(b.seen.states.at(-1), "live");
  assert.deepEqual(b.seen.events, [6, 2]);
});

test("a refused topic is dropped, the others go on", () => {
  const b = aBrowser();
  const connection = b.connect({ [T]: 1, "cell:9": 5 });
  b.socket.accept();
  b.socket.say(subscribed(1), { do: "error", code: "not_allowed", topic: "cell:9" });
  assert.deepEqual(b.seen.errors, [{ code: "not_allowed", topic: "cell:9" }]);
  assert.deepEqual(connection.seqs(), { [T]: 1 });
  assert.equal(b.seen.states.at(-1), "live");
});

test("echoes every check", () => {
  const b = live(41);
  b.socket.say({ do: "check", n: 7 }, event(42), { do: "check", n: 8 });
  assert.deepEqual(b.socket.sent.slice(1), [{ do: "check", n: 7 }, { do: "check", n: 8 }]);
});

test("survives nonsense and a page that throws", (t) => {
  t.mock.method(console, "error", () => {});
  const b = live(41);
  b.socket.onmessage({ data: "{" });
  b.socket.say(null, 3, { do: "later-word" }, event(42));
  b.seen.events.push = () => {
    throw new Error("page bug");
  };
  b.socket.say(event(43));
  delete b.seen.events.push;
  b.socket.say(event(44));
  assert.deepEqual(b.seen.events, [42, 44]);
});

test("pings, and leaves a line that stays silent", () => {
  const b = live(41);
  b.pass(25_000);
  assert.deepEqual(b.socket.sent.at(-1), { do: "ping" });
  b.socket.say({ do: "pong" });
  b.pass(25_000);
  assert.equal(b.sockets.length, 1);
  b.pass(10_000);
  assert.equal(b.seen.states.at(-1), "reconnecting");
  b.pass(500);
  assert.equal(b.sockets.length, 2);
});

test("back-off: full jitter between nothing and a doubling, capped bound", () => {
  for (let attempt = 0; attempt < 40; attempt++) {
    const bound = Math.min(30_000, 500 * 2 ** attempt);
    assert.equal(backoff(attempt, () => 0), 0);
    assert.ok(backoff(attempt, () => 0.999999) < bound);
    assert.ok(backoff(attempt, () => 0.999999) >= bound * 0.99 - 1);
  }
});

test("back-off grows while the server is away and starts again after a stable connection", () => {
  const b = aBrowser({ random: () => 0.999999 });
  b.connect({ [T]: 1 });
  const waits = [];
  for (let i = 0; i < 8; i++) {
    b.socket.cut();
    waits.push([...b.timers.values()].at(-1).ms);
    b.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [499, 999, 1999, 3999, 7999, 15999, 29999, 29999]);
  b.socket.accept();
  b.socket.say(subscribed(1));
  b.pass(10_000);
  b.socket.cut();
  assert.equal([...b.timers.values()].at(-1).ms, 499);
});

test("a server that accepts and closes at once is not hammered", () => {
  const b = aBrowser({ random: () => 0.999999 });
  b.connect({ [T]: 1 });
  const waits = [];
  for (let i = 0; i < 4; i++) {
    b.socket.accept();
    b.socket.say(subscribed(1));
    b.socket.cut();
    waits.push([...b.timers.values()].at(-1).ms);
    b.pass(waits.at(-1));
  }
  assert.deepEqual(waits, [499, 999, 1999, 3999]);
});

test("offline waits without retrying; online resumes at once", () => {
  const b = live(41);
  b.navigator.onLine = false;
  b.fire("offline");
  assert.equal(b.seen.states.at(-1), "offline");
  b.pass(600_000);
  assert.equal(b.sockets.length, 1);
  b.navigator.onLine = true;
  b.fire("online");
  assert.equal(b.sockets.length, 2);
  b.socket.accept();
  assert.deepEqual(b.socket.sent, [{ do: "subscribe", topic: T, since: 41 }]);
});

test("coming back to the page checks an open line and reopens a lost one", () => {
  const b = live(41);
  b.fire("visibilitychange");
  assert.deepEqual(b.socket.sent.at(-1), { do: "ping" });
  b.socket.cut();
  b.fire("visibilitychange");
  assert.equal(b.sockets.length, 2);
});

test("subscribe and unsubscribe later; close ends everything", () => {
  const b = live(41);
  b.connection.subscribe("member:2", 8);
  assert.deepEqual(b.socket.sent.at(-1), { do: "subscribe", topic: "member:2", since: 8 });
  b.connection.unsubscribe("member:2");
  assert.deepEqual(b.socket.sent.at(-1), { do: "unsubscribe", topic: "member:2" });
  b.connection.close();
  assert.equal(b.seen.states.at(-1), "closed");
  assert.equal(b.timers.size, 0);
  assert.equal(b.listeners.size, 0);
});

test("a session that ended (4401) is told at once and not tried again", () => {
  const b = live();
  b.socket.end(4401);
  assert.equal(b.seen.signedOut, 1);
  b.pass(120_000);
  b.fire("online");
  assert.equal(b.sockets.length, 1);
  assert.equal(b.seen.states.at(-1), "closed");
});

test("a refused handshake asks whether the session ended; a lost line does not", async () => {
  for (const [answer, told] of [[true, 1], [false, 0], [null, 0]]) {
    let asked = 0;
    const b = aBrowser();
    b.connect({ [T]: 41 }, async () => {
      asked += 1;
      if (answer === null) throw new TypeError("no network");
      return answer;
    });
    b.socket.accept();
    b.socket.cut();
    assert.equal(asked, 0);
    b.pass(1000);
    assert.equal(b.sockets.length, 2);
    b.socket.cut(); // never opened
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(asked, 1);
    assert.equal(b.seen.signedOut, told);
    b.pass(60_000);
    assert.equal(b.sockets.length > 2, told === 0);
  }
});
