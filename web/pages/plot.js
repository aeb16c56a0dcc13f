// A line plot over the last minutes, in the colours of the page.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { html } from './ui.js';

const HEIGHT = 180;
const SHORTEST_S = 60; // what the axis of time shows at least

const clock = (s) => new Date(s * 1000).toLocaleTimeString('en-GB');

const span = (times) => [Math.min(times[0], times.at(-1) - SHORTEST_S), times.at(-1)];

const colours = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { text: of('--soft'), grid: of('--line'), lines: [of('--accent'), of('--second')] };
};

const options = (series, format, width) => {
  const { text, grid, lines } = colours();
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width, height: HEIGHT,
    cursor: { y: false, points: { size: 6 } },
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { range: ({ data: [times] }) => span(times) },
      y: { range: (_, low, high) => [0, Math.max(4, high * 1.1)] },
    },
    axes: [{ ...axis, space: 80, size: 24, values: (_, ticks) => ticks.map(clock) },
           { ...axis, size: 62, values: (_, ticks) => ticks.map(format) }],
    series: [{}, ...series.map((label, i) => ({
      label, stroke: lines[i], width: 2, points: { show: false },
      fill: i === 0 ? `${lines[0]}22` : undefined,
    }))],
  };
};

// `data`: times in seconds, then a column for each of `series`. The figure's caption says the last
// values in words, so that the picture is not the only way to them.
export const Plot = ({ title, series, format, data }) => {
  const box = useRef();
  const plot = useRef();

  useEffect(() => {
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(series, format, box.current.clientWidth), data, box.current);
    };
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const resized = new ResizeObserver(() =>
      plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    draw();
    scheme.addEventListener('change', draw);
    resized.observe(box.current);
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
