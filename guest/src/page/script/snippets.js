// How to use the stream elsewhere.

function snippets(name) {
  const stream = new URL("video_feed/" + name, document.baseURI).href;
  const snapshot = new URL("snapshot/" + name, document.baseURI).href;
  return {
    "Address": stream,
    "HTML": `<img src="${stream}" alt="${name}">`,
    "VLC": `vlc "${stream}"`,
    "ffplay": `ffplay -f mpjpeg "${stream}"`,
    "ffmpeg": `# A minute, as it is, into a file\nffmpeg -use_wallclock_as_timestamps 1 -f mpjpeg -i "${stream}" -t 60 -c copy ${name}.mkv`,
    "OpenCV": `import cv2\n\ncamera = cv2.VideoCapture("${stream}")\nwhile cv2.waitKey(1) != 27:  # Esc\n    good, picture = camera.read()\n    if not good:\n        break\n    cv2.imshow("${name}", picture)`,
    "Home Assistant": `# configuration.yaml; newer versions ask for the two URLs instead,\n# when you add the integration "MJPEG IP Camera"\ncamera:\n  - platform: mjpeg\n    name: ${name}\n    mjpeg_url: ${stream}\n    still_image_url: ${snapshot}`,
    "OctoPrint": `Stream URL:   ${stream}\nSnapshot URL: ${snapshot}`,
  };
}

function openStreamPanel(card, inside) {
  if (part(card, "choices")) return;
  const texts = snippets(card.name);
  const text = make("pre", {}, texts.Address);
  const copied = make("span", { role: "status" });
  const choices = make("fieldset", { className: "choices" }, make("legend", { className: "unseen" }, `Use ${card.name} in`));
  for (const title in texts) {
    const choice = make("input", { type: "radio", name: "use-" + card.name, checked: title === "Address" });
    choice.addEventListener("change", () => { say(text, texts[title]); say(copied, ""); });
    choices.append(make("label", {}, choice, title));
  }
  const copy = make("button", { type: "button", className: "push copy" }, "Copy");
  copy.addEventListener("click", async () => say(copied, await copyText(text) ? "Copied" : "Selected, press Ctrl+C"));
  inside.replaceChildren(choices, text, make("div", { className: "foot" }, copy, make("span", { className: "counts" }), copied));
  if (card.camera) tell(card, card.camera);
}

// The clipboard is only for pages that came by HTTPS or from this machine; elsewhere the old way works.
async function copyText(node) {
  if (navigator.clipboard) {
    const done = await navigator.clipboard.writeText(node.textContent).then(() => true, () => false);
    if (done) return true;
  }
  getSelection().selectAllChildren(node);
  return document.execCommand("copy");
}
