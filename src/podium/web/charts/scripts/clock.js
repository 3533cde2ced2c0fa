// The study's wall clock. An axis of time is { start_ms, step_ms, steps, zone, offsets }: from each moment of `offsets`
// on, local time is so many minutes ahead of UTC and has that name. The browser's own zone plays no part.

const MINUTE = 60_000;
const DAY = 1440;
const DISTANCES = [1, 5, 15, 30, 60, 120, 180, 360, 720, DAY, 2 * DAY, 7 * DAY];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
// 1970-01-05 was a Monday.
const FIRST_MONDAY = 4 * DAY;

function offsetAt(axis, ms) {
  return axis.offsets.findLast(([from]) => from <= ms) ?? axis.offsets[0];
}

/** A moment whose UTC fields read as the wall clock. */
function local(axis, ms) {
  return new Date(ms + offsetAt(axis, ms)[1] * MINUTE);
}

const two = (number) => String(number).padStart(2, "0");
const clockText = (date) => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
const dayText = (date) => `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;

/** Moments between `from` and `to` that read well on the wall clock, about `most` of them. */
export function ticks(axis, from, to, most) {
  const least = (to - from) / MINUTE / Math.max(most, 1);
  const every = DISTANCES.find((minutes) => minutes >= least);
  return every === undefined ? months(axis, from, to, least) : even(axis, from, to, every);
}

/** Moments at which the wall clock shows a multiple of `every` minutes, on both sides of a change of the clocks. */
function even(axis, from, to, every) {
  const found = [];
  const base = every === 7 * DAY ? FIRST_MONDAY : 0;
  axis.offsets.forEach(([since, minutes], number) => {
    const until = axis.offsets[number + 1]?.[0] ?? Infinity;
    const begin = Math.max(from, number === 0 ? -Infinity : since);
    const firstLocal = begin / MINUTE + minutes - base;
    let tick = (Math.ceil(firstLocal / every) * every + base - minutes) * MINUTE;
    for (; tick <= to && tick < until; tick += every * MINUTE) found.push(tick);
  });
  return found;
}

/** First days of months, or of every second, third, sixth or twelfth. */
function months(axis, from, to, least) {
  const every = [1, 2, 3, 6, 12].find((count) => count * 30 * DAY >= least) ?? 12;
  const begin = local(axis, from);
  const found = [];
  let month = Math.floor(begin.getUTCMonth() / every) * every;
  for (;;) {
    const wall = Date.UTC(begin.getUTCFullYear(), month, 1);
    const tick = wall - offsetAt(axis, wall - offsetAt(axis, wall)[1] * MINUTE)[1] * MINUTE;
    if (tick > to) return found;
    if (tick >= from) found.push(tick);
    month += every;
  }
}

/** The label of a tick, of which `first` is the first of the axis and `distance` that to the next, ms. */
export function tickText(axis, ms, first, distance) {
  const date = local(axis, ms);
  if (distance > 20 * DAY * MINUTE) {
    const month = MONTHS[date.getUTCMonth()];
    return first || date.getUTCMonth() === 0 ? `${month}\n${date.getUTCFullYear()}` : month;
  }
  if (distance >= 23 * 60 * MINUTE) return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  const clock = clockText(date);
  const end = axis.start_ms + axis.steps * axis.step_ms;
  if (ms === end && clock === "00:00") return "24:00";
  if (repeated(axis, ms)) return `${clock}\n${offsetAt(axis, ms)[2]}`;
  return first || clock === "00:00" ? `${clock}\n${dayText(date)}` : clock;
}

/** Whether the wall clock shows this time twice. */
function repeated(axis, ms) {
  return axis.offsets.some(([since, minutes], number) => {
    const before = axis.offsets[number - 1]?.[1] ?? minutes;
    const back = (before - minutes) * MINUTE;
    return back > 0 && ms >= since - back && ms < since + back;
  });
}

/** A step in words, by the clock of its start: "Tue 17 Jul 2018, 14:15–14:30 CEST". */
export function spanText(axis, step) {
  const from = axis.start_ms + step * axis.step_ms;
  const begin = local(axis, from);
  const until = clockText(new Date(begin.getTime() + axis.step_ms));
  const last = until === "00:00" ? "24:00" : until;
  return `${dayText(begin)} ${begin.getUTCFullYear()}, ${clockText(begin)}–${last} ${offsetAt(axis, from)[2]}`;
}

/** The start of a step with its offset: "2018-07-17T14:15:00+02:00". */
export function stampText(axis, step) {
  const ms = axis.start_ms + step * axis.step_ms;
  const minutes = offsetAt(axis, ms)[1];
  const ahead = Math.abs(minutes);
  const offset = `${minutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
  return local(axis, ms).toISOString().slice(0, 19) + offset;
}
