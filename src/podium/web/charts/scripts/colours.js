// Colours of options are properties of the style sheet, so that a chart follows the mode of its page.

const PROPERTY = /^var\((--[\w-]+)\)$/;

/** A copy of options with the colours that hold at an element now; rows of numbers are not copied. */
export function resolved(options, element) {
  const style = getComputedStyle(element);
  const walk = (value) => {
    if (typeof value === "string") {
      const property = PROPERTY.exec(value);
      return property ? style.getPropertyValue(property[1]).trim() : value;
    }
    if (Array.isArray(value)) return typeof value[0] === "number" || value[0] === null ? value : value.map(walk);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each)]));
  };
  return walk(options);
}
