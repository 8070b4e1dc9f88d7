// The firmware's own C inside a web page, beside the chip (engine.c as WebAssembly). Chapters 10 and 12.

function engineOf(chip, verdicts) { // chip: exports; verdicts: what engine_take's numbers mean, null while a take goes on
  const bytes = (at, count) => new Uint8Array(chip.memory.buffer, at, count);
  return {
    logits(samples) { // Int16Array [8000] at 8 kHz -> the twelve
      new Int16Array(chip.memory.buffer, chip.engine_clip(), samples.length).set(samples);
      chip.engine_classify();
      return Array.from({ length: 12 }, (_, i) => chip.engine_logit(i));
    },
    teaching(name, takes) { // a word, from so many takes
      chip.engine_begin();
      chip.engine_ask();
      return {
        hear(frames, clipped) { // Int8Array [2 * 12] and how many samples were clipped -> a verdict, or null
          new Int8Array(chip.memory.buffer, chip.engine_heard(), frames.length).set(frames);
          const verdict = verdicts[chip.engine_take(clipped)];
          if (verdict) chip.engine_ask();
          return verdict;
        },
        taken: () => chip.engine_takes(),
        done: () => chip.engine_takes() === takes,
        page() { // its 64 bytes, as a board keeps them
          const place = bytes(chip.engine_name(), 8), letters = new TextEncoder().encode(name);
          place.fill(0);
          place.set(letters.subarray(0, 8));
          return bytes(chip.engine_word(), 64).slice();
        },
      };
    },
  };
}
