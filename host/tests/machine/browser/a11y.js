// Checks the accessibility of a page as far as a script can. It is the body of a function (WebDriver `execute/sync`)
// that runs in the page and returns a list of problems.
const problems = [];
const all = selector => [...document.querySelectorAll(selector)];
const text = node => (node?.textContent ?? "").replace(/\s+/g, " ").trim();
const describe = node => `${node.tagName.toLowerCase()}${node.id ? "#" + node.id : ""}${typeof node.className === "string" && node.className ? "." + node.className.split(" ").join(".") : ""} "${text(node).slice(0, 30)}"`;
const report = (node, problem) => problems.push(`${describe(node)}: ${problem}`);
const isVisible = node => node.checkVisibility({ opacityProperty: false, visibilityProperty: true, contentVisibilityAuto: true });

// Names
if (!document.documentElement.lang) problems.push("the page has no lang");
if (!document.title.trim()) problems.push("the page has no title");
for (const image of all("img")) if (!image.hasAttribute("alt")) report(image, "no alt");
const nameOf = node => {
  const byIds = (node.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean).map(id => text(document.getElementById(id))).join(" ");
  return byIds || node.getAttribute("aria-label")?.trim() || [...(node.labels ?? [])].map(text).join(" ").trim() || text(node) ||
    [...node.querySelectorAll("img[alt]")].map(image => image.alt).join(" ").trim() || node.title.trim();
};
const active = all("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]");
for (const node of active) if (!nameOf(node)) report(node, "no accessible name");

// Ids and references to them
const ids = new Set();
for (const node of all("[id]")) {
  if (ids.has(node.id)) report(node, "its id is used twice");
  ids.add(node.id);
}
for (const label of all("label")) if (!label.control) report(label, "has no control");
for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
  for (const node of all(`[${attribute}]`)) {
    for (const id of node.getAttribute(attribute).split(/\s+/)) if (!ids.has(id)) report(node, `${attribute} refers to a missing id: ${id}`);
  }
}

// Headings
let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6")) {
  const next = Number(heading.tagName[1]);
  if (next > level + 1) report(heading, `a heading of level ${next} after one of level ${level}`);
  level = next;
}
if (all("h1").length !== 1) problems.push(`${all("h1").length} headings of level 1`);
if (all("main").length !== 1) problems.push(`${all("main").length} main elements`);

// Contrast (WCAG 2.2, 1.4.3), from the computed colours. Text over an image is compared with the background colours of
// its own elements.
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = colour => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const luminance = colour => {
  const [r, g, b] = colour.map(value => value / 255).map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const backgroundOf = node => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0) layers.push(colour);
    if (colour[3] === 1) break;
  }
  return layers.reverse().reduce((under, top) => over(top, under), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const measured = new Set();
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (measured.has(node) || !walker.currentNode.data.trim() || node.closest("script, style, noscript, option, .visually-hidden") || !isVisible(node)) continue;
  measured.add(node);
  if (node.closest(":disabled")) continue;
  const style = getComputedStyle(node);
  const background = backgroundOf(node);
  const foreground = over(rgba(style.color), background);
  const [high, low] = [luminance(foreground), luminance(background)].sort((a, b) => b - a);
  const ratio = (high + 0.05) / (low + 0.05);
  const size = parseFloat(style.fontSize);
  const minimum = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  if (ratio < minimum) report(node, `contrast ${ratio.toFixed(2)}, less than ${minimum}`);
}

// Contrast of graphics (WCAG 2.2, 1.4.11): the shapes of plots, the symbols of their keys, and of a line its bars.
const ratioOf = (one, other) => {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
for (const plot of all(".plot").filter(isVisible)) {
  const colours = new Map([["plot", backgroundOf(plot)]]);
  for (const shape of plot.querySelectorAll("[class]")) {
    const { stroke, fill } = getComputedStyle(shape);
    colours.set(shape.getAttribute("class"), rgba(stroke === "none" ? fill : stroke));
  }
  for (const [one, other] of [["rate", "plot"], ["interval", "plot"], ["lost", "plot"], ["event", "plot"], ["rate", "interval"]]) {
    if (!colours.has(one) || !colours.has(other)) continue;
    const ratio = ratioOf(colours.get(one), colours.get(other));
    if (ratio < 3) report(plot, `contrast of ${one} and ${other} ${ratio.toFixed(2)}, less than 3`);
  }
}
for (const entry of all(".key li").filter(isVisible)) {
  const ratio = ratioOf(rgba(getComputedStyle(entry, "::before").backgroundColor), backgroundOf(entry));
  if (ratio < 3) report(entry, `contrast of its symbol ${ratio.toFixed(2)}, less than 3`);
}

// Focus: elements that Tab can reach are visible.
for (const node of active) {
  if (node.disabled || node.tabIndex < 0) continue;
  // Tab does not reach hidden elements, such as those in a closed panel.
  if (!isVisible(node)) continue;
  const box = node.getBoundingClientRect();
  if (box.width < 2 || box.height < 2) report(node, "is focusable but has no size");
  if (node.closest("[aria-hidden=true]")) report(node, "is focusable but hidden from screen readers");
  const left = box.left + scrollX;
  if (left + box.width <= 0 || left >= document.documentElement.scrollWidth) report(node, "is focusable but outside the page");
}

// Width
const { scrollWidth, clientWidth } = document.documentElement;
if (scrollWidth > clientWidth) {
  problems.push(`the page is ${scrollWidth} pixels wide, the window ${clientWidth}`);
  for (const node of all("body *")) if (isVisible(node) && node.getBoundingClientRect().right > clientWidth + 1) report(node, "extends beyond the window");
}
return problems;
