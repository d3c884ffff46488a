/** Forms of English words that no ending tells: `went` is a form of `go`. First the form that stands for all. */
const FORMS = `
  become became;begin began begun;bend bent;bite bit bitten;blow blew blown;break broke broken;bring brought;build built;buy bought;catch caught;
  choose chose chosen;come came;creep crept;deal dealt;dig dug;draw drew drawn;dream dreamt;drink drank drunk;drive drove driven;eat ate eaten;fall fell fallen;
  feed fed;feel felt;fight fought;find found;fly flew flown;forget forgot forgotten;forgive forgave forgiven;freeze froze frozen;give gave given;go went gone goes;
  grow grew grown;hang hung;hear heard;hide hid hidden;hold held;keep kept;kneel knelt;know knew known;lay laid;lead led;leap leapt;learn learnt;leave left;
  lend lent;light lit;lose lost;make made;mean meant;meet met;pay paid;ride rode ridden;ring rang rung;rise rose risen;run ran;say said;see saw seen;
  seek sought;sell sold;send sent;sew sewn;shake shook shaken;shine shone;shoot shot;show shown;shrink shrank shrunk;sing sang sung;sink sank sunk;sit sat;
  sleep slept;slide slid;speak spoke spoken;spell spelt;spend spent;spin spun;stand stood;steal stole stolen;stick stuck;strike struck;swear swore sworn;
  sweep swept;swim swam swum;swing swung;take took taken;teach taught;tear tore torn;tell told;think thought;throw threw thrown;understand understood;
  wake woke woken;wear wore worn;weave wove woven;win won;wind wound;withdraw withdrew withdrawn;write wrote written;
  child children;foot feet;goose geese;half halves;knife knives;leaf leaves;life lives;loaf loaves;man men;mouse mice;person people;shelf shelves;thief thieves;
  tooth teeth;wife wives;wolf wolves;woman women`;

/** From a form to the one that stands for all. What is a form of two words goes with the first that is named. */
export const IRREGULAR: ReadonlyMap<string, string> = new Map(
  FORMS.split(';')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([base = '', ...forms]) => forms.map((form) => [form, base] as const))
    .reverse(),
);
