/**
 * Keeps the page's files in the browser, so that it works without a connection. All come from one export: a new one is
 * fetched whole beside the old before it takes its place, and seen when the page is opened or loaded again.
 */
importScripts("kept.js"); // {version, files}, written by digitrec.export

const OURS = `digitrec ${self.registration.scope} `;
const CACHE = OURS + self.KEPT.version;

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers());
});

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(kept(event.request));
});

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(self.KEPT.files.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting(); // on a phone, pages are hardly ever closed
}

async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(OURS) && name !== CACHE).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function kept(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}
