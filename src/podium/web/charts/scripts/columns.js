// What a chart shows at a place: under the cursor, and in a file. A column is a part of a series: its values, or the
// lower or upper edge of a band, or what lies between them.

import { spanText, stampText } from "./clock.js";
import { fixed } from "./numbers.js";

/** The value of a column at a place, null where there is none. */
export function valueAt(column, series, index) {
  const { data, low, high } = series[column.of];
  if (column.part === "value") return data[index] ?? null;
  if (column.part !== "height") return (column.part === "low" ? low : high)[index] ?? null;
  return Number((high[index] - low[index]).toFixed(column.decimals + 1));
}

/** A column's heading with its unit. */
export function headed(column) {
  return column.unit ? `${column.name} [${column.unit}]` : column.name;
}

/** The step, value or name that an axis shows at a coordinate. */
export function indexAt(axis, coordinate) {
  if (axis.kind !== "time") return null;
  const index = Math.floor((coordinate - axis.start_ms) / axis.step_ms);
  return Math.min(Math.max(index, 0), axis.steps - 1);
}

/** A place of the axis in words. */
export function placeText(axis, index) {
  if (axis.kind === "time") return spanText(axis, index);
  if (axis.kind === "names") return axis.names[index];
  const unit = axis.unit ? ` ${axis.unit}` : "";
  return `${axis.name} ${fixed(axis.values[index], axis.decimals)}${unit}`;
}

/** Place, and what the columns hold there, as an element; nothing of it is read as HTML. */
export function readout(chart, index, hidden, colour) {
  const box = document.createElement("div");
  box.className = "podium-readout";
  box.append(made("div", placeText(chart.axis, index), "podium-readout-place"));
  for (const column of chart.columns) {
    const value = valueAt(column, chart.options.series, index);
    if (value === null || hidden.has(column.of)) continue;
    const mark = made("span", "", "podium-readout-mark");
    mark.style.background = colour(column.colour);
    const row = made("div", "", "podium-readout-row");
    const number = `${fixed(value, column.decimals)} ${column.unit}`.trim();
    row.append(mark, made("span", column.name, ""), made("span", number, "podium-readout-value"));
    box.append(row);
  }
  return box;
}

function made(tag, text, name) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}

/** All columns as CSV; text that a spreadsheet would take for a formula has an apostrophe before it. */
export function csvText(chart) {
  const { axis, columns, options } = chart;
  const count = axis.kind === "time" ? axis.steps : (axis.names ?? axis.values).length;
  const first = axis.kind === "time" ? "time" : headed({ name: axis.name, unit: axis.unit });
  const lines = [[first, ...columns.map(headed)].map(cell).join(",")];
  for (let index = 0; index < count; index += 1) {
    const place = axis.kind === "time" ? stampText(axis, index) : (axis.names ?? axis.values)[index];
    const values = columns.map((column) => valueAt(column, options.series, index) ?? "");
    lines.push([cell(place), ...values].join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

function cell(value) {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
