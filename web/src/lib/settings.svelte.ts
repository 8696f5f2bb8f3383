// Which model answers and how it samples; kept in localStorage.
import { listModels } from '../api';
import { defaultMaxTokens, groupFamilies, lengthSteps, pick, presetValues, type Preset } from './models';
import { load, save } from './store';
import type { Model, Sampling, Template } from './types';

interface Stored {
  family: string;
  template: Template;
  preset: Preset;
  custom: Sampling | null;
  maxTokens: Partial<Record<Template, number>>;
  budget: number | null;
}

const kInitial: Stored = {
  family: '',
  template: 'instruct',
  preset: 'model',
  custom: null,
  maxTokens: {},
  budget: null,
};

class Settings {
  models = $state<Model[]>([]);
  modelsState = $state<'loading' | 'ready' | 'failed'>('loading');
  private stored = $state<Stored>(readStored());

  families = $derived(groupFamilies(this.models));
  family = $derived(this.families.find((f) => f.name === this.stored.family) ?? this.families[0]);
  model = $derived(pick(this.family, this.stored.template));
  template = $derived<Template>(this.model?.template ?? this.stored.template);
  preset = $derived(this.stored.preset);
  sampling = $derived(
    this.stored.preset === 'custom' && this.stored.custom
      ? this.stored.custom
      : presetValues(this.stored.preset === 'custom' ? 'model' : this.stored.preset, this.model),
  );
  maxTokens = $derived(clamp(this.stored.maxTokens[this.template] ?? defaultMaxTokens(this.model), this.model));
  budget = $derived(this.stored.budget === null ? null : clamp(this.stored.budget, this.model));

  async loadModels(): Promise<void> {
    this.modelsState = 'loading';
    try {
      this.models = await listModels();
      this.modelsState = 'ready';
    } catch (error) {
      this.modelsState = 'failed';
      throw error;
    }
  }

  setFamily(name: string): void {
    this.write({ family: name });
  }
  setTemplate(template: Template): void {
    this.write({ template });
  }
  setPreset(preset: Exclude<Preset, 'custom'>): void {
    this.write({ preset, custom: null });
  }
  setSampling(name: keyof Sampling, value: number): void {
    this.write({ preset: 'custom', custom: { ...this.sampling, [name]: value } });
  }
  setMaxTokens(value: number): void {
    this.write({ maxTokens: { ...this.stored.maxTokens, [this.template]: value } });
  }
  setBudget(value: number | null): void {
    this.write({ budget: value });
  }

  private write(change: Partial<Stored>): void {
    this.stored = { ...this.stored, ...change };
    save('settings', this.stored);
  }
}

/** What is stored may be from another version or edited by hand: only values of the right kind count. */
function readStored(): Stored {
  const raw = load<Partial<Stored> | null>('settings', null);
  if (typeof raw !== 'object' || raw === null) return kInitial;
  const custom = raw.custom;
  const customOk =
    custom && [custom.temperature, custom.top_p, custom.top_k, custom.presence_penalty].every(Number.isFinite);
  const preset = raw.preset ?? 'model';
  return {
    family: typeof raw.family === 'string' ? raw.family : '',
    template: raw.template === 'thinking' ? 'thinking' : 'instruct',
    preset: preset === 'factual' || preset === 'creative' || (preset === 'custom' && customOk) ? preset : 'model',
    custom: customOk ? custom : null,
    maxTokens: typeof raw.maxTokens === 'object' && raw.maxTokens ? raw.maxTokens : {},
    budget: Number.isFinite(raw.budget) ? (raw.budget as number) : null,
  };
}

function clamp(tokens: number, model: Model | undefined): number {
  const steps = lengthSteps(model?.context ?? 0);
  const value = Number.isFinite(tokens) ? Math.round(tokens) : defaultMaxTokens(model);
  return Math.min(Math.max(1, value), steps[steps.length - 1] ?? value);
}

export const settings = new Settings();
