// The page: what the person does goes to the reader, and what it answers is shown.

import { Answer, capital } from "./answer.js";
import { Correction } from "./correct.js";
import { Drawing, PENS } from "./drawing.js";
import { drawByKeys, drawByPointer } from "./input.js";
import { showLayers } from "./feature_maps.js";
import { RequestQueue } from "./request_queue.js";
import { PictureView, decode } from "./picture.js";
import * as reader from "./reader.js";

const LARGEST_FILE = 20 * 2 ** 20; // bytes, what the server takes
const STILL = 250; // milliseconds without new ink before the inside is looked at
const NOTHING = "Nothing drawn yet";
const UNREAD = "Not read yet";
const UNSEEN = "this browser cannot show pictures of this kind";

const part = (name) => document.getElementById(name);
const parts = (...names) => Object.fromEntries(names.map((name) => [name, part(name)]));

const drawing = new Drawing(part("sheet"));
const answer = new Answer(parts("digit", "sure", "second", "seen", "bars", "spoken"));
const picture = new PictureView(part("stage"));
const correction = new Correction(part("correct"), (ink, label) => reader.save(ink, label));
const requests = new RequestQueue({ open: reader.open, read: reader.read, show: showReading, lost, back });
const width = () => PENS[part("pens").querySelector("input:checked").value];
const lift = drawByKeys(part("sheet"), part("cursor"), drawing, width, changed);
let can = { pictures: false, correct: false, peek: false };
let examined = null; // ink that the inside is shown of
let waiting = null; // for the ink to be still
let pictures = 0; // that were given so far: the answer about an earlier one is not shown

drawByPointer(part("sheet"), drawing, width, changed);

/** New ink, or less of it. */
function changed() {
  drawing.paint();
  const ink = drawing.ink();
  part("invitation").hidden = ink !== null;
  for (const [name, disabled] of [["undo", !drawing.undoable], ["clear", ink === null]]) {
    if (disabled && part(name) === document.activeElement) part("sheet").focus(); // it would lose the focus
    part(name).disabled = disabled;
  }
  requests.add(ink);
  if (ink === null) nothing(NOTHING);
}

function showReading(reading, ink) {
  if (picture.open) return;
  trouble(null);
  answer.show(reading);
  correction.offer(ink);
  examine(ink);
}

function nothing(words) {
  answer.clear(words);
  correction.offer(null);
  examine(null);
}

function undo() {
  if (picture.open) return;
  lift();
  drawing.undo();
  changed();
}

function clear() {
  pictures++;
  lift();
  picture.hide();
  for (const name of ["text", "note"]) write(name, []);
  drawing.clear();
  changed();
  trouble(null);
}

async function takePicture(blob) {
  if (!can.pictures || !blob) return;
  clear();
  if (blob.size > LARGEST_FILE) {
    trouble(`This file has ${Math.ceil(blob.size / 2 ** 20)} MB; digitrec takes pictures of up to ${LARGEST_FILE / 2 ** 20} MB.`);
    return;
  }
  const number = pictures;
  nothing("Reading …");
  part("clear").disabled = false;
  part("invitation").hidden = true;
  try {
    const bitmap = await decode(blob);
    if (number !== pictures) return;
    picture.show(bitmap);
    const page = await reader.readPicture(blob);
    if (number === pictures) showPage(page);
  } catch (error) {
    if (number !== pictures) return;
    clear();
    trouble(capital(error.message));
  }
}

function showPage(page) {
  if (page.problem) nothing(capital(page.problem));
  picture.mark(page, showDigit);
  const several = page.digits.length > 1;
  write("text", several ? [page.text] : []);
  write("note", [several && page.problem, page.note, picture.blank && UNSEEN]);
  if (page.digits.length === 1 && !page.note) return; // shown as its own answer
  answer.announce([page.text ? `Read: ${page.text}` : page.problem, page.note].filter(Boolean).join(". "));
}

/** Put sentences where there may be none. */
function write(name, sentences) {
  part(name).textContent = sentences.filter(Boolean).map(capital).join(". ");
  part(name).hidden = part(name).textContent === "";
}

function showDigit(digit) {
  const ink = { width: 28, height: 28, data: digit.image };
  const found = digit.image.some((gray) => gray > 0) ? ink : null;
  answer.show(digit);
  correction.offer(null);
  correction.offer(found);
  examine(found);
}

/** Look inside once the ink is still, if the person has opened that. */
function examine(ink) {
  examined = ink;
  clearTimeout(waiting);
  if (!can.peek || !part("inside").open) return;
  if (ink === null) {
    part("layers").replaceChildren();
    return;
  }
  waiting = setTimeout(async () => {
    const layers = await reader.peek(ink).catch(() => null);
    if (layers && examined === ink) showLayers(part("layers"), layers);
  }, STILL);
}

function lost(error) {
  if (!picture.open && drawing.ink() !== null) nothing(UNREAD);
  trouble(error.passing ? `${capital(error.message)}. Trying again …` : capital(error.message));
}

function back(about) {
  trouble(null);
  welcome(about);
}

function trouble(words) {
  part("trouble").hidden = words === null;
  part("trouble").textContent = words ?? "";
}

function welcome(about) {
  can = about.can;
  part("name").textContent = about.name;
  answer.setClasses(about.classes);
  correction.setClasses(about.classes, about.folder);
  for (const name of ["choose", "invitation-picture", "keys-paste"]) part(name).hidden = !can.pictures;
  for (const name of ["correct", "keys-correct"]) part(name).hidden = !can.correct;
  part("inside").hidden = !can.peek;
}

/** Characters are shortcuts only on the sheet and among the labels: elsewhere they may mean something to the reader's aids. */
function shortcut(event) {
  if (event.altKey || event.shiftKey) return;
  const held = event.ctrlKey || event.metaKey;
  const near = event.target === part("sheet") || part("correct").contains(event.target);
  if (held && event.key.toLowerCase() === "z") undo();
  else if (!held && event.key === "Delete" && !part("clear").disabled) clear();
  else if (held || !near || !correction.choose(event.key)) return;
  event.preventDefault();
}

part("undo").addEventListener("click", undo);
part("clear").addEventListener("click", clear);
part("choose").addEventListener("click", () => part("file").click());
part("file").addEventListener("change", ({ target }) => {
  takePicture(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});
part("inside").addEventListener("toggle", () => examine(examined));
document.addEventListener("keydown", shortcut);
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files][0];
  if (file) takePicture(file);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  part("stage").classList.toggle("over", can.pictures);
});
document.addEventListener("dragleave", () => part("stage").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  part("stage").classList.remove("over");
  takePicture(event.dataTransfer.files[0]);
});
new ResizeObserver(() => drawing.fit()).observe(part("sheet"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawing.fit());

nothing(NOTHING);
reader.open().then(welcome, (error) => {
  lost(Object.assign(error, { passing: true }));
  requests.restore();
});
