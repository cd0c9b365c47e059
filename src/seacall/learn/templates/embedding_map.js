"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (name) => document.getElementById(name);
const canvas = byId("map"), pen = canvas.getContext("2d");
const view = { x: 0, y: 0, zoom: 1 };
let colour = "species", axes = [0, 1], only = "", lit = null, drag = null;

// Hues a golden angle apart: neighbours in the list never look alike.
const paint = (k) =>
  `hsl(${(k * 137.508 + 205) % 360} ${k % 2 ? 62 : 74}% ${[48, 60, 38][k % 3]}%)`;

function groups(name) {
  const counts = new Map();
  data.colours[name].forEach((key) => counts.set(key, (counts.get(key) || 0) + 1));
  const keys = [...counts.keys()];
  if (name === "recorder") keys.sort((a, b) => parseFloat(a) - parseFloat(b));
  else keys.sort((a, b) => (a === "unknown") - (b === "unknown") || a.localeCompare(b));
  return new Map(keys.map((key, k) => [key, {
    n: counts.get(key), ink: key === "unknown" || key === "not known" ? "#8d979e" : paint(k),
  }]));
}
const legends = Object.fromEntries(Object.keys(data.colours).map((k) => [k, groups(k)]));

const isShown = (k) => !only || data.colours.species[k] === only;
// Both axes have the same scale: distances may be compared.
let frame = null;
function fit() {
  const half = axes.map((axis) => {
    const along = data.places.map((one) => one[axis]);
    const low = along.reduce((a, b) => Math.min(a, b)), high = along.reduce((a, b) => Math.max(a, b));
    return [(low + high) / 2, Math.max((high - low) / 2, 1e-3)];
  });
  frame = { x: half[0][0], y: half[1][0], wide: half[0][1], high: half[1][1] };
}
fit();
const scale = () => 0.44 * view.zoom * Math.min(
  canvas.clientWidth / frame.wide, canvas.clientHeight / frame.high);
function place(k) {
  const s = scale();
  return [
    canvas.clientWidth / 2 + (data.places[k][axes[0]] - frame.x - view.x) * s,
    canvas.clientHeight / 2 - (data.places[k][axes[1]] - frame.y - view.y) * s,
  ];
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const keys = data.colours[colour], inks = legends[colour];
  const r = data.files.length > 800 ? 3.2 : 4.2;
  const dot = (k, strong) => {
    const [x, y] = place(k);
    pen.globalAlpha = strong ? 0.85 : 0.1;
    pen.fillStyle = inks.get(keys[k]).ink;
    pen.beginPath();
    pen.arc(x, y, r, 0, 2 * Math.PI);
    pen.fill();
  };
  const rows = data.files.map((_, k) => k);
  const strong = (k) => isShown(k) && (lit === null || keys[k] === lit);
  rows.filter((k) => !strong(k)).forEach((k) => dot(k, false));
  rows.filter(strong).forEach((k) => dot(k, true));
  pen.globalAlpha = 1;
  const names = axes.map((a) => `axis ${a + 1} (${Math.round(100 * data.shares[a])} %)`);
  pen.fillStyle = getComputedStyle(document.body).getPropertyValue("--soft");
  pen.font = "12px system-ui, sans-serif";
  pen.fillText(`${names[0]} →   ${names[1]} ↑`, 10, canvas.clientHeight - 10);
}

function legend() {
  const list = byId("legend"), keys = data.colours[colour];
  list.replaceChildren();
  legends[colour].forEach((group, key) => {
    const n = keys.filter((one, k) => one === key && isShown(k)).length;
    if (!n) return;
    const item = document.createElement("li"), button = document.createElement("button");
    const spot = document.createElement("i"), name = document.createElement("span");
    const count = document.createElement("b");
    spot.style.background = group.ink;
    name.textContent = key.replaceAll("_", " ");
    count.textContent = n;
    button.type = "button";
    button.setAttribute("aria-pressed", String(lit === key));
    button.append(spot, name, count);
    button.onclick = () => { lit = lit === key ? null : key; legend(); draw(); };
    item.append(button);
    list.append(item);
  });
}

function nearest(event) {
  const box = canvas.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top;
  let best = -1, least = 12 * 12;
  data.files.forEach((_, k) => {
    if (!isShown(k) || (lit !== null && data.colours[colour][k] !== lit)) return;
    const [a, b] = place(k), far = (a - x) ** 2 + (b - y) ** 2;
    if (far < least) [best, least] = [k, far];
  });
  return best;
}

function tell(event) {
  const k = nearest(event), tip = byId("tip");
  tip.hidden = k < 0;
  if (k < 0) return;
  const c = data.colours;
  tip.textContent = [data.files[k], c.species[k].replaceAll("_", " "),
    c.deployment[k], `${c.recorder[k]}, ${c.split[k]}`].join("\n");
  const [x, y] = place(k);
  tip.style.left = `${Math.min(x + 12, Math.max(0, canvas.clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.min(y + 12, canvas.clientHeight - tip.offsetHeight - 4)}px`;
}

canvas.onpointerdown = (event) => {
  canvas.setPointerCapture(event.pointerId);
  drag = [event.clientX, event.clientY];
};
canvas.onpointerup = () => { drag = null; };
canvas.onpointermove = (event) => {
  if (!drag) { tell(event); return; }
  view.x -= (event.clientX - drag[0]) / scale();
  view.y += (event.clientY - drag[1]) / scale();
  drag = [event.clientX, event.clientY];
  draw();
};
canvas.onpointerleave = () => { byId("tip").hidden = true; };
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = canvas.getBoundingClientRect();
  const dx = event.clientX - box.left - box.width / 2;
  const dy = event.clientY - box.top - box.height / 2;
  const before = scale();
  view.zoom = Math.min(80, Math.max(0.5, view.zoom * Math.exp(-event.deltaY / 500)));
  view.x += dx / before - dx / scale();
  view.y -= dy / before - dy / scale();
  draw();
}, { passive: false });
canvas.onkeydown = (event) => {
  const step = 0.1 / view.zoom, key = event.key;
  if (key === "+" || key === "=") view.zoom = Math.min(80, view.zoom * 1.25);
  else if (key === "-") view.zoom = Math.max(0.5, view.zoom / 1.25);
  else if (key === "ArrowLeft") view.x -= step;
  else if (key === "ArrowRight") view.x += step;
  else if (key === "ArrowUp") view.y += step;
  else if (key === "ArrowDown") view.y -= step;
  else return;
  event.preventDefault();
  draw();
};

function whole() { Object.assign(view, { x: 0, y: 0, zoom: 1 }); draw(); }
canvas.ondblclick = whole;
byId("whole").onclick = whole;
byId("colour").onchange = (event) => { colour = event.target.value; lit = null; legend(); draw(); };
byId("only").onchange = (event) => { only = event.target.value; lit = null; legend(); draw(); };
byId("axes").onchange = (event) => {
  axes = event.target.value.split(",").map(Number);
  fit();
  whole();
};
legends.species.forEach((_, key) => byId("only").append(new Option(key.replaceAll("_", " "), key)));
[[0, 1], [0, 2], [1, 2], [2, 3]].forEach((pair) => byId("axes").append(
  new Option(pair.map((a) => a + 1).join(" and "), pair.join(","))));
// A map can be opened as it is to be seen: embedding_map.html#colour=deployment
const asked = new URLSearchParams(location.hash.slice(1));
if (asked.get("colour") in legends) colour = byId("colour").value = asked.get("colour");
if (legends.species.has(asked.get("species"))) only = byId("only").value = asked.get("species");
new ResizeObserver(draw).observe(canvas);
legend();
draw();
