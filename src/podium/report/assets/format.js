// Numbers, written one way throughout.

const MINUS = "\u2212";
const KILO = { power: "kW", energy: "kWh", per: 1, decimals: 2 };
const MEGA = { power: "MW", energy: "MWh", per: 1000, decimals: 3 };
const MEGA_FROM_KW = 10000;
const unitChoice = { name: "auto" };

const formats = [];
function fixed(value, decimals) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "\u2013";
  formats[decimals] ??= new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  const text = formats[decimals].format(Math.abs(value));
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** The unit for powers up to `peak` kW: the one chosen, or the one that fits. */
function unitFor(peak) {
  if (unitChoice.name === "auto") return peak >= MEGA_FROM_KW ? MEGA : KILO;
  return unitChoice.name === "MW" ? MEGA : KILO;
}

function power(kw, unit) { return fixed(kw === null ? null : kw / unit.per, unit.decimals); }

function energyText(kwh) {
  const unit = unitFor(Math.abs(kwh));
  return `${power(kwh, unit)} ${unit.energy}`;
}

function peakOf(rows) {
  let peak = 0;
  for (const row of rows) for (const value of row ?? []) if (Number.isFinite(value)) peak = Math.max(peak, Math.abs(value));
  return peak;
}

/** An element; strings among the children become text, never HTML. */
function make(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node && !key.startsWith("aria")) node[key] = value; else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function style(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
