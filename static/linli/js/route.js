/* The map of a patrol's way, and noting one's track while the page is open (only where the member
 * switched it on). Points that could not be sent stay on the phone, with their key. */

import { csrf } from "./send.js";

const WAY = ["#7a2e8c", "#1f5b4d", "#8a4b00", "#244b8f"];

async function draw(frame) {
  let route;
  try {
    const answer = await fetch(frame.dataset.route, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    route = await answer.json();
  } catch {
    frame.textContent = frame.dataset.sayFailed;
    frame.classList.add("route-map--failed");
    return;
  }
  const L = globalThis.L;
  const map = L.map(frame, { zoomControl: false, zoomSnap: 0.25, attributionControl: false });
  L.control.zoom({ zoomInTitle: frame.dataset.sayZoomIn, zoomOutTitle: frame.dataset.sayZoomOut }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  map.createPane("ground").style.zIndex = 250;
  const all = L.featureGroup().addTo(map);
  route.tours.forEach((tour, at) => {
    const line = tour.geometry.coordinates.map(([lon, lat]) => [lat, lon]);
    L.polyline(line, { color: "#ffffff", weight: 9, opacity: 0.9, interactive: false }).addTo(all);
    L.polyline(line, { color: WAY[at % WAY.length], weight: 4, interactive: false }).addTo(all);
    for (const arrow of arrows(line)) {
      L.polyline(arrow, { color: "#1c1a17", weight: 2.5, interactive: false }).addTo(all);
    }
  });
  const place = [route.meeting.lat, route.meeting.lon];
  L.circleMarker(place, { radius: 9, color: "#ffffff", weight: 3, fillColor: "#b3261e", fillOpacity: 1 })
    .bindTooltip(text(frame.dataset.sayMeeting), { permanent: true, direction: "auto", offset: [8, 0] })
    .addTo(all);
  map.fitBounds(all.getBounds(), { padding: [18, 18] });
  streets(frame.dataset.streets, map, L);
}

// The town's streets below the way, once they are there: the way can be followed without them.
async function streets(url, map, L) {
  try {
    const answer = await fetch(url);
    if (!answer.ok) return;
    const style = { color: "#9298a1", weight: 1.5, interactive: false };
    const renderer = L.canvas({ pane: "ground", padding: 0.5 });
    L.geoJSON(await answer.json(), { style, renderer, pane: "ground", interactive: false }).addTo(map);
  } catch {
    // No net: the way alone is shown.
  }
}

// A tooltip takes HTML: a name must stay a name.
function text(words) {
  const span = document.createElement("span");
  span.textContent = words;
  return span;
}

/** Chevrons along the way, every 90 metres or so, that say which way it is walked. */
export function arrows(line, every = 90, size = 9) {
  const found = [];
  const shrink = Math.cos((line[0][0] * Math.PI) / 180);
  const metre = 1 / 111195;
  let until = every / 2;
  for (let at = 1; at < line.length; at += 1) {
    const [lat, lon] = line[at - 1];
    const north = (line[at][0] - lat) / metre;
    const east = ((line[at][1] - lon) * shrink) / metre;
    const length = Math.hypot(north, east);
    while (until <= length && length > 0) {
      const share = until / length;
      const [y, x] = [north / length, east / length];
      const tip = [lat + north * share * metre, lon + (east * share * metre) / shrink];
      const side = (turn) => [
        tip[0] + (-y * size + turn * x * size * 0.6) * metre,
        tip[1] + ((-x * size - turn * y * size * 0.6) * metre) / shrink,
      ];
      found.push([side(1), tip, side(-1)]);
      until += every;
    }
    until -= length;
  }
  return found;
}

// ── noting one's way ──
const SEND_EVERY_MS = 60_000;
const NOTE_EVERY_MS = 8_000;

function track(part) {
  const { track: url, trackSeat: seat } = part.dataset;
  const slot = `linli:track:${document.body.dataset.member ?? ""}:${seat}`;
  const status = part.querySelector("[data-track-status]");
  const button = part.querySelector("[data-track-start]");
  const until = Date.parse(part.dataset.trackUntil);
  const show = (name) => (status.textContent = part.dataset[name]);
  let kept = read(slot);
  let last = 0;
  let watch = null;

  async function send() {
    if (!kept.batch && kept.points.length) {
      kept.batch = { key: crypto.randomUUID(), points: kept.points.splice(0, 500) };
      write(slot, kept);
    }
    if (!kept.batch) return;
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": kept.batch.key, "X-CSRFToken": csrf() },
        body: JSON.stringify({ seat: Number(seat), points: kept.batch.points }),
      });
      if (answer.status >= 500 || [401, 429].includes(answer.status)) throw new Error(String(answer.status));
      // Taken, or refused for good: either way it is done with.
      kept.batch = null;
      write(slot, kept);
      if (answer.ok) show("saySent");
      else stop();
    } catch {
      show("sayWaiting");
    }
  }

  function note(position) {
    if (Date.now() > until) return stop();
    if (position.timestamp - last < NOTE_EVERY_MS) return;
    last = position.timestamp;
    const { latitude, longitude, accuracy } = position.coords;
    kept.points.push({ at: new Date(position.timestamp).toISOString(), lat: latitude, lon: longitude, accuracy_m: accuracy });
    write(slot, kept);
  }

  // A position that is only late (2, 3) comes by itself; a refusal (1) does not.
  function failed(error) {
    if (error.code !== 1) return;
    stop();
    show("sayDenied");
  }

  function stop() {
    if (watch !== null) navigator.geolocation.clearWatch(watch);
    watch = null;
    button.hidden = false;
    show("sayOff");
    send();
  }

  button.addEventListener("click", () => {
    if (!navigator.geolocation) return show("sayDenied");
    watch = navigator.geolocation.watchPosition(note, failed, { enableHighAccuracy: true, maximumAge: 5000 });
    button.hidden = true;
    show("sayOn");
  });
  setInterval(send, SEND_EVERY_MS);
  globalThis.addEventListener("online", send);
  document.addEventListener("visibilitychange", send);
  send(); // what was left from before
}

function read(slot) {
  try {
    const kept = JSON.parse(localStorage.getItem(slot));
    return kept && Array.isArray(kept.points) ? kept : { points: [], batch: null };
  } catch {
    return { points: [], batch: null };
  }
}

function write(slot, kept) {
  try {
    if (kept.points.length || kept.batch) localStorage.setItem(slot, JSON.stringify(kept));
    else localStorage.removeItem(slot);
  } catch {
    // No room or not allowed: it stays in memory while the page is open.
  }
}

if (globalThis.document) {
  for (const frame of document.querySelectorAll("[data-route]")) draw(frame);
  for (const part of document.querySelectorAll("[data-track]")) track(part);
}
