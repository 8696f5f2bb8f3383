// localStorage that never throws: private windows and full disks only cost the memory of a setting.

export function load<T>(name: string, fallback: T): T {
  try {
    const text = localStorage.getItem(`qwen3vl.${name}`);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}

export function save(name: string, value: unknown): void {
  try {
    localStorage.setItem(`qwen3vl.${name}`, JSON.stringify(value));
  } catch {
    // Nothing to do: the setting holds for this visit.
  }
}
