// What was read, as a large digit, bars, the image that the network saw, and words for those who don't see them.

const SPOKEN_AFTER = 500; // milliseconds without a change: a screen reader shall read the result only
const WORTH_SAYING = 0.001; // probability of the second choice
const WORTH_DRAWING = 0.01; // less is no more than the bar's edge

export class Answer {
  #classes = [];
  #bars = [];
  #speech = null;
  #parts;

  /** Parts: the elements digit, sure, second, seen, bars, spoken. */
  constructor(parts) {
    this.#parts = parts;
  }

  /** Have a bar for each class. */
  setClasses(classes) {
    this.#classes = classes;
    this.#bars = classes.map((name) => {
      const [row, label, bar, share] = ["li", "span", "i", "b"].map((tag) => document.createElement(tag));
      label.textContent = name;
      row.append(label, bar, share);
      return { row, bar, share };
    });
    this.#parts.bars.replaceChildren(...this.#bars.map(({ row }) => row));
    this.#level(classes.map(() => 0), -1);
  }

  show({ label, problem, probabilities, image }) {
    const ranked = probabilities.map((_, index) => index).sort((a, b) => probabilities[b] - probabilities[a]);
    const [best, second] = ranked;
    const { digit, sure } = this.#parts;
    digit.textContent = label ?? "?";
    digit.classList.toggle("unsure", label === null);
    sure.textContent = label === null ? capital(problem) : `${percent(probabilities[best])} sure`;
    const other = probabilities[second] >= WORTH_SAYING && label !== null;
    this.#parts.second.textContent = other ? `or ${this.#classes[second]}, ${percent(probabilities[second])}` : "";
    this.#level(probabilities, label === null ? -1 : best);
    paint(this.#parts.seen, image);
    this.announce(label === null ? problem : `${label}, ${sure.textContent}`);
  }

  clear(words) {
    this.#parts.digit.textContent = "–";
    this.#parts.digit.classList.add("unsure");
    this.#parts.sure.textContent = words;
    this.#parts.second.textContent = "";
    this.#level(this.#classes.map(() => 0), -1);
    paint(this.#parts.seen, new Uint8Array(28 * 28));
    this.announce("");
  }

  /** Announce it to screen readers, once nothing newer has come for a while. */
  announce(words) {
    clearTimeout(this.#speech);
    this.#speech = setTimeout(() => (this.#parts.spoken.textContent = words), words === "" ? 0 : SPOKEN_AFTER);
  }

  #level(probabilities, best) {
    this.#bars.forEach(({ row, bar, share }, index) => {
      row.classList.toggle("best", index === best);
      bar.style.setProperty("--share", probabilities[index] < WORTH_DRAWING ? 0 : probabilities[index]);
      share.textContent = percent(probabilities[index]);
    });
  }
}

export function percent(probability) {
  return `${(100 * probability).toFixed(1)} %`;
}

export function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}

/** Show 28x28 bytes, white on black. */
function paint(canvas, image) {
  const pixels = new ImageData(28, 28);
  image.forEach((gray, index) => pixels.data.set([gray, gray, gray, 255], 4 * index));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
