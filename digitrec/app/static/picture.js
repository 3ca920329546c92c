// A picture on the stage, with a button around each digit that was found on it.

const WIDEST = 2.6, HIGHEST = 1.25; // of the stage, as shares of the other side
const LARGEST = 1400; // pixels of the picture's longer side on the screen

export class PictureView {
  #stage;
  #view;
  #canvas;
  #boxes;
  #blank = true;
  #shape = 1; // width of the stage over its height
  #sheet;

  constructor(stage) {
    this.#stage = stage;
    this.#view = stage.querySelector("#picture");
    this.#canvas = stage.querySelector("#shown");
    this.#boxes = stage.querySelector("#boxes");
    this.#sheet = stage.querySelector("#sheet");
  }

  get open() {
    return !this.#view.hidden;
  }

  /** Whether the picture is one that the browser cannot show. */
  get blank() {
    return this.#blank;
  }

  /** Show what `decode` made of a file; without anything the stage stays blank. */
  show(bitmap) {
    this.#boxes.replaceChildren();
    this.#view.hidden = false;
    this.#sheet.hidden = true;
    this.#blank = bitmap === null;
    this.#fit(bitmap?.width ?? 1, bitmap?.height ?? 1);
    if (bitmap) this.#canvas.getContext("2d").drawImage(bitmap, 0, 0, this.#canvas.width, this.#canvas.height);
    bitmap?.close();
  }

  hide() {
    this.#view.hidden = true;
    this.#sheet.hidden = false;
    this.#boxes.replaceChildren();
    this.#stage.style.aspectRatio = "";
  }

  /** Put a button around each digit; `choose(digit)` is called with the one that is pressed, at first with the first. */
  mark(page, choose) {
    if (this.#blank) this.#fit(page.width, page.height);
    const buttons = page.digits.map((digit, index) => this.#button(digit, index, page));
    const press = (chosen) => {
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
      choose(page.digits[chosen]);
    };
    buttons.forEach((button, index) => button.addEventListener("click", () => press(index)));
    this.#boxes.replaceChildren(...buttons);
    if (buttons.length) press(0);
  }

  #fit(width, height) {
    const shrink = Math.min(1, LARGEST / Math.max(width, height));
    this.#canvas.width = Math.max(1, Math.round(width * shrink));
    this.#canvas.height = Math.max(1, Math.round(height * shrink));
    this.#shape = Math.min(WIDEST, Math.max(1 / HIGHEST, width / height));
    this.#stage.style.aspectRatio = String(this.#shape);
  }

  #button({ label, probabilities, box }, index, page) {
    const button = document.createElement("button");
    const sure = Math.max(...probabilities);
    const name = label ?? "no digit";
    button.type = "button";
    button.className = label === null ? "box unknown" : "box";
    button.setAttribute("aria-label", `${index + 1} of ${page.digits.length}: ${name}, ${Math.round(100 * sure)} percent`);
    const tag = document.createElement("b");
    tag.textContent = label ?? "?";
    button.append(tag);
    const [x, y, width, height] = box;
    const place = this.#place(page);
    button.classList.toggle("high", place.top + (y / page.height) * place.height < 0.07);
    const style = {
      left: place.left + (x / page.width) * place.width,
      top: place.top + (y / page.height) * place.height,
      width: (width / page.width) * place.width,
      height: (height / page.height) * place.height,
    };
    for (const [side, share] of Object.entries(style)) button.style[side] = `${100 * share}%`;
    return button;
  }

  /** Where the picture lies on the stage, in shares of the stage. */
  #place({ width, height }) {
    const ratio = width / height / this.#shape;
    return ratio > 1
      ? { left: 0, width: 1, top: (1 - 1 / ratio) / 2, height: 1 / ratio }
      : { top: 0, height: 1, left: (1 - ratio) / 2, width: ratio };
  }
}

/** A picture's file as the browser shows it; null for a format that it can't show, which the reader may read. */
export function decode(blob) {
  return createImageBitmap(blob).catch(() => null);
}
