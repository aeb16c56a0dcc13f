// A line plot, in the colours of the page: of the last minutes, or over any numbers that rise.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { html } from './ui.js';

const HEIGHT = 180;
const SHORTEST_S = 60; // what the axis of time shows at least

const clock = (s) => new Date(s * 1000).toLocaleTimeString('en-GB');

// What stands along the bottom: `tick` writes a place, `span` says from where to where it goes,
// `steps`: a value holds until the next one, and there is nothing between whole places.
export const byTime = {
  tick: clock, steps: false,
  span: (times) => [Math.min(times[0], times.at(-1) - SHORTEST_S), times.at(-1)],
};
export const byNumber = {
  tick: (n) => n, steps: true,
  span: (numbers) => [numbers[0], numbers.at(-1)],
};

const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000, 1000000];

// Room for the longest of what is written beside the upright axis.
const widest = (_, values) =>
  Math.max(62, 14 + 7 * Math.max(0, ...(values ?? []).map((value) => String(value).length)));

const colours = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { text: of('--soft'), grid: of('--line'), lines: [of('--accent'), of('--second')] };
};

const options = (series, format, along, width) => {
  const { text, grid, lines } = colours();
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width, height: HEIGHT,
    cursor: { y: false, points: { size: 6 } },
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { time: false, range: ({ data: [places] }) => along.span(places) },
      y: { range: (_, low, high) => [Math.min(0, low * 1.1), Math.max(4, high * 1.1)] },
    },
    axes: [{ ...axis, space: 80, size: 24, values: (_, ticks) => ticks.map(along.tick),
             incrs: along.steps ? WHOLE : undefined },
           { ...axis, size: widest, values: (_, ticks) => ticks.map(format) }],
    series: [{}, ...series.map((label, i) => ({
      label, stroke: lines[i], width: 2, points: { show: false },
      fill: i === 0 ? `${lines[0]}22` : undefined,
      paths: along.steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
    }))],
  };
};

// `data`: places (times in seconds), then a column for each of `series`. The figure's caption says
// the last values in words, so that the picture is not the only way to them.
export const Plot = ({ title, series, format, data, along = byTime }) => {
  const box = useRef();
  const plot = useRef();

  useEffect(() => {
    // The page may be left while an answer of the browser is under way: the box is kept by name.
    const { current: element } = box;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(series, format, along, element.clientWidth),
                               plot.current?.data ?? data, element);
    };
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const resized = new ResizeObserver(() =>
      plot.current.setSize({ width: element.clientWidth, height: HEIGHT }));
    draw();
    scheme.addEventListener('change', draw);
    resized.observe(element);
    return () => {
      scheme.removeEventListener('change', draw);
      resized.disconnect();
      plot.current.destroy();
    };
  }, []);
  useEffect(() => plot.current.setData(data), [data]);

  const last = (column) => column.at(-1) ?? 0;
  return html`
    <figure class="card">
      <figcaption>
        <h3>${title}</h3>
        <span class="legend">${series.map((name, i) => html`
          <span class=${`key key${i}`}>${name} <b>${format(last(data[i + 1]))}</b></span>`)}
        </span>
      </figcaption>
      <div class="plot" aria-hidden="true" ref=${box}></div>
    </figure>`;
};
