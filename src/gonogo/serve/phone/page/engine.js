// A worker that holds the runtime and the models, so that the page never stands still.
import {answer} from "./decide.js";

const RUNTIME = {
  wasm: {entry: "ort.wasm.min.mjs", build: "ort-wasm-simd-threaded"},
  webgpu: {entry: "ort.webgpu.min.mjs", build: "ort-wasm-simd-threaded.asyncify"},
};
const ERRORS = 3;  // of ONNX Runtime's levels: that some layers stay on the CPU is no news
const BREATH_MS = 200;  // while timing, the page is told how far it is, and may stop it

let ort, gauges = [], sessions = [], stopped = false;

async function load({backend, threads, facts}) {
  const base = new URL("runtime/", import.meta.url).href;
  const {entry, build} = RUNTIME[backend];
  ort = await import(base + entry);
  ort.env.wasm.wasmPaths = {mjs: `${base}${build}.mjs`, wasm: `${base}${build}.wasm`};
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  gauges = facts.gauges;
  sessions = [];
  for (const gauge of gauges) {
    const file = await fetch(new URL(gauge.model, import.meta.url));
    if (!file.ok) throw new Error(`the model of ${gauge.name} did not arrive (${file.status})`);
    const model = new Uint8Array(await file.arrayBuffer());
    sessions.push(await ort.InferenceSession.create(model, {executionProviders: [backend], logSeverityLevel: ERRORS}));
  }
  return {threads: ort.env.wasm.numThreads};
}

// From raw pixels in memory to the verdict.
async function ask(index, {data, width, height, channels}) {
  const pixels = new ort.Tensor("uint8", data, [1, height, width, channels]);
  const outputs = await sessions[index].run({pixels});
  const told = answer(gauges[index], outputs);
  for (const tensor of Object.values(outputs)) tensor.dispose();
  return told;
}

async function timed(index, pixels) {
  const started = performance.now();
  const told = await ask(index, pixels);
  return {...told, ms: performance.now() - started};
}

// Both gauges in turns, so that a busy moment of the phone hits both alike.
async function time({id, inputs, runs, warmUp}) {
  const times = inputs.map(() => new Float64Array(runs));
  let breath = performance.now();
  stopped = false;
  for (let turn = -warmUp; turn < runs; turn++) {
    for (const [index, photos] of inputs.entries()) {
      const pixels = photos[(turn + warmUp) % photos.length];
      const started = performance.now();
      await ask(index, pixels);
      if (turn >= 0) times[index][turn] = performance.now() - started;
    }
    if (performance.now() - breath > BREATH_MS) {
      self.postMessage({id, progress: (turn + warmUp + 1) / (runs + warmUp)});
      await new Promise((resolve) => setTimeout(resolve));
      if (stopped) return null;
      breath = performance.now();
    }
  }
  return {times, clock: clockStep()};
}

// The smallest step between two readings of the clock, in ms.
function clockStep() {
  let least = Infinity, changes = 0, before = performance.now();
  const until = before + 50;
  while (changes < 50 && before < until) {
    const now = performance.now();
    if (now > before) {
      least = Math.min(least, now - before);
      changes++;
    }
    before = now;
  }
  return Number.isFinite(least) ? least : 50;
}

self.addEventListener("message", async ({data: said}) => {
  if (said.op === "stop") {
    stopped = true;
    return;
  }
  try {
    const value = said.op === "load" ? await load(said)
      : said.op === "ask" ? await timed(said.gauge, said.pixels)
        : await time(said);
    self.postMessage({id: said.id, value});
  } catch (error) {
    self.postMessage({id: said.id, error: String(error?.message ?? error)});
  }
});
