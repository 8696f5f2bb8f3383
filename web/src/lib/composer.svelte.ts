// What the person is about to send. It lives apart from the input box, because pictures come from everywhere: a drop
// on the page, a paste, a sample, a question taken back.
import { fetchSample } from '../api';
import { dataUriOf, formatBytes, judgeFile, kMaxPictures, makeAttachment } from './attachments';
import { chat } from './chat.svelte';
import type { Attachment, Exchange, Sample } from './types';
import { t } from './ui.svelte';

class Composer {
  text = $state('');
  attachments = $state<Attachment[]>([]);
  warnings = $state<string[]>([]);
  /** The sample that was clicked last: its questions are offered while its picture is attached or being asked about. */
  sample = $state<Sample | null>(null);

  /** Set by the input box; brings the cursor there. */
  focus: () => void = () => undefined;

  canSend = $derived(!chat.busy && (this.text.trim() !== '' || this.attachments.length > 0));

  addFiles(files: Iterable<File>): void {
    this.warnings = [];
    let left = kMaxPictures - this.attachments.length - chat.pictures;
    let over = 0;
    for (const file of files) {
      const verdict = judgeFile(file.name, file.type, file.size);
      if ('problem' in verdict) {
        this.warn(verdict.problem, file);
      } else if (left <= 0) {
        over++;
      } else {
        left--;
        this.attach(makeAttachment(file, file.name || 'picture', verdict.mime));
      }
    }
    if (over > 0) this.warnings.push(t('warnCount', { max: kMaxPictures, n: over }));
    this.focus();
  }

  async addSample(sample: Sample): Promise<void> {
    this.warnings = [];
    try {
      const blob = await fetchSample(sample.file);
      const earlier = this.attachments.findIndex((a) => a.name === this.sample?.file);
      if (earlier >= 0) this.remove(this.attachments[earlier]!.id);
      this.attach(makeAttachment(blob, sample.file, 'image/png'));
      this.sample = sample;
      this.focus();
    } catch {
      this.warnings = [t('warnSample')];
    }
  }

  remove(id: number): void {
    const gone = this.attachments.find((a) => a.id === id);
    if (!gone) return;
    URL.revokeObjectURL(gone.url);
    this.attachments = this.attachments.filter((a) => a.id !== id);
    if (gone.name === this.sample?.file) this.sample = null;
  }

  send(): void {
    if (!this.canSend) return;
    const text = this.text.trim();
    const attachments = this.attachments;
    this.text = '';
    this.attachments = [];
    this.warnings = [];
    chat.send(text, attachments);
  }

  ask(question: string): void {
    if (chat.busy) return;
    this.text = question;
    this.send();
  }

  /** Puts a question that was taken back into the box, before what is there already. */
  restore(exchange: Exchange): void {
    this.text = [exchange.text, this.text.trim()].filter((part) => part !== '').join('\n');
    this.attachments = [...exchange.attachments, ...this.attachments];
    this.focus();
  }

  reset(): void {
    chat.clear();
    this.sample = null;
    this.warnings = [];
    this.focus();
  }

  private attach(attachment: Attachment): void {
    this.attachments = [...this.attachments, attachment];
    // Encoding starts now: by the time the question is typed it is done. A failure shows when sending.
    dataUriOf(attachment).catch(() => undefined);
  }

  private warn(problem: 'video' | 'type' | 'size' | 'empty', file: File): void {
    const name = file.name || 'file';
    if (problem === 'video') this.warnings.push(t('warnVideo', { name }));
    else if (problem === 'size') this.warnings.push(t('warnSize', { name, size: formatBytes(file.size) }));
    else if (problem === 'empty') this.warnings.push(t('warnEmpty', { name }));
    else this.warnings.push(t('warnType', { name }));
  }
}

export const composer = new Composer();
