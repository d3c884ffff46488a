import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { installPeers } from './install.mjs';
import { describeMachine } from './machine.mjs';
import { formatChecks, formatTable } from './report.mjs';
import { sections, settings } from './sections.mjs';

const usage = `node bench/run.mjs [--quick] [--only ${Object.keys(sections).join(',')}] [--rounds n] [--json file]`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const chosen = values.only?.split(',') ?? Object.keys(sections);
const unknown = chosen.filter((name) => !(name in sections));
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (values.help || unknown.length > 0 || (rounds !== undefined && !(rounds >= 1))) {
  console.log(unknown.length > 0 ? `No such section: ${unknown.join(', ')}\n${usage}` : usage);
  process.exit(values.help ? 0 : 2);
}

const chosenSettings = {
  ...(values.quick ? settings.quick : settings.full),
  ...(rounds === undefined ? {} : { rounds }),
};
const machine = describeMachine();
installPeers(console.log);
console.log(
  `${machine.processor}, ${machine.cores} cores, Node ${machine.node}, ${machine.platform}; medians of ${chosenSettings.rounds} rounds, events of about 300 bytes`,
);
for (const warning of machine.warnings) console.log(`Careful: ${warning}`);

const report = { when: new Date().toISOString(), machine, settings: chosenSettings, sections: {} };
const checks = [];
for (const name of chosen) {
  const { title, measure } = sections[name];
  console.log(`\n${title}\n`);
  try {
    const result = await measure(chosenSettings);
    report.sections[name] = {
      title,
      checks: result.checks,
      tables: result.tables,
      raw: result.raw,
    };
    checks.push(...result.checks);
    if (result.note !== undefined) console.log(result.note);
    if (result.tables.length > 0) console.log(result.tables.map(formatTable).join('\n\n'));
  } catch (error) {
    // One broken section must not cost the figures of the others, which took minutes.
    console.error(`${name} failed: ${error.stack}`);
    report.sections[name] = { title, error: error.message };
    process.exitCode = 1;
  }
}
if (checks.length > 0) console.log(`\nTargets (within 0.1 is a tie)\n\n${formatChecks(checks)}`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
