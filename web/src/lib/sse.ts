// A parser of server-sent events that takes text as it arrives, cut anywhere: in a line, between CR and LF, in a field name.
// Only `data` matters here; comments (": ping") and other fields are skipped, as the standard says.

export class SseParser {
  private line = '';
  private data: string[] = [];
  private skipLineFeed = false;

  /** Takes the next piece of text and returns the data of every event that it completes. */
  push(chunk: string): string[] {
    const events: string[] = [];
    let start = 0;
    if (this.skipLineFeed && chunk.length > 0) {
      if (chunk[0] === '\n') start = 1;
      this.skipLineFeed = false;
    }
    for (let i = start; i < chunk.length; i++) {
      const c = chunk[i];
      if (c !== '\n' && c !== '\r') continue;
      this.endLine(this.line + chunk.slice(start, i), events);
      this.line = '';
      if (c === '\r') {
        if (i + 1 === chunk.length) this.skipLineFeed = true;
        else if (chunk[i + 1] === '\n') i++;
      }
      start = i + 1;
    }
    this.line += chunk.slice(start);
    return events;
  }

  private endLine(line: string, events: string[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push(this.data.join('\n'));
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== 'data') return;
    const value = colon < 0 ? '' : line.slice(colon + 1);
    this.data.push(value.startsWith(' ') ? value.slice(1) : value);
  }
}
