// The emulated chip inside a web page (`widgets.chip_page`): chipMachine speaks to the WebAssembly of page.c
// and plays the other side of the serial port; chipPage draws it. No library, nothing loaded from anywhere. Chapter 13.

function chipMachine(chip) {
  const memory = () => new Uint8Array(chip.memory.buffer);
  let clip, at, answer;
  const receive = (bytes) => {
    memory().set(bytes, chip.page_received());
    chip.page_receive(bytes.length);
  };
  const take = (byte) => { // the firmware asks for `byte` samples; 0: its answer follows
    if (!clip) return;
    if (answer) answer.push(byte);
    else if (byte === 0) answer = [];
    else receive(clip.subarray(at, (at += 2 * byte)));
  };
  return {
    value: (what) => chip.page_value(what),
    load(image) {
      memory().set(image, chip.page_image());
      chip.page_reset(image.length);
      clip = answer = undefined;
    },
    say(samples) { // a clip, int16 at 8 kHz as bytes
      clip = samples;
      at = 0;
      answer = undefined;
      receive([0x43]);
    },
    run(cycles) { // -> why it stopped
      const stop = chip.page_run(cycles);
      for (let i = 0; chip.page_sent(i) >= 0; i++) take(chip.page_sent(i));
      return stop;
    },
    logits() { // of the clip, when they are there
      if (!answer || answer.length < 49) return null;
      return Array.from(new Int32Array(Uint8Array.from(answer.slice(0, 48)).buffer));
    },
  };
}

function chipPage(root, data) {
  const SLICE = 2e6; // cycles between two looks at the page
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const hex = (value) => "0x" + value.toString(16);
  const number = (value) => value.toLocaleString("en");
  let machine, program, code, running = false, before = [], note = "";

  const functionAt = (pc) => program.functions.find(([start, end]) => start <= pc && pc < end);
  const draw = () => {
    const pc = machine.value(16), place = functionAt(pc), here = code.findIndex(([at]) => at === pc);
    const lines = code.slice(Math.max(0, here - 4), Math.max(0, here - 4) + 11).map(([at, text]) => {
      const name = program.functions.find(([start]) => start === at);
      const line = `${at.toString(16).padStart(6)}  ${text}`.replace(/&/g, "&amp;").replace(/</g, "&lt;");
      return (name ? `<span style="color:var(--ts-grey)">${name[2]}:</span>\n` : "") +
        (at === pc ? `<b style="background:#e69f0066">${line.padEnd(36)}</b>` : line);
    });
    part("code").innerHTML = here < 0 ? "(not in the listing)" : lines.join("\n");
    part("registers").innerHTML = data.registers.map((name, i) => {
      const value = machine.value(i), look = value === before[i] ? "" : " class='ts-changed'";
      return `<span${look}>${name.padEnd(4)} ${value.toString(16).padStart(8, "0")}</span>`;
    }).join("");
    before = data.registers.map((_, i) => machine.value(i));
    part("state").textContent = `cycle ${number(machine.value(17))}, instruction ${number(machine.value(18))}, ` +
      `pc ${hex(pc)}${place ? " in " + place[2] : ""}, clock ${machine.value(21) / 1e6} MHz, ` +
      `deepest stack ${machine.value(22)} bytes`;
    part("note").textContent = note;
    const logits = machine.logits();
    part("answer").innerHTML = !logits ? "" : logits.map((logit, i) => {
      const best = logit === Math.max(...logits), name = data.classes[i].replace(/_/g, "");
      return `<span${best ? " class='ts-changed'" : ""}>${name.padEnd(8)}${String(logit).padStart(7)}</span>`;
    }).join("");
  };
  const why = (stop) => {
    const pc = hex(machine.value(16)), address = hex(machine.value(20));
    return {
      fault: `The chip stopped: ${data.faults[machine.value(19)]} at pc ${pc}, address ${address}.`,
      break: "ebreak: the program ends here.",
      boot: "A reset into the ROM bootloader.",
      starved: `${machine.logits() ? "The answer is there. " : ""}It waits for a byte from the serial port.`,
    }[stop] || "";
  };
  const step = (count) => {
    running = false;
    let stop, cycles = machine.value(17);
    for (let i = 0; i < count && !["fault", "break", "boot"].includes(stop); i++) stop = data.stops[machine.run(1)];
    cycles = machine.value(17) - cycles;
    const what = count === 1 ? "That instruction" : `Those ${count} instructions`;
    note = why(stop) || `${what} took ${number(cycles)} cycle${cycles === 1 ? "" : "s"}.`;
    draw();
  };
  const slice = () => {
    if (!running) return;
    const until = machine.value(17) + SLICE;
    let stop = "transmit";
    while (stop === "transmit" && machine.value(17) < until) stop = data.stops[machine.run(until - machine.value(17))];
    running = stop === "transmit" || stop === "budget";
    note = running ? "It runs." : why(stop);
    draw();
    if (running) setTimeout(slice, 0);
  };
  const run = () => {
    running = true;
    slice();
  };
  const choose = () => {
    running = false;
    program = data.programs[part("program").value];
    code = program.listing.split("\n").map((line) => [parseInt(line, 16), line.slice(line.indexOf(" ") + 1)]);
    machine.load(bytes(program.image));
    before = data.registers.map((_, i) => machine.value(i));
    note = program.note;
    part("clips").innerHTML = "";
    for (const [word, samples] of Object.entries(program.clips)) {
      const button = document.createElement("button");
      button.className = "ts-button";
      button.textContent = `say “${word}”`;
      button.addEventListener("click", () => {
        machine.say(bytes(samples));
        run();
      });
      part("clips").append(button);
    }
    draw();
  };
  WebAssembly.instantiate(bytes(data.wasm), {}).then(({ instance }) => {
    machine = chipMachine(instance.exports);
    data.programs.forEach((one, i) => part("program").add(new Option(one.name, i)));
    part("program").addEventListener("change", choose);
    part("reset").addEventListener("click", choose);
    part("step").addEventListener("click", () => step(1));
    part("steps").addEventListener("click", () => step(100));
    part("run").addEventListener("click", run);
    choose();
  });
}
