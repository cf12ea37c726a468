// What every part of the page knows: the gauges, and the runtimes that were proved here.

export const $ = (name) => document.getElementById(name);

export const state = {
  facts: null,
  gauges: [],
  golden: [],  // pixels of each gauge's golden photos
  engines: {},  // by backend: those that answer as the gauges did when they were made
};

// Notices: one line each, by what they are about; an empty text takes it away.
export function notice(about, text, kind = "warning") {
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
