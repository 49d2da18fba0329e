// The stream panel: how to use the stream in other programs.

function snippets(name) {
  const stream = resolve("video_feed/" + name);
  const snapshot = resolve("snapshot/" + name);
  return {
    "Address": stream,
    "HTML": `<img src="${stream}" alt="${name}">`,
    "VLC": `vlc "${stream}"`,
    "ffplay": `ffplay -f mpjpeg "${stream}"`,
    "ffmpeg": `# Record one minute without re-encoding\nffmpeg -use_wallclock_as_timestamps 1 -f mpjpeg -i "${stream}" -t 60 -c copy ${name}.mkv`,
    "OpenCV": `import cv2\n\ncamera = cv2.VideoCapture("${stream}")\nwhile cv2.waitKey(1) != 27:  # Esc\n    ok, picture = camera.read()\n    if not ok:\n        break\n    cv2.imshow("${name}", picture)`,
    "Home Assistant": `# configuration.yaml; newer versions ask for the two URLs\n# when you add the integration "MJPEG IP Camera"\ncamera:\n  - platform: mjpeg\n    name: ${name}\n    mjpeg_url: ${stream}\n    still_image_url: ${snapshot}`,
    "OctoPrint": `Stream URL:   ${stream}\nSnapshot URL: ${snapshot}`,
  };
}

function openStreamPanel(card, body) {
  if (find(card, "choices")) return;
  const texts = snippets(card.name);
  const text = createElement("pre", {}, texts.Address);
  const feedback = createElement("span", { role: "status" });
  const legend = createElement("legend", { className: "visually-hidden" }, `Use ${card.name} in`);
  const choices = createElement("fieldset", { className: "choices" }, legend);
  for (const title in texts) {
    const choice = createElement("input", { type: "radio", name: "use-" + card.name, checked: title === "Address" });
    choice.addEventListener("change", () => { setText(text, texts[title]); setText(feedback, ""); });
    choices.append(createElement("label", {}, choice, title));
  }
  const copy = createElement("button", { type: "button", className: "button copy" }, "Copy");
  copy.addEventListener("click", async () => setText(feedback, await copyText(text) ? "Copied" : "Selected, press Ctrl+C"));
  const counts = createElement("span", { className: "counts" });
  body.replaceChildren(choices, text, createElement("div", { className: "panel-footer" }, copy, counts, feedback));
  if (card.camera) showCamera(card, card.camera);
}

// Browsers provide the clipboard only over HTTPS and on localhost. The older command works elsewhere.
async function copyText(node) {
  if (navigator.clipboard) {
    const copied = await navigator.clipboard.writeText(node.textContent).then(() => true, () => false);
    if (copied) return true;
  }
  getSelection().selectAllChildren(node);
  return document.execCommand("copy");
}
