// How fast the interpreter is as WebAssembly, in node: speed.py runs this.
// Arguments: the WebAssembly, the firmware, what the serial port brings; how many runs; cycles of each.

const fs = require("fs"), [wasm, image, input] = process.argv.slice(1, 4).map((name) => fs.readFileSync(name));
WebAssembly.instantiate(wasm, {}).then(({ instance: { exports: e } }) => {
  const chip = (e.__heap_base.value + 15) & ~15, size = e.chip_size();
  e.memory.grow(1 + ((size + image.length + input.length) >> 16));
  new Uint8Array(e.memory.buffer).set(image, chip + size);
  new Uint8Array(e.memory.buffer).set(input, chip + size + image.length);
  const view = new DataView(e.memory.buffer);
  let best = 0, instructions = 0;
  for (let turn = 0; turn < Number(process.argv[4]); turn++) {
    e.chip_reset(chip, chip + size, image.length);
    view.setUint32(chip + 108, chip + size + image.length, true); // receive and receive_count of struct chip
    view.setUint32(chip + 112, input.length, true);
    const began = process.cpuUsage().user;
    e.chip_run(chip, BigInt(process.argv[5])); // what it sends goes nowhere: there is no room for it
    instructions = Number(view.getBigUint64(chip + 88, true));
    best = Math.max(best, instructions / (process.cpuUsage().user - began));
  }
  console.log(best, instructions);
});
