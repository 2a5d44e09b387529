// Gradio's page loader counts the seconds it takes, and goes on to count, sixty times a second, when it is gone (6.31). The
// count is shown nowhere: once in ten seconds is often enough. Before all of Gradio's scripts; with no library.
(() => {
  "use strict";
  const SELDOM = 10000;  // milliseconds
  const frame = window.requestAnimationFrame.bind(window);
  const counts = /performance\.now\(\)[^;]{0,40}\/\s*1e3/;
  window.requestAnimationFrame = (then) => (
    counts.test(Function.prototype.toString.call(then)) ? setTimeout(then, SELDOM, performance.now()) : frame(then)
  );
})();
