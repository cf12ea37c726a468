// The page: what a person does, and what follows from it.
import {Camera} from "./camera.js";
import {decide} from "./decide.js";
import {RUNS, WARM_UP, deviceName, enqueue, flush, rename, rowOf, summarise} from "./latency.js";
import {draw, kindOf, milliseconds, show, shape, tell, wordOf} from "./look.js";
import {PhotoError, decode, toPixels} from "./pixels.js";
import {VERSION, keep, takenFrom, watch} from "./update.js";

const $ = (name) => document.getElementById(name);
const THUMB = 112, MOST_LISTED = 500;

// A worker that is asked and answers.
class Engine {
  constructor() {
    this.asked = new Map();
    this.worker = new Worker(new URL("engine.js", import.meta.url), {type: "module"});
    this.worker.addEventListener("message", ({data: {id, value, error, progress}}) => {
      const {resolve, reject, onProgress} = this.asked.get(id) ?? {};
      if (progress !== undefined) {
        onProgress?.(progress);
        return;
      }
      this.asked.delete(id);
      if (error === undefined) resolve?.(value);
      else reject?.(new Error(error));
    });
    this.worker.addEventListener("error", (event) => {
      for (const {reject} of this.asked.values()) reject(new Error(event.message || "the runtime did not start"));
      this.asked.clear();
    });
  }

  call(op, values = {}, onProgress = null) {
    const id = crypto.getRandomValues(new Uint32Array(1))[0];
    return new Promise((resolve, reject) => {
      this.asked.set(id, {resolve, reject, onProgress});
      this.worker.postMessage({op, id, ...values});
    });
  }

  stop() {
    this.worker.postMessage({op: "stop"});
  }
}

let facts, gauges = [], cards = [], canvases = [];
const engines = {};  // by backend, those that answer as the gauge did when it was made
let golden = [];  // pixels of each gauge's golden photos
let shown = null, withHeat = true, measuring = false, count = 0;
const answers = [];  // of the photos in the list

// Notices: one line each, by what they are about; an empty text takes it away.
function notice(about, text, kind = "warning") {
  let line = document.querySelector(`#notices [data-about="${about}"]`);
  if (!text) {
    line?.remove();
    return;
  }
  if (!line) {
    line = document.createElement("p");
    line.dataset.about = about;
    $("notices").append(line);
  }
  line.dataset.kind = kind;
  line.textContent = text;
}

function makeCards() {
  $("cards").className = `cards ${gauges.length === 2 ? "two" : "one"}`;
  cards = gauges.map((gauge) => {
    const card = $("card").content.firstElementChild.cloneNode(true);
    card.querySelector(".name").textContent = gauge.name;
    card.querySelector(".empty").textContent = "Point the camera at a part, or choose photos.";
    $("cards").append(card);
    return card;
  });
  canvases = gauges.map(() => document.createElement("canvas"));
}

function sizeOf({geometry}) {
  const [, , w, h] = geometry.region;
  return geometry.height === null ? `any size that holds ${w}×${h}` : `${geometry.width}×${geometry.height}`;
}

// Prove that this browser decodes and answers as the computer did that made the gauge.
async function verify(engine, known) {
  const found = [];
  for (const [index, gauge] of gauges.entries()) {
    let worst = 0, equal = true;
    for (const [k, row] of gauge.golden.entries()) {
      if (!known[index][k]) {
        const bitmap = await decode(await (await fetch(row.photo)).blob());
        const canvas = document.createElement("canvas");
        known[index][k] = toPixels(bitmap, bitmap.width, bitmap.height, gauge.geometry, canvas);
        bitmap.close();
        delete known[index][k].canvas;
      }
      const told = await engine.call("ask", {gauge: index, pixels: known[index][k]});
      const expected = decide(gauge.decision, Float32Array.from(row.pred_probs), row.novelty);
      row.pred_probs.forEach((prob, c) => { worst = Math.max(worst, Math.abs(prob - told.probs[c])); });
      if (row.novelty !== null) worst = Math.max(worst, Math.abs(row.novelty - told.novelty) / Math.max(1, row.novelty));
      equal &&= expected.verdict === told.verdict && expected.label === told.label;
    }
    found.push({photos: gauge.golden.length, worst, holds: equal && worst <= gauge.tolerance});
  }
  return found;
}

function tellChecked(found) {
  const wrong = found.findIndex((one) => !one.holds);
  const photos = found.reduce((sum, one) => sum + one.photos, 0);
  if (wrong >= 0) {
    $("checked").textContent = "Not proved";
    notice("proof", `This browser does not answer as ${gauges[wrong].name} did when it was made (difference `
      + `${found[wrong].worst.toExponential(1)}, at most ${gauges[wrong].tolerance.toExponential(0)} is allowed), so it `
      + "gives no verdicts. A browser that changes pixels against tracking does this: allow canvases, or use another.",
    "error");
    return false;
  }
  $("checked").textContent = photos ? `Proved on ${photos} photos` : "Not proved: no golden photos";
  return true;
}

// Answer one picture with every gauge: [{told} or {error}].
async function judge(source, width, height) {
  const results = [];
  for (const [index, gauge] of gauges.entries()) {
    try {
      const pixels = toPixels(source, width, height, gauge.geometry, canvases[index]);
      const {canvas, ...plain} = pixels;
      results.push({told: await engines.wasm.call("ask", {gauge: index, pixels: plain}), pixels});
    } catch (error) {
      results.push({error: error.message});
    }
  }
  return results;
}

function present(results, words) {
  shown = results;
  for (const [index, {told, pixels, error}] of results.entries()) {
    const card = cards[index], canvas = card.querySelector("canvas"), empty = card.querySelector(".empty");
    canvas.hidden = Boolean(error);
    empty.hidden = !error;
    if (error) {
      card.dataset.kind = "none";
      card.querySelector(".word").textContent = "No verdict";
      card.querySelector(".sign").replaceChildren();
      empty.textContent = `Cannot be judged: ${error}`;
      continue;
    }
    draw(canvas, pixels, gauges[index], told, withHeat);
    canvas.setAttribute("aria-label", `${wordOf(told)}, ${words}`);
    tell(card, gauges[index], told);
    card.querySelector(".ms").textContent = `${milliseconds(told.ms)} ms on this phone`;
  }
  tellSource(results, words);
}

function tellSource(results, words) {
  const first = results.find(({pixels}) => pixels)?.pixels;
  const scaled = results.some(({pixels}) => pixels?.scaled);
  const kinds = new Set(results.map(({told}) => told?.verdict));
  const apart = results.length === 2 && !results.some(({error}) => error) && kinds.size === 2;
  notice("apart", apart ? "The two gauges do not agree on this picture." : "");
  $("source").replaceChildren();
  if (!first) {
    $("source").textContent = words;
    return;
  }
  const how = document.createElement("b");
  how.textContent = scaled ? "Cut and scaled" : "Pixel for pixel";
  how.className = scaled ? "scaled" : "exact";
  const from = first.from.join("×");
  $("source").append(`${words}: ${from}. `, how, scaled ? " to the gauge's size, from the middle of the picture." : ".");
}

async function onFrame(video) {
  const results = await judge(video, video.videoWidth, video.videoHeight);
  if (camera.live) present(results, "Camera");
}

const camera = new Camera($("video"), onFrame, (reason) => {
  $("camera").querySelector("span").textContent = "Camera";
  $("camera").removeAttribute("aria-pressed");
  notice("camera", reason);
});

async function toggleCamera() {
  notice("camera", "");
  if (camera.live) {
    camera.stop();  // the last frame stays
    return;
  }
  $("camera").querySelector("span").textContent = "Hold";
  $("camera").setAttribute("aria-pressed", "true");
  await camera.start();
}

async function judgeFile(file) {
  let bitmap;
  try {
    bitmap = await decode(file);
  } catch (error) {
    if (!(error instanceof PhotoError)) throw error;
    return gauges.map(() => ({error: error.message}));
  }
  const results = await judge(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  return results;
}

async function takePhotos(files) {
  if (camera.live) camera.stop();
  for (const file of files) {
    const results = await judgeFile(file);
    present(results, file.name);
    list(file, results);
  }
  summarisePhotos();
}

function thumb({pixels}) {
  const canvas = document.createElement("canvas");
  if (!pixels) return canvas;
  const k = THUMB / Math.min(pixels.width, pixels.height);
  canvas.width = canvas.height = THUMB;
  const [w, h] = [pixels.width * k, pixels.height * k];
  canvas.getContext("2d").drawImage(pixels.canvas, (THUMB - w) / 2, (THUMB - h) / 2, w, h);
  return canvas;
}

function list(file, results) {
  answers.push({file, results: results.map(({told, error}) => ({told, error}))});
  const item = document.createElement("li"), button = document.createElement("button"), name = document.createElement("span");
  button.type = "button";
  name.className = "file";
  name.textContent = file.name;
  button.append(thumb(results.find(({pixels}) => pixels) ?? {}), name);
  for (const {told, error} of results) {
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.dataset.kind = told ? kindOf(told) : "none";
    if (told) {
      tag.append(shape(kindOf(told)), wordOf(told));
      Object.assign(tag.dataset, {label: told.label, prob: told.prob, probs: JSON.stringify(told.probs),
        region: JSON.stringify(told.region), novelty: JSON.stringify(told.novelty), verdict: told.verdict ?? ""});
      const prob = document.createElement("small");
      prob.textContent = show(told.prob);
      tag.append(prob);
    } else {
      tag.append("No verdict");
      tag.title = error;
    }
    button.append(tag);
  }
  button.addEventListener("click", async () => {
    present(await judgeFile(file), file.name);
    scrollTo({top: 0, behavior: "smooth"});
  });
  item.append(button);
  $("list").prepend(item);
  if ($("list").children.length > MOST_LISTED) $("list").lastElementChild.remove();
  $("results").hidden = false;
  count++;
  $("summary").textContent = `${count} ${count === 1 ? "photo" : "photos"}`;
}

function summarisePhotos() {
  const tally = gauges.map((gauge, index) => {
    const counts = new Map();
    for (const {results} of answers) {
      const word = results[index].told ? wordOf(results[index].told) : "no verdict";
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    return [...counts].map(([word, n]) => `${n} ${word}`).join(", ");
  });
  const same = new Set(tally).size === 1;
  $("summary").textContent = `${count} ${count === 1 ? "photo" : "photos"}: `
    + (same ? tally[0] : tally.map((text, k) => `${gauges[k].name} ${text}`).join("; "));
}

function clearPhotos() {
  answers.length = count = 0;
  $("list").replaceChildren();
  $("results").hidden = true;
}

// Latency

async function engineOf(backend) {
  if (!engines[backend]) {
    const engine = new Engine();
    engine.threads = (await engine.call("load", {backend, threads: threads(), facts})).threads;
    const found = await verify(engine, golden);
    const wrong = found.findIndex((one) => !one.holds);
    if (wrong >= 0) {
      throw new Error(`${backend} does not answer as ${gauges[wrong].name} did when it was made (difference `
        + `${found[wrong].worst.toExponential(1)}), so it is not used`);
    }
    engines[backend] = engine;
  }
  return engines[backend];
}

function threads() {
  return self.crossOriginIsolated ? Math.min(facts.threads, navigator.hardwareConcurrency || 1) : 1;
}

// Golden photos where there are any; otherwise grey noise of the gauge's size, for time does not depend on content.
function inputs() {
  return gauges.map(({geometry}, index) => {
    if (golden[index].length) return golden[index];
    const [x, y, w, h] = geometry.region;
    const [height, width] = [geometry.height ?? y + h, geometry.width ?? x + w];
    const data = Uint8Array.from({length: height * width * geometry.channels}, (_, k) => (k * 2654435761) >>> 24);
    return [{data, width, height, channels: geometry.channels}];
  });
}

async function measure() {
  if (measuring) {
    engines[$("backend").value]?.stop();
    return;
  }
  if (camera.live) camera.stop();
  const backend = $("backend").value, device = $("device").value.trim() || "phone";
  rename(device);
  setMeasuring(true);
  try {
    const engine = await engineOf(backend);
    const found = await engine.call("time", {inputs: inputs(), runs: RUNS, warmUp: WARM_UP},
      (share) => { $("progress").value = share; });
    if (!found) {
      $("posted").textContent = "Stopped; nothing was sent.";
      return;
    }
    showTimes(found, backend);
    const said = {backend, threads: engine.threads, clock: found.clock, device, runs: RUNS, warmUp: WARM_UP};
    enqueue(gauges.map((gauge, index) => rowOf(gauge, facts, found.times[index], said)));
    await send();
  } catch (error) {
    $("posted").textContent = `Not measured: ${error.message}`;
  } finally {
    setMeasuring(false);
  }
}

function setMeasuring(on) {
  measuring = on;
  $("measure").textContent = on ? "Stop" : "Measure";
  $("progress").hidden = !on;
  $("progress").value = 0;
  if (on) $("posted").textContent = "";
}

function showTimes({times, clock}, backend) {
  const sums = times.map(summarise);
  $("times").replaceChildren(...gauges.map((gauge, index) => timesOf(gauge, sums[index])));
  $("times").dataset.backend = backend;
  const [a, b] = sums.map((sum) => sum.p50_ms);
  const times2 = b === undefined ? null : a / b;
  $("ratio").textContent = times2 === null ? "" : times2 >= 1
    ? `${gauges[1].name} is ${times2.toFixed(2)} times as fast as ${gauges[0].name}.`
    : `${gauges[1].name} takes ${(1 / times2).toFixed(2)} times as long as ${gauges[0].name}.`;
  const coarse = sums.some((sum) => sum.p50_ms < 10 * clock);
  notice("clock", coarse ? `This browser's clock moves in steps of ${milliseconds(clock)} ms, coarse for times this short; `
    + "over https it is finer." : "");
}

function timesOf(gauge, sum) {
  const box = document.createElement("div"), name = document.createElement("h2"), big = document.createElement("p");
  const rest = document.createElement("p"), unit = document.createElement("span");
  name.textContent = gauge.name;
  big.className = "big";
  unit.textContent = " ms";
  big.append(milliseconds(sum.p50_ms), unit);
  rest.className = "note";
  rest.textContent = `median; p95 ${milliseconds(sum.p95_ms)}, p99 ${milliseconds(sum.p99_ms)} ms`;
  box.append(name, big, rest);
  return box;
}

async function send() {
  const {sent, left, refused} = await flush();
  const rows = (n) => `${n} ${n === 1 ? "row" : "rows"}`;
  if (refused) $("posted").textContent = `The server refused a row: ${refused}`;
  else if (left) $("posted").textContent = `${rows(left)} wait on this phone and go to the server when it is back.`;
  else if (sent) $("posted").textContent = `${rows(sent)} arrived at the server.`;
}

// About

function term(list, name, text, good = null) {
  const dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = name;
  dd.textContent = text;
  if (good !== null) dd.className = good ? "yes" : "no";
  list.append(dt, dd);
}

function describe(found) {
  for (const [index, gauge] of gauges.entries()) {
    const {decision} = gauge, title = document.createElement("h1"), facts_ = document.createElement("dl");
    title.textContent = gauge.name;
    const big = (value) => value === null || value === undefined ? "not said" : value.toLocaleString("en");
    term(facts_, "network", `${gauge.arch ?? "not said"}, ${big(gauge.params)} parameters, ${big(gauge.macs)} multiply-adds`);
    term(facts_, "file", `${big(gauge.size_bytes)} bytes, ${gauge.precision}, ${gauge.sha256.slice(0, 12)}`);
    term(facts_, "photos", `${sizeOf(gauge)} pixels, ${gauge.geometry.channels === 1 ? "grey" : "colour"}`);
    term(facts_, "classes", decision.classes.map((name) => name === decision.good ? `${name} (good)` : name).join(", "));
    if (decision.threshold !== null) {
      term(facts_, "decides", decision.no_go_from === null ? `no-go from ${show(decision.threshold)} (${decision.method})`
        : `review from ${show(decision.threshold)}, no-go from ${show(decision.no_go_from)} (${decision.method})`);
    }
    for (const promise of gauge.promises) term(facts_, "promise", promise);
    for (const lack of gauge.shortfalls) term(facts_, "not proved", lack, false);
    if (gauge.leaky) term(facts_, "leaky", "made from a split that leaks; its figures of quality are too good", false);
    const {photos, worst, holds} = found[index];
    term(facts_, "here", photos ? `${holds ? "answers" : "does not answer"} as when it was made: ${photos} golden photos, `
      + `largest difference ${worst.toExponential(1)}` : "came without golden photos, so nothing proves it here", photos > 0 && holds);
    $("gauges").append(title, facts_);
  }
  $("build").textContent = `gonogo ${facts.gonogo}, ${facts.runtime}, version ${VERSION}.`;
}

async function describeWorks(kept) {
  const secure = window.isSecureContext, list = $("works");
  list.replaceChildren();
  term(list, "photos", "work", true);
  term(list, "camera", secure ? "works where you allow it" : "needs https (or localhost)", secure);
  term(list, "offline", kept ?? "works: everything is on this phone", kept === null);
  term(list, "install", kept === null ? "from the browser's menu: Install app, or Add to home screen" : kept, kept === null);
  term(list, "threads", self.crossOriginIsolated ? `${threads()} in use` : "1: several need https", self.crossOriginIsolated);
  const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
  term(list, "GPU", gpu ? "WebGPU can be chosen for latency" : "this browser offers no WebGPU here", Boolean(gpu));
  if (gpu) $("backend").append(new Option("WebGPU (GPU)", "webgpu"));
}

// Start

function open(view) {
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== view;
  for (const tab of document.querySelectorAll(".tabs button")) {
    if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}

function listenToPeople() {
  for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => open(tab.dataset.view));
  $("camera").addEventListener("click", toggleCamera);
  $("photos").addEventListener("change", async () => {
    const files = [...$("photos").files];
    $("photos").value = "";
    await takePhotos(files);
  });
  $("heat").addEventListener("click", () => {
    withHeat = !withHeat;
    $("heat").setAttribute("aria-pressed", String(withHeat));
    for (const [k, {told, pixels}] of (shown ?? []).entries()) {
      if (told) draw(cards[k].querySelector("canvas"), pixels, gauges[k], told, withHeat);
    }
  });
  $("clear").addEventListener("click", clearPhotos);
  $("measure").addEventListener("click", measure);
  document.addEventListener("visibilitychange", () => { if (document.hidden && camera.live) camera.stop(); });
}

function onContact(told) {
  $("net").dataset.is = told ? "on" : "off";
  $("net").textContent = told ? "Online" : "Offline";
  if (told?.problem) notice("problem", `The server says: ${told.problem}`);
  else if (told) notice("problem", "");
  if (told) send();
  $("trust").dataset.there = told?.authority ? "yes" : "";
}

async function start() {
  listenToPeople();
  facts = await (await fetch("facts.json")).json();
  gauges = facts.gauges;
  golden = gauges.map(() => []);
  makeCards();
  document.title = `${gauges.map((gauge) => gauge.name).join(" and ")} - gonogo`;
  $("turns").textContent = gauges.length === 2 ? ", both gauges in turns" : "";
  $("device").value = await deviceName();
  const engine = new Engine();
  engine.threads = (await engine.call("load", {backend: "wasm", threads: threads(), facts})).threads;
  const found = await verify(engine, golden);
  describe(found);
  if (tellChecked(found)) {
    engines.wasm = engine;
    for (const name of ["camera", "photos", "measure"]) $(name).disabled = false;
  }
  const before = takenFrom();
  if (before) notice("taken", `The gauge has changed: this is the new one (version ${VERSION}, before ${before}).`, "info");
  watch({onContact, onChange: (text) => notice("change", text), mayTake: () => !measuring});
  const kept = await keep();
  await describeWorks(kept);
  $("trust").hidden = kept === null || !window.isSecureContext || $("trust").dataset.there !== "yes";
  document.body.dataset.ready = kept === null ? "kept" : "here";
}

start().catch((error) => {
  $("checked").textContent = "Not started";
  notice("start", `The gauge did not start: ${error.message}. Open the page again.`, "error");
});
