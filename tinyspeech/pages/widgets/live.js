// The ten-cent chip, listening inside a web page (`widgets.live_page`), in four parts: liveBoard speaks with the emulated
// board of board.js and looks into its RAM; liveSounds are what it can hear, from microphone.js; livePicture draws what
// flows; livePanel puts them together. No library, nothing loaded from anywhere, and nothing leaves the page. Chapter 10.

// A board that listens. told.line(text): each line that it says; told.word({name, frame}); told.settings({sensitivity,
// first}); told.frame({...}): of 20 ms, as soon as the chip is done with it.
function liveBoard(board, data, told) {
  const { commands, ram, lines } = data;
  const number = (address, bytes) => board.read(address, bytes).reduce((sum, byte, i) => sum + byte * 2 ** (8 * i), 0);
  const signed = (address, count, Kind) => {
    const bytes = board.read(address, count * Kind.BYTES_PER_ELEMENT);
    return new Kind(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  };
  const now = () => board.value("seconds");
  let text = "", questions = [], frames = null, looked = 0, coefficients = null, spent = 0, seconds = 0, version = "", kept = null;

  const ask = () => { if (questions.length) board.send(Uint8Array.from(questions[0].bytes)); };
  const question = (bytes, start) => { // each when the one before is answered
    questions.push({ bytes, start });
    if (questions.length === 1) ask();
  };
  const understand = (line) => {
    if (questions.length && line.startsWith(questions[0].start)) {
      questions.shift();
      ask();
    }
    const [what, ...words] = line.split(" ");
    if (line === lines.listening) frames = looked = 0;
    else if (what === lines.stopped) frames = null;
    else if (what === lines.word) told.word({ name: words[0], frame: Number(words[1]) });
    else if (line.startsWith(lines.version)) version = line;
    else if (line.startsWith(lines.settings)) {
      kept = data.settings.find(({ bytes }) => bytes[0] === line.charCodeAt(lines.settings.length)) || null;
      if (kept) told.settings(kept);
    }
    told.line(line);
  };
  const receive = () => {
    for (const byte of board.received()) text += String.fromCharCode(byte);
    const whole = text.split("\n");
    text = whole.pop();
    whole.forEach(understand);
  };
  // A frame's coefficients wait in the chip's memory until there are four, and lie there while it begins with these: the
  // fourth's are seen in the middle of its time, the others' at its end. Then, just before the next frame is due, the chip
  // is done with all that it does, and its sums and weights lie where the last layers left them.
  const waiting = () => number(ram.waiting, 1);
  const between = (last) => signed(ram.between + last - data.inputs, data.inputs, Int8Array);
  const middle = () => {
    coefficients = frames > 0 && waiting() === 0 && number(ram.holds, 1) === 0 ? between(data.batch * data.inputs) : null;
  };
  const end = () => {
    if (frames > 0) {
      const scored = frames > data.batch && waiting() === data.inputs; // a batch was finished with this frame
      told.frame({
        frame: frames,
        coefficients: coefficients || (waiting() ? between(waiting()) : null),
        sums: signed(ram.sums, data.classes.length, Int32Array),
        weights: scored ? ram.gates.map((address) => data.sigmoid[signed(address, 1, Int8Array)[0] + 128] / 128) : [],
        led: board.pin(data.led),
      });
    }
    frames++;
  };
  const looks = [[data.hop - 0.008 * data.rate, middle], [4, end]]; // at so many samples to the next frame
  const WAIT_S = 0.005;
  const advance = (until) => {
    const began = performance.now(), from = now();
    for (let here = from, left; (left = until - here) > 1e-6; here = now()) {
      let step = WAIT_S;
      if (frames !== null) {
        const missing = number(ram.missing, 2);
        if (looked === looks.length && missing > looks[0][0]) looked = 0; // another frame
        for (; looked < looks.length && missing <= looks[looked][0]; looked++) looks[looked][1]();
        step = (1 + (looked < looks.length ? missing - looks[looked][0] : missing)) / data.rate;
      }
      if (board.advance(Math.min(step, left)) === "fault") throw new Error(`The chip stopped: ${board.fault()}.`);
      receive();
    }
    spent += (performance.now() - began) / 1000;
    seconds += now() - from;
  };
  const listen = () => question(commands.listen, lines.listening);
  return {
    board, now,
    begin() { // power on, and ask what `listen` asks
      board.flash(data.image);
      text = version = "";
      questions = [];
      frames = kept = null;
      advance(now() + data.start_s);
      question(commands.version, lines.version);
      question(commands.settings.concat(commands.ask), lines.settings);
      listen();
      while (questions.length) advance(now() + WAIT_S);
    },
    set(setting) { // one of data.settings
      question(commands.stop, lines.stopped);
      question(commands.settings.concat(setting.bytes), lines.settings);
      listen();
    },
    hear(volts) { // and let the time of it pass
      board.hear(volts);
      advance(board.heardUntil());
    },
    busy: () => questions.length > 0,
    version: () => version,
    settings: () => kept,
    frames: () => frames,
    speed() { // board's seconds in one of this computer, since the last call
      const times = spent ? seconds / spent : 0;
      spent = seconds = 0;
      return times;
    },
  };
}

// A second of sound, int16 at 8 kHz, to a board of its own with the same firmware, which asks for it piece by piece: its
// logits.
function liveClassify(board, data, clip) {
  const STEP_S = 0.002, MOST_S = 10, ANSWER_BYTES = 4 * data.classes.length + 1;
  const bytes = new Uint8Array(clip.buffer, clip.byteOffset, clip.byteLength);
  board.flash(data.image);
  board.advance(data.start_s);
  board.received();
  board.send(Uint8Array.from(data.commands.classify));
  let at = 0, answer = null;
  for (let s = 0; s < MOST_S; s += STEP_S) {
    board.advance(STEP_S);
    for (const byte of board.received()) {
      if (answer) answer.push(byte);
      else if (byte === 0) answer = []; // it asks for no more
      else board.send(bytes.subarray(at, (at += 2 * byte)));
    }
    if (answer && answer.length === ANSWER_BYTES)
      return Array.from(new Int32Array(Uint8Array.from(answer.slice(0, -1)).buffer));
  }
  throw new Error("The chip did not answer.");
}

// What a converter of 10 bits makes of volts at 32,000 a second: int16 at 8 kHz, as the firmware does it.
function liveSamples(volts) {
  return Int16Array.from({ length: Math.floor(volts.length / 4) }, (_, i) => {
    let sum = 0;
    for (let k = 4 * i; k < 4 * i + 4; k++) sum += volts[k] >> 6;
    return (sum - 4 * 512) * 16;
  });
}

// The loudest second of what was heard, looked for in steps of 10 ms, as `classify` does it with a long file.
function liveSecond(samples, rate) {
  const step = rate / 100, energy = [];
  for (let at = 0; at + step <= samples.length; at += step)
    energy.push(samples.subarray(at, at + step).reduce((sum, x) => sum + x * x, 0));
  let best = 0, most = -1;
  for (let at = 0; at + 100 <= energy.length; at++) {
    const sum = energy.slice(at, at + 100).reduce((a, b) => a + b);
    if (sum > most) [most, best] = [sum, at];
  }
  const second = new Int16Array(rate);
  second.set(samples.subarray(best * step, best * step + rate));
  return second;
}

// Sound that is there already, given to take(part) in real time or as fast as this computer can; then done(). -> a function
// that stops it.
function liveSounds(samples, rate, fast, take, done) {
  const TICK_MS = 20, SLICE_S = 0.2, BEHIND_S = 2; // a tab in the background is called once a second, or more seldom
  let at = 0, began = performance.now(), timer = setTimeout(tick, 0);
  function tick() {
    let due = fast ? SLICE_S : (performance.now() - began) / 1000 - at / rate;
    if (due > BEHIND_S) {
      began += 1000 * (due - BEHIND_S);
      due = BEHIND_S;
    }
    const part = samples.subarray(at, at + Math.floor(due * rate));
    at += part.length;
    timer = at < samples.length ? setTimeout(tick, fast ? 0 : TICK_MS) : null;
    take(part, at / samples.length);
    if (at >= samples.length) done();
  }
  return () => clearTimeout(timer);
}

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
      if (coefficients) coefficients.forEach((value, k) => put(BINS + COEFFICIENTS - 1 - k, Math.max(-1, value / 127)));
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
    mark(name) { marks.push({ name, count }); },
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
        marks.forEach(({ name, count: when }) => {
          const x = place((when - 1) % COLUMNS), wideText = to.measureText(name).width;
          to.fillRect(x, 0, 1.5 * dense, high);
          to.fillText(name, Math.max(2, x - wideText - 4 * dense), 15 * dense);
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
  const WORDS = 5;
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
    sums(sums, least) {
      const leader = sums.indexOf(Math.max(...sums)), second = Math.max(...sums.filter((_, c) => c !== leader));
      bars.forEach((bar, c) => {
        const share = Math.min(1, Math.max(-1, sums[c] / SUMS)), [fill, mark] = bar.children;
        fill.style.transform = `scaleX(${share})`;
        bar.classList.toggle("live-leads", c === leader && c >= data.rejected && sums[c] > 0);
        mark.style.left = `${50 + 50 * Math.min(1, (second + least) / SUMS)}%`;
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
      button.onclick = hear;
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
    settings({ sensitivity, first }) {
      root.querySelectorAll("[name=live-sensitivity]").forEach((radio) => { radio.checked = radio.value === sensitivity; });
      part("first").value = first || "";
    },
    answer(name, scores) { // of an engine, 0 .. 1 for each class: the three best
      const best = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 3);
      const line = document.createElement("p");
      const texts = best.map((c) => `${data.classes[c]} ${(100 * scores[c]).toFixed(1)} %`);
      line.innerHTML = "<b></b><span></span>";
      line.firstChild.textContent = `${name}: ${data.classes[best[0]]}`;
      line.lastChild.textContent = ` (${texts.join(", ")})`;
      part("answers").append(line);
    },
  };
}

function livePanel(root, data) {
  const RATE = data.signal_hz, KEPT_S = 2, BEHIND_S = 0.3, DROP_S = 1.5, AFTER_S = 1.2, FACTS_MS = 500;
  const HEARD_SAMPLES = 2400; // a gap of 50 ms is worth a word
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const kept = new Uint16Array((KEPT_S + 2) * RATE).fill(32768); // the newest volts, and what of them the board has not heard
  const view = liveView(root, data), { part } = view;
  let module, board, block = 1, rate = 1, source = null, dropped = 0, peak = 0, quiet = 0, hidden = null, facts = null, changed = false;
  let resampler = null, gain = 1, least = 0, settled = null, standing = "", passing = null;

  const say = (text) => { // stays until something else is said
    standing = text;
    view.text("status", text);
  };
  const mention = (text) => { // for a while
    clearTimeout(passing);
    passing = setTimeout(() => view.text("status", standing), 8000);
    view.text("status", text);
  };
  const invitation = `Press the button and say ${data.words.slice(0, -1).join(", ")} or ${data.words.at(-1)}.`;
  const volts = (from, to) => kept.slice(kept.length - from, kept.length - to || undefined); // counted from the newest back
  const unheard = () => Math.max(0, Math.round((board.board.heardUntil() - board.now()) * RATE));

  const keep = (sound) => { // what did it hear?
    const samples = Float32Array.from(sound, (v) => v / 32768 - 1), down = soundResampler(RATE, data.clip_hz);
    const wav = wavFile(Float32Array.from([...down.push(samples), ...down.end()]), data.clip_hz);
    const second = liveSecond(liveSamples(sound), data.rate);
    URL.revokeObjectURL(part("save").href);
    part("play").src = part("save").href = URL.createObjectURL(wav);
    part("play").hidden = part("save").hidden = false;
    part("heard").open = true;
    part("answers").textContent = "";
    for (const { name, classify } of panel.classifiers)
      classify(second).then((logits) => {
        const powers = logits.map((logit) => Math.exp((logit - Math.max(...logits)) * data.logit_step));
        const sum = powers.reduce((a, b) => a + b);
        view.answer(name, powers.map((power) => power / sum));
      });
  };
  const told = {
    line(text) {
      view.text("line", text);
      root.dispatchEvent(new CustomEvent("live-line", { detail: text }));
    },
    settings(setting) {
      least = data.least_leads[setting.sensitivity];
      view.settings(setting);
    },
    word({ name, frame }) {
      const late = unheard(), sound = volts(KEPT_S * RATE + late, late);
      view.word({ name, seconds: frame * data.hop / data.rate, hear: () => {
        keep(sound);
        part("play").play().catch(() => {}); // where the browser wants another press for it
        part("heard").scrollIntoView({ block: "nearest" });
      } });
      changed = true;
    },
    frame(frame) {
      const late = unheard();
      view.picture.push(liveSamples(volts(4 * 256 + late, late)), frame);
      view.led(frame.led);
      view.sums([...frame.sums], least);
      changed = true;
      root.dispatchEvent(new CustomEvent("live-frame", { detail: frame })); // for whoever else wants to know
    },
  };

  // sound at the board's rate, -1 .. 1
  const sound = (samples) => {
    const wave = microphoneVolts(samples, gain);
    if (!wave.length) return;
    kept.copyWithin(0, wave.length);
    kept.set(wave, kept.length - wave.length);
    for (const v of wave) peak = Math.max(peak, Math.abs(v - 32768) / 32767);
    try {
      board.hear(wave);
    } catch (error) {
      stop();
      say(error.message);
    }
    changed = true;
  };
  const pause = () => { // a while of silence: the light goes out, an answer comes
    gain = 1;
    const silence = new Float32Array(AFTER_S * RATE);
    settled = liveSounds(silence, RATE, false, (part_) => sound(part_), () => { settled = null; });
  };
  const begin = (what) => { // one source at a time
    stop();
    if (settled) settled();
    settled = null;
    source = what;
    gain = what.gain;
    view.noWord();
    part("stop").hidden = what.name === "microphone";
  };
  const stop = () => {
    if (!source) return;
    const { end } = source;
    source = null;
    end();
    part("microphone").setAttribute("aria-pressed", "false");
    view.text("microphone-text", "Speak to the chip");
    part("stop").hidden = true;
    say(invitation);
    pause();
  };

  const heard = (samples, missing, late) => { // a block from the microphone
    if (missing > 0) dropped += missing;
    source.behind = late > (source.behind ? BEHIND_S : DROP_S); // too late: leave out what there is, up to now
    if (source.behind) dropped += samples.length;
    else sound(resampler.push(samples));
  };
  const state = (now) => {
    if (now === "running") {
      view.text("microphone-text", "Stop listening");
      say("It listens. Say a word.");
    } else if (now !== "closed") {
      view.text("microphone-text", "Go on");
      say(`The browser holds the sound back (the audio is ${now}): press the button to go on.`);
    }
  };
  const speak = async () => {
    if (source && source.name === "microphone") {
      const { microphone } = source;
      if (!microphone) return; // the browser still asks
      if (microphone.context.state === "running") stop();
      else await microphone.resume();
      return;
    }
    const here = { name: "microphone", gain: Number(part("gain").value), microphone: null, end: () => {} };
    begin(here);
    part("microphone").setAttribute("aria-pressed", "true");
    view.text("microphone-text", "Wait …");
    say("Your browser asks whether this page may use the microphone.");
    try {
      const microphone = await openMicrophone({ heard, state, gone: (line) => { stop(); say(line); } });
      if (source !== here) return void microphone.close();
      here.microphone = microphone;
      here.end = microphone.close;
      ({ block, rate } = microphone);
      resampler = soundResampler(rate, RATE);
      dropped = 0;
      state(microphone.context.state);
    } catch (error) {
      if (source !== here) return;
      stop();
      say(error.message);
    }
  };
  const play = async (name, file, fileHz) => { // a sound that is there: aloud, too, unless it goes as fast as it can
    const fast = part("fast").checked && name === "file";
    const player = new Audio(), here = { name, gain: 1, end: () => {} };
    begin(here);
    say("Reading …");
    try {
      const up = soundResampler(fileHz, RATE), decoded = await soundOfFile(await file.arrayBuffer(), fileHz);
      if (source !== here) return;
      const samples = fileHz === RATE ? decoded : Float32Array.from([...up.push(decoded), ...up.end()]);
      if (!fast) {
        player.src = URL.createObjectURL(file);
        player.play().catch(() => {}); // where the browser wants no sound, the chip hears it all the same
      }
      say(fast ? "The chip hears it as fast as this computer can." : "The chip hears it.");
      const quit = liveSounds(samples, RATE, fast, (piece) => sound(piece), stop);
      here.end = () => {
        quit();
        player.pause();
        URL.revokeObjectURL(player.src);
      };
    } catch (error) {
      if (source !== here) return;
      stop();
      say(`Your browser cannot read that as sound (${error.message}): try a wav, mp3 or flac file.`);
    }
  };
  const set = () => {
    const sensitivity = root.querySelector("[name=live-sensitivity]:checked").value, first = part("first").value || null;
    board.set(data.settings.find((setting) => setting.sensitivity === sensitivity && setting.first === first));
    if (!source && !settled) pause();
  };

  const number = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
  const report = (time) => { // what goes slowly
    const value = (name) => board.board.value(name), seconds = board.now();
    const here = { time, seconds, cycles: value("cycles"), slept: value("slept"), dropped };
    if (facts && seconds > facts.seconds) {
      const passed = seconds - facts.seconds, awake = here.cycles - facts.cycles - (here.slept - facts.slept);
      view.text("cycles", `${number(awake / passed / 1e6, 1)} of ${number(value("clock") / 1e6, 0)} million`);
      view.text("asleep", `${number(100 * (here.slept - facts.slept) / (here.cycles - facts.cycles), 0)} % of the time`);
      const times = board.speed();
      if (times) view.text("speed", `${number(times, times < 10 ? 1 : 0)} times real time`);
      if (source && source.name === "microphone" && here.dropped - facts.dropped > HEARD_SAMPLES)
        mention(times < 1.2
          ? `This computer emulates the chip only ${number(times, 1)} times as fast as it is: sound is left out, so that the words are not late.`
          : "The page was held up: a piece of sound was left out, so that the words are not late.");
      const loud = peak;
      quiet = source && source.name === "microphone" && loud < 0.05 ? quiet + passed : 0;
      if (quiet > 8 && gain < Math.max(...data.gains)) {
        quiet = 0;
        mention("It is very quiet: speak up, come nearer, or turn up the amplifier below.");
      }
    }
    const blocks = Math.ceil(dropped / block), lost = dropped / rate;
    view.text("dropped", blocks ? `${blocks} block${blocks > 1 ? "s" : ""}, ${number(lost, 2)} s` : "none");
    view.text("firmware", board.version().replace(/^\S+ /, ""));
    facts = here;
  };
  const draw = (time) => {
    requestAnimationFrame(draw);
    if (!changed) return;
    if (view.still && facts && time - facts.time < FACTS_MS) return; // twice a second moves little
    changed = false;
    view.picture.draw();
    if (!facts || time - facts.time >= FACTS_MS) report(time);
    view.level(peak);
    peak *= 0.9;
  };
  const away = () => { // to another tab and back
    if (document.hidden) {
      hidden = source && source.name === "microphone" ? { time: performance.now(), seconds: board.now(), dropped } : null;
      return;
    }
    if (!hidden || !source || source.name !== "microphone") return;
    const passed = (performance.now() - hidden.time) / 1000, got = board.now() - hidden.seconds;
    mention(passed - got < BEHIND_S
      ? `While you were away it listened on: ${number(passed, 1)} s, and nothing was lost.`
      : `While you were away your browser gave it ${number(got, 1)} s of ${number(passed, 1)} s of sound; the rest is lost.`);
    hidden = null;
  };

  const instance = async () => boardOf((await WebAssembly.instantiate(module, {})).exports);
  const panel = {
    data, // what the page knows
    classifiers: [{ name: "the chip", classify: async (clip) => liveClassify(await instance(), data, clip) }],
    sound, stop, keep,
    board: () => board,
    source: () => source,
    dropped: () => dropped,
  };
  root.live = panel;
  const ready = (async () => {
    module = await WebAssembly.compile(bytes(data.wasm));
    data.image = bytes(data.image);
    board = liveBoard(await instance(), data, told);
    board.begin();
    const clips = Object.fromEntries(Object.entries(data.clips).map(([name, text]) => [name, bytes(text)]));
    root.querySelectorAll("[data-clip]").forEach((button) => {
      button.onclick = () => play("clip", new Blob([clips[button.dataset.clip]], { type: "audio/flac" }), data.clip_hz);
    });
    part("microphone").onclick = speak;
    part("stop").onclick = stop;
    part("file").onchange = ({ target }) => {
      if (target.files.length) play("file", target.files[0], RATE);
      target.value = "";
    };
    part("keep").onclick = () => keep(volts(KEPT_S * RATE, 0));
    part("first").onchange = set;
    part("gain").onchange = () => { if (source && source.name === "microphone") gain = Number(part("gain").value); };
    root.querySelectorAll("[name=live-sensitivity]").forEach((radio) => { radio.onchange = set; });
    root.querySelectorAll("[disabled]").forEach((control) => { control.disabled = false; });
    document.addEventListener("visibilitychange", away);
    requestAnimationFrame(draw);
    say(navigator.mediaDevices ? invitation : microphoneTrouble(null));
    return panel;
  })();
  panel.ready = ready.catch((error) => { say(`This browser cannot run the chip (${error.message}): try a newer one.`); });
}
