// Charts of what is sold: reserve against what backs it, the energy curve, and what the pool is worth.

const KIND_LOOKS = 8;

/** The same kind has the same colour in every chart. */
const kindsSold = [...new Set(portfolio.sold.reserve.flatMap((each) => each.kinds.map(([kind]) => kind)))];

function reserveChart(host, { product, direction, kinds, offer_kw: offer }) {
  let sum = new Array(clock.steps).fill(0);
  const series = kinds.map(([kind, values]) => {
    const low = sum;
    sum = sum.map((value, k) => value + values[k]);
    return { name: portfolio.kinds[kind] ?? kind, look: `kind${kindsSold.indexOf(kind) % KIND_LOOKS}`, values: [low, sum], amounts: values };
  });
  if (offer) series.push({ name: "Offered", look: "ink", values: offer });
  new StepChart(host, {
    title: `${product}${product.endsWith(direction) ? "" : `, ${direction}`}: offered and backed`, height: 320, series,
    panels: [{ label: "Power held ready, by kind of device", quantity: "power", fromZero: true }],
  });
}

function curveChart(host) {
  const { curves, more_curves: more } = portfolio.sold;
  const choice = make("select", { ariaLabel: "Market time unit" }, ...curves.map(({ span }, i) => make("option", { value: String(i), textContent: span })));
  choice.value = String(Math.floor(curves.length / 2));
  const chart = new PlainChart(host, "Energy bid: what is withdrawn at which price", 320, () => {
    const { price, quantity, span } = curves[Number(choice.value)];
    return {
      traces: [{
        type: "scatter", mode: "lines+markers", x: quantity, y: price, line: { color: style("--accent"), width: 2, shape: "hv" }, marker: { size: 4 },
        hovertemplate: `${span}: %{x:,.1f} MW up to %{y:,.2f} EUR/MWh<extra></extra>`,
      }],
      layout: {
        margin: { l: 60, r: 14, t: 8, b: 40 }, hovermode: "closest",
        xaxis: { ...axisLook("Net withdrawal, MW (+ withdraws)"), nticks: 8 }, yaxis: axisLook("EUR/MWh"),
      },
    };
  });
  choice.onchange = () => chart.draw();
  const note = more > 0 ? make("span", { className: "at", textContent: `${more} later ones in bids.parquet` }) : null;
  host.querySelector("header").append(make("span", { className: "state" }, choice, note ?? ""));
}

function worthChart(host) {
  const rows = portfolio.sold.worth;
  new PlainChart(host, "Profit, compared", 60 + 48 * rows.length, () => ({
    traces: [{
      type: "bar", orientation: "h", y: rows.map(([words]) => words.replace(", ", ",<br>")), x: rows.map(([, value]) => value), width: 0.6,
      marker: { color: rows.map((_, i) => style(i ? "--band" : "--accent")) }, text: rows.map(([, value]) => fixed(value, 2)), textposition: "auto",
      insidetextanchor: "end", textfont: { color: rows.map((_, i) => style(i ? "--ink" : "--panel")) }, cliponaxis: false, constraintext: "none",
      outsidetextfont: { color: style("--ink") }, hovertemplate: "%{y}: %{x:,.2f} EUR<extra></extra>",
    }],
    layout: {
      margin: { l: 10, r: 24, t: 4, b: 40 }, hovermode: "closest", xaxis: { ...axisLook("EUR"), nticks: 6, zeroline: true, zerolinecolor: style("--muted") },
      yaxis: { ...axisLook(""), type: "category", autorange: "reversed" },
    },
  }));
}
