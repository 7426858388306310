"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const D = JSON.parse($("data").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /* ---- bytes ---- */
  const raw = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const inflate = async (text) => {
    const stream = new Blob([raw(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  /* ---- sky ---- */
  const G = D.grid, RAD = Math.PI / 180;
  const det = G.cd[0][0] * G.cd[1][1] - G.cd[0][1] * G.cd[1][0];
  const inv = [[G.cd[1][1] / det, -G.cd[0][1] / det], [-G.cd[1][0] / det, G.cd[0][0] / det]];
  const toSky = (x, y) => {
    const u = x + 1 - G.crpix[0], v = y + 1 - G.crpix[1];
    const xi = (G.cd[0][0] * u + G.cd[0][1] * v) * RAD, eta = (G.cd[1][0] * u + G.cd[1][1] * v) * RAD;
    const s = Math.sin(G.crval[1] * RAD), c = Math.cos(G.crval[1] * RAD), d = c - eta * s;
    const ra = G.crval[0] + Math.atan2(xi, d) / RAD;
    return [((ra % 360) + 360) % 360, Math.atan2(s + eta * c, Math.hypot(xi, d)) / RAD];
  };
  const fromPlane = (xi, eta) => [
    (inv[0][0] * xi + inv[0][1] * eta) / 3600 + G.crpix[0] - 1, (inv[1][0] * xi + inv[1][1] * eta) / 3600 + G.crpix[1] - 1];
  const sexagesimal = (value, per, digits) => {
    const whole = Math.round(Math.abs(value) * per * 10 ** digits), f = 10 ** digits, s = Math.floor(whole / f);
    const pad = (n) => String(n).padStart(2, "0");
    return [Math.floor(s / 3600), pad(Math.floor(s / 60) % 60), pad(s % 60) + "." + String(whole % f).padStart(digits, "0")];
  };
  const skyText = (ra, dec) => {
    const h = sexagesimal(ra, 240, 3), d = sexagesimal(dec, 3600, 2);
    return `${String(h[0] % 24).padStart(2, "0")}ʰ${h[1]}ᵐ${h[2]}ˢ  ${dec < 0 ? "−" : "+"}${String(d[0]).padStart(2, "0")}°${d[1]}′${d[2]}″`;
  };
  const short = (v) => {
    const a = Math.abs(v), e = a ? Math.floor(Math.log10(a)) : 0;
    return (e < -3 || e > 5 ? v.toExponential(2) : v.toFixed(Math.max(0, Math.min(5, 2 - e)))).replace("-", "−");
  };

  /* ---- the viewer ---- */
  const canvas = $("canvas"), pen = canvas.getContext("2d");
  const V = { layer: null, cx: 0, cy: 0, z: 1, fit: 1, pick: null, width: 0, height: 0 };
  const layers = new Map(), contexts = new Map();
  const sx = (x) => (x - V.cx) * V.z + V.width / 2, sy = (y) => V.height / 2 - (y - V.cy) * V.z;
  const px = (s) => (s - V.width / 2) / V.z + V.cx, py = (s) => V.cy - (s - V.height / 2) / V.z;

  const codeValue = (layer, code) => {
    if (!code) return NaN;
    if (layer.kind === "wht") return (code - 1) / 254 * layer.top;
    const s = layer.scale;
    return s.sky + s.sigma * Math.sinh(s.low + (code - 1) / 254 * (s.high - s.low));
  };
  const curve = (kind, t, knee) => {
    if (kind === "linear") return t;
    if (kind === "sqrt") return Math.sqrt(t);
    if (kind === "log") return Math.log1p(t * 1000) / Math.log1p(1000);
    return Math.asinh(t * knee) / Math.asinh(knee);
  };
  const shade = (layer) => {
    const negative = $("invert").checked, kind = $("stretch").value, table = new Uint32Array(256);
    const black = +$("black").value, white = Math.max(10 ** +$("white").value, black + 0.5);
    for (let code = 1; code < 256; code++) {
      let t;
      if (layer.kind === "wht") t = (code - 1) / 254;
      else {
        const n = Math.sinh(layer.scale.low + (code - 1) / 254 * (layer.scale.high - layer.scale.low));
        t = curve(kind, Math.min(1, Math.max(0, (n - black) / (white - black))), (white - black) / D.softening);
      }
      const g = Math.round(255 * (negative ? 1 - t : t));
      table[code] = 0xff000000 | (g << 16) | (g << 8) | g;
    }
    const image = layer.pen.createImageData(layer.nx, layer.ny), out = new Uint32Array(image.data.buffer), codes = layer.codes;
    for (let y = 0, i = 0; y < layer.ny; y++) {
      let j = (layer.ny - 1 - y) * layer.nx;
      for (const end = j + layer.nx; j < end; j++, i++) out[j] = table[codes[i]];
    }
    layer.pen.putImageData(image, 0, 0);
  };
  const load = async (key) => {
    const layer = D.layers.find((l) => l.key === key);
    if (!layers.has(key)) {
      if (layer.kind === "rgb") {
        layer.canvas = new Image();
        await new Promise((done, fail) => { layer.canvas.onload = done; layer.canvas.onerror = fail; layer.canvas.src = layer.src; });
      } else {
        layer.codes = await inflate(layer.data);
        layer.canvas = document.createElement("canvas");
        layer.canvas.width = layer.nx; layer.canvas.height = layer.ny;
        layer.pen = layer.canvas.getContext("2d");
      }
      layers.set(key, layer);
    }
    V.layer = layer;
    if (layer.kind !== "rgb") shade(layer);
    for (const id of ["black", "white", "stretch"]) $(id).disabled = layer.kind !== "sci";
    $("invert").disabled = layer.kind === "rgb";
    draw();
  };
  const band = () => V.layer.band || D.bands[0];

  let waiting = false;
  const draw = () => { if (!waiting) { waiting = true; requestAnimationFrame(paint); } };
  const paint = () => {
    waiting = false;
    const ratio = Math.min(window.devicePixelRatio || 1, 2.5);
    const box = canvas.getBoundingClientRect();
    if (!box.width || !V.layer) return;
    if (V.width !== box.width || V.height !== box.height || canvas.width !== Math.round(box.width * ratio)) {
      const atFit = !V.width || Math.abs(V.z / V.fit - 1) < 1e-6;
      V.width = box.width; V.height = box.height;
      canvas.width = Math.round(box.width * ratio); canvas.height = Math.round(box.height * ratio);
      V.fit = Math.min(V.width / G.nx, V.height / G.ny);
      if (atFit) reset();
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, V.width, V.height);
    const l = V.layer, size = l.factor * V.z;
    pen.imageSmoothingEnabled = size * ratio < 1.5; pen.imageSmoothingQuality = "high";
    pen.drawImage(l.canvas, sx(-0.5), sy(l.ny * l.factor - 0.5), l.nx * size, l.ny * size);
    if ($("chips").checked) outlines();
    if ($("stars").checked) stars();
    if (V.pick) cross();
    compass();
  };
  const reset = () => { V.z = V.fit; V.cx = (G.nx - 1) / 2; V.cy = (G.ny - 1) / 2; };
  const outlines = () => {
    pen.lineWidth = 1.2;
    for (const chips of Object.values(D.outlines)) for (const [chip, corners] of Object.entries(chips)) {
      pen.strokeStyle = css("--" + chip.toLowerCase()) || css("--link");
      pen.beginPath();
      for (const [xi, eta] of corners) { const p = fromPlane(xi, eta); pen.lineTo(sx(p[0]), sy(p[1])); }
      pen.closePath(); pen.stroke();
    }
  };
  const stars = () => {
    const s = D.stars[band()];
    if (!s) return;
    const grow = Math.max(1, Math.min(4, V.z));
    for (const flagged of [false, true]) {
      pen.strokeStyle = flagged ? "#e0663c" : "#4fb3d9"; pen.lineWidth = 1.2; pen.beginPath();
      for (let i = 0; i < s.x.length; i++) {
        if (!!s.flags[i] !== flagged) continue;
        const x = sx(s.x[i]), y = sy(s.y[i]);
        if (x < -20 || y < -20 || x > V.width + 20 || y > V.height + 20) continue;
        const r = grow * (3 + 5 * s.size[i]);
        pen.moveTo(x + r, y); pen.arc(x, y, r, 0, 7);
      }
      pen.stroke();
    }
  };
  const cross = () => {
    const x = sx(V.pick[0]), y = sy(V.pick[1]);
    pen.strokeStyle = "#ffbe3b"; pen.lineWidth = 1.5; pen.beginPath();
    for (const [a, b] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { pen.moveTo(x + 5 * a, y + 5 * b); pen.lineTo(x + 14 * a, y + 14 * b); }
    pen.stroke();
  };
  const compass = () => {
    const scale = Math.sqrt(Math.abs(det)) * 3600, x0 = V.width - 46, y0 = V.height - 46, amber = "#e09a2c";
    pen.strokeStyle = pen.fillStyle = amber; pen.lineWidth = 1.5; pen.font = `12px ${css("--serif")}`;
    pen.textAlign = "center"; pen.textBaseline = "middle";
    for (const [name, k] of [["N", 1], ["E", 0]]) {
      const n = Math.hypot(inv[0][k], inv[1][k]), dx = inv[0][k] / n, dy = -inv[1][k] / n;
      pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x0 + 24 * dx, y0 + 24 * dy); pen.stroke();
      pen.fillText(name, x0 + 34 * dx, y0 + 34 * dy);
    }
    const choices = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120];
    const length = choices.reduce((a, b) => Math.abs(Math.log(b / scale * V.z / 90)) < Math.abs(Math.log(a / scale * V.z / 90)) ? b : a);
    const width = length / scale * V.z;
    pen.beginPath(); pen.moveTo(16, V.height - 18); pen.lineTo(16 + width, V.height - 18); pen.stroke();
    pen.fillText(`${length}″`, 16 + width / 2, V.height - 29);
  };

  const valueAt = (x, y) => {
    const l = V.layer;
    if (l.kind === "rgb") return null;
    const ix = Math.floor((x + 0.5) / l.factor), iy = Math.floor((y + 0.5) / l.factor);
    return ix < 0 || iy < 0 || ix >= l.nx || iy >= l.ny ? NaN : codeValue(l, l.codes[iy * l.nx + ix]);
  };
  const report = (x, y) => {
    $("where").textContent = `${skyText(...toSky(x, y))}   x ${(x + 1).toFixed(1)}  y ${(y + 1).toFixed(1)}`;
    const v = valueAt(x, y);
    $("value").textContent = v === null ? "" : Number.isNaN(v) ? "no data" : `${V.layer.kind === "sci" ? "≈ " : ""}${short(v)} ${V.layer.unit}`;
  };
  const zoomAt = (factor, x, y) => {
    const z = Math.min(64, Math.max(V.fit * 0.5, V.z * factor));
    const gx = px(x), gy = py(y);
    V.z = z; V.cx = gx - (x - V.width / 2) / z; V.cy = gy + (y - V.height / 2) / z;
    canvas.style.touchAction = V.z > V.fit * 1.01 ? "none" : "pan-y";
    draw();
  };

  /* One plane holds eight chips; they are kept unpacked where there is room, less on a phone. */
  const shelf = matchMedia("(pointer: fine)").matches ? 400e6 : 64e6;
  const octets = async (key, b) => {
    const c = D.contexts[key], name = `${key} ${b}`;
    if (contexts.has(name)) return contexts.get(name);
    const plane = await inflate(c.planes[b]);
    if (c.planes.length * c.nx * c.ny < shelf) contexts.set(name, plane);
    return plane;
  };
  let asked = 0;
  const history = async (x, y) => {
    const turn = ++asked;
    const box = $("history"), key = band(), c = D.contexts[key];
    const lines = [];
    const p = document.createElement("p");
    p.textContent = `${skyText(...toSky(x, y))} (x ${Math.round(x) + 1}, y ${Math.round(y) + 1})`;
    lines.push(p);
    const s = D.stars[key];
    if (s && s.x.length) {
      let best = -1, gap = Math.max(3, 10 / V.z);
      for (let i = 0; i < s.x.length; i++) { const d = Math.hypot(s.x[i] - x, s.y[i] - y); if (d < gap) { gap = d; best = i; } }
      if (best >= 0) {
        const q = document.createElement("p");
        q.textContent = `Star: ${s.mag[best].toFixed(3)} ± ${s.err[best].toFixed(3)} ST mag in ${key}, at ${skyText(...toSky(s.x[best], s.y[best]))}${s.flags[best] ? `, flags ${s.flags[best]}` : ""}`;
        lines.push(q);
      }
    }
    if (c) {
      const wait = document.createElement("p");
      wait.textContent = "Looking up its exposures …";
      box.replaceChildren(...lines, wait);
      box.hidden = false;
      const made = [];
      const k = Math.min(c.nx - 1, Math.max(0, Math.round((x - (c.step >> 1)) / c.step)));
      const j = Math.min(c.ny - 1, Math.max(0, Math.round((y - (c.step >> 1)) / c.step)));
      const inside = x > -0.5 && y > -0.5 && x < G.nx - 0.5 && y < G.ny - 0.5;
      if (inside) for (let p = 0; p < c.planes.length; p++) {
        const octet = (await octets(key, p))[j * c.nx + k];
        for (let b = 0; b < 8; b++) if ((octet >> b) & 1) made.push(c.inputs[8 * p + b]);
      }
      if (turn !== asked) return;  // another pixel was asked for meanwhile
      const q = document.createElement("p");
      const near = c.step > 1 ? ` (as at the nearest pixel of a raster of ${c.step} × ${c.step})` : "";
      q.textContent = made.length ? `Made by ${made.length} of ${c.inputs.length} chips${near}:` : `No exposure reaches this place${near}.`;
      const list = document.createElement("div");
      list.className = "list";
      for (const [root, chip, time] of made) { const r = document.createElement("div"); r.textContent = `${root} ${chip} ${time} s`; list.append(r); }
      lines.push(q, list);
    }
    box.replaceChildren(...lines);
    box.hidden = false;
  };

  /* ---- hands ---- */
  const pointers = new Map();
  let moved = 0, pinch = 0;
  const at = (e) => { const [x, y] = place(e); return [px(x), py(y)]; };
  const apart = () => {
    const [a, b] = [...pointers.values()];
    return b ? Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1])) : 0;
  };
  const place = (e) => { const b = canvas.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top]; };
  canvas.addEventListener("pointerdown", (e) => {
    canvas.focus({ preventScroll: true });
    pointers.set(e.pointerId, place(e));
    try { canvas.setPointerCapture(e.pointerId); } catch { /* a pointer that is already gone */ }
    if (pointers.size === 1) moved = 0;
    report(...at(e));  // a finger does not hover
    pinch = apart();
  });
  canvas.addEventListener("pointermove", (e) => {
    const now = place(e), before = pointers.get(e.pointerId);
    if (before) {
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      pointers.set(e.pointerId, now);
      if (pointers.size === 2) {
        const [a, b] = [...pointers.values()], wide = apart();
        zoomAt(wide / pinch, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
        pinch = wide;
      } else if (moved > 4) { V.cx -= (now[0] - before[0]) / V.z; V.cy += (now[1] - before[1]) / V.z; draw(); }
    }
    report(...at(e));
  });
  const up = (e) => {
    if (e.type === "pointerup" && pointers.size === 1 && moved <= 4) {
      const [x, y] = place(e);
      V.pick = [px(x), py(y)]; history(...V.pick); draw();
    }
    pointers.delete(e.pointerId); pinch = apart();
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("wheel", (e) => {
    if (document.activeElement !== canvas && !e.ctrlKey) return;  // the page scrolls until the image is chosen
    e.preventDefault();
    zoomAt(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0018)), ...place(e));
  }, { passive: false });
  canvas.addEventListener("dblclick", (e) => zoomAt(2, ...place(e)));
  canvas.addEventListener("keydown", (e) => {
    const step = 60 / V.z, keys = {
      ArrowLeft: () => { V.cx -= step; }, ArrowRight: () => { V.cx += step; }, ArrowUp: () => { V.cy += step; }, ArrowDown: () => { V.cy -= step; },
      "+": () => zoomAt(1.4, V.width / 2, V.height / 2), "=": () => zoomAt(1.4, V.width / 2, V.height / 2),
      "-": () => zoomAt(1 / 1.4, V.width / 2, V.height / 2), "0": reset, s: () => { $("stars").checked = !$("stars").checked; },
    };
    if (keys[e.key] && !e.metaKey && !e.ctrlKey) { keys[e.key](); e.preventDefault(); draw(); }
  });
  const again = () => { if (V.layer.kind !== "rgb") shade(V.layer); draw(); };
  for (const id of ["black", "white", "stretch", "invert"]) $(id).addEventListener("input", again);
  for (const id of ["stars", "chips"]) $(id).addEventListener("change", draw);
  $("layer").addEventListener("change", () => load($("layer").value));
  $("zin").onclick = () => zoomAt(1.6, V.width / 2, V.height / 2);
  $("zout").onclick = () => zoomAt(1 / 1.6, V.width / 2, V.height / 2);
  $("fit").onclick = () => { reset(); canvas.style.touchAction = "pan-y"; draw(); };
  $("one").onclick = () => zoomAt(1 / V.z, V.width / 2, V.height / 2);

  /* ---- before and after ---- */
  const stampPens = [];
  const unpackStamp = (s) => {
    const tones = (codes) => {
      const picture = new ImageData(s.size, s.size), out = new Uint32Array(picture.data.buffer);
      const knee = 1.5, top = Math.asinh(s.white / knee), low = Math.asinh(-1.5 / knee);
      for (let y = 0; y < s.size; y++) for (let x = 0; x < s.size; x++) {
        const code = codes[y * s.size + x], n = Math.sinh(s.scale.low + (code - 1) / 254 * (s.scale.high - s.scale.low));
        const g = Math.round(255 * Math.min(1, Math.max(0, (Math.asinh(n / knee) - low) / (top - low))));
        out[(s.size - 1 - y) * s.size + x] = code ? 0xff000000 | (g << 16) | (g << 8) | g : 0;
      }
      const c = document.createElement("canvas"); c.width = c.height = s.size;
      c.getContext("2d").putImageData(picture, 0, 0);
      return c;
    };
    const bits = raw(s.mask), marks = document.createElement("canvas");
    marks.width = marks.height = s.size;
    const m = marks.getContext("2d"), picture = m.createImageData(s.size, s.size), out = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < s.size * s.size; i++) if ((bits[i >> 3] >> (7 - (i & 7))) & 1)
      out[(s.size - 1 - Math.floor(i / s.size)) * s.size + i % s.size] = 0x903c66f0;
    m.putImageData(picture, 0, 0);
    return { before: tones(raw(s.before)), after: tones(raw(s.after)), marks };
  };
  const wipeAll = (share) => {
    for (const { pen: p, size, parts } of stampPens) {
      const cut = Math.round(share * size);
      p.clearRect(0, 0, size, size);
      p.drawImage(parts.before, 0, 0);
      if (cut) { p.clearRect(0, 0, cut, size); p.drawImage(parts.after, 0, 0, cut, size, 0, 0, cut, size); }
      if ($("flagged").checked) p.drawImage(parts.marks, 0, 0);
      if (share > 0 && share < 1) { p.fillStyle = "#ffbe3b"; p.fillRect(cut - 0.5, 0, 1, size); }
    }
  };
  const buildStamps = () => {
    const home = document.querySelector(".stamps");
    if (!home) return;
    for (const s of D.stamps) {
      const cell = document.createElement("div"), c = document.createElement("canvas"), words = document.createElement("div");
      c.width = c.height = s.size;
      words.textContent = `${s.chip}, ${s.root}: ${s.hits} pixels flagged here`;
      cell.append(c, words); home.append(cell);
      stampPens.push({ pen: c.getContext("2d"), size: s.size, parts: unpackStamp(s) });
      const drag = (e) => { if (e.buttons & 1) { const b = c.getBoundingClientRect(); $("wipe").value = (e.clientX - b.left) / b.width; $("wipe").dispatchEvent(new Event("input")); } };
      c.addEventListener("pointerdown", drag); c.addEventListener("pointermove", drag);
    }
    let timer = 0, side = 0;
    const stop = () => { clearInterval(timer); timer = 0; $("blink").setAttribute("aria-pressed", "false"); };
    $("wipe").addEventListener("input", () => { stop(); wipeAll(+$("wipe").value); });
    $("flagged").addEventListener("change", () => wipeAll(+$("wipe").value));
    $("blink").onclick = () => {
      if (timer) { stop(); wipeAll(+$("wipe").value); return; }
      $("blink").setAttribute("aria-pressed", "true");
      wipeAll(side = 1);
      timer = setInterval(() => wipeAll(side = 1 - side), 700);
    };
    wipeAll(0.5);
  };

  /* ---- tables ---- */
  for (const table of document.querySelectorAll("table.sortable:not(.still)")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, k) => head.querySelector("button").addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      const key = (row) => { const c = row.cells[k], v = c.dataset.k ?? c.textContent; return v === "" ? null : Number.isNaN(+v) ? v : +v; };
      const rows = [...body.rows].map((row, i) => ({ row, i, v: key(row) }));
      rows.sort((a, b) => {
        if (a.v === null || b.v === null) return a.v === b.v ? a.i - b.i : a.v === null ? 1 : -1;  // gaps last
        const order = typeof a.v === "number" && typeof b.v === "number" ? a.v - b.v : String(a.v).localeCompare(String(b.v));
        return (up ? order : -order) || a.i - b.i;
      });
      body.append(...rows.map((r) => r.row));
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    }));
  }

  /* ---- start ---- */
  for (const l of D.layers) $("layer").add(new Option(l.label, l.key));
  $("black").value = -1.5; $("white").value = Math.log10(D.layers.find((l) => l.kind === "sci").white);
  $("view").hidden = false;
  document.body.classList.add("ready");
  buildStamps();
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  load(D.layers[0].key).then(() => requestAnimationFrame(() => { document.body.dataset.loaded = "yes"; }));
})();
