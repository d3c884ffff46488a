/** What a language says of its words: how they are stemmed, and which of them stand in texts about anything. */
import { createRequire } from 'node:module';
import { IRREGULAR } from './irregular.js';

/** Makes forms of a word equal; what it gives need not be a word. */
export type Stem = (word: string) => string;

/**
 * Function words: they say how others belong together. Question words are among them, because they stand in the question and not in what answers it.
 * Languages without a list go without: words that stand everywhere weigh little anyway.
 */
const FUNCTION_WORDS: Readonly<Record<string, string>> = {
  english: `a about above after again against all also am an and any are as at be because been before being below between both but by can cannot could did do
    does doing done down during each either else ever few for from further get gets getting got had has have having he her here hers herself him himself his how
    however i if in into is it its itself just let like me might mine more most much must my myself no nor not of off on once only onto or other others ought
    our ours ourselves out over own per shall she should since so some such than that the their theirs them themselves then there these they this those
    though through till to too under until up upon us very was we were what whatever when whenever where wherever which while who whoever whom whose why will with
    within without would yes yet you your yours yourself yourselves`,
  german: `aber alle als also am an auch auf aus bei bin bis bist da damit dann das dass dein deine dem den denn der des dich die dies diese dieser dieses dir doch
    dort du durch ein eine einem einen einer eines er es euch euer eure für gegen hab habe haben hast hat hatte hatten hier ich ihm ihn ihnen ihr ihre ihrer im in
    ist ja jede jeder jedes jetzt kann kein keine können man mein meine mich mir mit muss nach nicht noch nun nur ob oder ohne sehr sein seine sich sie sind so
    über um und uns unser unsere unter vom von vor wann war waren warum was weil welche welcher welches wem wen wenn wer werde werden wessen wie wieder will wir
    wird wo wohin worden wurde wurden zu zum zur zwischen`,
  french: `à ai as au aussi aux avait avec avez avoir avons c'est ce ces cet cette combien comme comment d dans de des donc du elle elles en entre es est et été
    être eu il ils j je l la le les leur leurs lui m ma mais me même mes moi mon n ne nos notre nous on ont ou où par pas pour pourquoi qu quand que quel quelle
    quelles quels qui quoi s sa sans se ses si son sont sous sur t ta te tes toi ton tu un une vos votre vous y`,
  spanish: `a al algo como cómo con cuál cuándo cuánto de del desde donde dónde durante e el él ella ellas ellos en entre era eres es esa ese eso esta está están
    estas este esto estos fue ha han hasta hay he la las le les lo los me mi mis mucho muy más ni no nos nosotros o os otra otro para pero por porque que qué
    quién se ser si sí sin sobre son su sus también te tiene tu tú tus un una unas uno unos y ya yo`,
  italian: `a ad al alla alle allo anche avere aveva c che chi ci come con cosa cui da dal dalla dei del della delle di dove e è ed era essere fra gli ha hanno
    ho i il in io l la le lei li lo loro lui ma mi mia mio ne nei nel nella no noi non nostro o ogni per perché più quale quali quando quanto quella quello questa
    questo se sei si sia sono su sua sui sul suo ti tra tu tua tuo tutti un una uno vi voi`,
  portuguese: `a ao aos as às até com como da das de dela dele do dos e é ela elas ele eles em entre era essa esse está esta este eu foi há isso isto já lhe
    mais mas me meu minha muito na não nas nem no nos nós o onde os ou para pela pelo por porque qual quando que quem se sem ser seu sua são só também te tem
    tu um uma você vocês`,
  dutch: `aan al alles als altijd ben bij daar dan dat de der deze die dit doch doen door dus een en er ge geen had haar heb hebben heeft hem het hier hij hoe
    hun ik in is ja je jij kan kon maar me meer men met mij mijn na naar niet nog nu of om omdat ons ook op over te tot u uit uw van veel voor waar waarom was wat
    we wel welke werd wie wij wil worden zal ze zei zelf zich zij zijn zo zonder zou`,
  swedish: `alla allt än är att av bara blev bli då de dem den denna deras dess det detta dig din där du efter ej eller en er ett för från ha hade han hans
    har här hon hur i icke in inom inte jag ju kan kunde man med mellan men mig min mot mycket någon något när ni nu och om oss på så sedan sig sin sina ska skulle
    som till under upp ut utan vad var varför vart vem vi vid vilka vilken`,
  danish: `ad af alle at blev blive da de dem den denne der deres det dette dig din dog du efter eller en end er et for fra ham han hans har havde hende hendes
    her hun hvad hvem hver hvilken hvis hvor hvordan hvorfor i ikke ind jeg jer jo kunne man mange med meget men mig min mit nogle noget nu når og også om op os
    over på selv sig sin sit skal skulle som thi til ud under var vi vil ville vor være været`,
  norwegian: `alle at av ble bli da de dei deg dem den denne der deres det dette din du eller en er et etter for fra før ha hadde han hans har hennes her hun hva
    hvem hver hvilken hvor hvordan hvorfor i ikke ja jeg kan kunne man med meg men mer min mitt mot må når noe noen nå og også om opp oss over på så seg selv sin
    sitt skal skulle som til um under ut var vi vil ville ved vår være vært`,
  russian: `а без более бы был была были было быть в вам вас ведь весь во вот все всё вы где да даже для до его ее её если есть еще ещё же за здесь и из или им их
    к как какая какой когда кто куда ли мне много может мой моя мы на над нас не него нее нет ни них но ну о об он она они оно от по под почему при с сам себя
    со так такой там тебя тем то того только том тот ты у уже хотя чего чей чем что чтобы эта эти это этот я`,
};

/** Languages that there is a stemmer for, and the script that it knows the endings of. */
const SCRIPTS: ReadonlyMap<string, RegExp> = new Map(
  `arabic armenian basque catalan czech danish dutch english finnish french german hungarian irish italian norwegian porter portuguese romanian russian
    slovene spanish swedish tamil turkish`
    .split(/\s+/)
    .map((language) => [language, scriptOf(language)]),
);

function scriptOf(language: string): RegExp {
  if (language === 'arabic') return /^\p{Script=Arabic}+$/u;
  if (language === 'armenian') return /^\p{Script=Armenian}+$/u;
  if (language === 'russian') return /^\p{Script=Cyrillic}+$/u;
  if (language === 'tamil') return /^\p{Script=Tamil}+$/u;
  return /^[\p{Script=Latin}\p{M}']+$/u;
}

interface Stemmers {
  newStemmer(language: string): { stem(word: string): string };
}

let loaded: Stemmers | undefined;

/** Half a megabyte of tables, loaded with the first word. */
function stemmers(): Stemmers {
  loaded ??= createRequire(import.meta.url)('snowball-stemmers') as Stemmers;
  return loaded;
}

/** Languages that a memory can have: those that there is a stemmer for, and `none`. */
export const LANGUAGES: readonly string[] = [...SCRIPTS.keys(), 'none'];

/** The stemmer of a language, which leaves words of other scripts as they are; undefined for `none`. @throws RangeError for a language that is not known */
export function stemOf(language: string): Stem | undefined {
  if (language === 'none') return undefined;
  const script = SCRIPTS.get(language);
  if (!script) throw new RangeError(`there is no stemmer for the language ${language}`);
  const irregular = isEnglish(language) ? IRREGULAR : undefined;
  let stemmer: ReturnType<Stemmers['newStemmer']> | undefined;
  return (word) => {
    if (!script.test(word)) return word;
    // Ten milliseconds, which an index that is only loaded need not spend.
    stemmer ??= stemmers().newStemmer(language);
    return stemmer.stem(irregular?.get(word) ?? word);
  };
}

export function isEnglish(language: string): boolean {
  return language === 'english' || language === 'porter';
}

/** Words of the language that stand in texts about anything. */
export function functionWordsOf(language: string): ReadonlySet<string> {
  const words = Object.hasOwn(FUNCTION_WORDS, language) ? FUNCTION_WORDS[language] : undefined;
  return new Set(words?.split(/\s+/));
}
