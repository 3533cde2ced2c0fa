// Long rows, thinned to what a screen can show: of the steps that fall into one place, the least and the greatest.

/** Steps from `first` to before `last` with their values, at most about two for each of `places`. */
export function thinned(values, first, last, places) {
  const each = Math.ceil((last - first) / Math.max(places, 1));
  const found = [];
  if (each <= 2) {
    for (let step = first; step < last; step += 1) found.push([step, values[step]]);
    return found;
  }
  // Bundles begin at multiples of their size, so that they stay the same while the chart is moved.
  for (let begin = Math.floor(first / each) * each; begin < last; begin += each) {
    found.push(...extremes(values, begin, Math.min(begin + each, values.length)));
  }
  return found;
}

/** Least and greatest value of some steps, in the order in which they come; where there is none, a gap. */
function extremes(values, begin, end) {
  let [low, high] = [-1, -1];
  for (let step = begin; step < end; step += 1) {
    const value = values[step];
    if (value === null) continue;
    if (low < 0 || value < values[low]) low = step;
    if (high < 0 || value > values[high]) high = step;
  }
  if (low < 0) return [[begin, null]];
  const steps = low === high ? [low] : [Math.min(low, high), Math.max(low, high)];
  return steps.map((step) => [step, values[step]]);
}
