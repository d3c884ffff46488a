import { formatChecks, formatTable } from './report.mjs';
import { sections, settings } from './sections.mjs';

/** Shows in a few seconds that the benchmark code runs. Says nothing about speed, installs nothing, takes the peers that are there. */
for (const [name, { measure }] of Object.entries(sections)) {
  const { tables, checks, raw, note } = await measure(settings.smoke);
  tables.map(formatTable);
  if (checks.length > 0) formatChecks(checks);
  JSON.stringify(raw);
  console.log(`${name}: runs${note === undefined ? '' : `; ${note}`}`);
}
