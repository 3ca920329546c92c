/**
 * Reads digits in the browser, without any server: what the page to draw on imports in place of the app's reader.js.
 */
import { asMnist } from "./digit.js";
import { rejectionReason } from "./rejection.js";
import { Network } from "./network.js";

let network;

/** What this reader is and can do. */
export async function open() {
  network = new Network(await content());
  keepForOffline();
  return {
    classes: network.classes,
    name: network.name,
    can: { pictures: false, correct: false, peek: false },
  };
}

/**
 * Read one digit.
 * @param {{width: number, height: number, data: Uint8Array}} ink one byte per pixel, 0 for paper, 255 for full ink
 * @returns {Promise<{label: ?string, problem: ?string, probabilities: number[], image: Uint8Array}>} probabilities in
 *   the order of the classes, all 0 without ink, and the 28 x 28 image that the network saw, white ink on black
 */
export async function read(ink) {
  if (ink.data.length !== ink.width * ink.height) {
    throw new Error(`${ink.data.length} bytes of ink, expected ${ink.width} x ${ink.height}`);
  }
  const image = asMnist(ink);
  const probabilities = image.some((byte) => byte > 0) ? network.probabilities(image) : network.classes.map(() => 0);
  const reason = rejectionReason(network.limits, image, probabilities, network.classes);
  if (reason !== null) return { label: null, problem: `not a digit: ${reason}`, probabilities, image };
  const best = probabilities.indexOf(Math.max(...probabilities));
  return { label: network.classes[best], problem: null, probabilities, image };
}

/** Of network.bin, which all-in-one.js has in it. */
async function content() {
  if (self.NETWORK) return Uint8Array.from(atob(self.NETWORK), (character) => character.charCodeAt(0)).buffer;
  const response = await fetch(new URL("network.bin", import.meta.url));
  if (!response.ok) throw new Error(`network.bin cannot be loaded: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

/** Keep all files in the browser, where it allows that: over HTTPS, or from this computer itself. */
function keepForOffline() {
  if (location.protocol === "file:") return;
  const worker = new URL("service-worker.js", import.meta.url);
  navigator.serviceWorker?.register(worker, { updateViaCache: "none" }).catch((error) => {
    console.info(`Not kept for offline use: ${error.message}`);
  });
}
