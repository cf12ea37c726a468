// The view that people look at: pictures of the camera and photos, each with its verdict.
import {Camera} from "./camera.js";
import {draw, kindOf, milliseconds, shape, show, tell, wordOf} from "./look.js";
import {PhotoError, decode, toPixels} from "./pixels.js";
import {$, notice, state} from "./state.js";

const THUMB = 112, MOST_LISTED = 500;

let cards = [], canvases = [], shown = null, withHeat = true;
let answers = [];  // of each photo so far and each gauge: what was told, or null

export function makeCards() {
  $("cards").className = `cards ${state.gauges.length === 2 ? "two" : "one"}`;
  cards = state.gauges.map((gauge) => {
    const card = $("card").content.firstElementChild.cloneNode(true);
    card.querySelector(".name").textContent = gauge.name;
    card.querySelector(".empty").textContent = "Point the camera at a part, or choose photos.";
    $("cards").append(card);
    return card;
  });
  canvases = state.gauges.map(() => document.createElement("canvas"));
}

// Answer one picture with every gauge: [{told, pixels} or {error}].
async function judge(source, width, height) {
  const results = [];
  for (const [index, gauge] of state.gauges.entries()) {
    try {
      const pixels = toPixels(source, width, height, gauge.geometry, canvases[index]);
      const told = await state.engines.wasm.call("ask", {gauge: index, pixels: {...pixels, canvas: null}});
      results.push({told, pixels});
    } catch (error) {
      results.push({error: error.message});
    }
  }
  return results;
}

async function judgeFile(file) {
  let bitmap;
  try {
    bitmap = await decode(file);
  } catch (error) {
    if (!(error instanceof PhotoError)) throw error;
    return state.gauges.map(() => ({error: error.message}));
  }
  const results = await judge(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  return results;
}

// Show a picture and what was told of it; `words` say which picture it is.
function present(results, words) {
  shown = results;
  for (const [index, {told, pixels, error}] of results.entries()) {
    const card = cards[index], canvas = card.querySelector("canvas"), empty = card.querySelector(".empty");
    canvas.hidden = Boolean(error);
    empty.hidden = !error;
    if (error) {
      card.dataset.kind = "none";
      empty.textContent = `Cannot be judged: ${error}.`;
      continue;
    }
    draw(canvas, pixels, state.gauges[index], told, withHeat);
    canvas.setAttribute("aria-label", `${wordOf(told)}, ${words}`);
    tell(card, state.gauges[index], told);
    card.querySelector(".ms").textContent = `${milliseconds(told.ms)} ms on this phone`;
  }
  tellSource(results, words);
}

// Where the picture comes from, and whether the gauge got its very pixels.
function tellSource(results, words) {
  const first = results.find(({pixels}) => pixels)?.pixels;
  if (!first) {
    $("source").textContent = words;
    return;
  }
  const scaled = results.some(({pixels}) => pixels?.scaled), how = document.createElement("b");
  how.textContent = scaled ? "Cut and scaled" : "Pixel for pixel";
  how.className = scaled ? "scaled" : "exact";
  $("source").replaceChildren(`${words}, ${first.from.join("×")}. `, how,
    scaled ? " to the gauge's size, from the middle of the picture." : ".");
  // Said down here, so that a live picture does not jump.
  const apart = results.every(({told}) => told) && new Set(results.map(({told}) => wordOf(told))).size > 1;
  if (!apart) return;
  const differ = document.createElement("b");
  differ.className = "apart";
  differ.textContent = "The two gauges do not agree.";
  $("source").append(" ", differ);
}

async function onFrame(video) {
  const results = await judge(video, video.videoWidth, video.videoHeight);
  if (camera.live) present(results, "Camera");
}

export const camera = new Camera($("video"), onFrame, (reason) => {
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

async function takePhotos(files) {
  if (camera.live) camera.stop();
  for (const file of files) {
    const results = await judgeFile(file);
    present(results, file.name);
    list(file, results);
  }
}

function list(file, results) {
  answers.push(results.map(({told}) => told ? wordOf(told) : "no verdict"));
  const item = document.createElement("li"), button = document.createElement("button");
  const name = document.createElement("span"), tags = document.createElement("span");
  button.type = "button";
  name.className = "file";
  name.textContent = file.name;
  tags.className = "tags";
  tags.append(...results.map(tagOf));
  button.append(thumb(results.find(({pixels}) => pixels)?.pixels), name, tags);
  button.addEventListener("click", async () => {
    if (camera.live) camera.stop();
    present(await judgeFile(file), file.name);
    scrollTo({top: 0});
  });
  item.append(button);
  $("list").prepend(item);
  if ($("list").children.length > MOST_LISTED) $("list").lastElementChild.remove();
  $("results").hidden = false;
  summarise();
}

// A verdict in small; all that was told stands in its data, to the last digit.
function tagOf({told, error}) {
  const tag = document.createElement("span"), prob = document.createElement("small");
  tag.className = "tag";
  tag.dataset.kind = told ? kindOf(told) : "none";
  if (!told) {
    tag.append("No verdict");
    tag.title = tag.dataset.error = error;
    return tag;
  }
  prob.textContent = show(told.prob);
  tag.append(shape(kindOf(told)), wordOf(told), prob);
  const {label, verdict, prob: value, probs, region, novelty} = told;
  tag.dataset.told = JSON.stringify({label, verdict, prob: value, probs, region, novelty});
  return tag;
}

function thumb(pixels) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = THUMB;
  if (!pixels) return canvas;
  const k = THUMB / Math.min(pixels.width, pixels.height), [w, h] = [pixels.width * k, pixels.height * k];
  canvas.getContext("2d").drawImage(pixels.canvas, (THUMB - w) / 2, (THUMB - h) / 2, w, h);
  return canvas;
}

function summarise() {
  const tallies = state.gauges.map((gauge, index) => {
    const counts = new Map();
    for (const words of answers) counts.set(words[index], (counts.get(words[index]) ?? 0) + 1);
    // Neither between number and word nor inside of NO-GO does a line break.
    return [...counts].map(([word, n]) => `${n}\u00a0${word.replace("-", "\u2011")}`).join(", ");
  });
  const same = new Set(tallies).size === 1;
  $("summary").textContent = `${answers.length} ${answers.length === 1 ? "photo" : "photos"}: `
    + (same ? tallies[0] : tallies.map((text, k) => `${state.gauges[k].name} ${text}`).join("; "));
}

export function listenToInspectors() {
  let before = Promise.resolve();
  $("camera").addEventListener("click", toggleCamera);
  $("photos").addEventListener("change", () => {
    const files = [...$("photos").files];
    $("photos").value = "";
    before = before.then(() => takePhotos(files));  // one photo at a time, also when more are chosen meanwhile
  });
  $("heat").addEventListener("click", () => {
    withHeat = !withHeat;
    $("heat").setAttribute("aria-pressed", String(withHeat));
    for (const [k, {told, pixels}] of (shown ?? []).entries()) {
      if (told) draw(cards[k].querySelector("canvas"), pixels, state.gauges[k], told, withHeat);
    }
  });
  $("clear").addEventListener("click", () => {
    answers = [];
    $("list").replaceChildren();
    $("results").hidden = true;
  });
  // A page that nobody sees has no use for the camera.
  document.addEventListener("visibilitychange", () => { if (document.hidden && camera.live) camera.stop(); });
}
