// The runtime in its worker, and the proof that it answers here as the computer did that made the gauges.
import {decide} from "./decide.js";
import {decode, toPixels} from "./pixels.js";
import {state} from "./state.js";

// A worker that is asked and answers.
export class Engine {
  constructor() {
    this.asked = new Map();
    this.broken = null;  // why it can no longer be asked
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
      this.broken = new Error(event.message || "the runtime did not start");
      for (const {reject} of this.asked.values()) reject(this.broken);
      this.asked.clear();
    });
  }

  call(op, values = {}, onProgress = null) {
    const id = crypto.getRandomValues(new Uint32Array(1))[0];
    if (this.broken) return Promise.reject(this.broken);
    return new Promise((resolve, reject) => {
      this.asked.set(id, {resolve, reject, onProgress});
      this.worker.postMessage({op, id, ...values});
    });
  }

  stop() {
    this.worker.postMessage({op: "stop"});
  }
}

function median(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Prove that this browser decodes and answers as the computer did that made the gauge.
export async function verify(engine) {
  const found = [];
  for (const [index, gauge] of state.gauges.entries()) {
    let worst = 0, equal = true;
    const peaks = [];
    for (const [k, row] of gauge.golden.entries()) {
      if (!state.golden[index][k]) {
        const bitmap = await decode(await (await fetch(row.photo)).blob());
        const canvas = document.createElement("canvas");
        state.golden[index][k] = toPixels(bitmap, bitmap.width, bitmap.height, gauge.geometry, canvas);
        bitmap.close();
        delete state.golden[index][k].canvas;
      }
      const told = await engine.call("ask", {gauge: index, pixels: state.golden[index][k]});
      const expected = decide(gauge.decision, Float32Array.from(row.pred_probs), row.novelty);
      row.pred_probs.forEach((prob, c) => { worst = Math.max(worst, Math.abs(prob - told.probs[c])); });
      if (row.novelty !== null) worst = Math.max(worst, Math.abs(row.novelty - told.novelty) / Math.max(1, row.novelty));
      if (told.heat) peaks.push(told.heat.data.reduce((a, b) => Math.max(a, b), 0));
      equal &&= expected.verdict === told.verdict && expected.label === told.label;
    }
    // One scale for all of a gauge's photos, so that a weak map looks weak; a few extreme places do not set it.
    gauge.heatScale = peaks.length ? Math.max(1, median(peaks)) : null;
    found.push({photos: gauge.golden.length, worst, holds: equal && worst <= gauge.tolerance});
  }
  return found;
}

// Several threads share memory, which browsers allow over https (or localhost) alone.
export function threads() {
  return self.crossOriginIsolated ? Math.min(state.facts.threads, navigator.hardwareConcurrency || 1) : 1;
}

// Start a runtime and prove it. Returns {engine, found}; found has {photos, worst, holds} for each gauge.
export async function startEngine(backend) {
  const engine = new Engine();
  engine.threads = (await engine.call("load", {backend, threads: threads(), facts: state.facts})).threads;
  return {engine, found: await verify(engine)};
}
