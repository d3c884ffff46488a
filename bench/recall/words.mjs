/** The ways in which agents look for words in what they keep, beside recollect: SQLite's full text search, and the search of a graph of text. */

const DEPTH = 20;

/** @param {string} text */
function wordsOf(text) {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** FTS5 with its defaults, any of the words, best first by its BM25; undefined when better-sqlite3 is not built. */
export async function fullText() {
  let Database;
  try {
    ({ default: Database } = await import('better-sqlite3'));
    new Database(':memory:').close();
  } catch {
    return undefined;
  }
  return (documents) => {
    const database = new Database(':memory:');
    database.exec('CREATE VIRTUAL TABLE memories USING fts5(id UNINDEXED, text)');
    const insert = database.prepare('INSERT INTO memories VALUES (?, ?)');
    database.transaction(() => documents.map(({ id, text }) => insert.run(id, text)))();
    const select = database.prepare(
      `SELECT id FROM memories WHERE memories MATCH ? ORDER BY rank LIMIT ${DEPTH}`,
    );
    return ({ text }) => {
      const words = wordsOf(text).map((word) => `"${word}"`);
      return words.length === 0 ? [] : select.all(words.join(' OR ')).map(({ id }) => id);
    };
  };
}

/** As `search_nodes` of the MCP memory server looks: the whole question as it stands, somewhere in the text, in the order of the file. */
export function substring(documents) {
  return ({ text }) =>
    documents
      .filter((document) => document.text.toLowerCase().includes(text.toLowerCase()))
      .slice(0, DEPTH)
      .map(({ id }) => id);
}
