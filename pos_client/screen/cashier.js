// The cashier's keys and tones. Every key presses the button that carries its name, so touch and keyboard are one path.
"use strict";
(() => {
  const button = (key) => document.querySelector(`[data-key="${key}"]`);
  const shown = (element) => element !== null && element.offsetParent !== null;
  const keyName = (event) => (event.ctrlKey && event.key.toLowerCase() === "z" ? "Ctrl+Z" : event.key);

  // Whether the focus was moved by Tab: one that a finger left behind must not catch the Enter that means "finish".
  let byKeyboard = false;
  document.addEventListener("pointerdown", () => (byKeyboard = false), true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") byKeyboard = true;
    const help = document.querySelector("dialog.help");
    let key = keyName(event);
    if (key === "F1") {
      event.preventDefault();
      help.open ? help.close() : help.showModal();
      return;
    }
    if (help.open || event.repeat || event.altKey || event.metaKey || (event.ctrlKey && key !== "Ctrl+Z")) return;
    if (key === "Enter") {
      if (byKeyboard && document.activeElement?.matches("a, button")) return;
      key = "F12";
    }
    const target = button(key);
    if (target === null) {
      // The browser's own F keys (find, reload, developer tools) have no business on a till.
      if (/^F([2-9]|1[0-2])$/.test(key)) event.preventDefault();
      return;
    }
    event.preventDefault();
    if (shown(target) || key === "Escape") target.click();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) document.querySelector("dialog.help").showModal();
    else if (event.target.closest("dialog.help")) document.querySelector("dialog.help").close();
  });

  let audio = null;
  // Browsers let a page sound only after the first key or touch; until then the tones are silent.
  for (const gesture of ["keydown", "pointerdown"]) {
    document.addEventListener(gesture, () => {
      audio ??= new AudioContext();
      audio.resume();
    });
  }
  const beep = (hertz, from, seconds) => {
    const oscillator = audio.createOscillator();
    const volume = audio.createGain();
    oscillator.frequency.value = hertz;
    volume.gain.setValueAtTime(0.2, audio.currentTime + from);
    volume.gain.linearRampToValueAtTime(0, audio.currentTime + from + seconds);
    oscillator.connect(volume).connect(audio.destination);
    oscillator.start(audio.currentTime + from);
    oscillator.stop(audio.currentTime + from + seconds);
  };
  window.spaarpunt = {
    tone(kind) {
      if (audio === null || audio.state !== "running") return;
      if (kind === "high") beep(1320, 0, 0.09);
      else [0, 0.16].forEach((from) => beep(260, from, 0.12));
    },
  };
})();
