/* The editor of a draft plan (templates/maps/plan.html): choose buildings on the map or in the
 * list, move them to another cell, or draw the border of two cells. The server decides; what it
 * answers, and what others change meanwhile, is fetched and drawn. board.js holds the socket. */

/* global L */
import { csrf, uuid } from "./send.js";
import { announce, fill, say, toast } from "./words.js";

const LISTED = 150;
const TARGETS = 12;
const LINE_STEP_PX = 6;
const SIGN = { in: "✓", above: "▲", below: "▼" };

const root = document.querySelector("[data-editor]");
if (root) start().catch((error) => {
  console.error(error);
  toast(say(root, "failed"), "error");
});

async function start() {
  const find = (name) => root.querySelector(`[data-${name}]`);
  const word = (code, values) => say(root, code, values) ?? "";
  const api = root.dataset.api;
  const band = { min: Number(root.dataset.bandMin), max: Number(root.dataset.bandMax) };
  const css = getComputedStyle(document.documentElement);
  const colour = (name) => css.getPropertyValue(name).trim();

  const buildings = new Map(); // id → {id, label, households, at, layer, cell}
  const cells = new Map(); // id → {id, code, households, band, buildings, layer, label}
  const picked = new Set();
  let cut = new Set();
  let plan = null;
  let version = 0;
  let mode = "tap";
  let busy = false;
  let waiting = []; // events that came while a change was on its way
  const ours = new Set(); // versions that this page made

  // ── the map ───────────────────────────────────────────────────────────────────────────────

  const box = document.getElementById("plan-map");
  const renderer = L.canvas({ padding: 0.3, tolerance: 6 });
  const map = L.map(box, { renderer, preferCanvas: true, zoomControl: false, zoomSnap: 0.25, attributionControl: false });
  box.linliMap = map; // for tests and the curious
  L.control.zoom({ zoomInTitle: word("zoom-in"), zoomOutTitle: word("zoom-out") }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  find("picked").textContent = word("loading");

  function addBuilding({ geometry, properties }) {
    const layer = L.geoJSON(geometry, {
      pointToLayer: (_, at) => L.circleMarker(at, { radius: 5 }),
    }).getLayers()[0];
    const one = { ...properties, at: L.latLng(properties.lat, properties.lon), layer, cell: null };
    layer.on("click", (event) => {
      L.DomEvent.stopPropagation(event);
      if (mode === "tap") toggle(one.id);
    });
    layer.bindTooltip(() => `${one.label} · ${word("households", { count: one.households })}`);
    layer.addTo(map);
    buildings.set(one.id, one);
  }

  function addCell(feature) {
    const id = feature.id;
    const layer = L.geoJSON(feature.geometry).getLayers()[0].addTo(map);
    const tag = document.createElement("span");
    const label = L.marker(layer.getBounds().getCenter(), {
      icon: L.divIcon({ className: "editor-label", html: tag, iconSize: null }),
      interactive: false,
      keyboard: false,
    }).addTo(map);
    layer.on("click", () => {
      if (mode !== "tap") return;
      find("list-cell").value = String(id);
      showList();
    });
    cells.set(id, { id, layer, label, tag, buildings: [] });
  }

  /* Put a FeatureCollection of cells (all, or those that changed) in place. */
  function take(collection) {
    for (const feature of collection.features) {
      if (!cells.has(feature.id)) addCell(feature);
      const cell = cells.get(feature.id);
      for (const id of cell.buildings) {
        const one = buildings.get(id);
        if (one?.cell === cell.id) one.cell = null;
      }
      Object.assign(cell, feature.properties);
    }
    for (const feature of collection.features) {
      const cell = cells.get(feature.id);
      for (const id of cell.buildings) if (buildings.has(id)) buildings.get(id).cell = cell.id;
      cell.layer.setLatLngs(L.GeoJSON.geometryToLayer(feature.geometry).getLatLngs());
      cell.label.setLatLng(cell.layer.getCenter());
      cell.tag.textContent = `${cell.code} · ${cell.households} ${SIGN[cell.band]}`;
      styleCell(cell);
      cell.layer.bringToBack();
    }
    version = Math.max(version, collection.version);
  }

  function styleCell(cell) {
    const look = {
      in: { fillColor: colour("--pine"), fillOpacity: 0.14, dashArray: null },
      above: { fillColor: colour("--no"), fillOpacity: 0.3, dashArray: "8 4" },
      below: { fillColor: colour("--lamp"), fillOpacity: 0.35, dashArray: "3 5" },
    }[cell.band];
    cell.layer.setStyle({ color: colour("--pine-deep"), weight: 2.5, fill: true, ...look });
    cell.tag.className = `editor-label__tag editor-label__tag--${cell.band}`;
  }

  function styleBuilding(one) {
    const chosen = picked.has(one.id);
    const off = cut.has(one.id);
    one.layer.setStyle({
      color: off ? colour("--no") : chosen ? colour("--ink") : colour("--edge"),
      weight: off || chosen ? 3 : 1,
      fill: true,
      fillColor: off ? colour("--no-soft") : chosen ? colour("--lamp") : one.cell === null ? colour("--no-soft") : colour("--sheet"),
      fillOpacity: 0.95,
    });
  }

  // ── what is chosen ────────────────────────────────────────────────────────────────────────

  function toggle(id, on = !picked.has(id)) {
    if (on) picked.add(id);
    else picked.delete(id);
    clearAnswer();
    styleBuilding(buildings.get(id));
    showPicked();
    const input = document.getElementById(`building-${id}`);
    if (input) input.checked = on;
  }

  function choose(ids) {
    for (const id of ids) {
      if (!buildings.has(id)) continue;
      picked.add(id);
      styleBuilding(buildings.get(id));
    }
    showPicked();
    showList();
  }

  function chooseNone() {
    const before = [...picked];
    picked.clear();
    for (const id of before) styleBuilding(buildings.get(id));
    clearAnswer();
    showPicked();
    showList();
  }

  function clearAnswer() {
    const before = [...cut];
    cut = new Set();
    for (const id of before) styleBuilding(buildings.get(id));
    find("answer").hidden = true;
  }

  const households = (ids) => [...ids].reduce((sum, id) => sum + (buildings.get(id)?.households ?? 0), 0);
  const led = () => (plan.may.cells === null ? null : new Set(plan.may.cells));
  const stateOf = (count) => (count > band.max ? "above" : count < band.min ? "below" : "in");

  /* Cells that the chosen ones could go to, the nearest first. */
  function targets() {
    const chosen = [...picked].map((id) => buildings.get(id));
    const from = new Set(chosen.map((one) => one.cell));
    const own = led();
    const free = own === null || chosen.every((one) => own.has(one.cell));
    const middle = chosen.length ? L.latLngBounds(chosen.map((one) => one.at)).getCenter() : null;
    const away = (cell) =>
      Math.min(...cell.buildings.map((id) => (buildings.has(id) ? buildings.get(id).at.distanceTo(middle) : Infinity)));
    return [...cells.values()]
      .filter((cell) => (free || own.has(cell.id)) && !(from.size === 1 && from.has(cell.id)))
      .map((cell) => ({ cell, away: middle ? away(cell) : 0 }))
      .sort((a, b) => a.away - b.away || (a.cell.code < b.cell.code ? -1 : 1))
      .slice(0, middle ? TARGETS : undefined)
      .map(({ cell }) => cell);
  }

  function options(select, list, keep = select.value) {
    select.replaceChildren(
      ...list.map((cell) => new Option(`${cell.code} · ${cell.households} ${SIGN[cell.band]}`, cell.id)),
    );
    if (list.some((cell) => String(cell.id) === keep)) select.value = keep;
  }

  function showPicked() {
    find("picked").textContent = picked.size
      ? word("picked", { buildings: picked.size, households: households(picked) })
      : word("nothing");
    options(find("target"), picked.size ? targets() : [], find("target").value);
    find("move").disabled = busy || !picked.size || !find("target").value;
    find("clear").disabled = !picked.size;
    showPreview();
  }

  function showPreview() {
    const to = cells.get(Number(find("target").value));
    const lines = [];
    if (to && picked.size) {
      const change = new Map();
      for (const id of picked) {
        const one = buildings.get(id);
        if (one.cell === to.id) continue;
        if (one.cell !== null) change.set(one.cell, (change.get(one.cell) ?? 0) - one.households);
        change.set(to.id, (change.get(to.id) ?? 0) + one.households);
      }
      for (const [id, by] of change) {
        const cell = cells.get(id);
        const after = cell.households + by;
        lines.push(`${word("after", { cell: cell.code, before: cell.households, after })} ${SIGN[stateOf(after)]} ${word(stateOf(after))}`);
      }
    }
    find("preview").replaceChildren(...lines.flatMap((line, at) => (at ? [document.createElement("br"), line] : [line])));
  }

  // ── lists beside the map ──────────────────────────────────────────────────────────────────

  const byCode = () => [...cells.values()].sort((a, b) => (a.code < b.code ? -1 : 1));

  function showList() {
    const list = find("list");
    const focused = list.contains(document.activeElement) ? document.activeElement.id : "";
    const cell = cells.get(Number(find("list-cell").value));
    const wanted = find("find").value.trim().toLowerCase();
    const rows = (wanted ? [...buildings.values()] : (cell?.buildings ?? []).map((id) => buildings.get(id)))
      .filter((one) => one && (!wanted || one.label.toLowerCase().includes(wanted)))
      .slice(0, LISTED);
    list.replaceChildren(
      ...rows.map((one) => {
        const item = document.createElement("li");
        const label = document.createElement("label");
        label.className = "check";
        const input = Object.assign(document.createElement("input"), {
          type: "checkbox", id: `building-${one.id}`, checked: picked.has(one.id),
        });
        input.addEventListener("change", () => toggle(one.id, input.checked));
        const text = document.createElement("span");
        text.textContent = `${one.label} · ${one.households}`;
        label.append(input, text);
        item.append(label);
        return item;
      }),
    );
    if (focused) document.getElementById(focused)?.focus();
  }

  function showCells() {
    const list = find("cells");
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.cell : "";
    list.replaceChildren(
      ...byCode().map((cell) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = `editor-cell editor-cell--${cell.band}`;
        button.dataset.cell = cell.id;
        const name = Object.assign(document.createElement("strong"), { textContent: cell.code });
        const count = Object.assign(document.createElement("span"), { textContent: String(cell.households), className: "num" });
        const state = Object.assign(document.createElement("span"), { textContent: `${SIGN[cell.band]} ${word(cell.band)}` });
        button.append(name, count, state);
        button.addEventListener("click", () => {
          map.fitBounds(cell.layer.getBounds(), { padding: [20, 20] });
          find("list-cell").value = String(cell.id);
          showList();
        });
        item.append(button);
        return item;
      }),
    );
    if (focused) list.querySelector(`[data-cell="${focused}"]`)?.focus();
  }

  function show() {
    for (const one of buildings.values()) styleBuilding(one);
    const own = led();
    options(find("list-cell"), byCode(), find("list-cell").value || (own ? String([...own][0]) : ""));
    options(find("line-one"), byCode().filter((cell) => own === null || own.has(cell.id)), find("line-one").value);
    showOther();
    find("undo").disabled = busy || !plan.can_undo;
    find("redo").disabled = busy || !plan.can_redo;
    showPicked();
    showCells();
    showList();
  }

  function showOther() {
    const one = cells.get(Number(find("line-one").value));
    if (!one) return;
    const middle = one.layer.getCenter();
    const near = byCode()
      .filter((cell) => cell !== one)
      .sort((a, b) => a.layer.getCenter().distanceTo(middle) - b.layer.getCenter().distanceTo(middle));
    options(find("line-other"), near, find("line-other").value);
  }

  // ── changes ───────────────────────────────────────────────────────────────────────────────

  async function get(url) {
    const response = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" } });
    if ([401, 403, 404].includes(response.status)) location.reload();
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return response.json();
  }

  async function readPlan() {
    plan = await get(api);
    if (plan.state !== "draft") {
      toast(word("gone"));
      location.reload();
    }
  }

  /* Send one act; if no answer comes, the same act with the same key once more. */
  async function post(url, body) {
    const key = uuid();
    for (let attempt = 0; ; attempt += 1) {
      try {
        const response = await fetch(url, {
          method: "POST",
          credentials: "same-origin",
          headers: {
            "Content-Type": "application/json",
            Accept: "application/json, application/problem+json",
            "X-CSRFToken": csrf(),
            "Idempotency-Key": key,
          },
          body: JSON.stringify(body),
        });
        if (response.status >= 500 && attempt === 0) continue;
        return { ok: response.ok, status: response.status, data: await response.json().catch(() => ({})) };
      } catch (error) {
        if (attempt > 0) throw error;
      }
    }
  }

  async function act(path, body, done) {
    if (busy) return;
    busy = true;
    clearAnswer();
    box.classList.add("is-busy");
    root.setAttribute("aria-busy", "true");
    try {
      const { ok, status, data } = await post(`${api}/${path}`, { version, ...body });
      if (ok) {
        ours.add(data.version);
        await fresh(data.version === version + 1 ? data.cells : null);
        done(data);
        answer(data.warnings.map((warning) => warning.text), "warning");
      } else if (data.code === "plan_changed") {
        await fresh(null);
        answer([word("conflict")], "error");
      } else if (data.code === "wrong_state" || status === 404) {
        location.reload();
      } else refused(data);
    } catch (error) {
      console.error(error);
      answer([word("failed")], "error");
    } finally {
      busy = false;
      box.classList.remove("is-busy");
      root.removeAttribute("aria-busy");
      show();
      const later = waiting;
      waiting = [];
      later.forEach(heard);
    }
  }

  function refused(problem) {
    const torn = (Array.isArray(problem.cells) ? problem.cells : []).flatMap((row) => row.cut_off ?? []);
    cut = new Set(torn.filter((id) => buildings.has(id)));
    for (const id of cut) styleBuilding(buildings.get(id));
    const fields = Object.values(problem.errors ?? {}).flat();
    const lines = fields.length ? fields : [problem.detail ?? word("failed")];
    answer(cut.size ? [...lines, word("cut")] : lines, "error");
    if (cut.size) map.panInsideBounds(map.getBounds().extend(L.latLngBounds([...cut].map((id) => buildings.get(id).at))));
  }

  function answer(lines, kind) {
    const place = find("answer");
    place.hidden = !lines.length;
    place.className = `editor__answer editor__answer--${kind}`;
    place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    if (lines.length) announce(lines.join(" "));
  }

  /* Fetch what changed (all cells where that is not known) and draw it. */
  async function fresh(only) {
    const [collection] = await Promise.all([
      get(only ? `${api}/cells?cells=${only.join(",")}` : `${api}/cells`),
      readPlan(),
    ]);
    take(collection);
    show();
  }

  find("move").addEventListener("click", () => {
    const cell = cells.get(Number(find("target").value));
    act("moves", { buildings: [...picked], cell: cell.id }, () => {
      chooseNone();
      toast(word("moved", { cell: cell.code }));
    });
  });
  find("clear").addEventListener("click", chooseNone);
  find("target").addEventListener("change", showPreview);
  find("list-cell").addEventListener("change", showList);
  find("find").addEventListener("input", showList);
  find("line-one").addEventListener("change", showOther);
  find("undo").addEventListener("click", () => act("undo", {}, () => toast(word("undone"))));
  find("redo").addEventListener("click", () => act("redo", {}, () => toast(word("redone"))));
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.closest?.("input:not([type=checkbox]), textarea")) return;
    const key = event.key.toLowerCase();
    const again = key === "y" || (key === "z" && event.shiftKey);
    if (!again && key !== "z") return;
    event.preventDefault();
    find(again ? "redo" : "undo").click();
  });

  // ── what others do ────────────────────────────────────────────────────────────────────────

  async function heard(event) {
    if (event.type !== "cell.changed") return;
    const { plan: which, version: now, cells: touched, state } = event.data;
    if (which !== Number(root.dataset.plan)) return;
    if (state !== "draft") return location.reload();
    if (busy) return waiting.push(event);
    if (now <= version || ours.has(now)) return;
    try {
      await fresh(now === version + 1 && touched.length ? touched : null);
      toast(word("others"));
    } catch (error) {
      console.error(error);
    }
  }
  document.addEventListener("live:event", (event) => {
    if (plan) heard(event.detail);
    else waiting.push(event.detail); // still loading
  });
  // The part below is fetched anew after a hole in the stream, too: then look at the whole.
  document.addEventListener("live:refreshed", (event) => {
    const below = event.target.querySelector?.("[data-draft]");
    if (!below) return;
    if (below.dataset.draft !== root.dataset.plan) location.reload();
    else if (plan && Number(below.dataset.version) > version && !busy) fresh(null).catch(console.error);
  });

  // ── touching the map ──────────────────────────────────────────────────────────────────────

  for (const button of root.querySelectorAll("[data-mode]")) {
    button.addEventListener("click", () => {
      mode = button.dataset.mode;
      for (const other of root.querySelectorAll("[data-mode]")) other.setAttribute("aria-pressed", String(other === button));
      find("line-card").hidden = mode !== "line";
      box.classList.toggle("is-drawing", mode !== "tap");
      for (const name of ["dragging", "touchZoom", "doubleClickZoom", "boxZoom"]) map[name]?.[mode === "tap" ? "enable" : "disable"]();
    });
  }

  let trace = null; // {points: [container points], shape}
  const at = (event) => map.mouseEventToContainerPoint(event);
  box.addEventListener("pointerdown", (event) => {
    if (mode === "tap" || event.button > 0 || !event.isPrimary || event.target.closest(".leaflet-control")) return;
    event.preventDefault();
    box.setPointerCapture(event.pointerId);
    const look = { color: colour("--info"), weight: 3, fill: mode !== "line", fillOpacity: 0.15, interactive: false };
    const first = at(event);
    trace = { points: [first], shape: (mode === "line" ? L.polyline([], look) : L.polygon([], look)).addTo(map) };
  });
  box.addEventListener("pointermove", (event) => {
    if (!trace) return;
    const here = at(event);
    if (mode === "box") trace.points = [trace.points[0], here];
    else if (here.distanceTo(trace.points.at(-1)) >= LINE_STEP_PX) trace.points.push(here);
    trace.shape.setLatLngs(corners().map((point) => map.containerPointToLatLng(point)));
  });
  box.addEventListener("pointercancel", () => {
    trace?.shape.remove();
    trace = null;
  });
  box.addEventListener("pointerup", (event) => {
    if (!trace) return;
    if (mode === "line") trace.points.push(at(event));
    const ring = corners();
    trace.shape.remove();
    trace = null;
    if (ring.length < 2) return;
    if (mode === "line") return drawBorder(ring);
    choose([...buildings.values()].filter((one) => inside(map.latLngToContainerPoint(one.at), ring)).map((one) => one.id));
  });

  function corners() {
    if (mode !== "box") return trace.points;
    const [a, b] = [trace.points[0], trace.points.at(-1)];
    return [a, L.point(b.x, a.y), b, L.point(a.x, b.y)];
  }

  function inside(point, ring) {
    let odd = false;
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [a, b] = [ring[i], ring[j]];
      if (a.y > point.y !== b.y > point.y && point.x < ((b.x - a.x) * (point.y - a.y)) / (b.y - a.y) + a.x) odd = !odd;
    }
    return odd;
  }

  function drawBorder(points) {
    const line = points.map((point) => map.containerPointToLatLng(point)).map(({ lat, lng }) => [lng, lat]);
    const pair = [Number(find("line-one").value), Number(find("line-other").value)];
    if (pair.some((id) => !cells.has(id))) return;
    act("borders", { cells: pair, line }, () => toast(fill(word("changed"))));
  }

  const [ground, drawn, inForce] = await Promise.all([
    get(`${api}/ground`),
    get(`${api}/cells`),
    get(`/api/v1/cells?community=${root.dataset.community}`),
  ]);
  const outline = L.geoJSON([...ground.features, ...drawn.features], { interactive: false });
  if (outline.getBounds().isValid()) map.fitBounds(outline.getBounds(), { padding: [10, 10] });
  else map.setView([0, 0], 2);
  for (const feature of drawn.features) addCell(feature);
  L.geoJSON(inForce.features.filter((feature) => feature.geometry), {
    interactive: false,
    style: { color: colour("--info"), weight: 2, dashArray: "2 6", fill: false },
  }).addTo(map);
  L.geoJSON(ground.streets, { interactive: false, style: { color: colour("--edge"), weight: 1.5, opacity: 0.6 } }).addTo(map);
  for (const feature of ground.features) addBuilding(feature);
  take(drawn);
  await readPlan();
  show();
  root.dataset.ready = "true";
  const early = waiting;
  waiting = [];
  early.forEach(heard);
}
