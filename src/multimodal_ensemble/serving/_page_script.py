"""The script of the page for people."""

SCRIPT = """
"use strict";
// A column may be named like a method of a form, which the field then replaces.
const form = document.querySelector("form");
const status = document.querySelector("#status");
const result = document.querySelector("#result");
const button = document.querySelector("form button");

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function say(text, isBad = false) {
  status.textContent = text;
  status.classList.toggle("bad", isBad);
}

function addTable(parent, caption, names, rows) {
  const region = element("div", null, {class: "scroll", tabindex: "0", role: "region",
    "aria-label": caption});
  const table = element("table", null);
  table.append(element("caption", caption));
  const head = element("tr", null);
  names.forEach(([name, kind]) =>
    head.append(element("th", name, {scope: "col", ...(kind ? {class: kind} : {})})));
  const body = element("tbody", null);
  for (const {cells, bar, isYes} of rows) {
    const line = element("tr", null, isYes ? {class: "yes"} : {});
    cells.forEach((cell, number) => line.append(number === 0
      ? element("th", cell, {scope: "row"})
      : element("td", cell, names[number][1] ? {class: names[number][1]} : {})));
    const drawn = element("td", null, {class: "wide"});
    drawn.append(bar);
    line.append(drawn);
    body.append(line);
  }
  const top = element("thead", null);
  top.append(head);
  table.append(top, body);
  region.append(table);
  parent.append(region);
}

function drawScore(score, threshold) {
  const bar = element("div", null, {class: "bar", "aria-hidden": "true"});
  const filled = element("i", null);
  filled.style.width = `${100 * score}%`;
  bar.append(filled);
  if (typeof threshold === "number" && threshold >= 0 && threshold <= 1) {
    const mark = element("b", null);
    mark.style.left = `${100 * threshold}%`;
    bar.append(mark);
  }
  return bar;
}

function drawOdds(value, largest) {
  const bar = element("div", null, {class: "bar odds", "aria-hidden": "true"});
  const filled = element("i", null, value < 0 ? {class: "against"} : {});
  const width = 50 * Math.abs(value) / (largest || 1);
  filled.style.width = `${width}%`;
  filled.style.left = `${value < 0 ? 50 - width : 50}%`;
  const middle = element("b", null);
  middle.style.left = "50%";
  bar.append(filled, middle);
  return bar;
}

function signed(value) {
  const text = value.toFixed(2);
  return Number(text) > 0 ? `+${text}` : text.replace(/^-(0\\.00)$/, "$1");
}

const captions = {
  multilabel: "A label is predicted where its score reaches its threshold",
  binary: "The second class is predicted where its score reaches its threshold",
  multiclass: "The class whose score exceeds its threshold by the largest factor is predicted",
};

function describe(threshold) {
  if (threshold === undefined) return "\u2013";
  if (threshold === "inf") return "never";
  if (threshold === "-inf") return "always";
  return threshold.toFixed(3);
}

function showScores(answer) {
  const {labels, scores} = answer.rows[0];
  result.append(element("h2", "Labels"));
  if (labels.length) {
    const list = element("ul", null, {class: "found"});
    labels.forEach(label => list.append(element("li", label)));
    result.append(list);
  } else {
    result.append(element("p", "No score reaches its threshold, so the row has no label."));
  }
  const rows = Object.entries(scores).sort((a, b) => b[1] - a[1]).map(([label, score]) => ({
    cells: [label, score.toFixed(3), describe(answer.thresholds[label]),
      labels.includes(label) ? "yes" : "no"],
    bar: drawScore(score, answer.thresholds[label]),
    isYes: labels.includes(label),
  }));
  addTable(result, captions[answer.target_type],
    [["Label"], ["Score", "n"], ["Threshold", "n"], ["Predicted"],
      ["Score, threshold", "wide"]], rows);
}

function showReasons(labels) {
  result.append(element("h2", "Why", {class: "later"}));
  result.append(element("p",
    "Contributions to the log-odds: positive ones speak for the label, negative ones against it. "
    + "They say what the model does, not what causes the label.", {class: "soft"}));
  for (const {label, score, parts} of labels) {
    result.append(element("h3", `${label}: ${score.toFixed(3)}`));
    const largest = Math.max(...parts.map(part => Math.abs(part.contribution)));
    addTable(result, `What moves the score of ${label} most`,
      [["Part"], ["Column"], ["Contribution", "n"], ["Against, for", "wide"]],
      parts.map(({part, columns, contribution}) => ({
        cells: [part, columns, signed(contribution)], bar: drawOdds(contribution, largest),
      })));
  }
}

function place(number, names, count) {
  return names[Math.floor(3 * (number + 0.5) / count)];
}

function drawMap({column, label, values}, file) {
  const all = values.flat();
  const largest = Math.max(...all.map(Math.abs)) || 1;
  const most = Math.max(...all);
  const grid = element("div", null, {class: "grid"});
  grid.style.gridTemplateColumns = `repeat(${values[0].length}, 1fr)`;
  let where = "no region speaks for it";
  values.forEach((line, row) => line.forEach((value, position) => {
    const cell = element("i", null, value < 0 ? {class: "against"} : {});
    cell.style.opacity = 0.75 * Math.abs(value) / largest;
    if (value === most && most > 0) {
      cell.className = "most";
      where = `most for it: ${place(row, ["upper", "middle", "lower"], values.length)} `
        + place(position, ["left", "centre", "right"], line.length);
    }
    grid.append(cell);
  }));
  const text = `${column}, regions for and against ${label}; ${where}`;
  const mapped = element("div", null, {class: "mapped", role: "img", "aria-label": text});
  mapped.append(element("img", null, {alt: "", src: URL.createObjectURL(file)}), grid);
  result.append(mapped, element("p", `${text}.`, {class: "soft"}));
}

async function showMaps(data, label) {
  const pictures = new Map([...document.querySelectorAll(".drop input:not([multiple])")]
    .filter(input => input.files.length).map(input => [input.name, input.files[0]]));
  if (!pictures.size) return;
  say("Mapping the picture");
  const query = new URLSearchParams({image_maps: "true", n_parts: "1", label});
  const maps = (await ask(`explain?${query}`, data)).rows[0].image_maps;
  result.append(element("h2", "Where in the picture", {class: "later"}));
  result.append(element("p", "Green regions speak for the label and orange ones against it, by how "
    + "far its log-odds fall if a region is covered.", {class: "soft"}));
  maps.forEach(map => drawMap(map, pictures.get(map.column)));
}

async function ask(address, data) {
  const response = await fetch(address, {method: "POST", body: data});
  const answer = await response.json();
  if (!response.ok) {
    const {column, reason} = answer.error;
    throw new Error(column === undefined ? reason : `${column}: ${reason}`);
  }
  return answer;
}

document.addEventListener("submit", async event => {
  event.preventDefault();
  button.disabled = true;
  result.querySelectorAll("img").forEach(image => URL.revokeObjectURL(image.src));
  result.replaceChildren();
  say("Predicting");
  let done = "There is no prediction";
  try {
    const data = new FormData(form);
    showScores(await ask("predict", data));
    done = "There is no explanation";
    say("Explaining");
    const {labels} = (await ask("explain", data)).rows[0];
    showReasons(labels);
    done = "There is no map of the picture";
    await showMaps(data, labels[0].label);
    say("Done.");
  } catch (error) {
    say(`${done}: ${error.message}.`, true);
  }
  button.disabled = false;
});

for (const drop of document.querySelectorAll(".drop")) {
  const input = drop.querySelector("input");
  const shown = drop.querySelector(".shown");
  const show = () => {
    shown.querySelectorAll("img").forEach(image => URL.revokeObjectURL(image.src));
    shown.replaceChildren(...[...input.files].map(file =>
      element("img", null, {alt: file.name, src: URL.createObjectURL(file)})));
  };
  input.addEventListener("change", show);
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, event => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name !== "drop" || !event.dataTransfer.files.length) return;
      const files = new DataTransfer();
      const dropped = [...event.dataTransfer.files];
      (input.multiple ? dropped : dropped.slice(0, 1)).forEach(file => files.items.add(file));
      input.files = files.files;
      show();
    });
  }
}
"""
