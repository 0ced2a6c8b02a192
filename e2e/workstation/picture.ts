/** The picture the primary guest draws on its own video card, and what QEMU's capture of the card is compared with. */

export const WIDTH = 800;
export const HEIGHT = 600;

/** Colour at a point, as [red, green, blue]: every byte of a line and of a column differs from its neighbours. */
const colour = (x: number, y: number): [number, number, number] => [
  (x * 255) / WIDTH,
  (y * 255) / HEIGHT,
  ((x >> 5) ^ (y >> 5)) & 1 ? 220 : 40,
];

/** As a Linux frame buffer wants it: 32 bits a pixel, blue first. */
export function frameBuffer(): Uint8Array {
  const bytes = new Uint8Array(WIDTH * HEIGHT * 4);
  for (let y = 0, at = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++, at += 4) {
      const [red, green, blue] = colour(x, y);
      bytes.set([blue, green, red, 0], at);
    }
  return bytes;
}

/** How many of the picture's points a capture (PPM, binary, as QEMU writes it) shows otherwise. */
export function differences(ppm: Uint8Array): number {
  const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(Buffer.from(ppm.subarray(0, 40)).toString("latin1"));
  if (!header || Number(header[1]) !== WIDTH || Number(header[2]) !== HEIGHT)
    throw new Error(`the capture is not ${WIDTH}x${HEIGHT}: ${header?.[0] ?? "no PPM"}`);
  const drawn = frameBuffer();
  let wrong = 0;
  for (let at = 0, from = header[0].length; at < drawn.length; at += 4, from += 3)
    if (ppm[from] !== drawn[at + 2] || ppm[from + 1] !== drawn[at + 1] || ppm[from + 2] !== drawn[at]) wrong++;
  return wrong;
}
