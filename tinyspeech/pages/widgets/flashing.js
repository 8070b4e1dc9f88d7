// A board that is flashed from the page (`widgets.flash_panel`): serialLine is a port of the browser's Web Serial, or what
// stands for one, as a line of isp.js; virtualPort stands for one, in front of the emulated board of board.js; flashPanel
// is what the reader sees. No library, nothing loaded from anywhere, and nothing leaves the page. Chapter 14.

function serialLine(port, spec) {
  const WORTH_S = 0.05; // bytes that take less to send are not waited for: the answer's time has room for them
  let waiting = new Uint8Array(0), lost = false, closing = false, reader = null, pumping = null, free = 0;
  let wake = () => null;
  const now = () => performance.now() / 1000;
  const gone = () => ispError("PortLost", ispText(spec, "lost", { port: "the port" }));
  const pump = async () => {
    while (port.readable && !lost) {
      reader = port.readable.getReader();
      try {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) {
            lost = true;
            break;
          }
          waiting = ispJoin(waiting, value);
          wake();
        }
      } catch {
        // a garbled byte, as when a board is reset: some are lost, and there is a new stream; or none, when the port is gone
      } finally {
        reader.releaseLock();
      }
    }
    lost = true;
    wake();
  };
  const within = (seconds, start) => new Promise((resolve, reject) => { // false, when it takes longer
    const timer = setTimeout(resolve, 1000 * seconds, false);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    }, (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
  return {
    now,
    async open() {
      try {
        await port.open({ baudRate: spec.baud, bufferSize: 4096 });
      } catch (error) {
        throw ispError("UserError", ispText(spec, error.name === "InvalidStateError" ? "open" : "busy"));
      }
      pumping = pump();
    },
    async write(bytes) {
      lost ||= !port.writable;
      if (lost) throw gone();
      if (!bytes.length) return;
      const writer = port.writable.getWriter(), sent = writer.write(Uint8Array.from(bytes));
      try {
        const taken = await within(spec.write_s, (done, failed) => { sent.then(() => done(true), failed); });
        if (!taken) throw gone();
      } catch {
        lost = true;
        throw gone();
      } finally {
        writer.releaseLock();
      }
      free = Math.max(free, now()) + bytes.length * spec.byte_s;
      if (free - now() > WORTH_S) await within(free - now(), () => null);
    },
    async read(count, seconds) {
      const until = now() + seconds;
      while (waiting.length < count && !lost && until > now())
        await within(until - now(), (done) => { wake = () => done(true); });
      if (lost && !closing && waiting.length < count) throw gone();
      const some = waiting.slice(0, count);
      waiting = waiting.slice(count);
      return some;
    },
    async close() {
      closing = true;
      for (const step of [() => reader.cancel(), () => pumping, () => port.close()]) {
        try {
          await step();
        } catch {
          // what went away, or was never open, cannot be closed, and need not be
        }
      }
    },
  };
}

// As far as serialLine is concerned a SerialPort: an emulated board behind it, whose time passes while the port is open,
// `pace` times as fast as the reader's. unplug(): the cable is pulled, and with it the power.
function virtualPort(board, pace) {
  const TICK_MS = 4, BEHIND_S = 0.5; // a computer that falls further behind gives up the difference
  let output = null, input = null, timer = null, before = 0;
  const tick = () => {
    const now = performance.now();
    board.advance(Math.min(pace * (now - before) / 1000, BEHIND_S));
    before = now;
    const said = board.received();
    if (said.length) output.enqueue(said);
  };
  const stop = () => {
    clearInterval(timer);
    port.readable = port.writable = null;
  };
  const port = {
    readable: null,
    writable: null,
    getInfo: () => ({}),
    async setSignals() {},
    async open() {
      if (port.readable) throw new DOMException("The port is open.", "InvalidStateError");
      board.received();
      port.readable = new ReadableStream({ start: (controller) => { output = controller; } });
      port.writable = new WritableStream({
        start: (controller) => { input = controller; },
        write: (bytes) => board.send(bytes),
      });
      before = performance.now();
      timer = setInterval(tick, TICK_MS);
    },
    async close() {
      stop();
    },
    unplug() {
      if (!port.readable) return;
      const lost = new DOMException("The device has been lost.", "NetworkError");
      output.error(lost);
      input.error(lost);
      stop();
      board.power();
    },
  };
  return port;
}

// root: its section in the page; data: what `flashing.panel_data` makes. root.flashing is for tests.
function flashPanel(root, data) {
  const { spec } = data, LINES = 200, HZ = 32000;
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const image = bytes(data.image), memory = { words: null, network: "" }, lines = [];
  let chosen = null, here = null, doing = "", ended = false, refused = false;

  const isMine = () => part("mine").checked;
  const say = (text, wrong) => {
    part("note").textContent = text;
    part("note").classList.toggle("ts-error", Boolean(wrong));
  };
  const show = (share, what) => {
    const percent = Math.round(100 * share);
    part("progress").style.setProperty("--ts-share", percent);
    part("progress").setAttribute("aria-valuenow", percent);
    part("progress").setAttribute("aria-valuetext", what);
    part("step").textContent = what;
  };
  const log = (text) => {
    lines.push(text);
    lines.splice(0, lines.length - LINES);
    part("log").textContent = lines.join("\n");
    part("log").scrollTop = part("log").scrollHeight;
  };
  const draw = () => {
    const mine = isMine(), idle = !doing;
    part("flash").disabled = part("virtual").disabled = part("other").disabled = part("blank").disabled = !idle;
    part("mine").disabled = !idle || !navigator.serial;
    part("listen").disabled = doing === "flash";
    part("listen").textContent = doing === "listen" ? "Stop listening" : "Listen";
    part("listen").setAttribute("aria-pressed", doing === "listen");
    part("plug").hidden = part("blank").hidden = part("clips").hidden = mine;
    part("plug").disabled = idle;
    part("other").hidden = !mine || !chosen;
    root.querySelectorAll("[data-clip]").forEach((button) => { button.disabled = doing !== "listen"; });
  };

  const virtual = async () => { // the board in the page; blank at first
    if (!here) {
      const { instance } = await WebAssembly.instantiate(bytes(data.wasm), {}), board = boardOf(instance.exports);
      board.blank();
      here = { board, port: virtualPort(board, data.pace) };
      root.flashing = here;
    }
    return here.port;
  };
  const own = async () => { // the reader's, which the browser lets them choose
    try {
      chosen ||= await navigator.serial.requestPort();
    } catch (error) {
      throw ispError("UserError", error.name === "NotFoundError" ? ispText(spec, "unchosen") :
        ispText(spec, "refused", { why: error.message }));
    }
    return chosen;
  };

  const flash = async (line) => {
    show(0, "");
    say("Asking the board what it runs ...");
    const told = {
      progress(done, total) {
        const step = done <= total / 2 ? "programming" : "comparing";
        say("Flashing: leave the cable in until it is done.");
        show(done / total, `${step}, ${Math.round(100 * done / total)} %`);
      },
      giveUp: () => refused,
    };
    const result = await ispFlashAll(line, image, spec, memory, told);
    const words = result.words ? ` Its taught words are on it again, ${result.words}.` : "";
    const left = memory.words ? ` ${ispText(spec, "words_left")}` : "";
    const runs = result.answer ? `It runs: ${result.answer}.` : ispText(spec, result.started ? "runs" : "unsaid");
    const again = result.sessions > 1 ? `, after ${result.sessions} sessions` : "";
    show(1, "done");
    log(`flashed and verified: ${result.answer || ""}`.trim());
    return `${result.bytes.toLocaleString("en")} bytes flashed and verified${again}: ${result.variant}, ROM bootloader ` +
      `${result.bootloader}. ${runs}${words}${left}`;
  };
  const listen = async (line, said) => {
    doing = "listen";
    draw();
    const told = {
      line: () => null,
      notice: (text) => log(`(${text})`),
      word: (word, seconds) => log(`${seconds.toFixed(2).padStart(8)} s  ${word}`),
    };
    say(`${said}${said ? " " : ""}It listens${isMine() ? " to its microphone" : ": play it a word"}.`);
    const frames = await ispListen(line, spec, told, () => ended);
    log(`(it listened for ${(frames * spec.frame_s).toFixed(0)} s)`);
    say("It waits for commands.");
  };
  const work = async (what) => {
    if (doing) return;
    doing = what;
    ended = false;
    draw();
    let line = null;
    try {
      const port = isMine() ? await own() : await virtual();
      line = serialLine(port, spec);
      await line.open();
      await listen(line, what === "flash" ? await flash(line) : "");
      refused = false;
    } catch (error) {
      const known = ["UserError", "PortLost", "Talking"].includes(error.name);
      if (!known) console.error(error);
      refused = what === "flash" && error.message.startsWith(ispText(spec, "other_words").split("{")[0]);
      if (error.name === "PortLost" || !line) chosen = null; // the next time the reader chooses anew
      say(`${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`, true);
    } finally {
      if (line) await line.close();
      doing = "";
      draw();
    }
  };
  const play = async (button) => {
    button.disabled = true;
    const sound = await soundOfFile(bytes(data.clips[button.dataset.clip]).buffer, data.clip_hz);
    const up = soundResampler(data.clip_hz, HZ), first = up.push(sound), last = up.end();
    here.board.hear(microphoneVolts([...first, ...last], 1));
    draw();
  };

  part("flash").addEventListener("click", () => work("flash"));
  part("listen").addEventListener("click", () => {
    ended = true;
    work("listen");
  });
  part("plug").addEventListener("click", () => here.port.unplug());
  part("blank").addEventListener("click", async () => {
    await virtual();
    here.board.blank();
    show(0, "");
    say(ispText(spec, "blank"));
  });
  part("other").addEventListener("click", () => {
    chosen = null;
    draw();
    say(ispText(spec, "next_port"));
  });
  root.querySelectorAll("[data-clip]").forEach((button) => button.addEventListener("click", () => play(button)));
  ["virtual", "mine"].forEach((name) => part(name).addEventListener("change", () => {
    show(0, "");
    say(ispText(spec, isMine() ? "own" : "blank"));
    draw();
  }));
  part("virtual").checked = true; // browsers remember what was chosen before
  part("why").hidden = Boolean(navigator.serial);
  part("why").textContent = ispText(spec, window.isSecureContext ? "no_serial" : "insecure");
  say(ispText(spec, "blank"));
  draw();
}
