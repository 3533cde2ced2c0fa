// The portfolio's charts.

const rows = portfolio.steps;
const anyNumber = (values) => values.some((value) => value !== null);
const priced = anyNumber(portfolio.steps.buy_eur_per_mwh);
const sameRow = (one, other) => one.every((value, k) => value === other[k]);

function flexibilityChart(host) {
  const series = [];
  if (anyNumber(rows.virtus_max_kw)) {
    series.push({ name: "Aggregated bound (reference)", look: "band", values: [rows.virtus_sum_min_kw, rows.virtus_sum_max_kw] });
    series.push({ name: "Optimised bound (reference)", look: "bounds", values: [rows.virtus_min_kw, rows.virtus_max_kw] });
  } else {
    series.push({ name: "Least to greatest energy", look: "band", values: [rows.min_kw, rows.max_kw] });
  }
  series.push({ name: "Baseline", look: "plain", values: rows.baseline_kw }, { name: "Position (plan)", look: "main", values: rows.position_kw });
  new StepChart(host, {
    title: "Aggregated and optimised flexibility bound", height: 384, series,
    panels: [{ label: "Net power (+ withdraws)", quantity: "power" }],
  });
}

/** Net power in a panel, and the market price below it where there is a market. */
function withPrice(series, share) {
  const power = { label: "Net power (+ withdraws)", quantity: "power" };
  if (!priced) return { panels: [power], series };
  return {
    panels: [{ ...power, share }, { label: "Market price", unit: "EUR/MWh", share: 1 - share }],
    series: [...series, { name: "Price", look: "ink", values: rows.buy_eur_per_mwh, panel: 1 }],
  };
}

function positionChart(host) {
  new StepChart(host, {
    title: priced ? "Position against price" : "Position", height: 384,
    ...withPrice([
      { name: "Position (plan)", look: "bar", values: rows.position_kw },
      { name: "Baseline", look: "plain", values: rows.baseline_kw },
    ], 0.62),
  });
}

function profitChart(host, perPod = false) {
  const per = perPod ? portfolio.pods : 1;
  const scaled = (values) => values.map((value) => (value === null ? null : value / per));
  const profit = scaled(rows.profit_eur);
  const counted = profit.filter((value) => value !== null);
  const mean = counted.reduce((all, value) => all + value, 0) / Math.max(counted.length, 1);
  let sum = 0;
  const series = [
    { name: "Plan, on the market", look: "bar", values: profit },
    { name: "Mean over all steps", look: "ink", values: profit.map(() => mean) },
    { name: "Cumulated", look: "main", values: profit.map((value) => (sum += value ?? 0)), panel: 1, ends: true, initial: 0 },
  ];
  if (anyNumber(rows.virtus_profit_eur)) {
    series.splice(2, 0, { name: "Reference method’s claim", look: "thin", values: scaled(rows.virtus_profit_eur) });
  }
  const [of, decimals] = perPod ? ["per POD", 4] : ["portfolio", 2];
  const chart = new StepChart(host, {
    title: "Mean optimised profit", height: 384, series,
    action: { text: perPod ? "Show the portfolio" : "Show per POD", run: () => { chart.drop(); profitChart(host, !perPod); } },
    panels: [{ label: `Per step, ${of}`, unit: "EUR", decimals, share: 0.55 }, { label: `Cumulated, ${of}`, unit: "EUR", decimals, share: 0.45 }],
  });
}

function priceChart(host) {
  const one = sameRow(rows.buy_eur_per_mwh, rows.sell_eur_per_mwh);
  const series = [{ name: one ? "Buying and selling" : "Buying", look: "main", values: rows.buy_eur_per_mwh }];
  if (!one) series.push({ name: "Selling", look: "ink", values: rows.sell_eur_per_mwh });
  if (rows.production_eur_per_mwh.some(Boolean)) series.push({ name: "Production (reference method)", look: "thin", values: rows.production_eur_per_mwh });
  new StepChart(host, { title: "Market price", height: 384, series, panels: [{ label: "Price", unit: "EUR/MWh" }] });
}

/** A chart that is not over time: `draw` gives traces and layout for the colours of the moment. */
class PlainChart {
  constructor(host, title, height, draw) {
    this.plot = make("div", { className: "plot", style: `height:${height}px`, role: "img", ariaLabel: title });
    host.replaceChildren(make("header", {}, make("h3", { textContent: title })), this.plot);
    host.hidden = false;
    this.describe = draw;
    this.draw();
    new ResizeObserver(() => this.resized()).observe(this.plot);
    charts.add(this);
  }
  draw() {
    const { traces, layout } = this.describe();
    Plotly.react(this.plot, traces, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: false, separators: ".,",
      font: { family: style("--font"), size: 11, color: style("--muted") }, hoverlabel: { font: { family: style("--font") } }, width: this.plot.clientWidth || undefined, ...layout,
    }, CONFIG);
  }
  resized() {
    if (!this.plot.clientWidth || this.plot.clientWidth === this.width) return;
    this.width = this.plot.clientWidth;
    Plotly.relayout(this.plot, { width: this.width });
  }
  read() {}
  rezoom() {}
}

const axisLook = (text) => ({
  title: { text, standoff: 6, font: { size: 11 } }, gridcolor: style("--grid"), zeroline: false, fixedrange: true, separatethousands: true,
  exponentformat: "none", automargin: true,
});

function roundsChart(host) {
  const rounds = portfolio.rounds;
  if (rounds.length < 2) return;
  const x = rounds.map((each) => each.round);
  const line = (name, values, color, dash, rest) => ({
    type: "scatter", mode: "lines+markers", name, x, y: values, line: { color: style(color), dash, width: 2 }, marker: { size: 4 }, ...rest,
  });
  const after = rounds.map(({ seconds }) => (seconds === null ? "" : `, after ${fixed(seconds, 1)} s`));
  const hover = (name, form) => ({ text: after, hovertemplate: `${name}, round %{x}%{text}: ${form}<extra></extra>` });
  const profit = rounds.map((each) => each.profit_eur);
  const late = rounds.slice(Math.floor(rounds.length / 3)).flatMap((each) => [each.bound_eur, each.profit_eur]).filter((value) => value !== null);
  const [low, high] = [Math.min(...late), Math.max(...late)];
  new PlainChart(host, "Bound, best mix and gap by round", 360, () => ({
    traces: [
      line("Bound", rounds.map((each) => each.bound_eur), "--muted", "dot", hover("Bound", "%{y:,.2f} EUR")),
      line("Best mix", profit, "--accent", "solid", hover("Best mix", "%{y:,.2f} EUR")),
      line("Gap", rounds.map(({ gap }) => (gap > 0 ? 100 * gap : null)), "--ink", "solid", { yaxis: "y2", showlegend: false, ...hover("Gap", "%{y:,.3f} %") }),
    ],
    layout: {
      margin: { l: 60, r: 14, t: 26, b: 40 }, xaxis: { ...axisLook("Round"), nticks: 8, tickformat: "d", anchor: "y2" }, hovermode: "closest",
      yaxis: { ...axisLook("EUR"), domain: [0.42, 1], range: [low - 0.15 * (high - low || 1), high + 0.15 * (high - low || 1)] },
      yaxis2: { ...axisLook("Gap, %"), domain: [0, 0.34], type: "log", tickformat: ",~g", nticks: 4 },
      showlegend: true, legend: { orientation: "h", x: 0, y: 1.12 },
    },
  }));
}

const TIME_LOOKS = [["--accent", "solid"], ["--ink", "solid"], ["--muted", "dash"], ["--muted", "dot"]];

function timesChart(host) {
  const solvers = portfolio.times;
  if (!solvers.length) return;
  const ms = (values) => values.map((value) => Math.max(value * 1e3, 1e-4));
  new PlainChart(host, "Time of level 1, by solver and by POD", 384, () => {
    const traces = solvers.flatMap((each, i) => {
      const [color, dash] = [style(TIME_LOOKS[i % 4][0]), TIME_LOOKS[i % 4][1]];
      const [low, q1, median, q3, high] = ms(each.box);
      return [
        { type: "box", orientation: "h", y: [each.solver], lowerfence: [low], q1: [q1], median: [median], q3: [q3], upperfence: [high], width: 0.5,
          line: { color, width: 1.5 }, fillcolor: style("--band"), hoverinfo: "x", xhoverformat: ",.3f", name: each.solver },
        { type: "scatter", mode: each.pods > 1 ? "lines" : "markers", marker: { color, size: 7 }, x: ms(each.sorted), y: each.rank, xaxis: "x", yaxis: "y2", line: { color, dash, width: 2 }, name: each.solver,
          hovertemplate: `${each.solver.replaceAll("<", "&lt;")}: %{y:,} PODs within %{x:,.3f} ms<extra></extra>` },
      ];
    });
    return { traces, layout: {
      margin: { l: 62, r: 14, t: 8, b: 40 }, hovermode: "closest",
      xaxis: { ...axisLook("Time per POD, ms"), type: "log", nticks: 6, anchor: "y2", tickformat: ",~g" },
      yaxis: { ...axisLook(""), domain: [0.62, 1], type: "category", autorange: "reversed" },
      yaxis2: { ...axisLook("PODs"), domain: [0, 0.54], rangemode: "tozero" },
    } };
  });
}
