// What is kept of a set of logits while one token is drawn from them by Gumbel-max and the distribution is summed up.
//
// With d = l − maximum, the sums leave out the top entry, whose term is 1 (or 0 in mean), so that a nearly certain token keeps its
// full relative precision; the CPU takes the logarithms in f64:
//   log p = d − log1p(base),   log q = d / τ − log1p(tempered),   log Z_α = log1p(sharp) − α log1p(base),
//   entropy = log1p(base) − mean / (1 + base).
struct Statistics {
  maximum: f32, // the largest logit; LOWEST for no logits at all
  top: u32,     // its index, the lowest on a tie; or BAD
  base: f32,    // Σ e^d
  mean: f32,    // Σ d e^d
  sharp: f32,   // Σ e^(α d)
  tempered: f32, // Σ e^(d / τ)
  token: u32,   // drawn so far
  logit: f32,   // its logit
  gumbel: f32,  // its noise
}
const LOWEST = -1e30;

fn nothing() -> Statistics { return Statistics(LOWEST, NONE, 0, 0, 0, 0, NONE, LOWEST, LOWEST); }

// In place of top where a logit was NaN or infinite.
const BAD = 0xfffffffeu;

fn merge(a: Statistics, b: Statistics, alpha: f32, inverse_temperature: f32) -> Statistics {
  let b_above = b.maximum > a.maximum || (b.maximum == a.maximum && b.top < a.top);
  let d = -abs(a.maximum - b.maximum);
  let seen = min(a.maximum, b.maximum) > LOWEST;
  let e = select(0.0, exp(d), seen);
  let sharp = select(0.0, exp(alpha * d), seen);
  let tempered = select(0.0, exp(inverse_temperature * d), seen);
  // The terms of the lower set, its top among them, counted from the higher maximum.
  var s: Statistics;
  s.maximum = max(a.maximum, b.maximum);
  s.top = select(select(a.top, b.top, b_above), BAD, a.top == BAD || b.top == BAD);
  s.base = select(a.base, b.base, b_above) + e * (1.0 + select(b.base, a.base, b_above));
  s.mean = select(a.mean, b.mean, b_above) + e * (select(b.mean, a.mean, b_above) + select(0.0, d, seen) * (1.0 + select(b.base, a.base, b_above)));
  s.sharp = select(a.sharp, b.sharp, b_above) + sharp * (1.0 + select(b.sharp, a.sharp, b_above));
  s.tempered = select(a.tempered, b.tempered, b_above) + tempered * (1.0 + select(b.tempered, a.tempered, b_above));
  // Scores are compared by their difference: d / τ + noise of each would be rounded.
  let b_drawn = fma(b.logit - a.logit, inverse_temperature, b.gumbel - a.gumbel) > 0.0;
  s.token = select(a.token, b.token, b_drawn);
  s.logit = select(a.logit, b.logit, b_drawn);
  s.gumbel = select(a.gumbel, b.gumbel, b_drawn);
  return s;
}

// Of the logits of entries 4 · four and following, the first count of them.
fn of_four(l: vec4f, four: u32, count: u32, noise: vec4f, alpha: f32, inverse_temperature: f32) -> Statistics {
  let index = vec4u(0u, 1u, 2u, 3u);
  let there = index < vec4u(count);
  let m = select(vec4f(LOWEST), l, there);
  let maximum = max(max(m.x, m.y), max(m.z, m.w));
  let top = select(select(select(3u, 2u, m.z == maximum), 1u, m.y == maximum), 0u, m.x == maximum);
  let bad = there & ((bitcast<vec4u>(l) & vec4u(0x7f800000u)) == vec4u(0x7f800000u)); // the compiler may assume that l == l
  let rest = there & (index != vec4u(top));
  let d = l - maximum;
  let e = select(vec4f(0), exp(d), rest);
  let sharp = select(vec4f(0), exp(alpha * d), rest);
  let tempered = select(vec4f(0), exp(inverse_temperature * d), rest);
  let score = select(vec4f(LOWEST), fma(d, vec4f(inverse_temperature), noise), there);
  let best = max(max(score.x, score.y), max(score.z, score.w));
  let drawn = select(select(select(3u, 2u, score.z == best), 1u, score.y == best), 0u, score.x == best);
  let at = select(4u * four + top, BAD, any(bad));
  return Statistics(maximum, at, sum4(e), sum4(d * e), sum4(sharp), sum4(tempered), 4u * four + drawn, l[drawn], noise[drawn]);
}

fn sum4(v: vec4f) -> f32 { return v.x + v.y + (v.z + v.w); }
