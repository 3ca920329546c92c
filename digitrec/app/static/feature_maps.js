// Feature maps: for each layer one canvas with a tile for each map.

const COLUMNS = 8;

/** Put the layers, [{name, width, height, maps}], under a place of the page. */
export function showLayers(place, layers) {
  place.replaceChildren(...layers.flatMap((layer, index) => {
    const title = document.createElement("h3");
    title.textContent = `Layer ${index + 1}: ${layer.maps.length} maps of ${layer.width} × ${layer.height}`;
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", title.textContent);
    return [title, canvas];
  }));
  const canvases = place.querySelectorAll("canvas");
  layers.forEach((layer, index) => paint(canvases[index], layer));
}

function paint(canvas, { width, height, maps }) {
  const columns = Math.min(maps.length, maps.length > 40 ? 2 * COLUMNS : COLUMNS);
  canvas.width = columns * (width + 1) - 1;
  canvas.height = Math.ceil(maps.length / columns) * (height + 1) - 1;
  const context = canvas.getContext("2d");
  const [red, green, blue] = getComputedStyle(canvas).color.match(/\d+/g).map(Number);
  maps.forEach((map, index) => {
    const tile = new ImageData(width, height);
    map.forEach((value, pixel) => tile.data.set([red, green, blue, 16 + (value * 239) / 255], 4 * pixel));
    context.putImageData(tile, (index % columns) * (width + 1), Math.floor(index / columns) * (height + 1));
  });
}
