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
