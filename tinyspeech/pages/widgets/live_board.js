// The emulated board of the live panel (`widgets.live_page`): liveBoard speaks with it over its serial port, as `listen`
// does, and looks into its RAM; liveClassify asks a second one about a second of sound. No library. Chapter 10.

// A board that listens. told.line(text): each line that it says; told.word({name, frame}); told.settings({sensitivity,
// first}); told.frame({frame, seconds, coefficients, sums, weights, led}): of 20 ms, before the next one: twelve
// coefficients, when they were there, and where a batch was finished with it, the sums before a report clears them, and
// the weights, 0 .. 1, of the frames of scores in that batch; else null and none.
function liveBoard(board, data, told) {
  const { commands, lines } = data, WAIT_S = 0.005; // so often it is looked what it says
  const as = (Kind, bytes) => new Kind(bytes.slice().buffer);
  const now = () => board.value("seconds");
  let text = "", questions = [], frames = null, frame = null, spent = 0, seconds = 0, version = "", kept = null;

  const ask = () => { if (questions.length) board.send(Uint8Array.from(questions[0].bytes)); };
  const question = (bytes, start, more) => { // each when the one before is answered
    questions.push({ bytes, start, ...more });
    if (questions.length === 1) ask();
  };
  const answered = () => {
    questions.shift();
    ask();
  };
  const understand = (line) => {
    if (questions.length && line.startsWith(questions[0].start)) answered();
    const [what, ...words] = line.split(" ");
    if (line === lines.listening) [frames, frame] = [0, null];
    else if (what === lines.stopped) frames = null;
    else if (what === lines.word) told.word({ name: words[0], frame: Number(words[1]) });
    else if (line.startsWith(lines.version)) version = line;
    else if (line.startsWith(lines.settings)) {
      kept = data.settings.find(({ bytes }) => bytes[0] === line.charCodeAt(lines.settings.length)) || null;
      if (kept) told.settings(kept);
    }
    told.line(line);
  };
  const look = {
    coefficients(bytes, when) { // another frame begins, and the last one is over
      if (frame) told.frame({ ...frame, led: board.pin(data.led) });
      frame = { frame: ++frames, seconds: when, coefficients: as(Int8Array, bytes), sums: null, weights: [] };
    },
    sums(bytes) { frame.sums = as(Int32Array, bytes); },
    weight(bytes) { frame.weights.push(as(Int32Array, bytes)[0] / data.weight_one); },
  };
  const receive = () => {
    for (const one of board.seen()) if (frames !== null) look[data.watched[one.watch]](one.bytes, one.seconds);
    for (const byte of board.received()) {
      const { got, count, told: answer } = questions[0] || {};
      if (!got) text += String.fromCharCode(byte);
      else if (got.push(byte) === count) {
        answered();
        answer(got);
      }
    }
    const whole = text.split("\n");
    text = whole.pop();
    whole.forEach(understand);
  };
  const advance = (until) => {
    const began = performance.now(), from = now();
    for (let left; (left = until - now()) > 1e-6;) {
      if (board.advance(Math.min(WAIT_S, left)) === "fault") throw new Error(`The chip stopped: ${board.fault()}.`);
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
      board.watch(data.watches);
      text = version = "";
      questions = [];
      frames = frame = kept = null;
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
    word(page, place, answer) { // keep a taught word's page there; answer(what the board has there then)
      question(commands.stop, lines.stopped);
      question([...commands.word, ...page, place, place ^ 0xff], null, { got: [], count: page.length, told: answer });
      listen();
    },
    hear(volts) { // and let the time of it pass
      board.hear(volts);
      advance(board.heardUntil());
    },
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

// The second in which there is most to hear, looked for in steps of 10 ms, as `classify` does it with a long file
// (`audio.fit_to_second`): of each step the power of second differences, in octaves above a share of the loudest one's.
// how: {rate, grids, lag, straight, quiet, units}
function liveSecond(samples, how) {
  const step = how.rate / how.grids, { lag } = how, energy = [];
  const at = (i) => samples[Math.max(i, 0)], slope = (i) => at(i) - at(i - lag);
  for (let from = 0; from < samples.length; from += step) {
    let sum = 0;
    for (let i = from; i < Math.min(from + step, samples.length); i++)
      if (i >= from + 2 * lag || from + step > samples.length)
        sum += (slope(i) - slope(i - lag)) ** 2 + how.straight * slope(i) ** 2;
    energy.push(sum);
  }
  const most = Math.max(...energy), loud = energy.map((one) =>
    most ? Math.round(Math.log2(1 + one / (how.quiet * most)) * how.units) : 0);
  let best = 0, largest = -1;
  for (let first = 0; first + how.grids <= loud.length; first++) {
    const sum = loud.slice(first, first + how.grids).reduce((a, b) => a + b);
    if (sum > largest) [largest, best] = [sum, first];
  }
  const second = new Int16Array(how.rate), start = Math.min(best * step, Math.max(0, samples.length - how.rate));
  second.set(samples.subarray(start, start + how.rate));
  return second;
}
