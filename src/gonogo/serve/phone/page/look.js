// What a person sees of a verdict: the picture with its heat map and box, the word and its shape, the bar.
import {edge} from "./decide.js";

const LONGEST = 1000;  // pixels of the drawn picture
// Dark red through orange to light yellow: rising lightness, so that it reads in grey and for the colour-blind too.
const STOPS = [[110, 0, 10], [215, 25, 28], [253, 141, 36], [254, 217, 96], [255, 255, 204]];
const STRONGEST = 0.72;
const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  go: ["M24 3a21 21 0 1 0 0 42 21 21 0 0 0 0-42z", "M13.5 24.5l7.5 7.5 14-15"],
  "no-go": ["M15 3h18l12 12v18L33 45H15L3 33V15z", "M16 16l16 16M32 16L16 32"],
  review: ["M24 4L46 44H2z", "M24 18v13M24 36.5v.5"],
  sorted: ["M24 2l22 22-22 22L2 24z", "M16 24h16"],
};
const WORDS = {go: "GO", "no-go": "NO-GO", review: "REVIEW"};

export function shape(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 48 48");
  svg.setAttribute("aria-hidden", "true");
  for (const [k, path] of SHAPES[name].entries()) {
    const own = document.createElementNS(SVG, "path");
    own.setAttribute("d", path);
    own.setAttribute("class", k ? "inner" : "outer");
    svg.append(own);
  }
  return svg;
}

export const kindOf = (told) => told.verdict ?? "sorted";
export const wordOf = (told) => WORDS[told.verdict] ?? told.label;

// Why it is what it is, in one line.
export function reasonOf(gauge, told) {
  const {classes, threshold, no_go_from: upper} = gauge.decision;
  if (told.unknown) return `Unlike anything in training: ${told.novelty.toFixed(1)} times the limit.`;
  if (told.verdict === "review") return `Between both thresholds (${show(threshold)} and ${show(upper)}): a person decides.`;
  return told.verdict === "no-go" && classes.length > 2 ? `Looks like ${told.label}.` : "";
}

export function show(value) {
  if (value > 0 && value < 0.0005) return "< 0.001";
  if (value < 1 && value > 0.9995) return "> 0.999";
  return value.toFixed(3);
}

export function milliseconds(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function colourOf(strength) {
  const place = Math.min(Math.max(strength, 0), 1) * (STOPS.length - 1);
  const below = Math.min(Math.floor(place), STOPS.length - 2), share = place - below;
  return STOPS[below].map((value, k) => value * (1 - share) + STOPS[below + 1][k] * share);
}

// The map with one more cell on each side, so that the border of the photo is covered; `scale` is at full strength.
function heatPicture({data, rows, columns}, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = columns + 2;
  canvas.height = rows + 2;
  const pen = canvas.getContext("2d"), image = pen.createImageData(columns + 2, rows + 2);
  const full = scale ?? Math.max(1, data.reduce((a, b) => Math.max(a, b), 0));
  for (let r = 0; r < rows + 2; r++) {
    for (let c = 0; c < columns + 2; c++) {
      const row = Math.min(Math.max(r - 1, 0), rows - 1), column = Math.min(Math.max(c - 1, 0), columns - 1);
      const strength = Math.min(Math.max(data[row * columns + column] / full, 0), 1);
      image.data.set([...colourOf(strength), 255 * strength ** 0.7 * STRONGEST], 4 * (r * (columns + 2) + c));
    }
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

// Draw the photo as the gauge took it, with what it answered.
export function draw(canvas, pixels, gauge, told, withHeat) {
  const {width, height} = pixels, k = LONGEST / Math.max(width, height);
  canvas.width = Math.round(width * k);
  canvas.height = Math.round(height * k);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(pixels.canvas, 0, 0, canvas.width, canvas.height);
  const [x, y, w, h] = gauge.geometry.region;
  if (withHeat && told.heat) {
    const {grid} = gauge, {rows, columns} = told.heat;
    const [left, top] = [edge(grid, -1, 1), edge(grid, -1, 0)];
    const [right, bottom] = [edge(grid, columns + 1, 1), edge(grid, rows + 1, 0)];
    pen.save();
    pen.beginPath();
    pen.rect(x * k, y * k, w * k, h * k);
    pen.clip();
    pen.drawImage(heatPicture(told.heat, gauge.heatScale), (x + left) * k, (y + top) * k, (right - left) * k, (bottom - top) * k);
    pen.restore();
  }
  if (withHeat && told.region) box(pen, told.region.map((value) => value * k));
}

function box(pen, [x, y, w, h]) {
  for (const [colour, width] of [["rgb(0 0 0 / .65)", 9], ["#fff", 4]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.strokeRect(x, y, w, h);
  }
}

// Fill one card: word, shape, probability and its bar.
export function tell(card, gauge, told) {
  const kind = kindOf(told), {threshold, no_go_from: upper} = gauge.decision;
  const word = card.querySelector(".word");
  if (card.dataset.kind !== kind || word.textContent !== wordOf(told)) {  // said aloud once, not with every frame
    card.dataset.kind = kind;
    card.querySelector(".sign").replaceChildren(shape(kind));
    word.textContent = wordOf(told);
  }
  card.querySelector(".reason").textContent = reasonOf(gauge, told);
  const sorting = threshold === null;
  card.querySelector(".prob b").textContent = show(told.prob);
  card.querySelector(".prob span").textContent = sorting ? `probability of ${told.label}` : "probability of a defect";
  const bar = card.querySelector(".scale");
  bar.style.setProperty("--at", told.prob);
  bar.style.setProperty("--from", threshold ?? 0);
  bar.style.setProperty("--to", upper ?? threshold ?? 0);
  bar.classList.toggle("plain", sorting);
  bar.classList.toggle("band", upper !== null);
  card.querySelector(".limit").textContent = sorting ? ""
    : upper === null ? `no-go from ${show(threshold)}` : `review from ${show(threshold)}, no-go from ${show(upper)}`;
}
