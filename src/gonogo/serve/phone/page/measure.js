// The view of latencies: measure, show, post.
import {camera} from "./inspect.js";
import {RUNS, WARM_UP, deviceName, enqueue, flush, rename, rowOf, summarise} from "./latency.js";
import {milliseconds} from "./look.js";
import {startEngine} from "./proof.js";
import {$, notice, state} from "./state.js";

let running = null;  // the engine that measures now

export const isMeasuring = () => running !== null;

async function engineOf(backend) {
  if (!state.engines[backend]) {
    const {engine, found} = await startEngine(backend);
    const wrong = found.findIndex((one) => !one.holds);
    if (wrong >= 0) {
      throw new Error(`${backend} does not answer as ${state.gauges[wrong].name} did when it was made (difference `
        + `${found[wrong].worst.toExponential(1)}), so it is not used`);
    }
    state.engines[backend] = engine;
  }
  return state.engines[backend];
}

// Golden photos where there are any; otherwise noise of the gauge's size, for the time does not depend on the content.
function inputs() {
  return state.gauges.map(({geometry}, index) => {
    if (state.golden[index].length) return state.golden[index];
    const [x, y, w, h] = geometry.region;
    const [height, width] = [geometry.height ?? y + h, geometry.width ?? x + w];
    const data = Uint8Array.from({length: height * width * geometry.channels}, (_, k) => Math.imul(k, 2654435761) >>> 24);
    return [{data, width, height, channels: geometry.channels}];
  });
}

async function measure() {
  if (running) {
    running.stop();
    return;
  }
  if (camera.live) camera.stop();
  const backend = $("backend").value, device = $("device").value.trim() || "phone";
  rename(device);
  $("posted").textContent = "";
  $("measure").disabled = true;  // until there is something to stop
  try {
    running = await engineOf(backend);
    setMeasuring(true);
    const found = await running.call("time", {inputs: inputs(), runs: RUNS, warmUp: WARM_UP},
      (share) => { $("progress").value = share; });
    if (!found) {
      $("posted").textContent = "Stopped; nothing was sent.";
      return;
    }
    showTimes(found, backend);
    const said = {backend, threads: running.threads, clock: found.clock, device, runs: RUNS, warmUp: WARM_UP};
    enqueue(state.gauges.map((gauge, index) => rowOf(gauge, state.facts, found.times[index], said)));
    await send();
  } catch (error) {
    $("posted").textContent = `Not measured: ${error.message}`;
  } finally {
    running = null;
    setMeasuring(false);
  }
}

function setMeasuring(on) {
  $("measure").disabled = false;
  for (const name of ["camera", "photos"]) $(name).disabled = on;  // they would disturb the times
  $("measure").textContent = on ? "Stop" : "Measure";
  $("progress").hidden = !on;
  $("progress").value = 0;
}

function showTimes({times, clock}, backend) {
  const sums = times.map(summarise), [a, b] = sums.map((sum) => sum.p50_ms);
  $("times").replaceChildren(...state.gauges.map((gauge, index) => timesOf(gauge, sums[index])));
  $("times").dataset.backend = backend;
  const [one, other] = state.gauges.map(({name}) => name);
  $("ratio").textContent = b === undefined ? "" : b <= a ? `${other} is ${(a / b).toFixed(2)} times as fast as ${one}.`
    : `${other} takes ${(b / a).toFixed(2)} times as long as ${one}.`;
  const coarse = sums.some((sum) => sum.p50_ms < 10 * clock);
  notice("clock", coarse ? `This browser's clock moves in steps of ${milliseconds(clock)} ms, coarse for times this `
    + "short; over https it is finer." : "");
}

function timesOf(gauge, sum) {
  const own = document.createElement("div"), name = document.createElement("h2"), big = document.createElement("p");
  const unit = document.createElement("span"), rest = document.createElement("p");
  name.textContent = gauge.name;
  big.className = "big";
  unit.textContent = " ms";
  big.append(milliseconds(sum.p50_ms), unit);
  rest.className = "note";
  rest.textContent = `median\np95 ${milliseconds(sum.p95_ms)} ms\np99 ${milliseconds(sum.p99_ms)} ms`;
  own.append(name, big, rest);
  return own;
}

// Post what waits on this phone, and say what became of it.
export async function send() {
  const {sent, left, refused} = await flush();
  const rows = (n) => `${n} ${n === 1 ? "row" : "rows"}`;
  if (refused) $("posted").textContent = `The server refused a row: ${refused}`;
  else if (left) $("posted").textContent = `${rows(left)} wait on this phone and go to the server when it is back.`;
  else if (sent) $("posted").textContent = `${rows(sent)} arrived at the server.`;
}

export async function listenToMeasurers() {
  $("turns").textContent = state.gauges.length === 2 ? ", both gauges in turns" : "";
  $("measure").addEventListener("click", measure);
  $("device").value = await deviceName();
}
