// The area between two rows of values that hold over steps, drawn as one shape; of many steps in a place, their extent.

/** Data that give the axes their extent, and what draws the shape, for steps from `first` to before `last`. */
export function band(low, high, first, last, at, places, fill) {
  const parts = runs(low, high, first, last).map((run) => edges(low, high, run, Math.ceil((last - first) / places)));
  let [least, most] = [Infinity, -Infinity];
  for (const [, , bottom, top] of parts.flat()) {
    least = Math.min(least, bottom);
    most = Math.max(most, top);
  }
  const renderItem = (params, api) => {
    if (params.dataIndex > 0) return null;
    const children = parts.map((run) => ({ type: "polygon", shape: { points: corners(run, at, api) }, style: { fill } }));
    return { type: "group", children };
  };
  const data = parts.length ? [[at(first), least], [at(last), most]] : [];
  return { data, renderItem, clip: true, silent: true };
}

/** First step of each run without a gap, and the step after its last. */
function runs(low, high, first, last) {
  const found = [];
  let begin = null;
  for (let step = first; step <= last; step += 1) {
    const there = step < last && low[step] !== null && high[step] !== null;
    if (there && begin === null) begin = step;
    if (!there && begin !== null) {
      found.push([begin, step]);
      begin = null;
    }
  }
  return found;
}

/** Pieces of a run: from a step to before another, lower and upper edge. */
function edges(low, high, [begin, end], each) {
  const found = [];
  for (let step = begin; step < end; step += each) {
    const until = Math.min(step + each, end);
    found.push([step, until, Math.min(...low.slice(step, until)), Math.max(...high.slice(step, until))]);
  }
  return found;
}

/** Corners of the shape: along the upper edge, and back along the lower one. */
function corners(run, at, api) {
  const place = (step, value) => api.coord([at(step), value]);
  const above = run.flatMap(([from, to, , top]) => [place(from, top), place(to, top)]);
  const below = run.flatMap(([from, to, bottom]) => [place(from, bottom), place(to, bottom)]);
  return [...above, ...below.reverse()];
}
