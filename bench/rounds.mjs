import { Crew } from './children.mjs';
import { median, rotated, spread } from './statistics.mjs';

/**
 * Runs every case for every variant in every round, one at a time. The order of the variants moves on from round to round, so
 * that a slow moment of the machine and what one variant leaves behind (dirty pages, a busy disk) meet all of them alike.
 *
 * `module` exports `task` and `probe`. `cases` is a list of `{ name, input, variants? }`; returned are the results of all rounds by `case` and `variant`.
 */
export async function interleave({ variants, cases, rounds, module, task, warmUp }) {
  const crew = await Crew.muster(variants, module);
  try {
    const present = variants.filter((variant) => crew.has(variant));
    // Compiles the hot paths, which a first round would otherwise pay for.
    for (const variant of present) await crew.run(variant, module, task, warmUp);
    const results = new Results(crew.missing);
    for (let round = 0; round < rounds; round += 1) {
      for (const [place, { name, input, variants: only }] of cases.entries()) {
        for (const variant of rotated(present, round + place)) {
          if (only !== undefined && !only.includes(variant)) continue;
          results.add(name, variant, await crew.run(variant, module, task, input));
        }
      }
    }
    return results;
  } finally {
    crew.dismiss();
  }
}

/** The figures of all rounds, by case and variant. */
export class Results {
  #rounds = new Map();
  /** Why a variant was not measured, by its name. */
  missing;

  constructor(missing = new Map()) {
    this.missing = missing;
  }

  add(name, variant, figures) {
    const key = `${name}\n${variant}`;
    if (!this.#rounds.has(key)) this.#rounds.set(key, []);
    this.#rounds.get(key).push(figures);
  }

  /** One figure of every round; empty when the variant was not measured. */
  all(name, variant, figure) {
    return (this.#rounds.get(`${name}\n${variant}`) ?? []).map((figures) => figures[figure]);
  }

  median(name, variant, figure) {
    return median(this.all(name, variant, figure));
  }

  min(name, variant, figure) {
    const all = this.all(name, variant, figure);
    return all.length === 0 ? Number.NaN : Math.min(...all);
  }

  max(name, variant, figure) {
    const all = this.all(name, variant, figure);
    return all.length === 0 ? Number.NaN : Math.max(...all);
  }

  spread(name, variant, figure) {
    return spread(this.all(name, variant, figure));
  }

  /** Ratio of the medians of two variants. */
  ratio(name, variant, other, figure) {
    return this.median(name, variant, figure) / this.median(name, other, figure);
  }

  toJSON() {
    return [...this.#rounds].map(([key, rounds]) => {
      const [name, variant] = key.split('\n');
      return { case: name, variant, rounds };
    });
  }
}
