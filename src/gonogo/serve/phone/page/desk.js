// The desk: the way to the page, and a table that follows what phones post.
const EVERY_MS = 2000;
const $ = (name) => document.getElementById(name);

function cell(row, text, {tag = "td", kind = "", under = ""} = {}) {
  const own = document.createElement(tag);
  own.textContent = text;
  own.className = kind;
  if (under) {
    const small = document.createElement("small");
    small.textContent = under;
    own.append(small);
  }
  row.append(own);
}

// How many times as fast as the first gauge on the same phone, in the same way.
function ratio(row, rows, first) {
  const same = (other) => ["device_id", "backend", "threads"].every((name) => other[name] === row[name]);
  const base = rows.find((other) => other.sha256 === first && same(other));
  return base && base !== row ? `${(base.p50_ms / row.p50_ms).toFixed(2)}x as fast as ${base.gauge}` : "";
}

function line(row, rows, first) {
  const own = document.createElement("tr");
  cell(own, row.device, {tag: "th"});
  cell(own, row.browser);
  cell(own, row.gauge, {under: [row.precision, row.sha256.slice(0, 8)].join(", ")});
  cell(own, row.backend, {under: row.threads === 1 ? "1 thread" : `${row.threads} threads`});
  cell(own, row.p50_ms.toFixed(3), {kind: "number median", under: ratio(row, rows, first)});
  for (const name of ["p95_ms", "p99_ms"]) cell(own, row[name].toFixed(3), {kind: "number"});
  cell(own, row.size_bytes.toLocaleString("en"), {kind: "number"});
  cell(own, String(row.runs), {kind: "number"});
  cell(own, new Date(row.received).toLocaleTimeString());
  return own;
}

async function look() {
  try {
    const told = await (await fetch("/desk/table", {cache: "no-store"})).json();
    $("state").textContent = `Serving version ${told.version}`;
    $("url").textContent = $("url").href = told.url;
    $("works").textContent = `${told.works[0].toUpperCase()}${told.works.slice(1)}.`;
    $("gauges").textContent = told.gauges.map(({name, size_bytes: bytes}) => `${name}, ${bytes.toLocaleString("en")} bytes`).join("; ");
    $("authority").hidden = !told.authority;
    $("problem").hidden = !told.problem;
    $("problem").textContent = told.problem ?? "";
    $("file").textContent = told.file;
    $("rows").replaceChildren(...told.rows.map((row) => line(row, told.rows, told.gauges[0].sha256)));
    $("none").hidden = told.rows.length > 0;
  } catch {
    $("state").textContent = "The server has ended, or the network is gone";
  }
  setTimeout(look, EVERY_MS);
}

look();
