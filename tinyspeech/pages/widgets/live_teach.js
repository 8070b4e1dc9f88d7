// A word of the reader's own, taught to the emulated board of the live panel (`widgets.live_page`): the frames that the
// chip computed go to the firmware's C (engine.js), five takes become a page of 64 bytes, and that is sent to the board
// over its serial port, as `teach` does. Chapter 12.

function liveTeaching(panel, root, data) { // data: live_data's `teach`
  const { takes, words, advice, name: recorded } = data, SILENT = -128, SETTLES = 5;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const say = (text) => { part("teach-status").textContent = text; };
  const places = Array.from({ length: words }, () => ""); // the names of what the board keeps
  let engine, teaching = null, first = null, settles = 0; // frames to go until there is a sound to be judged

  const forget = (name) => {
    const place = places.indexOf(name);
    panel.word(data.forgotten, place, (kept) => {
      if (kept[0]) return void say(`The board still knows ${name}: try again.`);
      places[place] = "";
      list();
      say(`The board has forgotten ${name}.`);
    });
  };
  const list = () => {
    part("teach-words").replaceChildren(...places.filter(Boolean).map((name) => {
      const item = document.createElement("li"), bold = document.createElement("b"), button = document.createElement("button");
      bold.textContent = name;
      button.type = "button";
      button.className = "ts-button";
      button.textContent = "forget it";
      button.setAttribute("aria-label", `forget ${name}`);
      button.addEventListener("click", () => forget(name));
      item.append(bold, button);
      return item;
    }));
  };
  const ask = () => {
    const number = teaching.of.taken() + 1;
    say(`Take ${number} of ${takes}: say “${teaching.name}” once, with quiet before and behind it.`);
  };
  const end = () => {
    teaching = first = null;
    part("teach-stop").hidden = true;
  };
  const keep = () => {
    const { name } = teaching, page = teaching.of.page(), place = places.indexOf("");
    end();
    say(`${takes} takes of “${name}”: the board gets it …`);
    panel.word([...page], place, (kept) => {
      if (kept.some((byte, i) => byte !== page[i])) return void say("The board did not keep it: teach it again.");
      places[place] = name;
      list();
      say(`The board knows “${name}” now, in ${page.length} bytes of its flash. Say it.`);
    });
  };
  const hear = ({ detail: { coefficients } }) => { // two frames are one of teaching's
    if (!teaching || !coefficients) return;
    if (settles > 0) { // a page's silence is none of a microphone's: it would make any noise a word
      if (coefficients[0] > SILENT) settles--;
      return;
    }
    if (!first) return void (first = coefficients);
    const verdict = teaching.of.hear(Int8Array.from([...first, ...coefficients]), 0);
    first = null;
    if (!verdict) return;
    root.dispatchEvent(new CustomEvent("live-take", { detail: verdict }));
    if (teaching.of.done()) return keep();
    ask();
    if (advice[verdict]) say(`${part("teach-status").textContent} The last take was not taken: ${advice[verdict]}.`);
  };
  const begin = (name) => { // -> whether it may be
    if (!new RegExp(`^${data.spelling}$`).test(name)) say(`A name has 1 to 8 letters or digits, ‘-’ or ‘_’: not “${name}”.`);
    else if (places.includes(name)) say(`The board knows “${name}” already: forget it first.`);
    else if (!places.includes("")) say(`The board keeps ${words} words: forget one first.`);
    else {
      teaching = { name, of: engine.teaching(name, takes) };
      first = null;
      settles = SETTLES;
      part("teach-stop").hidden = false;
      ask();
      return true;
    }
    return false;
  };

  part("teach-voice").addEventListener("click", async () => {
    if (!begin(part("teach-name").value.trim())) return;
    await panel.listen();
    if (panel.source()) return;
    end();
    say("Nothing was taught: there is no microphone, and above it says why.");
  });
  part("teach-recordings").addEventListener("click", () => {
    if (begin(recorded)) panel.play(data.recordings.map(bytes));
  });
  part("teach-stop").addEventListener("click", () => {
    end();
    say("Nothing was taught.");
  });
  root.addEventListener("live-frame", hear);
  root.addEventListener("live-begin", () => { // a board switched on anew knows nothing
    places.fill("");
    end();
    list();
  });
  return WebAssembly.instantiate(bytes(data.wasm), {}).then(({ instance }) => {
    engine = engineOf(instance.exports, data.verdicts);
    panel.classifiers.push({ name: "its C, without the chip", classify: async (clip) => engine.logits(clip) });
  });
}
