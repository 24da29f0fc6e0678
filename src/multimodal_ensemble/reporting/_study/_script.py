"""The script of a report of a study. Without it, the page shows the same in a fixed order."""

SCRIPT = """
"use strict";
const all = (selector, parent = document) => [...parent.querySelectorAll(selector)];
const put = (elements, parent) => parent.append(...elements);

for (const table of all("table.sortable")) {
  const heads = all("thead th", table), body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const rows = [...body.rows];
      const number = row => parseFloat(row.cells[column].dataset.v);
      const isNumber = rows.some(row => !isNaN(number(row)));
      const before = head.getAttribute("aria-sort");
      const up = before ? before === "descending" : !isNumber;
      const sign = up ? 1 : -1;
      rows.sort((a, b) => {
        if (!isNumber) {
          const texts = [a, b].map(row => row.cells[column].textContent);
          return sign * texts[0].localeCompare(texts[1]);
        }
        const [x, y] = [number(a), number(b)];
        return isNaN(x) - isNaN(y) || sign * (x - y);
      });
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      put(rows, body);
    });
  });
}

for (const region of all(".scroll")) {
  if (region.scrollWidth > region.clientWidth + 1) {
    const hint = document.createElement("p");
    hint.className = "sideways";
    hint.textContent = "Scroll this table sideways to see all columns.";
    region.before(hint);
  }
}

const gallery = document.querySelector(".gallery");
if (gallery) {
  const cards = all("article", gallery), [label, kind, order] = all(".filters select");
  const status = document.getElementById("shown");
  const show = () => {
    const column = label.value === "" ? null : Number(label.value);
    const answers = new Map();
    for (const card of cards) {
      const confidences = card.dataset.c.split(" ").map(Number);
      const found = [...card.dataset.k].map((code, place) => [code, confidences[place], place])
        .filter(([code, , place]) => (column === null || place === column)
          && (kind.value === "" ? code !== "n" : kind.value.includes(code)));
      card.hidden = !found.length && (column !== null || kind.value !== "");
      answers.set(card, Math.max(...found.map(answer => answer[1])));
    }
    const sign = order.value === "least" ? 1 : -1;
    const shown = cards.filter(card => !card.hidden);
    status.textContent = `${shown.length} of ${cards.length} shown`;
    put(order.value ? [...cards].sort((a, b) => sign * (answers.get(a) - answers.get(b))) : cards,
      gallery);
  };
  all(".filters select").forEach(select => select.addEventListener("change", show));
  document.querySelector(".filters").hidden = false;
  show();
}
"""
