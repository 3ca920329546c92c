// Input by mouse, finger, pen and keys on the sheet: strokes.

const STEP = 0.03; // of the sheet's side, that an arrow key goes
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Let pointers draw. `width()` is the chosen pen's; `changed()` is called whenever there is new ink. */
export function drawByPointer(canvas, drawing, width, changed) {
  let drawn = null; // the pointer that draws; a second finger does not

  const place = (event) => {
    const { left, top, width: side } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / side, (event.clientY - top) / side];
  };
  const pressed = (event) => width() * (event.pointerType === "pen" && event.pressure > 0 ? 0.5 + event.pressure : 1);

  canvas.addEventListener("pointerdown", (event) => {
    if (drawn !== null || event.button !== 0) return;
    drawn = event.pointerId;
    canvas.setPointerCapture(drawn);
    drawing.begin(...place(event), pressed(event));
    changed();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawn) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    let moved = false;
    for (const point of passed.length ? passed : [event]) moved = drawing.extend(...place(point), pressed(point)) || moved;
    if (moved) changed();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId === drawn) drawn = null;
    });
  }
}

/** Let arrow keys move a pen and the space bar put it down; `cursor` shows where it is. */
export function drawByKeys(canvas, cursor, drawing, width, changed) {
  const held = new Set();
  let [x, y] = [0.5, 0.2];
  let down = false;

  const show = () => {
    cursor.style.left = `${100 * x}%`;
    cursor.style.top = `${100 * y}%`;
    cursor.classList.toggle("down", down);
  };
  const lift = () => {
    held.clear();
    down = false;
    show();
  };
  const press = () => {
    down = !down;
    if (!down) return;
    drawing.begin(x, y, width());
    changed();
  };
  canvas.addEventListener("focus", () => {
    cursor.hidden = !canvas.matches(":focus-visible");
    show();
  });
  canvas.addEventListener("blur", () => {
    cursor.hidden = true;
    lift();
  });
  canvas.addEventListener("pointerdown", () => {
    cursor.hidden = true;
    lift();
  });
  canvas.addEventListener("keyup", (event) => held.delete(event.key));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") {
      if (!event.repeat) press();
    } else if (event.key in ARROWS) {
      held.add(event.key);
      for (const key of held) {
        x = Math.min(0.97, Math.max(0.03, x + STEP * ARROWS[key][0]));
        y = Math.min(0.97, Math.max(0.03, y + STEP * ARROWS[key][1]));
      }
      if (down && drawing.extend(x, y, width())) changed();
    } else {
      return;
    }
    event.preventDefault();
    cursor.hidden = false;
    show();
  });
  return lift;
}
