"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const n = data.rows, words = data.words, columns = data.columns, chips = data.chips;
// Words are numbers into a list; numbers may be null.
const text = (name, i) => words[name].list[words[name].at[i]];
const numbers = {};
for (const [name, values] of Object.entries(columns)) numbers[name] = Float64Array.from(values, v => v === null ? NaN : v);
const year = numbers.mjd.map(d => 2000 + (d - 51544.5) / 365.25);
const day = d => Number.isFinite(d) ? new Date((d - 40587) * 864e5).toISOString().slice(0, 10) : "";
const fixed = places => v => Number.isFinite(v) ? v.toFixed(places) : "";
const percent = v => Number.isFinite(v) ? (100 * v).toFixed(2) : "";

// Columns of the table: key, head, unit, width, how it reads; words first.
const shown = [
  {key: "picture", head: "", width: 52},
  {key: "name", head: "visit", width: 250, words: true},
  {key: "target", head: "target", width: 130, words: true},
  {key: "filter", head: "filter", width: 84, words: true},
  {key: "verdict", head: "verdict", width: 72, words: true},
  {key: "mjd", head: "date", width: 104, read: day},
  {key: "n_exposures", head: "exposures", width: 84, read: fixed(0)},
  {key: "exptime", head: "time", unit: "s", width: 76, read: fixed(0)},
  {key: "align_rms", head: "rms", unit: "mas", width: 84, read: fixed(1), odd: true},
  ...chips.filter(c => c !== data.reference).map(c => (
    {key: `ratio_${c}`, error: `ratio_error_${c}`, head: `ratio ${c}`, width: 100, read: fixed(4), odd: true})),
  {key: "flagged", head: "flagged", unit: "%", width: 92, read: percent, odd: true},
  {key: "errrat", head: "ERRRAT", width: 84, read: fixed(3), odd: true},
  {key: "n_stars", head: "stars", width: 66, read: fixed(0)},
  {key: "seconds", head: "took", unit: "s", width: 76, read: fixed(1), odd: true},
  {key: "peak_memory", head: "memory", unit: "MB", width: 100, read: fixed(0)},
  {key: "message", head: "message", width: 420, words: true},
];

// Outliers: five robust sigma from the median, the value's own error added.
const median = values => { const s = Float64Array.from(values).sort(); return s.length ? s[s.length >> 1] : NaN; };
const odd = {}, anyOdd = new Uint8Array(n);
for (const column of shown.filter(c => c.odd)) {
  const values = numbers[column.key], good = values.filter(Number.isFinite);
  const middle = median(good), sigma = 1.4826 * median(good.map(v => Math.abs(v - middle)));
  const marks = odd[column.key] = new Uint8Array(n);
  if (good.length < 8) continue;
  for (let i = 0; i < n; i++) {
    const own = column.error ? numbers[column.error][i] || 0 : 0;
    if (Math.abs(values[i] - middle) > 5 * Math.hypot(sigma, own) && sigma + own > 0) marks[i] = anyOdd[i] = 1;
  }
}

let order = Int32Array.from({length: n}, (_, i) => i), sortKey = "name", descending = false;
const ranges = {};  // chosen bars: key -> [low, high)
const search = Array.from({length: n}, (_, i) =>
  `${text("name", i)} ${text("target", i)} ${text("message", i)}`.toLowerCase());

function choose() {
  const find = $("find").value.trim().toLowerCase(), chosen = {};
  for (const key of ["target", "filter", "verdict"]) {
    const value = $(key).value;
    if (value !== "") chosen[key] = Number(value);
  }
  const only = $("outliers").checked, kept = [];
  next: for (let i = 0; i < n; i++) {
    if (only && !anyOdd[i]) continue;
    for (const key in chosen) if (words[key].at[i] !== chosen[key]) continue next;
    for (const key in ranges) { const v = valueOf(key, i); if (!(v >= ranges[key][0] && v < ranges[key][1])) continue next; }
    if (find && !search[i].includes(find)) continue;
    kept.push(i);
  }
  order = Int32Array.from(kept);
  sort();
  $("count").textContent = order.length === n ? `${n} rows` : `${order.length} of ${n} rows`;
  drawCharts();
}
const valueOf = (key, i) => numbers[key][i];

function sort() {
  const way = descending ? -1 : 1, column = shown.find(c => c.key === sortKey);
  if (column.words) {
    const {list, at} = words[sortKey];
    const rank = new Int32Array(list.length);
    [...list.keys()].sort((a, b) => list[a] < list[b] ? -1 : list[a] > list[b] ? 1 : 0).forEach((w, r) => { rank[w] = r; });
    order.sort((a, b) => way * (rank[at[a]] - rank[at[b]]) || a - b);
  } else {  // what is unknown stands last, whichever way
    const v = numbers[sortKey];
    order.sort((a, b) => (Number.isNaN(v[a]) - Number.isNaN(v[b])) || way * (v[a] - v[b]) || a - b);
  }
  for (const button of $("head").children)
    button.dataset.key === sortKey ? button.setAttribute("aria-sort", descending ? "descending" : "ascending")
      : button.removeAttribute("aria-sort");
  $("space").style.height = `${order.length * HEIGHT}px`;
  drawRows(true);
}

// The table holds only the rows that are seen.
const HEIGHT = 44, table = $("table"), rows = $("rows");
let first = -1, last = -1, pictures = 0;
function drawRows(anew) {
  const from = Math.max(0, Math.floor(table.scrollTop / HEIGHT) - 6);
  const to = Math.min(order.length, from + Math.ceil(table.clientHeight / HEIGHT) + 12);
  if (!anew && from === first && to === last) return;
  first = from; last = to;
  const made = document.createDocumentFragment();
  for (let place = from; place < to; place++) made.append(row(order[place], place));
  rows.style.top = `${from * HEIGHT}px`;
  rows.replaceChildren(made);
  clearTimeout(pictures);
  pictures = setTimeout(showPictures, 90);  // not while somebody scrolls past
}
const address = (i, file) => `${encodeURIComponent(text("name", i))}/${encodeURIComponent(file)}`;
function row(i, place) {
  const line = document.createElement("div");
  line.className = "row"; line.setAttribute("role", "row"); line.setAttribute("aria-rowindex", place + 2);
  for (const column of shown) {
    const page = text("page", i), linked = column.key === "picture" || column.key === "name";
    const cell = document.createElement(linked && page ? "a" : "div");
    if (linked && page) cell.href = address(i, page);
    cell.setAttribute("role", "cell");
    cell.style.width = `${column.width}px`;
    if (column.key === "picture") {
      cell.className = "pic";
      if (text("image", i)) {
        const picture = new Image(40, 40);
        picture.alt = ""; picture.dataset.src = address(i, text("image", i)); picture.decoding = "async";
        cell.append(picture);
      }
    } else if (column.words) {
      const said = text(column.key, i);
      cell.className = column.key === "verdict" ? `t v-${said.toLowerCase()}` : "t";
      cell.textContent = said;
      if (column.key === "verdict") cell.title = text("message", i);
      else if (said.length > 12) cell.title = said;
    } else {
      const value = numbers[column.key][i];
      cell.textContent = column.read(value);
      if (column.error && Number.isFinite(value)) cell.title = `± ${numbers[column.error][i].toFixed(4)}`;
      if (column.odd && odd[column.key][i]) cell.className = "odd";
    }
    line.append(cell);
  }
  return line;
}
function showPictures() {
  for (const picture of rows.querySelectorAll("img[data-src]")) {
    picture.addEventListener("error", () => picture.classList.add("gone"));
    picture.src = picture.dataset.src;
    picture.removeAttribute("data-src");
  }
}

// Charts -------------------------------------------------------------------------------------------------------------
const SVG = "http://www.w3.org/2000/svg", W = 260, H = 120, BASE = 102, BINS = 36;
function draw(parent, kind, attributes, said) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (said !== undefined) made.textContent = said;
  parent.append(made);
  return made;
}
function quantile(sorted, q) { return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]; }
function span(values) {  // what nearly all have; the rest stands in the outer bars
  const s = values.filter(Number.isFinite).sort();
  if (!s.length) return null;
  const low = quantile(s, 0.01), high = quantile(s, 0.99), pad = 0.08 * (high - low) || Math.abs(low) * 0.02 || 1;
  return [low - pad, high + pad];
}
function count(key, among, [low, high]) {
  const bins = new Int32Array(BINS), v = numbers[key];
  for (const i of among) if (Number.isFinite(v[i]))
    bins[Math.max(0, Math.min(BINS - 1, Math.floor(BINS * (v[i] - low) / (high - low))))]++;
  return bins;
}
const everyone = Int32Array.from({length: n}, (_, i) => i), charts = [];
function figure(title, unit) {
  const made = document.createElement("figure"), caption = document.createElement("figcaption"), name = document.createElement("b");
  const side = document.createElement("span");
  name.textContent = title; side.textContent = unit; caption.append(name, side);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`); svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img"); svg.setAttribute("aria-label", title);
  made.append(caption, svg);
  $("charts").append(made);
  return {svg, side};
}
const short = v => Math.abs(v) >= 100 ? v.toFixed(0) : Math.abs(v) >= 10 ? v.toFixed(1) : v.toPrecision(3);
function histogram(key, title, unit, scale = 1) {
  const limits = span(numbers[key]);
  if (!limits) return;
  const {svg} = figure(title, unit), all = count(key, everyone, limits), width = W / BINS, step = (limits[1] - limits[0]) / BINS;
  const top = Math.max(...all), tall = c => c ? Math.max(2, 92 * Math.sqrt(c / top)) : 0;
  const now = [];
  all.forEach((c, b) => {
    draw(svg, "rect", {class: "bar all", x: b * width, width: width - 0.6, y: BASE - tall(c), height: tall(c)});
    now.push(draw(svg, "rect", {class: "bar now", x: b * width, width: width - 0.6}));
  });
  all.forEach((c, b) => {
    const low = b ? limits[0] + b * step : -Infinity, high = b < BINS - 1 ? limits[0] + (b + 1) * step : Infinity;
    const hit = draw(svg, "rect", {class: "hit", x: b * width, width, y: 4, height: BASE - 4});
    draw(hit, "title", {}, `${short(scale * (limits[0] + b * step))} to ${short(scale * (limits[0] + (b + 1) * step))}: ${c}`);
    hit.addEventListener("click", () => {
      const on = hit.classList.contains("on");
      svg.querySelectorAll(".on").forEach(e => e.classList.remove("on"));
      on ? delete ranges[key] : (ranges[key] = [low, high], hit.classList.add("on"));
      choose();
    });
  });
  draw(svg, "line", {class: "axis", x1: 0, x2: W, y1: BASE, y2: BASE});
  draw(svg, "text", {x: 0, y: H - 4}, short(scale * limits[0]));
  draw(svg, "text", {x: W, y: H - 4, "text-anchor": "end"}, short(scale * limits[1]));
  charts.push(() => count(key, order, limits).forEach((c, b) => {
    now[b].setAttribute("y", BASE - tall(c)); now[b].setAttribute("height", tall(c));
  }));
}
function legend(side, names) {
  side.replaceChildren(...names.flatMap(([name, s]) => {
    const key = document.createElement("span");
    key.className = `key s${s}`;
    return [key, name];
  }));
}
const judged = chips.map((chip, s) => [chip, s % 4]).filter(([chip]) => chip !== data.reference && span(numbers[`ratio_${chip}`]));
function ratioHistogram() {
  if (!judged.length) return;
  const {svg, side} = figure("Ratios", "");
  const limits = span(Float64Array.from(judged.flatMap(([chip]) => [...numbers[`ratio_${chip}`]])));
  const x = v => W * (v - limits[0]) / (limits[1] - limits[0]);
  legend(side, judged);
  const lines = judged.map(([chip, s]) => draw(svg, "path", {class: `s${s}`}));
  if (limits[0] < 1 && limits[1] > 1) draw(svg, "line", {class: "unity", x1: x(1), x2: x(1), y1: 4, y2: BASE});
  draw(svg, "line", {class: "axis", x1: 0, x2: W, y1: BASE, y2: BASE});
  draw(svg, "text", {x: 0, y: H - 4}, limits[0].toFixed(3));
  draw(svg, "text", {x: W, y: H - 4, "text-anchor": "end"}, limits[1].toFixed(3));
  charts.push(() => {
    const bins = judged.map(([chip]) => count(`ratio_${chip}`, order, limits)), top = Math.max(1, ...bins.flatMap(b => [...b]));
    bins.forEach((b, c) => lines[c].setAttribute("d",
      "M" + [...b].map((v, i) => `${i * W / BINS},${BASE - 92 * v / top}H${(i + 1) * W / BINS}`).join("L")));
  });
}
function ratioYears() {
  const limits = span(Float64Array.from(judged.flatMap(([chip]) => [...numbers[`ratio_${chip}`]])));
  const when = year.filter(Number.isFinite);
  if (!limits || !when.length) return;
  const from = Math.floor(when.reduce((a, b) => Math.min(a, b))), to = Math.floor(when.reduce((a, b) => Math.max(a, b))) + 1;
  const {svg} = figure("Ratios by year", "median");
  const x = v => 6 + (W - 12) * (v - from) / (to - from), y = v => 6 + (BASE - 10) * (limits[1] - v) / (limits[1] - limits[0]);
  if (limits[0] < 1 && limits[1] > 1) draw(svg, "line", {class: "unity", x1: 0, x2: W, y1: y(1), y2: y(1)});
  draw(svg, "line", {class: "axis", x1: 0, x2: W, y1: BASE, y2: BASE});
  draw(svg, "text", {x: 0, y: H - 4}, from);
  draw(svg, "text", {x: W, y: H - 4, "text-anchor": "end"}, to);
  draw(svg, "text", {x: 0, y: 12}, limits[1].toFixed(3));
  draw(svg, "text", {x: 0, y: BASE - 4}, limits[0].toFixed(3));
  const layer = draw(svg, "g", {});
  charts.push(() => {
    layer.replaceChildren();
    for (const [s0, [chip, s]] of judged.entries()) {
      const v = numbers[`ratio_${chip}`], by = {};
      for (const i of order) if (Number.isFinite(v[i]) && Number.isFinite(year[i])) (by[Math.floor(year[i])] ??= []).push(v[i]);
      const dots = Object.entries(by).map(([when, list]) => {
        const sorted = Float64Array.from(list).sort();
        return {x: x(Number(when) + 0.35 + 0.12 * s0), m: median(sorted), low: quantile(sorted, 0.16), high: quantile(sorted, 0.84), when, size: sorted.length};
      });
      const inside = v => Math.max(4, Math.min(BASE, y(v)));
      for (const d of dots) {
        draw(layer, "line", {class: `s${s}`, x1: d.x, x2: d.x, y1: inside(d.low), y2: inside(d.high), "stroke-opacity": 0.6});
        const dot = draw(layer, "circle", {class: `dot s${s}`, cx: d.x, cy: inside(d.m), r: 2.6});
        draw(dot, "title", {}, `${chip} ${d.when}: ${d.m.toFixed(4)}, 68 % from ${d.low.toFixed(4)} to ${d.high.toFixed(4)}, ${d.size} visits`);
      }
    }
  });
}
const drawCharts = () => charts.forEach(again => again());

// Begin --------------------------------------------------------------------------------------------------------------
for (const column of shown) {
  const button = document.createElement("button");
  button.type = "button"; button.dataset.key = column.key; button.setAttribute("role", "columnheader");
  button.style.width = `${column.width}px`;
  if (column.words) button.className = "t";
  button.append(column.head);
  if (column.unit) { const unit = document.createElement("small"); unit.textContent = ` ${column.unit}`; button.append(unit); }
  button.addEventListener("click", () => {
    if (column.key === "picture") return;
    descending = sortKey === column.key ? !descending : !column.words && Boolean(column.odd);
    sortKey = column.key;
    table.scrollTop = 0;
    sort();
  });
  $("head").append(button);
}
for (const key of ["target", "filter", "verdict"]) {
  const counts = new Map();
  words[key].at.forEach(w => counts.set(w, (counts.get(w) || 0) + 1));
  [...counts].sort((a, b) => words[key].list[a[0]] < words[key].list[b[0]] ? -1 : 1).forEach(([w, c]) => {
    const option = document.createElement("option");
    option.value = w; option.textContent = `${words[key].list[w] || "—"} (${c})`;
    $(key).append(option);
  });
  $(key).addEventListener("change", choose);
}
$("find").addEventListener("input", choose);
$("outliers").addEventListener("change", choose);
$("reset").addEventListener("click", () => {
  for (const key of ["find", "target", "filter", "verdict"]) $(key).value = "";
  $("outliers").checked = false;
  for (const key in ranges) delete ranges[key];
  document.querySelectorAll(".hit.on").forEach(e => e.classList.remove("on"));
  choose();
});
table.addEventListener("scroll", () => requestAnimationFrame(() => drawRows(false)), {passive: true});
addEventListener("resize", () => drawRows(false));
histogram("align_rms", "Alignment rms", "mas");
ratioHistogram();
ratioYears();
histogram("flagged", "Flagged share", "%", 100);
histogram("errrat_mean", "ERRRAT", "mean of chips");
histogram("seconds", "Time", "s");
choose();
document.body.dataset.loaded = "yes";
})();
