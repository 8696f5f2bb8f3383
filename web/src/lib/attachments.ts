// Pictures that the person hands over: which files are taken, and their bytes as data URIs.
import type { Attachment } from './types';

export const kMaxFileBytes = 20 * 1024 * 1024;
export const kMaxPictures = 32;

// By extension, because browsers leave the type empty for formats that they do not know (HEIC, TIFF).
const kTypes: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  jfif: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  bmp: 'image/bmp',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  heic: 'image/heic',
  heif: 'image/heif',
  avif: 'image/avif',
};

export const kAccept = [...new Set(Object.values(kTypes)), ...Object.keys(kTypes).map((e) => `.${e}`)].join(',');

export type Verdict = { mime: string } | { problem: 'video' | 'type' | 'size' | 'empty' };

export function judgeFile(name: string, type: string, sizeBytes: number): Verdict {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  if (type.startsWith('video/') || /^(mp4|m4v|mov|mkv|webm|avi|mpe?g|wmv|flv)$/.test(extension)) {
    return { problem: 'video' };
  }
  const known = new Set(Object.values(kTypes));
  const mime = known.has(type) ? type : kTypes[extension];
  if (!mime) return { problem: 'type' };
  if (sizeBytes === 0) return { problem: 'empty' };
  if (sizeBytes > kMaxFileBytes) return { problem: 'size' };
  return { mime };
}

let nextId = 1;

export function makeAttachment(file: Blob, name: string, mime: string): Attachment {
  return { id: nextId++, name, size: file.size, mime, file, url: URL.createObjectURL(file) };
}

// Follow-ups send the same picture again; it is encoded once.
const encoded = new WeakMap<Blob, Promise<string>>();

export function dataUriOf(attachment: Attachment): Promise<string> {
  let uri = encoded.get(attachment.file);
  if (!uri) {
    uri = encode(attachment);
    encoded.set(attachment.file, uri);
    uri.catch(() => encoded.delete(attachment.file));
  }
  return uri;
}

async function encode(attachment: Attachment): Promise<string> {
  const typed = new Blob([attachment.file], { type: attachment.mime });
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    // The file was moved or changed on the disk since it was picked.
    reader.onerror = () => reject(new UnreadableFile(attachment.name));
    reader.readAsDataURL(typed);
  });
}

export class UnreadableFile extends Error {
  constructor(readonly fileName: string) {
    super(`${fileName} can no longer be read`);
  }
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
