// From a network's answer to the verdict: exactly what Decision.verdicts, Decision.labels and HeatGrid.hot_region do,
// in the same single precision.

const f32 = Math.fround;

// The place of the largest value; the first among equals, and the first that is no number, as NumPy has it.
function argmax(values) {
  let best = 0;
  for (let k = 0; k < values.length; k++) {
    if (Number.isNaN(values[k])) return k;
    if (values[k] > values[best]) best = k;
  }
  return best;
}

// {label, prob, verdict, novelty, unknown} of one photo; the verdict is null for sorting.
export function decide(decision, probs, novelty) {
  const good = decision.good === null ? -1 : decision.classes.indexOf(decision.good);
  const sorting = good < 0 || decision.threshold === null;
  const defect = sorting ? null : f32(1 - probs[good]);
  let label, verdict = null;
  if (sorting) {
    label = argmax(probs);
  } else {
    // Asked this way round, a probability that is not a number does not pass.
    const isGo = defect < f32(decision.threshold);
    const inDoubt = !isGo && decision.no_go_from !== null && defect < f32(decision.no_go_from);
    verdict = isGo ? "go" : inDoubt ? "review" : "no-go";
    label = isGo ? good : argmax(Array.from(probs, (value, k) => k === good ? -1 : value));
  }
  const measured = novelty !== null && novelty !== undefined;
  const unknown = measured && !(novelty <= 1);
  return {
    label: decision.classes[label],
    prob: sorting ? probs[argmax(probs)] : defect,
    verdict: unknown ? "review" : verdict,
    novelty: measured ? novelty : null,
    unknown,
  };
}

// Halves go to the even neighbour, as Python rounds.
function round(value) {
  const down = Math.floor(value), rest = value - down;
  if (rest !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

// Where cell k begins, in camera pixels from the corner of the crop; axis 0 is down.
export function edge(grid, k, axis) {
  return f32((grid.first + 0.5 + (k - 0.5) * grid.stride) * grid.scale[axis]);
}

// [x, y, width, height] around the connected cells that reach half of the peak; null where nothing is above 0.
export function hotRegion(grid, [left, top, width, height], map, rows, columns) {
  const peak = argmax(map);
  if (!(map[peak] > 0)) return null;
  const half = f32(map[peak] / 2);
  const joined = new Set([peak]), waiting = [peak];
  let r0 = rows, r1 = -1, c0 = columns, c1 = -1;
  while (waiting.length) {
    const cell = waiting.pop(), row = Math.floor(cell / columns), column = cell % columns;
    [r0, r1, c0, c1] = [Math.min(r0, row), Math.max(r1, row), Math.min(c0, column), Math.max(c1, column)];
    const beside = [];
    if (row > 0) beside.push(cell - columns);
    if (row < rows - 1) beside.push(cell + columns);
    if (column > 0) beside.push(cell - 1);
    if (column < columns - 1) beside.push(cell + 1);
    for (const next of beside) {
      if (joined.has(next) || !(map[next] >= half)) continue;
      joined.add(next);
      waiting.push(next);
    }
  }
  const x0 = Math.max(round(edge(grid, c0, 1)), 0), x1 = Math.min(round(edge(grid, c1 + 1, 1)), width);
  const y0 = Math.max(round(edge(grid, r0, 0)), 0), y1 = Math.min(round(edge(grid, r1 + 1, 0)), height);
  return [left + x0, top + y0, x1 - x0, y1 - y0];
}

// Everything the page shows of one photo, from what the runtime answered.
export function answer(gauge, outputs) {
  const novelty = outputs.novelty ? outputs.novelty.data[0] : null;
  const told = decide(gauge.decision, outputs.pred_probs.data, novelty);
  const map = outputs.heatmap;
  const [rows, columns] = map ? map.dims.slice(1) : [0, 0];
  const region = map && told.verdict === "no-go"
    ? hotRegion(gauge.grid, gauge.geometry.region, map.data, rows, columns) : null;
  return {...told, region, probs: Array.from(outputs.pred_probs.data),
    heat: map ? {data: map.data, rows, columns} : null};
}
