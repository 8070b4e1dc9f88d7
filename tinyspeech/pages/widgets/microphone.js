// Sound on its way to the chip's analogue input: from the reader's microphone, a clip or a file, at whatever rate the
// browser has it, to the voltage that the emulated ADC sees. Nothing of it leaves the page. No library. Chapter 10.

// Another sampling rate, block by block: a sinc, cut by a Kaiser window (74 dB). One way for all rates; an output sample's
// place between two input samples is counted in whole numbers, so that hours do not drift.
function soundResampler(fromHz, toHz) {
  const divisor = (a, b) => (b ? divisor(b, a % b) : a), common = divisor(Math.round(fromHz), Math.round(toHz));
  const up = Math.round(toHz) / common, down = Math.round(fromHz) / common;
  const CROSSINGS = 24, BETA = 7.5, PASS = 0.9; // zeros of the sinc on each side; the window's; of the lower Nyquist rate
  const width = PASS * Math.min(1, up / down), half = Math.ceil(CROSSINGS / width);
  const bessel = (x) => { // I0, by its series
    let sum = 1, term = 1;
    for (let k = 1; term > 1e-12 * sum; k++) sum += term *= (x / 2 / k) ** 2;
    return sum;
  };
  const rows = [];
  const rowOf = (phase) => { // the filter for an output sample so far, in 1/up, behind an input sample; its sum is 1
    if (rows[phase]) return rows[phase];
    const row = new Float64Array(2 * half);
    for (let i = 0; i < row.length; i++) {
      const at = i + 1 - half - phase / up, x = Math.PI * width * at, inside = 1 - (at / half) ** 2;
      row[i] = inside <= 0 ? 0 : (x ? Math.sin(x) / x : 1) * bessel(BETA * Math.sqrt(inside));
    }
    const sum = row.reduce((a, b) => a + b);
    return (rows[phase] = row.map((value) => value / sum));
  };
  let kept = new Float32Array(half - 1), at = half - 1, phase = 0; // before its beginning a sound is silent
  const push = (samples) => {
    if (up === down) return Float32Array.from(samples);
    const all = new Float32Array(kept.length + samples.length), out = [];
    all.set(kept);
    all.set(samples, kept.length);
    while (at + half < all.length) {
      const row = rowOf(phase), first = at + 1 - half;
      let sum = 0;
      for (let i = 0; i < row.length; i++) sum += row[i] * all[first + i];
      out.push(sum);
      phase += down;
      at += Math.floor(phase / up);
      phase %= up;
    }
    const gone = Math.min(at + 1 - half, all.length);
    kept = all.slice(gone);
    at -= gone;
    return Float32Array.from(out);
  };
  return { push, end: () => push(new Float32Array(up === down ? 0 : half)) }; // end: what the last samples add to
}

// Samples -1 .. 1 as the voltage behind a microphone's amplifier, 0 .. 65535 for 0 V .. supply, at rest in the middle: as
// `as_volts` does it for the virtual board.
function microphoneVolts(samples, gain) {
  return Uint16Array.from(samples, (x) => Math.min(65535, Math.max(0, Math.round(32768 * (1 + gain * x)))));
}

// Why there is no microphone, and what to do; in one line. error: of getUserMedia, or null where that is missing.
function microphoneTrouble(error) {
  const name = error && error.name, way = "The clips and a file of yours work without it.";
  if (!error && !window.isSecureContext)
    return `This page came over plain http from another computer, and there a browser gives no page a microphone: open ` +
      `it from a file, from this computer or over https. ${way}`;
  if (!error) return `This browser has no microphone for a page: try a newer one. ${way}`;
  if (name === "NotAllowedError" || name === "SecurityError")
    return `The microphone was refused: allow it for this page beside the address, then press the button again. ${way}`;
  if (name === "NotFoundError" || name === "OverconstrainedError")
    return `No microphone was found: plug one in, then press the button again. ${way}`;
  if (name === "NotReadableError" || name === "AbortError")
    return `The microphone is there but gives no sound: another program may hold it; end that, then press the button ` +
      `again. ${way}`;
  return `The microphone cannot be had (${(error && error.message) || name}). ${way}`;
}

// The part that runs on the browser's audio thread: blocks of `count` samples, each with the number of its first one on the
// context's clock.
function microphoneWorklet(count) {
  return `registerProcessor("microphone", class extends AudioWorkletProcessor {
  constructor() { super(); this.block = new Float32Array(${count}); this.filled = 0; }
  process([channels]) {
    const sound = channels[0];
    if (!sound) return true;
    if (!this.filled) this.first = currentFrame;
    this.block.set(sound, this.filled);
    this.filled += sound.length;
    if (this.filled === ${count}) { this.port.postMessage([this.first, this.block.slice()]); this.filled = 0; }
    return true;
  }
});`;
}

// The reader's microphone. told.heard(samples, missing, late): a block at `rate`, how many samples never came before it, and
// by how many seconds it is late; told.state(text): the context's, when it changes; told.gone(line): it is over.
// -> promise of {context, rate, block, resume(), close()}; rejected with an Error whose message is a line for the reader.
async function openMicrophone(told) {
  const BLOCK = 1024, START_S = 0.5, refuse = (error) => { throw new Error(microphoneTrouble(error)); };
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) refuse(null);
  const context = new (window.AudioContext || window.webkitAudioContext)(); // now: in the reader's gesture it may start
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ // as it is: a chip's microphone does none of these either
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const code = microphoneWorklet(BLOCK), address = "data:text/javascript," + encodeURIComponent(code);
    await context.audioWorklet.addModule(address); // the one kind of address that a page from a file may load, too
  } catch (error) {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    context.close();
    refuse(error);
  }
  const [track] = stream.getAudioTracks(), rate = context.sampleRate;
  const source = context.createMediaStreamSource(stream);
  const node = new AudioWorkletNode(context, "microphone",
    { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" }); // several channels are mixed to one
  let next = 0;
  const message = ({ data: [first, samples] }) => {
    const missing = first / rate < START_S ? 0 : first - next; // while it starts, blocks come in fits
    next = first + samples.length;
    told.heard(samples, missing, context.currentTime - next / rate);
  };
  const ending = new AbortController(), { signal } = ending;
  const close = () => {
    ending.abort();
    source.disconnect();
    track.stop();
    if (context.state !== "closed") context.close();
  };
  node.port.addEventListener("message", message, { signal });
  node.port.start();
  context.addEventListener("statechange", () => told.state(context.state), { signal });
  track.addEventListener("ended", () => {
    close();
    told.gone("The microphone went away: plug it in or allow it again, then press the button again.");
  }, { signal });
  source.connect(node);
  if (context.state !== "running") context.resume(); // some wait until the microphone is allowed
  return { context, rate, block: BLOCK, resume: () => context.resume(), close };
}

// A sound file of any format that the browser reads -> promise of its samples at `rate` Hz, its channels averaged.
async function soundOfFile(bytes, rate) {
  const decoder = new (window.OfflineAudioContext || window.webkitOfflineAudioContext)(1, 1, rate);
  const sound = await decoder.decodeAudioData(bytes);
  const first = sound.getChannelData(0), channels = sound.numberOfChannels;
  if (channels === 1) return first;
  const mixed = Float32Array.from(first);
  for (let c = 1; c < channels; c++) sound.getChannelData(c).forEach((x, i) => { mixed[i] += x; });
  return mixed.map((x) => x / channels);
}

// Samples -1 .. 1 as a wav file of 16 bits.
function wavFile(samples, rate) {
  const file = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, letters) => [...letters].forEach((letter, i) => file.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  file.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  [16, 0x10001].forEach((value, i) => file.setUint32(16 + 4 * i, value, true)); // PCM, one channel
  [rate, 2 * rate, 0x100002].forEach((value, i) => file.setUint32(24 + 4 * i, value, true)); // 2 bytes, 16 bits
  text(36, "data");
  file.setUint32(40, 2 * samples.length, true);
  samples.forEach((x, i) => file.setInt16(44 + 2 * i, Math.min(32767, Math.max(-32768, Math.round(32768 * x))), true));
  return new Blob([file.buffer], { type: "audio/wav" });
}
