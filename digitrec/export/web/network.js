/**
 * A network's forward pass on one image. Features lie with channels last, {height, width, channels, data}.
 */
import { readFile } from "./network-file.js";

export class Network {
  /** @param {ArrayBuffer} content of network.bin, as digitrec.export writes it */
  constructor(content) {
    const { name, about, limits, mean, std, layers } = readFile(content);
    this.name = name;
    this.classes = about.class_names;
    this.limits = limits; // see rejection.js
    this.layers = layers;
    this.mean = mean;
    this.std = std;
  }

  /** Uint8Array(784), white ink on black -> probabilities in the order of the classes. */
  probabilities(image) {
    const side = Math.sqrt(image.length);
    const data = Float32Array.from(image, (byte) => (byte - this.mean * 255) / (this.std * 255));
    return softmax(run(this.layers, { height: side, width: side, channels: 1, data }).data);
  }
}

function run(layers, features) {
  return layers.reduce((current, layer) => LAYERS[layer.kind](current, layer), features);
}

const LAYERS = { convolution, dense, relu, max_pool: maxPool, average_pool: averagePool, average, residual };

function convolution(input, { filters, kernel, stride, padding, weight, bias }) {
  const { height, width, channels, data } = padded(input, padding);
  const out = {
    height: Math.floor((height - kernel) / stride) + 1,
    width: Math.floor((width - kernel) / stride) + 1,
    channels: filters,
    data: new Float32Array(0),
  };
  out.data = new Float32Array(out.height * out.width * filters);
  const run = kernel * channels; // numbers in a row of the window, side by side in memory
  for (let filter = 0; filter < filters; filter += 4) {
    for (let y = 0; y < out.height; y++) {
      for (let x = 0; x < out.width; x++) {
        const from = (y * stride * width + x * stride) * channels;
        const to = (y * out.width + x) * filters + filter;
        weigh(data, from, width * channels, kernel, run, weight, bias, filter, out.data, to);
      }
    }
  }
  return out;
}

/**
 * Up to four filters on one window: `rows` pieces of `run` numbers, `step` apart. Four sums at a time need
 * each input only once.
 */
function weigh(data, from, step, rows, run, weight, bias, filter, out, to) {
  const size = rows * run;
  const last = bias.length - 1;
  const w0 = filter * size;
  const w1 = Math.min(filter + 1, last) * size;
  const w2 = Math.min(filter + 2, last) * size;
  const w3 = Math.min(filter + 3, last) * size;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let row = 0, w = 0; row < rows; row++) {
    const start = from + row * step;
    for (let at = start; at < start + run; at++, w++) {
      const value = data[at];
      s0 += value * weight[w0 + w];
      s1 += value * weight[w1 + w];
      s2 += value * weight[w2 + w];
      s3 += value * weight[w3 + w];
    }
  }
  out[to] = s0 + bias[filter];
  if (filter < last) out[to + 1] = s1 + bias[filter + 1];
  if (filter + 1 < last) out[to + 2] = s2 + bias[filter + 2];
  if (filter + 2 < last) out[to + 3] = s3 + bias[filter + 3];
}

function padded({ height, width, channels, data }, padding) {
  if (!padding) return { height, width, channels, data };
  const out = { height: height + 2 * padding, width: width + 2 * padding, channels };
  out.data = new Float32Array(out.height * out.width * channels);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width * channels, (y + 1) * width * channels);
    out.data.set(row, ((y + padding) * out.width + padding) * channels);
  }
  return out;
}

/** All numbers of the input, in their order, as one window. */
function dense({ data }, { units, weight, bias }) {
  const out = new Float32Array(units);
  for (let unit = 0; unit < units; unit += 4) weigh(data, 0, 0, 1, data.length, weight, bias, unit, out, unit);
  return { height: 1, width: 1, channels: units, data: out };
}

function relu({ height, width, channels, data }) {
  return { height, width, channels, data: data.map((value) => (value > 0 ? value : 0)) };
}

/** Greatest of each window; what does not fill a window is left out. */
function maxPool(input, { size }) {
  const out = { height: Math.floor(input.height / size), width: Math.floor(input.width / size) };
  return pooled(input, size, out, -Infinity, Math.max, (highest) => highest);
}

/** Mean of each window, at the border of what is there of it. */
function averagePool(input, { size }) {
  const out = { height: Math.ceil(input.height / size), width: Math.ceil(input.width / size) };
  return pooled(input, size, out, 0, (sum, value) => sum + value, (sum, count) => sum / count);
}

function average(input) {
  const size = Math.max(input.height, input.width);
  return averagePool(input, { size });
}

function pooled(input, size, { height, width }, first, add, finish) {
  const { channels, data } = input;
  const out = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bottom = Math.min((y + 1) * size, input.height);
      const right = Math.min((x + 1) * size, input.width);
      const count = (bottom - y * size) * (right - x * size);
      for (let channel = 0; channel < channels; channel++) {
        let sum = first;
        for (let row = y * size; row < bottom; row++) {
          for (let column = x * size; column < right; column++) {
            sum = add(sum, data[(row * input.width + column) * channels + channel]);
          }
        }
        out[(y * width + x) * channels + channel] = finish(sum, count);
      }
    }
  }
  return { height, width, channels, data: out };
}

/** Two ways from the input to the same place, added. */
function residual(input, layer) {
  const long = run(layer.residual, input);
  const short = run(layer.shortcut, input);
  return relu({ ...long, data: long.data.map((value, at) => value + short.data[at]) });
}

function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
