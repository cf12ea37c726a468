// The page: what starts when, and what a person is told of it.
import {describeBrowser, describeGauges} from "./about.js";
import {listenToInspectors, makeCards} from "./inspect.js";
import {isMeasuring, listenToMeasurers, send} from "./measure.js";
import {startEngine} from "./proof.js";
import {$, notice, state} from "./state.js";
import {VERSION, keep, takenFrom, watch} from "./update.js";

let hasAuthority = false;

// Whether the gauges may answer here: they may not where a golden photo is answered otherwise than it was.
function mayAnswer(found) {
  const wrong = found.findIndex((one) => !one.holds), photos = found.reduce((sum, one) => sum + one.photos, 0);
  if (wrong < 0) {
    const bare = state.gauges.filter((_, index) => !found[index].photos).map(({name}) => name);
    $("checked").textContent = [photos ? `Proved on ${photos} photos` : "", bare.length ? `${bare.join(", ")} not proved` : ""]
      .filter(Boolean).join("; ");
    return true;
  }
  $("checked").textContent = "Not proved";
  const {name, tolerance} = state.gauges[wrong];
  notice("proof", `This browser does not answer as ${name} did when it was made (difference `
    + `${found[wrong].worst.toExponential(1)}, at most ${tolerance.toExponential(0)} is allowed), so it gives no verdicts. `
    + "A browser that alters canvases against tracking does this: allow them for this page, or use another.", "error");
  return false;
}

function open(view) {
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== view;
  for (const tab of document.querySelectorAll(".tabs button")) {
    if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}

function onContact(told) {
  $("net").dataset.is = told ? "on" : "off";
  $("net").textContent = told ? "Online" : "Offline";
  if (!told) return;
  hasAuthority = told.authority;
  notice("problem", told.problem ? `The server says: ${told.problem}` : "");
  send();
}

async function start() {
  for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => open(tab.dataset.view));
  state.facts = await (await fetch("facts.json")).json();
  state.gauges = state.facts.gauges;
  state.golden = state.gauges.map(() => []);
  document.title = `${state.gauges.map(({name}) => name).join(" and ")} - gonogo`;
  makeCards();
  listenToInspectors();
  await listenToMeasurers();
  const {engine, found} = await startEngine("wasm");
  describeGauges(found);
  if (mayAnswer(found)) {
    state.engines.wasm = engine;
    for (const name of ["camera", "photos", "measure"]) $(name).disabled = false;
  }
  const before = takenFrom();
  if (before) notice("taken", `The gauge has changed: this is the new one (version ${VERSION}, before ${before}).`, "info");
  watch({onContact, onChange: (text) => notice("change", text), mayTake: () => !isMeasuring()});
  // Only now: what the page has fetched already, the browser does not fetch once more to keep it.
  const kept = await keep();
  await describeBrowser(kept);
  $("trust").hidden = kept === null || !hasAuthority;
  document.body.dataset.ready = kept === null ? "kept" : "here";
}

start().catch((error) => {
  $("checked").textContent = "Not started";
  notice("start", `The gauge did not start: ${error.message}. Open the page again.`, "error");
});
