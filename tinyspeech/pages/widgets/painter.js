// An attention condenser inside a web page (`widgets.gate_painter`): condenserGates computes it, gatePainter
// lets the reader paint its input and draws the gates. No library, nothing loaded from anywhere. Chapter 3.

function condenserGates(net, x) { // x: [time * bands] -> gates [channels][time * bands]
  const { time, bands, pool } = net, rows = Math.ceil(time / pool), columns = Math.ceil(bands / pool);
  const pooled = net.stem.weights.map((kernel, c) => { // 3 x 3, then ReLU, then the largest of each window
    const largest = new Float64Array(rows * columns);
    for (let t = 0; t < time; t++)
      for (let f = 0; f < bands; f++) {
        let sum = 0;
        for (let i = -1; i <= 1; i++)
          for (let j = -1; j <= 1; j++)
            if (t + i >= 0 && t + i < time && f + j >= 0 && f + j < bands)
              sum += kernel[3 * (i + 1) + j + 1] * x[(t + i) * bands + f + j];
        const place = Math.floor(t / pool) * columns + Math.floor(f / pool);
        largest[place] = Math.max(largest[place], net.stem.times[c] * sum + net.stem.plus[c]);
      }
    return largest;
  });
  const mix = (layer, input) => layer.weights.map((row, o) => input[0].map((_, place) =>
    layer.times[o] * row.reduce((sum, w, c) => sum + w * input[c][place], 0) + layer.plus[o]));
  const waist = mix(net.squeeze, pooled).map((map) => map.map((value) => Math.max(0, value)));
  return mix(net.expand, waist).map((map) => Float64Array.from({ length: time * bands }, (_, i) =>
    1 / (1 + Math.exp(-map[Math.floor(i / bands / pool) * columns + Math.floor((i % bands) / pool)]))));
}

function gatePainter(root, net) {
  const { time, bands, word } = net, part = (name) => root.querySelector(`[data-part=${name}]`);
  const blend = (share) => { // -1 .. 1: blue, paper, orange
    const to = share < 0 ? [0, 114, 178] : [213, 94, 0], s = Math.min(1, Math.abs(share));
    return `rgb(${[251, 250, 247].map((paper, i) => Math.round(paper + s * (to[i] - paper)))})`;
  };
  let x, start, cursor = null, painting = false;

  const picture = (canvas, values, share) => {
    const pen = canvas.getContext("2d"), w = canvas.width / time, h = canvas.height / bands;
    values.forEach((value, i) => {
      pen.fillStyle = blend(share(value));
      pen.fillRect(Math.floor(i / bands) * w, canvas.height - ((i % bands) + 1) * h, w, h);
    });
    return (i, colour) => { // a frame round one place
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.strokeRect(Math.floor(i / bands) * w + 1, canvas.height - ((i % bands) + 1) * h + 1, w - 2, h - 2);
    };
  };
  const draw = () => {
    const channel = Number(part("channel").value), all = condenserGates(net, x), now = all[channel];
    const before = condenserGates(net, start)[channel];
    root.gates = all; // for tests
    const mark = picture(part("input"), x, (value) => value / 3);
    if (cursor !== null) mark(cursor, "#1f2933");
    const frame = picture(part("gate"), now, (value) => 2 * value - 1);
    const moved = [...now.keys()].filter((i) => Math.abs(now[i] - before[i]) > 0.001);
    moved.forEach((i) => frame(i, "#1f2933"));
    const changed = [...x.keys()].filter((i) => x[i] !== start[i]).length;
    const wide = (of) => (moved.length ? Math.max(...moved.map(of)) - Math.min(...moved.map(of)) + 1 : 0);
    const where = `, within ${wide((i) => Math.floor(i / bands))} frames and ${wide((i) => i % bands)} coefficients`;
    part("note").textContent = `Painted: ${changed} of ${time * bands} places. Gates that moved: ${moved.length}` +
      `${moved.length ? where : ""}.`;
  };
  const paint = (i) => {
    if (i === null) return;
    const pen = part("pen").value;
    x[i] = pen === "back" ? start[i] : Number(pen);
    cursor = i;
    draw();
  };
  const begin = (values) => {
    start = Float64Array.from(values);
    x = start.slice();
    draw();
  };
  const at = (event) => {
    const box = part("input").getBoundingClientRect();
    const t = Math.floor(((event.clientX - box.left) / box.width) * time);
    const f = bands - 1 - Math.floor(((event.clientY - box.top) / box.height) * bands);
    return t >= 0 && t < time && f >= 0 && f < bands ? t * bands + f : null;
  };
  const steps = { ArrowLeft: -bands, ArrowRight: bands, ArrowUp: 1, ArrowDown: -1 };
  part("input").addEventListener("pointerdown", (event) => { painting = true; paint(at(event)); });
  part("input").addEventListener("pointermove", (event) => { if (painting) paint(at(event)); });
  window.addEventListener("pointerup", () => { painting = false; });
  part("input").addEventListener("keydown", (event) => {
    const here = cursor ?? Math.floor(time / 2) * bands + Math.floor(bands / 2);
    if (event.key === " ") paint(here);
    else if (event.key in steps) {
      cursor = Math.min(time * bands - 1, Math.max(0, here + steps[event.key]));
      draw();
    } else return;
    event.preventDefault();
  });
  part("channel").addEventListener("change", draw);
  part("again").addEventListener("click", () => begin(word));
  part("empty").addEventListener("click", () => begin(word.map(() => 0)));
  begin(word);
}
