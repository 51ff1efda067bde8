// The chart of the page Drift: medians as lines, the lowest and the highest around them, changes as numbered marks.
"use strict";

(() => {
  // Those of the page, in its order: what a person waits for, first the whole.
  const STAGES = [...document.querySelectorAll(".stages input")].map((each) => each.value);
  const COLOURS = {
    combined_ttfb: "--text", voice_to_voice: "--text", endpointing: "--endpointing", transcription: "--transcribing",
    llm_ttft: "--llm-first", llm_decode: "--reasoning", tts_ttfb: "--tts-first",
  };
  const HEIGHT = 320;
  const MOST_ROWS = 32;
  const DAY_S = 86400;
  let data = null;
  let plot = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const nameOf = (stage) => document.getElementById(`stage-${stage}`).closest("label").textContent.trim();
  const isShown = (stage) => document.getElementById(`stage-${stage}`).checked;
  const number = (value) => (value === null || value === undefined ? "–" : value < 10 ? value.toFixed(1) : value.toFixed(0));
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

  // In UTC and in no country's own order: 23 Nov, and 14:30 within a day.
  const date = (seconds) => new Date(seconds * 1000).toUTCString().slice(5, 11).replace(/^0/, "");
  const time = (seconds) => new Date(seconds * 1000).toISOString().slice(11, seconds % 60 ? 19 : 16);
  const tick = (seconds) => (seconds % DAY_S ? time(seconds) : date(seconds));

  // A line has two ends: a value between two empty columns would not be seen.
  function alone(u, at, show) {
    if (show) return null;
    const values = u.data[at];
    return values.flatMap((value, n) => ((value ?? null) !== null && (values[n - 1] ?? null) === null && (values[n + 1] ?? null) === null ? [n] : []));
  }

  function series() {
    const found = [{}];
    for (const stage of STAGES) {
      const line = colour(COLOURS[stage]);
      const show = isShown(stage);
      found.push(
        { label: `${stage} highest`, stroke: "transparent", width: 0, show, points: { show: false } },
        { label: `${stage} lowest`, stroke: "transparent", width: 0, show, points: { show: false } },
        { label: stage, stroke: line, width: 2, show, spanGaps: false, points: { size: 6, fill: line, filter: alone } },
      );
    }
    return found;
  }

  function values() {
    const columns = [data.t];
    for (const stage of STAGES) {
      const of = data.stages[stage];
      columns.push(of.highest, of.lowest, of.median);
    }
    return columns;
  }

  function marks(u) {
    const { ctx, bbox } = u;
    const ratio = window.devicePixelRatio || 1;
    ctx.save();
    ctx.font = `bold ${12 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    for (const each of data.changes) {
      const x = Math.round(u.valToPos(each.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const ink = colour(each.kind === "slower" ? "--slow" : each.kind === "faster" ? "--ok" : "--muted");
      ctx.strokeStyle = ctx.fillStyle = ink;
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillText(String(each.number), x, bbox.top - 4 * ratio);
    }
    ctx.setLineDash([]);
    // Times with failed runs, along the foot.
    ctx.fillStyle = colour("--gap");
    data.failed.forEach((count, at) => {
      if (count) ctx.fillRect(u.valToPos(data.t[at], "x", true) - ratio, bbox.top + bbox.height - 5 * ratio, 2 * ratio, 5 * ratio);
    });
    ctx.restore();
  }

  function note(u) {
    const text = document.getElementById("chart-note");
    const at = u?.cursor.idx;
    if (at === null || at === undefined) {
      text.textContent = "Lines are medians, the areas reach from the lowest to the highest run; red at the foot: failed runs. Times are UTC; drag to look closer, double-click for all.";
      return;
    }
    const shown = STAGES.filter(isShown).map((stage) => {
      const of = data.stages[stage];
      const name = nameOf(stage);
      return `${name} ${number(of.median[at])} ms (${number(of.lowest[at])} to ${number(of.highest[at])})`;
    });
    text.textContent = `${moment(data.t[at])}: ${data.runs[at]} runs, ${data.failed[at]} failed. ${shown.join("; ")}`;
  }

  function draw() {
    const place = document.getElementById("chart");
    plot?.destroy();
    plot = null;
    if (!data || !data.t.length) {
      document.getElementById("chart-note").textContent = "There are no runs in this time.";
      return;
    }
    const ink = colour("--muted");
    const axis = { stroke: ink, grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1 } };
    plot = new uPlot({
      width: Math.max(200, place.clientWidth - 8),
      height: HEIGHT,
      padding: [16, 24, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false },
      scales: { y: { range: (_, low, high) => [0, high === null ? 1 : high * 1.05] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map(tick) }, { ...axis, size: 60, values: (_, ticks) => ticks.map((each) => `${each} ms`) }],
      series: series(),
      bands: STAGES.map((stage, at) => ({ series: [3 * at + 1, 3 * at + 2], fill: `${colour(COLOURS[stage])}33` })),
      hooks: { draw: [marks], setCursor: [note] },
    }, values(), place);
    note(null);
  }

  function fill() {
    const place = document.getElementById("values-of");
    if (!data || !document.getElementById("values").open) return;
    const size = Math.max(1, Math.ceil(data.t.length / MOST_ROWS));
    const table = document.createElement("table");
    table.className = "plain";
    const head = table.createTHead().insertRow();
    const names = ["From (UTC)", "Runs", "Failed", ...STAGES.map((stage) => `${nameOf(stage)} (ms)`)];
    for (const name of names) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      head.append(cell);
    }
    const body = table.createTBody();
    const middle = (list) => list.filter((each) => each !== null).sort((a, b) => a - b);
    for (let from = 0; from < data.t.length; from += size) {
      const part = (list) => list.slice(from, from + size);
      const sum = (list) => part(list).reduce((a, b) => a + b, 0);
      if (!sum(data.runs)) continue;
      const medians = STAGES.map((stage) => {
        const known = middle(part(data.stages[stage].median));
        return number(known.length ? known[Math.floor(known.length / 2)] : null);
      });
      const row = body.insertRow();
      for (const value of [moment(data.t[from]), sum(data.runs), sum(data.failed), ...medians]) {
        const cell = row.insertCell();
        cell.textContent = value;
        if (row.cells.length > 1) cell.className = "n";
      }
    }
    place.replaceChildren(table);
  }

  function choose() {
    if (!plot) return;
    STAGES.forEach((stage, at) => {
      for (const which of [1, 2, 3]) plot.setSeries(3 * at + which, { show: isShown(stage) });
    });
  }

  async function load() {
    const place = document.getElementById("chart");
    if (!place || !window.uPlot) return;
    for (const each of document.querySelectorAll(".stages input")) each.addEventListener("change", choose);
    document.getElementById("values").addEventListener("toggle", fill);
    try {
      const response = await fetch(place.dataset.address, { credentials: "same-origin", signal: AbortSignal.timeout(10000) });
      if (!response.ok) throw new Error(String(response.status));
      data = await response.json();
    } catch {
      document.getElementById("chart-note").textContent = "The values of the chart can't be loaded; reload the page to try again.";
      return;
    }
    draw();
    fill();
  }

  // Not for each change of the height, which the chart itself makes.
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    plot?.setSize({ width: Math.max(200, document.getElementById("chart").clientWidth - 8), height: HEIGHT });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  load();
})();
