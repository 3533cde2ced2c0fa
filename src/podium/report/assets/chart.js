// Charts over the study's steps: stacked panels with one time axis, a legend that reads values at a shared cursor.

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false, scrollZoom: false };
const touch = matchMedia("(pointer: coarse)");
const charts = new Set();
const shared = { cursor: null, range: null };

const LOOKS = {
  main: { color: "--accent", width: 2.2 },
  bound: { color: "--accent", width: 1.2, dash: "4px 2px" },
  bounds: { color: "--accent", width: 1.2, dash: "4px 2px", pair: true },
  plain: { color: "--muted", width: 1.3 },
  ink: { color: "--ink", width: 1.3 },
  thin: { color: "--muted", width: 1.1, dash: "3px 2px" },
  band: { color: "--band", fill: true, pair: true },
  softband: { color: "--inner", fill: true, pair: true },
  bar: { color: "--accent", bar: true },
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`kind${i}`, { color: `--kind-${i}`, fill: true, pair: true }])),
};

/**
 * spec: { title, panels: [{ label, quantity | unit, decimals, share }], series: [{ name, panel, values | [low, high],
 * look, ends, initial, hidden, reading, amounts }] }. Powers are given in kW and energies in kWh; `ends`: values at the
 * ends of the steps; `reading`: what the legend says of a value; `amounts`: what it says of a band that is a part of a sum.
 */
class StepChart {
  constructor(host, spec) {
    Object.assign(this, { host, spec, off: new Set(spec.series.filter((each) => each.hidden).map((each) => each.name)) });
    this.readings = [];
    this.build();
    charts.add(this);
    this.watcher = new ResizeObserver(() => this.resized());
    this.watcher.observe(this.plot);
  }

  drop() { charts.delete(this); this.watcher.disconnect(); Plotly.purge(this.plot); }

  build() {
    this.at = make("span", { className: "at", ariaLive: "off" });
    this.reset = make("button", { type: "button", textContent: "Whole period", hidden: true, onclick: () => zoom(null) });
    const { action } = this.spec;
    this.action = action ? make("button", { type: "button", textContent: action.text, onclick: action.run }) : null;
    this.plot = make("div", { className: "plot", tabIndex: 0, role: "group" });
    this.plot.setAttribute("aria-label", `${this.spec.title}. Arrow keys read values step by step.`);
    this.line = make("div", { className: "cursor" });
    this.legend = make("ul", { className: "legend" });
    this.host.replaceChildren(
      make("header", {}, make("h3", { textContent: this.spec.title }), make("span", { className: "state" }, this.at, " ", this.reset, " ", this.action ?? "")),
      this.legend, this.plot);
    this.plot.style.height = `${this.height()}px`;
    this.fillLegend();
    this.draw();
    this.listen();
  }

  height() { return this.spec.height ?? (this.spec.panels.length > 1 ? 330 : 300); }

  fillLegend() {
    this.readings = [];
    this.legend.replaceChildren(...this.spec.series.map((series) => {
      const value = make("output", { style: `min-width:${this.longest(series)}ch` });
      this.readings.push([series, value]);
      const button = make("button", { type: "button", onclick: () => this.toggle(series.name) }, swatch(LOOKS[series.look]), series.name, value);
      button.setAttribute("aria-pressed", String(!this.off.has(series.name)));
      return make("li", {}, button);
    }));
  }

  changeUnit() { this.fillLegend(); this.draw(); }

  toggle(name) {
    if (this.off.has(name)) this.off.delete(name); else this.off.add(name);
    [...this.legend.querySelectorAll("button")].forEach((button, i) =>
      button.setAttribute("aria-pressed", String(!this.off.has(this.spec.series[i].name))));
    this.draw();
    this.read();
  }

  shown() { return this.spec.series.filter((series) => !this.off.has(series.name)); }

  unit() {
    const rows = this.spec.series.filter((each) => this.spec.panels[each.panel ?? 0].quantity)
      .flatMap((each) => (LOOKS[each.look].pair ? each.values : [each.values]));
    return unitFor(peakOf(rows));
  }

  draw() {
    const unit = this.unit();
    const traces = this.shown().flatMap((series) => this.traces(series, unit));
    Plotly.react(this.plot, traces, this.layout(unit), CONFIG).then(() => { this.plot.append(this.line); this.read(); });
  }

  traces(series, unit) {
    const panel = this.spec.panels[series.panel ?? 0];
    const per = panel.quantity ? unit.per : 1;
    const look = LOOKS[series.look];
    const axis = { xaxis: "x", yaxis: series.panel ? `y${series.panel + 1}` : "y", hoverinfo: "none", showlegend: false };
    const scaled = (values) => values.map((value) => (value === null ? null : value / per));
    const color = style(look.color);
    if (look.bar) return [{ ...axis, type: "bar", x: series.values.map((_, k) => k + 0.5), y: scaled(series.values), width: 1, marker: { color, line: { width: 0 } } }];
    if (look.fill) {
      const [low, high] = series.values.map(scaled);
      const edge = { ...axis, type: "scatter", mode: "lines", line: { width: 0, shape: "hvh" }, fillcolor: color };
      return [{ ...edge, ...stepped(low) }, { ...edge, ...stepped(high), fill: "tonexty" }];
    }
    const line = { color, width: look.width, dash: look.dash ?? "solid" };
    const trace = { ...axis, type: "scatter", mode: "lines", line };
    if (series.ends) return [{ ...trace, ...atEnds(scaled(series.values), series.initial) }];
    const rows = look.pair ? series.values : [series.values];
    return rows.map((values) => ({ ...trace, ...stepped(scaled(values)), line: { ...line, shape: "hvh" } }));
  }

  layout(unit) {
    const layout = {
      margin: { l: 58, r: 20, t: 20, b: 52 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: style("--font"), size: 11, color: style("--muted") }, showlegend: false, bargap: 0,
      hovermode: false, dragmode: touch.matches ? false : "zoom", xaxis: this.timeAxis(), annotations: this.changeNotes(), shapes: this.changes(),
      transition: { duration: 0 },
    };
    const tops = domains(this.spec.panels, this.height() - 74);
    this.spec.panels.forEach((panel, i) => {
      const name = panel.quantity ? unit[panel.quantity] : panel.unit;
      layout[i ? `yaxis${i + 1}` : "yaxis"] = {
        domain: tops[i], fixedrange: true, gridcolor: style("--grid"), zerolinecolor: style("--muted"), zerolinewidth: 1,
        separatethousands: true, exponentformat: "none", nticks: panel.share < 0.5 ? 4 : 6, rangemode: panel.fromZero ? "tozero" : "normal",
        automargin: false, anchor: "x",
      };
      layout.annotations.push({
        text: `${panel.label}, <b>${name}</b>`, xref: "paper", yref: "paper", x: 0, y: tops[i][1], xanchor: "left", yanchor: "bottom",
        showarrow: false, font: { size: 11, color: style("--ink") }, xshift: -57, yshift: 3,
      });
    });
    return layout;
  }

  timeAxis() {
    const range = shared.range ?? clock.extent;
    const width = Math.max(this.plot.clientWidth - 78, 120);
    const ticks = clock.ticks(range[0], range[1], Math.floor(width / 58));
    return {
      range, tickmode: "array", tickvals: ticks.at, ticktext: ticks.text, gridcolor: style("--grid"), zeroline: false,
      title: { text: `Local time, ${clock.zoneText}`, standoff: 6, font: { size: 11, color: style("--muted") } },
      ticks: "outside", ticklen: 3, tickcolor: style("--line"), tickangle: 0, ticklabeloverflow: "allow", anchor: `y${this.spec.panels.length > 1 ? this.spec.panels.length : ""}`,
    };
  }

  changes() {
    return clock.changes.map(([first]) => ({
      type: "line", x0: first, x1: first, yref: "paper", y0: 0, y1: 1, layer: "below", line: { color: style("--muted"), width: 1, dash: "dot" },
    }));
  }

  changeNotes() {
    return clock.changes.map(([first], i) => ({
      text: clock.changeText(i), x: first, y: 1, yref: "paper", yanchor: "top", xanchor: "left", xshift: 3, showarrow: false,
      font: { size: 10, color: style("--muted") },
    }));
  }

  listen() {
    this.plot.on("plotly_relayout", (change) => {
      if (change["xaxis.range[0]"] !== undefined) zoom([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
    });
    this.plot.addEventListener("dblclick", () => zoom(null));
    const follow = (event) => { const step = this.stepAt(event.clientX); if (step !== null) moveCursor(step); };
    this.plot.addEventListener("pointermove", follow);
    this.plot.addEventListener("pointerdown", follow);
    this.plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") moveCursor(null); });
    this.plot.addEventListener("focus", () => { this.at.ariaLive = "polite"; });
    this.plot.addEventListener("blur", () => { this.at.ariaLive = "off"; });
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const [first, last] = shared.range ?? clock.extent;
    const from = shared.cursor ?? Math.floor(first) - 1;
    const stride = event.shiftKey ? Math.round(60 / clock.minutes) : 1;
    const to = { ArrowRight: from + stride, ArrowLeft: from - stride, Home: Math.floor(first), End: Math.ceil(last) - 1, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to === null) { moveCursor(null); zoom(null); } else moveCursor(Math.min(Math.max(to, Math.floor(first)), Math.ceil(last) - 1));
  }

  stepAt(clientX) {
    const axis = this.plot._fullLayout?.xaxis;
    if (!axis) return null;
    const step = Math.floor(axis.p2l(clientX - this.plot.getBoundingClientRect().left - axis._offset));
    const [first, last] = shared.range ?? clock.extent;
    return step >= Math.floor(first) && step < Math.min(Math.ceil(last), clock.steps) ? step : null;
  }

  /** Show the values at the cursor in the legend. */
  read() {
    const k = shared.cursor;
    const unit = this.unit();
    this.reset.hidden = shared.range === null;
    this.at.textContent = k === null ? "" : clock.step(k);
    for (const [series, output] of this.readings) output.textContent = k === null ? "" : this.reading(series, k, unit);
    const layout = this.plot._fullLayout;
    const [first, last] = shared.range ?? clock.extent;
    if (k === null || !layout?.xaxis || k + 0.5 < first || k + 0.5 > last) { this.line.style.display = "none"; return; }
    Object.assign(this.line.style, {
      display: "block", left: `${layout.xaxis._offset + layout.xaxis.l2p(k + 0.5)}px`, top: `${layout._size.t}px`, height: `${layout._size.h}px`,
    });
  }

  /** Letters of a series' longest reading, so that the legend keeps its place while values change. */
  longest(series) {
    const rows = LOOKS[series.look].pair ? series.values : [series.values];
    const extremes = (values) => [values.indexOf(Math.max(...values)), values.indexOf(Math.min(...values.map((value) => value ?? 0)))];
    const steps = rows.flatMap(extremes).filter((k) => k >= 0);
    return Math.max(1, ...steps.map((k) => this.reading(series, k, this.unit()).length));
  }

  reading(series, k, unit) {
    const panel = this.spec.panels[series.panel ?? 0];
    if (series.reading) return series.reading(series.values[k]);
    if (series.amounts) return power(series.amounts[k], unit);
    const text = (value) => (panel.quantity ? power(value, unit) : fixed(value, panel.decimals ?? 2));
    if (LOOKS[series.look].pair) return `${text(series.values[0][k])} \u2026 ${text(series.values[1][k])}`;
    return text(series.values[k]);
  }

  rezoom() { Plotly.relayout(this.plot, { xaxis: this.timeAxis() }).then(() => this.read()); }

  resized() {
    if (this.plot.clientWidth === this.width) return;
    this.width = this.plot.clientWidth;
    if (this.width) { Plotly.Plots.resize(this.plot); this.rezoom(); }
  }
}

/** Points that keep a value constant over its step, with a point in the middle of each. */
function stepped(values) {
  const x = [0, ...values.map((_, k) => k + 0.5), values.length];
  return { x, y: [values[0], ...values, values.at(-1)] };
}

/** Points at the ends of the steps, after what there was at the start where that is known. */
function atEnds(values, initial) {
  const at = values.map((_, k) => k + 1);
  return initial === undefined ? { x: at, y: values } : { x: [0, ...at], y: [initial, ...values] };
}

/** Vertical extents of the panels from the top down, as fractions; a gap of 30 px holds each label. */
function domains(panels, height) {
  const gap = 30 / height;
  const free = 1 - gap * (panels.length - 1);
  let top = 1;
  return panels.map((panel) => {
    const share = panel.share ?? 1 / panels.length;
    const extent = [Math.max(top - share * free, 0), top];
    top = extent[0] - gap;
    return extent;
  });
}

function swatch(look) {
  const space = "http:" + "//www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of [["width", 18], ["height", 10], ["aria-hidden", true]]) svg.setAttribute(key, value);
  const mark = document.createElementNS(space, look.fill || look.bar ? "rect" : "line");
  const box = { x: 1, y: 1, width: 16, height: 8, rx: 1, style: `fill:var(${look.color})` };
  const stroke = { x1: 0, x2: 18, y1: 5, y2: 5, "stroke-dasharray": look.dash ? "4 2" : "none", style: `stroke:var(${look.color});stroke-width:${look.width}px` };
  for (const [key, value] of Object.entries(look.fill || look.bar ? box : stroke)) mark.setAttribute(key, value);
  svg.append(mark);
  return svg;
}

function moveCursor(step) {
  if (step === shared.cursor) return;
  shared.cursor = step;
  charts.forEach((each) => each.read());
}

function zoom(range) {
  const [first, last] = clock.extent;
  let next = range && [Math.max(first, range[0]), Math.min(last, range[1])];
  if (next && (next[1] - next[0] < 1 || (next[0] === first && next[1] === last))) next = null;
  if (String(next) === String(shared.range) && range !== null) return;
  shared.range = next;
  charts.forEach((each) => each.rezoom());
}
