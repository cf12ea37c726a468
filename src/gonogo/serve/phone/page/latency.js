// How long the gauges take on this phone, and the way of the figures to the server, also after a time without one.

export const RUNS = 200, WARM_UP = 50;
const WAITING = "gonogo-latencies", DEVICE_ID = "gonogo-device", DEVICE = "gonogo-device-name";

// Linear between the two nearest, as NumPy has it.
export function percentile(times, share) {
  const sorted = Float64Array.from(times).sort(), place = share * (sorted.length - 1), low = Math.floor(place);
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (place - low);
}

export function summarise(times) {
  return {p50_ms: percentile(times, 0.5), p95_ms: percentile(times, 0.95), p99_ms: percentile(times, 0.99)};
}

function deviceId() {
  let id = localStorage.getItem(DEVICE_ID);
  if (!id) {
    id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(DEVICE_ID, id);
  }
  return id;
}

// A text that is no formula in a spreadsheet and has no control characters.
const plain = (text, otherwise) => text.replace(/[\u0000-\u001f\u007f]/g, " ").replace(/^[\s=+\-@]+/, "").trim().slice(0, 80) || otherwise;

export async function deviceName() {
  const named = localStorage.getItem(DEVICE);
  if (named) return named;
  const told = await navigator.userAgentData?.getHighEntropyValues(["model", "platform"]).catch(() => null);
  if (told?.model) return plain(told.model, "phone");
  const agent = navigator.userAgent;
  const known = ["iPhone", "iPad", "Android", "Windows", "Macintosh", "Linux"].find((name) => agent.includes(name));
  return told?.platform || known || "phone";
}

export function rename(name) {
  localStorage.setItem(DEVICE, name);
}

function browserName() {
  const brands = navigator.userAgentData?.brands?.filter(({brand}) => !/not.?a.?brand/i.test(brand)) ?? [];
  const main = brands.find(({brand}) => brand !== "Chromium") ?? brands[0];
  if (main) return plain(`${main.brand} ${main.version}`, "browser");
  const found = /(Firefox|FxiOS|CriOS|EdgiOS|Version)\/([\d.]+)/.exec(navigator.userAgent);
  return found ? `${found[1] === "Version" ? "Safari" : found[1]} ${found[2]}` : "browser";
}

// The row that the server keeps of one gauge.
export function rowOf(gauge, facts, times, {backend, threads, clock, device, runs, warmUp}) {
  return {
    device_id: deviceId(), device: plain(device, "phone"), browser: browserName(),
    gauge: plain(gauge.name, "gauge"), sha256: gauge.sha256, precision: gauge.precision, backend, threads,
    ...summarise(times), runs, warm_up: warmUp, clock_ms: clock, runtime: facts.runtime,
    params: gauge.params ?? null, macs: gauge.macs ?? null, size_bytes: gauge.size_bytes,
  };
}

function waiting() {
  return JSON.parse(localStorage.getItem(WAITING) ?? "[]");
}

const keyOf = (row) => [row.device_id, row.sha256, row.backend, row.threads].join(" ");

export function enqueue(rows) {
  const keys = new Set(rows.map(keyOf));
  localStorage.setItem(WAITING, JSON.stringify([...waiting().filter((row) => !keys.has(keyOf(row))), ...rows]));
}

// Post what waits. Returns {sent, left, refused}: how many arrived, how many still wait, why one was refused.
export async function flush() {
  let sent = 0, refused = null;
  for (const row of waiting()) {
    let answer;
    try {
      answer = await fetch("/latency", {
        method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(row),
      });
    } catch {
      break;  // no network: it waits
    }
    if (answer.status >= 500) break;  // the server cannot keep it now: it waits
    if (answer.ok) sent++;
    else refused = (await answer.json().catch(() => ({}))).error ?? `the server refused it (${answer.status})`;
    const same = JSON.stringify(row);
    localStorage.setItem(WAITING, JSON.stringify(waiting().filter((other) => JSON.stringify(other) !== same)));
  }
  return {sent, left: waiting().length, refused};
}
