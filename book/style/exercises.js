// The forms of tinyspeech/exercises/in_the_page.py: an answer that was worked out by hand, compared with what is known.

// Numbers of a text: "3 000", "3,000" and "1/4" are one each where one is wanted; "[1, 2]" are two. null: not all are numbers.
function numbersOf(text, wanted) {
  const plain = text.replace(/[−–]/g, "-").replace(/[[\](){}]/g, " ").trim();
  const parts = wanted === 1 ? [plain.replace(/[\s,_']/g, "")] : plain.replace(/_/g, "").split(/[\s,;]+/);
  const numbers = parts.map((part) => {
    const [above, below, ...more] = part.split("/");
    const one = (digits) => (digits === "" || digits === undefined ? NaN : Number(digits));
    return more.length ? NaN : below === undefined ? one(above) : one(above) / one(below);
  });
  return numbers.every(Number.isFinite) ? numbers : null;
}

// Whole numbers must be met, others up to a share of them.
function sameNumbers(given, wanted, share) {
  return given.length === wanted.length && wanted.every((right, i) =>
    Math.abs(given[i] - right) <= (Number.isInteger(right) ? 1e-9 : share) * Math.max(Math.abs(right), 1e-9));
}

// What is said of an answer, and whether it is right.
function judgedByHand(text, question, share) {
  const { call, wanted, mistakes, hint } = question;
  if (!text.trim()) return [false, `Hint: ${hint}`];
  const given = numbersOf(text, wanted.length), count = `${wanted.length} numbers are asked for`;
  if (!given) return [false, wanted.length === 1 ? "A number is asked for." : `${count}, with commas.`];
  if (sameNumbers(given, wanted, share)) return [true, `${call}: right.`];
  const known = mistakes.find(([wrong]) => sameNumbers(given, wrong, share));
  if (!known && given.length !== wanted.length) return [false, `${count}; these are ${given.length}.`];
  return [false, `Not so. Hint: ${known ? known[1] : hint}`];
}

function byHand(form) {
  const { share, asked } = JSON.parse(form.dataset.questions);
  const [field, said, call] = ["input", "output", "code"].map((name) => form.querySelector(name));
  const other = form.querySelector("button[type=button]");
  let at = 0;
  const ask = () => {
    call.textContent = asked[at].call;
    field.value = said.textContent = "";
    said.className = "";
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [right, words] = judgedByHand(field.value, asked[at], share);
    said.textContent = words;
    said.className = right ? "right" : "wrong";
  });
  other.addEventListener("click", () => {
    at = (at + 1) % asked.length;
    ask();
    field.focus();
  });
  other.hidden = asked.length === 1;
  ask();
}

document.querySelectorAll("form.by-hand").forEach(byHand);
