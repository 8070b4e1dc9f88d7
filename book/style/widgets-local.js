// Loaded between RequireJS and the widget manager, on pages that show widgets: everything they ask for is in this site.
requirejs.config({ baseUrl: new URL("widgets/", document.currentScript.src).href });

// The widget manager asks MathJax 2's queue to typeset labels; this site has MathJax 3.
window.addEventListener("load", () => {
  if (window.MathJax && !window.MathJax.Hub) {
    window.MathJax.Hub = { Queue: ([, , element]) => window.MathJax.typesetPromise?.([element]) };
  }
});
