// What the live panel (`widgets.live_page`) shows: livePicture draws what flows, liveView all the rest. They are told; they
// ask nobody. No library. Chapter 10.

// The picture that flows: what the microphone hears over what the chip made of it. canvases: {spectrum, coefficients,
// weights}, each shows a part of one image, a column a frame.
function livePicture(canvases, colours, still) {
  const COLUMNS = 300, BINS = 64, WINDOW = 256, FLOOR_DB = -75, TOP_DB = -10, COEFFICIENTS = 12;
  const parts = { spectrum: [0, BINS], coefficients: [BINS, COEFFICIENTS], weights: [BINS + COEFFICIENTS, 1] };
  const NOTHING = -999, ROWS = BINS + COEFFICIENTS + 1, values = new Int16Array(ROWS * COLUMNS).fill(NOTHING); // in 1/100
  const hann = Float64Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / WINDOW));
  const turn = Float64Array.from({ length: WINDOW }, (_, i) => Math.cos(2 * Math.PI * i / WINDOW));
  const image = document.createElement("canvas"), pen = image.getContext("2d");
  let at = 0, count = 0, marks = [];
  image.width = COLUMNS;
  image.height = ROWS;

  const spectrum = (samples) => { // int16 [256] at 8 kHz -> 0 .. 1 for each two bins
    const x = samples.length < WINDOW ? new Float64Array(WINDOW) : Float64Array.from(samples, (v, i) => v * hann[i]);
    const powers = Array.from({ length: 2 * BINS }, (_, bin) => {
      let re = 0, im = 0;
      for (let i = 0, a = 0; i < WINDOW; i++, a = (a + bin) % WINDOW) {
        re += x[i] * turn[a];
        im += x[i] * turn[(a + WINDOW / 4) % WINDOW];
      }
      return re * re + im * im;
    });
    const full = (32768 * WINDOW / 4) ** 2;
    return Array.from({ length: BINS }, (_, k) => {
      const db = 10 * Math.log10(Math.max(powers[2 * k], powers[2 * k + 1]) / full + 1e-12);
      return Math.min(1, Math.max(0, (db - FLOOR_DB) / (TOP_DB - FLOOR_DB)));
    });
  };
  const colourOf = (row, value) => {
    const { paper, sound, chip, least, most } = colours;
    const mix = (a, b, share) => a.map((x, i) => Math.round(x + share * (b[i] - x)));
    if (value === NOTHING) return paper;
    if (row < BINS) return mix(paper, sound, value / 100);
    if (row < BINS + COEFFICIENTS) return value < 0 ? mix(paper, least, -value / 100) : mix(paper, most, value / 100);
    return mix(paper, chip, value / 100);
  };
  const paint = (column) => {
    const pixels = pen.createImageData(1, ROWS);
    for (let row = 0; row < ROWS; row++)
      pixels.data.set([...colourOf(row, values[row * COLUMNS + column]), 255], 4 * row);
    pen.putImageData(pixels, column, 0);
  };
  for (let column = 0; column < COLUMNS; column++) paint(column);
  return {
    push(samples, { coefficients, weights }) {
      at = count++ % COLUMNS;
      for (let row = 0; row < ROWS; row++) values[row * COLUMNS + at] = NOTHING;
      const put = (row, share) => { values[row * COLUMNS + at] = Math.round(100 * share); };
      spectrum(samples).forEach((share, k) => put(BINS - 1 - k, share));
      coefficients.forEach((value, k) => put(BINS + COEFFICIENTS - 1 - k, Math.max(-1, value / 127)));
      weights.forEach((weight, i) => { // of the batch that is over: frames in pairs, the last one just before this
        for (let back = 1; back <= 2; back++) {
          const column = (at - 2 * (weights.length - 1 - i) - back + COLUMNS) % COLUMNS;
          values[(ROWS - 1) * COLUMNS + column] = Math.round(100 * weight);
          paint(column);
        }
      });
      paint(at);
      marks = marks.filter((mark) => mark.count > count - COLUMNS);
    },
    mark(text) { marks.push({ word: text, count }); },
    draw() {
      for (const [name, [top, rows]] of Object.entries(parts)) {
        const canvas = canvases[name], dense = window.devicePixelRatio || 1;
        const wide = Math.round(canvas.clientWidth * dense), high = Math.round(canvas.clientHeight * dense);
        if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
        const to = canvas.getContext("2d"), unit = wide / COLUMNS, split = still ? 0 : (at + 1) % COLUMNS;
        to.imageSmoothingEnabled = false;
        const piece = (from, many, x) =>
          many && to.drawImage(image, from, top, many, rows, x * unit, 0, many * unit + 0.5, high);
        piece(split, COLUMNS - split, 0);
        piece(0, split, COLUMNS - split);
        const place = (column) => (column - split + COLUMNS) % COLUMNS * unit;
        const { ink, word } = colours;
        if (still && count) {
          to.fillStyle = `rgb(${ink})`;
          to.fillRect(place(at) + unit, 0, dense, high);
        }
        if (name !== "spectrum") continue;
        to.font = `600 ${13 * dense}px system-ui, sans-serif`;
        to.fillStyle = `rgb(${word})`;
        marks.forEach(({ word: text, count: when }) => {
          const x = place((when - 1) % COLUMNS), wideText = to.measureText(text).width;
          to.fillRect(x, 0, 1.5 * dense, high);
          to.fillText(text, Math.max(2, x - wideText - 4 * dense), 15 * dense);
        });
      }
    },
  };
}

// What of the panel needs no board and no sound: the view. It writes only what it is given.
function liveView(root, data) {
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const style = getComputedStyle(root);
  const rgb = (name) => style.getPropertyValue(`--ts-${name}`).match(/[0-9a-f]{2}/gi).map((pair) => parseInt(pair, 16));
  const colours = {
    paper: rgb("paper"), ink: rgb("ink"), sound: rgb("blue"), chip: rgb("green"), least: rgb("blue"), most: rgb("vermilion"),
    word: [179, 78, 0], // vermilion, dark enough to be read
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const canvases = Object.fromEntries(["spectrum", "coefficients", "weights"].map((name) => [name, part(name)]));
  const picture = livePicture(canvases, colours, still);
  const bars = [...part("sums").querySelectorAll(".live-sum")], SUMS = 320000; // at the end of a bar's track
  const WORDS = 5, WORD_MS = 400; // in the list; and how long a word's sums stay
  let shown = 0;
  return {
    part, picture, still,
    text(name, text) { if (part(name).textContent !== text) part(name).textContent = text; },
    led(lit) {
      part("board").classList.toggle("live-lit", Boolean(lit));
      part("word").classList.toggle("live-over", !lit);
    },
    level(peak) { // 1: all of the converter's range
      const share = Math.max(0, 100 * (1 + Math.log10(Math.max(peak, 1e-4)) / 2)); // two decades
      part("level").style.setProperty("--ts-share", Math.min(100, share));
      part("level").classList.toggle("live-loud", peak >= 1);
      part("microphone").style.setProperty("--live-level", Math.min(9, share / 11));
    },
    sums(sums, least) { // what each must lead by; those of a word are forgotten at once: they stay in sight a little longer
      const leader = sums.indexOf(Math.max(...sums)), second = Math.max(...sums.filter((_, c) => c !== leader));
      if (performance.now() < shown) return;
      if (leader >= data.rejected && sums[leader] - second >= least[leader]) shown = performance.now() + WORD_MS;
      bars.forEach((bar, c) => {
        const share = Math.min(1, Math.max(-1, sums[c] / SUMS)), [fill, mark] = bar.children;
        fill.style.transform = `scaleX(${share})`;
        bar.classList.toggle("live-leads", c === leader && c >= data.rejected && sums[c] > 0);
        mark.style.left = `${50 + 50 * Math.min(1, (second + least[c]) / SUMS)}%`;
      });
    },
    word({ name, seconds, hear }) {
      const line = document.createElement("li"), bold = document.createElement("b"), when = document.createElement("span");
      const button = document.createElement("button");
      bold.textContent = name;
      when.textContent = `${seconds.toFixed(2)} s`;
      button.type = "button";
      button.className = "ts-button";
      button.textContent = "hear it";
      button.setAttribute("aria-label", `hear what ${name} at ${seconds.toFixed(2)} seconds was`);
      button.addEventListener("click", hear);
      line.append(bold, when, button);
      part("words").prepend(line);
      while (part("words").children.length > WORDS) part("words").lastChild.remove();
      part("word").textContent = name;
      const said = document.createElement("span");
      said.textContent = `${name}, at ${seconds.toFixed(2)} seconds. `;
      part("said").append(said);
      while (part("said").children.length > WORDS) part("said").firstChild.remove();
      picture.mark(name);
    },
    noWord() { part("word").textContent = ""; },
    speaking(pressed, text) {
      part("microphone").setAttribute("aria-pressed", String(pressed));
      this.text("microphone-text", text);
    },
    playing(is) {
      part("stop").hidden = !is;
      part("progress").hidden = true;
    },
    progress(share) {
      part("progress").hidden = share >= 1;
      part("progress").value = share;
    },
    kept(wav) { // two seconds, to hear and to save
      URL.revokeObjectURL(part("save").href);
      part("play").src = part("save").href = URL.createObjectURL(wav);
      part("play").hidden = part("save").hidden = false;
      part("heard").open = true;
      part("answers").textContent = "";
    },
    hear() {
      part("play").play().catch(() => {}); // where the browser wants another press for it
      part("heard").scrollIntoView({ block: "nearest" });
    },
    settings({ sensitivity, first }) {
      root.querySelectorAll("[name=live-sensitivity]").forEach((radio) => { radio.checked = radio.value === sensitivity; });
      part("first").value = first || "";
    },
    answer(name, scores) { // of an engine, 0 .. 1 for each class: the three best
      const best = [...scores.keys()].toSorted((a, b) => scores[b] - scores[a]).slice(0, 3);
      const line = document.createElement("p");
      const texts = best.map((c) => `${data.classes[c]} ${(100 * scores[c]).toFixed(1)} %`);
      line.innerHTML = "<b></b><span></span>";
      line.firstChild.textContent = `${name}: ${data.classes[best[0]]}`;
      line.lastChild.textContent = ` (${texts.join(", ")})`;
      part("answers").append(line);
    },
  };
}
