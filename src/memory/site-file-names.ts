/** How files of site memories name their members. */

export type Name =
  | 'firstSeenAt'
  | 'lastSeenAt'
  | 'title'
  | 'host'
  | 'visits'
  | 'successes'
  | 'failures'
  | 'successRate'
  | 'totalDurationMs'
  | 'meanDurationMs'
  | 'durationMs'
  | 'selectors'
  | 'quirks'
  | 'patterns'
  | 'purpose'
  | 'selector'
  | 'fallbacks'
  | 'taskType'
  | 'steps'
  | 'lastUsedAt'
  | 'description'
  | 'workaround'
  | 'seenAt';

/** By what they mean, as {@link plain} gives them. */
export const NAMES: Readonly<Record<Name, readonly string[]>> = {
  firstSeenAt: [
    'firstvisit',
    'firstvisited',
    'firstvisitat',
    'firstseen',
    'firstseenat',
    'createdat',
    'created',
  ],
  lastSeenAt: [
    'lastvisit',
    'lastvisited',
    'lastvisitat',
    'lastvisitedat',
    'lastseen',
    'lastseenat',
    'lastaccessed',
    'updatedat',
    'lastupdated',
  ],
  title: ['title', 'pagetitle', 'name'],
  host: ['host', 'domain', 'hostname', 'url', 'site'],
  visits: ['visits', 'visitcount', 'totalvisits', 'count'],
  successes: ['successes', 'successcount', 'successfulvisits', 'successful', 'success', 'hits'],
  failures: [
    'failures',
    'failurecount',
    'failcount',
    'failedvisits',
    'failed',
    'errors',
    'errorcount',
  ],
  successRate: ['successrate'],
  totalDurationMs: ['totaldurationms', 'totaltimems'],
  meanDurationMs: [
    'averagedurationms',
    'avgdurationms',
    'meandurationms',
    'avgloadtimems',
    'averageloadtimems',
  ],
  durationMs: ['durationms', 'loadtimems'],
  selectors: ['selectors', 'cachedselectors', 'selectorcache'],
  quirks: ['quirks', 'knownquirks', 'sitequirks'],
  patterns: ['actionpatterns', 'patterns', 'taskpatterns'],
  purpose: ['purpose'],
  selector: ['selector', 'primary', 'primaryselector', 'css', 'xpath', 'value'],
  fallbacks: ['fallbacks', 'fallbackselectors', 'fallback', 'alternatives'],
  taskType: ['tasktype', 'task', 'type'],
  steps: ['steps', 'actions', 'sequence'],
  lastUsedAt: [
    'lastused',
    'lastusedat',
    'lastsuccess',
    'lastsuccessat',
    'lastseen',
    'updatedat',
    'lastupdated',
  ],
  description: ['description', 'quirk', 'issue', 'text', 'note'],
  workaround: ['workaround', 'solution', 'fix', 'resolution'],
  seenAt: [
    'timestamp',
    'time',
    'date',
    'at',
    'discoveredat',
    'createdat',
    'firstseen',
    'lastseen',
    'updatedat',
  ],
};

/** A name without case, `_` and `-`: `successCount` and `success_count` are one. */
export function plain(name: string): string {
  return name.toLowerCase().replace(/[_\s-]/g, '');
}
