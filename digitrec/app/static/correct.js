// The person names the digit, and keeps it as a sample to train on.

export class Correction {
  #form;
  #labels;
  #save;
  #kept;
  #promise = ""; // what is kept, and where
  #sample = null; // ink that is shown now

  /** `save(ink, label)` keeps a sample; `folder` is where. */
  constructor(form, save) {
    this.#form = form;
    [this.#labels, this.#save, this.#kept] = ["#labels", "#save", "#kept"].map((name) => form.querySelector(name));
    form.addEventListener("change", () => this.#update());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#keep(save);
    });
    // A group of radio buttons swallows Enter in some browsers.
    this.#labels.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        form.requestSubmit(this.#save);
      }
    });
  }

  setClasses(classes, folder) {
    this.#labels.replaceChildren(...classes.map((name) => {
      const [label, input, text] = ["label", "input", "span"].map((tag) => document.createElement(tag));
      Object.assign(input, { type: "radio", name: "label", value: name });
      text.textContent = name;
      label.append(input, text);
      return label;
    }));
    this.#promise = `Nothing is kept unless you press Save. Then it goes into the folder ${folder}`;
    this.#kept.textContent = this.#promise;
    this.#update();
  }

  /** Offer to correct what was read of this ink; null: there is nothing to correct. */
  offer(ink) {
    if (ink === null || this.#sample === null) {
      this.#form.reset();
      this.#kept.textContent = this.#promise;
    }
    this.#sample = ink;
    this.#update();
  }

  /** Choose a label by its name; false if there is none of that name. */
  choose(name) {
    if (this.#form.hidden) return false;
    const input = [...this.#labels.querySelectorAll("input")].find(({ value }) => value === name);
    if (!input || input.disabled) return false;
    input.checked = true;
    input.focus();
    this.#update();
    return true;
  }

  get #label() {
    return this.#labels.querySelector("input:checked")?.value ?? null;
  }

  #update() {
    for (const input of this.#labels.querySelectorAll("input")) input.disabled = this.#sample === null;
    this.#save.disabled = this.#sample === null || this.#label === null;
    this.#save.textContent = this.#label === null ? "Save" : `Save as ${this.#label}`;
  }

  async #keep(save) {
    if (this.#save.disabled) return;
    try {
      const { file, counts } = await save(this.#sample, this.#label);
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      this.#kept.textContent = `Saved as ${file}. So far ${total} ${total === 1 ? "sample" : "samples"}: ${classesOf(counts)}`;
    } catch (error) {
      this.#kept.textContent = `Not saved: ${error.message}`;
    }
  }
}

function classesOf(counts) {
  return Object.entries(counts).map(([label, count]) => `${count} × ${label}`).join(", ");
}
