// One choice is one stop of the Tab key, and arrow keys move inside it. Gradio gives every radio button a name of its own,
// and another one whenever it draws it anew, so that the browser takes each for a choice of one. Here they get one name
// before the browser does what a key means.
(() => {
  "use strict";
  let count = 0;
  const keys = new Set(["Tab", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]);
  const join = (field) => {
    const radios = field.querySelectorAll("input[type=radio]");
    if (radios.length < 2) return;
    if (!field.dataset.radios) field.dataset.radios = `choice-${(count += 1)}`;
    for (const radio of radios) if (radio.name !== field.dataset.radios) radio.name = field.dataset.radios;
  };
  window.addEventListener("keydown", (event) => {
    if (keys.has(event.key)) document.querySelectorAll("fieldset").forEach(join);
  }, true);
})();
