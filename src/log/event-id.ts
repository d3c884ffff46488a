const THOUSAND = 1000;
/** The last three digits of a position. */
const endings: readonly string[] = Array.from({ length: THOUSAND }, (_, number) =>
  String(number).padStart(3, '0'),
);
const firstEndings: readonly string[] = endings.map((digits) => `${digits}.0`);
let thousands = 0;
let beginning = '';

/** `${position}.${index}`: every event that is read has one, and positions mostly follow one another, so that most digits are known. */
export function eventId(position: number, index: number): string {
  if (position < THOUSAND) return `${position}.${index}`;
  const above = Math.floor(position / THOUSAND);
  if (above !== thousands) {
    thousands = above;
    beginning = String(above);
  }
  const below = position - above * THOUSAND;
  if (index === 0) return beginning + (firstEndings[below] as string);
  return `${beginning}${endings[below] as string}.${index}`;
}
