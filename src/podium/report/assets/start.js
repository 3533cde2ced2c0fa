// Put everything in its place, and follow the switch of units, the colours of the system, and the width.

function trouble(error) {
  const line = document.getElementById("trouble");
  line.hidden = false;
  line.textContent = `Part of this page could not be shown: ${error.message ?? error}`;
  throw error;
}

function relabelEnergies() {
  document.querySelectorAll("[data-kwh]").forEach((node) => { node.textContent = energyText(Number(node.dataset.kwh)); });
}

function chooseUnit(name) {
  unitChoice.name = name;
  document.querySelectorAll("[data-unit]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.unit === name)));
  relabelEnergies();
  charts.forEach((each) => each.changeUnit?.());
}

document.querySelectorAll("[data-unit]").forEach((button) => { button.onclick = () => chooseUnit(button.dataset.unit); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((each) => each.draw()));

const DRAWN = {
  "chart-flexibility": flexibilityChart, "chart-position": positionChart, "chart-profit": profitChart, "chart-price": priceChart,
  "chart-rounds": roundsChart, "chart-times": timesChart,
};
if (portfolio.sold.curves.length) DRAWN["chart-curve"] = curveChart;
if (portfolio.sold.worth.length) DRAWN["chart-worth"] = worthChart;
portfolio.sold.reserve.forEach((each, i) => { DRAWN[`chart-reserve-${i}`] = (host) => reserveChart(host, each); });
if (!priced) document.getElementById("market").hidden = true;
for (const [id, draw] of Object.entries(DRAWN)) {
  if (!priced && document.getElementById(id).closest("#market")) continue;
  try { draw(document.getElementById(id)); } catch (error) { setTimeout(() => trouble(error)); }
}
relabelEnergies();

podTable().then((table) => {
  const list = new PodList(addPlaces(table));
  list.openHash(false);
  besideList.addEventListener("change", () => {
    if (besideList.matches) { if (list.open === null) list.pick(list.found[0], false); else openDetail(false); } else if (detail.open) detail.close();
  });
}).catch(trouble);
