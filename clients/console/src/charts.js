// Charts with uPlot. A page has one element per chart: `<div data-chart="…">`, with JSON of the form
// {"times": [unix seconds], "series": [{"label": "…", "values": […]}], "height": 240}.
import uPlot from "uplot";

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function draw(element) {
  const { times, series, height = 240, axes = true } = JSON.parse(element.dataset.chart);
  const colours = ["--chart-1", "--chart-2", "--chart-3", "--chart-4"].map(style);
  const axis = { stroke: style("--tblr-secondary"), grid: { stroke: style("--tblr-border-color-translucent"), width: 1 } };
  const chart = new uPlot(
    {
      width: element.clientWidth,
      height,
      legend: { show: axes },
      cursor: { show: axes },
      axes: axes ? [axis, { ...axis, size: 56 }] : [{ show: false }, { show: false }],
      series: [{}, ...series.map(({ label }, index) => ({ label, stroke: colours[index % 4], width: 2, points: { show: false } }))],
    },
    [times, ...series.map(({ values }) => values)],
    element,
  );
  new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height })).observe(element);
}

for (const element of document.querySelectorAll("[data-chart]")) draw(element);
