// The outline of the land as rings of [longitude, latitude], from a file of Natural Earth in TopoJSON.

export async function outline() {
  const topology = await (await fetch("/static/vendor/world_atlas/land-110m.json")).json();
  const { scale, translate } = topology.transform;
  // An arc is whole numbers, each the step from the one before.
  const arcs = topology.arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => {
      x += dx;
      y += dy;
      return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
    });
  });
  // ~n is the arc n in the other direction.
  const ring = (numbers) => numbers.flatMap((n) => (n < 0 ? [...arcs[~n]].reverse() : arcs[n]));
  return topology.objects.land.geometries
    .flatMap((shape) => (shape.type === "MultiPolygon" ? shape.arcs.flat() : shape.arcs))
    .flatMap((numbers) => onBothSides(unbroken(ring(numbers))));
}

// A ring that crosses the 180th meridian goes on beyond it, and one around the pole is closed by way of the pole.
function unbroken(ring) {
  let turn = 0;
  const whole = ring.map(([lon, lat], n) => {
    const step = n ? lon - ring[n - 1][0] : 0;
    if (Math.abs(step) > 180) turn -= 360 * Math.sign(step);
    return [lon + turn, lat];
  });
  const last = whole.at(-1)[0];
  if (Math.abs(last - whole[0][0]) > 180) whole.push([last, -90], [whole[0][0], -90]);
  return whole;
}

// What goes beyond the 180th meridian lies at the other side as well.
function onBothSides(ring) {
  const found = [ring];
  if (ring.some(([lon]) => lon > 180.1)) found.push(ring.map(([lon, lat]) => [lon - 360, lat]));
  if (ring.some(([lon]) => lon < -180.1)) found.push(ring.map(([lon, lat]) => [lon + 360, lat]));
  return found;
}
