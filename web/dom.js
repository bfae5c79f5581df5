// Makes elements. Whatever the API says becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  good: "M4.5 12.5l5 5 10-11",
  warning: "M12 5v9M12 18.5v.5",
  bad: "M6 6l12 12M18 6L6 18",
  neutral: "M6 12h12",
  busy: "M12 6v6l4 3",
};

// el("p", { class: "note", title: text }, "words", otherElement)
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

export function icon(level) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[level] ?? ICONS.neutral);
  svg.append(path);
  return svg;
}

// A state: its colour, its sign and its word say the same.
export function badge(level, word, title) {
  return el("span", { class: `badge ${level}`, title }, icon(level), word);
}

// A table that becomes a list of cards where there is no room. The roles keep it a table for those
// who hear it, also then.
export function table(label, heads, rows) {
  const head = heads.map((name) => el("th", { role: "columnheader", scope: "col" }, name));
  const body = rows.map((cells) =>
    el(
      "tr",
      { role: "row" },
      cells.map((cell, index) => el("td", { role: "cell", "data-label": heads[index] }, cell)),
    ),
  );
  return el(
    "table",
    { role: "table", "aria-label": label },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
    el("tbody", { role: "rowgroup" }, body),
  );
}
