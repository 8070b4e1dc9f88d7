// Flashing from a page, and listening to the board then: the host's side of the ROM bootloader's protocol and of our
// firmware's, step for step that of tinyspeech/board/isp.py, taught.py and monitor.py, which say why. Numbers and words
// come from there too, as `spec` (`flashing.spec`). Chapter 14.
//
//   const result = await ispFlash(line, image, spec, { progress: (done, total) => { ... } });
//
// A line is { write(bytes), read(count, seconds) -> Uint8Array, now() -> seconds }, the first two awaited: `isp.Line`.
// What goes wrong is an Error whose message is one line for the reader; its name is UserError, or of that PortLost or Talking.

function ispError(kind, text) {
  return Object.assign(new Error(text), { name: kind });
}

// One of the texts, with values in it: {name}, or {name:,} for a number with commas.
function ispText(spec, key, values) {
  const all = { ...spec.words, ...values };
  return spec.texts[key].replace(/\{(\w+)(:,)?\}/g, (_, name, commas) =>
    commas ? all[name].toLocaleString("en") : String(all[name]));
}

function ispSum(bytes) {
  return bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);
}

function ispJoin(first, second) {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function ispAscii(bytes) { // as text; what is none shows as such
  return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xfffd)).join("");
}

function ispPacket(spec, command, data) {
  const body = [command, data.length, 0, ...data];
  return Uint8Array.from([...spec.request, ...body, ispSum(body)]);
}

// The data of a reply to this command, or the key of a text that says what is wrong with it.
function ispReply(spec, got, command, count) {
  if (got.length < spec.reply.length + 4 + count + 1) return got.length ? "incomplete" : "none";
  const [, , said, , length] = got, begins = spec.reply.every((byte, i) => got[i] === byte);
  if (!begins || ispSum(got.subarray(2, -1)) !== got.at(-1) || said !== command || length !== count) return "garbled";
  return got.slice(6, -1);
}

// The key that both sides make of a seed and the chip's id.
function ispKey(seed, uniqueId, variant) {
  const a = Math.floor(seed.length / 5), b = Math.floor(seed.length / 7), s = ispSum(uniqueId);
  const key = [4 * b, a, b, 6 * b, 3 * b, 3 * a, 5 * b].map((i) => seed[i] ^ s);
  return Uint8Array.from([...key, (key[0] + variant) & 0xff]);
}

function ispXor(data, key) {
  return Uint8Array.from(data, (byte, i) => byte ^ key[i & 7]);
}

function ispNumber(value) { // 32 bits, low byte first
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];
}

function ispHex(value) {
  return "0x" + value.toString(16).padStart(2, "0");
}

// Speaks to the ROM bootloader, and gets there from our firmware: `isp.Client`.
function ispClient(line, spec) {
  const { commands, rom } = spec;
  const trouble = (key, values) => ispError(key === "different" ? "Different" : "Trouble", ispText(spec, key, values));
  const isTrouble = (error) => error.name === "Trouble" || error.name === "Different";
  const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

  const request = async (command, data, count = 2, seconds = spec.answer_s) => {
    await line.read(4096, 0);
    await line.write(ispPacket(spec, command, data));
    const size = spec.reply.length + 4 + count + 1;
    let got = await line.read(size, seconds);
    const start = got.findIndex((byte, i) => spec.reply.every((other, k) => got[i + k] === other));
    if (start > 0) got = ispJoin(got.subarray(start), await line.read(start, seconds)); // something else came before
    const reply = ispReply(spec, got, command, count);
    if (typeof reply === "string") throw trouble(reply);
    return reply;
  };
  const identify = async () => {
    const [variant, family] = await request(rom.identify, [0x31, rom.family, ...rom.passphrase]);
    if (family !== rom.family || !(variant in rom.variants))
      throw ispError("UserError", ispText(spec, "foreign", { family: ispHex(family), variant: ispHex(variant) }));
    return variant;
  };
  const hush = async () => { // until the line is silent
    for (let i = 0; i < spec.hushes; i++) if (!(await line.read(4096, spec.quiet_s)).length) return;
    throw ispError("Talking", ispText(spec, "talks"));
  };
  const endClip = async () => { // fill up one that was broken off
    for (let i = 0; i < Math.floor(spec.broken_clip_bytes / 1000); i++) {
      await line.write(new Uint8Array(1000));
      await line.read(4096, 0);
    }
  };
  const enter = async () => { // the bootloader, from wherever the board is
    for (const command of [[commands.bootloader], [commands.stop, commands.bootloader]]) {
      if (command.length > 1) await endClip();
      await line.write(Uint8Array.from(command));
      await hush();
      for (const padding of [0, spec.longest_packet, spec.longest_packet + 1]) {
        await line.write(new Uint8Array(padding));
        if (padding) await hush();
        try {
          return await identify();
        } catch (error) {
          if (!isTrouble(error)) throw error;
        }
      }
    }
    throw trouble("none");
  };
  const readConfig = async (variant) => {
    const data = await request(rom.read_config, [0x1f, 0], 26);
    return { variant, uniqueId: data.slice(18), options: data.slice(2, 14),
      version: `${10 * data[14] + data[15]}.${data[16]}${data[17]}` };
  };
  const agreeOn = async (key) => {
    const [sum] = await request(rom.key, spec.seed);
    if (sum !== ispSum(key)) throw trouble("key");
  };
  const expectOk = async (command, data, seconds = spec.answer_s) => {
    const [answer] = await request(command, data, 2, seconds);
    if (answer === rom.mismatch || answer === rom.refused) throw trouble("different");
    if (answer !== rom.ok) throw trouble("answer", { answer: ispHex(answer) });
  };
  // No answer was taken for another's: the line is silent, and two commands get each its own.
  const confirm = async (lastPage, device) => {
    await hush();
    for (let i = 0; i < 2; i++) {
      const again = await readConfig(device.variant);
      if (!same(again.uniqueId, device.uniqueId) || !same(again.options, device.options) ||
          again.version !== device.version) throw trouble("configuration");
      await expectOk(rom.verify, lastPage);
    }
  };
  // Everything once, in the published order. image: whole pages. programmed: a session before this one programmed them
  // all, so they are only compared. told.step(bytes), told.erased(): as they happen.
  const session = async (image, told, programmed) => {
    const device = await readConfig(await enter());
    if (device.options[0] !== 0xa5 || device.options[8] !== 0xff || device.options[9] !== 0xff)
      throw ispError("UserError", ispText(spec, "protected"));
    const key = ispKey(spec.seed, device.uniqueId, device.variant);
    await agreeOn(key);
    if (!programmed) {
      told.erased();
      await expectOk(rom.erase, ispNumber(Math.max(8, Math.ceil(image.length / 1024))), spec.erase_answer_s);
    }
    const head = (at) => [...ispNumber(at), 0];
    const pageAt = (at) => [...head(at), ...ispXor(image.subarray(at, at + rom.page_bytes), key)];
    for (const command of programmed ? [rom.verify] : [rom.program, rom.verify]) {
      for (let at = 0; at < image.length; at += rom.page_bytes) {
        await expectOk(command, pageAt(at));
        told.step(rom.page_bytes);
      }
      if (command === rom.program) {
        await expectOk(command, head(image.length));
        await agreeOn(key);
      }
    }
    await confirm(pageAt(image.length - rom.page_bytes), device);
    return device;
  };
  const run = async () => { // start the user's code; whether the ROM said that it does
    for (let i = 0; i < 2; i++) {
      try {
        await request(rom.end, [1]);
        return true;
      } catch (error) {
        if (!isTrouble(error)) throw error;
      }
    }
    return false;
  };
  return { identify, hush, endClip, session, run, isTrouble };
}

// Flash an image over a line and compare every byte on the chip: `isp.flash`. told.progress(done, total): bytes, each of
// which is programmed and compared. -> { variant, bootloader, bytes, verified: true, sessions, started }
async function ispFlash(line, image, spec, told) {
  if (!image.length || image.length > spec.flash_bytes)
    throw ispError("UserError", ispText(spec, "size", { most: spec.flash_bytes, size: image.length }));
  const pages = new Uint8Array(Math.ceil(image.length / spec.rom.page_bytes) * spec.rom.page_bytes).fill(0xff);
  pages.set(image);
  const client = ispClient(line, spec), total = 2 * pages.length;
  let done = 0, gone = false, trouble = null, programmed = false, left = "";
  const steps = {
    step(count) {
      done += count;
      told.progress(done, total);
    },
    erased() {
      gone = true;
      left = ispText(spec, "left");
    },
  };
  try {
    for (let sessions = 1; sessions <= spec.attempts; sessions++) {
      done = programmed ? pages.length : 0;
      try {
        const device = await client.session(pages, steps, programmed);
        return { variant: spec.rom.variants[device.variant], bootloader: device.version, bytes: image.length,
          verified: true, sessions, started: await client.run() };
      } catch (error) {
        if (!client.isTrouble(error)) throw error;
        // what fell silent while it compared may have been ended by a watchdog that runs on in the ROM
        const silent = done >= pages.length && error.name !== "Different";
        trouble = error;
        programmed = silent && !programmed;
        if (!gone && sessions === 2) break; // it never answered
        await client.hush();
      }
    }
  } catch (error) {
    if (["PortLost", "Talking"].includes(error.name)) throw ispError(error.name, error.message + left);
    throw error;
  }
  if (!gone) throw ispError("UserError", ispText(spec, "silent", { trouble: trouble.message }));
  throw ispError("UserError", ispText(spec, "failed", { attempts: spec.attempts, trouble: trouble.message, left }));
}

// The line with which our firmware answers 'V', or null. A board that listens is stopped for that.
async function ispAskVersion(line, spec) {
  await line.read(4096, spec.start_s);
  await line.write(Uint8Array.of(spec.commands.stop, spec.commands.version));
  let answer = "";
  for (let i = 0; i < spec.chatter_bytes; i++) {
    const [byte] = await line.read(1, spec.version_s);
    if (byte === undefined) break;
    answer += ispAscii([byte]);
    if (byte === 0x0a) {
      if (answer.trim().startsWith(spec.version_start)) return answer.trim();
      answer = "";
    }
  }
  return null;
}

// The same of a board that waits for the rest of a clip, too; what is there instead is an error.
async function ispFindVersion(line, spec) {
  const version = await ispAskVersion(line, spec);
  if (version) return version;
  const client = ispClient(line, spec);
  try {
    await client.identify();
  } catch (error) {
    if (!client.isTrouble(error)) throw error;
    await client.endClip();
    await client.hush();
    const late = await ispAskVersion(line, spec);
    if (late) return late;
    throw ispError("UserError", ispText(spec, "nobody"));
  }
  throw ispError("UserError", ispText(spec, "waits"));
}

// The lines of a board: `lines.Lines`. next(until): the next one, or null if there is none by then.
function ispLines(line, spec) {
  let rest = "";
  const whole = [];
  return {
    async next(until) {
      while (!whole.length && until - line.now() > 0) {
        const some = await line.read(4096, Math.min(until - line.now(), spec.poll_s));
        const lines = (rest + ispAscii(some)).split("\n");
        rest = lines.pop().slice(-spec.chatter_bytes);
        whole.push(...lines.map((one) => one.trim()));
      }
      return whole.length ? whole.shift() : null;
    },
    async take(request, count, seconds) { // what answers a request, as far as so many bytes come
      while ((await line.read(4096, 0)).length);
      rest = "";
      whole.length = 0;
      await line.write(request);
      const until = line.now() + seconds;
      let found = new Uint8Array(0);
      while (found.length < count && until - line.now() > 0)
        found = ispJoin(found, await line.read(count - found.length, Math.min(until - line.now(), spec.poll_s)));
      return found;
    },
  };
}

// CRC-16 of a taught word's page, whose last two bytes make it 0: `binascii.crc_hqx`.
function ispCrc(bytes, start) {
  let crc = start;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

// The taught words of a board: `taught.Board`. -> { version, read(slot) -> page or null, put(slot, page) }, or null
// where its firmware keeps none.
async function ispWords(line, spec) {
  const { page_bytes: size, name_bytes: nameBytes, crc_start: start, erased, forgotten } = spec.taught;
  const version = await ispFindVersion(line, spec), lines = ispLines(line, spec);
  let silent = true;
  const same = (a, b) => a.every((byte, i) => byte === b[i]);
  const exchange = async (slot, page) => {
    const request = [spec.commands.word, ...page, slot, slot ^ 0xff];
    const answer = await lines.take(Uint8Array.from(request), size, spec.taught.answer_s);
    silent = silent && !answer.length;
    if (answer.length === size) return answer;
    await ispFindVersion(line, spec); // or what it still waits for would be the next request's
    return null;
  };
  const read = async (slot) => { // what is read twice, and is no word, is none
    const seen = [erased, forgotten];
    for (let i = 0; i < spec.taught.attempts; i++) {
      const page = await exchange(slot, new Uint8Array(size));
      if (!page) continue;
      const name = String.fromCharCode(...page.subarray(0, nameBytes)).replace(/\0+$/, "");
      if (page[nameBytes] === spec.taught.version && !ispCrc(page, start) && /^[\w-]+$/.test(name)) return page;
      if (seen.some((one) => same(page, one))) return null;
      seen.push(page);
    }
    throw ispError("UserError", ispText(spec, "garbled_words"));
  };
  const put = async (slot, page) => {
    for (let i = 0; i < spec.taught.attempts; i++) {
      const answer = await exchange(slot, page);
      if (answer && same(answer, page)) return;
    }
    throw ispError("UserError", ispText(spec, "not_kept"));
  };
  try {
    await read(0);
  } catch (error) {
    if (error.name === "PortLost") throw error;
  }
  return silent ? null : { version, read, put };
}

// Flash, and bring the taught words back, which the ROM erases with all else: `taught.flash_port`. memory: { words: {slot:
// page}, network }, what is yet to come back, filled and emptied here. told.giveUp() -> true: words that mean nothing to
// this firmware may go. -> as ispFlash, and { answer: what the program says of itself, or null; words: how many came back }
async function ispFlashAll(line, image, spec, memory, told) {
  const networkOf = (version) => version.split(" ").at(-1);
  try {
    const board = await ispWords(line, spec), words = {}, places = board ? spec.taught.places : 0;
    for (let slot = 0; slot < places; slot++) {
      const page = await board.read(slot);
      if (page) words[slot] = page;
    }
    if (Object.keys(words).length) Object.assign(memory, { words, network: networkOf(board.version) });
  } catch (error) {
    if (error.name === "PortLost") throw error;
  }
  const count = Object.keys(memory.words || {}).length, sameNetwork = memory.network === networkOf(spec.image_version);
  if (count && !sameNetwork && !told.giveUp()) throw ispError("UserError", ispText(spec, "other_words", { count }));
  if (!sameNetwork) memory.words = null;
  let result;
  try {
    result = await ispFlash(line, image, spec, told);
  } catch (error) {
    throw ispError(error.name, error.message + (memory.words ? ispText(spec, "kept_words") : ""));
  }
  const answer = result.started ? await ispAskVersion(line, spec) : null;
  let back = 0;
  try {
    const board = memory.words && await ispWords(line, spec);
    for (const [slot, page] of Object.entries((board && memory.words) || {})) {
      await board.put(Number(slot), page);
      back++;
    }
    if (board) memory.words = null;
  } catch (error) {
    if (error.name === "PortLost") throw ispError(error.name, error.message + ispText(spec, "kept_words"));
  }
  return { ...result, answer, words: back };
}

// Let a board listen to its microphone and tell what it says: `monitor.listen`. told.word(name, seconds),
// told.notice(text), told.line(text): all that it says; ended() -> true: it shall stop. -> the frames that it heard
async function ispListen(line, spec, told, ended) {
  const lines = ispLines(line, spec), heard = { frames: null };
  const understand = (text) => {
    told.line(text);
    const [, word, frame] = /^word (\S*) (\d+)$/.exec(text) || [], [, lost] = /^lost (\d+)$/.exec(text) || [];
    const [, stopped] = /^stopped (\d+)$/.exec(text) || [];
    if (frame !== undefined) told.word(word, Number(frame) * spec.frame_s);
    else if (lost !== undefined) told.notice(ispText(spec, "samples", { samples: Number(lost) }));
    else if (stopped !== undefined) heard.frames = Number(stopped);
    else if (text !== spec.listening)
      told.notice(ispText(spec, "strange", { line: JSON.stringify(text.slice(0, spec.legible)) }));
  };
  const begin = async () => {
    const version = await ispFindVersion(line, spec);
    await line.write(Uint8Array.of(spec.commands.microphone));
    const until = line.now() + spec.listen_answer_s;
    for (let text = ""; text !== spec.listening;) {
      text = await lines.next(until);
      if (text === null) throw ispError("UserError", ispText(spec, "mute", { version }));
    }
    told.line(spec.listening);
  };
  try {
    await begin();
    while (!ended()) {
      const text = await lines.next(line.now() + spec.poll_s);
      if (text === null) continue;
      understand(text);
      if (text === spec.listening || heard.frames !== null) throw ispError("UserError", ispText(spec, "reset"));
    }
    await line.write(Uint8Array.of(spec.commands.stop));
    const until = line.now() + spec.listen_answer_s;
    while (heard.frames === null) {
      const text = await lines.next(until);
      if (text === null) throw ispError("UserError", ispText(spec, "ended"));
      understand(text);
    }
    return heard.frames;
  } catch (error) {
    await line.write(Uint8Array.of(spec.commands.stop)).catch(() => null);
    throw error;
  }
}
