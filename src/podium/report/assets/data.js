// Data of the page: JSON, and deflated blocks that are opened when they are needed (see podium/report/packing.py).

const NO_VALUE = -32768;
const portfolio = JSON.parse(document.getElementById("portfolio").textContent);
const clock = new Clock(portfolio.clock);

async function inflated(id) {
  if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old to open the data (no DecompressionStream).");
  const text = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function podTable() { return JSON.parse(new TextDecoder().decode(await inflated("pod-table"))); }

const opened = new Map();
/** A chunk's index and a function that gives series s as numbers, null where there is none. The last few stay open. */
async function chunk(number) {
  if (!opened.has(number)) {
    if (opened.size > 8) opened.delete(opened.keys().next().value);
    opened.set(number, inflated(`chunk-${number}`).then(readChunk));
  }
  return opened.get(number);
}

function readChunk(buffer) {
  const view = new DataView(buffer);
  const length = view.getUint32(0, true);
  const index = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const steps = clock.steps;
  const count = (buffer.byteLength - 4 - length) / (4 + 2 * steps);
  const bytes = new Uint8Array(buffer, 4 + length + 4 * count);
  const series = (s) => {
    const decimals = Math.round(-Math.log10(view.getFloat32(4 + length + 4 * s, true)));
    const tens = 10 ** Math.abs(decimals);
    const values = new Array(steps);
    for (let t = 0, sum = 0; t < steps; t += 1) {
      sum = (sum + bytes[s * steps + t] + 256 * bytes[(count + s) * steps + t]) & 0xffff;
      const code = sum > 32767 ? sum - 65536 : sum;
      values[t] = code === NO_VALUE ? null : decimals >= 0 ? code / tens : code * tens;
    }
    return values;
  };
  return { index, series };
}

/** Net power and devices of the POD at `place` within a chunk. */
async function podSeries(number, place) {
  const { index, series } = await chunk(number);
  const names = portfolio.pod_series;
  const net = Object.fromEntries(names.map((name, i) => [name, series(place * names.length + i)]));
  const devices = [];
  let s = index.pods.length * names.length;
  for (const [pod, id, kind, kept] of index.devices) {
    if (pod === place) {
      const columns = kept.map((column, i) => [portfolio.device_series[column], series(s + i)]);
      devices.push({ id, kind, ...Object.fromEntries(columns) });
    }
    s += kept.length;
  }
  return { pod: index.pods[place], net, devices };
}
