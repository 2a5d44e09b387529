// Buttons that copy a text: it stands in `data-copy`, or at the address in `data-copy-from`; and what the button then
// says for a moment in `data-copied`.
(() => {
  "use strict";
  const fetched = async (address) => {
    const response = await fetch(address);
    if (!response.ok) throw new Error(await response.text());
    return response.text();
  };
  const put = (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Browsers give pages none at the address of another computer.
    const field = document.createElement("textarea");
    field.value = text;
    field.style.cssText = "position: fixed; opacity: 0";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    return Promise.resolve();
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest ? event.target.closest("[data-copy], [data-copy-from]") : null;
    if (!button || button.textContent === button.dataset.copied) return;
    const {copy, copyFrom, copied} = button.dataset;
    await put(copyFrom ? await fetched(copyFrom) : copy);
    const label = button.textContent;
    button.textContent = copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
})();
