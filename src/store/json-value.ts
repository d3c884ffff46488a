/** Values that callers hand in to be stored later than in their own turn. */
import { jsonOf } from '../audit/json-view.js';
import { requireJson } from '../log/json.js';

/**
 * A deeply frozen copy of a JSON value, which nobody can change any more; parts that are frozen throughout are shared.
 * @throws InvalidEventError with the path to what JSON would mangle
 */
export function jsonValue(value: unknown, path: string): unknown {
  requireJson(value, path);
  return jsonOf(value);
}
