// What the charts of Podium's pages share; podium_chart.js puts it together.
export { band } from "./band.js";
export { spanText, stampText, ticks, tickText } from "./clock.js";
export { csvText, headed, indexAt, placeText, readout, valueAt } from "./columns.js";
export { resolved } from "./colours.js";
export { fixed } from "./numbers.js";
export { picture } from "./picture.js";
export { thinned } from "./thinning.js";
