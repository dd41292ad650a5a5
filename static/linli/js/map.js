/* The list beside a map's frame: choosing a cell shows it on the map, and the other way round. */

export function wake() {
  const frame = document.querySelector("[data-map] iframe");
  if (!frame || frame.dataset.awake) return;
  frame.dataset.awake = "yes";
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-show-cell]");
    if (!button) return;
    frame.contentWindow.postMessage({ linliChoose: Number(button.dataset.showCell) }, location.origin);
    frame.scrollIntoView({ block: "nearest" });
  });
  addEventListener("message", (event) => {
    if (event.origin !== location.origin || event.source !== frame.contentWindow) return;
    const cell = event.data?.linliCell;
    if (!cell) return;
    for (const row of document.querySelectorAll("[data-cell-row]")) {
      const chosen = Number(row.dataset.cellRow) === cell;
      row.toggleAttribute("data-chosen", chosen);
      if (chosen) row.scrollIntoView({ block: "nearest" });
    }
  });
}
