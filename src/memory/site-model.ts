/** What is stored of web sites, and how it is folded. */
import { defineEvents, defineProjection, type Events, event, type Projection } from '../store.js';
import type { ModelDefinition } from './model-definition.js';
import { type Reverted, revert } from './revert.js';
import { type ImportedSite, mergeSite } from './site-merge.js';
import {
  emptySite,
  type Known,
  knownAs,
  memberOf,
  report,
  type SiteState,
  type Steps,
  touch,
} from './site-state.js';

const sitesEvents = defineEvents({
  'site.created': event<Readonly<Record<string, never>>>(),
  'site.visited': event<{
    readonly durationMs?: number;
    readonly success?: boolean;
    readonly title?: string;
  }>(),
  'site.selector-used': event<{
    readonly purpose: string;
    readonly selector: string;
    readonly fallbacks: readonly string[];
    readonly success: boolean;
  }>(),
  'site.quirk-recorded': event<{ readonly description: string; readonly workaround?: string }>(),
  'site.pattern-used': event<{
    readonly taskType: string;
    readonly steps: Steps;
    readonly success: boolean;
  }>(),
  'site.imported': event<ImportedSite>(),
  'site.reverted': event<Reverted>(),
});

export const sitesProjection: Projection<SiteState> = defineProjection({
  name: 'sites',
  version: 1,
  events: sitesEvents,
  initial: (): SiteState => emptySite(),
  on: {
    'site.created': (site, { time }) => touch(site, time),
    'site.visited': (site, { data, time }) => {
      touch(site, time);
      const { visits } = site;
      visits.count += 1;
      if (data.success === true) visits.successes += 1;
      if (data.success === false) visits.failures += 1;
      if (data.title !== undefined) site.title = data.title;
      if (data.durationMs === undefined) return;
      visits.timed += 1;
      visits.totalDurationMs += data.durationMs;
    },
    'site.selector-used': (site, { data, time }) => {
      touch(site, time);
      const { selector: value, fallbacks, success } = data;
      report(knownAs<string>(site.selectors, data.purpose), { value, fallbacks, success, time });
    },
    'site.quirk-recorded': (site, { data: { description, workaround }, time }) => {
      touch(site, time);
      const member = memberOf(description);
      site.quirks[member] ??= { description, firstSeenAt: time };
      if (workaround !== undefined) site.quirks[member].workaround = workaround;
    },
    'site.pattern-used': (site, { data: { taskType, steps, success }, time }) => {
      touch(site, time);
      const patterns = site.patterns as Record<string, Known<Steps>>;
      report(knownAs(patterns, taskType), { value: steps, fallbacks: [], success, time });
    },
    'site.imported': (site, { data, time }) => mergeSite(site as SiteState, data, time),
    'site.reverted': (site, event) => revert<SiteState>(site, event),
  },
});

export const sitesModel: ModelDefinition = {
  name: 'sites',
  events: sitesEvents as Events,
  projection: sitesProjection as Projection,
  opposites: {
    'site.created': 'site.reverted',
    'site.visited': 'site.reverted',
    'site.selector-used': 'site.reverted',
    'site.quirk-recorded': 'site.reverted',
    'site.pattern-used': 'site.reverted',
    'site.imported': 'site.reverted',
    'site.reverted': 'site.reverted',
  },
  // The site was heard of all the same.
  bookkeeping: ['/firstSeenAt', '/lastSeenAt'],
  additive: true,
};
