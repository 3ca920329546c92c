/**
 * A word to people who open index.html straight from a folder: browsers refuse to run the page's other scripts there.
 */
if (location.protocol === "file:") {
  const trouble = document.getElementById("trouble");
  trouble.textContent =
    "Browsers don't run this page straight from a file. Put its folder on a web host, or try it with: " +
    "python -m http.server --directory (this folder)";
  trouble.hidden = false;
}
