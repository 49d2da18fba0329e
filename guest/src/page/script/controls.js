// What can be set on a camera.

async function ask(card, form) {
  // The header tells the host that this is its own page, also where a reverse proxy hides the page's address.
  const headers = { "X-Requested-With": "hotshoe" };
  const options = form ? { method: "POST", body: new URLSearchParams(form), headers } : { cache: "no-store" };
  const reply = await fetch("controls/" + card.name, options).catch(() => null);
  if (!reply) return { error: "the server does not answer" };
  // The host's own refusals are a line of text.
  const text = await reply.text().catch(() => "");
  try {
    return JSON.parse(text);
  } catch {
    return { error: text.trim() || `the server answered ${reply.status}` };
  }
}

async function openControlsPanel(card, inside) {
  const answer = await ask(card);
  if (answer.error) inside.replaceChildren(make("p", { className: "refusal" }, answer.error));
  else showControls(card, inside, answer.controls);
}

const rowOf = (card, name) => card.controls.find(row => row.name === name);

function showControls(card, inside, controls) {
  const same = inside.querySelector(".rows") && controls.length === card.controls.length &&
    controls.every((control, index) => control.name === card.controls[index].name);
  if (!same) buildControls(card, inside, controls);
  for (const control of controls) {
    const row = rowOf(card, control.name);
    row.control = control;
    row.node.classList.toggle("off", control.read_only || control.inactive);
    row.node.title = control.inactive ? "An automatic does this" : control.read_only ? "Can only be read" : "";
    for (const input of row.inputs) {
      input.disabled = control.read_only || control.inactive;
      // Not under the hand that drags it.
      if (control.value === null || row.held || card.wanted.has(control.name)) continue;
      if (input.type === "checkbox") input.checked = control.value !== 0;
      else if (input.type !== "button") input.value = control.value;
    }
  }
}

function buildControls(card, inside, controls) {
  card.controls = controls.map(control => buildControl(card, control));
  const reset = make("button", { type: "button", className: "push reset" }, "Reset to defaults");
  reset.addEventListener("click", () => { card.reset = new Set(); send(card); });
  inside.replaceChildren(...(controls.length
    ? [make("div", { className: "rows" }, ...card.controls.map(row => row.node)), make("div", { className: "foot" }, reset)]
    : [make("p", {}, "This camera has no controls.")]));
}

function buildControl(card, control) {
  const { name, label, kind } = control;
  const id = `control-${card.name}-${name}`;
  const error = make("p", { className: "error", role: "alert" });
  const row = { name, control, error, inputs: [], held: false };
  const want = value => { card.wanted.set(name, value); send(card); };
  const input = (tag, properties, type, value) => {
    const node = make(tag, properties);
    node.addEventListener(type, () => want(value(node)));
    row.inputs.push(node);
    return node;
  };
  if (kind === "integer") {
    const range = { min: control.minimum, max: control.maximum, step: control.step };
    const slider = input("input", { type: "range", id, ...range }, "input", node => node.value);
    const exact = input("input", { type: "number", ...range }, "change", node => node.value || control.default);
    exact.setAttribute("aria-label", `${label}, as a number`);
    slider.addEventListener("input", () => { row.held = true; exact.value = slider.value; });
    // Once more, to be shown what the device made of the last.
    slider.addEventListener("change", () => { row.held = false; want(slider.value); });
    exact.addEventListener("change", () => { slider.value = exact.value; });
  } else if (kind === "boolean") {
    input("input", { type: "checkbox", id }, "change", node => Number(node.checked));
  } else if (kind === "menu") {
    const menu = input("select", { id }, "change", node => node.value);
    menu.append(...control.items.map(item => make("option", { value: item.value }, item.label)));
  } else {
    input("button", { type: "button", className: "push", id, textContent: "Press" }, "click", () => 1);
  }
  row.node = make("div", { className: "control" }, make("label", { htmlFor: id }, label), ...row.inputs, error);
  row.node.dataset.control = name;
  return row;
}

// What to set next: what was asked for last, then what is not at its default. One at a time, as setting one may
// allow or forbid the others.
function nextSetting(card) {
  for (const [name, value] of card.wanted) {
    card.wanted.delete(name);
    return [name, value];
  }
  const row = card.reset && card.controls.find(({ name, control }) => !card.reset.has(name) && control.kind !== "button" &&
    !control.read_only && !control.inactive && control.value !== null && control.value !== control.default);
  if (!row) return card.reset = null;
  card.reset.add(row.name);
  return [row.name, row.control.default];
}

async function send(card) {
  if (card.sending) return;
  card.sending = true;
  const inside = card.figure.querySelector("[data-panel=controls] .inside");
  for (let setting; (setting = nextSetting(card));) {
    const [answer] = await Promise.all([ask(card, [setting]), sleep(SEND_EVERY)]);
    const error = rowOf(card, setting[0])?.error;
    if (error) say(error, answer.error ?? "");
    // What was refused is shown as it is.
    const { controls } = answer.error ? await ask(card) : answer;
    if (controls) showControls(card, inside, controls);
  }
  card.sending = false;
}
