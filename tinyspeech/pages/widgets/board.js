// The whole emulated board inside a web page: boardOf wraps the WebAssembly of chip/core/script.c (`emulator.wasm`), and all
// that a script needs of it is here: flash, microphone, serial line, pins, power, and time, which passes in advance only.
//
//   const { instance } = await WebAssembly.instantiate(bytes, {}), board = boardOf(instance.exports);
//   board.flash(firmware);
//   board.advance(0.02);
//   board.send(new Uint8Array([0x4c])); // "L": listen
//   board.hear(volts); // 32,000 a second
//   board.advance(volts.length / 32000);
//   board.received(); // what it says
//
// Chapter 14.

function boardOf(exports) {
  const BUFFER = 65536; // bytes of the buffer that the C and the script share
  const HEARD_HZ = 32000, SLICE_S = 1; // the C keeps four seconds of the signal
  const TIME = 0, FULL = 2; // enum board_stop
  const VALUES = ["seconds", "cycles", "slept", "clock", "resets", "conversions", "dropped", "stack", "gaps", "in_rom",
    "fault", "pc", "fault_address", "heard_until", "instructions"]; // in the order of script_value
  let sent = [], line = [], volts = [];

  const buffer = () => new Uint8Array(exports.memory.buffer, exports.script_buffer(), BUFFER);
  const samples = () => new Uint16Array(exports.memory.buffer, exports.script_buffer(), BUFFER / 2);
  const taken = (count) => buffer().slice(0, count);
  const value = (name) => exports.script_value(VALUES.indexOf(name));
  const hex = (number) => "0x" + number.toString(16).padStart(8, "0");
  const port = (pin) => "ACD".indexOf(pin[1]);
  // What waits here goes into the C as far as there is room.
  const feed = (waiting, view, give) => {
    while (waiting.length) {
      const piece = waiting[0].subarray(0, view().length);
      view().set(piece);
      const count = give(piece.length);
      if (count === waiting[0].length) waiting.shift();
      else waiting[0] = waiting[0].subarray(count);
      if (count < piece.length) return;
    }
  };
  const feedAll = () => {
    feed(volts, samples, exports.script_hear);
    feed(line, buffer, exports.script_send);
  };
  const collect = () => {
    const count = exports.script_received();
    if (count) sent.push(taken(count));
  };
  const make = (count) => {
    exports.script_make(count);
    sent = [];
    line = [];
    volts = [];
  };

  return {
    value,
    flash(bytes) { // power on with this in flash, as a WCH-Link leaves it
      if (bytes.length > 16384) throw new RangeError("the flash holds 16,384 bytes");
      buffer().set(bytes);
      make(bytes.length);
    },
    blank() { // power on with nothing in flash, waiting in the ROM bootloader
      make(-1);
    },
    hear(signal) { // more for the microphone: 0 .. 65535 is 0 V .. supply, 32,000 a second
      volts.push(Uint16Array.from(signal));
      feed(volts, samples, exports.script_hear);
    },
    heardUntil() { // the second up to which time may pass before the next of the signal must be there
      return value("heard_until") + volts.reduce((sum, piece) => sum + piece.length, 0) / HEARD_HZ;
    },
    send(bytes) { // onto the line, behind what is still on it
      line.push(Uint8Array.from(bytes));
      feed(line, buffer, exports.script_send);
    },
    advance(seconds) { // let time pass
      for (let left = seconds; left > 0; left -= SLICE_S) {
        feedAll();
        let stop = exports.script_advance(Math.min(left, SLICE_S));
        for (; stop === FULL; stop = exports.script_go_on()) collect();
        collect();
        if (stop !== TIME) break;
      }
      return exports.script_reason() ? "fault" : "budget";
    },
    received() { // what the board has sent since the last call
      const all = new Uint8Array(sent.reduce((sum, piece) => sum + piece.length, 0));
      let at = 0;
      for (const piece of sent) {
        all.set(piece, at);
        at += piece.length;
      }
      sent = [];
      return all;
    },
    fault() { // why the core stands still, and where; power or the reset pin ends it
      const count = exports.script_reason();
      const reason = String.fromCharCode(...taken(count));
      return count ? `${reason} at pc ${hex(value("pc"))}, address ${hex(value("fault_address"))}` : "";
    },
    pin(name) { // "PD0": true, false, or null where it is no output
      return [null, false, true][exports.script_pin(port(name), Number(name[2])) + 1];
    },
    drive(name, high) { // from outside; null lets go of it
      exports.script_drive(port(name), Number(name[2]), high === null ? -1 : Number(high));
    },
    power() { // off and on
      line = [];
      exports.script_power();
    },
    reset() { // the reset pin
      if (value("in_rom")) line = [];
      exports.script_reset();
    },
    read(address, count) { // SRAM, flash, or vendor and option bytes, as a debugger sees them
      if (!exports.script_read(address, count)) throw new RangeError(`no memory at ${hex(address)}, ${count} bytes`);
      return taken(count);
    },
    write(address, bytes) { // flash, as a WCH-Link would
      buffer().set(bytes);
      if (!exports.script_write(address, bytes.length)) throw new RangeError(`no flash at ${hex(address)}`);
    },
  };
}
