// How a photo or a camera frame becomes the pixels that a gauge takes.
// A photo of the right size goes in pixel for pixel, as Python decodes it; anything else is cut to the middle and
// scaled, and the page says so.

// ITU-R BT.601 in 1/65536: the integers that Pillow uses, so that grey is the same grey.
const LUMA = [19595, 38470, 7471], HALF = 32768;
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], PNG_DEPTH = 24;

export class PhotoError extends Error {}

// Decode a file without colour management and without mixing in transparency; the camera's rotation mark is obeyed.
export async function decode(file) {
  const head = new Uint8Array(await file.slice(0, 26).arrayBuffer());
  if (!head.length) throw new PhotoError("the file is empty");
  if (PNG.every((byte, k) => head[k] === byte) && head[PNG_DEPTH] === 16) {
    throw new PhotoError("16 bits a pixel, of which browsers show 8; ask 'gonogo predict' on a computer");
  }
  try {
    return await createImageBitmap(file, {
      colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "from-image",
    });
  } catch {
    throw new PhotoError("this browser cannot decode it; JPEG, PNG and WebP work everywhere");
  }
}

// The part of a source of this size that has the gauge's shape: [x, y, width, height].
export function middle(width, height, geometry) {
  const shape = geometry.width / geometry.height;
  const w = Math.min(width, height * shape), h = Math.min(height, width / shape);
  return [(width - w) / 2, (height - h) / 2, w, h];
}

// {data (H*W*C bytes), width, height, channels, scaled, from, canvas} for one gauge.
export function toPixels(source, width, height, geometry, canvas) {
  const free = geometry.height === null;
  const [x, y, w, h] = geometry.region;
  if (free && (width < x + w || height < y + h)) {
    throw new PhotoError(`${width}x${height} pixels do not hold the crop ${w}x${h}+${x}+${y} of this gauge`);
  }
  const columns = free ? width : geometry.width, rows = free ? height : geometry.height;
  const scaled = columns !== width || rows !== height;
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d", {willReadFrequently: true, colorSpace: "srgb"});
  pen.imageSmoothingEnabled = scaled;
  pen.imageSmoothingQuality = "high";
  if (scaled) pen.drawImage(source, ...middle(width, height, geometry), 0, 0, columns, rows);
  else pen.drawImage(source, 0, 0);
  const rgba = pen.getImageData(0, 0, columns, rows).data;
  return {data: pack(rgba, geometry.channels), width: columns, height: rows, channels: geometry.channels,
    scaled, from: [width, height], canvas};
}

function pack(rgba, channels) {
  const count = rgba.length / 4, data = new Uint8Array(count * channels);
  for (let k = 0, from = 0; k < count; k++, from += 4) {
    if (rgba[from + 3] !== 255) {
      throw new PhotoError("partly transparent, where browsers lose colours; save it without transparency");
    }
    if (channels === 1) {
      data[k] = (rgba[from] * LUMA[0] + rgba[from + 1] * LUMA[1] + rgba[from + 2] * LUMA[2] + HALF) >>> 16;
    } else {
      data[3 * k] = rgba[from];
      data[3 * k + 1] = rgba[from + 1];
      data[3 * k + 2] = rgba[from + 2];
    }
  }
  return data;
}
