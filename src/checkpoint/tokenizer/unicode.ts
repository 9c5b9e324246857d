/**
 * tokenizers and its libraries each have the Unicode of their day. Characters assigned since are, to them, no letters,
 * digits or marks, and do not decompose. The tables come from comparing them with Unicode 17 (see compare.ts in the tests).
 */

/** Assigned after Oniguruma's tables (Unicode 16). */
const AFTER_ONIGURUMA = new RegExp(
  '[' +
    String.raw`\u{88f}\u{c5c}\u{cdc}\u{1acf}-\u{1add}\u{1ae0}-\u{1aeb}\u{20c1}\u{2b96}\u{a7ce}\u{a7cf}\u{a7d2}` +
    String.raw`\u{a7d4}\u{a7f1}\u{fbc3}-\u{fbd2}\u{fd90}\u{fd91}\u{fdc8}-\u{fdce}\u{10940}-\u{10959}` +
    String.raw`\u{10ec5}-\u{10ec7}\u{10ed0}-\u{10ed8}\u{10efa}\u{10efb}\u{11b60}-\u{11b67}\u{11db0}-\u{11ddb}` +
    String.raw`\u{11de0}-\u{11de9}\u{16ea0}-\u{16eb8}\u{16ebb}-\u{16ed3}\u{16ff2}-\u{16ff6}\u{187f8}-\u{187ff}` +
    String.raw`\u{18d09}-\u{18d1e}\u{18d80}-\u{18df2}\u{1ccfa}-\u{1ccfc}\u{1ceba}-\u{1ced0}\u{1cee0}-\u{1cef0}` +
    String.raw`\u{1e6c0}-\u{1e6de}\u{1e6e0}-\u{1e6f5}\u{1e6fe}\u{1e6ff}\u{1f6d8}\u{1f777}-\u{1f77a}` +
    String.raw`\u{1f8d0}-\u{1f8d8}\u{1fa54}-\u{1fa57}\u{1fa8a}\u{1fa8e}\u{1fac8}\u{1facd}\u{1faea}\u{1faef}` +
    String.raw`\u{1fbfa}\u{2b73a}-\u{2b73f}\u{2cea2}-\u{2cead}\u{323b0}-\u{33479}` +
    ']',
  'gu',
);

/** What normalises otherwise than in unicode-normalization-alignments (Unicode 11). */
const AFTER_NORMALIZER =
  String.raw`\u{7fd}\u{897}-\u{89f}\u{8ca}-\u{8d3}\u{9fe}\u{c3c}\u{d3b}\u{d3c}\u{eba}\u{1715}` +
  String.raw`\u{1abf}-\u{1add}\u{1ae0}-\u{1aeb}\u{1df6}-\u{1dfa}\u{32ff}\u{a7f1}-\u{a7f4}\u{a82c}\u{ab69}` +
  String.raw`\u{105c9}\u{105d2}\u{105da}\u{105e4}\u{10781}-\u{10785}\u{10787}-\u{107b0}\u{107b2}-\u{107ba}` +
  String.raw`\u{10d24}-\u{10d27}\u{10d69}-\u{10d6d}\u{10eab}\u{10eac}\u{10efa}\u{10efb}\u{10efd}-\u{10eff}` +
  String.raw`\u{10f46}-\u{10f50}\u{10f82}-\u{10f85}\u{11070}\u{1133b}\u{11382}-\u{11385}\u{1138b}\u{1138e}` +
  String.raw`\u{11390}\u{11391}\u{113b8}\u{113bb}\u{113c2}\u{113c5}\u{113c7}-\u{113c9}\u{113ce}-\u{113d0}` +
  String.raw`\u{1145e}\u{11839}\u{1183a}\u{11930}\u{11935}\u{11938}\u{1193d}\u{1193e}\u{11943}\u{119e0}` +
  String.raw`\u{11a34}\u{11a47}\u{11a99}\u{11d42}\u{11d44}\u{11d45}\u{11d97}\u{11f41}\u{11f42}` +
  String.raw`\u{1611e}-\u{16129}\u{1612f}\u{16d63}\u{16d67}-\u{16d6a}\u{16ff0}\u{16ff1}\u{1ccd6}-\u{1ccf9}` +
  String.raw`\u{1e030}-\u{1e06d}\u{1e08f}\u{1e130}-\u{1e136}\u{1e2ae}\u{1e2ec}-\u{1e2ef}\u{1e4ec}-\u{1e4ef}` +
  String.raw`\u{1e5ee}\u{1e5ef}\u{1e6e3}\u{1e6e6}\u{1e6ee}\u{1e6ef}\u{1e6f5}\u{1f16c}\u{1fbf0}-\u{1fbf9}`;
const NORMALIZED = new RegExp(`[^${AFTER_NORMALIZER}]+`, 'gu');

/** Punctuation that unicode_categories (Unicode 8) does not know. */
const NEW_PUNCTUATION =
  String.raw`\u{61d}\u{9fd}\u{a76}\u{c77}\u{c84}\u{1b4e}\u{1b4f}\u{1b7d}-\u{1b7f}\u{2e43}-\u{2e4f}` +
  String.raw`\u{2e52}-\u{2e5d}\u{10d6e}\u{10ead}\u{10ed0}\u{10f55}-\u{10f59}\u{10f86}-\u{10f89}\u{113d4}` +
  String.raw`\u{113d5}\u{113d7}\u{113d8}\u{1144b}-\u{1144f}\u{1145a}\u{1145b}\u{1145d}\u{11660}-\u{1166c}` +
  String.raw`\u{116b9}\u{1183b}\u{11944}-\u{11946}\u{119e2}\u{11a3f}-\u{11a46}\u{11a9a}-\u{11a9c}` +
  String.raw`\u{11a9e}-\u{11aa2}\u{11b00}-\u{11b09}\u{11be1}\u{11c41}-\u{11c45}\u{11c70}\u{11c71}\u{11ef7}` +
  String.raw`\u{11ef8}\u{11f43}-\u{11f4f}\u{11fff}\u{12ff1}\u{12ff2}\u{16d6d}-\u{16d6f}\u{16e97}-\u{16e9a}` +
  String.raw`\u{16fe2}\u{1e5ff}\u{1e95e}\u{1e95f}`;

/** Marks that unicode-normalization-alignments does not know, or no longer is one of (the last). */
const NEW_MARKS =
  String.raw`\u{7fd}\u{897}-\u{89f}\u{8ca}-\u{8d3}\u{9fe}\u{afa}-\u{aff}\u{b55}\u{c04}\u{c3c}\u{cf3}\u{d00}` +
  String.raw`\u{d3b}\u{d3c}\u{d81}\u{eba}\u{ece}\u{1715}\u{180f}\u{1abf}-\u{1add}\u{1ae0}-\u{1aeb}\u{1cf7}` +
  String.raw`\u{1df6}-\u{1dfa}\u{a82c}\u{a8ff}\u{10d24}-\u{10d27}\u{10d69}-\u{10d6d}\u{10eab}\u{10eac}` +
  String.raw`\u{10efa}-\u{10eff}\u{10f46}-\u{10f50}\u{10f82}-\u{10f85}\u{11070}\u{11073}\u{11074}\u{110c2}` +
  String.raw`\u{11145}\u{11146}\u{111c9}\u{111ce}\u{111cf}\u{11241}\u{1133b}\u{113b8}-\u{113c0}\u{113c2}` +
  String.raw`\u{113c5}\u{113c7}-\u{113ca}\u{113cc}-\u{113d0}\u{113d2}\u{113e1}\u{113e2}\u{1145e}` +
  String.raw`\u{1182c}-\u{1183a}\u{11930}-\u{11935}\u{11937}\u{11938}\u{1193b}-\u{1193e}\u{11940}\u{11942}` +
  String.raw`\u{11943}\u{119d1}-\u{119d7}\u{119da}-\u{119e0}\u{119e4}\u{11a01}-\u{11a0a}\u{11a33}-\u{11a39}` +
  String.raw`\u{11a3b}-\u{11a3e}\u{11a47}\u{11a51}-\u{11a5b}\u{11a8a}-\u{11a99}\u{11b60}-\u{11b67}` +
  String.raw`\u{11d31}-\u{11d36}\u{11d3a}\u{11d3c}\u{11d3d}\u{11d3f}-\u{11d45}\u{11d47}\u{11d8a}-\u{11d8e}` +
  String.raw`\u{11d90}\u{11d91}\u{11d93}-\u{11d97}\u{11ef3}-\u{11ef6}\u{11f00}\u{11f01}\u{11f03}` +
  String.raw`\u{11f34}-\u{11f3a}\u{11f3e}-\u{11f42}\u{11f5a}\u{13440}\u{13447}-\u{13455}\u{1611e}-\u{1612f}` +
  String.raw`\u{16f4f}\u{16f7f}-\u{16f87}\u{16fe4}\u{16ff0}\u{16ff1}\u{1cf00}-\u{1cf2d}\u{1cf30}-\u{1cf46}` +
  String.raw`\u{1e08f}\u{1e130}-\u{1e136}\u{1e2ae}\u{1e2ec}-\u{1e2ef}\u{1e4ec}-\u{1e4ef}\u{1e5ee}\u{1e5ef}` +
  String.raw`\u{1e6e3}\u{1e6e6}\u{1e6ee}\u{1e6ef}\u{1e6f5}`;

export const PUNCTUATION: RegExp = new RegExp(
  `(?![${NEW_PUNCTUATION}])[\\p{P}!-/:-@[-\`{-~\\u166D\\u{111C9}]`,
  'gu',
);
export const MARK: RegExp = new RegExp(`(?![${NEW_MARKS}])[\\p{M}\\u1CF2\\u1CF3]`, 'gu');
/** Rust's char::is_numeric, which JavaScript's \d is not. */
export const NUMERIC: RegExp = /\p{N}/gu;
/** Rust's char::is_whitespace: U+0085 is, U+FEFF is not. */
export const SPACE: RegExp = /\p{White_Space}/gu;
/** \w of Rust's regex. */
export const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';

/** The text, of the same length, as Oniguruma sees it: U+0295 was a small letter then. */
export function asOniguruma(text: string): string {
  return text
    .replace(AFTER_ONIGURUMA, (c) => (c.length === 1 ? '\u0378' : '\u{1FFFE}'))
    .replaceAll('\u0295', '\u0296');
}

/** Newer characters are starters that combine with nothing: what is between them is normalised by itself. */
export function normalize(text: string, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): string {
  return text.replace(NORMALIZED, (part) => part.normalize(form));
}
