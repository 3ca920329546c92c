// Recognition by the server of this page; the rest of the page uses only these functions.

const QUICK = 5_000, PATIENT = 60_000; // milliseconds
const BUSY = [408, 429, 503];

/** What there is to read with: {classes, name, can: {pictures, correct, peek}, folder}. */
export function open() {
  return request("about");
}

/**
 * Read one digit from ink = {width, height, data}: one byte per pixel, 0 paper .. 255 full ink.
 * Returns {label, problem, probabilities, image}, the probabilities in the order of the classes, all 0 without ink.
 */
export async function read(ink) {
  return withImage(await request(`read?${sizeOf(ink)}`, ink.data));
}

/**
 * Read all digits of a picture's file: {width, height, text, problem, note, digits}, each of the digits
 * {label, problem, probabilities, image, box}; `problem` is the reason if there is none, `note` what else of the file was not read.
 */
export async function readPicture(blob) {
  const page = await request("picture", blob, PATIENT);
  return { ...page, digits: page.digits.map(withImage) };
}

/** Keep ink as a sample of a label: {file, counts}, how many there are of each label. */
export function save(ink, label) {
  return request(`save?${sizeOf(ink)}&label=${encodeURIComponent(label)}`, ink.data);
}

/** What each layer makes of ink: [{name, width, height, maps: [Uint8Array]}]. */
export async function peek(ink) {
  const { layers } = await request(`peek?${sizeOf(ink)}`, ink.data);
  return layers.map((layer) => ({ ...layer, maps: layer.maps.map(bytes) }));
}

async function request(what, body, patience = QUICK) {
  const options = { signal: AbortSignal.timeout(patience), cache: "no-store" };
  if (body !== undefined) {
    Object.assign(options, { method: "POST", body, headers: { "Content-Type": "application/octet-stream" } });
  }
  let response;
  try {
    response = await fetch(`api/${what}`, options);
  } catch {
    throw passing("the server does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  const message = answer.error ?? `the server answered ${response.status}`;
  if (BUSY.includes(response.status)) throw passing(message);
  if (!response.ok) throw new Error(message);
  return answer;
}

/** An error that may be gone a moment later. */
function passing(message) {
  return Object.assign(new Error(message), { passing: true });
}

function sizeOf(ink) {
  return `width=${ink.width}&height=${ink.height}`;
}

function withImage(reading) {
  return { ...reading, image: bytes(reading.image) };
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
