// Sends one request at a time, always about the newest ink, and retries while the reader is away.

const PAUSE = 25; // milliseconds between two requests, at least
const RETRIES = [500, 1000, 2000]; // milliseconds; the last one is repeated

export class RequestQueue {
  #newest = null;
  #asked = null;
  #busy = false;
  #hooks;

  /** Hooks: open() and read(ink) send requests, show(answer, ink) takes the response, lost(error) and back(about) report the reader. */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** Have this ink read as soon as possible; null drops an earlier one. */
  add(ink) {
    this.#newest = ink;
    if (!this.#busy) this.#run();
  }

  /** Wait for a reader that was away when the page was opened. */
  async restore() {
    this.#busy = true;
    await this.#return();
    this.#run();
  }

  async #run() {
    this.#busy = true;
    while (this.#newest !== this.#asked) {
      const ink = (this.#asked = this.#newest);
      if (ink === null) continue;
      const pause = wait(PAUSE);
      try {
        const answer = await this.#hooks.read(ink);
        if (this.#newest !== null) this.#hooks.show(answer, ink);
      } catch (error) {
        this.#hooks.lost(error);
        if (error.passing) await this.#return();
      }
      await pause;
    }
    this.#busy = false;
  }

  async #return() {
    for (let trial = 0; ; trial++) {
      await wait(RETRIES[Math.min(trial, RETRIES.length - 1)]);
      try {
        this.#hooks.back(await this.#hooks.open());
        this.#asked = null; // has to be read again
        return;
      } catch {
        // still away
      }
    }
  }
}

function wait(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
