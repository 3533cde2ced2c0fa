// One POD: what it does and what each of its devices does.

const detail = document.getElementById("detail");
const detailBody = document.getElementById("detail-body");
const besideList = matchMedia("(min-width: 1081px)");
const detailCharts = [];
let asked = 0;

async function showDetail(table, row) {
  const turn = (asked += 1);
  document.getElementById("detail-title").textContent = table.name[row] ? `${table.pod[row]} · ${table.name[row]}` : table.pod[row];
  detailCharts.splice(0).forEach((each) => each.drop());
  detailBody.replaceChildren(facts(table, row));
  if (table.chunk[row] < 0) {
    detailBody.append(make("p", { className: "quiet", textContent: "Its time series are not in this page: see pods.parquet and schedule.parquet." }));
    return;
  }
  const place = table.places[row];
  const found = await podSeries(table.chunk[row], place);
  if (turn !== asked) return;
  addChart(netSpec(found.net));
  for (const device of found.devices) {
    if (anyNumber(device.power_kw)) addChart(deviceSpec(device));
    else detailBody.append(make("p", { className: "quiet", textContent: `${deviceName(device)}: no schedule` }));
  }
}

function facts(table, row) {
  const ms = (seconds) => `${fixed(seconds === null ? null : 1e3 * seconds, 3)} ms`;
  const eur = (value) => (value === null ? fixed(null) : `${fixed(value, 2)} EUR`);
  const entries = [
    ["Status", table.status[row]], ["Group", table.group[row]], ["Devices", compositionText(table.composition[row])], ["Solver", table.solver[row]],
    ["Time", ms(table.seconds[row])], ["Least, greatest energy", `${ms(table.min_seconds[row])}, ${ms(table.max_seconds[row])}`],
    ["Cost at level 1", eur(table.cost_eur[row])], ["Bound", eur(table.bound_eur[row])],
    ["Profit of the plan", eur(table.plan_profit_eur[row])], ["Net energy of the plan", energyText(table.energy_kwh[row])],
  ].filter(([, value]) => value);
  const list = make("dl", { className: "facts" }, ...entries.map(([term, value]) => {
    const flag = term === "Status" && value !== "ok" ? "flag" : "";
    return make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: value, className: flag }));
  }));
  return make("div", {}, list, table.message[row] ? make("p", { className: "message", textContent: table.message[row] }) : null);
}

/** "1 ev_charger, 2 pv" as people write it. */
function compositionText(text) {
  return text.split(", ").map((part) => {
    const [number, kind] = [part.slice(0, part.indexOf(" ")), part.slice(part.indexOf(" ") + 1)];
    return portfolio.kinds[kind] ? `${number} ${portfolio.kinds[kind]}`.replaceAll(" ", "\u00a0") : part;
  }).join(", ");
}

function addChart(spec) {
  const host = make("figure");
  detailBody.append(host);
  detailCharts.push(new StepChart(host, spec));
}

function netSpec(net) {
  const known = (...names) => names.every((name) => anyNumber(net[name]));
  const moved = (sign, name) => net.baseline_kw.map((value, k) => (value === null || net[name][k] === null ? null : value + sign * net[name][k]));
  const series = [];
  if (known("min_kw", "max_kw")) series.push({ name: "Least to greatest energy", look: "band", values: [net.min_kw, net.max_kw] });
  if (known("up_kw", "down_kw")) series.push({ name: "Deliverable band", look: "softband", values: [moved(-1, "up_kw"), moved(1, "down_kw")] });
  series.push({ name: "Baseline", look: "plain", values: net.baseline_kw }, { name: "Plan", look: "main", values: net.plan_kw });
  return { title: "Net power at the POD", height: priced ? 330 : 260, ...withPrice(series, 0.72) };
}

function deviceName(device) { return `${device.id} · ${portfolio.kinds[device.kind] ?? device.kind}`; }

function deviceSpec(device) {
  const panels = [{ label: "Power (+ takes in)", quantity: "power" }];
  const series = [];
  if (device.baseline_kw) series.push({ name: "Baseline", look: "plain", values: device.baseline_kw });
  series.push({ name: "Plan", look: "main", values: device.power_kw });
  if (device.aux_kw) series.push({ name: "Boiler or back-up heat", look: "thin", values: device.aux_kw });
  if (device.spill_kw) series.push({ name: "Spilled", look: "bound", values: device.spill_kw });
  if (device.energy_kwh) {
    panels[0].share = 0.55;
    const level = portfolio.levels[device.kind] ?? "Level";
    panels.push({ label: `${level}, end of step`, quantity: "energy", share: 0.45, fromZero: true });
    series.push({ name: level, look: "ink", values: device.energy_kwh, panel: 1, ends: true });
  }
  return { title: deviceName(device), height: panels.length > 1 ? 290 : 200, series, panels };
}

/** Beside the list where there is room, over the page where there is not. */
function openDetail(byHand) {
  if (besideList.matches) {
    if (detail.matches(":modal")) detail.close();
    if (!detail.open) detail.show();
  } else if (byHand && !detail.open) {
    detail.showModal();
    document.getElementById("detail-title").focus();
  }
}
