/* Inside the frame of a folium map: patterns, labels, pins, the keyboard, and the base map, which is
 * fetched once the page stands. A plain script: folium's own, inline, calls it. */

const linliMap = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const byCell = new Map();

  // ── looks ──
  function make(name, attributes, parent) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent?.append(node);
    return node;
  }
  function patterns() {
    const svg = make("svg", { width: 0, height: 0, class: "patterns", "aria-hidden": "true" });
    const defs = make("defs", {}, svg);
    const part = make("pattern", { id: "p-part", width: 10, height: 10, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, defs);
    make("rect", { width: 10, height: 10, fill: "#8fc2b1", "fill-opacity": 0.45 }, part);
    make("rect", { width: 3, height: 10, fill: "#1f5b4d", "fill-opacity": 0.55 }, part);
    const none = make("pattern", { id: "p-none", width: 12, height: 12, patternUnits: "userSpaceOnUse" }, defs);
    make("rect", { width: 12, height: 12, fill: "#ffd27a", "fill-opacity": 0.5 }, none);
    make("circle", { cx: 4, cy: 4, r: 1.8, fill: "#8a4b00" }, none);
    make("circle", { cx: 10, cy: 10, r: 1.8, fill: "#8a4b00" }, none);
    document.body.append(svg);
  }
  const style = (feature) => feature.properties.style;
  const canvas = () => L.canvas({ pane: "ground" });

  // ── what is said of a thing: text only, so no name can be markup ──
  function bubble({ lines, url }, words) {
    const box = document.createElement("div");
    lines.forEach((line, at) => {
      const part = document.createElement(at ? "p" : "strong");
      part.textContent = line;
      box.append(part);
    });
    if (url) {
      const link = document.createElement("a");
      link.href = url;
      link.target = "_top";
      link.textContent = words.open;
      box.append(link);
    }
    return box;
  }
  let words = { open: "" };
  function point(feature, place) {
    const letter = document.createElement("span");
    letter.textContent = feature.properties.letter;
    const icon = L.divIcon({ className: "pin", html: letter, iconSize: [28, 28] });
    return L.marker(place, { icon, alt: feature.properties.lines.join(", "), keyboard: true });
  }
  function each(feature, layer) {
    const { cell, lines } = feature.properties;
    layer.bindTooltip(() => bubble({ lines }, words), { sticky: true });
    layer.bindPopup(() => bubble(feature.properties, words));
    if (cell) byCell.set(cell, layer);
    layer.on("add", () => {
      const node = layer.getElement?.();
      if (!node || !cell) return;
      node.setAttribute("tabindex", "0");
      node.setAttribute("role", "button");
      node.setAttribute("aria-label", lines.join(", "));
      node.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose(cell);
      });
      node.addEventListener("click", () => tell(cell));
    });
  }

  // ── the list beside the map ──
  let map;
  const tell = (cell) => globalThis.parent.postMessage({ linliCell: cell }, location.origin);
  function choose(cell) {
    const layer = byCell.get(cell);
    if (!layer) return;
    map.fitBounds(layer.getBounds(), { maxZoom: 17, padding: [40, 40] });
    layer.openPopup(layer.getBounds().getCenter());
    tell(cell);
  }

  // ── labels: inside the cell, and only where no other stands ──
  function labels() {
    const group = L.layerGroup().addTo(map);
    const made = [...byCell.values()].map((layer) => {
      const { label, at } = layer.feature.properties;
      const text = document.createElement("span");
      text.textContent = label;
      const icon = L.divIcon({ className: "cell-label", html: text, iconSize: null });
      const place = at ? L.latLng(at[1], at[0]) : layer.getBounds().getCenter();
      const wide = [...label].reduce((sum, letter) => sum + (letter > "\u2e80" ? 16 : 10), 10);
      return { place, wide, marker: L.marker(place, { icon, interactive: false, keyboard: false }) };
    });
    const fit = () => {
      const taken = [];
      for (const { place, wide, marker } of made) {
        const { x, y } = map.latLngToLayerPoint(place);
        const free = taken.every((box) => Math.abs(box.x - x) > (box.wide + wide) / 2 || Math.abs(box.y - y) > 26);
        if (free) taken.push({ x, y, wide });
        if (free) group.addLayer(marker);
        else group.removeLayer(marker);
      }
    };
    map.on("zoomend", fit);
    fit();
  }

  async function ground({ layer, url }) {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (answer.ok) layer.addData(await answer.json());
  }

  function start(given) {
    ({ map, words } = given);
    patterns();
    for (const { layer, data } of given.data) layer.addData(data);
    labels();
    document.querySelector(".leaflet-control-layers-toggle")?.setAttribute("aria-label", words.layers);
    document.querySelector(".leaflet-control-layers-toggle")?.setAttribute("title", words.layers);
    addEventListener("message", (event) => {
      if (event.origin === location.origin && event.data?.linliChoose) choose(event.data.linliChoose);
    });
    for (const each of given.base) ground(each);
  }
  return { canvas, each, point, start, style };
})();
globalThis.linliMap = linliMap;
