// The server lists one model per template ("demo", "demo-thinking"); the page shows families with a switch.
import type { Model, Sampling, Template } from './types';

export interface Family {
  name: string;
  instruct?: Model;
  thinking?: Model;
}

export function familyName(id: string): string {
  return id.replace(/[-_](instruct|thinking)\b/i, '');
}

export function groupFamilies(models: readonly Model[]): Family[] {
  const families = new Map<string, Family>();
  for (const model of models) {
    const name = familyName(model.id);
    const family = families.get(name) ?? { name };
    family[model.template] ??= model;
    families.set(name, family);
  }
  return [...families.values()];
}

/** The family's model for the wanted template, or its other one. */
export function pick(family: Family | undefined, template: Template): Model | undefined {
  return family?.[template] ?? family?.instruct ?? family?.thinking;
}

// Qwen3-VL's own recommendations, for a server that does not name its model's.
const kRecommended: Record<Template, Sampling> = {
  instruct: { temperature: 0.7, top_p: 0.8, top_k: 20, presence_penalty: 1.5 },
  thinking: { temperature: 0.6, top_p: 0.95, top_k: 20, presence_penalty: 0 },
};

const kOff: Sampling = { temperature: 1, top_p: 1, top_k: 0, presence_penalty: 0 };

export type Preset = 'model' | 'factual' | 'creative' | 'custom';

export function presetValues(preset: Exclude<Preset, 'custom'>, model: Model | undefined): Sampling {
  if (preset === 'factual') return { temperature: 0, top_p: 1, top_k: 1, presence_penalty: 0 };
  if (preset === 'creative') return { temperature: 1, top_p: 0.95, top_k: 40, presence_penalty: 0 };
  const named: Partial<Sampling> = {};
  for (const name of Object.keys(kOff) as (keyof Sampling)[]) {
    const value = model?.defaults[name];
    if (typeof value === 'number') named[name] = value;
  }
  // A model that names some of its values leaves the others out because they are off.
  const rest = Object.keys(named).length > 0 ? kOff : kRecommended[model?.template ?? 'instruct'];
  return { ...rest, ...named };
}

/** Steps of the length sliders: powers of two and their halves, up to the model's context. */
export function lengthSteps(context: number): number[] {
  const limit = context > 0 ? context : 32768;
  const steps: number[] = [];
  for (let step = 64; step < limit; step *= 2) {
    steps.push(step);
    if (step >= 512 && step * 1.5 < limit) steps.push(step * 1.5);
  }
  steps.push(limit);
  return steps;
}

export function defaultMaxTokens(model: Model | undefined): number {
  const named = model?.defaults.max_tokens ?? 0;
  if (named > 0) return model && model.context > 0 ? Math.min(named, model.context) : named;
  const wanted = model?.template === 'thinking' ? 8192 : 2048;
  return model && model.context > 0 ? Math.min(wanted, Math.floor(model.context / 2)) : wanted;
}
