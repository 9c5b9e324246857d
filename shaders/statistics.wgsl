// What is kept of a set of logits while one token is drawn from them by Gumbel-max and the distribution is summed up.
//
// With d = l − maximum, the sums leave out the top entry, whose term is 1 (or 0 in mean), so that a nearly certain token keeps its
// full relative precision; the CPU takes the logarithms in f64:
//   log p = d − log1p(base),   log q = d / τ − log1p(tempered),   log Z_α = log1p(sharp) − α log1p(base),
//   entropy = log1p(base) − mean / (1 + base).
struct Statistics {
  maximum: f32, // the largest logit; LOWEST for no logits at all
  top: u32,     // its index, the lowest on a tie
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

// What is seen rarely, a row: written by whoever sees it.
struct Found {
  given: f32, // the logit of the token to score
  bad: u32,   // 1: a logit was NaN or infinite
}

// The compiler may assume that l == l.
fn is_finite(l: f32) -> bool { return (bitcast<u32>(l) & 0x7f800000u) != 0x7f800000u; }

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
  s.top = select(a.top, b.top, b_above);
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

// Of one logit.
fn single(logit: f32, index: u32, noise: f32) -> Statistics {
  return Statistics(logit, index, 0, 0, 0, 0, index, logit, noise);
}
