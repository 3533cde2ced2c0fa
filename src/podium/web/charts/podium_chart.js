// A chart: legend, tools, values under the cursor and keys around a drawing of Apache ECharts.

import { toRaw } from "vue";
import { echarts } from "nicegui-echart";
import { band, csvText, indexAt, picture, placeText, readout, resolved, thinned, ticks, tickText } from "podium-charts";

const TICK_PX = 72;
const ZOOM = 0.6;
const LEAST_PART = 0.01;

export default {
  template: `
    <figure class="podium-chart">
      <figcaption>
        <div class="podium-chart-head">
          <span class="podium-chart-title">{{ chart.title }}</span>
          <span class="podium-chart-tools">
            <q-btn v-if="zooms" flat dense round size="sm" icon="zoom_in" aria-label="Zoom in" @click="zoomBy(0.6)" />
            <q-btn v-if="zooms" flat dense round size="sm" icon="zoom_out" aria-label="Zoom out" @click="zoomBy(1 / 0.6)" />
            <q-btn v-if="zooms" flat dense round size="sm" icon="fit_screen" aria-label="Show all" @click="zoomTo(0, 1)" />
            <q-btn flat dense label="PNG" :aria-label="'Save ' + chart.title + ' as PNG'" @click="savePicture" />
            <q-btn flat dense label="CSV" :aria-label="'Save ' + chart.title + ' as CSV'" @click="saveTable" />
          </span>
        </div>
        <div v-if="note" class="podium-chart-note">{{ note }}</div>
        <div v-if="entries.length > 1" class="podium-chart-legend">
          <button v-for="entry in entries" :key="entry.of" type="button" :aria-pressed="String(!hidden.has(entry.of))"
                  :class="{ off: hidden.has(entry.of) }" @click="toggle(entry)">
            <span :class="'mark ' + entry.look" :style="{ '--mark': entry.colour }"></span>{{ entry.legend }}
          </button>
        </div>
      </figcaption>
      <div ref="drawing" class="podium-chart-drawing" tabindex="0" role="img" :aria-label="words"
           :style="{ height: height + 'px' }" @keydown="onKey" @blur="hide"></div>
      <div class="podium-chart-spoken" aria-live="polite">{{ spoken }}</div>
    </figure>`,
  props: { chart: Object, height: Number, group: String, cursor: Number },
  data() {
    return { hidden: asked(this.chart), spoken: "", marked: this.cursor };
  },
  computed: {
    zooms() {
      return this.chart.axis.kind !== "names";
    },
    note() {
      const zone = this.chart.axis.zone ? `Local time, ${this.chart.axis.zone}` : "";
      return [this.chart.note, zone].filter(Boolean).join(" · ");
    },
    entries() {
      return this.chart.columns.filter((column) => column.legend);
    },
    words() {
      return `Chart: ${this.chart.title}. ${this.chart.description} Arrow keys read values, plus and minus zoom.`;
    },
  },
  watch: {
    chart() {
      this.hidden = asked(this.chart);
      this.draw();
    },
  },
  async mounted() {
    await new Promise((resolve) => setTimeout(resolve, 0)); // the page's styles are there after this
    if (!this.$refs.drawing) return;
    this.part = [0, 1];
    this.index = null;
    this.echart = echarts.init(this.$refs.drawing, null, { renderer: "canvas" });
    this.echart.on("datazoom", (event) => this.zoomed(event.batch?.[0] ?? event));
    this.echart.getZr().on("click", (event) => this.clicked(event));
    if (this.group) {
      this.echart.group = this.group;
      echarts.connect(this.group);
    }
    this.sizes = new ResizeObserver(() => {
      this.echart.resize();
      this.refresh();
    });
    this.sizes.observe(this.$refs.drawing);
    this.mode = new MutationObserver(() => this.draw());
    this.mode.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    this.draw();
  },
  beforeUnmount() {
    this.sizes?.disconnect();
    this.mode?.disconnect();
    this.echart?.dispose();
    this.echart = null;
  },
  methods: {
    draw() {
      if (!this.echart) return;
      const options = resolved(toRaw(this.chart).options, this.$el); // Vue's watchers make long rows slow
      this.drawn = { series: options.series };
      options.series = [...options.series.map((series, number) => this.placed(series, number)), this.cursorSeries()];
      options.tooltip.formatter = (params) => this.shownAt([params].flat()[0]);
      const axis = options.xAxis;
      if (this.chart.axis.kind === "time") {
        const at = this.tickPlaces();
        axis.axisTick = { ...axis.axisTick, ...at };
        axis.axisLabel = { ...axis.axisLabel, ...at, formatter: (ms) => this.tickText(ms) };
      }
      for (const value of [options.xAxis, options.yAxis].flat()) {
        if (value.type !== "category" && !value.axisLabel.formatter) value.axisLabel.formatter = valueText;
      }
      for (const zoom of options.dataZoom) [zoom.start, zoom.end] = this.part.map((part) => 100 * part);
      this.echart.setOption(options, { notMerge: true });
    },
    /** A series with places for its values, as far as they are seen; a step's value holds until the next. */
    placed(series, number) {
      const id = series.id ?? String(number);
      if (this.hidden.has(number)) return { ...series, id, data: [], renderItem: () => null };
      const { kind, start_ms, step_ms, steps, values } = this.chart.axis;
      if (kind === "names") return { ...series, id };
      if (kind === "numbers") return { ...series, id, data: series.data.map((value, index) => [values[index], value]) };
      const at = (step) => start_ms + step * step_ms;
      const places = this.$refs.drawing.clientWidth || 1;
      const [first, last] = [Math.floor(this.part[0] * steps), Math.ceil(this.part[1] * steps)];
      if (series.type === "custom") {
        return { ...series, id, ...band(series.low, series.high, first, last, at, places, series.itemStyle.color) };
      }
      if (!series.data.length) return { ...series, id };
      const data = thinned(series.data, first, last, places).map(([step, value]) => [at(step), value]);
      if (series.step) data.push([at(last), series.data[last - 1]]);
      return { ...series, id, data };
    },
    /** The rows of the part that is shown, and the marks of the axis. */
    refresh() {
      if (!this.echart || this.chart.axis.kind !== "time") return;
      const at = this.tickPlaces();
      const series = this.drawn.series.map((each, number) => this.placed(each, number));
      this.echart.setOption({ xAxis: { axisLabel: at, axisTick: at }, series });
    },
    cursorSeries() {
      const { kind, start_ms, step_ms } = this.chart.axis;
      const from = start_ms + this.marked * step_ms;
      const shown = kind === "time" && Number.isInteger(this.marked);
      const data = shown ? [[{ xAxis: from }, { xAxis: from + step_ms }]] : [];
      const color = this.colour("var(--chart-cursor)");
      return { id: "cursor", type: "line", data: [], markArea: { silent: true, z: 2, itemStyle: { color }, data } };
    },
    /** Mark a step of the time axis, or none. */
    mark(step) {
      this.marked = step;
      this.echart?.setOption({ series: [this.cursorSeries()] });
    },
    colour(name) {
      return resolved(name, this.$el);
    },
    shownAt(params) {
      if (!params) return "";
      const index = indexAt(this.chart.axis, params.axisValue) ?? params.dataIndex;
      return readout(toRaw(this.chart), index, this.hidden, (name) => this.colour(name));
    },
    /** Where the axis of time has marks in the part that is shown. */
    tickPlaces() {
      const axis = this.chart.axis;
      const [from, to] = this.part.map((part) => axis.start_ms + part * axis.steps * axis.step_ms);
      this.marks = ticks(axis, from, to, this.$refs.drawing.clientWidth / TICK_PX);
      return { customValues: this.marks };
    },
    tickText(ms) {
      const number = this.marks.indexOf(ms);
      const distance = this.marks.length > 1 ? this.marks[1] - this.marks[0] : 0;
      return tickText(this.chart.axis, ms, number === 0, distance);
    },
    zoomed(event) {
      if (event.start === undefined) return;
      this.part = [event.start / 100, event.end / 100];
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => this.refresh());
    },
    zoomTo(from, to) {
      const [start, end] = [Math.max(from, 0), Math.min(to, 1)].map((part) => 100 * part);
      this.echart.dispatchAction({ type: "dataZoom", dataZoomIndex: 0, start, end });
    },
    zoomBy(factor) {
      const [from, to] = this.part;
      const half = Math.max(((to - from) * factor) / 2, LEAST_PART / 2);
      const middle = this.index === null ? (from + to) / 2 : this.share(this.index);
      const centre = Math.min(Math.max(middle, half), Math.max(1 - half, half));
      this.zoomTo(centre - half, centre + half);
    },
    share(index) {
      return this.chart.axis.kind === "time" ? (index + 0.5) / this.chart.axis.steps : index / Math.max(this.count() - 1, 1);
    },
    count() {
      const { steps, names, values } = this.chart.axis;
      return steps ?? (names ?? values).length;
    },
    clicked(event) {
      if (this.chart.axis.kind !== "time" || !this.echart.containPixel("grid", [event.offsetX, event.offsetY])) return;
      const [ms] = this.echart.convertFromPixel("grid", [event.offsetX, event.offsetY]);
      this.$emit("step", indexAt(this.chart.axis, ms));
    },
    onKey(event) {
      const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -4, PageDown: 4, Home: -Infinity, End: Infinity };
      if (event.key in moves) this.moveTo((this.index ?? this.firstSeen()) + moves[event.key]);
      else if (event.key === "+") this.zoomBy(ZOOM);
      else if (event.key === "-") this.zoomBy(1 / ZOOM);
      else if (event.key === "0") this.zoomTo(0, 1);
      else if (event.key === "Escape") this.hide();
      else if (event.key === "Enter" && this.index !== null) this.$emit("step", this.index);
      else return;
      event.preventDefault();
    },
    firstSeen() {
      return Math.ceil(this.part[0] * this.count());
    },
    moveTo(wanted) {
      this.index = Math.min(Math.max(wanted, 0), this.count() - 1);
      const { kind, start_ms, step_ms, values } = this.chart.axis;
      const value = kind === "time" ? start_ms + (this.index + 0.5) * step_ms : (values?.[this.index] ?? this.index);
      const pixel = this.echart.convertToPixel(kind === "names" ? { yAxisIndex: 0 } : { xAxisIndex: 0 }, value);
      const middle = kind === "names" ? { x: this.$refs.drawing.clientWidth / 2, y: pixel } : { x: pixel, y: 60 };
      this.echart.dispatchAction({ type: "showTip", ...middle });
      const box = readout(toRaw(this.chart), this.index, this.hidden, (name) => this.colour(name));
      this.spoken = [...box.children].map((row) => [...row.childNodes].map((part) => part.textContent).join(" ")).join("; ");
    },
    hide() {
      this.index = null;
      this.echart?.dispatchAction({ type: "hideTip" });
    },
    toggle(entry) {
      const hidden = new Set(this.hidden);
      if (!hidden.delete(entry.of)) hidden.add(entry.of);
      this.hidden = hidden;
      this.draw();
    },
    savePicture() {
      const entries = this.entries.filter((entry) => !this.hidden.has(entry.of));
      const legend = entries.map((entry) => [entry.legend, entry.colour, entry.look]);
      const canvas = picture(this.echart, this.chart.title, this.note, legend, (name) => this.colour(name));
      canvas.toBlob((blob) => this.save(blob, "png"));
    },
    saveTable() {
      this.save(new Blob([csvText(toRaw(this.chart))], { type: "text/csv;charset=utf-8" }), "csv");
    },
    save(blob, ending) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${this.chart.file_name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}.${ending}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    },
  },
};

/** Series that are drawn only when they are asked for. */
function asked(chart) {
  return new Set(chart.columns.filter((column) => column.asked_for).map((column) => column.of));
}

/** A number of an axis: thousands separators, and decimals only where they are needed. */
function valueText(value) {
  const text = Math.abs(value).toLocaleString("en-GB", { maximumSignificantDigits: 6 });
  return value < 0 ? `−${text}` : text;
}
