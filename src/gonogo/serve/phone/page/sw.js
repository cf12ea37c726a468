"use strict";
// Keeps one version of everything on the phone, whole. Another version is another cache; it takes over when every one
// of its files has arrived, and not before.
const VERSION = "@VERSION@";
const FILES = @FILES@;
const NAME = `gonogo-${VERSION}`, BASE = `/b/${VERSION}/`, INDEX = `${BASE}index.html`;

self.addEventListener("install", (event) => {
  // The version is part of every address and no other version is answered there, so this cannot become a mix.
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(FILES.map((path) => BASE + path)))
    .then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && url.pathname === "/") event.respondWith(page(event.request));
  else if (url.pathname.startsWith(BASE)) event.respondWith(kept(event.request));
});

// The page of this version, always: it finds out by itself that there is a newer one, and takes it whole.
async function page(request) {
  return await caches.match(INDEX, {cacheName: NAME}) ?? fetch(request);
}

// What only some phones need (the runtime for GPUs) is kept when it is first asked for.
async function kept(request) {
  const cache = await caches.open(NAME);
  const found = await cache.match(request, {ignoreSearch: true});
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}
