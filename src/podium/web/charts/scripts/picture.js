// A chart as a picture, with its title, zone and legend, which the page shows beside it.

const RATIO = 2;
const EDGE = 12;
const FONT = "system-ui, sans-serif";

/** A canvas with everything on it. `colour` finds a colour of the theme, `entries` are [text, colour, look]. */
export function picture(echart, title, note, entries, colour) {
  const drawn = echart.renderToCanvas({ pixelRatio: RATIO, backgroundColor: colour("var(--chart-surface)") });
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  const width = drawn.width / RATIO + 2 * EDGE;
  const rows = legendRows(pen, entries, width - 2 * EDGE);
  const head = EDGE + 20 + (note ? 16 : 0) + rows.length * 18 + 8;
  canvas.width = width * RATIO;
  canvas.height = drawn.height + (head + EDGE) * RATIO;
  pen.scale(RATIO, RATIO);
  pen.fillStyle = colour("var(--chart-surface)");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  let y = EDGE + 12;
  write(pen, title, EDGE, y, `600 15px ${FONT}`, colour("var(--chart-ink)"));
  if (note) write(pen, note, EDGE, (y += 17), `11px ${FONT}`, colour("var(--chart-muted)"));
  for (const row of rows) {
    y += 18;
    for (const [x, text, hue, look] of row) {
      pen.fillStyle = colour(hue);
      const thick = look === "band" || look === "area" ? 9 : 3;
      pen.fillRect(EDGE + x, y - 4 - thick / 2, 14, thick);
      write(pen, text, EDGE + x + 19, y, `12px ${FONT}`, colour("var(--chart-ink)"));
    }
  }
  pen.drawImage(drawn, EDGE, head, drawn.width / RATIO, drawn.height / RATIO);
  return canvas;
}

function write(pen, text, x, y, font, colour) {
  pen.font = font;
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

/** Entries in rows that are not wider than `width`, each with its place. */
function legendRows(pen, entries, width) {
  pen.font = `12px ${FONT}`;
  const rows = [];
  let x = Infinity;
  for (const [text, hue, look] of entries) {
    const wide = pen.measureText(text).width + 36;
    if (x + wide > width) {
      rows.push([]);
      x = 0;
    }
    rows.at(-1).push([x, text, hue, look]);
    x += wide;
  }
  return rows;
}
