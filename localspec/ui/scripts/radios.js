// One choice is one stop of the Tab key, and arrow keys move inside it. Gradio gives every radio button a name of its own,
// so that the browser takes each for a choice of one; with one name they are what they look like.
(() => {
  "use strict";
  let count = 0;
  const join = (field) => {
    const radios = field.querySelectorAll("input[type=radio]");
    if (radios.length < 2) return;
    const known = field.dataset.radios || `choice-${(count += 1)}`;
    field.dataset.radios = known;
    for (const radio of radios) if (radio.name !== known) radio.name = known;
  };
  const joinAll = () => document.querySelectorAll("fieldset").forEach(join);
  const watch = () => {
    const page = document.querySelector(".gradio-container #columns");
    if (!page) {
      setTimeout(watch, 100); // the page is being made
      return;
    }
    joinAll();
  };
  watch();
  // What is made later, as in a dialog that is opened for the first time.
  document.addEventListener("focusin", (event) => {
    const field = event.target.closest ? event.target.closest("fieldset") : null;
    if (field) join(field);
  });
})();
