// The page of a model. Texts from the server are only ever set as text, never as HTML.
"use strict";

const at = (id) => document.getElementById(id);
const TYPES = { csv: "text/csv", tsv: "text/tab-separated-values", tab: "text/tab-separated-values",
  jsonl: "application/x-ndjson", ndjson: "application/x-ndjson" };
const TOP_SCORES = 8;
let model = null;

function element(name, text, parent, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  if (parent) parent.append(made);
  return made;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

async function ask(path, body, type) {
  const headers = {};
  if (type) headers["Content-Type"] = type;
  if (at("token").value) headers.Authorization = `Bearer ${at("token").value}`;
  let response;
  try {
    response = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body });
  } catch {
    throw new Error("The server does not answer.");
  }
  if (!response.ok) {
    const error = new Error(`The server answered ${response.status}.`);
    error.status = response.status;
    try { error.message = (await response.json()).error; } catch { /* not JSON: the status must do */ }
    throw error;
  }
  return response;
}

async function start() {
  try {
    model = await (await ask("model")).json();
  } catch (error) {
    at("token-form").hidden = error.status !== 401;
    if (error.status !== 401) at("about").textContent = error.message;
    else if (at("token").value) at("token-error").textContent = error.message;
    return;
  }
  at("token-form").hidden = true;
  at("model").hidden = false;
  at("name").textContent = model.name;
  document.title = `${model.name} - Headstart`;
  at("about").textContent = model.classes.length ? `Answers one of: ${model.classes.slice(0, 20).join(", ")}` : "";
  if (model.kind === "labels") at("about").textContent = `Answers any of: ${model.classes.slice(0, 20).join(", ")}`;
  for (const { role, required } of model.roles) field(role, role, required, true);
  for (const column of model.columns) field(column, column, false, false);
  if (model.card) {
    at("card").textContent = await (await ask("card")).text();
    at("card-section").hidden = false;
  }
  at("fields").querySelector("textarea").focus();
}

function field(name, label, required, long) {
  const id = `field-${name}`;
  const shown = label.charAt(0).toUpperCase() + label.slice(1);
  element("label", required ? shown : `${shown} (may be empty)`, at("fields")).htmlFor = id;
  const input = element(long ? "textarea" : "input", undefined, at("fields"));
  input.id = id;
  input.name = name;
  input.required = required;
  input.dir = "auto";
  if (long) input.rows = name === "context" || model.roles.length === 1 ? 5 : 2;
}

function input() {
  const given = {};
  for (const { role } of model.roles) {
    const value = at(`field-${role}`).value;
    if (value) given[role] = value;
  }
  if (model.columns.length) {
    given.columns = {};
    for (const column of model.columns) given.columns[column] = at(`field-${column}`).value || null;
  }
  return given;
}

function worded(predicted) {
  if (predicted === null) return "No answer: the model is not sure enough.";
  if (Array.isArray(predicted)) {
    if (!predicted.length) return "None";
    return predicted.map((one) => (typeof one === "string" ? one : `${one.text} (${one.label})`)).join(", ");
  }
  return predicted === "" ? "No answer" : String(predicted);
}

function showAnswer(answer) {
  const place = at("answer");
  place.replaceChildren();
  element("p", worded(answer.predicted), place, "predicted").dir = "auto";
  if (answer.confidence !== undefined) element("p", `Confidence: ${percent(answer.confidence)}`, place, "quiet");
  at("scores").replaceChildren();
  if (!answer.scores) return;
  const table = element("table", undefined, at("scores"));
  element("caption", "Probability of each class", table);
  const body = element("tbody", undefined, table);
  const sorted = Object.entries(answer.scores).sort((one, two) => two[1] - one[1]);
  for (const [name, share] of sorted.slice(0, TOP_SCORES)) {
    const row = element("tr", undefined, body);
    element("th", name, row).scope = "row";
    const cell = element("td", undefined, row);
    const meter = element("meter", undefined, cell);
    meter.value = share;
    meter.setAttribute("aria-hidden", "true");
    element("span", percent(share), cell);
  }
}

function showWhy({ explanations, measured_rows: rows }) {
  const place = at("why");
  place.replaceChildren();
  for (const one of explanations) {
    const largest = Math.max(...one.words.map((word) => Math.abs(word.attribution)), 1e-9);
    element("h3", `Why ${one.answer}`, place);
    one.texts.forEach((text, source) => {
      const line = element("p", undefined, place, "words");
      line.dir = "auto";
      let end = 0;
      for (const word of one.words.filter((each) => each.source === source)) {
        line.append(text.slice(end, word.start));
        const level = Math.round((4 * Math.abs(word.attribution)) / largest);
        const kind = level ? `${word.attribution > 0 ? "for" : "against"}-${level}` : "";
        element(level ? "mark" : "span", text.slice(word.start, word.end), line, kind);
        end = word.end;
      }
      line.append(text.slice(end));
    });
    const most = one.words.filter((word) => word.attribution > 0).sort((a, b) => b.attribution - a.attribution);
    const against = one.words.filter((word) => word.attribution < 0).sort((a, b) => a.attribution - b.attribution);
    const list = (words) => words.slice(0, 5).map((word) => word.text).join(", ") || "none";
    element("p", `For it: ${list(most)}. Against it: ${list(against)}.`, place);
    const measured = rows ? `measured to be the most comprehensive on ${rows} rows` : "not measured for this model";
    element("p", `Method: ${one.method}, ${measured}. The deeper the colour, the more a word adds; underlined words speak against it.`,
      place, "quiet");
  }
}

async function guarded(button, error, work) {
  at(error).textContent = "";
  button.disabled = true;
  try {
    await work();
  } catch (problem) {
    at(error).textContent = problem.message;
  } finally {
    button.disabled = false;
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  for (const id of ["answer", "scores", "why"]) at(id).replaceChildren();
  guarded(event.target.querySelector("button"), "ask-error", async () => {
    const body = JSON.stringify({ inputs: [input()] });
    const answers = await (await ask("predict", body, "application/json")).json();
    showAnswer(answers.predictions[0]);
    try {
      showWhy(await (await ask("explain", body, "application/json")).json());
    } catch {
      element("p", "This answer has no explanation.", at("why"), "quiet"); // such as a text that is written freely
    }
  });
});

at("ask").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit();
});

at("upload").addEventListener("submit", (event) => {
  event.preventDefault();
  const place = at("uploaded");
  place.replaceChildren();
  guarded(event.target.querySelector("button"), "upload-error", async () => {
    const file = at("file").files[0];
    const ending = file.name.split(".").pop().toLowerCase();
    if (!TYPES[ending]) throw new Error("The name of the file must end in .csv, .tsv or .jsonl.");
    if (file.size > model.upload_bytes) throw new Error(`The file is larger than ${model.upload_bytes / 1e6} MB.`);
    element("p", "The rows are being predicted.", place);
    let response;
    try {
      response = await ask("predict/file", file, TYPES[ending]);
    } catch (problem) {
      place.replaceChildren();
      throw problem;
    }
    const saved = URL.createObjectURL(await response.blob());
    const rows = response.headers.get("headstart-rows");
    const unread = Number(response.headers.get("headstart-unread"));
    place.replaceChildren();
    element("p", `${rows} rows${unread ? `, ${unread} of them without an input or unreadable` : ""}.`, place);
    const link = element("a", "Download the answers", place);
    link.href = saved;
    link.download = `${file.name.replace(/\.\w+$/, "")}-answers.${ending}`;
    link.focus();
  });
});

at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
start();
