/**
 * network.bin: the letters "digitrec", the length of a header in JSON, the header, then weights in 32 bits, all
 * little-endian. digitrec/export/web_network.py writes it.
 */

const MAGIC = "digitrec";
const FORMAT = 1;

/** The header: {format, name, about, card, limits, mean, std, layers}; in layers, numbers instead of places. */
export function readFile(content) {
  const bytes = new Uint8Array(content);
  const text = new TextDecoder();
  if (text.decode(bytes.subarray(0, MAGIC.length)) !== MAGIC) {
    throw new Error("network.bin is damaged or was not written by digitrec.export");
  }
  const start = MAGIC.length + 4;
  const length = new DataView(content).getUint32(MAGIC.length, true);
  const header = JSON.parse(text.decode(bytes.subarray(start, start + length)));
  if (header.format !== FORMAT) {
    throw new Error(`network.bin has format ${header.format}, expected ${FORMAT}: export it again`);
  }
  const weights = new Float32Array(content, start + length);
  return { ...header, layers: withNumbers(header.layers, weights) };
}

function withNumbers(value, numbers) {
  if (Array.isArray(value)) return value.map((item) => withNumbers(item, numbers));
  if (typeof value !== "object") return value;
  if ("start" in value) return numbers.subarray(value.start, value.start + value.count);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withNumbers(item, numbers)]));
}
