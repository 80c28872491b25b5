// A strict parser of the text format of Prometheus.
import assert from 'node:assert/strict';

/** A family of metrics. */
export interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
const SUFFIXES: Record<string, string[]> = { histogram: ['_bucket', '_sum', '_count'], counter: [''], gauge: [''] };

/** Parses a text, and checks its form: names, types, labels, values, no series twice, cumulative buckets. */
export function parse(text: string): Map<string, Family> {
  assert(text.endsWith('\n'), 'the last line ends with a line break');
  const families = new Map<string, Family>();
  const series = new Set<string>();
  let name = '';
  let help = '';
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, keyword, of = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') [name, help] = [of, rest];
    else if (keyword === 'TYPE') {
      assert.equal(of, name);
      assert.match(of, NAME);
      assert(rest in SUFFIXES, line);
      assert(!families.has(of), `${of} twice`);
      families.set(of, { type: rest, help, samples: [] });
    } else {
      const [, sample = '', labels = '', value = ''] = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`);
      const family = families.get(name) ?? assert.fail(`a sample before its type: ${line}`);
      assert(
        (SUFFIXES[family.type] as string[]).some((suffix) => name + suffix === sample),
        line,
      );
      assert(!Number.isNaN(value === '+Inf' ? 0 : Number(value)), line);
      const id = line.slice(0, line.lastIndexOf(' '));
      assert(!series.has(id), `twice: ${id}`);
      series.add(id);
      family.samples.push({ name: sample, labels: parseLabels(labels), value: Number(value) });
    }
  }
  for (const family of families.values()) if (family.type === 'histogram') assertCumulative(family);
  return families;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const [, name = '', value = ''] = LABEL.exec(text) ?? assert.fail(`labels ${text} at ${at}`);
    assert(!(name in labels), `${name} twice`);
    labels[name] = value.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char));
  }
  return labels;
}

function assertCumulative({ samples }: Family): void {
  let last = 0;
  for (const { name, labels, value } of samples) {
    if (!name.endsWith('_bucket')) continue;
    assert(value >= last, `${name} ${JSON.stringify(labels)}`);
    last = labels.le === '+Inf' ? 0 : value;
  }
}
