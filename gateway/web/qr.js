// QR codes (ISO/IEC 18004) of short texts: byte mode, error correction L,
// versions 1 to 5, which are those with a single block and up to 106 bytes.

// Codewords of data and of error correction, by version.
const VERSIONS = [[19, 7], [34, 10], [55, 15], [80, 20], [108, 26]];
const MASKS = [
  (x, y) => (x + y) % 2,
  (x, y) => y % 2,
  (x) => x % 3,
  (x, y) => (x + y) % 3,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3),
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];
const SVG = "http://www.w3.org/2000/svg";

// An <svg> of the text, or null where it is too long.
export function qr(text) {
  const rows = matrix(new TextEncoder().encode(text));
  if (!rows) return null;
  // Four light modules around, as the standard wants it.
  const size = rows.length + 8;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("shape-rendering", "crispEdges");
  const path = document.createElementNS(SVG, "path");
  const squares = rows.flatMap((row, y) =>
    row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : "")),
  );
  path.setAttribute("d", squares.join(""));
  svg.append(path);
  return svg;
}

function matrix(bytes) {
  const version = VERSIONS.findIndex(([data]) => bytes.length <= data - 2) + 1;
  if (version === 0) return null;
  const codewords = encode(bytes, ...VERSIONS[version - 1]);
  const drawn = MASKS.map((mask, index) => draw(version, codewords, mask, index));
  return drawn.reduce((best, each) => (penalty(each) < penalty(best) ? each : best));
}

function encode(bytes, dataLength, checkLength) {
  // Four bits of mode, eight of length, the bytes, four zeros.
  const data = [0x40 | (bytes.length >> 4)];
  let low = bytes.length & 15;
  for (const byte of bytes) {
    data.push((low << 4) | (byte >> 4));
    low = byte & 15;
  }
  data.push(low << 4);
  for (let pad = 0xec; data.length < dataLength; pad ^= 0xec ^ 0x11) data.push(pad);
  return [...data, ...checkwords(data, checkLength)];
}

// In the field of 256 elements of x^8 + x^4 + x^3 + x^2 + 1.
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

// Reed and Solomon: the remainder by (x - 1)(x - 2)(x - 4)…
function checkwords(data, length) {
  let divisor = [1];
  for (let index = 0, root = 1; index < length; index += 1, root = times(root, 2)) {
    divisor = [...divisor, 0].map(
      (factor, place) => factor ^ (place ? times(divisor[place - 1], root) : 0),
    );
  }
  const rest = [...data, ...Array(length).fill(0)];
  for (let at = 0; at < data.length; at += 1) {
    const lead = rest[at];
    divisor.forEach((factor, place) => {
      rest[at + place] ^= times(factor, lead);
    });
  }
  return rest.slice(data.length);
}

function draw(version, codewords, mask, maskIndex) {
  const size = 17 + 4 * version;
  // undefined is what no pattern has taken.
  const rows = Array.from({ length: size }, () => Array(size).fill(undefined));
  const square = (cx, cy, radius, dark) => {
    for (let y = Math.max(0, cy - radius); y <= Math.min(size - 1, cy + radius); y += 1) {
      for (let x = Math.max(0, cx - radius); x <= Math.min(size - 1, cx + radius); x += 1) {
        rows[y][x] = dark(Math.max(Math.abs(x - cx), Math.abs(y - cy)));
      }
    }
  };
  for (let at = 0; at < size; at += 1) {
    rows[6][at] = rows[at][6] = at % 2 === 0;
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    square(x, y, 4, (distance) => distance !== 2 && distance !== 4);
  }
  if (version > 1) square(size - 7, size - 7, 2, (distance) => distance !== 1);
  drawFormat(rows, maskIndex);

  let bit = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    // The upright timing pattern takes a column.
    if (right === 6) right = 5;
    const upwards = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const y = upwards ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (rows[y][x] !== undefined) continue;
        const data = (codewords[bit >> 3] >> (7 - (bit & 7))) & 1;
        rows[y][x] = (data === 1) !== (mask(x, y) === 0);
        bit += 1;
      }
    }
  }
  return rows;
}

// Level L and the mask, in a code of Bose, Chaudhuri and Hocquenghem, twice.
function drawFormat(rows, maskIndex) {
  const size = rows.length;
  const data = 0b01000 | maskIndex;
  let rest = data << 10;
  for (let at = 14; at >= 10; at -= 1) rest ^= ((rest >> at) & 1) * (0x537 << (at - 10));
  const format = ((data << 10) | rest) ^ 0x5412;
  for (let at = 0; at < 15; at += 1) {
    const dark = ((format >> at) & 1) === 1;
    // Down column 8, then along row 8, both around the timing pattern.
    if (at < 6) rows[at][8] = dark;
    else if (at < 8) rows[at + 1][8] = dark;
    else if (at < 9) rows[8][7] = dark;
    else rows[8][14 - at] = dark;
    if (at < 8) rows[8][size - 1 - at] = dark;
    else rows[size - 15 + at][8] = dark;
  }
  rows[size - 8][8] = true;
}

// How hard it is to scan, by the standard's four rules.
function penalty(rows) {
  const size = rows.length;
  const lines = [...rows, ...rows.map((_, x) => rows.map((row) => row[x]))];
  let total = 0;
  for (const line of lines) {
    const text = line.map(Number).join("");
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) total += run.length - 2;
    for (const pattern of ["10111010000", "00001011101"]) {
      for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) total += 40;
    }
  }
  for (let y = 1; y < size; y += 1) {
    for (let x = 1; x < size; x += 1) {
      const dark = rows[y][x];
      if (rows[y - 1][x] === dark && rows[y][x - 1] === dark && rows[y - 1][x - 1] === dark) total += 3;
    }
  }
  const dark = rows.flat().filter(Boolean).length;
  return total + 10 * Math.floor(Math.abs((100 * dark) / (size * size) - 50) / 5);
}
