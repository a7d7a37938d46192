// The page's behaviour: send a file to POST /v1/queries, draw the answer, play one sound at a time.
// Follows the HTTP contract of DESIGN.md; no dependencies, no build.

const $ = (id) => document.getElementById(id);
const HUES = [178, 32, 262, 350, 95, 215, 300, 60, 135]; // degrees, neighbours far apart
const time = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
const words = (name) => (name ?? "").replaceAll("_", " ");

// One player for everything that sounds: the track or one preview, never two.

const player = {
  audio: new Audio(),
  button: null,

  toggle(button, url, from = null) {
    if (this.button === button && !this.audio.paused && from === null) return this.stop();
    if (this.button !== button || this.audio.getAttribute("src") !== url) {
      this.stop();
      this.audio.src = url;
    }
    this.button = button;
    button.setAttribute("aria-pressed", "true");
    if (from !== null) this.audio.currentTime = from;
    this.audio.play().catch((error) => {
      if (error.name !== "AbortError") this.failed();
    });
  },

  stop() {
    this.audio.pause();
    this.button?.setAttribute("aria-pressed", "false");
    $("result").classList.remove("listening");
  },

  failed() {
    this.button?.closest(".hit")?.classList.add("failed");
    this.stop();
  },
};
player.audio.addEventListener("ended", () => player.stop());

// What is shown now.

const shown = { query: null, trackUrl: null, busy: false, lanes: [], preparing: true, waiting: false };

function drawQuery(query) {
  shown.query = query;
  $("hint").hidden = true;
  shown.lanes = [];
  const [start, end] = query.range_seconds;
  const count = query.num_instruments;
  $("summary").textContent = count === 1 ? "1 instrument" : `${count} instruments`;
  const milliseconds = Object.values(query.timing_ms).reduce((sum, value) => sum + value, 0);
  $("details").textContent =
    `${query.name} · ${time(start)} to ${time(end)} · in ${query.library.name} (${query.library.num_instruments}) · ${Math.round(milliseconds)} ms`;
  Object.assign($("seek"), { min: start, max: end, value: start });
  $("clock").textContent = time(start);
  $("slots").replaceChildren(...query.slots.map((slot, index) => drawSlot(slot, index, start, end)));
  if (!query.slots.length) {
    const none = document.createElement("li");
    none.className = "slot none quiet";
    none.textContent = "No instrument stands out in this range.";
    $("slots").append(none);
  }
  $("result").hidden = false;
}

function drawSlot(slot, index, start, end) {
  const item = $("slot").content.cloneNode(true).firstElementChild;
  const hue = HUES[index % HUES.length];
  item.style.setProperty("--slot", `light-dark(hsl(${hue} 42% 38%), hsl(${hue} 42% 66%))`);
  item.querySelector("h3").textContent = `Instrument ${index + 1}`;
  item.querySelector(".when").textContent = spoken(slot);
  item.querySelector(".presence meter").value = slot.presence;
  item.querySelector(".presence .number").textContent = slot.presence.toFixed(2);
  drawLane(item.querySelector(".lane"), slot, index, start, end);
  item.querySelector(".hits").replaceChildren(...slot.hits.map(drawHit));
  return item;
}

function spoken(slot) {
  const parts = slot.active.map(([from, to]) => `${time(from)} to ${time(to)}`);
  return parts.length > 3 ? `${parts.slice(0, 3).join(", ")} and ${parts.length - 3} more` : parts.join(", ");
}

function drawLane(lane, slot, index, start, end) {
  const length = Math.max(end - start, 1e-6);
  lane.setAttribute("aria-label", `Instrument ${index + 1} sounds ${spoken(slot) || "nowhere"}; play the track from there`);
  lane.title = "Play the track from here";
  for (const [from, to] of slot.active) {
    const segment = document.createElement("span");
    segment.className = "segment";
    segment.style.left = `${(100 * (from - start)) / length}%`;
    segment.style.width = `${(100 * (to - from)) / length}%`;
    lane.append(segment);
  }
  lane.addEventListener("click", (event) => {
    const byMouse = event.detail > 0;
    const box = lane.getBoundingClientRect();
    const at = byMouse ? start + (length * (event.clientX - box.left)) / box.width : (slot.active[0]?.[0] ?? start);
    playTrack(at);
  });
  shown.lanes.push(lane.querySelector(".playhead"));
}

function drawHit(hit) {
  const item = $("hit").content.cloneNode(true).firstElementChild;
  const button = item.querySelector("button");
  button.setAttribute("aria-label", `Play ${hit.name}`);
  button.addEventListener("click", () => player.toggle(button, hit.preview_url));
  item.querySelector(".name").textContent = hit.name;
  item.querySelector(".family").textContent = words(hit.family);
  item.querySelector("meter").value = Math.max(0, hit.similarity);
  item.querySelector(".number").textContent = hit.similarity.toFixed(2);
  return item;
}

// The track itself.

function playTrack(from = null) {
  if (!shown.trackUrl) return;
  const fresh = player.audio.getAttribute("src") !== shown.trackUrl;
  player.toggle($("play"), shown.trackUrl, from ?? (fresh ? Number($("seek").value) : null));
  $("result").classList.toggle("listening", $("play").getAttribute("aria-pressed") === "true");
}

$("play").addEventListener("click", () => playTrack());
$("seek").addEventListener("input", () => {
  if (player.button === $("play") && !player.audio.paused) player.audio.currentTime = Number($("seek").value);
  drawPosition(Number($("seek").value));
});
player.audio.addEventListener("timeupdate", () => {
  if (player.button !== $("play") || !shown.query || player.audio.paused) return;
  const [, end] = shown.query.range_seconds;
  if (player.audio.currentTime >= end + 0.05) return player.stop();
  $("seek").value = player.audio.currentTime;
  drawPosition(player.audio.currentTime);
});

function drawPosition(seconds) {
  const [start, end] = shown.query.range_seconds;
  $("clock").textContent = time(seconds);
  const share = Math.min(1, Math.max(0, (seconds - start) / Math.max(end - start, 1e-6)));
  for (const playhead of shown.lanes) playhead.style.left = `calc(${100 * share}% - ${2 * share}px)`;
}

// Asking.

function ask() {
  const file = $("file").files[0];
  if (!file || shown.busy) return;
  player.stop();
  const form = new FormData();
  form.append("file", file);
  for (const field of ["library", "start", "end", "top-k", "family", "mode"]) {
    const value = $(field).value.trim().replace(/^(\d*),(\d+)$/, "$1.$2");
    if (value) form.append($(field).name, value);
  }
  const request = new XMLHttpRequest(); // fetch does not report the progress of an upload
  request.open("POST", "/v1/queries");
  request.responseType = "json";
  request.upload.onprogress = (event) => work(`Sending ${file.name}`, event.total ? event.loaded / event.total : null);
  request.upload.onload = () => work("Listening…", null);
  request.onload = () => {
    if (request.status === 503) return askAgain(request);
    work(null);
    if (request.status >= 400) return showProblem(request.response);
    if (shown.trackUrl?.startsWith("blob:")) URL.revokeObjectURL(shown.trackUrl);
    shown.trackUrl = URL.createObjectURL(file);
    history.replaceState(null, "", `#${request.response.id}`);
    drawQuery(request.response);
  };
  request.onerror = () => {
    work(null);
    showProblem({ title: "The service does not answer", detail: "The connection failed; is the server still running?" });
  };
  showProblem(null);
  $("result").hidden = true;
  shown.waiting = shown.preparing; // watchServer asks once the library is there
  if (shown.waiting) return work("Waiting for the library…");
  work(`Sending ${file.name}`, 0);
  request.send(form);
}

function askAgain(request) {
  work(`${request.response?.title ?? "The service is busy"}; trying again…`);
  setTimeout(() => {
    shown.busy = false;
    ask();
  }, 1000 * (Number(request.getResponseHeader("Retry-After")) || 2));
}

function work(text, share = null) {
  shown.busy = text !== null;
  $("working").hidden = text === null;
  $("go").disabled = text !== null || !$("file").files.length;
  $("working-text").textContent = text ?? "";
  if (share === null) $("working-bar").removeAttribute("value");
  else $("working-bar").value = share;
}

function showProblem(problem) {
  $("problem").hidden = !problem;
  $("hint").hidden = true;
  if (!problem) return;
  $("result").hidden = true;
  const write = (selector, text) => ($("problem").querySelector(selector).textContent = text ?? "");
  const given = (label, value) => (value === null || value === undefined || value === "" ? "" : `${label}: ${Array.isArray(value) ? value.join(", ") : value}`);
  write("h2", problem.title);
  write(".detail", problem.detail);
  write(".limits", [given("seen", problem.value), given("allowed", problem.limit)].filter(Boolean).join(" · "));
  write(".request", given("request", problem.request_id));
}

function choose() {
  const file = $("file").files[0];
  $("file-name").textContent = file ? file.name : "Drop a track here, or choose a file";
  $("file-hint").textContent = "Drop or choose another";
  $("drop").classList.toggle("chosen", Boolean(file));
  $("go").disabled = !file || shown.busy;
  if (file) ask();
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("file").addEventListener("change", choose);
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", over);
    if (name === "drop" && event.dataTransfer.files.length && !shown.busy) {
      $("file").files = event.dataTransfer.files;
      choose();
    }
  });
}

// The server's state, and a stored query named in the address.

async function watchServer() {
  try {
    const { ready, instruments, device, detail, progress } = await (await fetch("/readyz")).json();
    shown.preparing = ["queued", "running"].includes(progress?.state);
    $("server").textContent = ready ? `${instruments} instruments · ${device}` : detail;
    if (shown.waiting && progress) work(detail, progress.done / progress.total);
    if (!shown.preparing) await listLibraries();
  } catch {
    shown.preparing = true;
    $("server").textContent = "The server does not answer";
  }
  if (shown.preparing) return setTimeout(watchServer, 1000);
  if (shown.waiting) {
    shown.waiting = shown.busy = false;
    ask();
  }
}

async function listLibraries() {
  const libraries = [];
  for (let next = ""; next !== null; ) {
    const page = await (await fetch(`/v1/libraries?limit=100${next && `&next=${encodeURIComponent(next)}`}`)).json();
    libraries.push(...page.items);
    next = page.next;
  }
  $("library").replaceChildren(
    ...libraries.map((library) => new Option(`${library.name} (${library.num_instruments})`, library.id, library.default, library.default)),
  );
}

async function openStored() {
  const id = location.hash.slice(1);
  if (!/^q_\w+$/.test(id)) return;
  const answer = await fetch(`/v1/queries/${id}`);
  const body = await answer.json();
  if (!answer.ok) return showProblem(body);
  shown.trackUrl = body.audio_url;
  drawQuery(body);
}

watchServer();
openStored();
