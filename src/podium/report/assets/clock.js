// The study's wall clock. An axis counts steps: step k lies in [k, k + 1). Clocks that change shift labels, never data.

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TICK_MINUTES = [15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080];
const two = (number) => String(number).padStart(2, "0");

class Clock {
  constructor({ zone_text, step_minutes, steps, start_ms, offsets }) {
    Object.assign(this, { zoneText: zone_text, minutes: step_minutes, steps, start: start_ms, offsets });
    this.changes = offsets.slice(1).filter(([first]) => first < steps);
    const first = Math.floor(this.wall(0) / 86400000);
    this.walls = Array.from({ length: steps + 1 }, (_, k) => this.wall(k) - first * 86400000);
    const seen = new Map();
    this.walls.forEach((wall) => seen.set(wall, (seen.get(wall) ?? 0) + 1));
    this.repeated = this.walls.map((wall) => seen.get(wall) > 1);
  }
  offset(k) { return this.offsets.findLast(([first]) => first <= k); }
  /** Local wall-clock time of edge k as if it were UTC, ms. */
  wall(k) { return this.start + (k * this.minutes + this.offset(k)[1]) * 60000; }
  time(k) { const at = new Date(this.wall(k)); return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`; }
  day(k) { const at = new Date(this.wall(k)); return `${DAYS[at.getUTCDay()]} ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`; }
  /** What the clocks do at the i-th change: "clocks back 60 min". */
  changeText(i) {
    const minutes = this.offsets[i + 1][1] - this.offsets[i][1];
    return `clocks ${minutes < 0 ? "back" : "forward"} ${Math.abs(minutes)} min`;
  }
  /** A step in words: "Sun 28 Oct 02:15–02:30 CET". */
  step(k) { return `${this.day(k)} ${this.time(k)}\u2013${this.time(k + 1)} ${this.offset(k)[2]}`; }
  get extent() { return [0, this.steps]; }
  /** At most about `most` ticks between edges first and last: where, and what they say. */
  ticks(first, last, most) {
    const least = ((last - first) * this.minutes) / Math.max(most, 1);
    const every = TICK_MINUTES.find((minutes) => minutes >= least) ?? TICK_MINUTES.at(-1);
    const at = this.walls.map((wall, k) => [wall, k])
      .filter(([wall, k]) => k >= first && k <= last && (wall / 60000) % every === 0).map(([, k]) => k);
    return { at, text: at.map((k, i) => this.label(k, i === 0, every >= 1440)) };
  }
  label(k, first, daysOnly) {
    if (daysOnly) return this.day(k);
    const clock = this.time(k);
    if (k === this.steps && clock === "00:00") return "24:00";
    if (this.repeated[k]) return `${clock}<br>${this.offset(k)[2]}`;
    return first || clock === "00:00" ? `${clock}<br>${this.day(k)}` : clock;
  }
}
