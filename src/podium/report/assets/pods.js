// The table of PODs: search, sort, pages, and the POD that is open.

const PAGE_ROWS = 25;
const COLUMNS = [
  { key: "pod", name: "POD", width: "18.5%" },
  { key: "composition", name: "Devices", width: "19%", wide: true },
  { key: "solver", name: "Solver", width: "8.5%", wide: true },
  { key: "seconds", name: "ms", width: "10.5%", wide: true, number: (value) => fixed(value === null ? null : 1e3 * value, 2) },
  { key: "peak_kw", name: "Peak kW", width: "10.5%", wide: true, number: (value) => fixed(value, 2) },
  { key: "cost_eur", name: "Cost EUR", width: "12%", wide: true, number: (value) => fixed(value, 2) },
  { key: "plan_profit_eur", name: "Profit EUR", width: "12%", number: (value) => fixed(value, 2) },
  { key: "status", name: "Status", width: "9%" },
];

class PodList {
  constructor(table) {
    Object.assign(this, { table, sort: "pod", down: false, page: 0, open: null });
    this.texts = table.pod.map((_, row) => [
      table.pod[row], table.name[row], table.group[row], table.composition[row], compositionText(table.composition[row]).replaceAll("\u00a0", " "), table.solver[row], table.status[row],
    ].join("\n").toLowerCase());
    this.order = table.pod.map((_, row) => row);
    this.head = document.querySelector("#pod-list thead");
    this.body = document.querySelector("#pod-list tbody");
    this.fillChoices();
    this.listen();
    this.find();
  }

  fillChoices() {
    const counts = new Map();
    this.table.status.forEach((status) => counts.set(status, (counts.get(status) ?? 0) + 1));
    const status = document.getElementById("status");
    status.append(new Option(`All (${this.order.length.toLocaleString("en-US")})`, ""));
    [...counts].sort().forEach(([name, number]) => status.append(new Option(`${name} (${number.toLocaleString("en-US")})`, name)));
    const sort = document.getElementById("sort");
    COLUMNS.forEach(({ key, name }) => sort.append(new Option(`Sort by ${name}`, key)));
  }

  listen() {
    const id = (name) => document.getElementById(name);
    let wait = 0;
    id("search").addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => this.find(), 120); });
    id("status").addEventListener("change", () => this.find());
    id("sort").addEventListener("change", (event) => this.sortBy(event.target.value));
    id("page-first").onclick = () => this.turn(0);
    id("page-back").onclick = () => this.turn(this.page - 1);
    id("page-next").onclick = () => this.turn(this.page + 1);
    id("page-last").onclick = () => this.turn(Infinity);
    id("pod-back").onclick = () => this.step(-1);
    id("pod-next").onclick = () => this.step(1);
    id("detail-close").onclick = () => detail.close();
    detail.addEventListener("close", () => { if (!besideList.matches) this.rowButton()?.focus(); });
    this.body.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.openHash(true));
    document.querySelectorAll("a[data-pod]").forEach((link) => link.addEventListener("click", () => this.pick(this.table.pod.indexOf(link.dataset.pod), true)));
  }

  find() {
    const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = document.getElementById("status").value;
    this.found = this.order.filter((row) => (!status || this.table.status[row] === status) && words.every((word) => this.texts[row].includes(word)));
    this.turn(0);
  }

  sortBy(key) {
    const number = COLUMNS.find((column) => column.key === key).number;
    this.down = key === this.sort ? !this.down : Boolean(number);
    this.sort = key;
    const column = this.table[key];
    const compare = number ? (a, b) => column[a] - column[b] : (a, b) => natural.compare(column[a], column[b]);
    const sign = this.down ? -1 : 1;
    this.order.sort((a, b) => (column[a] === null) - (column[b] === null) || (column[a] === null ? 0 : sign * compare(a, b)) || a - b);
    document.getElementById("sort").value = key;
    this.find();
  }

  get pages() { return Math.max(Math.ceil(this.found.length / PAGE_ROWS), 1); }

  turn(page) {
    this.page = Math.min(Math.max(page, 0), this.pages - 1);
    const first = this.page * PAGE_ROWS;
    const rows = this.found.slice(first, first + PAGE_ROWS);
    this.head.replaceChildren(this.headRow());
    this.body.replaceChildren(...rows.map((row) => this.bodyRow(row)));
    const text = (number) => number.toLocaleString("en-US");
    document.getElementById("pod-count").textContent = rows.length
      ? `${text(first + 1)}\u2013${text(first + rows.length)} of ${text(this.found.length)}` : "No POD matches";
    for (const [id, end] of [["page-first", 0], ["page-back", 0], ["page-next", this.pages - 1], ["page-last", this.pages - 1]]) {
      document.getElementById(id).disabled = this.page === end;
    }
    this.mark();
  }

  headRow() {
    return make("tr", {}, ...COLUMNS.map(({ key, name, width, wide, number }) => {
      const cell = make("th", { scope: "col", className: `${wide ? "wide" : ""} ${number ? "num" : ""}` },
        make("button", { type: "button", textContent: name, onclick: () => { this.sortBy(key); this.head.querySelector(`[data-key=${key}] button`).focus(); } }));
      cell.dataset.key = key;
      if (matchMedia("(min-width: 641px)").matches) cell.style.width = width;
      if (key === this.sort) cell.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      return cell;
    }));
  }

  bodyRow(row) {
    const line = make("tr", { onclick: () => this.pick(row, true) }, ...COLUMNS.map((column) => this.cell(column, row)));
    line.dataset.row = row;
    return line;
  }

  cell({ key, wide, number }, row) {
    const value = this.table[key][row];
    const cell = make("td", { className: `${wide ? "wide" : ""} ${number ? "num" : ""}` });
    if (key === "pod") {
      const devices = compositionText(this.table.composition[row]);
      const name = [this.table.name[row], this.table.group[row]].filter(Boolean).join(" · ");
      cell.append(make("button", { type: "button", textContent: value, title: value }), make("span", { className: "sub", textContent: name }),
        make("span", { className: "sub devices", textContent: devices }));
    } else if (key === "composition") {
      cell.classList.add("devices-cell");
      cell.title = compositionText(value);
      cell.append(make("span", { textContent: cell.title }));
    } else {
      cell.textContent = number ? number(value) : value;
      if (key === "status" && value !== "ok") cell.classList.add("flag");
    }
    return cell;
  }

  rowButton() { return this.body.querySelector(`tr[data-row="${this.open}"] button`); }

  key(event) {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    this.step(move, !besideList.matches);
    this.rowButton()?.focus();
  }

  /** Go to the next POD in the list as it is sorted and filtered. */
  step(move) {
    const place = this.found.indexOf(this.open) + move;
    if (place < 0 || place >= this.found.length) return;
    this.turn(Math.floor(place / PAGE_ROWS));
    this.pick(this.found[place], detail.open);
  }

  pick(row, byHand) {
    if (row < 0 || row === undefined) return;
    this.open = row;
    this.mark();
    if (byHand) history.replaceState(null, "", `#pod=${encodeURIComponent(this.table.pod[row])}`);
    openDetail(byHand);
    showDetail(this.table, row).catch(trouble);
  }

  mark() {
    this.body.querySelectorAll("tr").forEach((line) => line.setAttribute("aria-selected", String(Number(line.dataset.row) === this.open)));
  }

  /** Open the POD that the address names; the first one beside the list when it names none. */
  openHash(onlyNamed) {
    const named = /^#pod=(.+)$/.exec(location.hash);
    const row = named ? this.table.pod.indexOf(decodeURIComponent(named[1])) : -1;
    if (row >= 0) {
      this.turn(Math.floor(this.found.indexOf(row) / PAGE_ROWS));
      this.pick(row, true);
      document.getElementById("pods").scrollIntoView();
    } else if (!onlyNamed && besideList.matches) this.pick(this.found[0], false);
  }
}

const natural = new Intl.Collator("en", { numeric: true });

/** Which place a POD has in its chunk: the number of PODs of the same chunk before it. */
function addPlaces(table) {
  const next = new Map();
  table.places = table.chunk.map((number) => { const place = next.get(number) ?? 0; next.set(number, place + 1); return place; });
  return table;
}
