// The view that says what the gauges are, what proves them here, and what works in this browser.
import {show} from "./look.js";
import {threads} from "./proof.js";
import {$, state} from "./state.js";
import {VERSION} from "./update.js";

const number = (value) => value === null || value === undefined ? "unknown" : value.toLocaleString("en");

function term(list, name, text, good = null) {
  const dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = name;
  dd.textContent = text;
  if (good !== null) dd.className = good ? "yes" : "no";
  list.append(dt, dd);
}

function sizeOf({geometry}) {
  const [, , w, h] = geometry.region;
  return geometry.height === null ? `any size that holds ${w}×${h}` : `${geometry.width}×${geometry.height}`;
}

function decides({threshold, no_go_from: upper, method}) {
  if (threshold === null) return `the likeliest class (${method})`;
  return upper === null ? `no-go from ${show(threshold)} (${method})`
    : `review from ${show(threshold)}, no-go from ${show(upper)} (${method})`;
}

// What each gauge says of itself; `found` has what the proof found here.
export function describeGauges(found) {
  for (const [index, gauge] of state.gauges.entries()) {
    const {decision} = gauge, title = document.createElement("h1"), list = document.createElement("dl");
    title.textContent = gauge.name;
    term(list, "network", `${gauge.arch ?? "unknown"}, ${number(gauge.params)} parameters, ${number(gauge.macs)} multiply-adds`);
    term(list, "file", `${number(gauge.size_bytes)} bytes, ${gauge.precision}, ${gauge.sha256.slice(0, 12)}`);
    term(list, "photos", `${sizeOf(gauge)} pixels, ${gauge.geometry.channels === 1 ? "grey" : "colour"}`);
    term(list, "classes", decision.classes.map((name) => name === decision.good ? `${name} (good)` : name).join(", "));
    term(list, "decides", decides(decision));
    for (const promise of gauge.promises) term(list, "promise", promise);
    for (const lack of gauge.shortfalls) term(list, "not proved", lack, false);
    if (gauge.leaky) term(list, "leaky", "made from a split that leaks; its figures of quality are too good", false);
    const {photos, worst, holds} = found[index];
    term(list, "here", photos ? `${holds ? "answers" : "does not answer"} as when it was made: ${photos} golden photos, `
      + `largest difference ${worst.toExponential(1)}` : "came without golden photos, so nothing proves it here",
    photos > 0 && holds);
    $("gauges").append(title, list);
  }
  $("build").textContent = `gonogo ${state.facts.gonogo}, ${state.facts.runtime}, version ${VERSION}.`;
}

// What works in this browser; `kept` is why the page cannot be kept on the phone, null where it is.
export async function describeBrowser(kept) {
  const secure = window.isSecureContext, list = $("works");
  list.replaceChildren();
  term(list, "photos", "work", true);
  term(list, "camera", secure ? "works where you allow it" : "needs https (or localhost)", secure);
  term(list, "offline", kept ?? "works: everything is on this phone", kept === null);
  term(list, "install", kept ?? "from the browser's menu: Install app, or Add to home screen", kept === null);
  term(list, "threads", self.crossOriginIsolated ? `${threads()} in use` : "1; more need https", self.crossOriginIsolated);
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  term(list, "GPU", adapter ? "WebGPU can be chosen for latency; its runtime is fetched then" : "this browser offers no WebGPU here", Boolean(adapter));
  if (adapter) $("backend").append(new Option("WebGPU (GPU)", "webgpu"));
}
