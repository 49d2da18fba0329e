// The controls panel: the controls of a camera.

// Gets the controls, or sets those in `form` first.
async function requestControls(card, form) {
  // This header tells the host that the request comes from its own page, even if a reverse proxy hides the origin.
  const headers = { "X-Requested-With": "hotshoe" };
  const options = form ? { method: "POST", body: new URLSearchParams(form), headers } : { cache: "no-store" };
  const response = await fetch(resolve("controls/" + card.name), options).catch(() => null);
  if (!response) return { error: "the server does not respond" };
  // Errors of the host are plain text.
  const text = await response.text().catch(() => "");
  try {
    return JSON.parse(text);
  } catch {
    return { error: text.trim() || `the server responded with status ${response.status}` };
  }
}

async function openControlsPanel(card, body) {
  const { controls, error } = await requestControls(card);
  if (error) body.replaceChildren(createElement("p", { className: "refusal" }, error));
  else showControls(card, body, controls);
}

const rowOf = (card, name) => card.controls.find(row => row.name === name);

function showControls(card, body, controls) {
  const isUnchanged = body.querySelector(".rows") && controls.length === card.controls.length &&
    controls.every((control, index) => control.name === card.controls[index].name);
  if (!isUnchanged) createControls(card, body, controls);
  for (const control of controls) {
    const row = rowOf(card, control.name);
    row.control = control;
    row.node.classList.toggle("disabled", control.read_only || control.inactive);
    row.node.title = control.inactive ? "An automatic mode overrides this control" : control.read_only ? "Read-only" : "";
    for (const input of row.inputs) {
      input.disabled = control.read_only || control.inactive;
      // Do not move a slider that is being dragged, nor undo a change that is not sent yet.
      if (control.value === null || row.isDragged || card.pending.has(control.name)) continue;
      if (input.type === "checkbox") input.checked = control.value !== 0;
      else if (input.type !== "button") input.value = control.value;
    }
  }
}

function createControls(card, body, controls) {
  card.controls = controls.map(control => createRow(card, control));
  const reset = createElement("button", { type: "button", className: "button reset" }, "Reset to defaults");
  reset.addEventListener("click", () => { card.reset = new Set(); sendControls(card); });
  body.replaceChildren(...(controls.length
    ? [createElement("div", { className: "rows" }, ...card.controls.map(row => row.node)), createElement("div", { className: "panel-footer" }, reset)]
    : [createElement("p", {}, "This camera has no controls.")]));
}

function createRow(card, control) {
  const { name, label, kind } = control;
  const id = `control-${card.name}-${name}`;
  const error = createElement("p", { className: "error", role: "alert" });
  const row = { name, control, error, inputs: [], isDragged: false };
  const set = value => { card.pending.set(name, value); sendControls(card); };
  const addInput = (tag, properties, type, value) => {
    const node = createElement(tag, properties);
    node.addEventListener(type, () => set(value(node)));
    row.inputs.push(node);
    return node;
  };
  if (kind === "integer") {
    const range = { min: control.minimum, max: control.maximum, step: control.step };
    const slider = addInput("input", { type: "range", id, ...range }, "input", node => node.value);
    const number = addInput("input", { type: "number", ...range }, "change", node => node.value || control.default);
    number.setAttribute("aria-label", `${label}, as a number`);
    slider.addEventListener("input", () => { row.isDragged = true; number.value = slider.value; });
    // Set it once more, so that the slider then shows the value that the device has chosen.
    slider.addEventListener("change", () => { row.isDragged = false; set(slider.value); });
    number.addEventListener("change", () => { slider.value = number.value; });
  } else if (kind === "boolean") {
    addInput("input", { type: "checkbox", id }, "change", node => Number(node.checked));
  } else if (kind === "menu") {
    const menu = addInput("select", { id }, "change", node => node.value);
    menu.append(...control.items.map(item => createElement("option", { value: item.value }, item.label)));
  } else {
    addInput("button", { type: "button", className: "button", id, textContent: "Press" }, "click", () => 1);
  }
  row.node = createElement("div", { className: "control" }, createElement("label", { htmlFor: id }, label), ...row.inputs, error);
  row.node.dataset.control = name;
  return row;
}

// Returns the next control to set: first changes by the user, then controls to reset. They are set one at a time,
// because one control can enable or disable others.
function nextSetting(card) {
  for (const [name, value] of card.pending) {
    card.pending.delete(name);
    return [name, value];
  }
  const row = card.reset && card.controls.find(({ name, control }) => !card.reset.has(name) && control.kind !== "button" &&
    !control.read_only && !control.inactive && control.value !== null && control.value !== control.default);
  if (!row) return card.reset = null;
  card.reset.add(row.name);
  return [row.name, row.control.default];
}

async function sendControls(card) {
  if (card.isSending) return;
  card.isSending = true;
  const body = card.figure.querySelector("[data-panel=controls] .panel-body");
  for (let setting; (setting = nextSetting(card));) {
    const [response] = await Promise.all([requestControls(card, [setting]), sleep(CONTROL_INTERVAL)]);
    const error = rowOf(card, setting[0])?.error;
    if (error) setText(error, response.error ?? "");
    // After an error, show the actual values.
    const { controls } = response.error ? await requestControls(card) : response;
    if (controls) showControls(card, body, controls);
  }
  card.isSending = false;
}
