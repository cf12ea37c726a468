"use strict";
// Without this script the page shows the same and stands still.
for (const laid of document.querySelectorAll(".pair .laid")) {
  const under = laid.closest(".pair").querySelector("img").cloneNode();
  under.classList.add("under");
  under.alt = "";
  const button = document.createElement("button");
  button.type = "button";
  button.title = "Blink between photo 1 and photo 2";
  button.setAttribute("aria-label", button.title);
  button.setAttribute("aria-pressed", "false");
  button.innerHTML = "<span>1</span><span>2</span>";
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(laid.classList.toggle("on")));
  });
  laid.prepend(under);
  laid.append(button);
}
document.documentElement.classList.add("lively");
// On paper nothing can be opened: what waits behind a line is printed, and closed again afterwards.
const waiting = [...document.querySelectorAll("details.more")];
let opened = [];
addEventListener("beforeprint", () => {
  opened = waiting.filter((own) => !own.open);
  for (const own of opened) own.open = true;
});
addEventListener("afterprint", () => {
  for (const own of opened) own.open = false;
});
for (const dial of document.querySelectorAll("[data-dial]")) {
  const rows = JSON.parse(dial.dataset.dial);
  const slider = dial.querySelector("input");
  const share = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
  const show = () => {
    const row = rows[slider.value];
    for (const place of dial.querySelectorAll("[data-shows]")) {
      const column = Number(place.dataset.shows);
      place.textContent = column ? share(row[column]) : row[0].toFixed(3);
    }
    slider.setAttribute("aria-valuetext", `${share(row[1])} escape, ${share(row[2])} overkill`);
  };
  const now = Number(dial.dataset.now);
  const next = rows.findIndex((row) => row[0] >= now);
  slider.value = next < 0 ? rows.length - 1 : next;
  slider.disabled = false;
  slider.addEventListener("input", show);
  show();
}
