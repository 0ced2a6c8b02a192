import { deflateSync } from "node:zlib";

/** One page whose content is deflated, so that no signature matches the file as it lies. */
export function pdf(text: string): Buffer {
  const stream = deflateSync(`${text}${"A".repeat(3000)}`);
  const objects = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
    `<</Length ${stream.length}/Filter/FlateDecode>>stream\n${stream.toString("latin1")}\nendstream`,
  ];
  let out = "%PDF-1.4\n";
  const places = objects.map((object, index) => {
    const at = out.length;
    out += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return at;
  });
  const rows = places.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("");
  const table = `xref\n0 5\n0000000000 65535 f \n${rows}trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n${out.length}\n%%EOF\n`;
  return Buffer.from(out + table, "latin1");
}
