// The ten-cent chip, listening inside a web page (`widgets.live_page`): sounds from microphone.js, or that are there, to the
// board of live_board.js; what it says and has in memory, to the view of live_view.js. No library, nothing loaded from
// anywhere, and nothing leaves the page. Chapter 10.

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

// The panel: root is its section in the page, data what `live.live_data` makes. root.live is it, for tests and for what
// stands beside it: {ready, sound(samples), stop(), keep(volts), classifiers, ...}; root tells each line of the board and
// each frame as events, live-line and live-frame.
function livePanel(root, data) {
  const RATE = data.signal_hz, KEPT_S = 2, AFTER_S = 1.2, FACTS_MS = 500, PASSING_MS = 8000;
  const BEHIND_S = 0.3, DROP_S = 1.5, WORTH_S = 0.05; // late, too late, and what is worth a word
  const QUIET = 0.05, QUIET_S = 8; // of the converter's range, for so long
  const SPARE = 1.2; // times the chip's speed: with less it does not keep up
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const kept = new Uint16Array((KEPT_S + 2) * RATE).fill(32768); // the newest volts; some of them the board has yet to hear
  const view = liveView(root, data), { part } = view;
  const microphone = { block: 1, rate: RATE, resampler: null, dropped: 0, behind: false, late: 0 };
  let module, board, source = null, settling = null, gain = 1, least = data.classes.map(() => 0), changed = true;
  let peak = 0, quiet = 0, facts = null, hidden = null, standing = "", passing = null, asked = 0;

  const joined = (one, other) => {
    const all = new Float32Array(one.length + other.length);
    all.set(one);
    all.set(other, one.length);
    return all;
  };
  const on = (target, what, how) => target.addEventListener(what, how);
  const speaking = () => source && source.name === "microphone";
  const say = (text) => { // until something else is said
    standing = text;
    clearTimeout(passing);
    view.text("status", text);
  };
  const mention = (text) => { // for a while
    clearTimeout(passing);
    passing = setTimeout(() => view.text("status", standing), PASSING_MS);
    view.text("status", text);
  };
  const word = () => { // that is waited for
    const { first } = (board && board.settings()) || { first: null };
    return first === null
      ? `say ${data.words.slice(0, -1).join(", ")} or ${data.words.at(-1)}`
      : `say ${first} first: then one word counts, for ${Math.round(data.open_s)} seconds`;
  };
  const invitation = () => `Press the button and ${word()}.`;

  // ---- what the board hears

  const volts = (count, after) => kept.slice(kept.length - after - count, kept.length - after); // `after`: newer ones
  const unheard = () => Math.max(0, Math.round((board.board.heardUntil() - board.now()) * RATE));
  const sound = (samples) => { // at the board's rate, -1 .. 1
    const wave = microphoneVolts(samples, gain);
    if (!wave.length) return;
    kept.copyWithin(0, wave.length);
    kept.set(wave, kept.length - wave.length);
    peak = wave.reduce((most, v) => Math.max(most, Math.abs(v - 32768) / 32767), peak);
    changed = true;
    try {
      board.hear(wave);
    } catch (error) {
      board.begin();
      root.dispatchEvent(new CustomEvent("live-begin"));
      stop();
      say(`${error.message} It was switched on anew.`);
    }
  };
  const settle = () => { // a while of silence: the light goes out, an answer comes
    if (settling) settling();
    settling = liveSounds(new Float32Array(AFTER_S * RATE), RATE, false, sound, () => { settling = null; });
  };
  const begin = (what) => { // one source at a time
    stop();
    if (settling) settling();
    settling = null;
    source = what;
    gain = what.gain;
    view.noWord();
    view.playing(!speaking());
  };
  const stop = () => {
    if (!source) return;
    const { end } = source;
    source = null;
    end();
    gain = 1;
    view.playing(false);
    view.speaking(false, "Speak to the chip");
    say(invitation());
    settle();
  };

  const heard = (samples, missing, late) => { // a block from the microphone
    microphone.behind = late > (microphone.behind ? BEHIND_S : DROP_S); // too late: leave out what there is, up to now
    microphone.late = late;
    microphone.dropped += Math.max(0, missing) + (microphone.behind ? samples.length : 0);
    if (!microphone.behind) sound(microphone.resampler.push(samples));
  };
  const state = (now) => {
    if (now === "running") {
      view.speaking(true, "Stop listening");
      say(`It listens: ${word()}.`);
    } else if (now !== "closed") {
      view.speaking(true, "Go on");
      say(`The browser holds the sound back (the audio is ${now}): press the button to go on.`);
    }
  };
  const speak = async () => {
    if (speaking()) {
      if (!source.opened) return; // the browser still asks
      if (source.opened.context.state === "running") stop();
      else await source.opened.resume();
      return;
    }
    const here = { name: "microphone", gain: Number(part("gain").value), opened: null, end: () => {} };
    begin(here);
    view.speaking(true, "Wait …");
    say("Your browser asks whether this page may use the microphone.");
    try {
      const opened = await openMicrophone({ heard, state, gone: (line) => { stop(); say(line); } });
      if (source !== here) return void opened.close();
      here.opened = opened;
      here.end = opened.close;
      Object.assign(microphone, { block: opened.block, rate: opened.rate, dropped: 0, behind: false, late: 0 });
      microphone.resampler = soundResampler(opened.rate, RATE);
      state(opened.context.state);
    } catch (error) {
      if (source !== here) return;
      stop();
      say(error.message);
    }
  };
  const play = async (name, file, fileHz) => { // a sound that is there: aloud, unless it goes as fast as it can
    const fast = name === "file" && part("fast").checked, player = new Audio(), here = { name, gain: 1, end: () => {} };
    begin(here);
    say("Reading …");
    try {
      const up = soundResampler(fileHz, RATE), samples = await soundOfFile(await file.arrayBuffer(), fileHz);
      if (source !== here) return;
      const ready = fileHz === RATE ? samples : joined(up.push(samples), up.end());
      if (!fast) {
        player.src = URL.createObjectURL(file);
        player.play().catch(() => {}); // where the browser wants no sound, the chip hears it all the same
      }
      say(fast ? "The chip hears it as fast as this computer can." : "The chip hears it.");
      const quit = liveSounds(ready, RATE, fast, (piece, share) => {
        sound(piece);
        view.progress(share);
      }, stop);
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
  const recite = async (files, fileHz) => { // recordings one behind the other, as a microphone would hear them
    const here = { name: "recordings", gain: 1, end: () => {} }, up = soundResampler(fileHz, RATE);
    begin(here);
    let all = new Float32Array(0);
    for (const file of files) all = joined(all, await soundOfFile(file.buffer.slice(0), fileHz));
    if (source !== here) return;
    say("The chip hears the recordings.");
    here.end = liveSounds(joined(up.push(all), up.end()), RATE, false, (piece, share) => {
      sound(piece);
      view.progress(share);
    }, stop);
  };

  // ---- what it says, and what did it hear?

  const keep = async (wave) => {
    const samples = Float32Array.from(wave, (v) => v / 32768 - 1), down = soundResampler(RATE, data.clip_hz);
    const second = liveSecond(liveSamples(wave), data.second);
    view.kept(wavFile(joined(down.push(samples), down.end()), data.clip_hz));
    const turn = ++asked;
    for (const { name, classify } of panel.classifiers) { // one after the other, so that they stand in their order
      const logits = await classify(second);
      if (turn !== asked) return; // about something else, meanwhile
      const powers = logits.map((logit) => Math.exp((logit - Math.max(...logits)) * data.logit_step));
      const sum = powers.reduce((a, b) => a + b);
      view.answer(name, powers.map((power) => power / sum));
    }
  };
  const told = {
    line(text) {
      view.text("line", text);
      if (text.startsWith(data.lines.lost)) mention(`The board says that it lost samples: ${text}.`);
      root.dispatchEvent(new CustomEvent("live-line", { detail: text }));
    },
    settings(setting) {
      least = data.least_leads[setting.sensitivity];
      view.settings(setting);
      if (!source && board) say(invitation());
      else if (speaking() && source.opened) state(source.opened.context.state);
    },
    word({ name, frame }) {
      const wave = volts(KEPT_S * RATE, unheard());
      view.word({ name, seconds: frame * data.hop / data.rate, hear: () => {
        keep(wave);
        view.hear();
      } });
      changed = true;
    },
    frame(frame) {
      const window = volts(4 * data.window, Math.round((board.board.heardUntil() - frame.seconds) * RATE));
      view.picture.push(liveSamples(window), frame);
      view.led(frame.led);
      if (frame.sums) view.sums([...frame.sums], least);
      changed = true;
      root.dispatchEvent(new CustomEvent("live-frame", { detail: frame }));
    },
  };
  const set = () => {
    const sensitivity = root.querySelector("[name=live-sensitivity]:checked").value, first = part("first").value || null;
    board.set(data.settings.find((setting) => setting.sensitivity === sensitivity && setting.first === first));
    if (!source) settle();
  };

  // ---- twice a second: how it goes

  const number = (value, digits) =>
    value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
  const report = (time) => {
    const value = (name) => board.board.value(name), { dropped, rate } = microphone;
    const here = { time, seconds: board.now(), cycles: value("cycles"), slept: value("slept"), dropped };
    const passed = facts ? here.seconds - facts.seconds : 0, times = board.speed();
    if (passed > 0 && here.cycles > facts.cycles) {
      const cycles = here.cycles - facts.cycles, slept = here.slept - facts.slept;
      view.text("cycles", `${number((cycles - slept) / passed / 1e6, 1)} of ${number(value("clock") / 1e6, 0)} million at work`);
      view.text("asleep", `${number(100 * slept / cycles, 0)} % of the time`);
      view.text("speed", `${number(times, times < 10 ? 1 : 0)} times its speed`);
    }
    const blocks = Math.ceil(dropped / microphone.block);
    view.text("dropped", blocks ? `${blocks} block${blocks > 1 ? "s" : ""}, ${number(dropped / rate, 2)} s` : "none");
    view.text("firmware", board.version().slice(data.lines.version.length));
    const left = facts && dropped - facts.dropped > WORTH_S * rate, { late } = microphone;
    if (speaking() && (left || late > BEHIND_S)) {
      if (times < SPARE)
        mention(`Your computer emulates the chip only ${number(times, 1)} times as fast as it is: sound is left out, so ` +
          "that no word is late.");
      else if (left) mention("The page was held up: a piece of sound was left out, so that no word is late.");
      else mention(`It is ${number(late, 1)} s behind and catches up.`);
    }
    quiet = speaking() && peak < QUIET ? quiet + passed : 0;
    if (quiet > QUIET_S && gain < Math.max(...data.gains)) {
      quiet = 0;
      mention("It is very quiet: speak up, come nearer, or turn up the amplifier below.");
    }
    facts = here;
  };
  const draw = (time) => {
    requestAnimationFrame(draw);
    if (!changed || (view.still && facts && time - facts.time < FACTS_MS)) return;
    changed = false;
    view.picture.draw();
    view.level(peak);
    if (!facts || time - facts.time >= FACTS_MS) report(time);
    peak *= 0.9;
  };
  const away = () => { // to another tab, and back
    if (document.hidden) hidden = speaking() ? { source, time: performance.now(), seconds: board.now() } : null;
    else if (hidden && hidden.source === source) {
      const passed = (performance.now() - hidden.time) / 1000, got = board.now() - hidden.seconds;
      mention(passed - got < BEHIND_S
        ? `While you were away it listened on, for ${number(passed, 1)} s; nothing was lost.`
        : `While you were away the browser gave it ${number(got, 1)} s of ${number(passed, 1)} s of sound; the rest is lost.`);
    }
  };

  const instance = async () => boardOf((await WebAssembly.instantiate(module, {})).exports);
  const panel = {
    sound, stop, keep, view,
    listen: async () => { if (!speaking()) await speak(); },
    play: (files) => recite(files, data.rate),
    word(page, place, answer) {
      board.word(page, place, answer);
      if (!source) settle();
    },
    classifiers: [{ name: "the chip", classify: async (clip) => liveClassify(await instance(), data, clip) }], // of a second
    board: () => board,
    source: () => source,
    microphone: () => microphone,
  };
  const start = async () => {
    module = await WebAssembly.compile(bytes(data.wasm));
    data.image = bytes(data.image);
    board = liveBoard(await instance(), data, told);
    board.begin();
    await liveTeaching(panel, root, data.teach);
    for (const button of root.querySelectorAll("[data-clip]")) {
      const file = new Blob([bytes(data.clips[button.dataset.clip])], { type: "audio/flac" });
      on(button, "click", () => play("clip", file, data.clip_hz));
    }
    on(part("microphone"), "click", speak);
    on(part("stop"), "click", stop);
    on(part("file"), "change", ({ target }) => {
      if (target.files.length) play("file", target.files[0], RATE);
      target.value = "";
    });
    on(part("keep"), "click", () => keep(volts(KEPT_S * RATE, 0)));
    on(part("gain"), "change", () => { if (speaking()) gain = Number(part("gain").value); });
    for (const control of [part("first"), ...root.querySelectorAll("[name=live-sensitivity]")]) on(control, "change", set);
    for (const control of root.querySelectorAll("[disabled]")) control.disabled = false;
    on(document, "visibilitychange", away);
    requestAnimationFrame(draw);
    say(navigator.mediaDevices ? invitation() : microphoneTrouble(null));
  };
  root.live = panel;
  panel.ready = start().catch((error) => say(`This browser cannot run the chip (${error.message}): try a newer one.`));
}
