/**
 * For people who open index.html straight from a folder: there browsers refuse to load the page's modules, but not one plain
 * script that has all of them, and the network, in it.
 */
if (location.protocol === "file:") {
  const script = document.createElement("script");
  script.src = "all-in-one.js"; // written by digitrec.export
  script.addEventListener("error", () => {
    const trouble = document.getElementById("trouble");
    trouble.textContent = "all-in-one.js cannot be loaded: copy the whole folder, or export it again.";
    trouble.hidden = false;
  });
  document.head.append(script);
}
